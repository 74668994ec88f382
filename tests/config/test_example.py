"""The example configuration loads as it stands, shows every option there is, and every default it shows is the true one."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, get_args

import pytest
from pydantic import BaseModel

from rollout_metrics import sources
from rollout_metrics.config.changes import ChangeRecord
from rollout_metrics.config.load import Configuration, load, loads
from rollout_metrics.config.model import Settings
from rollout_metrics.config.yaml import parse_yaml

EXAMPLE = Path(__file__).parents[2] / "rollout-metrics.example.yaml"
OPTION = re.compile(r"^(\s*)#(?=\S)", re.MULTILINE)
"""`#` before anything but a space: an option that is commented out."""
EVERY_KIND = re.compile(r"^#sources:$", re.MULTILINE)
SECRETS = {name: f"the-value-of-{name}" for name in re.findall(r"\$\{(\w+)\}", EXAMPLE.read_text(encoding="utf-8")) if name != "NAME"}

Option = tuple[str, str]


@pytest.fixture(scope="module")
def uncommented(tmp_path_factory: pytest.TempPathFactory) -> Configuration:
    """The example with every option set: the kinds of sources in the place of the active source."""
    folder = tmp_path_factory.mktemp("example")
    text = EXAMPLE.read_text(encoding="utf-8")
    first, kinds = EVERY_KIND.split(text)
    before, after = first.split("\nsources:\n")
    workflows = after[after.index("# ---- 2.") :]
    file = folder / "rollout-metrics.yaml"
    file.write_text(OPTION.sub(r"\1", before + workflows + "sources:\n" + kinds))
    for name in ("web-config.yaml", "database-password", "zendesk-token"):
        (folder / name).write_text("x" * 20 if name != "web-config.yaml" else "")
    (folder / "changes").mkdir()
    return load(file, SECRETS)


def test_the_example_loads_as_it_stands_with_one_secret() -> None:
    configuration = load(EXAMPLE, {"ZENDESK_TOKEN": "secret"})

    assert [workflow.name for workflow in configuration.settings.workflows] == ["refunds"]
    assert list(configuration.sources) == ["helpdesk"]
    assert configuration.warnings == ()


def test_the_example_shows_every_kind_of_source(uncommented: Configuration) -> None:
    assert {source.kind for source in uncommented.sources.values()} == set(sources.kinds())


def test_the_example_shows_every_option(uncommented: Configuration) -> None:
    shown = {option for model in _instances(_shown(uncommented)) for name in model.model_fields_set if (option := _option(type(model), name))}

    assert sorted(_all_options() - shown) == []


def test_the_defaults_that_the_example_shows_are_true(uncommented: Configuration) -> None:
    wrong = []
    for model in _instances(_shown(uncommented)):
        for name in model.model_fields_set & type(model).model_fields.keys():
            value, info = getattr(model, name), type(model).model_fields[name]
            default = None if info.is_required() else info.default
            example_only = default is None or default in ((), {}, frozenset()) or isinstance(default, BaseModel)
            if not example_only and value != default and name not in EXAMPLE_ONLY:
                wrong.append(f"{type(model).__name__}.{name} is shown as {value}, the default is {default}")

    assert wrong == []


EXAMPLE_ONLY = ("name", "owner", "url")
"""Options with a default that is no use to anyone, or that depends on where the file lies."""


def test_the_change_record_that_the_example_shows_loads_with_true_defaults() -> None:
    text = EXAMPLE.read_text(encoding="utf-8")
    shown = parse_yaml("\n".join(re.findall(r"^# {5}(.*)", text[text.index("# ---- 3.") :], re.MULTILINE)), "record", {}).value
    (record,) = (ChangeRecord.model_validate(item) for item in shown)

    assert (record.environment, record.risk_class) == tuple(ChangeRecord.model_fields[name].default for name in ("environment", "risk_class"))


def test_a_comment_that_begins_like_an_option_is_one() -> None:
    text = "#log: {level: debug}\n# prose\n  #x: 1\n"

    assert loads(OPTION.sub(r"\1", text.splitlines()[0]), {}).settings.log.level == "debug"
    assert OPTION.sub(r"\1", text) == "log: {level: debug}\n# prose\n  x: 1\n"


def _shown(configuration: Configuration) -> list[Any]:
    return [configuration.settings, *configuration.sources.values()]


def _instances(value: Any) -> Iterator[BaseModel]:
    """Every set of options within a value."""
    if isinstance(value, BaseModel):
        yield value
        for name in type(value).model_fields:
            yield from _instances(getattr(value, name))
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _instances(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _instances(item)


def _option(model: type[BaseModel], name: str) -> Option | None:
    """An option by the model that says it first, so that what all sources share needs to be shown once."""
    info = model.model_fields.get(name)
    if info is None or info.exclude:
        return None
    owner = next(base for base in reversed(model.__mro__) if name in getattr(base, "__annotations__", {}))
    return owner.__name__, info.alias or name


def _all_options() -> set[Option]:
    models: list[type[BaseModel]] = []
    for root in (Settings, *map(sources.find, sources.kinds())):
        _collect(root, models)
    return {option for model in models for name in model.model_fields if (option := _option(model, name))}


def _collect(annotation: Any, found: list[type[BaseModel]]) -> None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel) and annotation not in found:
        found.append(annotation)
        for info in annotation.model_fields.values():
            _collect(info.annotation, found)
    for part in get_args(annotation):
        _collect(part, found)


@pytest.mark.parametrize(
    ("store", "expected"),
    [
        ("", "sqlite:////etc/rollout/rollout-metrics.db"),
        ("store: {url: 'sqlite:///state/x.db'}", "sqlite:////etc/rollout/state/x.db"),
        ("store: {url: 'sqlite:////var/x.db'}", "sqlite:////var/x.db"),
        ("store: {url: 'postgresql://rollout@db.example/rollout'}", "postgresql://rollout@db.example/rollout"),
        ("store: {migrate: false}", "sqlite:////etc/rollout/rollout-metrics.db"),
    ],
)
def test_the_database_lies_beside_the_configuration_file_unless_told_otherwise(store: str, expected: str) -> None:
    text = f"sources: {{a: {{kind: events, paths: a.jsonl}}}}\nworkflows: [{{name: w, sources: [a]}}]\n{store}"

    assert loads(text, {}, file="/etc/rollout/config.yaml").settings.store.url == expected
