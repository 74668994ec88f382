"""How alike two values of an attribute are, 0 to 1, by the attribute's configured type (definitions, section 1)."""

from functools import lru_cache

from rollout_metrics.domain.events import members_of
from rollout_metrics.domain.policy import AttributeType
from rollout_metrics.domain.pseudonyms import words_of


def similarity(kind: AttributeType, one: str | None, other: str | None) -> float:
    """1 for equal values (texts: of equal word multisets; multi-valued: of equal members), 0 between null and any other value."""
    if one == other:
        return 1.0
    if one is None or other is None:
        return 0.0
    if kind is AttributeType.TEXT:
        return _dice(one, other)
    if kind is AttributeType.MULTI:
        return _jaccard(one, other)
    return 0.0


@lru_cache(maxsize=1024)
def _dice(one: str, other: str) -> float:
    """Sørensen-Dice over word multisets; two texts without any word are alike."""
    first, second = words_of(one), words_of(other)
    total = first.total() + second.total()
    return 2 * (first & second).total() / total if total else 1.0


def _jaccard(one: str, other: str) -> float:
    first, second = members_of(one), members_of(other)
    return len(first & second) / len(first | second) if first or second else 1.0
