"""Change records in systems that already hold them: which of a system's items are some, and which of their fields say what."""

import re
from collections.abc import Iterable, Mapping
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from rollout_metrics.domain.events import Event
from rollout_metrics.domain.records import ChangeReading
from rollout_metrics.domain.time import format_instant, parse_instant

_INSTANT = re.compile(r"(?:^|[._])at$")
_PLACE = r"^[a-z_]+(\.[a-z_]+){0,2}$"


def _several(value: Any) -> Any:
    return (value,) if isinstance(value, str) else value


Place = Annotated[str, Field(pattern=_PLACE)]
"""Where something stands in a change record, such as `rollback.plan`."""


class ChangeOptions(BaseModel):
    """Which items of a system are change records of an agent, and where they say what a record says. Records in YAML win over those."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    when: Annotated[Mapping[str, Annotated[tuple[str, ...], BeforeValidator(_several)]], Field(min_length=1)]
    """Field -> value or values: an item is a change record where each field has one of them."""
    fields: Mapping[Place, str] = {}
    """Place in a change record (`workflow`, `rollback.plan`, `sign_offs.semantics.by`) -> the system's field."""
    values: Mapping[Place, Mapping[str, str]] = {}
    """Place -> the system's value -> what a record says, such as `risk_class: {"3": low}`."""
    always: Mapping[Place, str] = {}
    """Place -> what all of the system's records say there, such as `workflow: refunds`."""

    def reading(self, item: str, revision: int, said: Mapping[str, Any], usual: Mapping[str, str]) -> ChangeReading:
        """An item as a change record, by its fields as text or lists of text; no record where it does not match.

        `item`: its lasting id. `usual`: place -> field where the options do not say.
        """
        if not all(set(_texts(said.get(field))) & set(allowed) for field, allowed in self.when.items()):
            return ChangeReading(item, revision, None)
        record: dict[str, Any] = {}
        for place, text in self.always.items():
            _put(record, place, text)
        for place, field in {**{place: field for place, field in usual.items() if place not in self.always}, **self.fields}.items():
            value = self._value(place, said.get(field))
            if value:
                _put(record, place, value)
        return ChangeReading(item, revision, record)

    def asked(self) -> set[str]:
        """Every field of the system that is looked at."""
        return {*self.when, *self.fields.values()}

    def _value(self, place: str, value: Any) -> Any:
        ours = self.values.get(place, {})
        texts = [ours.get(text, text) for text in _texts(value)]
        if _INSTANT.search(place):
            texts = [format_instant(parse_instant(text)) for text in texts]
        return texts if isinstance(value, list | tuple) and len(texts) > 1 else next(iter(texts), None)


GONE = 2**62
"""The revision of a reading after which nothing comes."""


def gone(events: Iterable[Event], options: ChangeOptions | None) -> list[Event | ChangeReading]:
    """Cases that were deleted, and with each, where there are change records, the one that it may have been."""
    return [*events] if options is None else [one for event in events for one in (event, ChangeReading(event.case_id, GONE, None))]


def _texts(value: Any) -> list[str]:
    return [text for item in (value if isinstance(value, list | tuple) else [value]) if item is not None and (text := str(item).strip())]


def _put(record: dict[str, Any], place: str, value: Any) -> None:
    *path, last = place.split(".")
    for part in path:
        record = record.setdefault(part, {})
    record[last] = value
