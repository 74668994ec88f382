"""Acts and what became of them within their cohort age; first values where no agent was."""

from typing import Any

import pytest

from builders import Around, after, company, ev, history
from rollout_metrics.derive.acts import acts, references
from rollout_metrics.domain.events import Event
from rollout_metrics.domain.facts import Act, ReferenceValue
from rollout_metrics.domain.policy import Company

FULL: dict[str, Any] = {
    "decides": [
        "set:priority",
        {"action": "set:stage", "progress": [["new", "open", "done"]]},
        {"action": "set:owner", "reversible": False},
        "set:tags",
        "comment:public",
        "close",
    ],
    "attribute_types": {"tags": "multi"},
}
COMPANY = company(FULL)
CREATED = ev(0, "customer-1", "created", id="created")


def derived(*events: Event, as_of: str | int = "30d", made: Company = COMPANY) -> list[Act]:
    """The case's acts."""
    return acts(history(CREATED, *events, company=made, as_of=as_of), Around((), made, after(as_of)), [])


def judged(*events: Event, as_of: str | int = "30d", made: Company = COMPANY) -> tuple[bool, bool]:
    """Whether the first act was corrected and whether it was edited."""
    act = derived(*events, as_of=as_of, made=made)[0]
    return act.corrected, act.edited


def sets(offset: str, actor: str, value: Any, attribute: str = "priority", **options: Any) -> Event:
    """Somebody sets a value."""
    return ev(offset, actor, "changed", attribute, value, **options)


ACT = sets("1h", "bot", "high", id="act")
CORRECTED, EDITED, NEITHER = (True, False), (False, True), (False, False)


def test_every_event_by_which_the_agent_acts_is_an_act_decided_or_not_repeated_or_not() -> None:
    events = [ACT, sets("2h", "bot", "high"), sets("3h", "bot", "bug", "type"), ev("4h", "bot", "commented", public=False), ev("5h", "bot", "executed")]

    assert [act.action for act in derived(*events)] == ["set:priority", "set:priority", "set:type", "comment:internal", "executed"]


def test_proposals_escalations_and_other_workflows_agents_are_no_acts() -> None:
    made = company(FULL, {"name": "v", "sources": ["crm"], "agents": ["other-bot"]})

    assert derived(ev("1h", "bot", "recommended", "priority", "high"), ev("2h", "bot", "escalated"), sets("3h", "other-bot", "high"), made=made) == []


def test_acts_in_shadow_before_scope_and_of_what_is_not_reversible_stay_out() -> None:
    shadow = company({**FULL, "levels": [{"level": "shadow", "since": "2026-01-01"}]})
    scoped = company({**FULL, "scope": {"channel": ["email"]}})

    assert derived(ACT, made=shadow) == []
    assert derived(ACT, sets("2h", "op-1", "email", "channel"), made=scoped) == []
    assert derived(sets("1h", "bot", "x", "owner")) == []


def test_how_alike_an_edit_of_an_undecided_act_is_the_workflow_says() -> None:
    act, back = sets("1h", "bot", ["a", "b"], "labels"), sets("2h", "op-1", ["a"], "labels")  # half alike
    typed = {**FULL, "attribute_types": {"labels": "multi"}}

    assert judged(act, back, made=company(typed)) == CORRECTED
    assert judged(act, back, made=company({**typed, "edit_similarity": 0.5})) == EDITED


def test_an_act_is_corrected_when_an_operator_replaces_its_value_within_the_cohort_age_inclusive() -> None:
    (act,) = derived(ACT, sets("73h", "op-1", "low", id="back"))

    assert (act.corrected, act.judged_at, act.reversed_at) == (True, after("73h"), after("73h"))
    assert act.evidence == (("desk", "act"), ("desk", "back"))


def test_what_is_replaced_later_is_not_corrected_but_its_time_to_reverse_is_known() -> None:
    (act,) = derived(ACT, sets("73h1ms", "op-1", "low"))

    assert (act.corrected, act.reversed_at) == (False, after("73h1ms"))


def test_as_of_an_instant_within_the_age_an_act_is_judged_as_of_then() -> None:
    assert judged(ACT, sets("3h", "op-1", "low"), as_of="2h") == NEITHER


@pytest.mark.parametrize("event", [sets("2h", "customer-1", "low"), sets("2h", "rule-1", "low"), sets("2h", "op-1", "high"), sets("2h", "op-1", "x", "type")])
def test_others_the_same_value_and_other_attributes_correct_nothing(event: Event) -> None:
    assert judged(ACT, event) == NEITHER


def test_progress_is_no_correction_and_something_alike_is_an_edit() -> None:
    assert judged(sets("1h", "bot", "open", "stage"), sets("2h", "op-1", "done", "stage")) == NEITHER
    assert judged(sets("1h", "bot", "open", "stage"), sets("2h", "op-1", "new", "stage")) == CORRECTED
    tags = sets("1h", "bot", ["a", "b", "c"], "tags")
    assert judged(tags, sets("2h", "op-1", ["a", "b", "c", "d"], "tags")) == EDITED
    assert judged(tags, sets("74h", "op-1", ["a", "b", "c", "d"], "tags")) == NEITHER
    assert judged(tags, sets("2h", "op-1", ["a", "b", "c", "d"], "tags"), sets("3h", "op-1", ["z"], "tags")) == CORRECTED


@pytest.mark.parametrize(("actor", "corrected"), [("op-1", True), ("customer-1", True), ("rule-1", False)])
def test_an_operators_or_customers_reopening_undoes_a_close(actor: str, corrected: bool) -> None:
    assert derived(ev("1h", "bot", "closed"), ev("2h", actor, "reopened"))[0].corrected is corrected


def test_a_comment_corrects_no_comment() -> None:
    assert judged(ev("1h", "bot", "commented", None, "yes", public=True), ev("2h", "op-1", "commented", None, "no", public=True)) == NEITHER


def test_a_rejection_that_means_the_act_corrects_it() -> None:
    assert judged(ACT, ev("2h", "op-1", "rejected", action="set:priority")) == CORRECTED
    assert judged(ACT, ev("2h", "op-1", "rejected", recommendation="act")) == CORRECTED
    assert judged(ACT, ev("2h", "op-1", "rejected")) == CORRECTED
    assert judged(ACT, ev("2h", "op-1", "rejected", action="close")) == NEITHER
    assert judged(ACT, ev("2h", "customer-1", "rejected", action="set:priority")) == NEITHER


def test_a_rejection_corrects_an_act_that_is_not_decided_by_its_event_or_action() -> None:
    undecided = sets("1h", "bot", "bug", "type", id="act")

    assert judged(undecided, ev("2h", "op-1", "rejected", recommendation="act")) == CORRECTED
    assert judged(undecided, ev("2h", "op-1", "rejected", action="set:type")) == CORRECTED
    assert judged(undecided, sets("90m", "bot", "high", id="other"), ev("2h", "op-1", "rejected", recommendation="other")) == NEITHER


def test_what_the_agent_itself_replaced_no_operator_replaces() -> None:
    first, second = derived(ACT, sets("2h", "bot", "urgent"), sets("3h", "op-1", "low"))

    assert (first.corrected, second.corrected) == (False, True)


@pytest.mark.parametrize(("named", "corrected"), [("act", True), ("gone", False), (None, False)])
def test_what_the_agent_itself_replaced_only_a_rejection_that_names_it_corrects(named: str | None, corrected: bool) -> None:
    detail = {} if named is None else {"recommendation": named}

    assert derived(ACT, sets("2h", "bot", "urgent"), ev("3h", "op-1", "rejected", action="set:priority", **detail))[0].corrected is corrected


def test_an_act_repeated_with_the_same_value_is_corrected_each_time() -> None:
    assert [act.corrected for act in derived(ACT, sets("2h", "bot", "high"), sets("3h", "op-1", "low"))] == [True, True]


def referenced(*events: Event, as_of: str | int = "30d", made: Company = COMPANY) -> list[ReferenceValue]:
    """The case's reference values."""
    return references(history(CREATED, *events, company=made, as_of=as_of))


@pytest.mark.parametrize("actor", ["op-1", "rule-1"])
def test_the_first_value_an_operator_or_system_gives_a_decided_attribute_is_a_reference(actor: str) -> None:
    (found,) = referenced(sets("1h", actor, "high", id="first"), sets("2h", actor, "high"), sets("2h", actor, "bug", "type"))

    assert (found.action, found.at, found.judged_at, found.corrected) == ("set:priority", after("1h"), after("73h"), False)
    assert found.evidence == (("desk", "first"),)


def test_a_reference_is_corrected_when_an_operator_replaces_it_within_the_age() -> None:
    first = sets("1h", "rule-1", "high")

    assert [item.corrected for item in referenced(first, sets("73h", "op-1", "low"))] == [True]
    assert [item.corrected for item in referenced(first, sets("73h1ms", "op-1", "low"))] == [False]
    assert [item.corrected for item in referenced(first, sets("2h", "rule-1", "low"))] == [False]
    assert [item.corrected for item in referenced(sets("1h", "op-1", "open", "stage"), sets("2h", "op-1", "done", "stage"))] == [False]


def test_values_of_customers_unset_values_and_what_is_not_reversible_are_no_reference() -> None:
    assert referenced(sets("1h", "customer-1", "high"), sets("1h", "op-1", None), sets("1h", "op-1", "x", "owner")) == []


@pytest.mark.parametrize(("offset", "count"), [("30m", 0), ("73h", 0), ("73h1ms", 1)])
def test_a_case_with_any_agents_event_by_then_gives_no_reference(offset: str, count: int) -> None:
    assert len(referenced(sets("1h", "op-1", "high"), ev(offset, "some-agent", "recommended", kind="agent"))) == count
