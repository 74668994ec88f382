"""Where panels lead: to the exporter's evidence page, and to the other dashboards with what was chosen here. Pure."""

from typing import Any
from urllib.parse import urlencode

from rollout_metrics.catalog import METRICS
from rollout_metrics.catalog.metric import Beside, Observed, Spiked, Told, Warned
from rollout_metrics.overview.evidence import has_cases

PAGES = "pages"
"""The hidden variable that holds the base URL of the exporter's pages for people."""

ROW = "${__data.fields.Workflow:percentencode}"
SERIES = "${__field.labels.workflow:percentencode}"
CHOSEN = "${workflow:percentencode}"
"""The workflow that is clicked at: of a table's row, of one series among several, or the one chosen on the dashboard."""

_ONE_BY_ONE = (Observed, Spiked, Told, Warned)
"""Figures with evidence for each value of their label only: of a spike, a sign, a gate."""


def evidence(key: str, *, workflow: str = CHOSEN, **labels: str) -> list[dict[str, Any]]:
    """A link to the cases behind a figure, in which the labels that single out its series are named; none where no cases stand behind it."""
    metric = METRICS[key]
    main = METRICS[metric.obtained.key] if isinstance(metric.obtained, Beside) else metric
    one_by_one = isinstance(main.obtained, _ONE_BY_ONE) and bool(main.labels)
    if not has_cases(main) or (one_by_one and main.labels[0] not in labels):
        return []
    window = labels.get("window", "${window}")
    asked = [("metric", main.key), ("workflow", workflow), *([("window", window)] if main.windowed else [])]
    asked += [(label, value) for label, value in labels.items() if label in main.labels]
    return [{"title": f"Cases behind {main.key}", "url": f"${{{PAGES}}}/evidence?{urlencode(asked, safe='${}:_.')}", "targetBlank": True}]


def dashboard(uid: str, title: str, *, workflow: str = CHOSEN) -> list[dict[str, Any]]:
    """A link to another dashboard about the workflow clicked at, with data source, window and time range as they are here."""
    return [
        {
            "title": title,
            "url": f"/d/{uid}?var-workflow={workflow}&${{datasource:queryparam}}&${{window:queryparam}}&${{__url_time_range}}",
            "targetBlank": False,
        }
    ]
