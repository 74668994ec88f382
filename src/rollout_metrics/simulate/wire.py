"""What both vendors' APIs share on the wire: JSON answers, request limits, times as text."""

from collections import deque
from collections.abc import Callable, Mapping
from datetime import UTC
from typing import Any

import msgspec
from flask import Response

from rollout_metrics.domain.time import Instant, moment

Clock = Callable[[], Instant]


def answer(body: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """A JSON response."""
    return Response(msgspec.json.encode(body), status, headers, mimetype="application/json")


class Limit:
    """At most `requests` in any stretch of `seconds`; refused requests do not count."""

    def __init__(self, requests: int, seconds: float, monotonic: Callable[[], float]) -> None:
        self._requests, self._seconds, self._monotonic = requests, seconds, monotonic
        self._seen: deque[float] = deque()

    def wait(self) -> float | None:
        """None where one more request fits, which then counts; else the seconds until one does."""
        now = self._monotonic()
        while self._seen and self._seen[0] <= now - self._seconds:
            self._seen.popleft()
        if len(self._seen) >= self._requests:
            return self._seen[0] + self._seconds - now
        self._seen.append(now)
        return None


def seconds_text(at: Instant) -> str:
    """`2026-03-01T10:00:00Z`, as Zendesk writes."""
    return moment(at).strftime("%Y-%m-%dT%H:%M:%SZ")


def milliseconds_text(at: Instant) -> str:
    """`2026-03-01T10:00:00.123Z`, as HubSpot writes."""
    return moment(at).astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
