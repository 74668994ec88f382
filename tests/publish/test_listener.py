"""Listeners: addresses, TLS and basic authentication from a file in Prometheus' format."""

import resource
import socket
import ssl
import subprocess
from contextlib import ExitStack
from pathlib import Path

import bcrypt
import pytest
import requests

from rollout_metrics.domain.errors import ConfigurationError
from rollout_metrics.publish.app import metrics_app
from rollout_metrics.publish.listener import Listener
from rollout_metrics.publish.snapshot import Board
from rollout_metrics.publish.web_config import read_web_config

BIG = b"x" * 3_000_000


def big_app(environ, start_response):
    body = environ["wsgi.input"].read() or BIG
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tls")
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "key.pem", "-out", "cert.pem", "-days", "2"),
            *("-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"),
        ],
        cwd=folder,
        check=True,
        capture_output=True,
    )
    return folder


def test_a_port_in_use_is_one_clear_message() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"

        with pytest.raises(
            ConfigurationError, match=r"cannot be bound \(Address already in use\): another program listens there: stop it or choose another port"
        ):
            Listener(metrics_app(Board()), address)


def test_tls_serves_large_bodies_both_ways(certificate: Path) -> None:
    config = certificate / "web.yaml"
    config.write_text("tls_server_config: {cert_file: cert.pem, key_file: key.pem}\n")
    listener = Listener(big_app, "127.0.0.1:0", web_config=config).start()
    try:
        trusted = str(certificate / "cert.pem")
        with requests.Session() as session:
            assert listener.url.startswith("https://")
            assert session.get(listener.url, timeout=10, verify=trusted).content == BIG
            assert session.post(listener.url, data=b"y" * 2_000_000, timeout=10, verify=trusted).content == b"y" * 2_000_000
    finally:
        listener.close()


def test_a_client_that_speaks_no_tls_harms_nobody(certificate: Path) -> None:
    config = certificate / "web.yaml"
    config.write_text("tls_server_config: {cert_file: cert.pem, key_file: key.pem, min_version: TLS13}\n")
    listener = Listener(metrics_app(Board()), "127.0.0.1:0", web_config=config).start()
    try:
        with pytest.raises(requests.exceptions.ConnectionError):
            requests.get(listener.url.replace("https", "http"), timeout=5)
        old = ssl.create_default_context(cafile=str(certificate / "cert.pem"))
        old.maximum_version = ssl.TLSVersion.TLSv1_2
        host, port = listener.address.split(":")
        with socket.create_connection((host, int(port)), timeout=5) as plain, pytest.raises(ssl.SSLError):
            old.wrap_socket(plain, server_hostname="127.0.0.1")
        assert requests.get(f"{listener.url}/healthz", verify=str(certificate / "cert.pem"), timeout=5).text == "alive\n"
    finally:
        listener.close()


def test_basic_authentication_admits_users_and_follows_the_file(tmp_path: Path) -> None:
    config = tmp_path / "web.yaml"
    hashed = bcrypt.hashpw(b"right", bcrypt.gensalt(4)).decode()
    config.write_text(f"basic_auth_users:\n  ana: {hashed}\nhttp_server_config:\n  headers: {{X-Frame-Options: DENY}}\n")
    listener = Listener(metrics_app(Board()), "127.0.0.1:0", web_config=config).start()
    try:
        page = f"{listener.url}/healthz"
        assert requests.get(page, timeout=5).status_code == 401
        assert requests.get(page, auth=("ana", "wrong"), timeout=5).status_code == 401
        assert requests.get(page, auth=("eve", "right"), timeout=5).status_code == 401
        assert requests.get(page, headers={"Authorization": "Basic !!"}, timeout=5).status_code == 401
        for _ in range(2):
            answer = requests.get(page, auth=("ana", "right"), timeout=5)
            assert (answer.status_code, answer.headers["X-Frame-Options"]) == (200, "DENY")
        config.write_text(f"basic_auth_users:\n  bob: {hashed}\n# changed\n")
        assert requests.get(page, auth=("ana", "right"), timeout=5).status_code == 401
        assert requests.get(page, auth=("bob", "right"), timeout=5).status_code == 200
    finally:
        listener.close()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("basic_auth_users: {ana: secret}", r"basic_auth_users: the password of 'ana' must be a bcrypt hash: make one with `htpasswd -nBC 10 ana`"),
        ("tls_server: {}", r"tls_server: Extra inputs are not permitted"),
        ("a: [", r"is no YAML"),
    ],
)
def test_a_bad_web_configuration_says_what_and_where(tmp_path: Path, text: str, message: str) -> None:
    config = tmp_path / "web.yaml"
    config.write_text(text)

    with pytest.raises(ConfigurationError, match=message) as caught:
        read_web_config(config)

    assert "secret" not in str(caught.value)


def test_a_process_with_more_than_a_thousand_files_open_still_answers() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(4096, hard), hard))
    listener = Listener(big_app, "127.0.0.1:0").start()
    try:
        with ExitStack() as stack:
            for _ in range(1100):
                stack.enter_context(Path("/dev/null").open("rb"))
            assert requests.get(listener.url, timeout=10).content == BIG
    finally:
        listener.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.parametrize("hashed", ["$2b$10$short", "$2b$99$" + "a" * 53, "$2b$10$" + "a" * 54, "open sesame"])
def test_a_password_that_is_no_bcrypt_hash_is_refused_when_read(tmp_path: Path, hashed: str) -> None:
    file = tmp_path / "web.yaml"
    file.write_text(f"basic_auth_users: {{me: '{hashed}'}}\n")

    with pytest.raises(ConfigurationError, match="the password of 'me' must be a bcrypt hash"):
        read_web_config(file)
