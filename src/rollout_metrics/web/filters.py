"""How values are written in templates."""

from collections.abc import Callable, Mapping
from typing import Any

from markupsafe import Markup, escape

from rollout_metrics.domain.time import SECOND, Instant
from rollout_metrics.overview import SourceState, written
from rollout_metrics.overview.trend import sparkline

LONGEST = 400
"""Characters of a foreign text that a page shows."""


def stamp(at: Instant | None) -> str:
    """An instant as `<time>`; `never` where there is none."""
    return Markup('<span class="quiet">never</span>') if at is None else seconds_stamp(at / SECOND)


def seconds_stamp(seconds: float) -> str:
    """The same of seconds since 1970."""
    return Markup('<time class="nowrap" datetime="{}">{}</time>').format(written.machine_instant(seconds), written.instant(seconds))


def shortened(text: str | None, most: int = LONGEST) -> str:
    """A foreign text cut to what a page can bear."""
    text = "" if text is None else str(text)
    return text if len(text) <= most else text[:most] + "…"


def isolated(text: Any) -> str:
    """A foreign text that cannot turn the direction of what stands around it; control characters are shown as what they are."""
    return Markup("<bdi>{}</bdi>").format(escape(plain(text)))


def plain(text: Any) -> str:
    """The same without an element of its own, for attributes and hidden text."""
    return visible(shortened(None if text is None else str(text)))


def visible(text: str) -> str:
    """A text without characters that steer a terminal or a line's direction."""
    return "".join("\N{REPLACEMENT CHARACTER}" if character in _STEERING or ord(character) < 32 else character for character in text)


_STEERING = frozenset("\u200e\u200f\u061c\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff\x7f")


def understood(source: SourceState) -> str:
    """The share of a source's records that were understood."""
    read = source.events + source.quarantined
    return written.ratio(source.events / read) if read else written.NONE


FILTERS: Mapping[str, Callable[..., Any]] = {
    "stamp": stamp,
    "seconds_stamp": seconds_stamp,
    "shortened": shortened,
    "isolated": isolated,
    "plain": plain,
    "number": written.count,
    "ratio": written.ratio,
    "duration": written.duration,
    "words": written.name,
    "understood": understood,
    "sparkline": sparkline,
}
