"""A case's events made ready to be judged: in order, cut at T, with actors recognised, actions mapped and attribute values at hand."""

from bisect import bisect_right
from collections.abc import Iterable, Mapping

import msgspec

from rollout_metrics.domain.events import Activity, ActorKind, CaseKey, Event, members_of, order
from rollout_metrics.domain.policy import AttributeType, Company, Workflow, action_of
from rollout_metrics.domain.time import Instant

ENDINGS = frozenset((Activity.ABSORBED, Activity.DELETED))
CHANGES = frozenset((Activity.CHANGED, Activity.CLOSED, Activity.REOPENED))
ACTS = frozenset(
    (
        Activity.CHANGED,
        Activity.COMMENTED,
        Activity.EXECUTED,
        Activity.CREATED,
        Activity.CLOSED,
        Activity.REOPENED,
        Activity.ABSORBED,
        Activity.DELETED,
        Activity.APPROVED,
        Activity.REJECTED,
    )
)
"""Activities by which an agent acts."""


class Step(msgspec.Struct, frozen=True, gc=False):
    """One event of a history: its place, who really acted, the action it maps to, and whether the case's own workflow's agent did it."""

    place: int
    event: Event
    kind: ActorKind
    action: str | None
    own: bool

    @property
    def at(self) -> Instant:
        """When it happened."""
        return self.event.occurred_at

    @property
    def acts(self) -> bool:
        """Whether it is an agent's event that acts."""
        return self.kind is ActorKind.AGENT and self.event.activity in ACTS


class History(msgspec.Struct, frozen=True, dict=True):
    """A case as of T: steps in order up to T and up to the case's end, the workflow it belongs to and since when."""

    case: CaseKey
    as_of: Instant
    workflow: Workflow | None
    scoped_at: Instant | None
    steps: tuple[Step, ...]
    values: "Values"

    def value_at(self, attribute: str, step: Step) -> str | None:
        """The attribute's value after all events up to and including `step`."""
        return self.values.after(attribute, step.place)

    def value_now(self, attribute: str) -> str | None:
        """The attribute's value at T."""
        return self.values.after(attribute, len(self.steps))


class Values:
    """Attribute values along a history: the last change's `after`, else the initial value, else the `before` of the first change."""

    def __init__(self, events: Iterable[Event]) -> None:
        self._initial: dict[str, str | None] = {}
        self._places: dict[str, list[int]] = {}
        self._afters: dict[str, list[str | None]] = {}
        for place, event in enumerate(events):
            if event.activity is Activity.CREATED:
                self._initial.update(event.detail.get("attributes", ()))
            attribute = event.attribute
            if attribute is not None and event.activity in CHANGES:
                if attribute not in self._places:
                    self._places[attribute], self._afters[attribute] = [], []
                    self._initial.setdefault(attribute, event.before)
                self._places[attribute].append(place)
                self._afters[attribute].append(event.after)

    def after(self, attribute: str, place: int) -> str | None:
        """The value after the events at places 0 to `place`, inclusive."""
        places = self._places.get(attribute)
        if places:
            changes = bisect_right(places, place)
            if changes:
                return self._afters[attribute][changes - 1]
        return self._initial.get(attribute)


def in_order(events: Iterable[Event]) -> list[Event]:
    """The events in history order, up to and including the one that ends the case."""
    ordered = sorted(events, key=order)
    for place, event in enumerate(ordered):
        if event.activity in ENDINGS:
            return ordered[: place + 1]
    return ordered


def scope(events: list[Event], values: Values, company: Company) -> tuple[Workflow, Instant] | None:
    """The workflow a case belongs to and since when: the first in file order to match at the first instant any does.

    Values at an instant are after all its events, so only the last event of each instant is looked at.
    """
    candidates = [w for w in company.workflows if events[0].case_source in w.sources]
    if not candidates:
        return None
    watched = {attribute for workflow in candidates for attribute in workflow.scope}
    last = len(events) - 1
    changed = True
    for place, event in enumerate(events):
        changed = changed or event.attribute in watched
        if not changed or (place < last and events[place + 1].occurred_at == event.occurred_at):
            continue
        for workflow in candidates:
            if _matches(workflow, values, place):
                return workflow, event.occurred_at
        changed = False
    return None


def _matches(workflow: Workflow, values: Values, place: int) -> bool:
    for attribute, allowed in workflow.scope.items():
        value = values.after(attribute, place)
        if workflow.type_of(attribute) is AttributeType.MULTI:
            if members_of(value).isdisjoint(allowed):
                return False
        elif value not in allowed:
            return False
    return True


def read(events: Iterable[Event], company: Company, as_of: Mapping[str, Instant]) -> History:
    """Prepare a case's resolved events (one reading each, at least one). `as_of`: workflow name -> its T; key `""` serves cases of no workflow.

    The workflow is found on all events, which cannot disagree with the events up to T once `scoped_at` has come; then the history is cut at that workflow's T.
    """
    ordered = in_order(events)
    values = Values(ordered)
    found = scope(ordered, values, company)
    workflow, scoped_at = found or (None, None)
    until = as_of[workflow.name if workflow else ""]
    if ordered[-1].occurred_at > until:
        ordered = [event for event in ordered if event.occurred_at <= until]
        values = Values(ordered)
    if scoped_at is not None and scoped_at > until:
        workflow = scoped_at = None
    steps = tuple(_step(place, event, company, workflow) for place, event in enumerate(ordered))
    first = ordered[0] if ordered else None
    return History(case=first.case if first else ("", ""), as_of=until, workflow=workflow, scoped_at=scoped_at, steps=steps, values=values)


def _step(place: int, event: Event, company: Company, workflow: Workflow | None) -> Step:
    kind = company.kind_of(event)
    own = kind is ActorKind.AGENT and workflow is not None and workflow in company.workflows_of_agent(event)
    return Step(place, event, kind, action_of(event), own)
