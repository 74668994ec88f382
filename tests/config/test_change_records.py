"""The full change record: its schema for editors, its template, what it derives, and what it never takes from its surroundings."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, get_args

import pytest
from jsonschema import Draft202012Validator
from pydantic import BaseModel

from builders import workflow
from rollout_metrics.config.changes import ChangeRecord, Recorded, read_changes, records_in, template
from rollout_metrics.config.yaml import parse_yaml, read_yaml
from rollout_metrics.derive.delivery import delivery, deployments
from rollout_metrics.derive.failures import Observed
from rollout_metrics.domain.changes import ChangeKind
from rollout_metrics.domain.time import DAY, format_instant, parse_instant
from rollout_metrics.generate.meanings import meanings

DOCS = Path(__file__).parents[2] / "docs"
EXAMPLE = DOCS / "change-record.example.yaml"
VALIDATOR = Draft202012Validator(json.loads((DOCS / "change-record.schema.json").read_text(encoding="utf-8")))
NOW = parse_instant("2026-03-01T10:00:00Z")
MINIMAL = "id: c1\nworkflow: refunds\nkind: prompt\nproposed_at: 2026-03-01\n"


def read(text: str) -> tuple[list[Recorded], list[str]]:
    return records_in([parse_yaml(text, "record.yaml", None)], None)


def problems(more: str) -> list[str]:
    return [problem.removeprefix("record.yaml:") for problem in read(MINIMAL + more)[1]]


def test_the_example_has_every_option() -> None:
    (recorded,), _ = records_in([read_yaml(EXAMPLE, None)], None)
    models: list[type[BaseModel]] = []
    _collect(ChangeRecord, models)

    said = {(type(model).__name__, name) for model in _instances(recorded.record) for name in model.model_fields_set}
    known = {(model.__name__, name) for model in models for name in model.model_fields}
    assert known - said == {("ChangeRecord", "reworks")}, "a comment shows it, since there is nothing here to rework"
    assert "#reworks: " in EXAMPLE.read_text(encoding="utf-8")


def test_every_option_says_what_it_is() -> None:
    models: list[type[BaseModel]] = []
    _collect(ChangeRecord, models)

    silent = [f"{m.__name__}.{name}" for m in models for name, info in m.model_fields.items() if not meanings(m).get(name) and not _section(info.annotation)]
    assert silent == []


def test_a_minimal_record_loads_and_is_valid_for_editors() -> None:
    recorded, found = read(MINIMAL)

    assert [item.record.id for item in recorded] == ["c1"]
    assert found == []
    assert VALIDATOR.is_valid(parse_yaml(MINIMAL, "record.yaml", None).value)


@pytest.mark.parametrize("text", [EXAMPLE.read_text(encoding="utf-8"), f"- {{{', '.join(MINIMAL.splitlines())}}}"], ids=["example", "list"])
def test_editors_accept_what_the_program_accepts(text: str) -> None:
    assert [error.message for error in VALIDATOR.iter_errors(_numbers(parse_yaml(text, "record.yaml", None).value))] == []


@pytest.mark.parametrize("wrong", [{"kind": "promt"}, {"ownr": "x"}, {"harm": {"window": "soon"}}, {"sign_offs": {"boss": {}}}])
def test_editors_refuse_what_the_program_refuses(wrong: dict[str, Any]) -> None:
    assert not VALIDATOR.is_valid(parse_yaml(MINIMAL, "record.yaml", None).value | wrong)


@pytest.mark.parametrize("risk_class", get_args(ChangeRecord.model_fields["risk_class"].annotation))
@pytest.mark.parametrize("kind", list(ChangeKind))
def test_a_template_loads_as_it_is_written(kind: ChangeKind, risk_class: str) -> None:
    text = template(number="c 1: #", workflow="null", kind=kind, risk_class=risk_class, proposed_at=NOW, schema="change-record.schema.json")

    (recorded,), found = read(text)

    record = recorded.record
    assert (record.id, record.workflow, record.kind, record.risk_class) == ("c 1: #", "null", kind, risk_class)
    assert found == []
    assert VALIDATOR.is_valid(parse_yaml(text, "record.yaml", None).value)
    assert text.startswith("# yaml-language-server: $schema=change-record.schema.json\n")


def test_a_template_shows_every_option() -> None:
    text = template(number="c1", workflow="w", kind=ChangeKind.LEVEL, risk_class="regulated", proposed_at=NOW, schema="change-record.schema.json")
    models: list[type[BaseModel]] = []
    _collect(ChangeRecord, models)
    filled_in = {"IncidentOptions", "InterventionOptions", "GrantOptions", "SignatureOptions"}

    assert [name for m in models if m.__name__ not in filled_in for name in m.model_fields if f"{name}:" not in text] == []


SIGNED = """\
risk_class: medium
sign_offs:
  semantics: {by: Ada, at: 2026-03-02}
  authority: {by: Bo, at: 2026-03-04}
  runtime: {by: Chen, at: 2026-03-03}
deployed_at: 2026-03-09
"""


@pytest.mark.parametrize(
    ("more", "approved"),
    [
        (SIGNED, "2026-03-04T00:00:00Z"),
        (SIGNED.replace("medium", "low"), "2026-03-02T00:00:00Z"),
        (SIGNED.replace("medium", "high"), None),
        (SIGNED.replace("Chen", "Bo"), None),
        (SIGNED + "approved_at: 2026-03-06\n", "2026-03-06T00:00:00Z"),
    ],
)
def test_approval_follows_from_the_last_required_sign_off_and_lead_time_from_it(more: str, approved: str | None) -> None:
    (recorded,), _ = read(MINIMAL.replace("refunds", "w") + more)
    change = recorded.record.change()

    found = delivery(deployments(workflow(changes=(change,)), parse_instant("2026-03-20T00:00:00Z"), Observed()), 28 * DAY)

    assert (None if change.approved_at is None else format_instant(change.approved_at)) == approved
    expected = None if approved is None else parse_instant(approved) - change.proposed_at
    assert (None if found.approval_lead_time is None else found.approval_lead_time.median) == expected
    assert found.lead_time is not None and found.lead_time.median == 8 * DAY


def test_contradictions_are_problems() -> None:
    assert problems("sign_offs: {semantics: {by: Ada, at: 2026-02-27}}\n") == ["1: [0]: the sign-off semantics lies before proposed_at: correct one of them"]
    assert problems("harm: {metrics: [{metric: bypass_ratio, promql: up}]}\n") == [
        "5: [0].harm.metrics[0]: names more than one figure: keep one of metric, promql and sql"
    ]
    assert problems("harm: {metrics: [{metric: bypas_ratio}]}\n") == [
        "5: [0].harm.metrics[0].metric: there is no rate 'bypas_ratio'; did you mean 'bypass_ratio'?"
    ]
    assert problems("harm: {metrics: [{at_most: 1, at_least: 0}]}\n") == ["5: [0].harm.metrics[0]: has two limits: keep one of at_most and at_least"]
    assert problems("links: {pull_request: 'javascript:alert(1)'}\n") == [
        "5: [0].links.pull_request: 'javascript:alert(1)' is no link: write an address that begins with https://, or a path in the repository"
    ]
    assert problems("authority: {automatic: [{action: refund, when: amount is small}]}\n") == [
        "5: [0].authority.automatic[0].when: 'amount is small' is no condition such as 'amount <= 50', 'regulated = no' or 'environment in test, staging'"
    ]


def test_a_record_never_takes_anything_from_the_environment(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(MINIMAL + "title: ${SECRET} $$ ${OTHER:-x}\n")

    (change,), found = read_changes([tmp_path], ["refunds"], {"SECRET": "hunter2"})

    assert change.title == "${SECRET} $$ ${OTHER:-x}"
    assert found == []


def test_hidden_folders_such_as_those_of_mounted_config_maps_are_left_out(tmp_path: Path) -> None:
    (tmp_path / "..2026_03_01").mkdir()
    (tmp_path / "..2026_03_01" / "a.yaml").write_text(MINIMAL)
    (tmp_path / "a.yaml").symlink_to(tmp_path / "..2026_03_01" / "a.yaml")

    changes, found = read_changes([tmp_path], ["refunds"], {})

    assert ([change.id for change in changes], found) == (["c1"], [])


def _numbers(value: Any) -> Any:
    """YAML as an editor reads it: limits are numbers."""
    if isinstance(value, Mapping):
        return {key: float(item) if key in ("at_most", "at_least") else _numbers(item) for key, item in value.items()}
    return [_numbers(item) for item in value] if isinstance(value, list) else value


def _instances(value: Any) -> Iterator[BaseModel]:
    if isinstance(value, BaseModel):
        yield value
        for name in type(value).model_fields:
            yield from _instances(getattr(value, name))
    elif isinstance(value, tuple):
        for item in value:
            yield from _instances(item)


def _section(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def _collect(annotation: Any, found: list[type[BaseModel]]) -> None:
    if _section(annotation) and annotation not in found:
        found.append(annotation)
        for info in annotation.model_fields.values():
            _collect(info.annotation, found)
    for part in get_args(annotation):
        _collect(part, found)
