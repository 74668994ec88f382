"""Escalations: what opens one, who notices when, and how it ends."""

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from builders import HOUR, MINUTE, Around, after, company, ev, history
from rollout_metrics.derive.escalations import escalations
from rollout_metrics.derive.recommendations import recommendations
from rollout_metrics.domain.events import Event
from rollout_metrics.domain.facts import Escalated, EscalationState

CREATED = ("0s", "customer-1", "created")
OTHER = {"name": "other", "agents": ["other-bot"], "sources": ["elsewhere"]}

REASONED: dict[str, Any] = {
    "escalation": {
        "reason_attribute": "why",
        "paths": {"refund": {"owner": "payments", "target": "30m", "next_step": "call"}, "angry": {"owner": "care"}, "risk": {"target": "1h"}},
    }
}
OFFICE: dict[str, Any] = {"calendar": {"hours": {"weekdays": "09:00-17:00"}}}


def raised(*events: Event, as_of: str = "30d", **options: Any) -> list[Escalated]:
    told = company(options, OTHER)
    everything = (ev(*CREATED, id="created"), *events)
    read = history(*everything, company=told, as_of=as_of)
    around = Around(everything, told, after(as_of))
    recommended, _ = recommendations(read, around)
    return escalations(read, told, around, recommended)


def the_one(*events: Event, as_of: str = "30d", **options: Any) -> Escalated:
    [escalated] = raised(*events, as_of=as_of, **options)
    return escalated


class TestOpening:
    def test_an_agents_escalated_opens_one(self) -> None:
        assert the_one(ev("1h", "bot", "escalated")).raised_at == after("1h")

    def test_an_agent_that_executes_escalate_opens_one(self) -> None:
        assert the_one(ev("1h", "bot", "executed", action="escalate")).raised_at == after("1h")

    def test_an_agent_that_executes_something_else_opens_none(self) -> None:
        assert raised(ev("1h", "bot", "executed", action="refund")) == []

    @pytest.mark.parametrize("attribute", ["assignee", "group"])
    def test_an_agent_that_hands_the_case_to_somebody_opens_one(self, attribute: str) -> None:
        assert the_one(ev("1h", "bot", "changed", attribute, "people")).raised_at == after("1h")

    @pytest.mark.parametrize(("attribute", "value"), [("priority", "high"), ("assignee", None), ("assignee", "bot"), ("assignee", "other-bot")])
    def test_an_agent_that_changes_something_else_or_gives_the_case_to_nobody_or_an_agent_opens_none(self, attribute: str, value: str | None) -> None:
        assert raised(ev("1h", "bot", "changed", attribute, value)) == []

    def test_only_the_configured_attributes_and_values_mean_people(self) -> None:
        options = {"escalation": {"attributes": ["queue"], "to": ["tier 2", "tier 3"]}}

        assert raised(ev("1h", "bot", "changed", "queue", "tier 2"), **options)
        assert not raised(ev("1h", "bot", "changed", "queue", "bots"), **options)
        assert not raised(ev("1h", "bot", "changed", "assignee", "op-1"), **options)

    def test_one_person_among_several_assignees_is_enough(self) -> None:
        assert raised(ev("1h", "bot", "changed", "assignee", ["bot", "op-1"]))
        assert not raised(ev("1h", "bot", "changed", "assignee", ["bot", "other-bot"]))

    def test_another_workflows_agent_can_escalate(self) -> None:
        assert the_one(ev("1h", "other-bot", "escalated")).workflow == "w"

    @pytest.mark.parametrize("actor", ["op-1", "customer-1", "rule-1"])
    def test_nobody_but_an_agent_escalates(self, actor: str) -> None:
        assert raised(ev("1h", actor, "escalated"), ev("2h", actor, "changed", "assignee", "op-2"), ev("3h", actor, "executed", action="escalate")) == []

    def test_a_proposal_to_hand_over_is_no_escalation(self) -> None:
        assert raised(ev("1h", "bot", "recommended", action="escalate"), ev("2h", "bot", "recommended", "assignee", "op-1")) == []

    def test_none_opens_in_shadow(self) -> None:
        assert raised(ev("1h", "bot", "escalated"), levels=[{"level": "shadow", "since": "2026-01-01"}]) == []

    def test_one_opens_while_the_agent_is_off_or_paused(self) -> None:
        assert raised(ev("1h", "bot", "escalated"), levels=[{"level": "off", "since": "2026-01-01"}])
        assert raised(ev("1h", "bot", "escalated"), pauses=[{"start": "2026-03-01", "end": "2026-03-05"}])

    def test_an_undated_shadow_begins_with_the_first_event_of_any_agent(self) -> None:
        levels = [{"level": "shadow"}]

        assert not raised(ev("1h", "other-bot", "escalated"), ev("2h", "bot", "commented"), levels=levels)
        assert not raised(ev("1h", "bot", "escalated"), levels=levels)

    def test_none_opens_before_the_case_is_in_the_workflow(self) -> None:
        events = ev("1h", "bot", "escalated"), ev("2h", "rule-1", "changed", "topic", "billing")

        assert raised(*events, scope={"topic": ["billing"]}) == []
        assert raised(*events, ev("2h", "bot", "escalated"), scope={"topic": ["billing"]})

    def test_a_case_of_no_workflow_has_none(self) -> None:
        assert raised(ev("1h", "bot", "escalated"), scope={"topic": ["billing"]}) == []

    def test_further_ones_are_part_of_the_unresolved_one(self) -> None:
        found = the_one(ev("1h", "bot", "escalated", id="a"), ev("2h", "op-1", "commented", id="b"), ev("3h", "bot", "changed", "group", "tier 2", id="c"))

        assert (found.raised_at, found.evidence) == (after("1h"), (("desk", "a"), ("desk", "b"), ("desk", "c")))

    def test_one_opens_again_once_the_last_is_resolved(self) -> None:
        found = raised(ev("1h", "bot", "escalated"), ev("2h", "op-1", "closed"), ev("3h", "customer-1", "reopened"), ev("4h", "bot", "escalated"))

        assert [(item.raised_at, item.state) for item in found] == [(after("1h"), EscalationState.RESOLVED), (after("4h"), EscalationState.WAITING)]


class TestReasonAndPath:
    def test_the_agent_states_the_reason(self) -> None:
        assert the_one(ev("30m", "rule-1", "changed", "why", "angry"), ev("1h", "bot", "escalated", reason="refund"), **REASONED).reason == "refund"

    def test_else_the_reason_attribute_does_as_it_stands_when_the_case_is_escalated(self) -> None:
        events = ev("1h", "bot", "escalated", id="a"), ev("1h", "bot", "changed", "why", "angry", id="b"), ev("2h", "op-1", "changed", "why", "refund")

        assert the_one(*events, **REASONED).reason == "angry"

    def test_else_it_is_unspecified(self) -> None:
        assert the_one(ev("1h", "bot", "escalated"), ev("2h", "op-1", "changed", "why", "angry", before=None), **REASONED).reason == "unspecified"
        assert the_one(ev("1h", "bot", "escalated", reason="")).reason == "unspecified"

    def test_a_further_escalation_states_the_reason_that_the_first_left_out(self) -> None:
        assert the_one(ev("1h", "bot", "changed", "group", "people"), ev("1h1s", "bot", "escalated", reason="refund")).reason == "refund"
        assert the_one(ev("1h", "bot", "escalated", reason="angry"), ev("2h", "bot", "escalated", reason="refund")).reason == "angry"

    @pytest.mark.parametrize(
        ("reason", "owner_team", "target"), [("refund", "payments", 30 * MINUTE), ("angry", "care", 4 * HOUR), ("risk", None, HOUR), ("other", None, 4 * HOUR)]
    )
    def test_the_path_of_the_reason_gives_owner_team_and_target(self, reason: str, owner_team: str | None, target: int) -> None:
        found = the_one(ev("1h", "bot", "escalated", reason=reason), **REASONED)

        assert (found.owner_team, found.target, found.breach_at) == (owner_team, target, after("1h") + target)


class TestOwner:
    def test_whoever_the_owner_attribute_names_at_t_owns_it(self) -> None:
        events = ev("1h", "bot", "escalated"), ev("2h", "op-1", "changed", "assignee", "op-1"), ev("5h", "op-1", "changed", "assignee", None)

        assert [the_one(*events, as_of=at).owned for at in ("1h", "2h", "5h")] == [False, True, False]

    @pytest.mark.parametrize("agent", ["bot", "other-bot"])
    def test_agents_are_nobody(self, agent: str) -> None:
        assert not the_one(ev("30m", "rule-1", "changed", "assignee", agent), ev("1h", "bot", "escalated")).owned

    def test_the_owner_attribute_is_configured(self) -> None:
        events = ev("1h", "bot", "escalated"), ev("2h", "rule-1", "changed", "duty", "op-1")

        assert the_one(*events, escalation={"owner_attribute": "duty"}).owned


class TestCourse:
    def test_it_waits_until_an_operator_does_anything_on_the_case(self) -> None:
        found = the_one(ev("1h", "bot", "escalated"), ev("2h", "customer-1", "commented"), ev("3h", "rule-1", "changed", "group", "b"))

        assert (found.state, found.acknowledged_at, found.worked) == (EscalationState.WAITING, None, None)

    def test_the_first_operator_event_after_it_acknowledges(self) -> None:
        found = the_one(ev("30m", "op-1", "commented"), ev("1h", "bot", "escalated"), ev("2h", "op-2", "commented"), ev("3h", "op-1", "commented"))

        assert (found.state, found.acknowledged_at, found.worked) == (EscalationState.ACKNOWLEDGED, after("2h"), HOUR)

    def test_it_is_resolved_when_anybody_closes_the_case(self) -> None:
        found = the_one(ev("1h", "bot", "escalated"), ev("2h", "op-1", "commented"), ev("4h", "customer-1", "closed"), ev("5h", "op-1", "reopened"))

        assert (found.state, found.acknowledged_at, found.resolved_at, found.worked) == (EscalationState.RESOLVED, after("2h"), after("4h"), HOUR)

    def test_an_operators_close_also_acknowledges(self) -> None:
        found = the_one(ev("1h", "bot", "escalated", id="a"), ev("3h", "op-1", "closed", id="b"))

        assert (found.state, found.acknowledged_at, found.resolved_at) == (EscalationState.RESOLVED, after("3h"), after("3h"))
        assert found.evidence == (("desk", "a"), ("desk", "b"))

    def test_one_raised_on_a_closed_case_is_open_until_it_closes_again(self) -> None:
        events = ev("1h", "op-1", "closed"), ev("2h", "bot", "escalated"), ev("3h", "op-1", "reopened"), ev("4h", "op-1", "closed")

        assert the_one(*events, as_of="2h").state is EscalationState.WAITING
        assert the_one(*events).resolved_at == after("4h")

    def test_nobody_acknowledges_what_another_closed(self) -> None:
        found = the_one(ev("1h", "bot", "escalated"), ev("3h", "rule-1", "closed"), ev("4h", "op-1", "commented"))

        assert (found.state, found.acknowledged_at, found.worked) == (EscalationState.RESOLVED, None, 2 * HOUR)

    def test_the_agent_takes_it_back_by_a_new_recommendation(self) -> None:
        found = the_one(ev("1h", "bot", "escalated", id="a"), ev("2h", "bot", "changed", "priority", "high", id="b"), ev("3h", "op-1", "commented"))

        assert (found.state, found.resolved_at, found.acknowledged_at, found.worked) == (EscalationState.RESOLVED, after("2h"), None, HOUR)
        assert found.evidence == (("desk", "a"), ("desk", "b"))

    def test_what_the_agent_does_in_the_instant_of_escalating_takes_nothing_back(self) -> None:
        events = ev("1h", "bot", "escalated", id="a"), ev("1h", "bot", "changed", "priority", "high", id="b")

        assert the_one(*events).state is EscalationState.WAITING

    def test_an_agents_other_work_takes_nothing_back(self) -> None:
        found = the_one(ev("1h", "bot", "escalated"), ev("2h", "bot", "commented"), ev("3h", "other-bot", "changed", "priority", "low"))

        assert found.state is EscalationState.WAITING

    def test_a_shadow_recommendation_takes_nothing_back(self) -> None:
        levels = [{"level": "assisted", "since": "2026-01-01"}, {"level": "shadow", "since": "2026-03-02T11:00:00Z"}]

        assert the_one(ev("1h", "bot", "escalated"), ev("3h", "bot", "changed", "priority", "high"), levels=levels).state is EscalationState.WAITING

    def test_handing_over_again_is_no_taking_back_even_if_the_agent_decides_the_attribute(self) -> None:
        found = the_one(ev("1h", "bot", "changed", "group", "a"), ev("2h", "bot", "changed", "group", "b"), decides=["set:group"])

        assert (found.raised_at, found.state) == (after("1h"), EscalationState.WAITING)

    @pytest.mark.parametrize("activity", ["absorbed", "deleted"])
    def test_it_ends_with_a_case_that_is_absorbed_or_deleted(self, activity: str) -> None:
        found = the_one(ev("1h", "bot", "escalated"), ev("3h", "rule-1", activity), ev("4h", "op-1", "closed"))

        assert (found.state, found.ended_at, found.resolved_at, found.acknowledged_at, found.worked) == (
            EscalationState.ENDED,
            after("3h"),
            None,
            None,
            2 * HOUR,
        )

    def test_an_operator_who_ends_the_case_has_acknowledged_it(self) -> None:
        found = the_one(ev("1h", "bot", "escalated"), ev("3h", "op-1", "absorbed"))

        assert (found.state, found.acknowledged_at) == (EscalationState.ENDED, after("3h"))


class TestWorkingTime:
    def test_the_target_is_working_time(self) -> None:
        assert the_one(ev("6h", "bot", "escalated"), **OFFICE).breach_at == after("1d2h")

    def test_it_is_breached_exactly_if_more_working_time_passed_than_its_target(self) -> None:
        intime, late = (the_one(ev("6h", "bot", "escalated"), ev(at, "op-1", "commented"), **OFFICE) for at in ("1d2h", "1d2h1s"))

        assert (intime.worked, intime.acknowledged_at == intime.breach_at) == (4 * HOUR, True)
        assert late.worked is not None
        assert late.worked > late.target
        assert late.acknowledged_at is not None
        assert late.acknowledged_at > late.breach_at


ACTIVITIES = ("escalated", "changed", "commented", "closed", "reopened", "absorbed", "recommended")


@st.composite
def histories(draw: st.DrawFn) -> list[Event]:
    drawn = draw(
        st.lists(
            st.tuples(
                st.integers(0, 72),
                st.sampled_from(("bot", "bot", "other-bot", "op-1", "customer-1")),
                st.sampled_from(ACTIVITIES),
                st.sampled_from(("priority", "group", "assignee")),
            ),
            max_size=12,
        )
    )
    return [
        ev(hours * HOUR, actor, activity, attribute, "high", id=str(number))
        if activity == "changed"
        else ev(hours * HOUR, actor, activity, id=str(number), **({"action": "set:priority", "value": "low"} if activity == "recommended" else {}))
        for number, (hours, actor, activity, attribute) in enumerate(drawn)
    ]


@settings(max_examples=100, deadline=None)
@given(histories(), st.integers(0, 96))
def test_every_escalation_is_in_the_one_state_that_its_times_say(events: list[Event], hours: int) -> None:
    found = raised(*events, as_of=f"{hours}h", **OFFICE)

    for item in found:
        assert item.resolved_at is None or item.ended_at is None
        over_at = item.ended_at if item.resolved_at is None else item.resolved_at
        assert (item.state in {EscalationState.RESOLVED, EscalationState.ENDED}) is (over_at is not None)
        assert (item.state is EscalationState.ENDED) is (item.ended_at is not None)
        assert (item.state is EscalationState.WAITING) is (over_at is None and item.acknowledged_at is None)
        assert (item.worked is None) is (item.state is EscalationState.WAITING)
        assert item.raised_at <= (item.acknowledged_at or item.raised_at) <= (over_at or after(f"{hours}h"))
        if item.worked is not None:
            waited_until = item.acknowledged_at if item.acknowledged_at is not None else over_at
            assert waited_until is not None
            assert (item.worked > item.target) is (waited_until > item.breach_at)
    for earlier, later in pairwise(found):
        assert earlier.resolved_at is not None
        assert earlier.resolved_at <= later.raised_at


@settings(max_examples=100, deadline=None)
@given(histories(), st.randoms())
def test_escalations_know_no_order_of_arrival(events: list[Event], random: Any) -> None:
    assert raised(*events) == raised(*random.sample(events, len(events)))


@settings(max_examples=100, deadline=None)
@given(histories(), st.integers(0, 72))
def test_what_a_resolved_escalation_says_never_changes_but_for_its_owner(events: list[Event], hours: int) -> None:
    def lasting(found: list[Escalated]) -> list[dict[str, Any]]:
        return [{name: getattr(item, name) for name in item.__struct_fields__ if name != "owned"} for item in found if item.resolved_at is not None]

    known, later = lasting(raised(*events, as_of=f"{hours}h")), lasting(raised(*events))

    assert later[: len(known)] == known


@settings(max_examples=100, deadline=None)
@given(histories())
def test_every_escalations_evidence_is_events_of_the_case_in_order(events: list[Event]) -> None:
    refs = [event.ref for event in sorted(events, key=lambda event: event.occurred_at)]
    for item in raised(*events):
        assert len(set(item.evidence)) == len(item.evidence)
        assert set(item.evidence) <= set(refs)
        assert next(event for event in events if event.ref == item.evidence[0]).occurred_at == item.raised_at
