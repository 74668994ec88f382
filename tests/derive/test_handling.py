"""How cases are handled first: every row of the table, in its order, and the laws of the whole."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from builders import HOUR, MINUTE, Around, after, company, ev, history
from rollout_metrics.derive.escalations import escalations
from rollout_metrics.derive.handling import handling
from rollout_metrics.derive.recommendations import recommendations
from rollout_metrics.domain.events import Event
from rollout_metrics.domain.facts import Handling, HandlingKind
from rollout_metrics.domain.time import Instant

CREATED = ev("0s", "customer-1", "created", id="created", attributes={"channel": "email"})
NEARBY = ev("0s", "bot", "commented", id="nearby", case="2")
"""The agent is at work, on another case."""

MARKERS: dict[str, Any] = {"bypass": {"markers": {"tags": ["no-bot"], "handled_by": ["human"], "via": ["hands-off"]}}}
SIDE: dict[str, Any] = {"bypass": {"side_channels": {"channel": ["phone", "direct-mail"]}}}
TWO: dict[str, Any] = {"decides": ["set:priority", "set:group"], "escalation": {"attributes": ["assignee"]}}


def handled_with_change(*events: Event, as_of: str = "30d", **options: Any) -> tuple[Handling | None, Instant | None]:
    told = company(options)
    everything = (CREATED, NEARBY, *events) if not any(event.activity == "created" or event.case_id == "2" for event in events) else events
    read = history(*(event for event in everything if event.case_id == "1"), company=told, as_of=as_of)
    around = Around(everything, told, after(as_of))
    recommended, _ = recommendations(read, around)
    return handling(read, told, around, recommended, escalations(read, told, around, recommended))


def handled(*events: Event, as_of: str = "30d", **options: Any) -> Handling | None:
    return handled_with_change(*events, as_of=as_of, **options)[0]


def kind(*events: Event, as_of: str = "30d", **options: Any) -> HandlingKind | None:
    found = handled(*events, as_of=as_of, **options)
    return None if found is None else found.handling


def sets(offset: str, value: str, actor: str = "op-1", attribute: str = "priority", **detail: Any) -> Event:
    return ev(offset, actor, "changed", attribute, value, id=f"{actor}-{attribute}-{offset}", **detail)


class TestEligibility:
    @pytest.mark.parametrize("level", ["off", "shadow"])
    def test_a_case_that_came_before_the_agent_assisted_is_not_eligible(self, level: str) -> None:
        assert handled(sets("1h", "high"), levels=[{"level": level, "since": "2026-01-01"}]) is None

    @pytest.mark.parametrize("level", ["assisted", "low_risk_autonomous", "high_risk"])
    def test_from_assisted_up_it_is(self, level: str) -> None:
        assert kind(sets("1h", "high"), levels=[{"level": level, "since": "2026-01-01"}]) is HandlingKind.UNASSISTED

    def test_a_case_that_came_in_a_pause_is_not_eligible(self) -> None:
        assert handled(sets("1h", "high"), pauses=[{"start": "2026-03-02T08:00:00Z", "end": "2026-03-02T09:00:01Z"}]) is None

    def test_a_case_that_came_as_the_pause_ended_is_eligible(self) -> None:
        assert handled(sets("1h", "high"), pauses=[{"start": "2026-03-02T08:00:00Z", "end": "2026-03-02T09:00:00Z"}]) is not None

    def test_the_level_when_the_case_came_counts_not_the_one_when_it_was_handled(self) -> None:
        later = [{"level": "assisted", "since": "2026-01-01"}, {"level": "off", "since": "2026-03-02T09:30:00Z"}]

        assert handled(sets("1h", "high"), levels=later) is not None

    def test_a_case_of_no_workflow_is_not_eligible(self) -> None:
        assert handled(sets("1h", "high"), scope={"brand": ["a"]}) is None


class TestHandlingInstant:
    def test_a_case_that_nobody_handled_is_not_counted_yet(self) -> None:
        assert handled(ev("1h", "op-1", "changed", "assignee", "op-1")) is None

    @pytest.mark.parametrize(
        "event",
        [
            ev("1h", "op-1", "closed", "status", "solved", id="first"),
            ev("1h", "op-1", "changed", "priority", "high", id="first"),
            ev("1h", "op-1", "executed", action="set:priority", value="high", id="first"),
            ev("1h", "bot", "changed", "priority", "high", id="first"),
            ev("1h", "bot", "recommended", action="set:priority", value="high", id="first"),
            ev("1h", "bot", "escalated", id="first"),
        ],
    )
    def test_it_is_handled_by_a_close_a_decided_action_a_recommendation_or_an_escalation(self, event: Event) -> None:
        found = handled(event, sets("2h", "low"))

        assert found is not None
        assert found.at == after("1h")
        assert found.evidence[0] == ("desk", "first")

    def test_customers_and_systems_handle_nothing(self) -> None:
        assert handled(sets("1h", "high", actor="customer-1"), sets("2h", "low", actor="rule-1"), ev("3h", "customer-1", "closed")) is None

    def test_what_was_done_before_the_case_was_in_scope_does_not_handle_it(self) -> None:
        found = handled(sets("1h", "high"), sets("2h", "a", attribute="brand", before="b"), sets("3h", "low"), scope={"brand": ["a"]})

        assert found is not None
        assert (found.scoped_at, found.at) == (after("2h"), after("3h"))

    @pytest.mark.parametrize("ending", ["absorbed", "deleted"])
    def test_a_case_that_ended_before_it_was_handled_is_not_counted(self, ending: str) -> None:
        assert handled(ev("1h", "op-1", ending), sets("2h", "high")) is None

    @pytest.mark.parametrize("ending", ["absorbed", "deleted"])
    def test_one_that_ended_afterwards_is(self, ending: str) -> None:
        assert handled(sets("1h", "high"), ev("2h", "op-1", ending)) is not None


class TestMarked:
    @pytest.mark.parametrize(
        "mark",
        [
            ev("2h", "op-1", "changed", "tags", ["no-bot", "vip"], before=["vip"], id="mark"),
            ev("2h", "op-1", "changed", "handled_by", "human", id="mark"),
            ev("2h", "op-1", "commented", via=["hands-off"], id="mark"),
        ],
    )
    def test_an_operators_marker_marks_even_when_the_agent_was_first(self, mark: Event) -> None:
        found = handled(sets("1h", "high", actor="bot"), mark, **MARKERS)

        assert found is not None
        assert found.handling is HandlingKind.MARKED
        assert found.at == after("1h")
        assert found.evidence[-1] == ("desk", "mark")

    def test_a_marker_that_somebody_else_set_does_not_mark(self) -> None:
        assert kind(sets("1h", "high", actor="bot"), sets("2h", "human", actor="rule-1", attribute="handled_by"), **MARKERS) is HandlingKind.ASSISTED

    def test_a_marker_that_was_there_before_is_not_set_by_the_next_change(self) -> None:
        tagged = ev("2h", "rule-1", "changed", "tags", ["no-bot"], before=[])
        retagged = ev("3h", "op-1", "changed", "tags", ["no-bot", "vip"], before=["no-bot"])

        assert kind(sets("1h", "high", actor="bot"), tagged, retagged, **MARKERS) is HandlingKind.ASSISTED

    def test_an_operator_who_opens_the_case_with_a_marker_sets_it(self) -> None:
        created = ev("0s", "op-1", "created", attributes={"handled_by": "human"})

        assert kind(created, sets("1h", "high"), **MARKERS) is HandlingKind.MARKED

    def test_a_marker_up_to_the_last_close_counts_and_a_later_one_does_not(self) -> None:
        agent, close = sets("1h", "high", actor="bot"), ev("3h", "op-1", "closed", "status", "solved")
        mark = ev("4h", "op-1", "changed", "handled_by", "human")

        assert kind(agent, close, mark, **MARKERS) is HandlingKind.ASSISTED
        assert kind(agent, close, mark, ev("5h", "op-1", "closed", "status", "solved"), **MARKERS) is HandlingKind.MARKED

    def test_a_marker_in_the_instant_of_the_close_counts(self) -> None:
        close = ev("3h", "op-1", "closed", "status", "solved", via=["hands-off"])

        assert kind(sets("1h", "high", actor="bot"), close, **MARKERS) is HandlingKind.MARKED

    def test_on_a_case_that_never_closed_any_marker_counts(self) -> None:
        assert kind(sets("1h", "high"), ev("9d", "op-1", "changed", "handled_by", "human"), **MARKERS) is HandlingKind.MARKED

    def test_a_marker_comes_before_every_other_row(self) -> None:
        created = ev("0s", "customer-1", "created", attributes={"channel": "phone"})
        both = {"bypass": {**MARKERS["bypass"], **SIDE["bypass"]}}

        assert kind(created, sets("1h", "high", via=["hands-off"]), **both) is HandlingKind.MARKED


class TestRedone:
    AGENT = (sets("1h", "high", actor="bot"), sets("1h", "sales", actor="bot", attribute="group"))

    def test_two_of_two_acts_replaced_is_redone(self) -> None:
        found = handled(*self.AGENT, sets("2h", "low"), sets("3h", "care", attribute="group"), **TWO)

        assert found is not None
        assert found.handling is HandlingKind.REDONE
        assert found.evidence[1:] == (("desk", "op-1-priority-2h"), ("desk", "op-1-group-3h"))

    def test_one_replaced_act_is_fewer_than_redo_actions(self) -> None:
        assert kind(*self.AGENT, sets("2h", "low"), **TWO) is HandlingKind.ASSISTED

    def test_redo_actions_is_a_parameter(self) -> None:
        one = sets("1h", "high", actor="bot")

        assert kind(one, sets("2h", "low"), bypass={"redo_actions": 1}) is HandlingKind.REDONE

    def test_what_was_reversed_after_acceptance_is_redone_too(self) -> None:
        close = ev("2h", "op-1", "closed", "status", "solved")

        assert kind(*self.AGENT, close, sets("3h", "low"), sets("4h", "care", attribute="group"), **TWO) is HandlingKind.REDONE

    def test_fewer_than_half_is_not_redone(self) -> None:
        names = ("a", "b", "c", "d", "e")
        options = {"decides": [f"set:{name}" for name in names], "escalation": {"attributes": ["assignee"]}}
        acts = [sets("1h", "1", actor="bot", attribute=name) for name in names]
        replaced = [sets("2h", "2", attribute=name) for name in names[:2]]
        repeated = [sets(f"{hour}h", "2", attribute="a", before="2") for hour in (3, 4, 5)]
        close = ev("9h", "op-1", "closed", "status", "solved")

        assert kind(*acts, *replaced, *repeated, close, **options) is HandlingKind.ASSISTED

    def test_operators_must_have_done_as_many_decided_actions_as_the_agent(self) -> None:
        again = sets("1h30m", "high", actor="bot")

        assert kind(*self.AGENT, again, sets("2h", "low"), sets("3h", "care", attribute="group"), **TWO) is HandlingKind.ASSISTED

    def test_overriding_proposals_that_never_acted_is_not_redoing(self) -> None:
        proposed = [ev("1h", "bot", "recommended", attribute, "x", id=attribute) for attribute in ("priority", "group")]

        assert kind(*proposed, sets("2h", "low"), sets("3h", "care", attribute="group"), **TWO) is HandlingKind.ASSISTED


class TestAssistedAndSideChannel:
    def test_the_agent_first_is_assisted(self) -> None:
        assert kind(sets("1h", "high", actor="bot"), sets("2h", "low")) is HandlingKind.ASSISTED

    def test_an_operator_first_on_a_side_channel_is_side_channel_whether_or_not_the_agent_was_there(self) -> None:
        created = ev("0s", "customer-1", "created", attributes={"channel": "phone"})

        assert kind(created, sets("1h", "high"), **SIDE) is HandlingKind.SIDE_CHANNEL

    def test_the_channel_at_the_handling_event_counts(self) -> None:
        moved = ev("30m", "op-1", "changed", "channel", "phone", before="email")
        back = ev("2h", "op-1", "changed", "channel", "email", before="phone")

        assert kind(CREATED, NEARBY, moved, sets("1h", "high"), back, **SIDE) is HandlingKind.SIDE_CHANNEL
        assert kind(CREATED, NEARBY, sets("1h", "high"), ev("2h", "op-1", "changed", "channel", "phone"), **SIDE) is HandlingKind.UNASSISTED

    def test_the_agent_first_on_a_side_channel_is_assisted(self) -> None:
        created = ev("0s", "customer-1", "created", attributes={"channel": "phone"})

        assert kind(created, sets("1h", "high", actor="bot"), **SIDE) is HandlingKind.ASSISTED


class TestPresence:
    def test_no_agent_on_any_case_around_then_is_agent_absent(self) -> None:
        found = handled(CREATED, sets("1h", "high"))

        assert found is not None
        assert found.handling is HandlingKind.AGENT_ABSENT
        assert found.presence == (after(0) - HOUR, after("1h"))

    def test_before_the_grace_is_over_absence_reaches_to_its_end(self) -> None:
        found = handled(CREATED, sets("1m", "high"))

        assert found is not None
        assert found.presence == (after(0) - HOUR, after("10m"))

    @pytest.mark.parametrize("offset", [-HOUR, 0, 10 * MINUTE])
    def test_an_agent_event_on_any_case_in_the_stretch_is_presence(self, offset: int) -> None:
        assert kind(CREATED, sets("1m", "high"), ev(offset, "bot", "commented", case="2")) is HandlingKind.PREEMPTED

    @pytest.mark.parametrize("offset", [-HOUR - 1, 10 * MINUTE + 1])
    def test_one_outside_the_stretch_is_not(self, offset: int) -> None:
        assert kind(CREATED, sets("1m", "high"), ev(offset, "bot", "commented", case="2")) is HandlingKind.AGENT_ABSENT

    def test_an_operator_within_the_grace_preempted_the_agent(self) -> None:
        assert kind(CREATED, NEARBY, ev(10 * MINUTE - 1, "op-1", "closed")) is HandlingKind.PREEMPTED

    def test_an_operator_at_the_end_of_the_grace_went_around_it(self) -> None:
        assert kind(CREATED, NEARBY, ev("10m", "op-1", "closed")) is HandlingKind.UNASSISTED

    def test_while_the_stretch_runs_an_absence_is_asked_again_at_every_later_instant(self) -> None:
        found, next_change_at = handled_with_change(CREATED, sets("1m", "high"), as_of="5m")

        assert found is not None
        assert found.handling is HandlingKind.AGENT_ABSENT
        assert next_change_at == after("5m") + 1

    def test_once_the_stretch_is_over_or_the_agent_was_seen_nothing_changes_by_time(self) -> None:
        assert handled_with_change(CREATED, sets("1m", "high"), as_of="10m")[1] is None
        assert handled_with_change(CREATED, NEARBY, sets("1m", "high"), as_of="5m")[1] is None

    def test_an_agent_event_after_t_does_not_exist_yet(self) -> None:
        appears = ev("6m", "bot", "commented", case="2")

        assert kind(CREATED, appears, sets("1m", "high"), as_of="5m") is HandlingKind.AGENT_ABSENT
        assert kind(CREATED, appears, sets("1m", "high"), as_of="6m") is HandlingKind.PREEMPTED

    def test_where_presence_did_not_matter_none_is_recorded(self) -> None:
        found = handled(sets("1h", "high", actor="bot"))

        assert found is not None
        assert found.presence is None


ACTORS = st.sampled_from(["bot", "op-1", "op-2", "customer-1", "rule-1"])
STEPS = st.lists(st.tuples(st.integers(0, 90), ACTORS, st.sampled_from(["high", "low", "close", "reopen", "tag", "comment", "escalate"])), max_size=12)


def told(number: int, minute: int, actor: str, what: str) -> Event:
    identity = f"e{number:03d}"
    offset = minute * MINUTE
    match what:
        case "close":
            return ev(offset, actor, "closed", "status", "solved", id=identity)
        case "reopen":
            return ev(offset, actor, "reopened", "status", "open", id=identity)
        case "tag":
            return ev(offset, actor, "commented", via=["hands-off"], id=identity)
        case "comment":
            return ev(offset, actor, "commented", public=True, id=identity)
        case "escalate":
            return ev(offset, actor, "escalated", id=identity)
    return ev(offset, actor, "changed", "priority", what, id=identity)


@settings(max_examples=80, deadline=None)
@given(STEPS, st.integers(0, 120), st.randoms())
def test_handling_knows_no_order_of_arrival_and_nothing_after_t(steps: list[tuple[int, str, str]], minutes: int, random: Any) -> None:
    events = [CREATED, NEARBY, *(told(number, *step) for number, step in enumerate(steps))]
    as_of = f"{minutes}m"

    whole = handled_with_change(*events, as_of=as_of, **MARKERS)
    shuffled = handled_with_change(*random.sample(events, len(events)), as_of=as_of, **MARKERS)
    cut = handled_with_change(*(event for event in events if event.occurred_at <= after(as_of)), as_of=as_of, **MARKERS)

    assert whole == shuffled == cut


@settings(max_examples=80, deadline=None)
@given(STEPS)
def test_the_handling_instant_never_moves_once_it_came(steps: list[tuple[int, str, str]]) -> None:
    events = [CREATED, NEARBY, *(told(number, *step) for number, step in enumerate(steps))]
    final = handled(*events, **MARKERS)

    for minutes in range(0, 91, 15):
        then = handled(*events, as_of=f"{minutes}m", **MARKERS)
        assert (None if then is None else then.at) == (final.at if final is not None and final.at <= after(f"{minutes}m") else None)


@settings(max_examples=80, deadline=None)
@given(STEPS)
def test_evidence_names_events_of_the_case_that_exist(steps: list[tuple[int, str, str]]) -> None:
    events = [CREATED, NEARBY, *(told(number, *step) for number, step in enumerate(steps))]
    found = handled(*events, **MARKERS)

    if found is not None:
        assert set(found.evidence) <= {event.ref for event in events if event.case_id == "1"}
        assert found.scoped_at <= found.at
