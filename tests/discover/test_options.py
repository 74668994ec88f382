"""What is written as YAML is read back by the configuration's own reader as exactly what was meant."""

from typing import Any

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from rollout_metrics.config.yaml import parse_yaml
from rollout_metrics.discover.options import Item, Option, comment, plain, scalar, yaml_lines

AWKWARD = ("", "off", "null", "~", "a: b", "- x", "#", "${HOME}", "$$", "set:x", "0815", "\x85\u2028")
TEXTS = st.text(st.characters(codec="utf-8"), max_size=12) | st.sampled_from(AWKWARD)
SCALARS = TEXTS | st.integers(0, 9999)


def nested(depth: int) -> st.SearchStrategy[Any]:
    flow = SCALARS | st.dictionaries(TEXTS, SCALARS | st.lists(SCALARS, min_size=1, max_size=2), min_size=1, max_size=2)
    items = st.lists(st.builds(Item, flow if depth == 0 else flow | options(depth - 1), st.tuples(TEXTS) | st.just(())), max_size=3).map(tuple)
    return SCALARS | items | (options(depth - 1) if depth else st.nothing())


def options(depth: int) -> st.SearchStrategy[tuple[Option, ...]]:
    option = st.builds(Option, TEXTS.filter(lambda name: name != "<<"), nested(depth), st.tuples(TEXTS) | st.just(()))
    return st.lists(option, min_size=1, max_size=3, unique_by=lambda one: one.name).map(tuple)


def as_text(value: Any) -> Any:
    """The configuration's reader takes every scalar for text."""
    if isinstance(value, dict):
        return {name: as_text(item) for name, item in value.items()}
    return [as_text(item) for item in value] if isinstance(value, list) else str(value)


@given(options(2))
@settings(max_examples=50, deadline=None)
def test_options_are_read_back_as_they_are(given: tuple[Option, ...]) -> None:
    document = parse_yaml("\n".join(yaml_lines(given)) + "\n", "f", {})

    assert document.problems == []
    assert document.value == as_text(plain(given))


@given(TEXTS)
def test_a_scalar_is_one_for_every_reader_of_yaml(text: str) -> None:
    assert yaml.safe_load(scalar(text)) == text.replace("$", "$$")


@given(st.text(), st.integers(0, 8))
def test_no_text_escapes_its_comment(text: str, indent: int) -> None:
    assert yaml.safe_load("\n".join(comment(text, indent))) is None


def test_what_is_off_is_a_comment_that_can_be_taken_away() -> None:
    given = (Option("a", 1), Option("bypass", (Option("markers", (Option("via", (Item("x"),)),)),), ("Perhaps.",), off=True))
    lines = list(yaml_lines(given))

    assert yaml.safe_load("\n".join(lines)) == {"a": 1} == plain(given)
    assert yaml.safe_load("\n".join(line.removeprefix("# ") for line in lines if line != "# Perhaps.")) == {"a": 1, "bypass": {"markers": {"via": ["x"]}}}
