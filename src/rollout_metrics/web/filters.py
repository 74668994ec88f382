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
    machine, people = written.machine_instant(seconds), written.instant(seconds)
    return Markup(f'<time class="nowrap" datetime="{machine}">{people}</time>')  # noqa: S704  (digits of ours)


def shortened(text: str | None, most: int = LONGEST) -> str:
    """A foreign text cut to what a page can bear."""
    text = "" if text is None else str(text)
    return text if len(text) <= most else text[:most] + "…"


def isolated(text: Any) -> str:
    """A foreign text that cannot turn the direction of what stands around it; control characters are shown as what they are."""
    return Markup(f"<bdi>{escape(plain(text))}</bdi>")  # noqa: S704  (escaped within; a page has hundreds)


def plain(text: Any) -> str:
    """The same without an element of its own, for attributes and hidden text."""
    return visible(shortened(None if text is None else str(text)))


def visible(text: str) -> str:
    """A text without characters that steer a terminal or a line's direction."""
    return text.translate(_STEERING)


_STEERING = dict.fromkeys(
    (*range(32), *map(ord, "\u200e\u200f\u061c\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff\x7f")), "\N{REPLACEMENT CHARACTER}"
)


def marked(text: str) -> str:
    """A text of ours with what stands between backticks as code."""
    return Markup("").join(Markup("<code>{}</code>").format(part) if place % 2 else escape(part) for place, part in enumerate(text.split("`")))


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
    "marked": marked,
    "number": written.count,
    "ratio": written.ratio,
    "duration": written.duration,
    "words": written.name,
    "understood": understood,
    "sparkline": sparkline,
}
