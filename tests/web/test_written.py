"""Words of the catalogue as people read them."""

import pytest

from rollout_metrics.overview import written


@pytest.mark.parametrize(("label", "value", "said"), [("passed", "true", "passed"), ("met", "false", "not met"), ("kind", "out_of_scope", "out of scope")])
def test_yes_and_no_are_said_in_words(label: str, value: str, said: str) -> None:
    assert written.stated(label, value) == said


@pytest.mark.parametrize(("low", "high", "said"), [("10.2 %", "14.8 %", "10.2 to 14.8 %"), ("44.5 min", "2.0 h", "44.5 min to 2.0 h"), ("1", "3", "1 to 3")])
def test_a_unit_that_both_bounds_have_is_said_once(low: str, high: str, said: str) -> None:
    assert written.between(low, high) == said
