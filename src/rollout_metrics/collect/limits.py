"""How fast a vendor lets us ask: request budgets we keep, and the waits it asks for in headers."""

import email.utils
from collections import deque
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from enum import StrEnum

import msgspec


class Budget(msgspec.Struct, frozen=True):
    """At most `requests` in any stretch of `seconds`, for paths that contain `within`."""

    requests: int
    seconds: float = 60.0
    within: str = ""


class ResetKind(StrEnum):
    """How a vendor writes the end of throttling in its reset header."""

    EPOCH = "epoch"
    SECONDS = "seconds"
    ISO = "iso"
    HTTP_DATE = "http_date"


class ResetHeader(msgspec.Struct, frozen=True):
    """The header by which a vendor says when requests are welcome again."""

    name: str
    kind: ResetKind


class Gate:
    """Keeps one budget exactly: remembers when the last requests went, lets the next one pass when the oldest is old enough."""

    def __init__(self, budget: Budget, monotonic: Callable[[], float]) -> None:
        self._budget = budget
        self._monotonic = monotonic
        self._sent: deque[float] = deque(maxlen=max(1, budget.requests))

    def covers(self, path: str) -> bool:
        """Whether requests to this path count."""
        return self._budget.within in path

    def delay(self) -> float:
        """Seconds until one more request fits; it is then counted as sent."""
        now = self._monotonic()
        due = now
        if len(self._sent) == self._sent.maxlen:
            due = max(now, self._sent[0] + self._budget.seconds)
        self._sent.append(due)
        return due - now


def wanted_wait(headers: Mapping[str, str], reset: ResetHeader | None, now: float) -> float | None:
    """The seconds a vendor asks us to wait, by `Retry-After` (seconds or a date) or its own reset header; None where it does not say."""
    said = headers.get("Retry-After")
    if said is not None:
        seconds = _read(said.strip(), ResetKind.SECONDS, now)
        return seconds if seconds is not None else _read(said, ResetKind.HTTP_DATE, now)
    if reset is not None and reset.name in headers:
        return _read(headers[reset.name].strip(), reset.kind, now)
    return None


def _read(text: str, kind: ResetKind, now: float) -> float | None:
    try:
        match kind:
            case ResetKind.SECONDS:
                until = now + float(text)
            case ResetKind.EPOCH:
                until = float(text)
            case ResetKind.ISO:
                read = datetime.fromisoformat(text)
                until = (read if read.tzinfo else read.replace(tzinfo=UTC)).timestamp()
            case ResetKind.HTTP_DATE:
                until = email.utils.parsedate_to_datetime(text).timestamp()
    except (TypeError, ValueError, OverflowError):
        return None
    return max(0.0, until - now)
