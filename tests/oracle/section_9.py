"""The warning signs of section 9, written down once more from their text and from ADR 12 alone."""

from collections import Counter
from collections.abc import Iterator
from fractions import Fraction
from math import sqrt

from oracle.sections_4_to_8 import DAY, Case, Oracle, Z, value_after
from rollout_metrics.config.workflow import WorkflowOptions
from rollout_metrics.domain.facts import Recommendation

W = 28 * DAY
CATCH_ALL = ("other", "edge case", "misc", "unspecified")


def put_signs(oracle: Oracle, workflow: WorkflowOptions, mine: list[Case]) -> None:
    """Every sign of a workflow that can be told."""
    told = {
        "unclear_escalation": unclear(oracle, workflow, mine),
        "edge_case_everything": edge_case(oracle, mine),
        "failure_talk": talk(oracle, mine),
        "private_cleanup": cleanup(oracle, mine),
    }
    if oracle.enough(workflow, W):
        told["watched_trust"] = watched(oracle, mine)
        if len(operators_before(oracle, workflow)) >= oracle.settings.privacy.min_operators:
            told["review_outgrows_throughput"] = outgrown(oracle, mine)
    for sign, there in told.items():
        if there is not None:
            oracle.put("warning_sign", there, workflow=workflow.name, sign=sign)


def escalations(oracle: Oracle, mine: list[Case]) -> Iterator[tuple[str, str | None]]:
    """Reason and owner of those raised in the window."""
    for case in mine:
        for item in case.escalations:
            if oracle.within(item.raised, W):
                assert case.workflow is not None
                owner = value_after(case.events, len(case.events), case.workflow.escalation.owner_attribute)
                yield oracle.reason_of(case, item), None if owner in oracle.company.agents else owner


def unclear(oracle: Oracle, workflow: WorkflowOptions, mine: list[Case]) -> bool | None:
    """Too many without reason or owner, or a reason that leads nowhere."""
    found = list(escalations(oracle, mine))
    for reason, _ in found:
        path = workflow.escalation.paths.get(reason)
        if reason != "unspecified" and (path is None or not path.owner or not path.next_step):
            return True
    without = [1 for reason, owner in found if reason == "unspecified" or not owner]
    return Fraction(len(without), len(found)) > Fraction(10, 100) if len(found) >= 20 else None


def edge_case(oracle: Oracle, mine: list[Case]) -> bool | None:
    """Most reasons say nothing."""
    reasons = [" ".join(reason.casefold().replace("-", " ").replace("_", " ").split()) for reason, _ in escalations(oracle, mine)]
    return 2 * sum(reason in CATCH_ALL for reason in reasons) > len(reasons) if len(reasons) >= 20 else None


def live(case: Case, *outcomes: str) -> list[Recommendation]:
    """Live recommendations with one of these outcomes."""
    return [item for item in case.recommended if item.mode == "live" and item.outcome in outcomes]


def talk(oracle: Oracle, mine: list[Case]) -> bool | None:
    """A failed case with more than fifty times the comments of an accepted one."""
    comments: dict[bool, list[int]] = {True: [], False: []}
    for case in mine:
        decided = live(case, "accepted", "edited", "overridden")
        if decided and oracle.within(max(item.decided_at or 0 for item in decided), W):
            number = sum(e.activity == "commented" and e.occurred_at >= case.scoped for e in case.events)
            if live(case, "overridden"):
                comments[False].append(number)
            elif live(case, "accepted"):
                comments[True].append(number)
    if not comments[True]:
        return None
    usual = sorted(comments[True])[(len(comments[True]) - 1) // 2]
    return max(comments[False], default=0) > 50 * max(1, usual)


def cleanup(oracle: Oracle, mine: list[Case]) -> bool | None:
    """Too many assisted cases were put right."""
    assisted = [case for case in mine if case.handling is not None and case.handling[0] in ("assisted", "redone") and oracle.within(case.handling[1], W)]
    right = [case for case in assisted if case.handling is None or case.handling[0] == "redone" or any(r.how == "reversed" for r in case.recommended)]
    return Fraction(len(right), len(assisted)) > Fraction(1, 10) if len(assisted) >= 20 else None


def wilson(k: int, n: int) -> tuple[float, float]:
    """The interval of a share."""
    p = k / n
    middle, half = p + Z * Z / (2 * n), Z * sqrt(p * (1 - p) / n + Z * Z / (4 * n * n))
    return (middle - half) / (1 + Z * Z / n), (middle + half) / (1 + Z * Z / n)


def watched(oracle: Oracle, mine: list[Case]) -> bool | None:
    """The busiest decides most, and accepts more than all others."""
    decided: Counter[str] = Counter()
    accepted: Counter[str] = Counter()
    for case in mine:
        for item in live(case, "accepted", "edited", "overridden"):
            if item.decider is not None and oracle.within(item.decided_at, W):
                decided[item.decider] += 1
                accepted[item.decider] += item.outcome == "accepted" and item.how in ("approved", "applied", "progressed")
    total = decided.total()
    if not total:
        return None
    ((busiest, most),) = decided.most_common(1)
    if 2 * most <= total:
        return False
    if most == total:
        return None
    return wilson(accepted[busiest], most)[0] > wilson(accepted.total() - accepted[busiest], total - most)[1]


def operators_before(oracle: Oracle, workflow: WorkflowOptions) -> set[str]:
    """Distinct operators whose last event on some case lies in the 28 days before the window."""
    last: dict[tuple[tuple[str, str], str], int] = {}
    for case, e in oracle.every:
        if case.workflow is workflow and e.occurred_at >= case.scoped and e.actor_id is not None and oracle.kind(e) == "operator":
            last[case.key, e.actor_id] = max(e.occurred_at, last.get((case.key, e.actor_id), 0))
    return {operator for (_, operator), at in last.items() if oracle.t - 2 * W < at <= oracle.t - W}


def outgrown(oracle: Oracle, mine: list[Case]) -> bool | None:
    """Review effort grew by more than a fifth more than what comes of it."""
    done, cases, effort = [0, 0], {"measured": [0, 0], "estimated": [0, 0]}, {"measured": [Fraction(0)] * 2, "estimated": [Fraction(0)] * 2}

    def half(at: int | None) -> int | None:
        return 1 if oracle.within(at, W) else 0 if oracle.within(at, 2 * W) else None

    for case in mine:
        for item in live(case, "accepted", "unreviewed"):
            when = half(item.decided_at)
            if when is not None:
                done[when] += 1
        looked = oracle.explicit(case)
        if looked:
            when = half(max(r.first_decided_at or 0 for r in looked))
            if when is not None:
                inside = [e for e in case.events if any(r.opened_at < e.occurred_at <= (r.first_decided_at or 0) for r in looked)]
                basis, seconds = oracle.effort(case, inside)
                cases[basis][when] += 1
                effort[basis] = [total + seconds * (place == when) for place, total in enumerate(effort[basis])]
    if min(done) < 20:
        return None
    grown = [
        effort[basis][1] / effort[basis][0] > Fraction(6, 5) * Fraction(done[1], done[0])
        for basis in cases
        if min(cases[basis]) >= 20 and min(effort[basis]) > 0
    ]
    return any(grown) if grown else None
