"""A local HTTP server for tests: it answers from recorded exchanges or from a function, and remembers what it was asked."""

import gzip
import json
import threading
from base64 import urlsafe_b64decode
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit


@dataclass
class Request:
    method: str
    path: str
    query: dict[str, list[str]]
    headers: Mapping[str, str]
    body: Any

    @property
    def line(self) -> str:
        return f"{self.method} {self.path}"


@dataclass(frozen=True)
class Reply:
    body: bytes | Any = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    cut: int | None = None
    """Send only so many bytes of the body, then hang up."""


Answering = Callable[[Request], Reply]


@dataclass
class Server:
    url: str
    requests: list[Request] = field(repr=False)
    answer: Answering = field(repr=False)


def recorded(case: Path) -> Answering:
    """Answers of `exchanges.json`: the first whose request line, query and body contain what is recorded; the last of several equal ones repeats.

    A body's `null` stands for a key that is not there; `q*=words` asks for a parameter `q` that contains these words. `packed`: parameters
    or headers that are JSON in base64, as what they hold.
    """
    exchanges = json.loads((case / "exchanges.json").read_text())
    used: set[int] = set()

    def answer(request: Request) -> Reply:
        fitting = [number for number, exchange in enumerate(exchanges) if _fits(exchange, request)]
        if not fitting:
            return Reply({"error": "not recorded", "message": f"{request.line} {request.query} {request.body}"}, 404)
        number = next((number for number in fitting if number not in used), fitting[-1])
        used.add(number)
        exchange = json.loads(json.dumps(exchanges[number]).replace("{base}", f"http://{request.headers['Host']}"))
        return Reply(exchange.get("response", {}), exchange.get("status", 200), exchange.get("headers", {}))

    return answer


def _fits(exchange: dict[str, Any], request: Request) -> bool:
    split = urlsplit(exchange["request"])
    query = parse_qs(split.query)
    if split.path != request.line or not all(_asked(name, values, request) for name, values in query.items()):
        return False
    packed = exchange.get("packed", {})
    return _within(exchange.get("body", {}), request.body or {}) and all(value == _unpacked(name, request) for name, value in packed.items())


def _unpacked(name: str, request: Request) -> Any:
    text = request.headers.get(name) or request.query.get(name, [""])[0]
    return json.loads(urlsafe_b64decode(text)) if text else None


def _asked(name: str, values: list[str], request: Request) -> bool:
    """Whether a parameter is as recorded; under a name that ends with `*`, whether it contains what is recorded."""
    if name.endswith("*"):
        return any(values[0] in given for given in request.query.get(name[:-1], ()))
    return request.query.get(name) == values


def _within(part: Any, whole: Any) -> bool:
    if isinstance(part, dict):
        return isinstance(whole, dict) and all(_within(value, whole.get(name)) for name, value in part.items())
    return bool(part == whole)


@contextmanager
def serving(answer: Answering, *, packed: bool = True) -> Iterator[Server]:
    """Run a server for the time of the block."""
    server = Server("", [], answer)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            sent = self.rfile.read(length)
            split = urlsplit(self.path)
            form = "urlencoded" in self.headers.get("Content-Type", "")
            body = dict(parse_qsl(sent.decode())) if form else json.loads(sent) if sent else None
            request = Request(self.command, split.path, parse_qs(split.query), dict(self.headers), body)
            server.requests.append(request)
            reply = server.answer(request)
            body = reply.body if isinstance(reply.body, bytes) else json.dumps(reply.body).encode()
            headers = {"Content-Type": "application/json", **reply.headers}
            if packed and "gzip" in self.headers.get("Accept-Encoding", "") and "Content-Encoding" not in headers:
                body = gzip.compress(body)
                headers["Content-Encoding"] = "gzip"
            self.send_response(reply.status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body if reply.cut is None else body[: reply.cut])
            if reply.cut is not None:
                self.close_connection = True

        do_POST = do_GET  # noqa: N815

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        http.daemon_threads = True
        threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        server.url = f"http://127.0.0.1:{http.server_address[1]}"
        try:
            yield server
        finally:
            http.shutdown()
