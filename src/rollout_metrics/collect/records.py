"""Pages that are lists of records: each is decoded and told by itself, so that one that cannot be is kept aside and stops no other."""

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


def decoded(
    raws: Iterable[msgspec.Raw], decoder: msgspec.json.Decoder[R], where: str, kept: Callable[[msgspec.Raw], bytes] = bytes
) -> tuple[list[R], list[Rejected]]:
    """The records that have the shape they should, and those that have not, each as `where` and its number. `kept`: what is kept of one for another try."""
    found: list[R] = []
    rejected: list[Rejected] = []
    for number, raw in enumerate(raws):
        try:
            found.append(decoder.decode(raw))
        except msgspec.ValidationError as error:
            rejected.append(Rejected("malformed", f"{where} {number}", str(error), kept(raw)))
    return found, rejected


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
