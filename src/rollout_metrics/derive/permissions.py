"""How the authority an agent has differs from one record to the next: list by list and action by action, with conditions."""

from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from enum import StrEnum
from operator import le, lt

import msgspec

from rollout_metrics.derive.authority import SAME_WORD, SIZES
from rollout_metrics.domain.policy import Condition, Grant
from rollout_metrics.domain.records import AuthorityList, Lists

Terms = tuple[tuple[Condition, ...], ...]
"""Alternatives, each a set of conditions that must all hold; `((),)` is always. In order, so that equal terms are equal values."""


class Shift(StrEnum):
    """How an action's place on a list changed. `loosened`: by that list the agent may do more, `tightened`: less; `changed`: neither says it all."""

    ADDED = "added"
    REMOVED = "removed"
    LOOSENED = "loosened"
    TIGHTENED = "tightened"
    CHANGED = "changed"


class Difference(msgspec.Struct, frozen=True):
    """What became of one action on one list; no terms where it does not stand on it."""

    action: str
    list: AuthorityList
    shift: Shift
    before: Terms
    after: Terms
    widens: bool | None
    """Whether the agent may do more by it, with or without asking; when in doubt True, None where it may do more here and less there."""


def difference(before: Lists, after: Lists) -> tuple[Difference, ...]:
    """By action, then list. Empty where both allow the same, however it is written and in whatever order."""
    old, new = ({place: _terms(lists.of(place)) for place in AuthorityList} for lists in (before, after))
    actions = sorted({action for lists in (old, new) for terms in lists.values() for action in terms})
    found = (
        _difference(action, place, _Place(*(lists[of].get(action, ()) for of in (place, AuthorityList.AUTOMATIC) for lists in (old, new))))
        for action in actions
        for place in AuthorityList
    )
    return tuple(item for item in found if item is not None)


def in_words(terms: Terms) -> str:
    """Terms as people write them."""
    if () in terms:
        return "always"
    return " or ".join(" and ".join(f"{c.attribute} {c.operator} {', '.join(c.operands)}" for c in conditions) for conditions in terms)


def _terms(grants: Iterable[Grant]) -> Mapping[str, Terms]:
    found: dict[str, set[tuple[Condition, ...]]] = {}
    for grant in grants:
        conditions = {Condition(c.attribute, c.operator, tuple(sorted(set(c.operands)))) for c in grant.when}
        found.setdefault(grant.action, set()).add(tuple(sorted(conditions, key=_key)))
    return {action: tuple(sorted(terms, key=lambda term: (len(term), [_key(c) for c in term]))) for action, terms in found.items()}


def _key(condition: Condition) -> tuple[str, str, tuple[str, ...]]:
    return condition.attribute, condition.operator, condition.operands


class _Place(msgspec.Struct, frozen=True):
    """What one list says of an action, and what the automatic one does."""

    before: Terms
    after: Terms
    automatic_before: Terms
    automatic_after: Terms


def _difference(action: str, place: AuthorityList, terms: _Place) -> Difference | None:
    grows, shrinks = not _covers(terms.before, terms.after), not _covers(terms.after, terms.before)
    if not grows and not shrinks:
        return None
    return Difference(
        action, place, _shift(place, terms, grows=grows, shrinks=shrinks), terms.before, terms.after, _widens(place, terms, grows=grows, shrinks=shrinks)
    )


def _shift(place: AuthorityList, terms: _Place, *, grows: bool, shrinks: bool) -> Shift:
    if not terms.before or not terms.after:
        return Shift.ADDED if terms.after else Shift.REMOVED
    if grows and shrinks:
        return Shift.CHANGED
    if place is AuthorityList.APPROVAL and _meet(terms.automatic_before + terms.automatic_after, terms.before + terms.after):
        return Shift.CHANGED
    return Shift.LOOSENED if grows is not (place is AuthorityList.FORBIDDEN) else Shift.TIGHTENED


def _widens(place: AuthorityList, terms: _Place, *, grows: bool, shrinks: bool) -> bool | None:
    """An approval comes before an automatic grant: what needs one no longer may be done without asking, where it is automatic as well."""
    if grows and shrinks:
        return None
    if place is AuthorityList.APPROVAL:
        return not _covers(terms.automatic_before, terms.after) if grows else _meet(terms.automatic_after, terms.before)
    return grows is not (place is AuthorityList.FORBIDDEN)


def _meet(some: Terms, others: Terms) -> bool:
    """Whether there may be an act for which both hold."""
    return any(not any(_apart(one, other) for one in term for other in alternative) for term in some for alternative in others)


def _apart(one: Condition, other: Condition) -> bool:
    """Whether two conditions surely never hold together; other words do, on an attribute of several values."""
    if one.attribute != other.attribute:
        return False
    if one.operator in SIZES and other.operator in SIZES and one.operator[0] != other.operator[0]:
        below, above = (one, other) if one.operator[0] == "<" else (other, one)
        most, least = Decimal(below.operands[0]), Decimal(above.operands[0])
        return most < least or (most == least and not (below.operator == "<=" and above.operator == ">="))
    if {one.operator, other.operator} <= {"=", "in", "!="} and (one.operator == "!=") is not (other.operator == "!="):
        barred, wanted = (one, other) if one.operator == "!=" else (other, one)
        return _words(wanted) <= _words(barred)
    return False


def _covers(wide: Terms, narrow: Terms) -> bool:
    """Whether `wide` surely holds wherever `narrow` does: each of its alternatives lies within one of the other's."""
    return all(any(all(any(_implies(given, wanted) for given in term) for wanted in other) for other in wide) for term in narrow)


def _implies(given: Condition, wanted: Condition) -> bool:
    """Whether a condition that holds makes another hold, as acts are judged: words by membership, sizes as numbers, multi-valued attributes too."""
    if given.attribute != wanted.attribute:
        return False
    if given.operator in SIZES and wanted.operator in SIZES:
        if given.operator[0] != wanted.operator[0]:
            return False
        least, most = Decimal(given.operands[0]), Decimal(wanted.operands[0])
        if given.operator[0] == ">":
            least, most = -least, -most
        within: Callable[[Decimal, Decimal], bool] = lt if len(given.operator) > len(wanted.operator) else le
        return within(least, most)
    if given.operator in SIZES or wanted.operator in SIZES or (given.operator == "!=") is not (wanted.operator == "!="):
        return False
    return _words(given) <= _words(wanted)


def _words(condition: Condition) -> set[str]:
    return {SAME_WORD.get(operand, operand) for operand in condition.operands}
