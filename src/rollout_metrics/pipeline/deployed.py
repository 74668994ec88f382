"""Receipts of the delivery metrics: the deployments and incidents behind a number, each failure with the evidence of every cause."""

from collections.abc import Callable, Iterable, Mapping

import msgspec

from rollout_metrics.catalog import Metric
from rollout_metrics.catalog.metric import Delivery, Told
from rollout_metrics.derive.delivery import Attributed, Deployment, Known
from rollout_metrics.derive.failures import FailureCause, Incident, Trouble
from rollout_metrics.domain.errors import ConfigurationError
from rollout_metrics.domain.events import CaseKey, EventRef
from rollout_metrics.domain.time import SECOND, Instant, Span, format_instant, minute_of
from rollout_metrics.overview.evidence import CHANGE, Asked, Receipt, Seen

Look = Callable[[CaseKey, EventRef], Seen | None]
"""An event as it is stored; None where it is kept no longer."""

OPEN_FAILURES, HARM_ACTIVE = "open_failures", "harm_active"


class _Told(msgspec.Struct, frozen=True):
    """How a figure is told: the deployments it counts, those that are its numerator if it is a ratio, and the value of each."""

    counts: Callable[[Deployment], bool] = lambda _: True
    numerator: Callable[[Deployment], bool] | None = None
    value: Callable[[Deployment], Span | None] = lambda _: None
    by_failure: bool = False


def _failed(item: Deployment) -> bool:
    return item.failure is not None


def _recovery(item: Deployment) -> Span | None:
    failure = item.failure
    return None if failure is None or failure.recovered_at is None else failure.recovered_at - failure.started_at


_LEAD = _Told(value=lambda d: d.lead_time)
_APPROVAL = _Told(counts=lambda d: d.approval_lead_time is not None, value=lambda d: d.approval_lead_time)
_RECOVERY = _Told(counts=_failed, value=_recovery, by_failure=True)

_FIGURES: Mapping[str, _Told] = {
    "deployments": _Told(),
    "judged_deployments": _Told(lambda d: d.judged),
    "safe_deployments": _Told(lambda d: d.judged and not _failed(d)),
    "failed_deployments": _Told(lambda d: d.judged and _failed(d), value=_recovery),
    "inferred_failed_deployments": _Told(lambda d: d.judged and not _failed(d) and bool(d.inferred)),
    "rework_deployments": _Told(lambda d: d.rework),
    "change_fail_ratio": _Told(lambda d: d.judged, _failed, _recovery),
    "deployment_rework_ratio": _Told(numerator=lambda d: d.rework),
    "change_lead_time_median_seconds": _APPROVAL,
    "change_lead_time_p90_seconds": _APPROVAL,
    "deployment_lead_time_median_seconds": _LEAD,
    "deployment_lead_time_p90_seconds": _LEAD,
    "failed_deployment_recovery_median_seconds": _RECOVERY,
    "failed_deployment_recovery_p90_seconds": _RECOVERY,
}
_INCIDENTS = ("incidents", "incident_link_ratio")


def told_by_deployments(metric: Metric) -> bool:
    """Whether a metric comes from deployments and incidents."""
    return isinstance(metric.obtained, Delivery) or metric.obtained in (Told(OPEN_FAILURES), Told(HARM_ACTIVE))


def receipts_of(asked: Asked, known: Known, look: Look) -> tuple[list[Receipt], dict[str, int]]:
    """Receipts, and the totals by what they count as. Raises `ConfigurationError` for labels that the metric does not have."""
    metric, labels = asked.metric, asked.labels
    unknown = sorted(labels.keys() - set(metric.labels))
    if unknown:
        raise ConfigurationError(f"{metric.name} is not told apart by {', '.join(unknown)}")
    start = known.as_of - asked.window
    if metric.key in _INCIDENTS:
        inside = [item for item in known.incidents if item.at > start]
        chosen = [item for item in inside if labels.get("link", item.link.value) == item.link.value]
        totals = {"counted": len(chosen)} if metric.key == "incidents" else {"numerator": len(chosen), "denominator": len(inside)}
        return [_incident(item, look) for item in chosen], totals
    if metric.key == OPEN_FAILURES:
        still = [item for item in known.deployments if item.failure is not None and item.failure.recovered_at is None]
        return _receipts(((item, "counted") for item in still), _RECOVERY, look), {"counted": len(still)}
    if metric.key == HARM_ACTIVE:
        return _receipts(((item, "counted") for item in known.harmful), _RECOVERY, look), {"counted": len(known.harmful)}
    told = _FIGURES[metric.key]
    belongs = _failed_at if told.by_failure else _deployed_at
    counted = [item for item in known.deployments if told.counts(item) and belongs(item) > start and _caused(item, labels)]
    if told.numerator is None:
        return _receipts(((item, "counted") for item in counted), told, look), {"counted": len(counted)}
    roles = [(item, "numerator" if told.numerator(item) else "denominator") for item in counted]
    return _receipts(roles, told, look), {"numerator": sum(role == "numerator" for _, role in roles), "denominator": len(roles)}


def _deployed_at(item: Deployment) -> Instant:
    return item.deployed_at


def _failed_at(item: Deployment) -> Instant:
    return item.deployed_at if item.failure is None else item.failure.started_at


def _caused(item: Deployment, labels: Mapping[str, str]) -> bool:
    cause = labels.get("cause")
    if cause is not None and cause not in list(FailureCause):
        raise ConfigurationError(f"there is no cause {cause!r}: there are {', '.join(FailureCause)}")
    return cause is None or (item.failure is not None and item.failure.cause == cause)


def _receipts(items: Iterable[tuple[Deployment, str]], told: _Told, look: Look) -> list[Receipt]:
    found: list[Receipt] = []
    for item, role in items:
        found.append(_receipt((CHANGE, item.change), item.deployed_at, role, _state(item), told.value(item), "deployment"))
        found += [_trouble(item, trouble, look) for trouble in (item.failure.evidence if item.failure is not None else ())]
        found += [_inferred(item, incident, look) for incident in item.inferred]
    return found


def _state(item: Deployment) -> str:
    if item.failure is not None:
        return f"failed by {item.failure.cause.value}, " + ("open" if item.failure.recovered_at is None else "recovered")
    return "did not fail" if item.judged else f"watched until {format_instant(item.watched_until)}"


def _trouble(item: Deployment, trouble: Trouble, look: Look) -> Receipt:
    lasted = None if trouble.ended_at is None else trouble.ended_at - trouble.started_at
    seen = look(trouble.case, trouble.event) if trouble.event is not None and trouble.case is not None else None
    said = f"{trouble.cause.value}: {trouble.said}"
    return _receipt((CHANGE, item.change), trouble.started_at, "evidence", said, lasted, "failure", trouble.event, seen, trouble.url)


def _inferred(item: Deployment, incident: Incident, look: Look) -> Receipt:
    lasted = None if incident.ended_at is None else incident.ended_at - incident.started_at
    said, seen = f"inferred: incident {incident.case[1]}", look(incident.case, incident.event)
    return _receipt((CHANGE, item.change), incident.started_at, "beside", said, lasted, "incident", incident.event, seen)


def _incident(item: Attributed, look: Look) -> Receipt:
    said = item.link.value + (f": {item.change}" if item.change is not None else "")
    if item.seen is None:
        return _receipt(("incident", item.incident), item.at, "counted", said, None, "incident")
    return _receipt(item.seen.case, item.at, "counted", said, None, "incident", item.seen.event, look(item.seen.case, item.seen.event))


def _receipt(  # noqa: PLR0917
    case: CaseKey,
    at: Instant,
    role: str,
    counted: str,
    value: Span | None,
    fact: str,
    event: EventRef | None = None,
    seen: Seen | None = None,
    url: str | None = None,
) -> Receipt:
    return Receipt(
        case=case,
        minute=minute_of(at),
        at=at,
        role=role,
        counted=counted,
        value=None if value is None else value / SECOND,
        fact=fact,
        events=() if seen is None else (seen,),
        refs=() if event is None else (event,),
        url=url or (None if seen is None else seen.url),
    )
