"""The evidence at hand for an agent as it is now: the rates that decisions look at, over the time of its level and version, and its gates."""

from collections.abc import Iterable

import msgspec

from rollout_metrics.catalog import METRICS
from rollout_metrics.catalog.metric import Ratio
from rollout_metrics.derive.gates import Assessment
from rollout_metrics.domain.facts import Mode
from rollout_metrics.domain.policy import Company, Level, Workflow
from rollout_metrics.domain.time import Instant
from rollout_metrics.figures.known import counted, mode_at
from rollout_metrics.figures.ledger import Ledger
from rollout_metrics.figures.situation import Situation
from rollout_metrics.figures.windows import Stretch
from rollout_metrics.rollup import Contribution
from rollout_metrics.stats.wilson import wilson

RATES = ("explicit_acceptance_ratio", "override_ratio", "correction_ratio", "bypass_ratio", "escalation_ratio")
"""What is shown, by the catalogue's names."""


class Rate(msgspec.Struct, frozen=True):
    """A rate with its counts and 95 % interval; no interval where there is nothing to count."""

    metric: str
    count: int
    total: int
    lower: float | None = None
    upper: float | None = None


class Evidence(msgspec.Struct, frozen=True):
    """What is known of an agent as it is: its level, since when it is this one (None: from the beginning), up to when it is read, the rates, the gates."""

    workflow: str
    level: Level
    mode: Mode
    version: str | None
    since: Instant | None
    as_of: Instant
    rates: tuple[Rate, ...]
    assessment: Assessment


class AtHand:
    """One workflow's counts as far as the evidence is made of them: load what it is `needed`, then ask for the `evidence`."""

    def __init__(self, company: Company, workflow: Workflow, as_of: Instant, start: Instant | None) -> None:
        """As of T, a whole minute; `start`: since when the agent is what it is."""
        self._workflow, self._as_of = workflow, {workflow.name: as_of}
        self._starts = {workflow.name: start}
        self._ledger = Ledger(msgspec.structs.replace(company, workflows=(workflow,)))

    def needed(self) -> list[Stretch]:
        """The minutes whose counts `evidence` wants."""
        return self._ledger.needed(self._as_of, self._starts)

    def evidence(self, situation: Situation, rows: Iterable[Contribution]) -> Evidence:
        """The evidence out of the counts of the minutes `needed`, each bucket once."""
        name, level = self._workflow.name, situation.level_standing
        self._ledger.load(self._as_of, self._starts, rows, ())
        assessment = self._ledger.assessment(self._workflow, situation)
        return Evidence(
            workflow=name,
            level=situation.level,
            mode=mode_at(level),
            version=assessment.version,
            since=self._starts[name],
            as_of=self._as_of[name],
            rates=tuple(self._rate(metric, level) for metric in RATES),
            assessment=assessment,
        )

    def _rate(self, metric: str, level: Level) -> Rate:
        how = METRICS[metric].obtained
        assert isinstance(how, Ratio)
        count, total = (counted(self._ledger.since, self._workflow.name, part, level) for part in (how.numerator, how.denominator))
        return Rate(metric, count, total, *(wilson(count, total) or (None, None)))
