"""A case's events made ready to be judged: in order, cut at T, with actors recognised, actions mapped and attribute values at hand."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping
from operator import attrgetter

import msgspec

from rollout_metrics.domain.events import Activity, ActorKind, CaseKey, Event, members_of, order
from rollout_metrics.domain.policy import Company, Workflow, action_of
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

# Looked up once: an enum's attribute costs more than what is done with it in the loops below.
_AGENT, _CREATED, _CHANGED = ActorKind.AGENT, Activity.CREATED, Activity.CHANGED


class Step(msgspec.Struct, frozen=True, gc=False):
    """One event of a history: its place, when it happened, who really acted, the action it maps to, and whether the case's own workflow's agent did it."""

    place: int
    event: Event
    at: Instant
    activity: Activity
    kind: ActorKind
    action: str | None
    own: bool

    @property
    def acts(self) -> bool:
        """Whether it is an agent's event that acts."""
        return self.kind is _AGENT and self.activity in ACTS


class History(msgspec.Struct, frozen=True, dict=True):
    """A case as of T: steps in order up to T and up to the case's end, the workflow it belongs to and since when.

    `start` is the place of the first step in the workflow (at or after `scoped_at`).
    `next_event_at`: the first event after T that can matter, if one was read already.
    """

    case: CaseKey
    as_of: Instant
    company: Company
    workflow: Workflow | None
    scoped_at: Instant | None
    steps: tuple[Step, ...]
    start: int
    values: "Values"
    next_event_at: Instant | None

    def value_at(self, attribute: str, step: Step) -> str | None:
        """The attribute's value after all events up to and including `step`."""
        return self.values.after(attribute, step.place)

    def value_before(self, attribute: str, step: Step) -> str | None:
        """The attribute's value after all events before `step`."""
        return self.values.after(attribute, step.place - 1)

    def value_now(self, attribute: str) -> str | None:
        """The attribute's value at T."""
        return self.values.after(attribute, len(self.steps))

    def last_change(self, attribute: str, step: Step) -> Step | None:
        """The last change of the attribute up to and including `step`; creation sets initial values, it changes nothing."""
        place = self.values.last_change(attribute, step.place)
        return None if place is None else self.steps[place]


class Values:
    """Attribute values along a history: the last change's `after`, else the initial value, else the `before` of the first change."""

    __slots__ = ("_afters", "_initial", "_places")

    def __init__(self, events: Iterable[Event]) -> None:
        initial: dict[str, str | None] = {}
        all_places: dict[str, list[int]] = {}
        afters: dict[str, list[str | None]] = {}
        befores: dict[str, str | None] = {}
        for place, event in enumerate(events):
            attribute = event.attribute
            if attribute is None or event.activity not in CHANGES:
                if event.activity is _CREATED:
                    initial = {**(event.detail.get("attributes") or {}), **initial}  # whatever claims to create it later, it has begun
                continue
            places = all_places.get(attribute)
            if places is None:
                all_places[attribute], afters[attribute] = [place], [event.after]
                befores[attribute] = event.before
            else:
                places.append(place)
                afters[attribute].append(event.after)
        self._initial, self._places, self._afters = {**befores, **initial}, all_places, afters

    def after(self, attribute: str, place: int) -> str | None:
        """The value after the events at places 0 to `place`, inclusive."""
        places = self._places.get(attribute)
        if places:
            changes = bisect_right(places, place)
            if changes:
                return self._afters[attribute][changes - 1]
        return self._initial.get(attribute)

    def last_change(self, attribute: str, place: int) -> int | None:
        """The place of the attribute's last change at or before `place`."""
        places = self._places.get(attribute, ())
        changes = bisect_right(places, place)
        return places[changes - 1] if changes else None


def in_order(events: Iterable[Event]) -> list[Event]:
    """The events in history order, up to and including the one that ends the case."""
    ordered = sorted(events, key=_occurred_at)
    if len(set(map(_occurred_at, ordered))) < len(ordered):  # only events of one instant need the whole order
        ordered.sort(key=order)
    if not ENDINGS.isdisjoint(map(_activity, ordered)):
        for place, event in enumerate(ordered):
            if event.activity in ENDINGS:
                return ordered[: place + 1]
    return ordered


_occurred_at = attrgetter("occurred_at")
_activity = attrgetter("activity")
_at = attrgetter("at")


def scope(events: list[Event], values: Values, company: Company) -> tuple[Workflow, Instant] | None:
    """The workflow a case belongs to and since when: the first in file order to match at the first instant any does.

    Values at an instant are after all its events, so only the last event of each instant is looked at.
    """
    if not events:
        return None
    candidates, watched = _candidates(company, events[0].case_source)
    if not candidates:
        return None
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


def _candidates(company: Company, case_source: str) -> tuple[tuple[Workflow, ...], frozenset[str]]:
    """The workflows that read a case source and the attributes of their scopes; found once per company and source."""
    known: dict[str, tuple[tuple[Workflow, ...], frozenset[str]]] = company.__dict__.setdefault("_candidates", {})
    found = known.get(case_source)
    if found is None:
        workflows = tuple(workflow for workflow in company.workflows if case_source in workflow.sources)
        found = known[case_source] = (workflows, frozenset(attribute for workflow in workflows for attribute in workflow.scope))
    return found


def _matches(workflow: Workflow, values: Values, place: int) -> bool:
    for attribute, allowed in workflow.scope.items():
        value = values.after(attribute, place)
        if value not in allowed and members_of(value).isdisjoint(allowed):
            return False
    return True


class _Cut(msgspec.Struct, frozen=True):
    """A case's events up to some T, and where they put it."""

    events: list[Event]
    values: Values
    found: tuple[Workflow, Instant] | None


def read(events: Iterable[Event], company: Company, as_of: Mapping[str, Instant]) -> History:
    """Prepare a case's resolved events (one reading each, at least one). `as_of`: workflow name -> its T; key `""` serves cases of no workflow.

    A case belongs to a workflow as of that workflow's T only. Where the Ts differ and one lies within the history, the workflows are asked in file order,
    each with the events up to its own T: the first change of an attribute whose initial value was never read tells, by its `before`, what the value had been
    all along, so a later event can move `scoped_at` to an earlier instant, and it must not be seen before its time.
    """
    ordered = in_order(events)
    whole = _cut(ordered, company)
    found, until, cut = _place(ordered, whole, company, as_of)
    workflow, scoped_at = found or (None, None)
    steps = _steps(cut.events, company, workflow)
    next_event_at = ordered[len(cut.events)].occurred_at if len(cut.events) < len(ordered) else None
    if workflow is None and whole.found is not None and whole.found[1] > until:
        # It will come into this workflow once that workflow's T, which may lag behind ours, is there.
        # What a later event tells of the past waits for that event.
        next_event_at = whole.found[1] if next_event_at is None else min(next_event_at, whole.found[1])
    return History(
        case=ordered[0].case,
        as_of=until,
        company=company,
        workflow=workflow,
        scoped_at=scoped_at,
        steps=steps,
        start=len(steps) if scoped_at is None else bisect_left(steps, scoped_at, key=_at),
        values=cut.values,
        next_event_at=next_event_at,
    )


def _cut(events: list[Event], company: Company) -> _Cut:
    values = Values(events)
    return _Cut(events, values, scope(events, values, company))


def _place(ordered: list[Event], whole: _Cut, company: Company, as_of: Mapping[str, Instant]) -> tuple[tuple[Workflow, Instant] | None, Instant, _Cut]:
    """The workflow that holds the case as of its own T with `scoped_at`, that T, and the events up to it."""
    last = ordered[-1].occurred_at
    cuts: dict[int, _Cut] = {len(ordered): whole}

    def cut_at(until: Instant) -> _Cut:
        count = len(ordered) if until >= last else bisect_right(ordered, until, key=_occurred_at)
        if count not in cuts:
            cuts[count] = _cut(ordered[:count], company)
        return cuts[count]

    if whole.found is not None and min(as_of.values()) >= last:
        return whole.found, as_of[whole.found[0].name], whole
    for workflow in company.workflows:
        cut = cut_at(as_of[workflow.name])
        if cut.found is not None and cut.found[0] is workflow:
            return cut.found, as_of[workflow.name], cut
    return None, as_of[""], cut_at(as_of[""])


def _steps(events: list[Event], company: Company, workflow: Workflow | None) -> tuple[Step, ...]:
    agents, systems = company.agents, company.systems
    steps = []
    for place, event in enumerate(events):
        activity, actor, attribute, detail = event.activity, event.actor_id, event.attribute, event.detail
        if actor in agents:
            kind = _AGENT
        elif "via" in detail or actor in systems:
            kind = company.kind_of(event)
        else:
            kind = event.actor_kind
        # Most events are changes that say no more of themselves.
        action = "set:" + attribute if activity is _CHANGED and attribute is not None and "action" not in detail else action_of(event)
        own = kind is _AGENT and workflow is not None and (actor in workflow.agents or workflow in company.workflows_of_agent(event))
        steps.append(Step(place, event, event.occurred_at, activity, kind, action, own))
    return tuple(steps)
