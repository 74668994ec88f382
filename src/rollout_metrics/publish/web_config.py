"""TLS and basic authentication of a listener, from a file in the format of Prometheus' web configuration; changes of the file take effect by themselves."""

import base64
import binascii
import hashlib
import hmac
import re
import ssl
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal

import bcrypt
import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from rollout_metrics.domain.errors import ConfigurationError
from rollout_metrics.publish.app import Application, Environ, StartResponse

_BCRYPT = re.compile(r"\$2[aby]\$(?:0[4-9]|[12]\d|3[01])\$[./A-Za-z0-9]{53}")
_VERSIONS = {"TLS12": ssl.TLSVersion.TLSv1_2, "TLS13": ssl.TLSVersion.TLSv1_3}
_CLIENT_AUTH = {
    "NoClientCert": ssl.CERT_NONE,
    "RequestClientCert": ssl.CERT_OPTIONAL,
    "VerifyClientCertIfGiven": ssl.CERT_OPTIONAL,
    "RequireAnyClientCert": ssl.CERT_REQUIRED,
    "RequireAndVerifyClientCert": ssl.CERT_REQUIRED,
}


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


ClientAuth = Literal["NoClientCert", "RequestClientCert", "VerifyClientCertIfGiven", "RequireAnyClientCert", "RequireAndVerifyClientCert"]


class TlsServer(_Strict):
    """Certificate and key, as PEM files relative to the configuration, and who must show a certificate."""

    cert_file: Path
    key_file: Path
    client_auth_type: Literal["NoClientCert", "RequestClientCert", "VerifyClientCertIfGiven", "RequireAnyClientCert", "RequireAndVerifyClientCert"] = (
        "NoClientCert"
    )
    client_ca_file: Path | None = None
    min_version: Literal["TLS12", "TLS13"] = "TLS12"
    max_version: Literal["TLS12", "TLS13"] = "TLS13"


class HttpServer(_Strict):
    """Headers added to every response. HTTP/2 is not served."""

    http2: bool = False
    headers: Mapping[str, str] = Field(default_factory=dict)


class WebConfig(_Strict):
    """The file. `basic_auth_users`: name -> bcrypt hash."""

    tls_server_config: TlsServer | None = None
    http_server_config: HttpServer = HttpServer()
    basic_auth_users: Mapping[str, str] = Field(default_factory=dict)

    @field_validator("basic_auth_users")
    @classmethod
    def _hashes(cls, users: Mapping[str, str]) -> Mapping[str, str]:
        for name, hashed in users.items():
            if not _BCRYPT.fullmatch(hashed):
                raise ValueError(f"the password of {name!r} must be a bcrypt hash: make one with `htpasswd -nBC 10 {name}`")
        return users


def read_web_config(file: Path) -> WebConfig:
    """Read the file. Raises `ConfigurationError` that names every problem."""
    try:
        raw = yaml.safe_load(file.read_text(encoding="utf-8")) or {}
    except OSError as error:
        raise ConfigurationError(f"{file}: cannot be read ({error.strerror}): check the path and its permissions") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{file}: is no YAML: {str(error).splitlines()[0]}") from None
    try:
        return WebConfig.model_validate(raw)
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False)
        raise ConfigurationError(
            *(f"{file}: {'.'.join(map(str, item['loc'])) or 'the file'}: {item['msg'].removeprefix('Value error, ')}" for item in found)
        ) from None


def tls_context(config: WebConfig, file: Path) -> ssl.SSLContext | None:
    """The context that serves the configured certificate; None where TLS is off. Raises `ConfigurationError`."""
    tls = config.tls_server_config
    if tls is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version, context.maximum_version = _VERSIONS[tls.min_version], _VERSIONS[tls.max_version]
    try:
        context.load_cert_chain(file.parent / tls.cert_file, file.parent / tls.key_file)
        if tls.client_ca_file is not None:
            context.load_verify_locations(file.parent / tls.client_ca_file)
    except (OSError, ssl.SSLError) as error:
        raise ConfigurationError(
            f"{file}: tls_server_config: the certificate or key cannot be loaded ({error}): check cert_file, key_file and client_ca_file"
        ) from None
    context.verify_mode = _CLIENT_AUTH[tls.client_auth_type]
    return context


class Guard:
    """Lets requests through to an application that carry a configured user's password; reads the file again when it changes.

    Whom it lets in it names as `REMOTE_USER`. Paths under `open_to` look after their own authentication (a request has only one header for it).
    """

    def __init__(self, application: Application, file: Path, *, open_to: tuple[str, ...] = ()) -> None:
        self._application = application
        self._file = file
        self._open_to = open_to
        self._stamp = _stamp(file)
        self._config = read_web_config(file)
        self._verified: set[bytes] = set()
        self._unknown = bcrypt.hashpw(b"nobody", bcrypt.gensalt(10))

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        config = self._current()
        user = self._admitted(environ.get("HTTP_AUTHORIZATION", ""), config.basic_auth_users)
        if user is not None:
            environ["REMOTE_USER"] = user
        elif config.basic_auth_users and not (self._open_to and str(environ.get("PATH_INFO", "")).startswith(self._open_to)):
            body = b"Unauthorized\n"
            headers = [("WWW-Authenticate", "Basic"), ("Content-Type", "text/plain; charset=utf-8"), ("Content-Length", str(len(body)))]
            start_response("401 Unauthorized", headers)
            return [body]
        added = list(config.http_server_config.headers.items())
        if not added:
            return self._application(environ, start_response)

        def start(status: str, headers: list[tuple[str, str]], *rest: Any) -> Any:
            return start_response(status, headers + added, *rest)

        return self._application(environ, start)

    def _current(self) -> WebConfig:
        stamp = _stamp(self._file)
        if stamp != self._stamp and stamp is not None:
            try:
                self._config = read_web_config(self._file)
                self._verified.clear()
            except ConfigurationError:
                pass  # a half-written file: the old users stay until it reads well
            self._stamp = stamp
        return self._config

    def _admitted(self, authorization: str, users: Mapping[str, str]) -> str | None:
        """The name of the user whose password a request carries."""
        scheme, _, encoded = authorization.partition(" ")
        if scheme.lower() != "basic" or not users:
            return None
        try:
            name, colon, password = base64.b64decode(encoded, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return None
        hashed = users.get(name, "").encode() or self._unknown
        key = hmac.digest(hashed, password.encode(), hashlib.sha256)
        if key in self._verified:
            return name
        right = bcrypt.checkpw(password.encode()[:72], hashed) and name in users and bool(colon)
        if right:
            self._verified.add(key)
        return name if right else None


def _stamp(file: Path) -> tuple[int, int] | None:
    try:
        status = file.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size
