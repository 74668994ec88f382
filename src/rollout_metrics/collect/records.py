"""Pages that are lists of records: each is decoded and told by itself, so that one that cannot be is kept aside and stops no other."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Generic, TypeVar

import msgspec

from rollout_metrics.collect.http import Answer, ShapeError, decode
from rollout_metrics.collect.source import MISSHAPEN, Coverage, Page, Refused, Rejected, Told, why
from rollout_metrics.domain.events import Event
from rollout_metrics.domain.records import ChangeReading

P = TypeVar("P")
R = TypeVar("R")

_TOLD = frozenset((Event, Rejected, Coverage, ChangeReading, Refused))
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


class Listing(Generic[P, R]):
    """How a page that lists records is decoded: all at once; where one of them has another shape one by one, so that only that one is set aside."""

    def __init__(self, page: Any, record: type[R], noun: str, field: str = "") -> None:
        """`page`: `list`, or a struct that is generic in its records; `field`: where it has them; `noun`: what a record is called in messages."""
        self._page: msgspec.json.Decoder[P] = msgspec.json.Decoder(page[record])
        self._raw: msgspec.json.Decoder[Any] = msgspec.json.Decoder(page[msgspec.Raw])
        self._record = msgspec.json.Decoder(record)
        self._noun, self._field = noun, field

    def read(self, answer: Answer, kept: Callable[[msgspec.Raw], bytes] = bytes) -> tuple[P, list[Rejected]]:
        """The page with what in it has the shape of a record, and what has not. `kept`: what is kept of that. Raises `ShapeError` for what is no such page."""
        try:
            return decode(answer, self._page), []
        except ShapeError:
            raw = decode(answer, self._raw)
        raws = getattr(raw, self._field) if self._field else raw
        found, rejected = decoded(raws, self._record, f"{answer.where} {self._noun}", kept)
        page: Any = msgspec.structs.replace(raw, **{self._field: found}) if self._field else found
        return page, rejected


def told(page: Page, tell: Callable[[R], Iterable[Told]], named: Callable[[R], object]) -> Iterator[Told]:
    """What each record of a page tells, and what stands among the records as it is to be. `named`: what a record is called in messages."""
    found: list[Told] = []
    for record in page.body:
        if type(record) in _TOLD:
            found.append(record)
            continue
        try:
            tells = tell(record)
            found += tells if type(tells) is list else list(tells)  # all of it or nothing
        except MISSHAPEN as error:
            found.append(Rejected("malformed", f"{page.where} {named(record)}", why(error), _KEPT.encode(record)))
    return iter(found)
