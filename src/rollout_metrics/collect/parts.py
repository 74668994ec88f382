"""Systems that are read part by part (repositories, projects), one after the other, and where to go on after a kill."""

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from rollout_metrics.collect.source import Window
from rollout_metrics.domain.time import Instant


class Part(msgspec.Struct, frozen=True):
    """One part, and from when it is still to be read."""

    name: str
    since: Instant
    last: bool
    """Only the last part's progress is the window's."""

    def reached(self, at: Instant) -> tuple[Instant | None, dict[str, Any]]:
        """`read_up_to` and `cursor` of a page by which this part has been read up to an instant."""
        return (at if self.last else None), {"part": self.name, "since": at}


def parts_of(names: Sequence[str], window: Window) -> Iterator[Part]:
    """The parts that are left of a window, in the order of their configuration."""
    cursor = window.cursor or {}
    first = names.index(cursor["part"]) if cursor.get("part") in names else 0
    for number, name in enumerate(names[first:], first):
        resumed = number == first and cursor.get("part") == name
        yield Part(name, cursor["since"] if resumed else window.start, number == len(names) - 1)
