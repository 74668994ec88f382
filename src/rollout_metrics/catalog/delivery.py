"""The five delivery metrics, adapted to agents' changes (definitions, section 8)."""

from rollout_metrics.catalog.make import beside, gauge
from rollout_metrics.catalog.metric import Delivery, Merged, Metric, Section, Told

_NONE = "No sample without deployments to judge, never 0."


def _windowed(key: str, text: str, *labels: str) -> Metric:
    return gauge(key, text, Delivery(key), Section.DELIVERY, labels=labels, windowed=True)


def _ratio(key: str, text: str, *labels: str) -> tuple[Metric, ...]:
    main = _windowed(key, text, *labels)
    return main, *beside(main, "95 % Wilson score interval", bounds=True, cases=False)


def _duration(key: str, text: str, *, censored: bool) -> tuple[Metric, ...]:
    quantiles = (_windowed(key.format(rank), text.format(said)) for rank, said in (("median", "Median"), ("p90", "90th percentile of the")))
    interval = "95 % log-log Greenwood bounds"
    return tuple(metric for main in quantiles for metric in (main, *beside(main, interval, bounds=censored, cases=True)))


DELIVERY: tuple[Metric, ...] = (
    _windowed("deployments", "Changes of the agent's behaviour or authority deployed to production, by that instant."),
    _windowed("judged_deployments", "Deployments whose observation window is over, by the instant of deployment."),
    _windowed("safe_deployments", "Judged deployments that did not fail."),
    _windowed(
        "failed_deployments",
        "Judged deployments that failed, each under the cause that started first. incident: one is linked to it; intervention: somebody rolled it back, fixed"
        " it or took authority away; evaluation: a run failed in its observation window; harm: a harm metric of its record crossed its limit in it.",
        "cause",
    ),
    _windowed(
        "inferred_failed_deployments",
        "Judged deployments that did not fail but for an incident in their observation window that nobody linked: beside the fail rate, not in it.",
    ),
    gauge(
        "open_failures", "Deployments that failed and have not recovered, judged or not, at as_of_timestamp_seconds.", Told("open_failures"), Section.DELIVERY
    ),
    gauge(
        "harm_active",
        "Deployments of which a harm metric is beyond its limit at as_of_timestamp_seconds, and neither a rollback, a fix nor a pause is in force.",
        Told("harm_active"),
        Section.DELIVERY,
    ),
    _windowed(
        "incidents",
        "Incidents by their start. explicit: linked to a change; inferred: only in the observation window of a deployment; unattributed: neither.",
        "link",
    ),
    *_ratio("incident_link_ratio", "Share of incidents by how they belong to a change. Numerator: incidents of the link; denominator: all incidents.", "link"),
    _windowed("rework_deployments", "Deployments that roll back or hotfix another."),
    gauge(
        "unrecorded_version_events",
        "Events of the agent that carry a version which no record deployed by then names: something runs that nobody has recorded.",
        Merged("unrecorded_version_events"),
        Section.DELIVERY,
        windowed=True,
    ),
    gauge(
        "unrecorded_versions",
        "How many such versions there were in the longest window before as_of_timestamp_seconds; explain names them and their events.",
        Told("unrecorded_versions"),
        Section.DELIVERY,
    ),
    gauge(
        "drifted_names",
        "Attributes and values (queues, statuses, channels) that the workflow's configuration names and that have stopped appearing: seen on cases that came in"
        " earlier in the longest window, on none of the 28 days before as_of_timestamp_seconds, where chance alone makes that less likely than 1 in 1000."
        " Cases are looked at for drop_after. No sample below 20 cases on either side; explain names them.",
        Told("drifted_names"),
        Section.DELIVERY,
        labels=("kind",),
    ),
    *_ratio(
        "change_fail_ratio",
        f"Share of deployments that failed. Numerator: failed_deployments; denominator: judged_deployments. {_NONE}",
    ),
    *_ratio(
        "deployment_rework_ratio", f"Share of deployments that roll back or hotfix another. Numerator: rework_deployments; denominator: deployments. {_NONE}"
    ),
    *_duration("change_lead_time_{}_seconds", "{} time from proposing a change to its last needed approval, by the instant of deployment.", censored=False),
    *_duration("deployment_lead_time_{}_seconds", "{} time from proposing a change to its deployment, by the instant of deployment.", censored=False),
    *_duration(
        "failed_deployment_recovery_{}_seconds",
        "{} time from a failure's start to recovery, by its start; Kaplan-Meier with the unrecovered censored.",
        censored=True,
    ),
)
