"""A case's events made ready to be judged: in order, cut at T, with actors recognised, actions mapped and attribute values at hand."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping, Sequence
from operator import attrgetter

import msgspec

from rollout_metrics.derive.kept import kept
from rollout_metrics.domain.events import Activity, ActorKind, CaseKey, Event, EventRef, any_of, order
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
_CREATED, _CHANGED = Activity.CREATED, Activity.CHANGED
_AGENT, _OPERATOR, _CUSTOMER, _SYSTEM = ActorKind.AGENT, ActorKind.OPERATOR, ActorKind.CUSTOMER, ActorKind.SYSTEM


class Step(msgspec.Struct, frozen=True, gc=False):
    """One event of a history: its place, its name, when it happened, who really acted, the action it maps to, and whether the case's own workflow's agent
    did it."""

    place: int
    event: Event
    ref: EventRef
    at: Instant
    activity: Activity
    kind: ActorKind
    action: str | None
    own: bool


class History(msgspec.Struct, frozen=True, dict=True):
    """A case as of T: steps in order up to T and up to the case's end, the workflow it belongs to and since when.

    `of` and `by` hold the same steps by activity and by who acted, each in order, so that a rule looks only at what it is about.
    `start` is the place of the first step in the workflow (at or after `scoped_at`).
    `next_event_at`: the first event after T that can matter, if one was read already.
    """

    case: CaseKey
    as_of: Instant
    company: Company
    workflow: Workflow | None
    scoped_at: Instant | None
    steps: tuple[Step, ...]
    of: Mapping[Activity, Sequence[Step]]
    by: Mapping[ActorKind, Sequence[Step]]
    start: int
    values: "Values"
    next_event_at: Instant | None

    def since(self, steps: Sequence[Step]) -> Sequence[Step]:
        """Those of `steps` (in order) that are in the workflow."""
        return steps if not self.start else steps[bisect_left(steps, self.start, key=_place) :]

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
    """Attribute values along a history: the last change's `after`, else the initial value, else the `before` of the first change.

    `changes`: by attribute, the places of the events that change it, in order.
    """

    __slots__ = ("_events", "_initial", "changes")

    def __init__(self, events: Sequence[Event]) -> None:
        initial: dict[str, str | None] = {}
        places: dict[str, list[int]] = {}
        for place, event in enumerate(events):
            activity = event.activity
            if activity in CHANGES:
                attribute = event.attribute
                if attribute is None:
                    continue
                if attribute in places:
                    places[attribute].append(place)
                else:
                    places[attribute] = [place]
            elif activity is _CREATED:
                attributes = event.detail.get("attributes") or {}
                initial = {**attributes, **initial} if initial else attributes  # whatever claims to create it later, it has begun
        self._events, self._initial, self.changes = events, initial, places

    def after(self, attribute: str, place: int) -> str | None:
        """The value after the events at places 0 to `place`, inclusive."""
        places = self.changes.get(attribute)
        if places is not None and places[0] <= place:
            return self._events[places[bisect_right(places, place) - 1]].after
        if places is None or attribute in self._initial:
            return self._initial.get(attribute)
        return self._events[places[0]].before

    def last_change(self, attribute: str, place: int) -> int | None:
        """The place of the attribute's last change at or before `place`."""
        places = self.changes.get(attribute, ())
        changes = bisect_right(places, place)
        return places[changes - 1] if changes else None


def in_order(events: Iterable[Event]) -> list[Event]:
    """The events in history order, up to and including the one that ends the case."""
    ordered = sorted(events, key=order)
    if not ENDINGS.isdisjoint(map(_activity, ordered)):
        for place, event in enumerate(ordered):
            if event.activity in ENDINGS:
                return ordered[: place + 1]
    return ordered


_occurred_at = attrgetter("occurred_at")
_activity = attrgetter("activity")
_at = attrgetter("at")
_place = attrgetter("place")


def scope(events: list[Event], values: Values, company: Company) -> tuple[Workflow, Instant] | None:
    """The workflow a case belongs to and since when: the first in file order to match at the first instant any does.

    Values at an instant are after all its events, so only the last event of each instant is looked at.
    """
    if not events:
        return None
    candidates = _candidates(company).get(events[0].case_source, _NONE)
    workflows, watched = candidates.workflows, candidates.watched
    if not workflows:
        return None
    last = len(events) - 1
    changed = True
    for place, event in enumerate(events):
        changed = changed or event.attribute in watched
        if not changed or (place < last and events[place + 1].occurred_at == event.occurred_at):
            continue
        for workflow, wanted in workflows:
            for attribute, allowed in wanted:
                if not any_of(values.after(attribute, place), allowed):
                    break
            else:
                return workflow, event.occurred_at
        changed = False
    return None


class _Candidates(msgspec.Struct, frozen=True):
    """The workflows that read a case source, each with its scope, and the attributes that these look at."""

    workflows: tuple[tuple[Workflow, tuple[tuple[str, frozenset[str]], ...]], ...] = ()
    watched: frozenset[str] = frozenset()


_NONE = _Candidates()


@kept
def _candidates(company: Company) -> dict[str, _Candidates]:
    """By case source; sources whose cases no workflow reads are left out."""
    found = {}
    for source in {source for workflow in company.workflows for source in workflow.sources}:
        workflows = [workflow for workflow in company.workflows if source in workflow.sources]
        scopes = tuple((workflow, tuple(workflow.scope.items())) for workflow in workflows)
        found[source] = _Candidates(scopes, frozenset(attribute for workflow in workflows for attribute in workflow.scope))
    return found


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
    if min(as_of.values()) >= ordered[-1].occurred_at:
        found, cut = whole.found, whole
        until = as_of["" if found is None else found[0].name]
    else:
        found, until, cut = _place_of(ordered, whole, company, as_of)
    workflow, scoped_at = found or (None, None)
    steps = _steps(cut.events, company, workflow)
    of, by = _sorted_out(steps)
    start = len(steps) if scoped_at is None else 0 if scoped_at <= steps[0].at else bisect_left(steps, scoped_at, key=_at)
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
        of=of,
        by=by,
        start=start,
        values=cut.values,
        next_event_at=next_event_at,
    )


def _cut(events: list[Event], company: Company) -> _Cut:
    values = Values(events)
    return _Cut(events, values, scope(events, values, company))


def _place_of(ordered: list[Event], whole: _Cut, company: Company, as_of: Mapping[str, Instant]) -> tuple[tuple[Workflow, Instant] | None, Instant, _Cut]:
    """The workflow that holds the case as of its own T with `scoped_at`, that T, and the events up to it."""
    last = ordered[-1].occurred_at
    cuts: dict[int, _Cut] = {len(ordered): whole}

    def cut_at(until: Instant) -> _Cut:
        count = len(ordered) if until >= last else bisect_right(ordered, until, key=_occurred_at)
        if count not in cuts:
            cuts[count] = _cut(ordered[:count], company)
        return cuts[count]

    for workflow in company.workflows:
        cut = cut_at(as_of[workflow.name])
        if cut.found is not None and cut.found[0] is workflow:
            return cut.found, as_of[workflow.name], cut
    return None, as_of[""], cut_at(as_of[""])


_NOBODY: frozenset[str] = frozenset()


def _steps(events: Sequence[Event], company: Company, workflow: Workflow | None) -> tuple[Step, ...]:
    known, marked = company.known_actors, company.marked
    own_agents = _NOBODY if workflow is None else workflow.agents
    steps = []
    for place, event in enumerate(events):
        activity, actor, attribute, detail = event.activity, event.actor_id, event.attribute, event.detail
        kind = company.kind_of(event) if marked and "via" in detail else known.get(actor) or event.actor_kind
        # Most events are changes that say no more of themselves.
        action = "set:" + attribute if activity is _CHANGED and attribute is not None and "action" not in detail else action_of(event)
        own = kind is _AGENT and workflow is not None and (actor in own_agents or workflow in company.workflows_of_agent(event))
        steps.append(Step(place, event, (event.source, event.event_id), event.occurred_at, activity, kind, action, own))
    return tuple(steps)


def _sorted_out(steps: Iterable[Step]) -> tuple[Mapping[Activity, Sequence[Step]], Mapping[ActorKind, Sequence[Step]]]:
    """The steps by activity and by who acted; activities that did not happen are left out."""
    of: dict[Activity, list[Step]] = {}
    by: dict[ActorKind, list[Step]] = {_AGENT: [], _OPERATOR: [], _CUSTOMER: [], _SYSTEM: []}
    for step in steps:
        by[step.kind].append(step)
        activity = step.activity
        if activity in of:
            of[activity].append(step)
        else:
            of[activity] = [step]
    return of, by
