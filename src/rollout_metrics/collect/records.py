"""Pages that are lists of records: what each tells, one by one, so that one that cannot be told is kept aside and stops no other."""

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

import msgspec

from rollout_metrics.collect.source import Coverage, Page, Rejected, Told, why
from rollout_metrics.domain.events import Event
from rollout_metrics.domain.records import ChangeReading

R = TypeVar("R")

_TOLD = frozenset((Event, Rejected, Coverage, ChangeReading))
_UNTOLD = (KeyError, TypeError, ValueError, AttributeError, msgspec.DecodeError)
_KEPT = msgspec.json.Encoder(order="deterministic")


def told(page: Page, tell: Callable[[R], Iterable[Told]], named: Callable[[R], object]) -> Iterator[Told]:
    """What each record of a page tells, and what stands among the records as it is to be. `named`: what a record is called in messages."""
    found: list[Told] = []
    for record in page.body:
        if type(record) in _TOLD:
            found.append(record)
            continue
        try:
            found += list(tell(record))  # all of it or nothing
        except _UNTOLD as error:
            found.append(Rejected("malformed", f"{page.where} {named(record)}", why(error), _KEPT.encode(record)))
    return iter(found)
