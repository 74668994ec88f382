"""The evidence at hand for an agent as it is now: the rates that decisions and gates look at, over the time of its level and version."""

from collections.abc import Iterable, Mapping

import msgspec

from rollout_metrics.catalog import METRICS, TALLIES
from rollout_metrics.catalog.metric import Part, Ratio
from rollout_metrics.derive.levels import PRODUCTION, level_at
from rollout_metrics.derive.standing import standing_since
from rollout_metrics.derive.surroundings import Surroundings
from rollout_metrics.domain.facts import Mode
from rollout_metrics.domain.policy import Level, Workflow
from rollout_metrics.domain.time import MINUTE, Instant
from rollout_metrics.figures.windows import Windows
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
    """What is known of an agent as it is: its level, since when it is this one (None: from the beginning), up to when it is read, and the rates."""

    workflow: str
    level: Level
    mode: Mode
    version: str | None
    since: Instant | None
    as_of: Instant
    rates: tuple[Rate, ...]


class Sought(msgspec.Struct, frozen=True):
    """The minutes `after < minute <= up_to` whose counts the evidence is made of."""

    after: int
    up_to: int


def sought(workflow: Workflow, as_of: Instant, surroundings: Surroundings) -> Sought:
    """Which counts `evidence` wants."""
    since = standing_since(workflow, as_of, surroundings)
    return Sought(0 if since is None else -(-since // MINUTE), as_of // MINUTE)


def evidence(workflow: Workflow, as_of: Instant, surroundings: Surroundings, rows: Iterable[Contribution]) -> Evidence:
    """The evidence as of T, a whole minute. `rows`: the counts of the minutes `sought`, each bucket once."""
    stretch = sought(workflow, as_of, surroundings)
    level = level_at(workflow, as_of, surroundings)
    mode = Mode.LIVE if level > Level.SHADOW else Mode.SHADOW
    span = max(stretch.up_to - stretch.after, 0) * MINUTE
    windows = Windows({workflow.name: [span]})
    windows.load({workflow.name: as_of}, rows)

    def total(part: Part, mode_of: Mapping[str, str]) -> int:
        labels = TALLIES[part.tally].labels
        wanted = [(labels.index(label), values) for label, values in part.where]
        wanted += [(labels.index(label), frozenset((value,))) for label, value in mode_of.items()]
        sums = windows.sums(workflow.name, span, part.tally)
        return sum(amount for values, amount in sums.items() if all(values[place] in allowed for place, allowed in wanted))

    def rate(name: str) -> Rate:
        metric = METRICS[name]
        assert isinstance(metric.obtained, Ratio)
        mode_of = dict.fromkeys(metric.labels, mode.value)
        count, of = total(metric.obtained.numerator, mode_of), total(metric.obtained.denominator, mode_of)
        return Rate(name, count, of, *(wilson(count, of) or (None, None)))

    return Evidence(
        workflow=workflow.name,
        level=level,
        mode=mode,
        version=_version(workflow, as_of),
        since=standing_since(workflow, as_of, surroundings),
        as_of=as_of,
        rates=tuple(rate(name) for name in RATES),
    )


def _version(workflow: Workflow, as_of: Instant) -> str | None:
    deployed = [
        (at, change.id, change.version)
        for change in workflow.changes
        if (at := change.deployed_at) is not None and at <= as_of and change.version and change.environment == PRODUCTION
    ]
    return max(deployed)[2] if deployed else None
