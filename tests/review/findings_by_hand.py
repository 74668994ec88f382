"""Reviews made by hand, and small worlds that are reviewed."""

from typing import Any

import msgspec

from rollout_metrics.derive.gates import Gate, Proposal
from rollout_metrics.domain.time import DAY, HOUR, SECOND, parse_instant
from rollout_metrics.overview import Tone
from rollout_metrics.review.compared import line
from rollout_metrics.review.said import (
    Course,
    Covered,
    Deployed,
    Exhibit,
    Fact,
    Findings,
    LevelMove,
    Number,
    Passage,
    Recommended,
    Review,
    Rise,
    Saving,
    Sighting,
    Span,
    Trouble,
)
from rollout_metrics.stats.anytime import Verdict
from rollout_metrics.stats.wilson import wilson

START, END = parse_instant("2026-07-01T00:00:00Z"), parse_instant("2026-10-01T00:00:00Z")
BEFORE = parse_instant("2026-04-01T00:00:00Z")


def rate(key: str, count: int, total: int, **labels: str) -> Number:
    """A rate with its interval."""
    bounds = wilson(count, total)
    if bounds is None:
        return Number(key=key, labels=labels, n=0)
    return Number(key=key, labels=labels, value=count / total, lower=bounds[0], upper=bounds[1], n=total)


def findings(workflow: str = "refunds", text: str = "wrong amount", **fields: Any) -> Findings:
    """A workflow's quarter with something of everything; `text` stands wherever somebody else's text can."""
    weeks = [Span(at, at + 7 * DAY, 3 + at // DAY % 4, 40) for at in range(BEFORE, END - 6 * DAY, 7 * DAY)]
    given: dict[str, Any] = {
        "workflow": workflow,
        "owner": text,
        "workflow_type": "support",
        "risk_tier": "high",
        "start": START,
        "end": END,
        "as_of": END,
        "recommended": Recommended(Proposal.HOLD, "Hold at 2 assisted", f"not passed: {text}", "2 assisted", "3 low risk autonomous", thin=False),
        "gates": (
            Gate("override", Verdict.FAIL, "12.0 % of 300, at most 10.0 %", limit=0.1, ratio=0.12, lower=0.101, upper=0.17, cases=300, missing=0),
            Gate("decisions", Verdict.INCONCLUSIVE, "300 decisions, at least 500", cases=300, wanted=500, missing=200),
            Gate("days", Verdict.PASS, "61 days of evidence, at least 28", cases=61, wanted=28, missing=0),
        ),
        "passages": (
            Passage(
                "Acceptance and override",
                (
                    line(rate("acceptance_ratio", 250, 300, mode="live"), rate("acceptance_ratio", 280, 300, mode="live")),
                    line(rate("override_ratio", 36, 300, mode="live"), rate("override_ratio", 12, 300, mode="live")),
                    line(rate("correction_ratio", 0, 0), rate("correction_ratio", 2, 9)),
                ),
            ),
            Passage(
                "Errors",
                (line(Number(key="errors", labels={"category": text}, value=7), Number(key="errors", labels={"category": text}, value=1)),),
                (f"Repeating: {text} (7 times).",),
            ),
        ),
        "savings": (Saving(basis="measured", hours=12.5, lower=8.0, upper=17.0, cases=210, money=525.0, before=4.0),),
        "economy": (f"Measured: 12.5 h saved net of review. {text}",),
        "levels": (LevelMove(START + 40 * DAY, "1 shadow", "2 assisted", text, forced=True, why=f"not passed: {text}"),),
        "deployed": (Deployed(START + 20 * DAY, text, text, "prompt", text, "failed, recovered", Tone.WARN, START + 21 * DAY, START + 22 * DAY, (text,)),),
        "troubles": (Trouble(START + 21 * DAY, text, "explicit", text, None, "javascript:alert(1)"),),
        "signs": (
            Sighting("unclear_escalation", seen=True, before=False, said="seen"),
            Sighting("failure_talk", seen=None, before=None, said="not enough evidence"),
        ),
        "rises": (Rise(signal="override", since=START + 21 * DAY, until=START + 24 * DAY, events=9, cases=40, expected=0.05, changes=(text,)),),
        "courses": (Course("override_ratio", "override", tuple(weeks)),),
        "marks": ((START + 20 * DAY, text),),
        "covered": Covered((line(rate("coverage_ratio", 99, 100, kind="linked"), rate("coverage_ratio", 90, 100, kind="linked")),), (text,)),
        "exhibits": (
            Exhibit(
                "override_ratio",
                ("desk", text),
                END - HOUR,
                f"live, overridden, {text}",
                (Fact(("desk", text), END - HOUR, "changed", "operator", text, text, "data:text/html,x"),),
                "https://desk.example/tickets/1",
            ),
        ),
    }
    return Findings(**(given | fields))


def review(*found: Findings) -> Review:
    """A review of the third quarter."""
    return Review(quarter="2026Q3", definitions=1, currency="EUR", pages_url="https://rollouts.example", findings=found or (findings(),))


def changed(found: Review, **fields: Any) -> Review:
    """The same with something else in its first workflow."""
    first, *rest = found.findings
    return msgspec.structs.replace(found, findings=(msgspec.structs.replace(first, **fields), *rest))


SIGNED_AT = END + 9 * DAY + 8 * HOUR + 30 * 60 * SECOND
