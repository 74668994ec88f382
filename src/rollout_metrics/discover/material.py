"""What there is to learn from: events by case, what they were read of, and which values may be shown at all."""

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property

import msgspec

from rollout_metrics.derive.history import CHANGES, in_order
from rollout_metrics.domain.events import Activity, ActorKind, CaseKey, Event
from rollout_metrics.domain.time import Instant, Span

MOST_VALUES = 60
"""An attribute with more values than this holds no classes."""
LONGEST_VALUE = 48
FEW_VALUES, REPEATED = 5, 2
"""More values than a few are classes, and no titles or names, only if each is given so often on average."""
TOKENS = re.compile(r"[a-z]+|\d+")
PERSONAL = frozenset(
    (
        *("approver", "assigned", "assignee", "author", "by", "caller", "collaborator", "collaborators", "contact", "customer", "email", "employee"),
        *("followers", "mail", "manager", "name", "owner", "people", "person", "phone", "rep", "reporter", "requested", "requester", "responder"),
        *("reviewer", "seller", "submitter", "supervisor", "technician", "user", "watcher"),
    )
)
"""Words in the name of an attribute that holds persons, whatever its values look like."""


class Reading(msgspec.Struct, frozen=True):
    """How one source was read: see `collect.sample.Sample`."""

    source: str
    events: int
    pages: int
    rejected: int = 0
    coverage: Mapping[str, tuple[int, int]] = {}
    lacking: tuple[str, ...] = ()
    cut: str | None = None


class Material(msgspec.Struct, frozen=True, dict=True):
    """A sample: its resolved events, how they were read, names of ids, and what is known beforehand.

    `agents`, `markers`, `systems`: as the sources are configured. `persons`, `texts`: attributes whose values are never shown.
    `depth`: how far back was asked for; histories may tell of older things.
    """

    events: list[Event]
    readings: tuple[Reading, ...]
    names: Mapping[tuple[str, str | None], str]
    agents: frozenset[str]
    markers: frozenset[str]
    systems: frozenset[str]
    persons: frozenset[str]
    texts: frozenset[str]
    depth: Span

    def recognised(self, agent_of: Callable[[Event], str | None]) -> "Material":
        """The same with agents and systems as what they are, whatever their source took them for."""
        return msgspec.structs.replace(self, events=[self._recognised(event, agent_of(event) is not None) for event in self.events])

    def _recognised(self, event: Event, is_agent: bool) -> Event:
        kind = ActorKind.AGENT if is_agent else ActorKind.SYSTEM if event.actor_id in self.systems else event.actor_kind
        return event if kind is event.actor_kind else msgspec.structs.replace(event, actor_kind=kind)

    @cached_property
    def cases(self) -> dict[CaseKey, list[Event]]:
        """The events of each case in order; runs of an evaluation suite are of no case."""
        found: dict[CaseKey, list[Event]] = defaultdict(list)
        for event in self.events:
            if event.activity is not Activity.EVALUATED:
                found[event.case].append(event)
        return {case: in_order(events) for case, events in sorted(found.items())}

    @cached_property
    def since(self) -> Instant:
        """From when on the sample tells of every case: the oldest event, at most `depth` back."""
        return max(min((event.occurred_at for event in self.events), default=0), self.until - self.depth)

    @cached_property
    def until(self) -> Instant:
        """The newest event."""
        return max((event.occurred_at for event in self.events), default=0)

    @property
    def span(self) -> Span:
        """From there to the newest event."""
        return self.until - self.since

    @cached_property
    def created(self) -> frozenset[CaseKey]:
        """The cases whose beginning was read: only their initial values are known."""
        return frozenset(case for case, events in self.cases.items() if events[0].activity is Activity.CREATED)

    @cached_property
    def new(self) -> frozenset[CaseKey]:
        """The cases that began within the sample's span."""
        return frozenset(case for case in self.created if self.cases[case][0].occurred_at >= self.since)

    @cached_property
    def given(self) -> dict[str, Counter[str | None]]:
        """Attribute -> how often each value was given, at creation or later."""
        found: dict[str, Counter[str | None]] = defaultdict(Counter)
        for event in self.events:
            for attribute, value in values_given(event):
                found[attribute][value] += 1
        return found

    @cached_property
    def classes(self) -> frozenset[str]:
        """Attributes that put cases into classes: few short values, none of them a person's."""
        actors = {event.actor_id for event in self.events if event.actor_kind is not ActorKind.SYSTEM} - {None}
        return frozenset(attribute for attribute, given in self.given.items() if self._classifies(attribute, given, actors))

    def _classifies(self, attribute: str, given: Counter[str | None], actors: set[str | None]) -> bool:
        values = [value for value in given if value is not None]
        if attribute in self.persons | self.texts or not PERSONAL.isdisjoint(TOKENS.findall(attribute.lower())):
            return False
        if not values or len(values) > MOST_VALUES or not actors.isdisjoint(values):
            return False
        if len(values) > FEW_VALUES and given.total() < REPEATED * len(values):
            return False
        return all(len(value) <= LONGEST_VALUE and "@" not in value and not value.startswith("[") for value in values)

    def called(self, attribute: str, value: str | None = None) -> str | None:
        """What people call a value, or the attribute itself, where the source told."""
        return self.names.get((attribute, value))

    def beside(self, attribute: str, value: str | None = None) -> str:
        """That name as it stands beside the id: ` (Refunds)`; nothing where it would only repeat the id."""
        name = self.called(attribute, value)
        return f" ({name})" if name and name.casefold() != (attribute if value is None else value).casefold() else ""


def values_given(event: Event) -> Iterator[tuple[str, str | None]]:
    """The attributes an event sets, with their new values."""
    if event.activity is Activity.CREATED:
        yield from (event.detail.get("attributes") or {}).items()
    elif event.attribute is not None and event.activity in CHANGES:
        yield event.attribute, event.after


def counted(count: int, word: str) -> str:
    """A number of things: `1 case`, `1,200 cases`."""
    return f"{count:,} {word}" + ("" if count == 1 else "s")


def share(part: int, whole: int) -> float:
    """`part` of `whole`; 0 of nothing."""
    return part / whole if whole else 0.0
