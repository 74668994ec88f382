"""Whatever stands in the file, it is a configuration or a list of problems, each of which begins with the file's name."""

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from rollout_metrics.config.load import Configuration, loads
from rollout_metrics.config.model import Settings
from rollout_metrics.config.workflow import WorkflowOptions
from rollout_metrics.domain.errors import ConfigurationError

FILE = "fuzz.yaml"
KEYS = sorted(
    {
        *Settings.model_fields,
        *WorkflowOptions.model_fields,
        *("kind", "token", "token_file", "paths", "url", "query", "mapping", "case_id", "since", "level", "action", "when", "progress", "desk", "hours", "<<"),
        *("monday", "automatic", "activity", "of", "map", "tokens", "secret", "password", "time_zone", "holidays", "key", "key_file", "to", "metrics", "every"),
    }
)
WORDS = [
    *("", "~", "off", "no", "yes", "0815", "9:30", "1e400", "nan", "-1", "2026-03-01", "2026-02-30", "20260301", "7d", "7", "0s", "99999999999999d", "./x"),
    *("desk", "zendesk", "hubspot", "events", "table", "push", "set:group", "amount <= nan", "${X}", "$$", "${X:-y}", "a=b", "09:00-17:00", "Europe"),
    *("assisted", "postgresql://u:p@h/d", "~nobody/x", "\0", "\ud7ff", "{a}", "{a", "*", "- -", "%Y", "127.0.0.1:1²", "٣d", "sqlite://", "1-5 * * * *"),
]
MARKS = ["a", "b: ", "- ", "\n", "\n  ", "\n\t", "{", "}", "[", "]", "&x ", "*x", "!t ", "<<: ", "? ", ": ", "|\n", '"', "'", "${X", "}", ",", "#"]
leaves = st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(WORDS) | st.text(max_size=8)
values = st.recursive(
    leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS) | st.text(max_size=3), inner, max_size=5), max_leaves=25
)
sections = st.fixed_dictionaries(
    {},
    optional={
        "sources": st.dictionaries(
            st.sampled_from(["desk", "crm", "x y"]),
            st.builds(
                lambda kind, options: {"kind": kind} | options,
                st.sampled_from(["zendesk", "hubspot", "events", "table", "push", "zendsk"]),
                st.dictionaries(st.sampled_from(KEYS), values, max_size=5),
            ),
            max_size=2,
        ),
        "workflows": st.lists(
            st.builds(
                lambda most, more: most | more,
                st.fixed_dictionaries({"name": st.sampled_from(["a", "b"]), "sources": st.sampled_from([["desk"], ["desk", "crm"], "crm"])}),
                st.dictionaries(st.sampled_from(sorted(WorkflowOptions.model_fields)), values, max_size=4),
            ),
            max_size=3,
        ),
        **{name: values for name in Settings.model_fields if name not in ("sources", "workflows")},
    },
)


def outcome(text: str) -> Configuration | tuple[str, ...]:
    try:
        return loads(text, {"X": "7d"}, file=FILE)
    except ConfigurationError as error:
        return error.problems


def read(text: str) -> None:
    found = outcome(text)

    if isinstance(found, Configuration):
        found.fingerprint()
        found.company(found.pseudonyms(b"key"))
    else:
        assert found
        assert [problem for problem in found if not problem.startswith(f"{FILE}:")] == []


@given(sections | values)
@settings(max_examples=150, deadline=None)
def test_any_structure_is_a_configuration_or_problems_of_its_file(value: object) -> None:
    read(yaml.safe_dump(value, allow_unicode=True))


@given(st.lists(st.sampled_from(MARKS)).map("".join) | st.text())
@settings(max_examples=150, deadline=None)
def test_any_text_is_a_configuration_or_problems_of_its_file(text: str) -> None:
    read(text)


@pytest.mark.parametrize(
    "text",
    [
        "[" * 5000,
        "a: &a [*a]",
        "a: &a {b: *a}",
        "<<: &a {<<: *a}",
        '"\\UFFFFFFFF"',
        "%YAML 9.9\n--- a",
        "a\n--- b",
        "\x00",
        "a: *nothing",
        "!!python/object:os.system x",
        "a: !!int x",
        "a: " + "&x0 [1,1,1,1,1,1,1,1,1,1]\n" + "".join(f"b{n}: &x{n} [{','.join([f'*x{n - 1}'] * 10)}]\n" for n in range(1, 9)),
    ],
)
def test_hostile_yaml_is_refused_at_once(text: str) -> None:
    read(text)
