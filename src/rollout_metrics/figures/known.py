"""What is known of an agent as it is now, out of the counts since then: what its gates ask for."""

from rollout_metrics.catalog import TALLIES
from rollout_metrics.catalog.gates import EVIDENCE
from rollout_metrics.catalog.metric import Part
from rollout_metrics.derive.gates import Known
from rollout_metrics.domain.changes import PRODUCTION, ChangeKind
from rollout_metrics.domain.facts import Mode, ViolationKind
from rollout_metrics.domain.policy import Level, Workflow
from rollout_metrics.domain.time import DAY, Instant
from rollout_metrics.figures.since import Since
from rollout_metrics.figures.situation import Situation
from rollout_metrics.figures.windows import Sums, Windows

LATELY = 28 * DAY
"""How long violations and runs of the evaluation suite speak."""

GRAVE = frozenset((ViolationKind.FORBIDDEN.value, ViolationKind.OUT_OF_SCOPE.value, ViolationKind.UNAPPROVED.value))
"""Violations that close a gate."""

COVERED = ("linked", "versioned")
"""Kinds of coverage that events tell; the others are the sources' own."""


def known(workflow: Workflow, as_of: Instant, since: Since, windows: Windows, situation: Situation, open_failures: int) -> Known:  # noqa: PLR0917
    """All of it as of T. `windows` hold at least (T - LATELY, T]."""
    name, start = workflow.name, since.start(workflow.name)
    lately = windows.sums(name, LATELY, "violations")
    # a run of the suite speaks for the version it was run on, and not for ever
    runs = since.sums(name, "evaluations") if start is not None and start >= as_of - LATELY else windows.sums(name, LATELY, "evaluations")
    return Known(
        as_of=as_of,
        level=situation.level_standing,
        level_since=situation.level_since,
        since=start,
        rates={
            gate: (counted(since, name, how.numerator, situation.level_standing), counted(since, name, how.denominator, situation.level_standing))
            for gate, how in EVIDENCE.items()
        },
        violations=sum(total for (kind,), total in lately.items() if kind in GRAVE),
        open_failures=open_failures,
        evaluations=(runs.get(("true",), 0), sum(runs.values())),
        lacks=_lacks(workflow, as_of, situation.level_standing),
        coverage={**situation.coverage, **{kind: seen_of(since.sums(name, kind)) for kind in COVERED}},
        sources_stale=situation.sources_stale,
        signs=situation.signs,
    )


def seen_of(sums: Sums) -> tuple[int, int]:
    """How many of how many a kind of coverage sees."""
    return sums.get(("true",), 0), sum(sums.values())


def counted(since: Since, workflow: str, part: Part, level: Level) -> int:
    """A part of a tally since the start; of decisions those of the level's mode."""
    return matching(part, since.sums(workflow, part.tally), mode_at(level))


def matching(part: Part, sums: Sums, mode: Mode) -> int:
    """A part of a tally's sums; where the tally tells modes apart, of one."""
    labels = TALLIES[part.tally].labels
    wanted = [(labels.index(label), values) for label, values in part.where]
    if "mode" in labels:
        wanted.append((labels.index("mode"), frozenset((mode.value,))))
    return sum(amount for values, amount in sums.items() if all(values[place] in allowed for place, allowed in wanted))


def mode_at(level: Level) -> Mode:
    """The mode of what is recommended at a level."""
    return Mode.LIVE if level > Level.SHADOW else Mode.SHADOW


def version_deployed(workflow: Workflow, as_of: Instant) -> str | None:
    """The version of the change deployed last, None where no record names one."""
    deployed = [
        (change.deployed_at, change.id, change.version)
        for change in workflow.changes
        if change.version and change.environment == PRODUCTION and change.deployed_at is not None and change.deployed_at <= as_of
    ]
    return max(deployed)[2] if deployed else None


def _lacks(workflow: Workflow, as_of: Instant, level: Level) -> int | None:
    """What the record deployed last and those that propose the next level lack; None where there is no record of either kind."""
    own = [change for change in workflow.changes if change.environment == PRODUCTION and change.proposed_at <= as_of]
    deployed = [(change.deployed_at, change.id, change.lacks) for change in own if change.deployed_at is not None and change.deployed_at <= as_of]
    proposed = [c.lacks for c in own if c.kind is ChangeKind.LEVEL and c.level == level + 1 and (c.deployed_at is None or c.deployed_at > as_of)]
    found = [*proposed, *([max(deployed)[2]] if deployed else [])]
    return sum(found) if found else None
