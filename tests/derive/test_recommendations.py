"""Recommendations: what opens, continues and supersedes one, every row of the outcome table, timeouts, reversal, settling."""

from typing import Any

import pytest

from builders import Around, Plain, after, change, company, ev, history
from rollout_metrics.derive.recommendations import recommendations
from rollout_metrics.domain.changes import ChangeKind
from rollout_metrics.domain.events import Event
from rollout_metrics.domain.facts import Mode, Outcome, Recommendation
from rollout_metrics.domain.policy import Company

FULL: dict[str, Any] = {
    "decides": [
        "set:priority",
        {"action": "set:stage", "progress": [["new", "open", "done"]]},
        "set:tags",
        "comment:public",
        "close",
        "refund",
        "absorb",
    ],
    "attribute_types": {"tags": "multi"},
    "reason_attribute": "reason",
    "escalation": {"attributes": ["group"], "to": ["tier2"]},
}
COMPANY = company(FULL)
CREATED = ev(0, "customer-1", "created", id="created", attributes={"priority": "low", "stage": "new", "status": "new"})


def derived(*events: Event, as_of: str | int = "30d", made: Company = COMPANY) -> list[Recommendation]:
    """The case's recommendations as of T0 + `as_of`; the case is created at T0."""
    return recommendations(history(CREATED, *events, company=made, as_of=as_of), Around((), made, after(as_of)))[0]


def only(*events: Event, as_of: str | int = "30d", made: Company = COMPANY) -> Recommendation:
    """The one recommendation."""
    (found,) = derived(*events, as_of=as_of, made=made)
    return found


def result(*events: Event, as_of: str | int = "30d", made: Company = COMPANY) -> tuple[str, str | None, int]:
    """Outcome, how and row of the one recommendation."""
    found = only(*events, as_of=as_of, made=made)
    return (str(found.outcome), found.how, found.row)


def next_change(*events: Event, as_of: str | int) -> int | None:
    """When the recommendations change by time alone."""
    return recommendations(history(CREATED, *events, company=COMPANY, as_of=as_of), Around((), COMPANY, after(as_of)))[1]


def recommends(offset: str = "1h", value: Any = "high", attribute: str = "priority", **options: Any) -> Event:
    """The agent proposes a value."""
    return ev(offset, "bot", "recommended", attribute, value, action=f"set:{attribute}", **options)


def acts(offset: str = "1h", value: Any = "high", attribute: str = "priority", **options: Any) -> Event:
    """The agent sets a value."""
    return ev(offset, "bot", "changed", attribute, value, **options)


def sets(offset: str, value: Any, attribute: str = "priority", actor: str = "op-1", **options: Any) -> Event:
    """Somebody else sets a value."""
    return ev(offset, actor, "changed", attribute, value, **options)


def proposes(offset: str = "1h", action: str = "refund", value: Any = None, **options: Any) -> Event:
    """The agent proposes something that no attribute shows."""
    return ev(offset, "bot", "recommended", None, value, action=action, **options)


# What opens one


@pytest.mark.parametrize("activity", ["changed", "recommended", "approval_requested"])
def test_an_agents_event_for_a_decided_action_opens_a_recommendation(activity: str) -> None:
    found = only(ev("1h", "bot", activity, "priority", "high", id="r"))

    assert (found.action, found.value, found.opened, found.opened_at) == ("set:priority", "high", ("desk", "r"), after("1h"))
    assert (found.acted_at is not None) == (activity == "changed") == (not found.asked)


@pytest.mark.parametrize(
    "event",
    [
        ev("1h", "bot", "changed", "type", "bug"),
        ev("1h", "bot", "escalated", action="refund"),
        ev("1h", "bot", "blocked", action="refund"),
        ev("1h", "op-1", "changed", "priority", "high"),
        ev("1h", "bot", "commented", public=False),
    ],
)
def test_what_is_not_decided_or_neither_acts_nor_proposes_opens_none(event: Event) -> None:
    assert derived(event) == []


def test_unset_is_a_value_of_an_attribute() -> None:
    assert result(recommends(value=None), sets("2h", None)) == ("accepted", "applied", 4)
    assert result(recommends(value=None), sets("2h", "high")) == ("overridden", "changed", 7)


def test_another_workflows_agent_opens_continues_and_supersedes_nothing() -> None:
    made = company(FULL, {"name": "v", "sources": ["crm"], "agents": ["other-bot"]})
    other = ev("1h", "other-bot", "changed", "priority", "high")

    assert derived(other, made=made) == []
    assert result(recommends(), ev("2h", "other-bot", "changed", "priority", "urgent"), as_of="3h", made=made) == ("pending", None, 0)
    assert only(recommends(), ev("2h", "other-bot", "changed", "priority", "high"), as_of="3h", made=made).acted_at is None


def test_events_before_the_case_is_in_scope_open_none() -> None:
    made = company({**FULL, "scope": {"channel": ["email"]}})
    events = [acts("1h", id="before"), sets("2h", "email", "channel", id="a"), acts("2h", "urgent", id="b")]

    assert only(*events, made=made).opened == ("desk", "b")


# Continuing and superseding


def test_the_same_value_again_continues_an_open_recommendation_and_acting_makes_it_acted() -> None:
    found = only(recommends(id="r"), acts("2h", id="a"))

    assert (found.acted_at, found.asked, found.evidence) == (after("2h"), True, (("desk", "r"), ("desk", "a")))


def test_a_missing_value_continues_any() -> None:
    assert only(proposes(value="50"), ev("2h", "bot", "executed", action="refund")).acted_at == after("2h")


def test_a_provisional_recommendation_is_continued() -> None:
    assert only(recommends(), acts("9d"), as_of="10d").acted_at == after("9d")


def test_an_approved_or_applied_recommendation_is_continued_up_to_the_end_of_the_reversal_window() -> None:
    approved = [recommends(), ev("2h", "op-1", "approved", action="set:priority")]
    applied = [recommends(), sets("2h", "high")]

    for decided in (approved, applied):
        assert only(*decided, acts("338h")).outcome is Outcome.ACCEPTED
        assert only(*decided, acts("338h")).acted_at == after("338h")
        assert len(derived(*decided, acts("338h1ms"))) == 2


def test_what_was_accepted_in_another_way_is_not_continued() -> None:
    assert len(derived(recommends(value="open", attribute="stage"), sets("2h", "done", "stage"), acts("3h", "open", "stage"))) == 2


def test_an_accepted_recommendation_is_not_continued_once_something_else_was_decided_about_the_action() -> None:
    events = [recommends(), ev("2h", "op-1", "approved", action="set:priority"), recommends("3h", "urgent"), sets("4h", "urgent"), acts("5h")]

    assert [item.value for item in derived(*events)] == ["high", "urgent", "high"]


def test_an_accepted_recommendation_is_continued_while_a_newer_one_is_undecided() -> None:
    events = [recommends(), ev("2h", "op-1", "approved", action="set:priority"), recommends("3h", "urgent"), acts("4h")]

    assert [(item.outcome, item.acted_at) for item in derived(*events, as_of="5h")] == [(Outcome.ACCEPTED, after("4h")), (Outcome.PENDING, None)]


def test_another_value_for_the_action_supersedes_an_open_recommendation() -> None:
    old, new = derived(recommends(), recommends("2h", "urgent", id="new"), as_of="3h")

    assert (old.outcome, old.how, old.row, old.decided_at, old.settled_at, old.deciding) == (
        "superseded",
        "newer",
        0,
        after("2h"),
        after("2h"),
        ("desk", "new"),
    )
    assert new.outcome is Outcome.PENDING


def test_another_value_supersedes_a_provisional_recommendation_too_but_not_a_finally_ignored_one() -> None:
    assert derived(recommends(), recommends("8d", "urgent"), as_of="9d")[0].outcome is Outcome.SUPERSEDED
    assert derived(recommends(), recommends("91d", "urgent"), as_of="92d")[0].how == "timeout"


def test_superseding_comes_before_any_row() -> None:
    old, new = derived(proposes(action="absorb", value="5"), ev("2h", "bot", "absorbed", None, "6"))

    assert old.outcome is Outcome.SUPERSEDED
    assert new.outcome is Outcome.UNREVIEWED


def test_another_action_supersedes_nothing() -> None:
    assert [item.outcome for item in derived(recommends(), recommends("2h", "open", "stage"), as_of="3h")] == [Outcome.PENDING, Outcome.PENDING]


# The rows of the table


def test_row_1_an_operator_who_rejects_overrides() -> None:
    assert result(recommends(), ev("2h", "op-1", "rejected", action="set:priority")) == ("overridden", "rejected", 1)


def test_row_2_an_operator_who_approves_without_another_value_accepts() -> None:
    assert result(recommends(), ev("2h", "op-1", "approved", action="set:priority")) == ("accepted", "approved", 2)
    assert result(recommends(), ev("2h", "op-1", "approved", "priority", "high")) == ("accepted", "approved", 2)
    assert result(recommends(id="r"), ev("2h", "op-1", "approved", "status", "done", recommendation="r")) == ("accepted", "approved", 2)


@pytest.mark.parametrize("actor", ["op-1", "customer-1"])
def test_row_3_an_operator_or_customer_who_reopens_what_the_agent_closed_overrides(actor: str) -> None:
    assert result(ev("1h", "bot", "closed"), ev("2h", actor, "reopened")) == ("overridden", "undone", 3)


def test_a_rule_that_reopens_undoes_nothing() -> None:
    assert result(ev("1h", "bot", "closed"), ev("2h", "rule-1", "reopened"), as_of="1d") == ("pending", None, 0)


def test_row_4_an_operator_who_does_the_action_with_the_same_value_accepts() -> None:
    assert result(recommends(), sets("2h", "high")) == ("accepted", "applied", 4)
    assert result(proposes(action="close"), ev("2h", "op-1", "closed", "status", "solved")) == ("accepted", "applied", 4)
    assert result(proposes(value="50"), ev("2h", "op-1", "executed", action="refund")) == ("accepted", "applied", 4)


def test_what_was_in_place_already_is_not_accepted_by_doing_it_again() -> None:
    assert result(recommends(), sets("2h", "high", actor="customer-1"), sets("3h", "high"), as_of="1d") == ("pending", None, 0)
    assert result(ev("1h", "bot", "closed"), ev("2h", "op-1", "closed", "status", "solved"), as_of="1d") == ("pending", None, 0)


def test_row_5_an_operator_who_goes_further_accepts_and_the_operators_value_stands() -> None:
    found = only(recommends(value="open", attribute="stage"), sets("2h", "done", "stage"))

    assert (found.outcome, found.how, found.row, found.value, found.standing) == ("accepted", "progressed", 5, "open", "done")
    assert result(recommends(value="open", attribute="stage"), sets("2h", "new", "stage")) == ("overridden", "changed", 7)


def test_row_6_an_operator_who_does_it_alike_edits_and_the_operators_value_stands() -> None:
    found = only(recommends(value=["a", "b", "c"], attribute="tags"), sets("2h", ["a", "b", "c", "d", "e"], "tags"))

    assert (found.outcome, found.how, found.row, found.standing) == ("edited", "edited", 6, '["a","b","c","d","e"]')


def test_row_6_an_operator_who_approves_something_alike_edits() -> None:
    draft = proposes(action="comment:public", value="we will refund you today")

    assert result(draft, ev("2h", "op-1", "approved", None, "we will refund you tomorrow", action="comment:public")) == ("edited", "edited", 6)


@pytest.mark.parametrize(
    ("action", "proposed", "approved", "expected"),
    [
        ("comment:public", "we will refund you", "we will not refund you", ("edited", "edited", 6)),
        ("comment:public", "we will refund you", "no", ("overridden", "changed", 7)),
        ("refund", "49.90", "49.90", ("accepted", "approved", 2)),
        ("refund", "49.90", "20.00", ("overridden", "changed", 7)),
        ("set:tags", ["a", "b", "c"], ["a", "b"], ("edited", "edited", 6)),
    ],
)
def test_the_value_of_an_approval_that_names_the_recommendation_only_is_compared_as_it_is_stored(
    action: str, proposed: Any, approved: Any, expected: tuple[str, str | None, int]
) -> None:
    recommended = recommends("1h", proposed, "tags", id="r") if action == "set:tags" else proposes("1h", action, proposed, id="r")
    stored = Plain().events([recommended, ev("2h", "op-1", "approved", value=approved, recommendation="r")])

    assert result(*stored) == expected


def test_row_7_an_operator_who_does_or_approves_something_else_overrides() -> None:
    assert result(recommends(), sets("2h", "urgent")) == ("overridden", "changed", 7)
    assert result(recommends(), sets("2h", None)) == ("overridden", "changed", 7)
    assert result(recommends(), ev("2h", "op-1", "approved", "priority", "urgent")) == ("overridden", "changed", 7)


@pytest.mark.parametrize(
    "event",
    [
        ev("2h", "bot", "escalated"),
        ev("2h", "bot", "changed", "group", "tier2"),
        ev("2h", "bot", "executed", action="escalate"),
        ev("2h", "other-bot", "escalated"),
    ],
)
def test_row_8_an_agent_that_escalates_the_case_ends_what_is_open(event: Event) -> None:
    assert result(recommends(), event) == ("escalated", "escalated", 8)


@pytest.mark.parametrize(
    "event", [ev("2h", "op-1", "escalated"), ev("2h", "bot", "changed", "group", "tier1"), ev("2h", "bot", "recommended", action="escalate")]
)
def test_what_does_not_escalate_leaves_it_open(event: Event) -> None:
    assert result(recommends(), event, as_of="1d") == ("pending", None, 0)


def test_row_8_applies_in_shadow_too() -> None:
    made = company({**FULL, "levels": [{"level": "shadow", "since": "2026-01-01"}]})

    assert result(recommends(), ev("2h", "bot", "escalated"), made=made) == ("escalated", "escalated", 8)


CLOSES = ev("5h", "op-1", "closed", "status", "solved")


def test_row_9_an_operator_who_closes_keeps_what_the_agent_did() -> None:
    assert result(acts(), CLOSES) == ("accepted", "kept", 9)
    assert result(ev("1h", "bot", "executed", action="refund"), CLOSES) == ("accepted", "kept", 9)


def test_row_10_an_operator_who_closes_with_the_value_in_place_matches() -> None:
    assert result(recommends(), sets("2h", "high", actor="customer-1"), CLOSES) == ("accepted", "matched", 10)


def test_row_11_an_operator_who_closes_with_another_value_that_an_operator_had_set_overrides() -> None:
    assert result(sets("30m", "urgent"), recommends(), CLOSES) == ("overridden", "mismatch", 11)


def test_row_12_otherwise_an_operator_who_closes_ignores() -> None:
    assert result(recommends(), CLOSES) == ("ignored", "ignored", 12)
    assert result(sets("30m", "urgent", actor="customer-1"), recommends(), CLOSES) == ("ignored", "ignored", 12)
    assert result(proposes(), CLOSES) == ("ignored", "ignored", 12)
    assert result(acts(), sets("2h", "low", actor="rule-1"), CLOSES) == ("ignored", "ignored", 12)


@pytest.mark.parametrize("actor", ["customer-1", "rule-1", "bot"])
def test_row_13_when_others_close_what_the_agent_did_is_unreviewed_and_what_it_proposed_ignored(actor: str) -> None:
    made = company({**FULL, "decides": ["set:priority"]})
    closes = ev("2h", actor, "closed")

    assert result(acts(), closes, made=made) == ("unreviewed", "closed", 13)
    assert result(recommends(), closes, made=made) == ("ignored", "closed", 13)


@pytest.mark.parametrize("activity", ["absorbed", "deleted"])
def test_row_14_when_the_case_is_absorbed_or_deleted_what_is_open_is_void(activity: str) -> None:
    assert result(recommends(), ev("2h", "op-1", activity)) == ("void", "void", 14)
    assert result(recommends(), ev("8d", "op-1", activity)) == ("void", "void", 14)


def test_the_earliest_event_to_which_a_row_applies_decides() -> None:
    assert result(recommends(), sets("3h", "high"), sets("2h", "urgent")) == ("overridden", "changed", 7)


def test_within_one_event_the_first_row_decides() -> None:
    closing = ev("2h", "op-1", "closed", "stage", "done", action="set:stage")

    assert result(recommends(value="open", attribute="stage"), closing) == ("accepted", "progressed", 5)


def test_the_closing_event_decides_all_that_is_open_except_what_is_about_closing() -> None:
    found = derived(acts("1h"), recommends("1h", "open", "stage"), ev("2h", "bot", "closed"), ev("3h", "rule-1", "closed"), as_of="4h")

    assert [(item.action, item.outcome) for item in found] == [("set:priority", "unreviewed"), ("set:stage", "ignored"), ("close", "pending")]


# Meaning it


def test_a_word_that_names_a_recommendation_means_that_one_also_by_an_event_that_continues_it() -> None:
    events = [recommends(id="r1"), recommends("1h", "open", "stage", id="r2"), recommends("2h", id="r3")]

    for named in ("r1", "r3"):
        found = derived(*events, ev("3h", "op-1", "approved", recommendation=named), as_of="4h")
        assert [item.outcome for item in found] == [Outcome.ACCEPTED, Outcome.PENDING]


def test_a_word_that_names_an_action_or_attribute_means_that() -> None:
    events = [recommends(), recommends("1h30m", "open", "stage")]

    assert [item.outcome for item in derived(*events, ev("3h", "op-1", "rejected", action="set:priority"), as_of="4h")] == ["overridden", "pending"]
    assert [item.outcome for item in derived(*events, ev("3h", "op-1", "rejected", "priority"), as_of="4h")] == ["overridden", "pending"]
    assert [item.outcome for item in derived(*events, ev("3h", "op-1", "rejected", action="refund"), as_of="4h")] == ["pending", "pending"]


def test_a_word_that_names_nothing_means_the_oldest_that_asked_for_approval_else_the_newest() -> None:
    asking = [
        ev("1h", "bot", "recommended", "priority", "high", id="r1"),
        ev("2h", "bot", "approval_requested", "stage", "open", id="r2"),
        ev("3h", "bot", "approval_requested", None, "5", action="refund", id="r3"),
        ev("4h", "bot", "recommended", None, "hello", action="comment:public", id="r4"),
    ]
    word = ev("5h", "op-1", "rejected")

    assert [item.opened[1] for item in derived(*asking, word) if item.how == "rejected"] == ["r2"]
    assert [item.opened[1] for item in derived(asking[0], asking[3], word) if item.how == "rejected"] == ["r4"]


def test_a_recommendation_that_is_unknown_leaves_it_to_the_action_and_else_means_nothing() -> None:
    assert result(recommends(), ev("2h", "op-1", "approved", action="set:priority", recommendation="gone")) == ("accepted", "approved", 2)
    assert result(recommends(), ev("2h", "op-1", "approved", recommendation="gone"), as_of="3h") == ("pending", None, 0)


@pytest.mark.parametrize("actor", ["customer-1", "rule-1", "bot"])
def test_only_operators_approve_and_reject(actor: str) -> None:
    assert result(recommends(), ev("2h", actor, "rejected"), ev("2h", actor, "approved"), as_of="3h") == ("pending", None, 0)


# Comments

DRAFT = proposes(action="comment:public", value="we will refund you today")


def test_the_operators_next_comment_of_that_visibility_decides_a_proposed_one() -> None:
    internal = ev("2h", "op-1", "commented", None, "nonsense", public=False)

    assert result(DRAFT, internal, ev("3h", "op-1", "commented", None, "today we will refund you", public=True)) == ("accepted", "applied", 4)
    assert result(DRAFT, ev("3h", "op-1", "commented", None, "we will refund you soon", public=True)) == ("edited", "edited", 6)
    assert result(DRAFT, ev("3h", "op-1", "commented", None, "no", public=True)) == ("overridden", "changed", 7)


def test_an_operators_comment_says_nothing_about_one_that_the_agent_posted() -> None:
    posted = ev("1h", "bot", "commented", None, "we will refund you today", public=True)

    assert result(posted, ev("2h", "op-1", "commented", None, "no", public=True), as_of="1d") == ("pending", None, 0)
    assert result(posted, ev("2h", "op-1", "commented", None, "no", public=True), CLOSES) == ("accepted", "kept", 9)


def test_a_comment_reverses_nothing_but_a_rejection_does() -> None:
    accepted = [DRAFT, ev("3h", "op-1", "commented", None, "we will refund you today", public=True)]

    assert result(*accepted, ev("4h", "op-1", "commented", None, "no", public=True)) == ("accepted", "applied", 4)
    assert result(*accepted, ev("4h", "op-1", "rejected", action="comment:public")) == ("overridden", "reversed", 4)


# Timeouts


@pytest.mark.parametrize(("opening", "outcome"), [(acts("1h"), "unreviewed"), (recommends("1h"), "ignored")])
def test_without_a_row_it_is_pending_then_provisional_then_final(opening: Event, outcome: str) -> None:
    assert only(opening, as_of="168h59m").outcome is Outcome.PENDING
    provisional = only(opening, as_of="169h")
    assert (provisional.outcome, provisional.how, provisional.provisional, provisional.settled_at) == (outcome, "timeout", True, None)
    assert provisional.decided_at == provisional.first_decided_at == after("169h")
    final = only(opening, as_of="2161h")
    assert (final.outcome, final.how, final.provisional) == (outcome, "timeout", False)
    assert final.decided_at == final.first_decided_at == final.settled_at == after("2161h")


def test_a_request_for_approval_waits_longer() -> None:
    asked = ev("1h", "bot", "approval_requested", "priority", "high")

    assert only(asked, as_of="720h").outcome is Outcome.PENDING
    assert only(asked, as_of="721h").outcome is Outcome.IGNORED


def test_an_event_exactly_at_a_deadline_beats_it() -> None:
    assert result(recommends(), sets("169h", "high"), as_of="169h") == ("accepted", "applied", 4)
    assert result(recommends(), sets("2161h", "high"), as_of="2161h") == ("accepted", "applied", 4)


def test_a_provisional_outcome_is_still_open() -> None:
    found = only(recommends(), sets("20d", "high"))

    assert (found.outcome, found.decided_at, found.first_decided_at) == ("accepted", after("20d"), after("20d"))


def test_a_final_timeout_is_neither_decided_nor_reversed_any_more() -> None:
    assert result(acts(), sets("2161h1ms", "urgent"), as_of="95d") == ("unreviewed", "timeout", 0)


# Reversal


@pytest.mark.parametrize("decided", [[recommends(), sets("2h", "high")], [acts(), CLOSES], [acts(), ev("2h", "rule-1", "closed")]])
def test_an_operator_who_replaces_what_stands_within_the_window_reverses(decided: list[Event]) -> None:
    first = only(*decided).decided_at
    assert first is not None
    found = only(*decided, sets("10d", "urgent", id="back"))

    assert (found.outcome, found.how, found.deciding) == ("overridden", "reversed", ("desk", "back"))
    assert (found.decided_at, found.first_decided_at, found.settled_at) == (after("10d"), first, after("10d"))


def test_a_rejection_or_undoing_reverses() -> None:
    assert result(acts(), CLOSES, ev("1d", "op-1", "rejected", action="set:priority")) == ("overridden", "reversed", 9)
    closed = [proposes(action="close"), ev("2h", "op-1", "approved", action="close"), ev("3h", "bot", "closed")]
    assert result(*closed, ev("1d", "customer-1", "reopened")) == ("overridden", "reversed", 2)


def test_the_reversal_window_includes_its_end() -> None:
    accepted = [recommends(), sets("2h", "high")]

    assert result(*accepted, sets("338h", "urgent")) == ("overridden", "reversed", 4)
    assert result(*accepted, sets("338h1ms", "urgent")) == ("accepted", "applied", 4)


def test_progress_and_likeness_to_the_standing_value_reverse_nothing() -> None:
    staged = [recommends(value="open", attribute="stage"), sets("2h", "open", "stage")]
    assert result(*staged, sets("3h", "done", "stage")) == ("accepted", "applied", 4)
    assert result(*staged, sets("3h", "new", "stage")) == ("overridden", "reversed", 4)

    edited = [recommends(value=["a", "b", "c"], attribute="tags"), sets("2h", ["a", "b", "c", "d", "e"], "tags")]
    assert result(*edited, sets("3h", ["b", "c", "d", "e"], "tags")) == ("edited", "edited", 6)
    assert result(*edited, sets("3h", ["a", "b", "c", "d"], "tags"), sets("4h", ["a", "x"], "tags")) == ("overridden", "reversed", 6)


def test_nobody_but_operators_reverses() -> None:
    assert result(acts(), CLOSES, sets("1d", "urgent", actor="customer-1"), sets("2d", "urgent", actor="rule-1")) == ("accepted", "kept", 9)


def test_only_the_first_reversal_counts() -> None:
    assert only(acts(), CLOSES, sets("1d", "urgent"), sets("2d", "low")).decided_at == after("1d")


def test_once_a_newer_recommendation_for_the_action_opened_the_older_is_not_reversed() -> None:
    old, new = derived(acts(), CLOSES, acts("1d", "urgent"), sets("2d", "low"))

    assert (old.outcome, new.outcome) == (Outcome.ACCEPTED, Outcome.OVERRIDDEN)


def test_what_is_not_reversible_is_not_reversed() -> None:
    made = company({**FULL, "decides": [{"action": "set:priority", "reversible": False}]})

    assert result(acts(), CLOSES, sets("1d", "urgent"), ev("1d", "op-1", "rejected", action="set:priority"), made=made) == ("accepted", "kept", 9)


# Settling


def test_accepted_edited_and_unreviewed_settle_when_the_reversal_window_ends() -> None:
    accepted = [recommends(), sets("2h", "high")]

    assert only(*accepted, as_of="337h59m").settled_at is None
    assert only(*accepted, as_of="338h").settled_at == after("338h")


@pytest.mark.parametrize(
    "event",
    [sets("2h", "urgent"), ev("2h", "bot", "escalated"), ev("2h", "op-1", "deleted"), ev("2h", "rule-1", "closed"), recommends("2h", "urgent")],
)
def test_overridden_escalated_void_ignored_and_superseded_settle_at_once(event: Event) -> None:
    found = derived(recommends(), event, as_of="2h")[0]

    assert found.settled_at == found.decided_at == after("2h")


def test_the_next_change_by_time_alone_is_known() -> None:
    assert next_change(recommends(), as_of="2h") == after("169h")
    assert next_change(recommends(), as_of="169h") == after("2161h")
    assert next_change(recommends(), as_of="2161h") is None
    assert next_change(recommends(), sets("2h", "high"), as_of="3h") == after("338h")
    assert next_change(recommends(), sets("2h", "urgent"), as_of="3h") is None
    assert next_change(recommends(), recommends("2h", "open", "stage"), as_of="3h") == after("169h")


# What else a recommendation says


def test_the_mode_is_shadow_where_that_was_the_level_at_opening_else_live() -> None:
    made = company({**FULL, "levels": [{"level": "shadow", "since": "2026-01-01"}, {"level": "assisted", "since": "2026-03-02T12:00:00Z"}]})

    found = derived(recommends("1h"), recommends("3h", "open", "stage"), made=made)

    assert [item.mode for item in found] == [Mode.SHADOW, Mode.LIVE]


def test_the_version_is_the_openings_own_else_the_one_deployed_last() -> None:
    made = company(FULL, changes=[change(kind=ChangeKind.PROMPT, version="v7", level=None, deployed_at=after(0))])

    assert only(recommends(version="v8"), made=made).version == "v8"
    assert only(recommends(), made=made).version == "v7"


def test_the_decider_is_the_operator_of_the_first_decision() -> None:
    assert only(recommends(), sets("2h", "high", actor="op-2"), sets("3h", "urgent")).decider == "op-2"
    assert only(ev("1h", "bot", "closed"), ev("2h", "customer-1", "reopened")).decider is None


def test_a_wait_for_a_decision_that_came_to_none_ended() -> None:
    assert only(recommends(), ev("2h", "bot", "escalated")).ended_at == after("2h")
    assert only(recommends(), as_of="8d").ended_at == after("169h")
    assert only(recommends(), sets("2h", "urgent")).ended_at is None


def test_evidence_is_what_opened_continued_and_decided_it_in_this_order() -> None:
    found = only(recommends(id="r"), ev("2h", "op-1", "approved", id="ok"), acts("3h", id="a"), sets("4h", "urgent", id="back"))

    assert [event_id for _, event_id in found.evidence] == ["r", "a", "ok", "back"]


# Error categories


@pytest.mark.parametrize("event", [ev("2h", "op-1", "rejected", reason="tone"), sets("2h", "urgent", reason="tone")])
def test_the_category_of_an_error_is_the_reason_of_the_deciding_event(event: Event) -> None:
    assert only(recommends(), sets("2h", "facts", "reason"), event).category == "tone"


@pytest.mark.parametrize(("offset", "category"), [("110m", "facts"), ("130m", "facts"), ("109m", "uncategorised"), ("131m", "uncategorised")])
def test_else_it_is_what_an_operator_gave_as_reason_within_ten_minutes_either_side(offset: str, category: str) -> None:
    assert only(recommends(), sets("2h", "urgent"), sets(offset, "facts", "reason")).category == category


def test_the_last_reason_an_operator_gave_counts() -> None:
    around = [sets("115m", "tone", "reason"), sets("125m", "facts", "reason"), sets("126m", "spam", "reason", actor="rule-1")]

    assert only(recommends(), sets("2h", "urgent"), *around).category == "facts"
    assert only(recommends(), sets("2h", "urgent"), *around, sets("127m", None, "reason")).category == "uncategorised"


def test_only_edited_and_overridden_decisions_have_a_category() -> None:
    assert only(recommends(), sets("2h", "high", reason="tone")).category is None
    assert only(ev("1h", "bot", "closed"), ev("2h", "op-1", "reopened", reason="tone")).category == "uncategorised"
