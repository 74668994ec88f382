"""What counts once per case: its life in the workflow, the cohort flags, the effort it took and who worked on it (definitions, sections 4, 5 and 7)."""

from collections.abc import Iterable, Iterator, Sequence

from rollout_metrics.derive.appearances import appeared
from rollout_metrics.derive.effort import effort, review_effort
from rollout_metrics.derive.handling import first_by_agent
from rollout_metrics.derive.history import CHANGES, ENDINGS, History, Step
from rollout_metrics.derive.surroundings import Surroundings
from rollout_metrics.domain.events import Activity, ActorKind, members_of
from rollout_metrics.domain.facts import (
    DECIDED,
    CaseSummary,
    Closing,
    Escalated,
    Evidence,
    Handling,
    HandlingKind,
    Mode,
    Outcome,
    Recommendation,
    Verdict,
)
from rollout_metrics.domain.policy import Company, Workflow
from rollout_metrics.domain.time import Instant

ANSWERS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
"""How operators answer whether a case should have been escalated, in any case of letters; what is no answer here is none."""

# Looked up once: an enum's attribute costs more than what is done with it here.
_FAILED, _ACCEPTED, _OVERRIDDEN = Verdict.FAILED, Verdict.ACCEPTED, Outcome.OVERRIDDEN
_AGENT, _OPERATOR, _LIVE, _ASSISTED = ActorKind.AGENT, ActorKind.OPERATOR, Mode.LIVE, HandlingKind.ASSISTED
_CREATED, _CLOSED, _REOPENED, _RATED, _COMMENTED = Activity.CREATED, Activity.CLOSED, Activity.REOPENED, Activity.RATED, Activity.COMMENTED


def summary(  # noqa: PLR0917  (one shape for all derivations)
    history: History,
    company: Company,
    surroundings: Surroundings,
    recommendations: Sequence[Recommendation],
    escalations: Sequence[Escalated],
    handling: Handling | None,
) -> CaseSummary | None:
    """The case's summary as of T; None for a case of no workflow.

    Nothing in it changes by time alone: a flag speaks of a stretch of time and only an event in that stretch can change it, so at the stretch's end
    it stands as it is. When it counts is for the windows to say, by `judged_at` and `drop_judged_at`.
    """
    workflow, scoped_at = history.workflow, history.scoped_at
    if workflow is None or scoped_at is None:
        return None
    live = [item for item in recommendations if item.mode is _LIVE]
    handled = first_by_agent(history, live, escalations)
    handled_at = judged_at = None
    escalated_in_cohort = escalated_early = complained_early = False
    complaint = None
    if handled is not None:
        handled_at = handled.at
        judged_at, early = handled_at + workflow.cohort_age, handled_at + workflow.spike_age
        escalated_in_cohort = bool(escalations) and escalations[0].raised_at <= judged_at
        escalated_early = bool(escalations) and escalations[0].raised_at <= early
        complaint = _complaint(history, workflow, handled_at, judged_at)
        complained_early = _complaint(history, workflow, handled_at, early) is not None
    verdict, concluded_at = _verdict(live)
    closing = _closing(history)
    # A case that comes into the workflow closed is closed from then on: nothing of what went before was this workflow's.
    closed_at = None if closing is None else max(closing.at, scoped_at)
    last = history.steps[-1]
    ending = last if last.activity in ENDINGS else None
    ended_at = None if ending is None else ending.at
    review = review_effort(history, recommendations)
    reviewed_at = None if review is None else review[1]
    drop_judged_at = scoped_at + workflow.drop_after
    agents, operators = history.since(history.by[_AGENT]), history.since(history.by[_OPERATOR])
    first_agent_at = agents[0].at if agents else None
    touched = (first_agent_at is not None and first_agent_at <= drop_judged_at) or (bool(operators) and operators[0].at <= drop_judged_at)
    # By place, instants under their fields' names: see `recommendations`.
    return CaseSummary(
        workflow.name,
        scoped_at,
        handled_at,
        judged_at,
        escalated_in_cohort,
        complaint is not None,
        bool(escalations),
        closed_at,
        ended_at,
        None if closed_at is None else effort(history, workflow, (scoped_at - 1, closed_at)),
        None if review is None else review[0],
        reviewed_at,
        touched,
        drop_judged_at,
        bool(history.by[_AGENT]),
        handling is not None and handling.handling is _ASSISTED,
        _should_escalate(history, workflow),
        _operators(operators),
        first_agent_at,
        _evidence(handled, complaint, closing, ending),
        _unaided(history, workflow, scoped_at),
        escalated_early,
        complained_early,
        len(history.since(history.of.get(_COMMENTED, ()))),
        verdict,
        concluded_at,
        appeared(history, workflow, drop_judged_at),
    )


def _verdict(live: Sequence[Recommendation]) -> tuple[Verdict | None, Instant | None]:
    """What operators thought of the agent's live recommendations on a case, and when they last decided about one."""
    decided = [item for item in live if item.outcome in DECIDED]
    if not decided:
        return None, None
    outcomes = [item.outcome for item in decided]
    verdict = _FAILED if _OVERRIDDEN in outcomes else _ACCEPTED if Outcome.ACCEPTED in outcomes else None
    return verdict, max([item.decided_at or 0 for item in decided])


def _complaint(history: History, workflow: Workflow, handled_at: Instant, judged_at: Instant) -> Step | None:
    """What complains in [first handling, `judged_at`]: the last rating there if it is bad, else the first event that sets a marker."""
    for step in reversed(history.of.get(_RATED, ())):
        if handled_at <= step.at <= judged_at:
            if step.event.detail.get("score") == "bad":
                return step
            break
    if workflow.complaints.marker_values or workflow.complaints.marker_via:
        for step in history.steps:
            if handled_at <= step.at <= judged_at and _marks_complaint(step, history, workflow):
                return step
    return None


def _marks_complaint(step: Step, history: History, workflow: Workflow) -> bool:
    complaints = workflow.complaints
    if not complaints.marker_via.isdisjoint(step.event.detail.get("via", ())):
        return True
    return any(not complaints.marker_values[name].isdisjoint(given) for name, given in _given(step, history) if name in complaints.marker_values)


def _given(step: Step, history: History) -> Iterator[tuple[str, frozenset[str]]]:
    """The attributes an event sets, each with the members that were not among its value before."""
    event = step.event
    if event.activity is _CREATED:
        for attribute, value in event.detail.get("attributes", {}).items():
            yield attribute, members_of(value)
    elif event.attribute is not None and event.activity in CHANGES:
        yield event.attribute, members_of(event.after) - members_of(history.values.after(event.attribute, step.place - 1))


def _closing(history: History) -> Step | None:
    """The first `closed` since the last `reopened`; None while the case is open."""
    reopened = history.of.get(_REOPENED)
    since = reopened[-1].place if reopened else -1
    for step in history.of.get(_CLOSED, ()):
        if step.place > since:
            return step
    return None


def _unaided(history: History, workflow: Workflow, scoped_at: Instant) -> tuple[Closing, ...]:
    """The times the case stood closed in which no agent had come yet, each over: by a reopening or by the agent's first event."""
    agents, closes = history.by[_AGENT], history.of.get(_CLOSED)
    until = agents[0].place if agents else len(history.steps)
    if not closes or closes[0].place >= until:
        return ()
    found = []
    closed: Instant | None = None
    for step in history.steps[closes[0].place : until + 1]:
        if closed is not None and (step.kind is _AGENT or step.activity is _REOPENED):
            at = max(closed, scoped_at)
            if step.at > at:
                found.append(Closing(at, step.at, effort(history, workflow, (scoped_at - 1, at))))
            closed = None
        if step.activity is _CLOSED and step.kind is not _AGENT and closed is None:
            closed = step.at
    return tuple(found)


def _should_escalate(history: History, workflow: Workflow) -> bool | None:
    """What operators last answered; an answer taken back is none."""
    attribute = workflow.should_escalate_attribute
    if attribute is None:
        return None
    for step in reversed(history.by[_OPERATOR]):
        if step.event.attribute == attribute and step.activity in CHANGES:
            return ANSWERS.get((step.event.after or "").casefold())
    return None


def _operators(steps: Iterable[Step]) -> tuple[tuple[str, Instant], ...]:
    """Each operator's last event. Unknown actors are left out: how many persons they are cannot be told."""
    last = {step.event.actor_id: step.at for step in steps}
    return tuple(sorted([(operator, at) for operator, at in last.items() if operator is not None]))


def _evidence(*proofs: Step | None) -> Evidence:
    """The events of first handling, complaint, close and end, in the history's order."""
    found = {step.place: step.ref for step in proofs if step is not None}
    return tuple([found[place] for place in sorted(found)])
