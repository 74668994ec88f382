"""Permission differences: what changed of what an agent may do, and whether it is more."""

from collections.abc import Iterable
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rollout_metrics.config.conditions import condition
from rollout_metrics.derive.permissions import Difference, Shift, difference, in_words
from rollout_metrics.domain.policy import Condition, Grant
from rollout_metrics.domain.records import AuthorityList, Lists

MIRRORED = {
    Shift.ADDED: Shift.REMOVED,
    Shift.REMOVED: Shift.ADDED,
    Shift.LOOSENED: Shift.TIGHTENED,
    Shift.TIGHTENED: Shift.LOOSENED,
    Shift.CHANGED: Shift.CHANGED,
}


def lists(automatic: Iterable[str] = (), approval: Iterable[str] = (), forbidden: Iterable[str] = ()) -> Lists:
    """Lists from texts such as `refund if amount <= 50 and regulated = no`."""
    return Lists(*(tuple(grant(text) for text in texts) for texts in (automatic, approval, forbidden)))


def grant(text: str) -> Grant:
    action, _, conditions = text.partition(" if ")
    return Grant(action, tuple(condition(part) for part in conditions.split(" and ")) if conditions else ())


def said(found: Iterable[Difference]) -> list[str]:
    """One line each: list, action, shift, and + for more, ? for more or less."""
    return [f"{item.list} {item.action} {item.shift}{'+' if item.widens else '?' if item.widens is None else ''}" for item in found]


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (lists(["refund"]), lists(["refund"]), []),
        (lists(["refund"]), lists(["refund", "close"]), ["automatic close added+"]),
        (lists(["refund"]), lists(), ["automatic refund removed"]),
        (lists(["refund if amount <= 50"]), lists(["refund if amount <= 100"]), ["automatic refund loosened+"]),
        (lists(["refund if amount <= 50"]), lists(["refund"]), ["automatic refund loosened+"]),
        (lists(["refund if amount < 50"]), lists(["refund if amount <= 50"]), ["automatic refund loosened+"]),
        (lists(["refund if amount >= 5"]), lists(["refund if amount > 5"]), ["automatic refund tightened"]),
        (lists(["refund if amount <= 50"]), lists(["refund if amount <= 50 and regulated = no"]), ["automatic refund tightened"]),
        (lists(["refund if amount <= 50"]), lists(["refund if amount <= 40", "refund if vip = yes"]), ["automatic refund changed?"]),
        (lists(["a if env = test"]), lists(["a if env in test, staging"]), ["automatic a loosened+"]),
        (lists(["a if env != test"]), lists(["a if env = prod"]), ["automatic a changed?"]),
        (lists(["a if flag = no"]), lists(["a if flag = false"]), []),
        (lists(["a if amount <= 50"]), lists(["a if amount <= 50.0"]), []),
        (lists(["a if x = 1 and y = 2"]), lists(["a if y = 2 and x = 1", "a if y = 2 and x = 1 and z = 3"]), []),
        (lists(forbidden=["delete"]), lists(), ["forbidden delete removed+"]),
        (lists(), lists(forbidden=["delete"]), ["forbidden delete added"]),
        (lists(forbidden=["refund if amount > 500"]), lists(forbidden=["refund if amount > 900"]), ["forbidden refund loosened+"]),
        (lists(forbidden=["refund if amount > 500"]), lists(forbidden=["refund if amount > 100"]), ["forbidden refund tightened"]),
        (lists(approval=["refund"]), lists(["refund"]), ["automatic refund added+", "approval refund removed+"]),
        (lists(["refund"]), lists(approval=["refund"]), ["automatic refund removed", "approval refund added"]),
        (lists(["refund"]), lists(["refund"], approval=["refund if amount > 50"]), ["approval refund added"]),
        (lists(["refund"], approval=["refund if amount > 50"]), lists(["refund"]), ["approval refund removed+"]),
        (lists(["refund"], approval=["refund if amount > 50"]), lists(["refund"], approval=["refund if amount > 90"]), ["approval refund changed+"]),
        (
            lists(["refund if amount <= 50"], approval=["refund if amount > 50"]),
            lists(["refund if amount <= 50"], approval=["refund if amount > 50 and vip = yes"]),
            ["approval refund tightened"],
        ),
        (lists(approval=["refund if amount < 5"]), lists(approval=["refund"]), ["approval refund loosened+"]),
    ],
)
def test_a_difference_says_what_changed_on_which_list_and_whether_it_is_more(before: Lists, after: Lists, expected: list[str]) -> None:
    assert said(difference(before, after)) == expected


def test_terms_read_as_people_write_them() -> None:
    (found,) = difference(lists(["refund if amount <= 50 and env in test, prod"]), lists(["refund if vip = yes", "refund if amount <= 60", "refund"]))

    assert (in_words(found.before), in_words(found.after)) == ("amount <= 50 and env in prod, test", "always")
    assert in_words(difference(lists(), lists(["a if x = 1", "a if y = 2"]))[0].after) == "x = 1 or y = 2"


sizes = st.builds(Condition, st.sampled_from(["amount", "risk"]), st.sampled_from(["<", "<=", ">", ">="]), st.integers(0, 3).map(lambda n: (str(n),)))
words = st.one_of(
    st.builds(Condition, st.sampled_from(["env", "risk"]), st.sampled_from(["=", "!="]), st.sampled_from(["yes", "true", "2"]).map(lambda w: (w,))),
    st.builds(Condition, st.just("env"), st.just("in"), st.lists(st.sampled_from(["yes", "true", "2", "x"]), min_size=1, max_size=3).map(tuple)),
)
grants = st.lists(st.builds(Grant, st.sampled_from(["refund", "close"]), st.lists(sizes | words, max_size=2).map(tuple)), max_size=3).map(tuple)
anything = st.builds(Lists, grants, grants, grants)
modest = settings(max_examples=100, deadline=None)


@modest
@given(anything, anything)
def test_the_difference_the_other_way_round_is_its_mirror_image(one: Lists, other: Lists) -> None:
    forth, back = difference(one, other), difference(other, one)

    assert [(d.action, d.list, MIRRORED[d.shift], d.after, d.before) for d in forth] == [(d.action, d.list, d.shift, d.before, d.after) for d in back]


@modest
@given(anything, st.randoms(use_true_random=False))
def test_lists_do_not_differ_from_themselves_in_any_order(one: Lists, random: Random) -> None:
    def shuffled(items: Iterable[Grant]) -> tuple[Grant, ...]:
        mixed = [Grant(item.action, tuple(random.sample(item.when, len(item.when)))) for item in items]
        random.shuffle(mixed)
        return tuple(mixed)

    other = Lists(*(shuffled(one.of(place)) for place in AuthorityList))

    assert difference(one, other) == ()


@modest
@given(anything, anything, st.randoms(use_true_random=False))
def test_order_and_repetition_change_no_difference(one: Lists, other: Lists, random: Random) -> None:
    mixed = Lists(*(tuple(random.sample(one.of(place) * 2, 2 * len(one.of(place)))) for place in AuthorityList))

    assert difference(mixed, other) == difference(one, other)


def holds(grants: Iterable[Grant], action: str, attributes: dict[str, str]) -> bool:
    """Whether a list has an act on it: written anew, in the plainest way, for single values."""
    return any(item.action == action and all(_met(wanted, attributes.get(wanted.attribute)) for wanted in item.when) for item in grants)


def _met(wanted: Condition, value: str | None) -> bool:
    same = {"yes": "true", "no": "false"}
    if wanted.operator in ("=", "in", "!="):
        among = value is not None and same.get(value, value) in {same.get(operand, operand) for operand in wanted.operands}
        return not among if wanted.operator == "!=" else among
    if value is None or not value.replace(".", "").isdigit():
        return False
    size, limit = float(value), float(wanted.operands[0])
    return {"<": size < limit, "<=": size <= limit, ">": size > limit, ">=": size >= limit}[wanted.operator]


def freedom(of: Lists, action: str, attributes: dict[str, str]) -> int:
    """How free the agent is in an act: not at all, with approval, on its own. The first list that applies counts."""
    if holds(of.of(AuthorityList.FORBIDDEN), action, attributes):
        return 0
    if holds(of.of(AuthorityList.APPROVAL), action, attributes):
        return 1
    return 2 if holds(of.of(AuthorityList.AUTOMATIC), action, attributes) else 0


values = st.fixed_dictionaries(
    {},
    optional={
        "amount": st.sampled_from(["0", "0.5", "1", "2", "3", "4"]),
        "risk": st.sampled_from(["0", "1", "2", "2.5", "yes", "no"]),
        "env": st.sampled_from(["yes", "true", "2", "x", "z"]),
    },
)


@settings(max_examples=400, deadline=None)
@given(anything, anything, st.sampled_from(["refund", "close"]), values)
def test_whatever_an_agent_may_newly_do_is_marked(before: Lists, after: Lists, action: str, attributes: dict[str, str]) -> None:
    found = [item for item in difference(before, after) if item.action == action]

    if freedom(after, action, attributes) > freedom(before, action, attributes):
        assert any(item.widens is not False for item in found)
