"""What a person wrote, as the core reads it."""

from typing import Any

import pytest

from builders import change, ev
from rollout_metrics.config.load import loads
from rollout_metrics.config.policy import company as compile_company
from rollout_metrics.config.values import level_named
from rollout_metrics.domain.policy import AttributeType, Authority, Company, Condition, EscalationPath, Grant, Level, Pause, Workflow
from rollout_metrics.domain.pseudonyms import Pseudonyms
from rollout_metrics.domain.records import Lists, Record
from rollout_metrics.domain.time import DAY, HOUR, parse_instant

KEY = b"a key"
HASHED = Pseudonyms(KEY, frozenset({"assignee", "requester"}), frozenset({"summary"}))
at = parse_instant


def company(workflow: str, *, sources: str = "{desk: {kind: events, paths: in}}", more: str = "") -> Company:
    text = f"sources: {sources}\nworkflows:\n  - {{name: w, sources: desk, {workflow}}}\n{more}\n"
    configuration = loads(text, {})
    return configuration.company(configuration.pseudonyms(KEY))


def compiled(workflow: str) -> Workflow:
    return company(workflow).workflows[0]


def test_actor_ids_are_compiled_to_their_stored_form() -> None:
    found = company(
        "agents: [0123, off]",
        sources="{desk: {kind: events, paths: in, agents: [bot], agent_markers: [ai], systems: [-1], system_markers: [rule]}}",
    )

    assert found.workflows[0].agents == {HASHED.actor("0123"), HASHED.actor("off")}
    assert found.agents == {HASHED.actor("0123"), HASHED.actor("off"), HASHED.actor("bot")}
    assert found.systems == {HASHED.actor("-1")}
    assert (found.agent_markers, found.system_markers) == ({"ai"}, {"rule"})


def test_values_of_person_valued_attributes_are_compiled_to_their_stored_form_wherever_they_stand() -> None:
    workflow = compiled(
        """
        scope: {requester: ann, form: 7},
        escalation: {attributes: [assignee, group], to: [bob]},
        bypass: {markers: {assignee: bob, tags: no_agent, via: [app]}, side_channels: {requester: [ann], channel: phone}},
        complaints: {markers: {assignee: bob, via: complaint}},
        decides: [{action: set:assignee, progress: [ann, bob]}],
        authority: [{automatic: [{action: close, when: [assignee = bob, "requester in ann, zoe", amount <= 50]}]}]
        """
    )
    ann, bob, zoe = (HASHED.actor(name) for name in ("ann", "bob", "zoe"))

    assert workflow.scope == {"requester": {ann}, "form": {"7"}}
    assert workflow.escalation.to == {bob, "bob"}
    assert workflow.bypass.marker_values == {"assignee": {bob}, "tags": {"no_agent"}}
    assert workflow.bypass.marker_via == {"app"}
    assert workflow.bypass.side_channels == {"requester": {ann}, "channel": {"phone"}}
    assert (workflow.complaints.marker_values, workflow.complaints.marker_via) == ({"assignee": {bob}}, {"complaint"})
    assert workflow.decides["set:assignee"].progress == ((ann, bob),)
    assert workflow.authority[0].automatic[0].when == (
        Condition("assignee", "=", (bob,)),
        Condition("requester", "in", (ann, zoe)),
        Condition("amount", "<=", ("50",)),
    )


def test_values_of_texts_are_compiled_to_word_hashes() -> None:
    workflow = compiled("attribute_types: {summary: text}, scope: {summary: Urgent please}")

    assert workflow.scope == {"summary": {HASHED.words("Urgent please")}}


def test_free_text_is_what_is_typed_so() -> None:
    settings = loads(
        "sources: {desk: {kind: events, paths: in}}\n"
        "workflows: [{name: w, sources: desk, attribute_types: {a: text, b: multi}, decides: [{action: set:c, type: text}, comment:public]}]",
        {},
    )

    assert settings.pseudonyms(KEY).value("a", "some words").startswith("words:")  # type: ignore[union-attr]
    assert settings.pseudonyms(KEY).value("c", "some words").startswith("words:")  # type: ignore[union-attr]
    assert settings.pseudonyms(KEY).value("b", "some words") == "some words"


@pytest.mark.parametrize(
    ("written", "progress"),
    [("[new, open, won]", (("new", "open", "won"),)), ("[[new, won], [new, 0815]]", (("new", "won"), ("new", "0815"))), ("[]", ())],
)
def test_one_list_of_progress_may_stand_alone(written: str, progress: tuple[Any, ...]) -> None:
    assert compiled(f"decides: [{{action: set:status, progress: {written}}}]").decides["set:status"].progress == progress


def test_a_decided_action_takes_the_workflows_parameters_unless_it_has_its_own() -> None:
    workflow = compiled(
        "settle_after: 5d, edit_similarity: 0.5, decides: [close, {action: set:tags, settle_after: 1d, edit_similarity: 0, reversal_window: 0s}]"
    )

    assert (workflow.decides["close"].settle_after, workflow.decides["close"].edit_similarity) == (5 * DAY, 0.5)
    tags = workflow.decides["set:tags"]
    assert (tags.settle_after, tags.settle_after_approval, tags.edit_similarity, tags.reversal_window) == (DAY, 30 * DAY, 0, 0)


def test_how_values_compare_is_said_by_the_action_or_the_attribute_or_the_kind_of_action() -> None:
    workflow = compiled("attribute_types: {tags: multi}, decides: [set:tags, set:group, comment:public, {action: set:notes, type: text}]")

    assert {action: item.type for action, item in workflow.decides.items()} == {
        "set:tags": AttributeType.MULTI,
        "set:group": AttributeType.SINGLE,
        "comment:public": AttributeType.TEXT,
        "set:notes": AttributeType.TEXT,
    }
    assert workflow.type_of("notes") is AttributeType.TEXT


def test_values_of_text_are_kept_as_hashes_whatever_they_are_decided_by() -> None:
    decides = "[{action: set:notes, type: text}, {action: reply, type: text}, refund]"
    pseudonyms = loads(f"sources: {{desk: {{kind: events, paths: in}}}}\nworkflows: [{{name: w, sources: desk, decides: {decides}}}]", {}).pseudonyms(KEY)

    assert pseudonyms.event(ev(0, "bot", "changed", "notes", "Dear Ann")).after == pseudonyms.words("Dear Ann")
    assert pseudonyms.event(ev(0, "bot", "recommended", value="Dear Ann", action="reply")).detail["value"] == pseudonyms.words("Dear Ann")
    assert pseudonyms.event(ev(0, "bot", "commented", value="50", action="refund")).detail["value"] == "50"


def test_dated_entries_are_in_order_the_undated_one_first() -> None:
    workflow = compiled(
        """
        levels: [{level: assisted, since: 2026-03-01}, {level: off, since: 2026-01-01T01:00:00+01:00}],
        authority: [{since: 2026-06-01, automatic: [close]}, {since: 2026-05-01}, {forbidden: delete}],
        pauses: [{start: 2026-04-02, end: 2026-04-03}, {start: 2026-04-01, end: 2026-04-02}]
        """
    )

    assert [(item.since, item.level) for item in workflow.levels] == [(at("2026-01-01T00:00:00Z"), Level.OFF), (at("2026-03-01T00:00:00Z"), Level.ASSISTED)]
    assert workflow.authority == (
        Authority(None, (), (), (Grant("delete", ()),)),
        Authority(at("2026-05-01T00:00:00Z"), (), (), ()),
        Authority(at("2026-06-01T00:00:00Z"), (Grant("close", ()),), (), ()),
    )
    assert workflow.pauses == (
        Pause(at("2026-04-01T00:00:00Z"), at("2026-04-02T00:00:00Z")),
        Pause(at("2026-04-02T00:00:00Z"), at("2026-04-03T00:00:00Z")),
    )


def test_levels_are_compiled_by_name() -> None:
    names = ("off", "shadow", "assisted", "low_risk_autonomous", "broad_autonomous", "high_risk")

    assert [level_named(name) for name in names] == list(Level)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("amount <= 50", Condition("amount", "<=", ("50",))),
        ("amount>50.5", Condition("amount", ">", ("50.5",))),
        ("regulated = no", Condition("regulated", "=", ("no",))),
        ("custom:risk != very high", Condition("custom:risk", "!=", ("very high",))),
        ("environment in test,  staging", Condition("environment", "in", ("test", "staging"))),
    ],
)
def test_conditions_are_read(text: str, expected: Condition) -> None:
    assert compiled(f"authority: [{{automatic: [{{action: x, when: '{text}'}}]}}]").authority[0].automatic == (Grant("x", (expected,)),)


def test_a_calendar_is_always_open_unless_it_names_hours() -> None:
    assert compiled("owner: o").calendar.hours == (((0, 1440),),) * 7


def test_a_days_own_hours_go_before_those_of_several_days() -> None:
    calendar = compiled(
        "calendar: {time_zone: Europe/Berlin, holidays: 2026-12-25, first_month: 4, "
        "hours: {friday: 09:00-14:00, weekdays: ['13:00-17:30', '09:00-12:00'], wednesday: [], weekend: '10:00-24:00'}}"
    ).calendar
    usual = ((540, 720), (780, 1050))

    assert calendar.hours == (usual, usual, (), usual, ((540, 840),), ((600, 1440),), ((600, 1440),))
    assert (calendar.time_zone, calendar.first_month) == ("Europe/Berlin", 4)
    assert [str(day) for day in calendar.holidays] == ["2026-12-25"]


def test_escalation_paths_keep_what_they_do_not_say() -> None:
    workflow = compiled("escalation: {target: 2h, attributes: [], paths: {fraud: {owner: fraud-desk, target: 1h}, other: {}}}")

    assert workflow.escalation.target == 2 * HOUR
    assert workflow.escalation.to is None
    assert workflow.escalation.paths == {
        "fraud": EscalationPath("fraud", "fraud-desk", HOUR, None),
        "other": EscalationPath("other", None, None, None),
    }


def test_changes_go_to_their_workflow_in_order_of_deployment() -> None:
    configuration = loads(
        """
        sources: {desk: {kind: events, paths: in}}
        workflows: [{name: w, sources: desk, scope: {a: 2}}, {name: v, sources: desk, scope: {a: 1}}]
        """,
        {},
    )
    records = (
        change(id="b", deployed_at=at("2026-03-05T00:00:00Z")),
        change(id="d", workflow="v"),
        change(id="a", deployed_at=None, proposed_at=at("2026-03-06T00:00:00Z")),
        change(id="c", deployed_at=at("2026-03-04T00:00:00Z")),
    )
    recorded = [Record(change=item) for item in records]
    w, v = compile_company(configuration.settings, (), recorded, configuration.pseudonyms(KEY)).workflows

    assert [item.id for item in w.changes] == ["c", "b", "a"]
    assert [item.id for item in v.changes] == ["d"]


def test_the_lists_of_a_deployed_record_are_in_force_from_its_deployment() -> None:
    configuration = loads(
        """
        sources: {desk: {kind: events, paths: in}}
        workflows: [{name: w, sources: desk, authority: [{automatic: [close]}, {since: 2026-03-10, forbidden: [close]}]}]
        """,
        {},
    )
    deployed = at("2026-03-05T00:00:00Z")
    lists = Lists((Grant("close", (Condition("assignee", "=", ("ann",)),)),), (), ())
    records = (
        Record(change=change(id="b", deployed_at=deployed), authority=lists),
        Record(change=change(id="not stated", deployed_at=deployed), authority=Lists(automatic=())),
        Record(change=change(id="proposed", deployed_at=None), authority=lists),
        Record(change=change(id="elsewhere", deployed_at=deployed, environment="staging"), authority=lists),
    )
    (w,) = compile_company(configuration.settings, (), records, HASHED).workflows

    assert [item.since for item in w.authority] == [None, deployed, at("2026-03-10T00:00:00Z")]
    assert [grant.action for grant in w.authority[1].automatic] == ["close"]
    assert w.authority[1].automatic[0].when[0].operands == (HASHED.value("assignee", "ann"),)
    assert w.authority[1].forbidden == ()


def test_words_that_other_readers_of_yaml_take_for_something_else_stay_words() -> None:
    workflow = compiled(
        "levels: [{level: off}], scope: {answer: [no, yes, on, null_, 0815, 1_000, 09:30, 1e3, 2026-03-01, 0x1F]}, agents: 7, error_categories: [off, 1.10]"
    )

    assert workflow.levels[0].level is Level.OFF
    assert workflow.scope["answer"] == {"no", "yes", "on", "null_", "0815", "1_000", "09:30", "1e3", "2026-03-01", "0x1F"}
    assert workflow.agents == {HASHED.actor("7")}
    assert workflow.categories == {"off", "1.10"}


def test_yes_and_no_answer_a_question() -> None:
    settings = loads("store: {migrate: no}\nprivacy: {operator_figures: yes, min_operators: 7}\n", {}).settings

    assert (settings.store.migrate, settings.privacy.operator_figures, settings.privacy.min_operators) == (False, True, 7)


def test_a_section_that_is_left_empty_has_its_defaults() -> None:
    assert loads("alerts:\n  # nothing\nsources:\nworkflows:\n", {}).settings == loads("", {}).settings


def test_aliases_and_merges_say_a_thing_once() -> None:
    text = """
        sources: {desk: {kind: events, paths: in}}
        workflows:
          - &usual {name: w, sources: desk, owner: team, scope: {form: 1}}
          - {<<: *usual, name: v, scope: {form: 2}}
    """

    assert [(w.name, w.owner, w.scope["form"]) for w in loads(text, {}).settings.workflows] == [("w", "team", {"1"}), ("v", "team", {"2"})]


def test_equal_configurations_have_equal_fingerprints_whatever_is_reported_or_where_it_is_kept() -> None:
    def fingerprint(workflow: str, more: str = "") -> str:
        return loads(f"sources: {{desk: {{kind: events, paths: in}}}}\nworkflows: [{{name: w, sources: desk, {workflow}}}]\n{more}", {}).fingerprint()

    assert fingerprint("scope: {a: [1, 2], b: 3}") == fingerprint("scope: {a: [2, 1], b: 3}", "log: {level: debug}\nstore: {url: 'sqlite:///other.db'}")
    assert fingerprint("scope: {a: [1, 2]}") != fingerprint("scope: {a: [1]}")
    assert fingerprint("settle_after: 7d") != fingerprint("settle_after: 8d")
