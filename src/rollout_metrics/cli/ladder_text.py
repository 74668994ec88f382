"""What the verbs of the ladder print, as tables and as JSON."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import msgspec

from rollout_metrics.cli.drawn import Layout
from rollout_metrics.cli.talk import data, say, table
from rollout_metrics.derive.gates import Assessment, Gate, Promotion
from rollout_metrics.derive.shadow import NOT_SAID, Comparison
from rollout_metrics.derive.standing import LevelStep
from rollout_metrics.domain.time import Instant, format_instant
from rollout_metrics.overview.written import between, ratio
from rollout_metrics.stats.anytime import Verdict

if TYPE_CHECKING:
    from rollout_metrics.domain.policy import Level

Value = dict[str, Any]

GATE_COLUMNS = ("workflow", "to", "gate", "verdict", "value", "interval", "limit", "n", "missing", "why")
GATE_LAYOUT = Layout(right=frozenset(("value", "limit", "n", "missing")), heads=2, spare=("value", "limit", "n", "interval"))


def failed(found: Assessment) -> bool:
    """Whether a gate fails: of the next level, or of the present one."""
    return any(gate.verdict is Verdict.FAIL for gate in (*found.gates, *found.staying))


def show_gates(found: list[Assessment]) -> None:
    """A table of every gate; what each workflow stands at and what is proposed is talk."""
    table(GATE_COLUMNS, [row for item in found for row in _gate_rows(item)], GATE_LAYOUT)
    for item in found:
        say(f"{item.workflow}: {_name(item.level)} since {_when(item.level_since)}; {item.proposal.value}: {item.why}")


def _gate_rows(found: Assessment) -> Iterator[tuple[str, ...]]:
    for level, gates in ((found.to, found.gates), (found.level, found.staying)):
        for gate in gates:
            yield (found.workflow, f"stay {_name(level)}" if gates is found.staying else _name(level), gate.name, gate.verdict.value, *_numbers(gate), gate.why)


def _numbers(gate: Gate) -> tuple[str, str, str, str, str]:
    return (
        "-" if gate.ratio is None else ratio(gate.ratio),
        _between(gate.lower, gate.upper),
        "-" if gate.limit is None else ratio(gate.limit),
        "-" if gate.cases is None else f"{gate.cases:,}",
        "-" if gate.missing is None else f"{gate.missing:,}",
    )


def gate_values(gate: Gate) -> Value:
    """A gate as JSON has it."""
    return {name: value.value if isinstance(value, Verdict) else value for name, value in msgspec.structs.asdict(gate).items()}


def assessment_values(found: Assessment) -> Value:
    """An assessment as JSON has it."""
    return {
        "workflow": found.workflow,
        "as_of": format_instant(found.as_of),
        "level": _name(found.level),
        "level_since": _instant(found.level_since),
        "evidence_since": _instant(found.since),
        "version": found.version,
        "to": None if found.to is None else _name(found.to),
        "proposal": found.proposal.value,
        "why": found.why,
        "gates": [gate_values(gate) for gate in found.gates],
        "staying": [gate_values(gate) for gate in found.staying],
    }


def ladder_values(found: Assessment | None, workflow: str, steps: list[LevelStep], frozen: tuple[Promotion, ...]) -> Value:
    """A workflow's history of levels with the promotions frozen, as JSON has it."""
    return {
        "workflow": workflow,
        "steps": [{"at": format_instant(step.at), "before": _name(step.before), "after": _name(step.after), "changes": list(step.changes)} for step in steps],
        "promotions": [
            {
                "change": item.change,
                "deployed_at": format_instant(item.deployed_at),
                "before": _name(item.before),
                "to": _name(item.to),
                "forced": item.forced,
                "why": item.why,
                "gates": [gate_values(gate) for gate in item.gates],
            }
            for item in frozen
        ],
        "proposal": None if found is None else {"proposal": found.proposal.value, "why": found.why},
    }


LADDER_COLUMNS = ("workflow", "at", "before", "after", "by", "forced", "why")
LADDER_LAYOUT = Layout(heads=1, below=frozenset(("why",)))

_ERROR_LAYOUT = Layout(right=frozenset(("n", "cost of each")), below=frozenset(("cases",)))


def ladder_rows(workflow: str, steps: list[LevelStep], frozen: tuple[Promotion, ...]) -> Iterator[tuple[str, ...]]:
    """The same as rows: every step; frozen promotions whose record is gone or says otherwise now stay among them."""
    rows = [(item.deployed_at, item.before, item.to, item.change, "forced" if item.forced else "-", item.why) for item in frozen]
    known = {item.change for item in frozen}
    rows += [(step.at, step.before, step.after, ", ".join(step.changes) or "configuration", "-", "-") for step in steps if not known & set(step.changes)]
    for at, before, after, by, forced, why in sorted(rows, key=lambda row: (row[0], row[3])):
        yield workflow, format_instant(at), _name(before), _name(after), by, forced, why


def show_comparison(found: Comparison) -> None:
    """Agreement by action, what was confused with what, and the errors by what they cost."""
    table(
        ("action", "agreement", "interval", "agreed", "n"),
        [(a.action, _share(a.agreed, a.decided), _between(a.lower, a.upper), f"{a.agreed:,}", f"{a.decided:,}") for a in found.actions],
        Layout(right=frozenset(("agreement", "agreed", "n"))),
    )
    data("")
    confusion = [(a.action, p or "-", g or "-", f"{n:,}") for a in found.actions for p, g, n in a.confusion]
    table(("action", "agent proposed", "people did", "n"), confusion, Layout(right=frozenset(("n",))))
    data("")
    errors = [
        (
            e.action,
            e.proposed or "-",
            e.given or NOT_SAID,
            f"{e.count:,}",
            f"{e.cost:g}",
            "dangerous" if e.dangerous else "cheap",
            " ".join(map("/".join, e.cases)),
        )
        for e in found.errors
    ]
    table(("action", "agent proposed", "people did", "n", "cost of each", "error", "cases"), errors, _ERROR_LAYOUT)
    handed = found.escalations
    say(f"{found.workflow}: {found.agreed:,} of {found.decided:,} agreed, {found.cheap:,} cheap and {found.dangerous:,} dangerous errors, cost {found.cost:g}")
    say(f"escalations: {handed.right:,} right, {handed.wrong:,} wrong, {handed.missed:,} missed, {handed.unsaid:,} of which nobody said")


def comparison_values(found: Comparison) -> Value:
    """A comparison as JSON has it."""
    values: Value = msgspec.to_builtins(found)
    for action in values["actions"]:
        action["confusion"] = [{"proposed": p, "given": g, "count": n} for p, g, n in action["confusion"]]
    for error in values["errors"]:
        error["cases"] = ["/".join(case) for case in error["cases"]]
    return values | {"after": format_instant(found.after), "up_to": format_instant(found.up_to)}


def _share(count: int, total: int) -> str:
    return ratio(count / total) if total else "-"


def _between(lower: float | None, upper: float | None) -> str:
    return "-" if lower is None or upper is None else between(ratio(lower), ratio(upper))


def _name(level: "Level | None") -> str:
    return "-" if level is None else level.name.lower()


def _when(at: Instant | None) -> str:
    return "the beginning" if at is None else format_instant(at)


def _instant(at: Instant | None) -> str | None:
    return None if at is None else format_instant(at)
