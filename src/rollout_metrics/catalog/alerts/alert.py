"""What an alert is: one value, from which come its rule, its row in the documents, its runbook's address and how it is routed."""

import re
from enum import StrEnum
from typing import Protocol

import msgspec

from rollout_metrics.domain.time import Span

NAMES = "AgentRollout"
"""What every alert's name begins with."""

_WORD = re.compile(r"(?<=[a-z])(?=[A-Z])")


class Severity(StrEnum):
    """Whom an alert reaches: `page` wakes someone, `ticket` waits for working hours, `none` only silences others."""

    PAGE = "page"
    TICKET = "ticket"
    NONE = "none"


class Topic(StrEnum):
    """What an alert is about; a label of it, by which Alertmanager routes and inhibits."""

    BEHAVIOUR = "behaviour"
    """What people do with the agent: held back, and silenced, while the workflow's figures are stale."""
    AUTHORITY = "authority"
    CHANGE = "change"
    FRESHNESS = "freshness"
    """Reaches nobody, silences behaviour."""
    COLLECTION = "collection"
    EXPORTER = "exporter"


class Dashboard(StrEnum):
    """The uids of the dashboards, which alerts and they themselves link to."""

    OVERVIEW = "rollout-overview"
    WORKFLOW = "rollout-workflow"
    SPIKES = "rollout-spikes"
    ESCALATIONS = "rollout-escalations"
    DELIVERY = "rollout-delivery"
    LADDER = "rollout-ladder"
    REVIEW = "rollout-review"
    COLLECTION = "rollout-collection"


class Thresholds(Protocol):
    """What configuration says about alerts; spans are in microseconds."""

    @property
    def override_limit(self) -> float: ...
    @property
    def bypass_limit(self) -> float: ...
    @property
    def minimum_cases(self) -> int: ...
    @property
    def within_target(self) -> float: ...
    @property
    def rots_after(self) -> Span: ...
    @property
    def rubber_stamp_limit(self) -> float: ...
    @property
    def coverage_limit(self) -> float: ...
    @property
    def quarantine_limit(self) -> int: ...
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
    topic: Topic
    severity: Severity
    expression: str
    holds: str = ""
    lasts: str | None = None
    summary: str
    description: str
    """With the numbers, in Prometheus' template language."""
    dashboard: Dashboard
    variables: str = ""
    """The dashboard's variables, as a query string in Prometheus' template language."""
    runbooks_url: str = ""
    grafana_url: str = ""

    @property
    def runbook(self) -> str:
        """The runbook's file name under `docs/runbooks`, without `.md`."""
        return _WORD.sub("-", self.name.removeprefix(NAMES)).lower()

    @property
    def runbook_url(self) -> str:
        """Where the runbook can be read."""
        return f"{self.runbooks_url.rstrip('/')}/{self.runbook}.md"

    @property
    def dashboard_url(self) -> str:
        """Where the figures behind the alert can be seen."""
        asked = f"?{self.variables}" if self.variables else ""
        return f"{self.grafana_url.rstrip('/')}/d/{self.dashboard}{asked}"
