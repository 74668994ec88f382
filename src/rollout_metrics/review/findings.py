"""What a quarter comes to for one workflow: out of its figures at the end of that quarter and of the one before."""

from collections.abc import Iterator, Mapping

import msgspec

from rollout_metrics.derive.delivery import Attributed, Deployment, Known
from rollout_metrics.derive.gates import Assessment, Promotion, Proposal
from rollout_metrics.derive.quarters import Quarter
from rollout_metrics.derive.standing import LevelStep
from rollout_metrics.domain.changes import Change
from rollout_metrics.domain.facts import Mode
from rollout_metrics.domain.policy import Level, Workflow
from rollout_metrics.domain.time import DAY, SECOND, Instant, format_span
from rollout_metrics.domain.trust import Sign
from rollout_metrics.figures.signs import early_asks
from rollout_metrics.overview import Tone, Values, written
from rollout_metrics.review.compared import Quarters
from rollout_metrics.review.economics import economy, savings
from rollout_metrics.review.said import (
    NOT_ENOUGH,
    Course,
    Covered,
    Deployed,
    Exhibit,
    Findings,
    LevelMove,
    Line,
    Passage,
    Recommended,
    Rise,
    Sighting,
    Trouble,
    level_said,
)
from rollout_metrics.stats.anytime import Verdict

BEFORE_A_RISE = 7 * DAY
"""Changes deployed so long before a spike may have to do with it."""


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """All that is known of a workflow's quarter: figures with the label of their one window, for both quarters, each as of its own end."""

    workflow: Workflow
    quarter: Quarter
    as_of: Instant
    now: tuple[Values, str]
    before: tuple[Values, str]
    assessment: Assessment
    deployments: Known
    steps: tuple[LevelStep, ...]
    promotions: tuple[Promotion, ...]
    rises: tuple[Rise, ...] = ()
    courses: tuple[Course, ...] = ()
    exhibits: tuple[Exhibit, ...] = ()
    recurred: Mapping[str, tuple[int, str]] = {}
    """Error category -> how many errors came after the change that should have ended it, and that change."""
    gaps: tuple[str, ...] = ()
    rate: float | None = None
    currency: str = ""


def findings(told: Told) -> Findings:
    """What the quarter comes to."""
    workflow, assessment = told.workflow, told.assessment
    mode = Mode.LIVE if assessment.level > Level.SHADOW else Mode.SHADOW
    quarters = Quarters(workflow.name, mode.value, told.now, told.before)
    saved = savings(quarters, told.rate)
    signs = tuple(_sighting(quarters, sign, told) for sign in Sign)
    seen = {item.sign for item in signs if item.seen}
    return Findings(
        workflow=workflow.name,
        owner=workflow.owner,
        workflow_type=workflow.workflow_type,
        risk_tier=workflow.risk_tier,
        start=told.quarter.start,
        end=told.quarter.end,
        as_of=told.as_of,
        running=told.as_of < told.quarter.end,
        mode=mode.value,
        recommended=recommended(assessment),
        gates=assessment.gates,
        staying=assessment.staying,
        passages=tuple(_passages(quarters, told, headline=assessment.level >= Level.LOW_RISK_AUTONOMOUS)),
        savings=saved,
        economy=economy(quarters, saved, told.rate, told.currency),
        levels=tuple(_levels(told)),
        deployed=tuple(_deployed(told, item) for item in told.deployments.deployments if item.deployed_at > told.quarter.start),
        troubles=tuple(_trouble(told, item) for item in told.deployments.incidents if item.at > told.quarter.start),
        signs=signs,
        rises=told.rises,
        courses=told.courses,
        marks=tuple(_marks(told)),
        covered=Covered(quarters.series("coverage_ratio"), told.gaps),
        exhibits=tuple(item for item in told.exhibits if item.about not in set(Sign) or item.about in seen),
    )


def unread(workflow: Workflow, quarter: Quarter) -> Findings:
    """A workflow nothing of whose quarter has been read."""
    return Findings(
        workflow=workflow.name,
        owner=workflow.owner,
        workflow_type=workflow.workflow_type,
        risk_tier=workflow.risk_tier,
        start=quarter.start,
        end=quarter.end,
        as_of=None,
    )


def recommended(found: Assessment) -> Recommended:
    """What the gates propose, in words for people who decide."""
    level, to = _level(found.level), "" if found.to is None else _level(found.to)
    back = _level(Level(max(found.level - 1, 0)))
    closed = [gate for gate in found.gates if gate.verdict is not Verdict.PASS]
    thin = found.proposal is Proposal.HOLD and bool(closed) and all(gate.verdict is Verdict.INCONCLUSIVE for gate in closed)
    said = {
        Proposal.PROMOTE: f"Promote one level, to {to}",
        Proposal.HOLD: f"Hold at {level}",
        Proposal.DEMOTE: f"Go back one level, to {back}",
    }[found.proposal]
    why = f"{NOT_ENOUGH} to go further: {', '.join(written.name(gate.name) for gate in closed)}" if thin else written.name(found.why)
    return Recommended(found.proposal, said, why, level, back if found.proposal is Proposal.DEMOTE else to, thin)


def _passages(quarters: Quarters, told: Told, *, headline: bool) -> Iterator[Passage]:
    rates = ("correction_ratio", "acceptance_ratio", "override_ratio") if headline else ("acceptance_ratio", "override_ratio", "correction_ratio")
    own = tuple(quarters.of(key) for key in (*rates, "explicit_acceptance_ratio", "edit_ratio", "reference_correction_ratio"))
    yield Passage("Acceptance and override", (*own, *quarters.series("recommendations")))
    yield Passage("How overrides came about", tuple(item for item in quarters.series("decisions") if item.now.labels.get("outcome") == "overridden"))
    yield Passage("Errors", tuple(quarters.series("errors")), tuple(_errors(quarters, told)))
    yield Passage("Complaints", _of(quarters, "complaint_ratio", "handled_cohort_cases", "complaint_cohort_cases"))
    yield Passage(
        "Escalation",
        (
            *_of(quarters, "escalation_ratio", "escalation_within_target_ratio", "escalation_acknowledge_median_seconds", "escalation_resolve_median_seconds"),
            *quarters.series("escalations"),
            *_of(quarters, "escalations_open", "escalations_unowned"),
        ),
    )
    yield Passage("Review time", (*_of(quarters, "review_latency_median_seconds", "decision_wait_median_seconds", "rubber_stamp_ratio"), *_effort(quarters)))
    yield Passage("Bypass", (*_of(quarters, "bypass_ratio"), *quarters.series("handled_cases")))
    yield Passage("Authority", (*quarters.series("violations"), *quarters.series("blocked_actions"), *_of(quarters, "unused_grants")))
    yield Passage(
        "Delivery",
        (
            *_of(
                quarters,
                "change_lead_time_median_seconds",
                "deployment_lead_time_median_seconds",
                "deployments",
                "safe_deployments",
                "change_fail_ratio",
                "failed_deployment_recovery_median_seconds",
                "deployment_rework_ratio",
            ),
            *quarters.series("failed_deployments"),
            *quarters.series("incidents"),
        ),
        ("A deployment is judged when its observation window is over; without one to judge there is no fail rate.",),
    )


def _of(quarters: Quarters, *keys: str) -> tuple[Line, ...]:
    return tuple(quarters.of(key) for key in keys)


def _effort(quarters: Quarters) -> tuple[Line, ...]:
    return quarters.series("review_effort_seconds")


def _errors(quarters: Quarters, told: Told) -> Iterator[str]:
    counted = [(line.now.value or 0, written.name(line.now.labels["category"])) for line in quarters.series("errors")]
    repeating = [f"{category} ({count:,.0f} times)" for count, category in sorted(counted, key=lambda item: (-item[0], item[1])) if count >= 2]
    if repeating:
        yield f"Repeating: {', '.join(repeating)}."
    for category, (count, change) in told.recurred.items():
        yield f"Recurred, {written.name(category)}: {count:,} times after {change}, which should have ended it."


def _levels(told: Told) -> Iterator[LevelMove]:
    """The steps of the quarter; one that was frozen is told as it was, whatever the records say now."""
    start = told.quarter.start
    frozen = [item for item in told.promotions if start < item.deployed_at <= told.as_of]
    known = {item.change for item in frozen}
    moves = [LevelMove(item.deployed_at, _level(item.before), _level(item.to), item.change, item.forced, written.name(item.why)) for item in frozen]
    moves += [
        LevelMove(step.at, _level(step.before), _level(step.after), ", ".join(step.changes) or "configuration", None, "")
        for step in told.steps
        if start < step.at <= told.as_of and not known & set(step.changes)
    ]
    return iter(sorted(moves, key=lambda move: (move.at, move.by)))


def _deployed(told: Told, item: Deployment) -> Deployed:
    change = _change(told.workflow, item.change)
    failure = item.failure
    state, tone = ("failed", Tone.BAD) if failure is not None else ("safe", Tone.GOOD) if item.judged else ("still observed", Tone.PLAIN)
    if failure is not None and failure.recovered_at is not None:
        state, tone = "failed, recovered", Tone.WARN
    elif failure is None and item.inferred:
        state, tone = f"{state}; an incident nobody linked followed", Tone.WARN
    return Deployed(
        at=item.deployed_at,
        change=item.change,
        title="" if change is None else change.title,
        kind="" if change is None else change.kind.value,
        version=None if change is None else change.version,
        state=state,
        tone=tone,
        started_at=None if failure is None else failure.started_at,
        recovered_at=None if failure is None else failure.recovered_at,
        evidence=() if failure is None else tuple(f"{trouble.cause.value}: {trouble.said}" for trouble in failure.evidence),
    )


def _trouble(told: Told, item: Attributed) -> Trouble:
    change = None if item.change is None else _change(told.workflow, item.change)
    recorded = None if change is None else next((incident for incident in change.incidents if incident.id == item.incident), None)
    ended_at = item.seen.ended_at if item.seen is not None else None if recorded is None else recorded.ended_at
    known_end = ended_at if ended_at is not None and ended_at <= told.as_of else None
    return Trouble(item.at, item.incident, item.link.value, item.change, known_end, None if recorded is None else recorded.url)


def _sighting(quarters: Quarters, sign: Sign, told: Told) -> Sighting:
    found = quarters.of("warning_sign", sign=sign.value)
    seen, before = (None if value is None else bool(value) for value in (found.now.value, found.before.value))
    said = "seen" if seen else NOT_ENOUGH if seen is None else "not seen"
    if seen and sign is Sign.EARLY_AUTHORITY_ASK:
        said += f": {', '.join(change.id for change in early_asks(told.workflow, told.assessment))}"
    return Sighting(sign.value, seen, before, said)


def _marks(told: Told) -> Iterator[tuple[Instant, str]]:
    earliest = told.quarter.start - (told.quarter.end - told.quarter.start)
    for item in told.deployments.deployments:
        if item.deployed_at > earliest:
            yield item.deployed_at, item.change
    for step in told.steps:
        if earliest < step.at <= told.as_of and not step.changes:
            yield step.at, _level(step.after)


def changes_before(workflow: Workflow, since: Instant, until: Instant) -> tuple[str, ...]:
    """The changes of a workflow deployed up to a week before a spike, or within it."""
    return tuple(
        change.id
        for change in workflow.changes
        if change.deployed_at is not None and since - BEFORE_A_RISE <= change.deployed_at <= until and change.environment == "production"
    )


def _change(workflow: Workflow, name: str) -> Change | None:
    return next((change for change in workflow.changes if change.id == name), None)


def _level(level: Level) -> str:
    return level_said(level, level.name)


def gaps(workflow: Workflow, quarter: Quarter, as_of: Instant, first_at: Instant | None, *, stale: int) -> Iterator[str]:
    """What of the quarter is not, or not surely, in the figures."""
    if as_of < quarter.end:
        yield f"The quarter is still running, or its sources have not been read to its end: the figures hold as of {written.instant(as_of / SECOND)}."
    if first_at is None or first_at > as_of:
        yield "No case of the workflow is known from the quarter or before it."
    elif first_at > quarter.start - (quarter.end - quarter.start):
        lacking = "the quarter, and the one before" if first_at > quarter.start else "the quarter before"
        yield f"Nothing is known from before {written.instant(first_at / SECOND)}: {lacking} may be incomplete."
    if stale:
        yield f"{stale} of the sources {'is' if stale == 1 else 'are'} stale."
    for pause in workflow.pauses:
        if pause.start <= as_of and (pause.end is None or pause.end > quarter.start):
            lasted = "still is" if pause.end is None or pause.end > as_of else f"for {format_span(pause.end - pause.start)}"
            yield f"The agent was switched off from {written.instant(pause.start / SECOND)}, {lasted}."
