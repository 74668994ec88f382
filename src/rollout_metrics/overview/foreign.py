"""Texts that others wrote, made safe to show: as text whatever is in them, cut to what a page can bear; and instants as elements of a page."""

import re
from typing import Any

from markupsafe import Markup, escape

from rollout_metrics.domain.time import SECOND, Instant
from rollout_metrics.overview import written

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


def outward(url: str | None) -> str | None:
    """An address as it stands in a case or a record, if it is one of the web: a script or a file is none."""
    found = None if url is None else _OF_THE_WEB.fullmatch(url.strip())
    return None if found is None else found[0]


_OF_THE_WEB = re.compile(r"https?://(\[[0-9a-f:.]+\]|[^\s/?#\[\]]+)([/?#]\S*)?", re.IGNORECASE)


def visible(text: str) -> str:
    """A text without characters that steer a terminal or a line's direction."""
    return text.translate(_STEERING)


_STEERING = dict.fromkeys(
    (*range(32), *map(ord, "\u200e\u200f\u061c\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff\x7f")), "\N{REPLACEMENT CHARACTER}"
)


def marked(text: str) -> str:
    """A text of ours with what stands between backticks as code."""
    return Markup("").join(Markup("<code>{}</code>").format(part) if place % 2 else escape(part) for place, part in enumerate(text.split("`")))


_MARKDOWN = str.maketrans({character: f"\\{character}" for character in "\\`*_[]<>|#&~"})


def markdown(text: Any) -> str:
    """A foreign text within a line of Markdown, as text."""
    return plain(text).translate(_MARKDOWN)
