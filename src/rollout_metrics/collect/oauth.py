"""OAuth 2 grants without a person: client credentials (RFC 6749) and JWT bearer (RFC 7523), as the form that a token is asked for with."""

import uuid
from base64 import urlsafe_b64encode
from collections.abc import Mapping

import msgspec
from pydantic import SecretStr

from rollout_metrics.domain.errors import ConfigurationError

LIFETIME = 180
"""Seconds an assertion holds; Salesforce allows no more than 3 minutes."""
JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"


class _Application(msgspec.Struct, frozen=True, kw_only=True):
    """Where a token is asked for and as whom."""

    token_url: str
    client_id: str


class ClientCredentials(_Application, frozen=True, kw_only=True):
    """The application as itself, by a secret."""

    client_secret: SecretStr
    scope: str | None = None

    def form(self, now: float) -> dict[str, str]:
        """RFC 6749, section 4.4.2, with the credentials in the body."""
        asked = {"grant_type": "client_credentials", "client_id": self.client_id, "client_secret": self.client_secret.get_secret_value()}
        return asked if self.scope is None else {**asked, "scope": self.scope}

    def secrets(self) -> list[str]:
        """The client's secret."""
        return [self.client_secret.get_secret_value()]


class JwtBearer(_Application, frozen=True, kw_only=True):
    """The application on behalf of a user, by a statement that it signs with its private RSA key."""

    subject: str
    audience: str
    private_key: SecretStr
    """PEM, unencrypted."""

    def form(self, now: float) -> dict[str, str]:
        """RFC 7523, section 2.1; raises `ConfigurationError` for a key that is none."""
        claims: dict[str, str | int] = {"iss": self.client_id, "sub": self.subject, "aud": self.audience, "exp": int(now) + LIFETIME, "jti": uuid.uuid4().hex}
        return {"grant_type": JWT_BEARER, "assertion": signed(claims, self.private_key)}

    def secrets(self) -> list[str]:
        """The key never leaves: what is sent is signed with it."""
        return []


Grant = ClientCredentials | JwtBearer
"""A way to ask for tokens: `form` gives the fields to post at an instant in seconds, `secrets` what must not be shown."""


def signed(claims: Mapping[str, str | int], private_key: SecretStr) -> str:
    """A JSON Web Token in its compact form, signed with RS256 (RFC 7515, 7518 section 3.3)."""
    # slow to import, and needed by few
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        key = load_pem_private_key(private_key.get_secret_value().encode(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise ConfigurationError("private_key is no unencrypted private key in PEM form: check the file it comes from") from None
    if not isinstance(key, RSAPrivateKey):
        raise ConfigurationError("private_key is no RSA key: make one of at least 2048 bits")
    text = b".".join(_part(msgspec.json.encode(part)) for part in ({"alg": "RS256", "typ": "JWT"}, claims))
    return b".".join((text, _part(key.sign(text, PKCS1v15(), hashes.SHA256())))).decode()


def _part(data: bytes) -> bytes:
    return urlsafe_b64encode(data).rstrip(b"=")
