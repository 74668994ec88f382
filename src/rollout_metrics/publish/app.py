"""The metrics listener's pages: `/metrics`, `/healthz`, `/readyz` and a landing page, as a WSGI application."""

from collections.abc import Callable, Iterable
from html import escape
from typing import Any

from prometheus_client.exposition import choose_encoder, gzip_accepted

from rollout_metrics import __version__
from rollout_metrics.domain.time import SECOND, format_instant
from rollout_metrics.publish.exposition import OPENMETRICS, TEXT
from rollout_metrics.publish.snapshot import Board

Environ = dict[str, Any]
StartResponse = Callable[..., Any]
Application = Callable[[Environ, StartResponse], Iterable[bytes]]
Answer = tuple[str, str, bytes, tuple[tuple[str, str], ...]]

PLAIN = "text/plain; charset=utf-8"


def metrics_app(board: Board, *, pages_url: str | None = None) -> Application:
    """The application. `pages_url`: where people reach the pages, linked on the landing page."""

    def metrics(environ: Environ) -> Answer:
        snapshot = board.snapshot
        if snapshot is None:
            return "503 Service Unavailable", PLAIN, b"no figures yet: " + "; ".join(board.reasons).encode() + b"\n", (("Retry-After", "5"),)
        openmetrics = choose_encoder(environ.get("HTTP_ACCEPT", ""))[1].startswith("application/openmetrics-text")
        gzipped = gzip_accepted(environ.get("HTTP_ACCEPT_ENCODING", ""))
        body = snapshot.body(openmetrics=openmetrics, gzipped=gzipped)
        encoding = (("Content-Encoding", "gzip"),) if gzipped else ()
        return "200 OK", OPENMETRICS if openmetrics else TEXT, body, (*encoding, ("Vary", "Accept, Accept-Encoding"))

    def health(_environ: Environ) -> Answer:
        return "200 OK", PLAIN, b"alive\n", ()

    def ready(_environ: Environ) -> Answer:
        if board.reasons:
            return "503 Service Unavailable", PLAIN, ("not ready\n" + "".join(f"- {reason}\n" for reason in board.reasons)).encode(), ()
        return "200 OK", PLAIN, b"ready\n", ()

    def landing(_environ: Environ) -> Answer:
        return "200 OK", "text/html; charset=utf-8", _landing(board, pages_url).encode(), ()

    pages = {"/metrics": metrics, "/healthz": health, "/readyz": ready, "/": landing}

    def application(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        page = pages.get(environ.get("PATH_INFO", "/") or "/")
        if page is None:
            answer: Answer = ("404 Not Found", PLAIN, b"there is nothing here: try /metrics\n", ())
        elif environ["REQUEST_METHOD"] not in ("GET", "HEAD"):
            answer = ("405 Method Not Allowed", PLAIN, b"only GET and HEAD are served here\n", (("Allow", "GET, HEAD"),))
        else:
            answer = page(environ)
        status, content_type, body, headers = answer
        start_response(status, [("Content-Type", content_type), ("Content-Length", str(len(body))), ("X-Content-Type-Options", "nosniff"), *headers])
        return [] if environ["REQUEST_METHOD"] == "HEAD" else [body]

    return application


_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>rollout-metrics</title>
<style>:root{{color-scheme:light dark}}body{{font:16px/1.5 system-ui,sans-serif;max-width:44rem;margin:3rem auto;padding:0 1rem}}
dt{{font-weight:600}}dd{{margin:0 0 .8rem}}code{{font-size:.95em}}</style></head>
<body><h1>rollout-metrics</h1>
<p>Is the team still trusting its AI agent? Figures from ticketing and CRM audit trails.</p>
<dl>
{web}<dt><a href="/metrics">/metrics</a></dt><dd>the figures, for Prometheus</dd>
<dt><a href="/healthz">/healthz</a></dt><dd>whether the process is alive</dd>
<dt><a href="/readyz">/readyz</a></dt><dd>whether figures are complete: {ready}</dd>
</dl>
<p>Version {version}. {taken}</p></body></html>
"""


def _landing(board: Board, pages_url: str | None) -> str:
    taken = f"The figures were computed at {format_instant(board.snapshot.taken_at // SECOND * SECOND)}." if board.snapshot else "No figures yet."
    pages = escape(f"{pages_url.rstrip('/')}/") if pages_url else ""
    web = f'<dt><a href="{pages}">{pages}</a></dt><dd>the pages for people: every workflow, the cases behind each figure, reviews</dd>\n' if pages else ""
    return _PAGE.format(ready=escape("; ".join(board.reasons)) or "ready", web=web, version=escape(__version__), taken=escape(taken))
