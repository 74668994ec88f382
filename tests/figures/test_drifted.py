"""Configured attributes and values that stopped appearing, and errors that repeat or come back."""

from math import isclose

import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from builders import change, company
from facts import case, recommended
from figures.test_ledger import published, series
from rollout_metrics.domain.facts import Fact, Recommendation
from rollout_metrics.figures.drifted import none_of

NAMES = ("priority", "queue=tier-2")
WATCHED = company({"escalation": {"attributes": ["queue"], "to": ["tier-2"]}})


def cases(count: int, since_day: int, names: tuple[str, ...]) -> list[Fact]:
    """As many cases, an hour apart, from a day on."""
    return [case(f"{since_day}d{number}h", names=names) for number in range(count)]


@pytest.mark.parametrize(
    ("before", "lately", "expected"),
    [
        (cases(60, 0, ("priority", "queue=tier-2")), cases(60, 50, ("priority",)), (0, 1)),
        (cases(60, 0, ("priority", "queue=tier-2")), cases(60, 50, ()), (1, 1)),
        (cases(60, 0, ("priority",)), cases(60, 50, ("priority",)), (0, 0)),
        (cases(57, 0, ("priority",)) + cases(3, 10, ("priority", "queue=tier-2")), cases(60, 50, ("priority",)), (0, 0)),
        (cases(60, 0, NAMES), [*cases(59, 50, ()), case("60d", names=NAMES)], (0, 0)),
    ],
    ids=["a queue stopped", "an attribute stopped too", "what never was cannot stop", "what was rare may be away by chance", "one case is enough to be there"],
)
def test_a_name_has_stopped_where_chance_does_not_explain_that_none_had_it(before: list[Fact], lately: list[Fact], expected: tuple[int, int]) -> None:
    found = published(*before, *lately, as_of="75d", of=WATCHED)

    assert tuple(series(found, "drifted_names", kind=kind) for kind in ("attribute", "value")) == expected


@pytest.mark.parametrize(("before", "lately"), [(19, 60), (60, 19)])
def test_too_few_cases_on_either_side_tell_nothing(before: int, lately: int) -> None:
    found = published(*cases(before, 0, NAMES), *cases(lately, 50, ()), as_of="75d", of=WATCHED)

    assert series(found, "drifted_names", kind="attribute") is None


@given(st.integers(0, 500), st.integers(0, 500), st.integers(0, 500))
def test_the_chance_of_none_is_that_of_the_beta_binomial(later: int, count: int, lacking: int) -> None:
    assert isclose(none_of(later, count, count + lacking), scipy.stats.betabinom.pmf(0, later, count + 0.5, lacking + 0.5), rel_tol=1e-8)


def error(opened: str, decided: str, category: str | None) -> Recommendation:
    return recommended(opened, "overridden", "changed", decided, category=category)


def test_errors_repeat_from_two_of_a_category_on_and_what_is_not_configured_is_counted_by_itself() -> None:
    of = company({"error_categories": ["amount", "tone"]})
    errors = [error(f"9d{n}h", f"9d{n + 1}h", name) for n, name in enumerate(("amount", "amount", "tone", "odd", "rare", "rare", None, None))]

    found = published(*errors, of=of)

    assert {label: series(found, "repeating_errors", "7d", category=label) for label in ("amount", "tone", "other", "uncategorised")} == {
        "amount": 2,
        "tone": 0,
        "other": 2,
        "uncategorised": 2,
    }


def test_an_error_recurs_where_what_was_recommended_after_the_fix_has_its_category() -> None:
    fixes = [change(id="f", deployed_at=change().deployed_at, fixes=("amount",)), change(id="t", environment="test", fixes=("tone",))]
    of = company({"error_categories": ["amount", "tone"]}, changes=fixes)
    errors = [error("5h", "2d", "amount"), error("2d", "3d", "amount"), error("2d", "3d", "tone"), error("2d", "3d", None)]

    found = published(*errors, of=of)

    assert [series(found, "recurred_errors", "28d", category=label) for label in ("amount", "tone", "uncategorised")] == [1, 0, 0]
