"""How a source tells what became of one record: its events, what a change of status is, and values that are worked out backwards."""

from collections.abc import Collection, Container, Iterable, Mapping
from typing import Any

from rollout_metrics.collect.source import Coverage, Told
from rollout_metrics.domain.events import Activity, ActorKind, Event, text_value
from rollout_metrics.domain.time import Instant, Span, parse_instant

Who = tuple[ActorKind, str | None]
"""Kind and id of an actor."""
Change = tuple[str | None, str | None, str | None]
"""Attribute, before, after."""
UNCHANGED: Change = (None, None, None)
NOBODY: Who = (ActorKind.SYSTEM, None)
MILLISECOND: Span = 1000
NOTHING: Mapping[str, Any] = {}
_UNSET = frozenset((None, ""))


class Story:
    """One case's events. Its subclasses tell a record with its whole history by `events`; for a single row it is enough as it is."""

    whole = True
    """The history leads without a gap from the first state to the present one."""

    def __init__(self, name: str, case_id: str, link: Mapping[str, Any] = NOTHING, *, ids: str | None = None) -> None:
        """`name` of the source; `link`: what every event's details begin with; `ids`: what event ids begin with, `CASE/` where it is not said."""
        self.name, self.case_id, self.link = name, case_id, link
        self.ids = f"{case_id}/" if ids is None else ids

    def event(
        self,
        number: str,
        at: Instant,
        activity: Activity,
        who: Who,
        detail: Mapping[str, Any] = NOTHING,
        *,
        change: Change = UNCHANGED,
        revision: int = 0,
    ) -> Event:
        """One event; `number`: its id within the story."""
        name, (kind, actor), (attribute, before, after) = self.name, who, change
        return Event(name, name, self.case_id, self.ids + number, at, activity, kind, actor, attribute, before, after, {**self.link, **detail}, revision)

    def made(
        self,
        at: Instant,
        who: Who,
        attributes: Iterable[tuple[str, str | None]],
        detail: Mapping[str, Any] = NOTHING,
        *,
        closing: Collection[str | None] = (),
        numbers: tuple[str, str] = ("created", "closed"),
        revision: int = 0,
    ) -> list[Event]:
        """The creation with those of the attributes (name, value) that were set then, and a `closed` beside it where the first status is a closing one."""
        known = {name: value for name, value in attributes if value is not None}
        found = [self.event(numbers[0], at, Activity.CREATED, who, {**detail, "attributes": known}, revision=revision)]
        if closing and (status := known.get("status")) in closing:
            found.append(self.event(numbers[1], at, Activity.CLOSED, who, detail, change=("status", None, status)))
        return found

    def events(self) -> Iterable[Event]:
        """All of it."""
        return ()

    def told(self) -> list[Told]:
        """All of it, and whether that is the whole history."""
        return [*self.events(), Coverage("history", int(self.whole), 1)]


def of_status(before: str | None, after: str | None, closing: Container[str | None]) -> Activity:
    """What a change of status is."""
    if (before in closing) == (after in closing):
        return Activity.CHANGED
    return Activity.CLOSED if after in closing else Activity.REOPENED


def undone(members: set[str], come: Iterable[Any], gone: Iterable[Any]) -> tuple[str | None, str | None]:
    """A multi-valued attribute before and after a change by which members came and went, going backwards: `members` are then those before it."""
    after = text_value(members)
    members.difference_update(come)
    members.update(gone)
    members -= _UNSET
    return text_value(members), after


def edited(made_at: Any, changed_at: Any, unit: Span = MILLISECOND) -> int:
    """The revision of something that can be edited: when it last was, in units since 1970; never: 0."""
    return parse_instant(changed_at) // unit if changed_at and changed_at != made_at else 0
