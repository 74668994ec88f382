"""What records lack, by risk class."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import msgspec
import pytest

from rollout_metrics.config.changes import ChangeRecord
from rollout_metrics.config.yaml import read_yaml
from rollout_metrics.derive.completeness import REQUIRED, approved_at, lacks, missing
from rollout_metrics.domain.records import Record, Signature, SignOff

EXAMPLE = Path(__file__).parents[2] / "docs/change-record.example.yaml"
Vary = Callable[..., Record]


@pytest.fixture
def vary() -> Vary:
    """The complete example, with some options changed."""
    given = read_yaml(EXAMPLE, None).value

    def varied(**options: Any) -> Record:
        return ChangeRecord.model_validate({name: value for name, value in (given | options).items() if value is not None}).record()

    return varied


def places(record: Record) -> list[str]:
    return [".".join(map(str, lack.place)) for lack in lacks(record)]


def test_the_example_lacks_nothing(vary: Vary) -> None:
    assert lacks(vary()) == ()


def test_every_risk_class_has_its_sign_offs() -> None:
    assert set(REQUIRED) == set(get_args(ChangeRecord.model_fields["risk_class"].annotation))
    assert [len(REQUIRED[name]) for name in ("low", "medium", "high", "regulated")] == [1, 3, 4, 5]


@pytest.mark.parametrize(("risk_class", "needed"), [(name, [f"sign_offs.{sign_off}" for sign_off in needed]) for name, needed in REQUIRED.items()])
def test_an_unsigned_record_lacks_the_sign_offs_of_its_risk_class(vary: Vary, risk_class: str, needed: list[str]) -> None:
    assert places(vary(sign_offs=None, risk_class=risk_class)) == needed


@pytest.mark.parametrize("section", ["owner", "systems", "audience", "retention", "guardrails", "observability", "governance"])
def test_what_is_left_out_is_named(vary: Vary, section: str) -> None:
    assert places(vary(**{section: None})) == [section]


@pytest.mark.parametrize(
    ("section", "parts"),
    [
        ("roles", ["gain_work", "lose_work"]),
        ("authority", ["automatic", "approval", "forbidden"]),
        ("harm", ["window", "metrics"]),
        ("human_in_the_loop", ["reviewer", "review_surface", "override_power", "correction_capture", "stops_asking"]),
        ("traces", ["proof", "kept_for"]),
        ("rollback", ["owner", "plan", "last_rehearsed_at"]),
        ("links", ["pull_request", "evaluation_report", "trace_sample", "permission_difference"]),
    ],
)
def test_a_section_left_out_is_named_part_by_part(vary: Vary, section: str, parts: list[str]) -> None:
    assert places(vary(**{section: None})) == [f"{section}.{part}" for part in parts]


def test_nobody_and_nothing_are_answers(vary: Vary) -> None:
    assert places(vary(roles={"gain_work": [], "lose_work": []}, authority={"automatic": [], "approval": [], "forbidden": []})) == []
    assert places(vary(systems=[])) == ["systems"]


def test_a_control_needs_owner_system_threshold_and_audit_trail(vary: Vary) -> None:
    assert places(vary(guardrails=[{"name": "limit", "owner": "payments"}])) == ["guardrails.0.system", "guardrails.0.threshold", "guardrails.0.audit_trail"]


def test_a_harm_metric_needs_a_figure_and_a_limit(vary: Vary) -> None:
    metrics = [{"name": "x"}, {"promql": "up"}, {"name": "y", "sql": "SELECT 1", "at_most": 1}, {"metric": "bypass_ratio", "at_most": 0.2}]

    found = [(".".join(map(str, lack.place)), lack.message.split(":")[0]) for lack in lacks(vary(harm={"window": "7d", "metrics": metrics}))]

    assert found == [
        ("harm.metrics.0", "names no figure"),
        ("harm.metrics.0", "has no limit"),
        ("harm.metrics.1.name", "is missing"),
        ("harm.metrics.1", "has no limit"),
        ("harm.metrics.2.database", "is missing"),
    ]


def test_half_a_sign_off_is_none_and_the_other_half_is_told(vary: Vary) -> None:
    (who,) = lacks(vary(risk_class="low", sign_offs={"semantics": {"by": "Ada"}}))
    (when,) = lacks(vary(risk_class="low", sign_offs={"semantics": {"at": "2026-06-01"}}))

    assert who.message.startswith("is missing (by is there): a change of risk class low needs it from the workflow's owner")
    assert when.message.startswith("is missing (at is there)")


def test_one_person_cannot_sign_twice_however_they_write_themselves(vary: Vary) -> None:
    signed = {"semantics": {"by": "Ada Okafor", "at": "2026-05-20"}, "authority": {"by": " ada  OKAFOR", "at": "2026-05-21"}}
    record = vary(risk_class="medium", sign_offs=signed | {"runtime": {"by": "Bo", "at": "2026-05-21"}}, approved_at=None)

    assert [(lack.place, lack.message) for lack in lacks(record)] == [
        (("sign_offs", "authority"), "is by the person who signed semantics: distinct people must sign")
    ]
    assert missing(record) == (SignOff.AUTHORITY,)
    assert record.change.approved_at is None


def test_approval_is_the_last_sign_off_that_is_required() -> None:
    signed = {name: Signature(f"person {number}", number) for number, name in enumerate(SignOff, 1)}

    assert [approved_at(name, signed) for name in ("low", "medium", "high", "regulated")] == [1, 3, 4, 5]
    assert approved_at("medium", signed | {SignOff.RUNTIME: Signature("person 9", None)}) is None


def test_an_approval_given_before_the_last_sign_off_is_named(vary: Vary) -> None:
    (lack,) = lacks(vary(approved_at="2026-05-21"))

    assert lack.place == ("approved_at",)
    assert lack.message.startswith("lies before the last sign-off it needs, 2026-05-22T15:00:00Z")


def test_sign_offs_that_are_not_required_do_no_harm(vary: Vary) -> None:
    record = vary(risk_class="low", approved_at=None)

    assert lacks(record) == ()
    assert record.change.approved_at == record.sign_offs[SignOff.SEMANTICS].at
    assert lacks(msgspec.structs.replace(record, sign_offs={SignOff.SEMANTICS: record.sign_offs[SignOff.SEMANTICS]})) == ()
