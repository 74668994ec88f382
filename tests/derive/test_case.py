"""A case derived as a whole."""

import ast
from inspect import getsource
from random import Random
from types import ModuleType

import pytest
from msgspec import Struct

from builders import Around, after, company, ev, everywhere
from histories import full_company, history_of
from rollout_metrics.derive import recommendations, summary
from rollout_metrics.derive.case import TOGETHER, derive, derive_each
from rollout_metrics.domain.events import Event
from rollout_metrics.domain.facts import Act, CaseFacts, CaseSummary, Escalated, Evaluated, Handling, Recommendation, ReferenceValue, Violation

COMPANY = company(
    {"authority": [{"automatic": ["comment:public"]}]}, {"name": "v", "sources": ["crm"], "agents": ["other-bot"], "scope": {"channel": ["email"]}}
)


def derived(*events: Event, as_of: str | int = "30d") -> CaseFacts:
    """A case's facts with nothing around it."""
    return derive(list(events), COMPANY, everywhere(COMPANY, after(as_of)), Around(events, COMPANY, after(as_of)))


def test_every_kind_of_fact_comes_from_one_history() -> None:
    found = derived(
        ev(0, "customer-1", "created"),
        ev("1h", "bot", "changed", "priority", "high"),
        ev("2h", "bot", "escalated"),
        ev("3h", "op-1", "changed", "priority", "low"),
        ev("4h", "bot", "evaluated", passed=True),
    )

    assert (found.case, found.workflow, found.scoped_at) == (("desk", "1"), "w", after(0))
    assert {type(fact) for fact in found.facts} == {Recommendation, Act, Escalated, Handling, CaseSummary, Violation, Evaluated}


def test_a_case_without_the_agent_gives_references() -> None:
    assert any(isinstance(fact, ReferenceValue) for fact in derived(ev(0, "customer-1", "created"), ev("1h", "op-1", "changed", "priority", "low")).facts)


def test_a_case_of_no_workflow_can_still_hold_violations_and_evaluations() -> None:
    found = derived(
        ev(0, "customer-1", "created", source="crm", attributes={"channel": "chat"}),
        ev("1h", "bot", "changed", "priority", "high", source="crm"),
        ev("2h", "bot", "evaluated", source="crm", passed=False),
    )

    assert found.workflow is None
    assert [type(fact) for fact in found.facts] == [Violation, Evaluated]


def test_a_case_of_which_nothing_has_happened_yet_waits_for_its_first_event() -> None:
    assert derived(ev("2h", "customer-1", "created"), as_of="1h") == CaseFacts(("desk", "1"), None, None, (), after("2h"))


def test_a_case_changes_next_at_the_earliest_deadline_or_event() -> None:
    events = [ev(0, "customer-1", "created"), ev("1h", "bot", "recommended", "priority", "high")]

    assert derived(*events, as_of="2h").next_change_at == after("169h")
    assert derived(*events, ev("3h", "op-1", "commented"), as_of="2h").next_change_at == after("3h")


def test_cases_derived_together_have_the_facts_they_have_alone_and_those_that_are_gone_have_none() -> None:
    draw = Random(7)
    cases = {("desk", str(number)): history_of(draw.choice) if number % 5 else [] for number in range(2 * TOGETHER + 3)}
    made, as_of = full_company(), everywhere(full_company(), after("12h"))
    around = Around([], made, after("12h"))

    together = dict(derive_each(cases.items(), made, as_of, around))

    assert list(together) == list(cases)
    for case, events in cases.items():
        assert together[case] == (derive(events, made, as_of, around) if events else CaseFacts(case, None, None, (), None))
    assert any(found.facts for found in together.values())


@pytest.mark.parametrize(("module", "made"), [(recommendations, Recommendation), (summary, CaseSummary)])
def test_what_a_fact_is_given_by_place_stands_under_the_name_of_its_field(module: ModuleType, made: type[Struct]) -> None:
    calls = [node for node in ast.walk(ast.parse(getsource(module))) if isinstance(node, ast.Call) and ast.unparse(node.func) == made.__name__]

    for call in calls:
        given = dict(zip(made.__struct_fields__, call.args, strict=True))
        named = {field: argument.id for field, argument in given.items() if isinstance(argument, ast.Name)}
        assert all(field == name for field, name in named.items())
        assert {field for field in given if field.endswith("_at")} <= named.keys()
    assert len(calls) == 1
