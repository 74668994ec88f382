"""What operators' work on a case cost, in seconds: as they logged it, else as their events let us estimate it (definitions, section 4)."""

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from math import fsum
from operator import itemgetter

from rollout_metrics.derive.history import History, Step
from rollout_metrics.domain.events import Activity, ActorKind
from rollout_metrics.domain.facts import EXPLICIT_ROWS, Effort, Mode, Recommendation
from rollout_metrics.domain.policy import Workflow
from rollout_metrics.domain.time import SECOND, Instant, Span

MEASURED = "measured"
ESTIMATED = "estimated"
MOST_LOGGED = 366 * 24 * 3600
"""Seconds. Nobody works longer than that on a case in one go: more is a slip of units, not effort, and sums of it fit no database."""

# Looked up once: an enum's attribute costs more than what is done with it here.
_OPERATOR, _TIME_LOGGED, _LIVE = ActorKind.OPERATOR, Activity.TIME_LOGGED, Mode.LIVE

_start = itemgetter(0)

Interval = tuple[Instant, Instant]
"""A stretch of time open at its start and closed at its end."""


def effort(history: History, workflow: Workflow, *intervals: Interval) -> Effort:
    """Operators' effort on the case in the union of `intervals`, however they overlap and whatever their order.

    `measured` if operators logged any time in it; else `estimated`, a lower bound: for each operator `touch` for the first event in it, and for every
    other one the gap to that operator's previous one in it, up to `idle_cap`. All events of unknown actors are one operator's.
    """
    if len(intervals) == 1:
        start, end = intervals[0]
        steps = [step for step in history.by[_OPERATOR] if start < step.at <= end]
    else:
        union = _union(intervals)
        steps = [step for step in history.by[_OPERATOR] if _within(step.at, union)]
    logged = fsum([_seconds(step) for step in steps if step.activity is _TIME_LOGGED]) if _TIME_LOGGED in history.of else 0
    return Effort(logged, MEASURED) if logged > 0 else Effort(_estimate(steps, workflow) / SECOND, ESTIMATED)


def review_effort(history: History, recommendations: Iterable[Recommendation]) -> tuple[Effort, Instant] | None:
    """The effort of reviewing a case's live recommendations and the instant it belongs to; None where operators explicitly decided none.

    It is the effort while any of those recommendations waited for its first decision: in the union of their `(opened_at, first_decided_at]`.
    It belongs to the last of those decisions.
    """
    if history.workflow is None:
        return None
    waits = [
        (recommendation.opened_at, recommendation.first_decided_at)
        for recommendation in recommendations
        if recommendation.row in EXPLICIT_ROWS and recommendation.mode is _LIVE and recommendation.first_decided_at is not None
    ]
    if not waits:
        return None
    return effort(history, history.workflow, *waits), max([decided for _, decided in waits])


def _union(intervals: Iterable[Interval]) -> list[Interval]:
    """The same stretches in order, none overlapping another."""
    found: list[Interval] = []
    for start, end in sorted(intervals):
        if found and start <= found[-1][1]:
            found[-1] = (found[-1][0], max(end, found[-1][1]))
        elif start < end:
            found.append((start, end))
    return found


def _within(at: Instant, union: Sequence[Interval]) -> bool:
    place = bisect_left(union, at, key=_start)
    return place > 0 and at <= union[place - 1][1]


def _seconds(step: Step) -> float:
    seconds = step.event.detail.get("seconds")
    return float(seconds) if isinstance(seconds, int | float) and 0 < seconds <= MOST_LOGGED else 0.0


def _estimate(steps: Iterable[Step], workflow: Workflow) -> Span:
    touch, idle_cap = workflow.touch, workflow.idle_cap
    previous: dict[str | None, Instant] = {}
    estimate = 0
    for step in steps:
        at, actor = step.at, step.event.actor_id
        last = previous.get(actor)
        previous[actor] = at
        if last is None:
            estimate += touch
        else:
            gap = at - last
            estimate += gap if gap < idle_cap else idle_cap
    return estimate
