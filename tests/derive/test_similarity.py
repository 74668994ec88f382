"""Similarity by type."""

import pytest

from builders import workflow
from rollout_metrics.derive.similarity import similarity
from rollout_metrics.derive.terms import terms_of
from rollout_metrics.domain.policy import AttributeType
from rollout_metrics.domain.pseudonyms import Pseudonyms


def test_single_values_are_alike_only_when_equal() -> None:
    assert similarity(AttributeType.SINGLE, "high", "high") == 1
    assert similarity(AttributeType.SINGLE, "high", "higher") == 0


def test_multi_valued_attributes_are_as_alike_as_their_members_by_jaccard() -> None:
    assert similarity(AttributeType.MULTI, '["a","b","c"]', '["b","c","d"]') == 2 / 4
    assert similarity(AttributeType.MULTI, "a", '["a"]') == 1


def test_texts_are_as_alike_as_their_word_multisets_by_dice() -> None:
    assert similarity(AttributeType.TEXT, "no no never", "no never ever") == 2 * 2 / 6


def test_word_order_punctuation_and_case_of_letters_do_not_tell_texts_apart() -> None:
    assert similarity(AttributeType.TEXT, "Hello, you THERE!", "there you: hello") == 1


def test_texts_without_words_are_alike() -> None:
    assert similarity(AttributeType.TEXT, "!", "?") == 1


def test_hashed_texts_are_as_alike_as_the_texts_were() -> None:
    stored = Pseudonyms(b"key", frozenset(), frozenset())

    assert similarity(AttributeType.TEXT, stored.words("one two three"), stored.words("Two one four")) == similarity(
        AttributeType.TEXT, "one two three", "Two one four"
    )


@pytest.mark.parametrize("kind", AttributeType)
def test_null_is_like_null_and_nothing_else(kind: AttributeType) -> None:
    assert similarity(kind, None, None) == 1
    assert similarity(kind, None, "a") == 0


def test_a_missing_value_agrees_with_any_but_unset_is_a_value() -> None:
    made = workflow(decides=["refund", "set:priority"])

    assert terms_of(made)["refund"].same(None, "50")
    assert not terms_of(made)["set:priority"].same(None, "high")


def test_progress_runs_forwards_in_any_of_the_lists() -> None:
    terms = terms_of(workflow(decides=[{"action": "set:stage", "progress": [["new", "open"], ["open", "done"]]}]))["set:stage"]

    assert terms.advances("new", "open")
    assert terms.advances("open", "done")
    assert not terms.advances("open", "new")
    assert not terms.advances("new", "done")
