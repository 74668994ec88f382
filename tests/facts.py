"""Short ways for tests to say facts, and Hypothesis strategies of any facts; instants are offsets from T0 like `1h30m`."""

from typing import Any

from hypothesis import strategies as st

from builders import T0, after
from rollout_metrics.catalog.tallies import HOWS
from rollout_metrics.domain.facts import (
    DECIDED,
    Act,
    Blocked,
    CaseSummary,
    Effort,
    Escalated,
    EscalationState,
    Evaluated,
    Handling,
    HandlingKind,
    Mode,
    Outcome,
    Recommendation,
    ReferenceValue,
    Used,
    Violation,
    ViolationKind,
)
from rollout_metrics.domain.time import DAY, HOUR, SECOND, Instant

_ROWS = {
    "approved": 2,
    "applied": 4,
    "progressed": 5,
    "kept": 9,
    "matched": 10,
    "edited": 6,
    "rejected": 1,
    "undone": 3,
    "changed": 7,
    "mismatch": 11,
    "reversed": 2,
}
_SETTLED_LATE = (Outcome.ACCEPTED, Outcome.EDITED, Outcome.UNREVIEWED)
WAY_BACK = 40 * DAY


def _at(offset: str | int | None) -> Instant | None:
    return None if offset is None else after(offset)


def recommended(opened: str | int = 0, outcome: str = "pending", how: str | None = None, decided: str | int | None = None, /, **fields: Any) -> Recommendation:
    """A live recommendation `w` opened and decided at these offsets; settled at once where its outcome does."""
    decided_at = _at(decided)
    given: dict[str, Any] = {
        "workflow": "w",
        "action": "set:priority",
        "opened": ("desk", f"o{opened}"),
        "opened_at": after(opened),
        "mode": Mode.LIVE,
        "asked": True,
        "acted_at": None,
        "outcome": Outcome(outcome),
        "how": how,
        "row": _ROWS.get(how or "", 0),
        "provisional": False,
        "decided_at": decided_at,
        "first_decided_at": decided_at,
        "ended_at": None,
        "settled_at": decided_at if Outcome(outcome) not in _SETTLED_LATE else None,
        "decider": None,
        "deciding": None,
        "version": None,
        "category": None,
        "value": None,
        "standing": None,
        "evidence": (("desk", f"o{opened}"),),
    }
    return Recommendation(**given | fields)


def acted(at: str | int = 0, /, *, judged: str = "3d", **fields: Any) -> Act:
    """An act at an offset, judged at another."""
    given = {"workflow": "w", "action": "set:priority", "at": after(at), "judged_at": after(judged), "corrected": False, "edited": False, "reversed_at": None}
    return Act(**given | {"evidence": (("desk", f"a{at}"),)} | fields)


def escalated(raised: str | int = 0, *, acknowledged: str | None = None, resolved: str | None = None, ended: str | None = None, **fields: Any) -> Escalated:
    """An escalation with a target of 4 h; working time is all time."""
    raised_at, acknowledged_at, resolved_at, ended_at = after(raised), _at(acknowledged), _at(resolved), _at(ended)
    until = acknowledged_at or resolved_at or ended_at
    states = ((resolved_at, EscalationState.RESOLVED), (ended_at, EscalationState.ENDED), (acknowledged_at, EscalationState.ACKNOWLEDGED))
    given: dict[str, Any] = {
        "workflow": "w",
        "raised_at": raised_at,
        "reason": "unspecified",
        "owned": True,
        "owner_team": None,
        "target": 4 * HOUR,
        "acknowledged_at": acknowledged_at,
        "resolved_at": resolved_at,
        "ended_at": ended_at,
        "state": next((state for at, state in states if at is not None), EscalationState.WAITING),
        "worked": None if until is None else until - raised_at,
        "breach_at": raised_at + 4 * HOUR,
        "evidence": (("desk", f"s{raised}"),),
    }
    return Escalated(**given | fields)


def case(scoped: str | int = 0, *, handled: str | None = None, closed: str | None = None, seconds: float | None = None, **fields: Any) -> CaseSummary:
    """A case's summary; `seconds` is the estimated effort until it closed."""
    scoped_at, handled_at = after(scoped), _at(handled)
    given: dict[str, Any] = {
        "workflow": "w",
        "scoped_at": scoped_at,
        "handled_at": handled_at,
        "judged_at": None if handled_at is None else handled_at + 3 * DAY,
        "escalated_in_cohort": False,
        "complained_in_cohort": False,
        "escalated": False,
        "closed_at": _at(closed),
        "ended_at": None,
        "effort": None if seconds is None else Effort(seconds, "estimated"),
        "review_effort": None,
        "reviewed_at": None,
        "touched": True,
        "drop_judged_at": scoped_at + 3 * DAY,
        "agent_involved": handled_at is not None,
        "assisted": False,
        "should_escalate": None,
        "operators": (),
        "first_agent_at": None,
        "evidence": (("desk", f"c{scoped}"),),
    }
    return CaseSummary(**given | fields)


def crowd(at: str | int, number: int = 5) -> CaseSummary:
    """A case on which so many operators last did something at an offset: enough for figures about operators to be shown."""
    return case(at, operators=tuple((f"op-{n}", after(at)) for n in range(number)))


def handled(at: str | int = 0, handling: str = "assisted", **fields: Any) -> Handling:
    """A handling at an offset."""
    given = {"workflow": "w", "handling": HandlingKind(handling), "at": after(at), "scoped_at": after(at), "presence": None, "evidence": (("desk", f"h{at}"),)}
    return Handling(**given | fields)


_NAMES = st.sampled_from(("w", "v", "none"))
_INSTANTS = st.integers(T0 - WAY_BACK, T0 + 4 * DAY)
_SPANS = st.sampled_from((0, 1, 4 * SECOND, 59 * SECOND, HOUR, 30 * HOUR, 9 * DAY)) | st.integers(0, 20 * DAY)
_EVIDENCE = st.integers(0, 30).map(lambda n: (("desk", f"e{n}"),))
_EFFORTS = st.none() | st.builds(Effort, st.floats(0, 1e5), st.sampled_from(("measured", "estimated")))


@st.composite
def _recommendations(draw: st.DrawFn) -> Recommendation:
    outcome = draw(st.sampled_from(tuple(Outcome)))
    opened_at, wait = draw(_INSTANTS), draw(_SPANS)
    decided_at = None if outcome is Outcome.PENDING else opened_at + wait
    how = draw(st.sampled_from(HOWS[outcome])) if outcome in DECIDED else None
    opened = ("desk", f"o{draw(st.integers(0, 5))}")
    return recommended(
        0,
        outcome.value,
        how,
        workflow=draw(_NAMES),
        opened=opened,
        opened_at=opened_at,
        decided_at=decided_at,
        first_decided_at=decided_at,
        mode=draw(st.sampled_from(tuple(Mode))),
        asked=draw(st.booleans()),
        provisional=outcome in (Outcome.IGNORED, Outcome.UNREVIEWED) and draw(st.booleans()),
        settled_at=decided_at if draw(st.booleans()) else None,
        category=draw(st.sampled_from((None, "tone", "typed by hand"))),
        version=draw(st.sampled_from((None, "1"))),
        evidence=(opened,),
    )


@st.composite
def _acts(draw: st.DrawFn) -> Act:
    at, corrected = draw(_INSTANTS), draw(st.booleans())
    return acted(
        0,
        workflow=draw(_NAMES),
        at=at,
        judged_at=at + 3 * DAY,
        corrected=corrected,
        edited=not corrected and draw(st.booleans()),
        reversed_at=at + draw(_SPANS) if draw(st.booleans()) else None,
        evidence=draw(_EVIDENCE),
    )


@st.composite
def _escalations(draw: st.DrawFn) -> Escalated:
    raised_at, wait, more = draw(_INSTANTS), draw(_SPANS), draw(_SPANS)
    state = draw(st.sampled_from(tuple(EscalationState)))
    acknowledged = state is EscalationState.ACKNOWLEDGED or (state in (EscalationState.RESOLVED, EscalationState.ENDED) and draw(st.booleans()))
    return escalated(
        0,
        workflow=draw(_NAMES),
        raised_at=raised_at,
        reason=draw(st.sampled_from(("unspecified", "refund", "typed by hand"))),
        owned=draw(st.booleans()),
        acknowledged_at=raised_at + wait if acknowledged else None,
        resolved_at=raised_at + wait + more if state is EscalationState.RESOLVED else None,
        ended_at=raised_at + wait + more if state is EscalationState.ENDED else None,
        state=state,
        worked=None if state is EscalationState.WAITING else wait if acknowledged else wait + more,
        breach_at=raised_at + 4 * HOUR,
        evidence=draw(_EVIDENCE),
    )


@st.composite
def _cases(draw: st.DrawFn) -> CaseSummary:
    scoped_at, life = draw(_INSTANTS), draw(_SPANS)
    handled_at = scoped_at + draw(_SPANS) if draw(st.booleans()) else None
    closed = draw(st.booleans())
    review_effort = draw(_EFFORTS)
    return case(
        0,
        workflow=draw(_NAMES),
        scoped_at=scoped_at,
        handled_at=handled_at,
        judged_at=None if handled_at is None else handled_at + 3 * DAY,
        escalated_in_cohort=draw(st.booleans()),
        complained_in_cohort=draw(st.booleans()),
        escalated=draw(st.booleans()),
        closed_at=scoped_at + life if closed else None,
        ended_at=scoped_at + life if not closed and draw(st.booleans()) else None,
        effort=draw(_EFFORTS) if closed else None,
        review_effort=review_effort,
        reviewed_at=None if review_effort is None else scoped_at + life,
        touched=draw(st.booleans()),
        drop_judged_at=scoped_at + 3 * DAY,
        agent_involved=draw(st.booleans()),
        assisted=draw(st.booleans()),
        should_escalate=draw(st.sampled_from((None, True, False))),
        operators=tuple((f"op-{n}", scoped_at + life) for n in range(draw(st.integers(0, 3)))),
        evidence=draw(_EVIDENCE),
    )


def any_fact() -> st.SearchStrategy[Any]:
    """Any fact of workflows `w`, `v` or none."""
    dated = {"workflow": _NAMES, "at": _INSTANTS, "evidence": _EVIDENCE}
    return st.one_of(
        _recommendations(),
        _acts(),
        _escalations(),
        _cases(),
        st.builds(lambda at, **rest: ReferenceValue(at=at, judged_at=at + 3 * DAY, **rest), **dated, action=st.just("set:priority"), corrected=st.booleans()),
        st.builds(Handling, **dated, handling=st.sampled_from(tuple(HandlingKind)), scoped_at=_INSTANTS, presence=st.none()),
        st.builds(Violation, **dated, kind=st.sampled_from(tuple(ViolationKind)), action=st.just("close")),
        st.builds(Blocked, **dated, reason=st.sampled_from(("", "pii", "typed by hand")), action=st.none()),
        st.builds(Used, **dated, action=st.sampled_from(("close", "set:priority"))),
        st.builds(Evaluated, **dated, passed=st.booleans(), version=st.none()),
    )


def fact_sets(max_size: int = 6) -> st.SearchStrategy[tuple[Any, ...]]:
    """The facts of one case."""
    return st.lists(any_fact(), max_size=max_size).map(tuple)
