"""Change records: what altered an agent's behaviour or authority, when, and what came of it (definitions, section 8)."""

from enum import StrEnum

import msgspec

from rollout_metrics.domain.choices import choices
from rollout_metrics.domain.time import Instant, Span

PRODUCTION = "production"
"""The environment whose changes are deployments; others are kept apart."""


@choices
class ChangeKind(StrEnum):
    """What a change alters."""

    PROMPT = "prompt"
    MODEL = "model"
    TOOL = "tool"
    POLICY = "policy"
    PERMISSION = "permission"
    RETRIEVAL = "retrieval"
    MEMORY = "memory"
    WORKFLOW = "workflow"
    LEVEL = "level"


@choices
class InterventionKind(StrEnum):
    """What was done against a deployment that failed."""

    ROLLBACK = "rollback"
    HOTFIX = "hotfix"
    PERMISSION_REMOVAL = "permission_removal"
    LEVEL_RETURN = "level_return"


class Incident(msgspec.Struct, frozen=True):
    """An incident linked explicitly to a change."""

    id: str
    started_at: Instant
    ended_at: Instant | None
    url: str | None = None


class Intervention(msgspec.Struct, frozen=True):
    """A rollback, hotfix, permission removal or return to the previous level; `in_force_at` when it took hold."""

    kind: InterventionKind
    at: Instant
    in_force_at: Instant | None


class HarmMetric(msgspec.Struct, frozen=True):
    """A figure that must not cross its limit: our own rate, or what a query or an expression yields."""

    name: str | None = None
    metric: str | None = None
    promql: str | None = None
    sql: str | None = None
    database: str | None = None
    at_most: float | None = None
    at_least: float | None = None

    @property
    def known_as(self) -> str:
        """What to call it: its name, else that of our own rate."""
        return self.name or self.metric or ""

    @property
    def outside(self) -> bool:
        """Whether it is read from somewhere else."""
        return self.metric is None and (self.promql is not None or self.sql is not None)

    @property
    def limited(self) -> bool:
        """Whether it has what it takes to be judged: a name, a figure and a limit."""
        figure = self.metric is not None or self.promql is not None or (self.sql is not None and self.database is not None)
        return bool(self.known_as) and figure and (self.at_most is not None or self.at_least is not None)


class Harm(msgspec.Struct, frozen=True):
    """The harm metrics, and how long after the deployment they are watched."""

    window: Span | None = None
    metrics: tuple[HarmMetric, ...] = ()


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """One change record, as far as the numbers need it."""

    id: str
    workflow: str
    kind: ChangeKind
    title: str
    version: str | None
    environment: str
    risk_class: str
    proposed_at: Instant
    reviewed_at: Instant | None
    approved_at: Instant | None
    deployed_at: Instant | None
    recovered_at: Instant | None
    level: int | None
    """The level a change of kind `level` moves to."""
    reworks: str | None
    """The id of the change that this one rolls back or hotfixes, if it does."""
    fixes: tuple[str, ...]
    incidents: tuple[Incident, ...]
    interventions: tuple[Intervention, ...]
    harm: Harm = Harm()
    lacks: int = 0
    """How many things its record lacks, as it stands now."""
