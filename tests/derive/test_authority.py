"""Authority: every kind of violation in its order, the approval rule word by word, conditions, blocks and used grants."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from builders import MINUTE, Around, after, company, ev, history
from rollout_metrics.derive.authority import violations
from rollout_metrics.derive.recommendations import recommendations
from rollout_metrics.domain.events import Event
from rollout_metrics.domain.facts import Blocked, Used, Violation, ViolationKind
from rollout_metrics.domain.policy import Company

CREATED = ev("0s", "customer-1", "created", id="created", attributes={"brand": "a", "regulated": "no", "tags": '["eu","vip"]'})
OTHER = {"name": "other", "agents": ["other-bot"], "sources": ["elsewhere"]}
THIRD = {**OTHER, "name": "third"}


def lists(**entries: Any) -> dict[str, Any]:
    """A workflow with undated authority lists."""
    return {"authority": [entries]}


NEEDED = lists(approval=["set:priority", "refund"])
DECIDED = {**NEEDED, "decides": ["set:priority", "refund"]}


def found(*events: Event, told: Company | None = None, as_of: str = "30d", **options: Any) -> list[Violation | Blocked | Used]:
    told = told or company(options)
    everything = (CREATED, *events)
    read = history(*everything, company=told, as_of=as_of)
    around = Around(everything, told, after(as_of))
    return violations(read, told, around, recommendations(read, around)[0])


def kinds(*events: Event, told: Company | None = None, **options: Any) -> list[ViolationKind]:
    return [fact.kind for fact in found(*events, told=told, **options) if isinstance(fact, Violation)]


def refund(offset: str = "1h", actor: str = "bot", **detail: Any) -> Event:
    return ev(offset, actor, "executed", action="refund", **detail)


def approved(offset: str, **detail: Any) -> Event:
    return ev(offset, "op-1", "approved", **detail)


class TestScope:
    def test_another_workflows_agent_is_out_of_scope_counted_at_the_first_of_its_own(self) -> None:
        told = company({}, OTHER, THIRD)

        [violation] = found(refund(actor="other-bot", id="act"), told=told)

        assert violation == Violation("other", ViolationKind.OUT_OF_SCOPE, "refund", after("1h"), (("desk", "act"),))

    def test_the_workflows_own_agent_is_in_scope(self) -> None:
        assert kinds(refund()) == []

    def test_an_act_before_the_case_was_in_scope_is_out_of_scope(self) -> None:
        scoped = ev("2h", "rule-1", "changed", "queue", "x", before="y")

        assert kinds(refund("1h"), scoped, refund("2h"), refund("3h"), scope={"queue": ["x"]}) == [ViolationKind.OUT_OF_SCOPE]

    def test_a_case_of_no_workflow_counts_at_the_agents_first(self) -> None:
        told = company({"scope": {"brand": ["b"]}}, {"name": "v", "scope": {"brand": ["c"]}})

        [violation] = found(refund(), told=told)

        assert (violation.workflow, violation.kind) == ("w", ViolationKind.OUT_OF_SCOPE)

    def test_an_agent_of_no_workflow_on_a_case_of_none_counts_at_none(self) -> None:
        told = company({"sources": ["elsewhere"]})

        [violation] = found(refund(actor="other-bot"), told=told)

        assert (violation.workflow, violation.kind) == ("none", ViolationKind.OUT_OF_SCOPE)

    def test_an_unnamed_agent_belongs_to_the_workflows_that_read_its_source(self) -> None:
        assert kinds(refund(actor="other-bot")) == []

    def test_out_of_scope_comes_before_level_and_lists(self) -> None:
        told = company({"levels": [], **lists(forbidden=["refund"])}, OTHER)

        assert kinds(refund(actor="other-bot"), told=told) == [ViolationKind.OUT_OF_SCOPE]


class TestLevel:
    @pytest.mark.parametrize("level", ["off", "shadow"])
    def test_acting_below_assisted_violates_the_level(self, level: str) -> None:
        assert kinds(refund(), levels=[{"level": level, "since": "2026-01-01"}]) == [ViolationKind.LEVEL]

    @pytest.mark.parametrize("level", ["assisted", "low_risk_autonomous", "broad_autonomous", "high_risk"])
    def test_acting_from_assisted_up_does_not(self, level: str) -> None:
        assert kinds(refund(), levels=[{"level": level, "since": "2026-01-01"}]) == []

    def test_acting_in_a_pause_violates_the_level(self) -> None:
        pauses = [{"start": "2026-03-02T10:00:00Z", "end": "2026-03-02T11:00:00Z"}]

        assert kinds(refund("59m"), refund("1h"), refund("2h"), pauses=pauses) == [ViolationKind.LEVEL]

    def test_an_undated_level_has_begun_with_the_agents_first_act(self) -> None:
        assert kinds(refund(), levels=[{"level": "assisted"}]) == []

    def test_the_level_comes_before_the_lists(self) -> None:
        assert kinds(refund(), levels=[{"level": "shadow"}], **lists(forbidden=["refund"])) == [ViolationKind.LEVEL]

    @pytest.mark.parametrize("activity", ["recommended", "approval_requested", "escalated"])
    def test_what_does_not_act_violates_nothing(self, activity: str) -> None:
        assert kinds(ev("1h", "bot", activity, action="refund"), levels=[], **lists(forbidden=["refund"])) == []

    @pytest.mark.parametrize("actor", ["op-1", "customer-1", "rule-1"])
    def test_only_agents_can_violate_authority(self, actor: str) -> None:
        assert kinds(refund(actor=actor), levels=[], **lists(forbidden=["refund"])) == []


class TestLists:
    def test_a_forbidden_action_is_forbidden_even_where_another_list_allows_it(self) -> None:
        assert kinds(approved("30m", action="refund"), refund(), **lists(forbidden=["refund"], approval=["refund"], automatic=["refund"])) == ["forbidden"]

    def test_an_action_that_needs_approval_and_has_none_is_unapproved_even_where_it_is_automatic_too(self) -> None:
        assert kinds(refund(), **lists(approval=["refund"], automatic=["refund"])) == ["unapproved"]

    def test_an_action_on_no_list_is_unlisted(self) -> None:
        assert kinds(refund(), **lists(automatic=["set:priority"])) == ["unlisted"]

    def test_an_automatic_action_is_no_violation(self) -> None:
        assert kinds(refund(), **lists(automatic=["refund"])) == []

    def test_empty_lists_allow_nothing(self) -> None:
        assert kinds(refund(), **lists()) == ["unlisted"]

    def test_a_workflow_without_lists_has_nothing_to_violate_in_them(self) -> None:
        assert kinds(refund()) == []

    def test_before_the_first_dated_list_nothing_was_written_down(self) -> None:
        assert kinds(refund(), authority=[{"since": "2026-03-02T10:00:00.000001Z", "forbidden": ["refund"]}]) == []

    def test_an_act_is_judged_by_the_lists_in_force_at_its_instant(self) -> None:
        authority = [{"automatic": ["refund"]}, {"since": "2026-03-02T10:00:00Z", "forbidden": ["refund"]}]

        assert kinds(refund("59m"), refund("1h"), authority=authority) == ["forbidden"]

    @pytest.mark.parametrize(
        ("act", "action"),
        [
            (ev("1h", "bot", "changed", "status", "open"), "set:status"),
            (ev("1h", "bot", "commented", public=True), "comment:public"),
            (ev("1h", "bot", "commented"), "comment:internal"),
            (ev("1h", "bot", "closed", "status", "solved"), "close"),
            (ev("1h", "bot", "reopened", "status", "open"), "reopen"),
            (ev("1h", "bot", "deleted"), "delete"),
            (ev("1h", "bot", "absorbed"), "absorb"),
            (ev("1h", "bot", "approved"), "approve"),
            (ev("1h", "bot", "rejected"), "reject"),
            (ev("1h", "bot", "approved", action="merge"), "merge"),
            (ev("1h", "bot", "created"), "create"),
        ],
    )
    def test_every_activity_that_acts_is_checked_by_its_action(self, act: Event, action: str) -> None:
        assert kinds(act, **lists(automatic=[action])) == []
        assert kinds(act, **lists(forbidden=[action])) == ["forbidden"]


class TestConditions:
    def allowed(self, condition: str, act: Event, *before: Event, **options: Any) -> bool:
        return kinds(*before, act, **lists(automatic=[{"action": "refund", "when": [condition]}]), **options) == []

    @pytest.mark.parametrize(
        ("condition", "amount", "holds"),
        [
            ("amount <= 50", 50, True),
            ("amount <= 50", 50.01, False),
            ("amount < 50", 50, False),
            ("amount < 50", "49.99", True),
            ("amount >= 50", "50", True),
            ("amount > 50", 50, False),
            ("amount > 0.3", "0.30000000000000001", True),
            ("amount = 50", 50.0, True),
            ("amount != 50", 51, True),
            ("amount in 10, 20", 20, True),
            ("amount in 10, 20", 30, False),
        ],
    )
    def test_a_condition_is_looked_up_in_the_acts_detail(self, condition: str, amount: Any, holds: bool) -> None:
        assert self.allowed(condition, refund(amount=amount)) is holds

    @pytest.mark.parametrize("amount", ["many", None, True, "1_0", "nan", "-inf", "", [10]])
    @pytest.mark.parametrize("operator", ["<", "<=", ">", ">="])
    def test_what_is_no_number_satisfies_no_size(self, amount: Any, operator: str) -> None:
        assert not self.allowed(f"amount {operator} 50", refund(amount=amount))

    def test_else_it_is_the_cases_attribute_then(self) -> None:
        regulated = ev("30m", "op-1", "changed", "regulated", "yes", before="no")

        assert self.allowed("regulated = no", refund())
        assert not self.allowed("regulated = no", refund(), regulated)
        assert self.allowed("regulated = no", refund("29m"), regulated)

    def test_the_detail_wins_over_the_attribute(self) -> None:
        assert not self.allowed("regulated = no", refund(regulated="yes"))

    def test_a_null_in_the_detail_says_nothing(self) -> None:
        assert self.allowed("regulated = no", refund(regulated=None))

    @pytest.mark.parametrize("value", [False, "false", "no"])
    def test_no_and_false_are_the_same_word(self, value: Any) -> None:
        assert self.allowed("regulated = no", refund(regulated=value))

    @pytest.mark.parametrize(("condition", "holds"), [("tags = vip", True), ("tags != vip", False), ("tags in us, eu", True), ("tags = us", False)])
    def test_any_member_of_a_multi_valued_attribute_may_match(self, condition: str, holds: bool) -> None:
        assert self.allowed(condition, refund()) is holds

    def test_what_is_unset_equals_nothing(self) -> None:
        assert not self.allowed("environment = test", refund())
        assert self.allowed("environment != test", refund())

    def test_all_conditions_must_hold(self) -> None:
        grants = lists(automatic=[{"action": "refund", "when": ["amount <= 50", "regulated = no"]}])

        assert kinds(refund(amount=5), refund("2h", amount=500), refund("3h", amount=5, regulated="yes"), **grants) == ["unlisted", "unlisted"]

    def test_an_act_that_sets_the_attribute_is_judged_by_what_it_sets(self) -> None:
        grants = lists(automatic=[{"action": "set:priority", "when": ["priority in low, normal"]}])

        assert kinds(ev("1h", "bot", "changed", "priority", "low", before="urgent"), ev("2h", "bot", "changed", "priority", "urgent"), **grants) == ["unlisted"]


class TestApproval:
    def ask(self, offset: str, value: str = "10", **detail: Any) -> Event:
        return ev(offset, "bot", "approval_requested", action="refund", value=value, **detail)

    def test_an_approval_of_the_action_covers_the_act(self) -> None:
        assert kinds(approved("30m", action="refund"), refund(), **NEEDED) == []

    def test_an_approval_of_another_action_does_not(self) -> None:
        assert kinds(approved("30m", action="set:priority"), refund(), **NEEDED) == ["unapproved"]

    @pytest.mark.parametrize("actor", ["customer-1", "rule-1"])
    def test_only_operators_approve(self, actor: str) -> None:
        assert kinds(ev("30m", actor, "approved", action="refund"), refund(), **NEEDED) == ["unapproved"]

    def test_an_agents_approval_is_none(self) -> None:
        assert kinds(ev("30m", "bot", "approved", action="refund"), refund(), **NEEDED) == ["unapproved", "unapproved"]

    def test_a_rejection_is_none(self) -> None:
        assert kinds(ev("30m", "op-1", "rejected", action="refund"), refund(), **NEEDED) == ["unapproved"]

    def test_an_approval_after_the_act_is_too_late(self) -> None:
        assert kinds(refund(), approved("2h", action="refund"), **NEEDED) == ["unapproved"]

    def test_one_approval_covers_one_act(self) -> None:
        assert kinds(approved("30m", action="refund"), refund("1h"), refund("2h"), **NEEDED) == ["unapproved"]

    def test_two_approvals_before_two_acts_cover_only_the_first(self) -> None:
        assert kinds(approved("30m", action="refund"), approved("40m", action="refund"), refund("1h"), refund("2h"), **NEEDED) == ["unapproved"]

    def test_each_act_after_its_own_approval_is_covered(self) -> None:
        assert kinds(approved("30m", action="refund"), refund("1h"), approved("90m", action="refund"), refund("2h"), **NEEDED) == []

    def test_another_agents_act_uses_the_approval_up(self) -> None:
        told = company(NEEDED, OTHER)

        assert kinds(approved("30m", action="refund"), refund("1h", actor="other-bot"), refund("2h"), told=told) == ["out_of_scope", "unapproved"]

    def test_an_approval_with_this_value_covers_it_and_with_another_does_not(self) -> None:
        assert kinds(approved("30m", action="refund", value="10"), refund(value="10"), **NEEDED) == []
        assert kinds(approved("30m", action="refund", value="10"), refund(value="99"), **NEEDED) == ["unapproved"]

    def test_an_approval_by_attribute_means_setting_it(self) -> None:
        act = ev("1h", "bot", "changed", "priority", "high")

        assert kinds(ev("30m", "op-1", "approved", "priority", "high"), act, **NEEDED) == []
        assert kinds(ev("30m", "op-1", "approved", "priority", "low"), act, **NEEDED) == ["unapproved"]

    def test_an_approval_without_a_value_means_that_of_the_recommendation(self) -> None:
        assert kinds(self.ask("10m"), approved("30m", action="refund"), refund(value="10"), **DECIDED) == []
        assert kinds(self.ask("10m"), approved("30m", action="refund"), refund(value="99"), **DECIDED) == ["unapproved"]

    def test_an_approval_that_names_nothing_means_the_oldest_open_recommendation_that_asked(self) -> None:
        hint = ev("5m", "bot", "recommended", "priority", "high")

        assert kinds(hint, self.ask("10m"), approved("30m"), refund(value="10"), **DECIDED) == []

    def test_else_the_newest_open_one(self) -> None:
        hints = ev("5m", "bot", "recommended", action="refund", value="10"), ev("6m", "bot", "recommended", "priority", "high")

        assert kinds(*hints, approved("30m"), ev("1h", "bot", "changed", "priority", "high"), **DECIDED) == []
        assert kinds(*hints, approved("30m"), refund(value="10"), **DECIDED) == ["unapproved"]

    def test_an_approval_that_names_nothing_where_nothing_is_open_means_nothing(self) -> None:
        assert kinds(approved("30m"), refund(), **DECIDED) == ["unapproved"]

    def test_an_approval_that_names_the_recommendation_means_it(self) -> None:
        asks = self.ask("10m", id="ask-1"), ev("11m", "bot", "approval_requested", "priority", "high", id="ask-2")

        assert kinds(*asks, approved("30m", recommendation="ask-2"), ev("1h", "bot", "changed", "priority", "high"), **DECIDED) == []
        assert kinds(*asks, approved("30m", recommendation="ask-2"), refund(value="10"), **DECIDED) == ["unapproved"]

    def test_the_named_event_may_be_of_an_action_that_the_workflow_does_not_decide(self) -> None:
        assert kinds(self.ask("10m", id="ask"), approved("30m", recommendation="ask"), refund(value="10"), **NEEDED) == []
        assert kinds(self.ask("10m", id="ask"), approved("30m", recommendation="ask"), refund(value="99"), **NEEDED) == ["unapproved"]

    def test_an_approval_that_names_an_unknown_event_and_no_action_means_nothing(self) -> None:
        assert kinds(self.ask("10m"), approved("30m", recommendation="gone"), refund(value="10"), **DECIDED) == ["unapproved"]

    def test_an_approval_from_before_the_recommendation_that_the_act_continues_does_not_cover_it(self) -> None:
        assert kinds(approved("5m", action="refund"), self.ask("10m"), refund(value="10"), **DECIDED) == ["unapproved"]

    def test_an_approval_from_before_an_act_that_opens_its_own_recommendation_covers_it(self) -> None:
        assert kinds(approved("5m", action="refund"), refund(value="10"), **DECIDED) == []

    def test_an_approval_to_unset_an_attribute_covers_only_that(self) -> None:
        ask = ev("10m", "bot", "approval_requested", "priority", None)

        assert kinds(ask, approved("30m", action="set:priority"), ev("1h", "bot", "changed", "priority", None, before="low"), **DECIDED) == []
        assert kinds(ask, approved("30m", action="set:priority"), ev("1h", "bot", "changed", "priority", "high"), **DECIDED) == ["unapproved"]


class TestBlocked:
    def test_a_block_is_counted_with_its_reason_and_violates_nothing(self) -> None:
        [blocked] = found(ev("1h", "bot", "blocked", action="refund", reason="limit", id="no"), **lists(forbidden=["refund"]))

        assert blocked == Blocked("w", "limit", "refund", after("1h"), (("desk", "no"),))

    def test_a_block_without_a_reason_is_unspecified(self) -> None:
        [blocked] = found(ev("1h", "bot", "blocked"))

        assert isinstance(blocked, Blocked)
        assert (blocked.reason, blocked.action) == ("unspecified", None)

    def test_a_guardrail_that_reports_as_a_system_counts_at_the_cases_workflow(self) -> None:
        told = company({"scope": {"brand": ["x"]}}, {"name": "v", "agents": ["v-bot"]})

        [blocked] = found(ev("1h", "rule-1", "blocked"), told=told)

        assert blocked.workflow == "v"

    def test_a_block_of_another_workflows_agent_counts_there(self) -> None:
        [blocked] = found(ev("1h", "other-bot", "blocked"), told=company({}, OTHER))

        assert blocked.workflow == "other"


class TestUsed:
    def used(self, *events: Event, **options: Any) -> list[Used]:
        return [fact for fact in found(*events, **options) if isinstance(fact, Used)]

    def test_the_last_use_of_a_grant_on_the_case_is_kept(self) -> None:
        assert self.used(refund("1h"), refund("2h", id="last"), **lists(automatic=["refund", "close"])) == [
            Used("w", "refund", after("2h"), (("desk", "last"),))
        ]

    def test_an_action_on_no_automatic_list_uses_no_grant(self) -> None:
        assert self.used(approved("30m", action="refund"), refund(), **lists(approval=["refund"])) == []
        assert self.used(refund()) == []

    def test_an_act_is_a_use_whatever_the_lists_say_of_it(self) -> None:
        grant = {"action": "refund", "when": ["amount < 50"]}
        assert [fact.action for fact in self.used(refund(amount=99), **lists(automatic=[grant]))] == ["refund"]
        assert [fact.action for fact in self.used(refund(), **lists(automatic=["refund"], forbidden=["refund"]))] == ["refund"]


POLICY = company(
    {
        "decides": ["set:priority", "refund"],
        "authority": [
            {"automatic": ["set:priority"], "approval": [{"action": "refund", "when": ["amount > 10"]}], "forbidden": ["close"]},
            {"since": "2026-03-02T10:00:00Z", "automatic": ["refund", "close"]},
        ],
        "pauses": [{"start": "2026-03-02T09:30:00Z", "end": "2026-03-02T09:35:00Z"}],
    },
    OTHER,
)
STEPS = st.lists(
    st.tuples(
        st.integers(0, 90), st.sampled_from(["bot", "other-bot", "op-1", "rule-1"]), st.sampled_from(["refund", "priority", "close", "approve", "blocked"])
    ),
    max_size=12,
)


def step(number: int, minute: int, actor: str, what: str) -> Event:
    offset, identity = minute * MINUTE, f"e{number:03d}"
    match what:
        case "refund":
            return ev(offset, actor, "executed", action="refund", amount=number * 3, id=identity)
        case "priority":
            return ev(offset, actor, "changed", "priority", str(number % 3), id=identity)
        case "close":
            return ev(offset, actor, "closed", "status", "solved", id=identity)
        case "approve":
            return ev(offset, actor, "approved", action="refund", id=identity)
    return ev(offset, actor, "blocked", id=identity)


@settings(max_examples=80, deadline=None)
@given(STEPS, st.integers(0, 100), st.randoms())
def test_violations_know_no_order_of_arrival_and_later_events_never_change_them(steps: list[tuple[int, str, str]], minutes: int, random: Any) -> None:
    events = [step(number, *item) for number, item in enumerate(steps)]
    as_of = f"{minutes}m"

    whole = found(*events, told=POLICY)
    then = found(*events, told=POLICY, as_of=as_of)

    assert found(*random.sample(events, len(events)), told=POLICY) == whole
    assert [fact for fact in then if not isinstance(fact, Used)] == [fact for fact in whole if not isinstance(fact, Used) and fact.at <= after(as_of)]


@settings(max_examples=80, deadline=None)
@given(STEPS)
def test_every_act_has_at_most_one_violation_and_every_block_is_counted(steps: list[tuple[int, str, str]]) -> None:
    events = [step(number, *item) for number, item in enumerate(steps)]

    facts = found(*events, told=POLICY)
    violated = [fact.evidence[0] for fact in facts if isinstance(fact, Violation)]

    assert len(violated) == len(set(violated))
    assert sum(isinstance(fact, Blocked) for fact in facts) == sum(what == "blocked" for _, _, what in steps)
