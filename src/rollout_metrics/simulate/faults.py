"""Things that go wrong between a vendor and us, on demand and always in the same places."""

from collections.abc import Callable, Iterable
from enum import StrEnum
from threading import Lock
from typing import Any
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

import msgspec


class FaultKind(StrEnum):
    """What goes wrong with a request."""

    THROTTLE = "throttle"
    """429 with Retry-After."""
    BROKEN = "broken"
    """500 with a page for people."""
    UNAVAILABLE = "unavailable"
    """503 with Retry-After."""
    DROP = "drop"
    """The connection ends in the middle of the answer."""
    TRUNCATE = "truncate"
    """Half the JSON, said to be all of it."""
    HTML = "html"
    """200 with a login page."""
    REPEAT = "repeat"
    """The answer of the request before."""
    EMPTY = "empty"
    """A page with no records that does not say it is the last."""
    CUT = "cut"
    """Half the records on the page, and word that this was all."""


class Fault(msgspec.Struct, frozen=True):
    """`kind` happens to every `every`-th request whose path contains `within`, at most `times` times."""

    kind: FaultKind
    every: int = 3
    within: str = ""
    times: int = 1_000_000
    retry_after: str = "1"


class Faults:
    """A WSGI layer before an application. Counting requests, not chance, decides: the same requests meet the same faults."""

    def __init__(self, app: WSGIApplication, faults: Iterable[Fault]) -> None:
        self._app = app
        self._faults = tuple(faults)
        self._seen = [0] * len(self._faults)
        self._before: dict[str, tuple[str, list[tuple[str, str]], bytes]] = {}
        self._lock = Lock()
        self.met: list[FaultKind] = []
        """The faults that happened so far, in order."""

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Serve one request, faultily or not."""
        path = str(environ.get("PATH_INFO", ""))
        fault = self._due(path)
        if fault is not None and fault.kind in _REFUSALS:
            status, kind, body = _REFUSALS[fault.kind]
            headers = [("Content-Type", kind), ("Content-Length", str(len(body)))]
            if fault.kind in (FaultKind.THROTTLE, FaultKind.UNAVAILABLE):
                headers.append(("Retry-After", fault.retry_after))
            start_response(status, headers)
            return [body]
        status, headers, body = self._answer(environ)
        if fault is None or not status.startswith("2"):
            self._before[path] = (status, headers, body)
            start_response(status, headers)
            return [body]
        if fault.kind is FaultKind.REPEAT:
            status, headers, body = self._before.get(path, (status, headers, body))
        elif fault.kind is FaultKind.DROP:
            start_response(status, headers)  # the length of the whole, and half of it
            return [body[: len(body) // 2]]
        else:
            body = _SPOILT[fault.kind](body)
        start_response(status, [*((name, value) for name, value in headers if name.lower() != "content-length"), ("Content-Length", str(len(body)))])
        return [body]

    def _due(self, path: str) -> Fault | None:
        with self._lock:
            for place, fault in enumerate(self._faults):
                if fault.within in path:
                    self._seen[place] += 1
                    if self._seen[place] % fault.every == 0 and self._seen[place] // fault.every <= fault.times:
                        self.met.append(fault.kind)
                        return fault
        return None

    def _answer(self, environ: WSGIEnvironment) -> tuple[str, list[tuple[str, str]], bytes]:
        taken: list[Any] = []

        def note(status: str, headers: list[tuple[str, str]], _: Any = None, /) -> Callable[[bytes], object]:
            taken[:] = [status, headers]
            return lambda chunk: chunk

        body = b"".join(self._app(environ, note))
        return taken[0], taken[1], body


_PAGE = b"<!DOCTYPE html><html><head><title>Sign in</title></head><body>Please sign in to continue.</body></html>"
_REFUSALS = {
    FaultKind.THROTTLE: ("429 Too Many Requests", "application/json", b'{"error":"TooManyRequests","message":"slow down"}'),
    FaultKind.UNAVAILABLE: ("503 Service Unavailable", "application/json", b'{"error":"ServiceUnavailable"}'),
    FaultKind.BROKEN: ("500 Internal Server Error", "text/html", b"<html><body>Something went wrong</body></html>"),
    FaultKind.HTML: ("200 OK", "text/html; charset=utf-8", _PAGE),
}
_RECORDS = ("ticket_events", "tickets", "audits", "users", "results")


def _empty(body: bytes) -> bytes:
    page = msgspec.json.decode(body)
    for name in _RECORDS:
        if name in page:
            page[name] = []
    if "end_of_stream" in page:
        page |= {"end_of_stream": False, "count": 0, "end_time": None, "next_page": None}
    return msgspec.json.encode(page)


def _cut(body: bytes) -> bytes:
    page = msgspec.json.decode(body)
    for name in _RECORDS:
        if name in page:
            page[name] = page[name][: len(page[name]) // 2]
    if "end_of_stream" in page:
        page["end_of_stream"] = True
    page.pop("paging", None)
    return msgspec.json.encode(page)


_SPOILT: dict[FaultKind, Callable[[bytes], bytes]] = {FaultKind.TRUNCATE: lambda body: body[: len(body) // 2], FaultKind.EMPTY: _empty, FaultKind.CUT: _cut}
