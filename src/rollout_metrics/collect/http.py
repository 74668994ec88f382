"""The one HTTP layer: sessions, time limits, retries, request budgets, and errors that say what to do and never show a secret."""

import email.utils
import logging
import os
import random as randomness
import re
import time
import zlib
from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping
from typing import Any, TypeVar
from urllib.parse import parse_qsl, urlencode, urljoin, urlsplit

import msgspec
import requests
import urllib3
from pydantic import SecretStr

from rollout_metrics.collect.limits import Budget, Gate, ResetHeader, wanted_wait
from rollout_metrics.collect.oauth import Grant
from rollout_metrics.collect.refusals import said
from rollout_metrics.domain.errors import ConfigurationError, CredentialsError, PayloadError, RetryLater, TruncatedError

log = logging.getLogger(__name__)

T = TypeVar("T")

MIB = 1024 * 1024
THROTTLED = 429
TRANSIENT = frozenset((408, 425, 500, 502, 503, 504))
REFUSALS: dict[int, str] = {
    401: "check the token: it is wrong, expired or revoked",
    403: "check the token's permissions: the system knows it, but does not let it read this",
}
FORM = "application/x-www-form-urlencoded"
REFUSED_GRANTS = frozenset((400, 401, 403))
REFUSED_GRANT = "check the token's grant: the client id, its secret or key, the user it stands for, and what the application is allowed"
SHOWN = frozenset(("start_time", "page", "offset", "limit", "per_page"))


class Endpoint(msgspec.Struct, frozen=True, kw_only=True):
    """Where a system answers and how to behave there. `authorization` is the whole header value; `proxy` may hold a password."""

    base_url: str
    authorization: SecretStr | None = None
    grant: Grant | None = None
    """How to get a token, instead of `authorization`; it is renewed once when it is refused."""
    headers: Mapping[str, str] = {}
    ca_file: str | None = None
    """Certificates to trust instead of the system's."""
    proxy: SecretStr | None = None
    """A proxy for this source; None: as the environment says (`HTTPS_PROXY`, `NO_PROXY`)."""
    connect_timeout: float = 10.0
    read_timeout: float = 90.0
    budgets: tuple[Budget, ...] = ()
    """How many requests the vendor allows; a request waits for each budget that covers its path."""
    reset: ResetHeader | None = None
    """The vendor's own header that says when to come back, where there is no Retry-After."""
    remaining: str | None = None
    """The vendor's own header whose 0 beside a 403 means throttled, not refused."""
    wish: Callable[[bytes], float | None] | None = None
    """Reads the wanted wait in seconds from the body of a 429, or of a 403 that means the same; None: the body does not say."""
    attempts: int = 6
    patience: float = 300.0
    """The longest wait inside a sweep, in seconds; a longer one ends the sweep with `RetryLater`."""
    max_bytes: int = 256 * MIB
    """The largest response body, unpacked."""
    then: str = "the next sweep tries again"
    """What happens after the last attempt, in words."""
    shown: frozenset[str] = SHOWN
    """Query parameters whose values may appear in messages."""
    refusals: dict[int, str] = {}
    """Statuses by which the vendor refuses us beside 401 and 403, each with its remedy."""


class Answer(msgspec.Struct, frozen=True):
    """A response that was accepted. `where` names it in messages."""

    body: bytes
    where: str
    status: int
    headers: Mapping[str, str]


class Counts(msgspec.Struct):
    """What an `Api` has done since it was made, for self-metrics."""

    requests: int = 0
    retries: int = 0
    throttled_seconds: float = 0.0


class _Token(msgspec.Struct, frozen=True):
    """The answer to a grant (RFC 6749, section 5.1)."""

    access_token: str


TOKEN = msgspec.json.Decoder(_Token)


def basic(user: str, password: SecretStr) -> SecretStr:
    """The `Authorization` value of basic authentication."""
    return SecretStr("Basic " + b64encode(f"{user}:{password.get_secret_value()}".encode()).decode())


def bearer(token: SecretStr) -> SecretStr:
    """The `Authorization` value of a bearer token."""
    return SecretStr("Bearer " + token.get_secret_value())


class Api:
    """Requests to one endpoint. Clock, sleep and randomness come from outside, so that tests need not wait.

    `sleep` may raise to stop a wait when the program is asked to end. Raises `CredentialsError`, `RetryLater`, `PayloadError`.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        *,
        now: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        random: Callable[[], float] = randomness.random,
    ) -> None:
        self.endpoint = endpoint
        self.counts = Counts()
        self.clock_ahead = 0.0
        """Seconds by which our clock runs ahead of the vendor's, from its last `Date` header; 0 where it does not."""
        self._now, self._sleep, self._random = now, sleep, random
        self._gates = [Gate(budget, monotonic) for budget in endpoint.budgets]
        self._origin = _origin(endpoint.base_url)
        self._host = urlsplit(endpoint.base_url).netloc.rpartition("@")[2]
        self._session = _session(endpoint)
        self._secrets = _secrets(endpoint)
        self._has_token = endpoint.grant is None

    def get(
        self, path: str, params: Mapping[str, Any] | None = None, *, accept: frozenset[int] = frozenset(), headers: Mapping[str, str] | None = None
    ) -> Answer:
        """GET a path under the base URL, or a full URL on the same host, as paging links are.

        `accept`: failure statuses to return as they are. `headers`: of this request only.
        """
        return self._send("GET", self._url(path, params), None, "", accept, headers=headers or {})

    def get_elsewhere(self, url: str) -> Answer:
        """GET a link to another host that carries its own permission, such as a signed download: without our credentials."""
        elsewhere = self._beside(url)
        try:
            return elsewhere.get(url)
        finally:
            elsewhere.close()

    def post(self, path: str, body: Any, *, label: str = "", accept: frozenset[int] = frozenset()) -> Answer:
        """POST JSON for reading (searches, batch reads): it is retried like a GET. `label` names the page in messages."""
        return self._send("POST", self._url(path, None), msgspec.json.encode(body), label, accept, headers={"Content-Type": "application/json"})

    def post_form(self, path: str, fields: Mapping[str, str], *, accept: frozenset[int] = frozenset()) -> Answer:
        """POST a form, as tokens are asked for."""
        return self._send("POST", self._url(path, None), urlencode(fields).encode(), "", accept, headers={"Content-Type": FORM})

    def close(self) -> None:
        """Give the connections back."""
        self._session.close()

    def _url(self, path: str, params: Mapping[str, Any] | None) -> str:
        url = path if "://" in path else self.endpoint.base_url.rstrip("/") + "/" + path.lstrip("/")
        if _origin(url) != self._origin:
            raise PayloadError(
                f"{self._host} sent a link to another host, {urlsplit(url).netloc.rpartition('@')[2]}: not followed, it would get our credentials"
            )
        return f"{url}{'&' if '?' in url else '?'}{urlencode(params, doseq=True)}" if params else url

    def _beside(self, url: str) -> "Api":
        """Another host in the same way but without credentials; what it costs counts here, and clock and waits are ours."""
        split = urlsplit(url)
        bare: dict[str, Any] = {"authorization": None, "grant": None, "headers": {}, "budgets": (), "reset": None, "remaining": None, "wish": None}
        endpoint = msgspec.structs.replace(self.endpoint, base_url=f"{split.scheme}://{split.netloc}", shown=frozenset(), **bare)
        other = Api(endpoint, now=self._now, sleep=self._sleep, random=self._random)
        other.counts, other._secrets = self.counts, self._secrets
        return other

    def _authorize(self, grant: Grant) -> None:
        """Get a token and use it from now on."""
        host = self._beside(grant.token_url)
        try:
            answer = host.post_form(grant.token_url, grant.form(self._now()), accept=REFUSED_GRANTS)
            if answer.status in REFUSED_GRANTS:
                raise CredentialsError(f"{answer.status} from {answer.where}{self._said(answer.body)}: {REFUSED_GRANT}")
            token = decode(answer, TOKEN).access_token
        finally:
            host.close()
        self._secrets.append(token)
        self._session.headers["Authorization"] = f"Bearer {token}"
        self._has_token = True

    def _send(self, method: str, url: str, data: bytes | None, label: str, accept: frozenset[int], *, headers: Mapping[str, str]) -> Answer:
        where = self._where(method, url, label)
        path = urlsplit(url).path
        grant = self.endpoint.grant
        if grant is not None and not self._has_token:
            self._authorize(grant)
        trouble = ""
        wait: float | None = None
        for attempt in range(self.endpoint.attempts):
            if attempt:
                self.counts.retries += 1
            for gate in self._gates:
                if gate.covers(path):
                    self._wait(gate.delay(), throttled=True)
            self.counts.requests += 1
            answer, trouble, wait = self._once(method, url, data, where, headers)
            if answer is not None and answer.status == 401 and grant is not None and 401 not in accept:
                self._authorize(grant)  # tokens run out; a fresh one that is refused too is told as usual
                grant = None
                self.counts.requests += 1
                answer, trouble, wait = self._once(method, url, data, where, headers)
            if answer is not None:
                if answer.status < 300 or answer.status in accept:
                    return answer
                trouble, wait = self._refused(answer)
            if wait is not None and wait > self.endpoint.patience:
                break
            if attempt + 1 < self.endpoint.attempts:
                throttled = wait is not None
                self._wait(wait if wait is not None else self._random() * min(60.0, 2.0**attempt), throttled=throttled)
        raise RetryLater(f"{trouble}: {self.endpoint.then}" + (f", in {wait:.0f} s at the earliest" if wait else ""), wait)

    def _once(self, method: str, url: str, data: bytes | None, where: str, headers: Mapping[str, str]) -> tuple[Answer | None, str, float | None]:
        limits = (self.endpoint.connect_timeout, self.endpoint.read_timeout)
        try:
            with self._session.request(method, url, data=data, headers=headers, timeout=limits, stream=True, allow_redirects=False) as response:
                body = b"" if response.is_redirect else self._body(response, where)
        except requests.exceptions.SSLError:
            raise ConfigurationError(f"no trusted TLS connection to {self._host}: check its certificate, or name your own authority in `ca_file`") from None
        except requests.exceptions.ProxyError:
            return None, f"the proxy for {self._host} does not answer", None
        except requests.exceptions.Timeout:
            return None, f"no answer in time to {where}", None
        except (requests.exceptions.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
            return None, f"the connection to {self._host} failed ({_cause(error)}) at {where}", None
        self._compare_clocks(response.headers)
        return Answer(body, where, response.status_code, response.headers), "", None

    def _body(self, response: requests.Response, where: str) -> bytes:
        limit = self.endpoint.max_bytes
        raw: bytes = response.raw.read(limit + 1, decode_content=False)
        length = response.headers.get("Content-Length", "")
        if length.isdigit() and len(raw) < min(int(length), limit + 1):
            raise ConnectionError("cut short")
        encoding = response.headers.get("Content-Encoding", "identity").lower()
        if encoding == "gzip" and raw:
            unpacker = zlib.decompressobj(31)
            try:
                raw = unpacker.decompress(raw, limit + 1)
            except zlib.error:
                raise PayloadError(f"{where} is damaged: what it says is gzip cannot be unpacked") from None
            if len(raw) <= limit and not unpacker.eof:
                raise ConnectionError("cut short")
        elif encoding not in ("identity", "gzip", ""):
            raise PayloadError(f"{where} came packed as {encoding[:20]!r}, which was not asked for")
        if len(raw) > limit:
            raise PayloadError(f"{where} is larger than {limit // MIB or 1} MiB: ask for smaller pages")
        return raw

    def _refused(self, answer: Answer) -> tuple[str, float | None]:
        """What is wrong and how long to wait, for answers worth another try; raises for the others."""
        endpoint, status = self.endpoint, answer.status
        wait = wanted_wait(answer.headers, endpoint.reset, self._now())
        words = self._said(answer.body)
        spent = endpoint.remaining is not None and answer.headers.get(endpoint.remaining) == "0"
        wish = endpoint.wish(answer.body) if endpoint.wish is not None and status in (403, THROTTLED) else None
        if status == THROTTLED or (status == 403 and (spent or wish is not None or "Retry-After" in answer.headers)):
            wait = max((seconds for seconds in (wait, wish) if seconds is not None), default=None)
            log.info("throttled", extra={"fields": {"host": self._host, "status": status, "wait_seconds": wait}})
            return f"{status} from {answer.where}{words}", wait
        if remedy := (REFUSALS | endpoint.refusals).get(status):
            raise CredentialsError(f"{status} from {answer.where}{words}: {remedy}")
        if status in TRANSIENT or status >= 500:
            return f"{status} from {answer.where}{words}", wait
        if 300 <= status < 400:
            target = urlsplit(urljoin(endpoint.base_url, answer.headers.get("Location", "")))
            raise PayloadError(f"{answer.where} redirects to {target.netloc.rpartition('@')[2]}{target.path}: correct the address")
        raise PayloadError(f"{status} from {answer.where}{words}")

    def _said(self, body: bytes) -> str:
        """The vendor's own words, short and without secrets."""
        text = said(body)
        for secret in self._secrets:
            text = text.replace(secret, "…")
        return f" ({text[:200]})" if text else ""

    def _wait(self, seconds: float, *, throttled: bool) -> None:
        if seconds > 0:
            if throttled:
                self.counts.throttled_seconds += seconds
            self._sleep(seconds)

    def _where(self, method: str, url: str, label: str) -> str:
        split = urlsplit(url)
        shown = [f"{name}={value if name in self.endpoint.shown else '…'}" for name, value in parse_qsl(split.query, keep_blank_values=True)]
        query = "&".join(dict.fromkeys(shown))
        return f"{method} {self._host}{split.path}{'?' if query else ''}{query}{' ' if label else ''}{label}"

    def _compare_clocks(self, headers: Mapping[str, str]) -> None:
        try:
            theirs = email.utils.parsedate_to_datetime(headers["Date"]).timestamp()
        except (KeyError, TypeError, ValueError, OverflowError):
            return
        ahead = self._now() - theirs
        self.clock_ahead = ahead if ahead > 5 else 0.0


_HALF_A_PAIR = re.compile(rb"(?<!\\)((?:\\\\)*)(\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|\\u[dD][89a-fA-F][0-9a-fA-F]{2})")


def _whole_pairs(body: bytes) -> bytes:
    """JSON with every half of a surrogate pair, as texts cut within an emoji have, replaced by the replacement character."""
    return _HALF_A_PAIR.sub(lambda found: found[0] if len(found[2]) > len(rb"\ud800") else found[1] + rb"\ufffd", body)


def decode(answer: Answer, decoder: msgspec.json.Decoder[T]) -> T:
    """Read an answer's JSON into the decoder's type; raises `PayloadError` naming the page. A wrong shape is `ShapeError`."""
    try:
        try:
            return decoder.decode(answer.body)
        except msgspec.ValidationError:
            raise
        except msgspec.DecodeError as error:
            if "surrogate" not in str(error):
                raise
            return decoder.decode(_whole_pairs(answer.body))
    except msgspec.ValidationError as error:
        raise ShapeError(f"{answer.where} is not of the documented shape: {error}") from None
    except RecursionError:
        raise PayloadError(f"{answer.where} is nested too deep to be what the vendor documents") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        head = answer.body[:200].lstrip().lower()
        if head.startswith(b"<") or "html" in answer.headers.get("Content-Type", ""):
            hint = "check the address, and whether a proxy or a login stands before it"
            raise PayloadError(f"{answer.where} answered with a web page instead of JSON: {hint}") from None
        size = len(answer.body)
        raise TruncatedError(f"{answer.where} is not complete JSON ({error}; {size} bytes): the page is truncated or damaged") from None


class ShapeError(PayloadError):
    """JSON, but not what the vendor documents."""


def _session(endpoint: Endpoint) -> requests.Session:
    session = requests.Session()
    session.trust_env = False  # a .netrc would replace our Authorization
    session.headers.update({"User-Agent": "rollout-metrics", "Accept": "application/json", "Accept-Encoding": "gzip", **endpoint.headers})
    if endpoint.authorization is not None:
        session.headers["Authorization"] = endpoint.authorization.get_secret_value()
    session.verify = endpoint.ca_file or os.environ.get("REQUESTS_CA_BUNDLE") or True
    if endpoint.proxy is not None:
        session.proxies = dict.fromkeys(("http", "https"), endpoint.proxy.get_secret_value())
    else:
        session.proxies = dict(requests.utils.get_environ_proxies(endpoint.base_url))
    return session


def _secrets(endpoint: Endpoint) -> list[str]:
    """Every string that must not be shown, should a vendor repeat it to us."""
    values: list[str] = []
    if endpoint.authorization is not None:
        scheme, _, value = endpoint.authorization.get_secret_value().partition(" ")
        values += [value, value.removeprefix("token="), *(b64decode(value).decode().partition(":") if scheme == "Basic" else ())]
    values += endpoint.grant.secrets() if endpoint.grant is not None else ()
    if endpoint.proxy is not None:
        values += [endpoint.proxy.get_secret_value(), urlsplit(endpoint.proxy.get_secret_value()).password or ""]
    return [value for value in values if len(value) >= 4]


def _origin(url: str) -> tuple[str, str]:
    split = urlsplit(url)
    return (split.scheme.lower(), split.netloc.rpartition("@")[2].lower())


def _cause(error: BaseException) -> str:
    text = f"{type(error).__name__} {error}"
    if "NameResolution" in text or "getaddrinfo" in text:
        return "its name does not resolve"
    if "refused" in text:
        return "refused"
    return "cut short" if "short" in text or "IncompleteRead" in text or "Connection broken" in text else type(error).__name__
