"""Figures that configuration and change records tell: what the workflow is, how far it is read, its grants, its deployments."""

from collections.abc import Callable, Iterator, Mapping

from rollout_metrics.catalog import Metric
from rollout_metrics.derive.delivery import Delivery, Recovery, Spread
from rollout_metrics.derive.gates import Gate, Proposal
from rollout_metrics.domain.time import DAY, SECOND
from rollout_metrics.figures import drifted as drifting
from rollout_metrics.figures.known import COVERED, LATELY, seen_of, version_deployed
from rollout_metrics.figures.lasting import Estimated
from rollout_metrics.figures.view import Made, View, of_estimate, of_ratio
from rollout_metrics.stats.anytime import Verdict

UNUSED_AFTER = 28 * DAY
"""How long an automatic grant may lie idle."""


def _info(metric: Metric, view: View) -> Made:
    workflow = view.workflow
    yield metric.key, metric.sample(1, workflow.name, workflow.workflow_type, workflow.risk_tier, workflow.owner, version_deployed(workflow, view.as_of) or "")


def _level(metric: Metric, view: View) -> Made:
    yield metric.key, metric.sample(int(view.situation.level), view.name)


def _as_of(metric: Metric, view: View) -> Made:
    yield metric.key, metric.sample(view.as_of / SECOND, view.name)


def _stale(metric: Metric, view: View) -> Made:
    yield metric.key, metric.sample(view.situation.sources_stale, view.name)


def _shares(view: View) -> Iterator[tuple[str, int, int]]:
    """Coverage by kind. Links and versions are looked at over the longest window, since the figure has none of its own."""
    for kind, (known, checked) in sorted(view.situation.coverage.items()):
        yield kind, known, checked
    for kind in COVERED:
        yield kind, *seen_of(view.windows.sums(view.name, max(view.workflow.windows), kind))


def _coverage(metric: Metric, view: View) -> Made:
    for kind, known, checked in _shares(view):
        yield from of_ratio(metric, known, checked, view.name, kind)


def _known(metric: Metric, view: View) -> Made:
    for kind, known, _ in _shares(view):
        yield metric.key, metric.sample(known, view.name, kind)


def _checked(metric: Metric, view: View) -> Made:
    for kind, _, checked in _shares(view):
        yield metric.key, metric.sample(checked, view.name, kind)


def _unused(metric: Metric, view: View) -> Made:
    """Conditions of a grant are not looked at: an action that was done under any is used."""
    in_force = [lists for lists in view.workflow.authority if lists.since is None or lists.since <= view.as_of]
    granted = {grant.action for grant in in_force[-1].automatic} if in_force else set()
    used = {action for (action,) in view.windows.sums(view.name, UNUSED_AFTER, "used")}
    yield metric.key, metric.sample(len(granted - used), view.name)


def _open_failures(metric: Metric, view: View) -> Made:
    yield metric.key, metric.sample(view.known.open_failures, view.name)


def _harm_active(metric: Metric, view: View) -> Made:
    yield metric.key, metric.sample(len(view.known.harmful), view.name)


def _unrecorded(metric: Metric, view: View) -> Made:
    yield metric.key, metric.sample(len(view.windows.sums(view.name, max(view.workflow.windows), "unrecorded_version_events")), view.name)


def _drifted(metric: Metric, view: View) -> Made:
    lately, longest = (view.windows.sums(view.name, span, "appearances") for span in (LATELY, max(view.workflow.windows)))
    found = drifting.drifted(view.workflow, lately, longest)
    if found is not None:
        for kind in drifting.KINDS:
            yield metric.key, metric.sample(sum(drifting.kind_of(view.workflow, name) == kind for name in found), view.name, kind)


def _gate(metric: Metric, view: View) -> Made:
    for gate in view.assessment.gates:
        for verdict in Verdict:
            yield metric.key, metric.sample(int(gate.verdict is verdict), view.name, gate.name, verdict.value)


def _gate_ratio(metric: Metric, view: View) -> Made:
    for gate in view.assessment.gates:
        if gate.ratio is not None:
            yield from of_estimate(metric, Estimated(gate.ratio, gate.lower, gate.upper, gate.cases or 0), view.name, gate.name, cases=False)


def _of_gate(pick: Callable[[Gate], float | None]) -> Callable[[Metric, View], Made]:
    def made(metric: Metric, view: View) -> Made:
        for gate in view.assessment.gates:
            value = pick(gate)
            if value is not None:
                yield metric.key, metric.sample(value, view.name, gate.name)

    return made


def _proposal(metric: Metric, view: View) -> Made:
    for proposal in Proposal:
        yield metric.key, metric.sample(int(view.assessment.proposal is proposal), view.name, proposal.value)


def _level_since(metric: Metric, view: View) -> Made:
    if view.assessment.level_since is not None:
        yield metric.key, metric.sample(view.assessment.level_since / SECOND, view.name)


def _forced(metric: Metric, view: View) -> Made:
    yield metric.key, metric.sample(sum(item.forced for item in view.situation.promotions), view.name)


TOLD: Mapping[str, Callable[[Metric, View], Made]] = {
    "info": _info,
    "level": _level,
    "as_of": _as_of,
    "sources_stale": _stale,
    "coverage": _coverage,
    "coverage_known": _known,
    "coverage_checked": _checked,
    "unused_grants": _unused,
    "open_failures": _open_failures,
    "harm_active": _harm_active,
    "unrecorded_versions": _unrecorded,
    "drifted_names": _drifted,
    "gate": _gate,
    "gate_ratio": _gate_ratio,
    "gate_limit_ratio": _of_gate(lambda gate: gate.limit),
    "gate_cases": _of_gate(lambda gate: gate.cases),
    "gate_missing_decisions": _of_gate(lambda gate: gate.missing),
    "level_proposal": _proposal,
    "level_since": _level_since,
    "forced_promotions": _forced,
}
"""By the name that the catalogue gives what is told."""

Delivered = Callable[..., Made]


def _number(pick: Callable[[Delivery], int]) -> Delivered:
    def made(metric: Metric, found: Delivery, *values: str) -> Made:
        yield metric.key, metric.sample(pick(found), *values)

    return made


def _share(pick: Callable[[Delivery], tuple[int, int]]) -> Delivered:
    def made(metric: Metric, found: Delivery, *values: str) -> Made:
        return of_ratio(metric, *pick(found), *values)

    return made


def _spread(pick: Callable[[Delivery], Spread | None], quantile: str) -> Delivered:
    def made(metric: Metric, found: Delivery, *values: str) -> Made:
        spread = pick(found)
        estimate = Estimated(None, None, None, 0) if spread is None else Estimated(getattr(spread, quantile), None, None, spread.cases)
        return of_estimate(metric, estimate, *values, unit=SECOND)

    return made


def _recovery(pick: Callable[[Recovery], Estimated]) -> Delivered:
    def made(metric: Metric, found: Delivery, *values: str) -> Made:
        estimate = Estimated(None, None, None, 0) if found.recovery is None else pick(found.recovery)
        return of_estimate(metric, estimate, *values, unit=SECOND)

    return made


def _failed(metric: Metric, found: Delivery, *values: str) -> Made:
    for cause, total in found.failed.items():
        yield metric.key, metric.sample(total, *values, cause.value)


def _incidents(metric: Metric, found: Delivery, *values: str) -> Made:
    for link, total in found.incidents.items():
        yield metric.key, metric.sample(total, *values, link.value)


def _incident_shares(metric: Metric, found: Delivery, *values: str) -> Made:
    for link, total in found.incidents.items():
        yield from of_ratio(metric, total, sum(found.incidents.values()), *values, link.value)


DELIVERED: Mapping[str, Delivered] = {
    "deployments": _number(lambda d: d.deployments),
    "judged_deployments": _number(lambda d: d.judged),
    "safe_deployments": _number(lambda d: d.safe),
    "rework_deployments": _number(lambda d: d.reworks),
    "failed_deployments": _failed,
    "inferred_failed_deployments": _number(lambda d: d.inferred_failed),
    "incidents": _incidents,
    "incident_link_ratio": _incident_shares,
    "change_fail_ratio": _share(lambda d: (sum(d.failed.values()), d.judged)),
    "deployment_rework_ratio": _share(lambda d: (d.reworks, d.deployments)),
    "change_lead_time_median_seconds": _spread(lambda d: d.approval_lead_time, "median"),
    "change_lead_time_p90_seconds": _spread(lambda d: d.approval_lead_time, "p90"),
    "deployment_lead_time_median_seconds": _spread(lambda d: d.lead_time, "median"),
    "deployment_lead_time_p90_seconds": _spread(lambda d: d.lead_time, "p90"),
    "failed_deployment_recovery_median_seconds": _recovery(lambda r: Estimated(r.median, *r.median_bounds, r.cases)),
    "failed_deployment_recovery_p90_seconds": _recovery(lambda r: Estimated(r.p90, *r.p90_bounds, r.cases)),
}
"""By the name of the metric."""
