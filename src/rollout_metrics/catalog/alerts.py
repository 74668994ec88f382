"""Every alert, declared once: expression, threshold from configuration, how long it must hold, severity, words and runbook."""

from enum import StrEnum
from typing import Protocol

import msgspec

from rollout_metrics.catalog.about import COLLECTION, EXPORTER, WORKFLOW
from rollout_metrics.catalog.metric import Metric
from rollout_metrics.catalog.promql import REPLICAS, denominator, once, selector
from rollout_metrics.catalog.rollout import BYPASS, OUTCOMES
from rollout_metrics.domain.time import SECOND, Span

NAMES = "AgentRollout"
"""What every alert's name begins with."""

WINDOW = "1d"
"""The window by which spikes are judged."""

DASHBOARD = "rollout-workflow"
"""The uid of the dashboard that alerts link to."""

_METRICS = {metric.key: metric for metric in (*OUTCOMES, *BYPASS, *WORKFLOW, *COLLECTION, *EXPORTER)}


class Severity(StrEnum):
    """Whom an alert reaches: `page` wakes someone, `ticket` waits for working hours, `none` only silences others."""

    PAGE = "page"
    TICKET = "ticket"
    NONE = "none"


class Thresholds(Protocol):
    """What configuration says about alerts; spans are in microseconds."""

    @property
    def override_limit(self) -> float: ...
    @property
    def bypass_limit(self) -> float: ...
    @property
    def minimum_cases(self) -> int: ...
    @property
    def stale_after(self) -> Span: ...
    @property
    def runbooks_url(self) -> str: ...
    @property
    def grafana_url(self) -> str: ...
    @property
    def pages_url(self) -> str: ...


class Alert(msgspec.Struct, frozen=True, kw_only=True):
    """One alert. `holds`: how long the expression must be true, if at all; `lasts`: how long it keeps firing after it no longer is."""

    name: str
    expression: str
    holds: str
    lasts: str | None = None
    severity: Severity
    summary: str
    description: str
    runbook: str
    """The runbook's file name under `docs/runbooks`, without `.md`."""
    runbooks_url: str
    dashboard_url: str

    @property
    def runbook_url(self) -> str:
        """Where the runbook can be read."""
        return f"{self.runbooks_url.rstrip('/')}/{self.runbook}.md"


def alerts(thresholds: Thresholds) -> tuple[Alert, ...]:
    """Every alert under these thresholds."""
    runbooks, dashboard = thresholds.runbooks_url, f"{thresholds.grafana_url.rstrip('/')}/d/{DASHBOARD}"
    workflow = f"{dashboard}?var-workflow={{{{ $labels.workflow }}}}"
    of_workflow = f"{workflow}&var-window={WINDOW}"
    stale_after = thresholds.stale_after / SECOND
    watermark, up = (once(selector(_METRICS[key])) for key in ("source_watermark_timestamp_seconds", "source_up"))
    as_of = once(selector(_METRICS["as_of_timestamp_seconds"]))
    told_stale = f"min without ({', '.join(REPLICAS)}) ({selector(_METRICS['sources_stale'])})"
    return (
        Alert(
            name=f"{NAMES}OverrideSpike",
            expression=_spike(_METRICS["override_ratio"], thresholds.override_limit, thresholds.minimum_cases, mode="live"),
            holds="15m",
            lasts="30m",
            severity=Severity.TICKET,
            summary="Operators override much of what the agent proposes or does.",
            description=_numbers(_METRICS["override_ratio"], "of what operators decided was overridden", thresholds.override_limit, "decisions", mode="live"),
            runbook="override-spike",
            runbooks_url=runbooks,
            dashboard_url=of_workflow,
        ),
        Alert(
            name=f"{NAMES}BypassSpike",
            expression=_spike(_METRICS["bypass_ratio"], thresholds.bypass_limit, thresholds.minimum_cases),
            holds="15m",
            lasts="30m",
            severity=Severity.TICKET,
            summary="People route much of the work around the agent.",
            description=_numbers(_METRICS["bypass_ratio"], "of the cases that the agent could have taken went around it", thresholds.bypass_limit, "cases"),
            runbook="bypass-spike",
            runbooks_url=runbooks,
            dashboard_url=of_workflow,
        ),
        Alert(
            name=f"{NAMES}SourceStale",
            expression=f"time() - {watermark} > {stale_after:g}\nor\n({up} == 0 unless {watermark})",
            holds="10m",
            severity=Severity.TICKET,
            summary="A source is not being read, so the figures that rest on it stand still.",
            description="Source {{ $labels.source }} "
            + _known("source_watermark_timestamp_seconds", "source", "was read up to {{ $value | humanizeDuration }} ago", "has never been read")
            + f"; more than {_said(thresholds.stale_after)} counts as stale. Its workflows' figures are as of then, and their behaviour alerts are held back.",
            runbook="source-stale",
            runbooks_url=runbooks,
            dashboard_url=dashboard,
        ),
        Alert(
            name=f"{NAMES}FiguresStale",
            expression=f"time() - {as_of} > {stale_after:g}\nor\n{told_stale} > 0",
            holds="",
            severity=Severity.NONE,
            summary="A workflow's figures lag behind the world.",
            description="Workflow {{ $labels.workflow }} rests on a source that is not being read. This reaches nobody: it only silences the workflow's other"
            f" alerts, and {NAMES}SourceStale tells about the source.",
            runbook="figures-stale",
            runbooks_url=runbooks,
            dashboard_url=workflow,
        ),
        Alert(
            name=f"{NAMES}ExporterAbsent",
            expression=f"absent({selector(_METRICS['build_info'])})",
            holds="5m",
            severity=Severity.PAGE,
            summary="No exporter is being scraped: nothing is known about any rollout.",
            description="Prometheus has had no sample of rollout-metrics from any replica for 5 minutes. Dashboards are empty and no other alert can fire.",
            runbook="exporter-absent",
            runbooks_url=runbooks,
            dashboard_url=dashboard,
        ),
    )


def _spike(ratio: Metric, limit: float, least: int, **wanted: str) -> str:
    """The lower bound is beyond the limit, on enough cases, in figures that are fresh; judged replica by replica."""
    lower = _METRICS[f"{ratio.key}_lower"]
    return f"""{
        once(f'''
  {selector(lower, window=WINDOW, **wanted)} > {limit:g}
  and
  {denominator(ratio, window=WINDOW, **wanted)} >= {least}
  and ignoring ({', '.join(('window', *wanted))})
  {selector(_METRICS["sources_stale"])} == 0
''')
    }"""


def _numbers(ratio: Metric, text: str, limit: float, unit: str, **wanted: str) -> str:
    labels = ",".join(f"{label}='{value}'" for label, value in {"window": WINDOW, **wanted}.items())
    measured = _asked(f"max({ratio.name}{{workflow='%s',{labels}}})", "$labels.workflow", "{{ . | first | value | humanizePercentage }}")
    n = denominator(ratio, workflow="%s", window=WINDOW, **wanted).replace('"', "'")
    number = _asked(f"max({n})", "$labels.workflow", '{{ . | first | value | printf "%.0f" }}')
    return (
        f"Workflow {{{{ $labels.workflow }}}}: over the last day {measured} {text}, of {number} {unit}."
        f" With 95 % confidence it is more than {{{{ $value | humanizePercentage }}}}; the limit is {limit * 100:g} %."
    )


def _asked(query: str, argument: str, shown: str) -> str:
    return f'{{{{ with printf "{query}" {argument} | query }}}}{shown}{{{{ end }}}}'


def _known(key: str, label: str, yes: str, no: str) -> str:
    query = f"{_METRICS[key].name}{{{label}='%s'}}"
    return f'{{{{ if printf "{query}" $labels.{label} | query }}}}{yes}{{{{ else }}}}{no}{{{{ end }}}}'


def _said(span: Span) -> str:
    minutes = span / (60 * SECOND)
    return f"{minutes / 60:g} h" if minutes >= 60 else f"{minutes:g} min"
