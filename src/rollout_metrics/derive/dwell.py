"""Whether an operator looked before agreeing: decisions that followed too fast upon what came before (rubber stamp: definitions, section 4)."""

from collections.abc import Mapping, Sequence

from rollout_metrics.domain.events import CaseKey
from rollout_metrics.domain.facts import Recommendation
from rollout_metrics.domain.time import Instant, Span

AGREEING_ROWS = frozenset((2, 4))
"""Rows of the outcome table in which an operator takes the agent's value as it is."""


def glanced(decisions: Sequence[tuple[CaseKey, Recommendation]], previous_at: Instant | None, glance: Mapping[str, Span]) -> list[bool]:
    """For each first decision that one operator made explicitly at one instant: was its dwell under its workflow's `glance`?

    `decisions` are all of that operator's at that instant, on any case; `previous_at` is the operator's last event at an earlier instant on any case, None
    if there is none or the operator is unknown: then each item knows it. Only rows 2 and 4 can be glanced at. The time is shared by the cases, not by the
    recommendations: one look at a case serves all that is decided there.
    """
    cases = len({case for case, _ in decisions})
    return [item.row in AGREEING_ROWS and _elapsed(item, previous_at) < glance[item.workflow] * cases for _, item in decisions]


def _elapsed(item: Recommendation, previous_at: Instant | None) -> Span:
    assert item.first_decided_at is not None
    return item.first_decided_at - max([item.opened_at, *(at for at in (previous_at, item.stranger_before) if at is not None)])
