"""What a token may say: its activities, kinds of actors and workflows, whatever the sender calls itself."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Protocol

import msgspec

from rollout_metrics.collect.event_format import Problem
from rollout_metrics.domain.events import Activity, ActorKind, Event
from rollout_metrics.domain.policy import Company
from rollout_metrics.domain.pseudonyms import Pseudonyms
from rollout_metrics.web.doors import Sender


class BoundToken(Sender, Protocol):
    """A sender and what it may speak of."""

    @property
    def activities(self) -> frozenset[Activity]: ...
    @property
    def actor_kinds(self) -> frozenset[ActorKind]: ...
    @property
    def workflows(self) -> frozenset[str]: ...


Held = Callable[[str, Collection[str]], Mapping[str, Event]]
"""The stored events of a source that have one of these ids, by id."""


class Standing(msgspec.Struct, frozen=True):
    """What the configuration makes of an event: who really acted, and the names of the workflows it can have a say in."""

    kind: ActorKind
    workflows: frozenset[str]


Judge = Callable[[Event], Standing]


def standing_of(company: Company, pseudonyms: Pseudonyms) -> Judge:
    """How the company's configuration sees an event: an agent's workflows are those that name it, else those that read its source or its case's."""

    def of(event: Event) -> Standing:
        actor = event.actor_id
        stored = event if actor is None else msgspec.structs.replace(event, actor_id=pseudonyms.actor(actor))
        kind = company.kind_of(stored)
        if kind is ActorKind.AGENT:
            return Standing(kind, frozenset(workflow.name for workflow in company.workflows_of_agent(stored)))
        read_by = (workflow.name for workflow in company.workflows if not workflow.sources.isdisjoint((event.source, event.case_source)))
        return Standing(kind, frozenset(read_by))

    return of


def overstepping(source: str, token: BoundToken, events: Sequence[Event], judge: Judge, held: Held) -> Iterator[tuple[int, Problem]]:
    """By the event's index, what the token may not say, and what it would correct without having been allowed to say it."""
    beyond = [list(_beyond(token, event, judge(event))) for event in events]
    stored = held(source, {event.event_id for event, problems in zip(events, beyond, strict=True) if not problems}) if events else {}
    for index, (event, problems) in enumerate(zip(events, beyond, strict=True)):
        yield from ((index, problem) for problem in problems)
        earlier = stored.get(event.event_id)
        if earlier is not None and any(_beyond(token, earlier, judge(earlier))):
            yield index, Problem("event_id", "names an event that this token may not correct")


def _beyond(token: BoundToken, event: Event, standing: Standing) -> Iterator[Problem]:
    if event.activity not in token.activities:
        yield Problem("activity", f"this token may report {_listed(token.activities)}, not {event.activity}")
    for kind in sorted({event.actor_kind, standing.kind}):
        if kind not in token.actor_kinds or kind is ActorKind.OPERATOR:
            known = "" if kind is event.actor_kind else ", as which the configuration knows this actor"
            yield Problem("actor_kind", f"this token may speak for {_listed(token.actor_kinds)}, not {kind}{known}")
    if not standing.workflows:
        yield Problem("case_source", f"{event.case_source!r} is read by no workflow, nor is the actor an agent of one")
    elif not token.workflows.issuperset(standing.workflows):
        yield Problem("case_source", f"this token may report on {_listed(token.workflows)}; this event can concern {_listed(standing.workflows)}")


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(str(name) for name in names))
