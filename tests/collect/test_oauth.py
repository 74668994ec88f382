"""Tokens by grant, against a local server: asked for once, renewed once when refused, never shown."""

import json
from base64 import urlsafe_b64decode
from collections.abc import Iterator

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1
from cryptography.hazmat.primitives.asymmetric.ec import generate_private_key as elliptic
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from pydantic import SecretStr

from rollout_metrics.collect.http import Api, Endpoint
from rollout_metrics.collect.oauth import JWT_BEARER, ClientCredentials, Grant, JwtBearer
from rollout_metrics.collect.refusals import said
from rollout_metrics.domain.errors import ConfigurationError, CredentialsError, RetryLater
from sources.server import Reply, Request, Server, serving

SECRET = "very-secret-client-0815"


class Authority:
    """Hands out numbered tokens and accepts the latest; `gone`: how many requests find their token expired."""

    def __init__(self, *, gone: int = 0, refusal: Reply | None = None) -> None:
        self.gone, self.refusal, self.given = gone, refusal, 0

    def __call__(self, request: Request) -> Reply:
        if request.path == "/token":
            if self.refusal is not None:
                return self.refusal
            self.given += 1
            return Reply({"access_token": f"token-number-{self.given}", "token_type": "Bearer"})
        if self.gone:
            self.gone -= 1
            return Reply([{"errorCode": "INVALID_SESSION_ID", "message": f"Session expired: token-number-{self.given}"}], 401)
        return Reply({"as": request.headers["Authorization"]})


@pytest.fixture
def server() -> Iterator[Server]:
    with serving(Authority()) as made:
        yield made


def api_of(server: Server, grant: Grant | None = None) -> Api:
    usual = ClientCredentials(token_url=f"{server.url}/token", client_id="me", client_secret=SecretStr(SECRET), scope="all")
    return Api(Endpoint(base_url=server.url, grant=grant or usual), now=lambda: 1_750_000_000.0, sleep=lambda _: None, random=lambda: 0.0)


def pem(key: object) -> SecretStr:
    return SecretStr(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode())  # type: ignore[attr-defined]


@pytest.fixture(scope="module")
def key() -> RSAPrivateKey:
    return generate_private_key(65537, 2048)


def test_a_token_is_asked_for_once_and_used_for_all_requests(server: Server) -> None:
    api = api_of(server)

    said_by = [json.loads(api.get("/x").body)["as"] for _ in range(3)]

    assert said_by == ["Bearer token-number-1"] * 3
    assert [request.line for request in server.requests] == ["POST /token", "GET /x", "GET /x", "GET /x"]
    assert server.requests[0].body == {"grant_type": "client_credentials", "client_id": "me", "client_secret": SECRET, "scope": "all"}
    assert api.counts.requests == 4


def test_a_token_that_ran_out_is_renewed_once(server: Server) -> None:
    server.answer = Authority(gone=1)

    assert json.loads(api_of(server).get("/x").body) == {"as": "Bearer token-number-2"}


def test_a_fresh_token_that_is_refused_too_is_told_and_not_shown(server: Server) -> None:
    server.answer = Authority(gone=9)

    with pytest.raises(CredentialsError, match=r"^401 from GET 127.*INVALID_SESSION_ID Session expired: ….: check the token") as raised:
        api_of(server).get("/x")

    assert "token-number" not in str(raised.value)
    assert [request.path for request in server.requests] == ["/token", "/x", "/token", "/x"]


@pytest.mark.parametrize("status", [400, 401, 403])
def test_a_refused_grant_is_told_with_the_remedy_and_without_the_secret(server: Server, status: int) -> None:
    server.answer = Authority(refusal=Reply({"error": "invalid_client", "error_description": f"not {SECRET}"}, status))
    api = api_of(server)

    with pytest.raises(CredentialsError, match=rf"^{status} from POST 127.*/token .invalid_client not ….: check the token's grant") as raised:
        api.get("/x")

    assert SECRET not in f"{raised.value}{api.endpoint!r}"


def test_an_authority_that_is_down_is_tried_again(server: Server) -> None:
    server.answer = Authority(refusal=Reply(b"", 503))

    with pytest.raises(RetryLater, match=r"^503 from POST .*/token"):
        api_of(server).get("/x")


def test_an_assertion_is_signed_with_the_key_and_says_who_it_stands_for(server: Server, key: RSAPrivateKey) -> None:
    grant = JwtBearer(token_url=f"{server.url}/token", client_id="app", subject="reader@acme.example", audience="https://login.example", private_key=pem(key))

    api_of(server, grant).get("/x")

    asked = server.requests[0].body
    head, claims, signature = asked["assertion"].split(".")
    key.public_key().verify(_bytes(signature), f"{head}.{claims}".encode(), PKCS1v15(), hashes.SHA256())
    told = json.loads(_bytes(claims))
    assert asked["grant_type"] == JWT_BEARER
    assert json.loads(_bytes(head)) == {"alg": "RS256", "typ": "JWT"}
    assert (told["iss"], told["sub"], told["aud"]) == ("app", "reader@acme.example", "https://login.example")
    assert 0 < told["exp"] - 1_750_000_000 <= 180


@pytest.mark.parametrize(("private_key", "words"), [(SecretStr("none"), "no unencrypted private key"), (pem(elliptic(SECP256R1())), "no RSA key")])
def test_a_key_that_cannot_sign_is_told(private_key: SecretStr, words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        JwtBearer(token_url="x", client_id="x", subject="x", audience="x", private_key=private_key).form(0)


def test_a_signed_download_elsewhere_gets_no_credentials(server: Server) -> None:
    seen: list[Request] = []
    with serving(lambda request: seen.append(request) or Reply({"some": "rows"})) as other:  # type: ignore[func-returns-value]
        api = api_of(server)
        answer = api.get_elsewhere(f"{other.url}/file?signature={SECRET}")

    assert json.loads(answer.body) == {"some": "rows"}
    assert "Authorization" not in seen[0].headers
    assert SECRET not in answer.where
    assert api.counts.requests == 1


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b'[{"errorCode": "REQUEST_LIMIT_EXCEEDED", "message": "Too  many"}]', "REQUEST_LIMIT_EXCEEDED Too many"),
        (b'{"error": {"code": "0x80072322", "message": "slow down"}}', "0x80072322 slow down"),
        (b'{"type": "error.list", "errors": [{"code": "token_unauthorized", "message": "no"}]}', "token_unauthorized no"),
        (b'{"error": "invalid_grant", "error_description": "expired"}', "invalid_grant expired"),
        (b"[]", ""),
        (b"<html>", ""),
    ],
)
def test_what_vendors_say_is_read_in_all_their_shapes(body: bytes, words: str) -> None:
    assert said(body) == words


def _bytes(part: str) -> bytes:
    return urlsafe_b64decode(part + "=" * (-len(part) % 4))
