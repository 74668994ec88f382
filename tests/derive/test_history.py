"""Histories: order, the cut at T, who acts, attribute values, and the workflow a case belongs to."""

from msgspec import structs

from builders import after, company, ev, everywhere, history
from rollout_metrics.derive.history import read
from rollout_metrics.domain.events import ActorKind, resolve

ONE = company()


def ids(*events: object, **options: object) -> list[str]:
    return [step.event.event_id for step in history(*events, **({"company": ONE} | options)).steps]  # type: ignore[arg-type]


def test_events_of_one_instant_go_created_then_others_then_closed_and_reopened_then_the_end() -> None:
    events = [
        ev(0, "op-1", "deleted", id="a"),
        ev(0, "op-1", "reopened", id="c"),
        ev(0, "op-1", "closed", id="b"),
        ev(0, "op-1", "changed", "x", "1", id="e"),
        ev(0, "op-1", "commented", id="d"),
        ev(0, "customer-1", "created", id="z"),
    ]

    assert ids(*events) == ["z", "d", "e", "b", "c", "a"]


def test_ids_are_compared_by_code_point_and_then_by_source() -> None:
    events = [ev(0, "op-1", "commented", id="é"), ev(0, "op-1", "commented", id="z"), ev(0, "op-1", "commented", id="10"), ev(0, "op-1", "commented", id="9")]
    twins = [ev("1h", "op-1", "commented", id="x", source=source, case_source="desk") for source in ("runtime", "desk")]

    made = history(*events, *twins, company=ONE)

    assert [(step.event.event_id, step.event.source) for step in made.steps] == [
        ("10", "desk"),
        ("9", "desk"),
        ("z", "desk"),
        ("é", "desk"),
        ("x", "desk"),
        ("x", "runtime"),
    ]


def test_only_events_up_to_t_inclusive_count() -> None:
    events = [ev(0, "customer-1", "created", id="a"), ev("1h", "op-1", "commented", id="b"), ev(after("1h") + 1 - after(0), "op-1", "commented", id="c")]

    made = history(*events, company=ONE, as_of="1h")

    assert [step.event.event_id for step in made.steps] == ["a", "b"]
    assert made.next_event_at == after("1h") + 1


def test_after_a_case_ended_later_events_are_ignored() -> None:
    assert ids(ev(0, "op-1", "absorbed", id="a"), ev("1h", "op-1", "commented", id="b")) == ["a"]
    assert history(ev(0, "op-1", "absorbed"), ev("1h", "op-1", "commented"), company=ONE, as_of=0).next_event_at is None


def test_the_greatest_revision_of_an_event_holds_before_the_cut_at_t() -> None:
    old, new = ev("1h", "op-1", "commented", id="a"), ev("3h", "op-1", "commented", id="a", revision=1)
    created = ev(0, "customer-1", "created", id="c")

    assert ids(*resolve([created, new, old]), as_of="2h") == ["c"]


def test_configured_agents_and_markers_are_agents_everywhere_and_systems_likewise() -> None:
    made = structs.replace(company({"agent_markers": ["ai-app"]}), systems=frozenset({"op-9"}))
    events = [
        ev(0, "bot", "commented", kind="operator"),
        ev(1, "op-1", "commented", via=["ai-app", "x"]),
        ev(2, "op-9", "commented"),
        ev(3, "op-1", "commented", via=["x"]),
    ]

    assert [step.kind for step in history(*events, company=made).steps] == [ActorKind.AGENT, ActorKind.AGENT, ActorKind.SYSTEM, ActorKind.OPERATOR]


def test_an_unnamed_agent_belongs_to_the_workflows_that_read_its_source() -> None:
    made = company({}, {"name": "v", "sources": ["crm"], "agents": ["other-bot"]})
    events = [
        ev(0, "bot", "recommended", id="named"),
        ev(1, "other-bot", "recommended", id="elsewhere"),
        ev(2, "some-agent", "recommended", kind="agent", id="unnamed"),
        ev(3, "some-agent", "recommended", kind="agent", source="crm", case_source="desk", id="pushed"),
    ]

    assert {step.event.event_id: step.own for step in history(*events, company=made).steps} == {
        "named": True,
        "elsewhere": False,
        "unnamed": True,
        "pushed": True,
    }


def test_the_first_initial_value_is_the_initial_one_wherever_it_stands() -> None:
    started = ev("0s", "customer-1", "created", attributes={"queue": "first"}), ev("2h", "rule-1", "created", attributes={"queue": "later", "tier": "gold"})
    made = history(*started, ev("1h", "op-1", "changed", "tier", "new", before="odd"), company=ONE)

    assert [made.value_at(name, made.steps[0]) for name in ("queue", "tier")] == ["first", "gold"]


def test_a_value_at_an_event_is_after_it_and_falls_back_to_the_initial_one_then_to_the_first_before() -> None:
    made = history(
        ev(0, "customer-1", "created", attributes={"priority": "low", "type": None}),
        ev("1h", "op-1", "changed", "priority", "high", before="odd"),
        ev("2h", "op-1", "changed", "group", "b", before="a"),
        ev("3h", "op-1", "changed", "type", "bug", before="odd"),
        company=ONE,
    )
    steps = made.steps

    assert [made.value_at("priority", step) for step in steps] == ["low", "high", "high", "high"]
    assert [made.value_at("group", step) for step in steps] == ["a", "a", "b", "b"]
    assert [made.value_at("type", step) for step in steps] == [None, None, None, "bug"]
    assert made.value_at("nothing", steps[0]) is None


def test_closing_sets_its_attribute_too() -> None:
    made = history(ev(0, "customer-1", "created", attributes={"status": "new"}), ev("1h", "op-1", "closed", "status", "solved"), company=ONE)

    assert made.value_now("status") == "solved"


SCOPED = company(
    {"name": "mail", "scope": {"channel": ["email"], "brand": ["a", "b"]}},
    {"name": "vip", "scope": {"tags": ["vip"]}, "agents": ["other-bot"], "attribute_types": {"tags": "multi"}},
)


def scoped(*events: object, as_of: str | int = "30d") -> tuple[str | None, int | None]:
    made = history(*events, company=SCOPED, as_of=as_of)  # type: ignore[arg-type]
    return (made.workflow.name if made.workflow else None, made.scoped_at)


def test_a_case_belongs_to_the_first_workflow_in_file_order_that_matches_at_the_first_instant_any_does() -> None:
    both = ev(0, "customer-1", "created", attributes={"channel": "email", "brand": "a", "tags": '["vip"]'})
    late = [
        ev(0, "customer-1", "created", attributes={"channel": "chat", "brand": "a", "tags": '["vip","x"]'}),
        ev("1h", "op-1", "changed", "channel", "email"),
    ]

    assert scoped(both) == ("mail", after(0))
    assert scoped(*late) == ("vip", after(0))


def test_a_case_belongs_to_its_workflow_for_good() -> None:
    events = [ev(0, "customer-1", "created", attributes={"channel": "email", "brand": "a"}), ev("1h", "op-1", "changed", "channel", "chat")]

    assert scoped(*events) == ("mail", after(0))


def test_a_scope_is_looked_at_after_all_events_of_an_instant() -> None:
    events = [
        ev(0, "customer-1", "created", attributes={"channel": "chat", "brand": "a"}),
        ev("1h", "op-1", "changed", "channel", "email", id="a"),
        ev("1h", "op-1", "changed", "brand", "z", id="b"),
    ]

    assert scoped(*events) == (None, None)


def test_the_instant_at_which_a_case_comes_into_scope_is_part_of_the_workflow() -> None:
    made = history(
        ev(0, "customer-1", "created", attributes={"channel": "chat", "brand": "a"}),
        ev("1h", "bot", "commented", id="a"),
        ev("1h", "op-1", "changed", "channel", "email", id="b"),
        company=SCOPED,
    )

    assert made.scoped_at == after("1h")
    assert made.steps[made.start].event.event_id == "a"


def test_as_of_an_earlier_t_a_case_is_not_in_scope_yet() -> None:
    events = [ev(0, "customer-1", "created", attributes={"channel": "chat", "brand": "a"}), ev("1h", "op-1", "changed", "channel", "email")]

    assert scoped(*events, as_of="59m") == (None, None)


def test_a_before_that_is_read_late_moves_the_scope_only_once_its_event_is_there() -> None:
    events = [
        ev(0, "customer-1", "created", attributes={"brand": "a"}),
        ev("1h", "op-1", "commented"),
        ev("2h", "op-1", "changed", "channel", "chat", before="email"),
    ]

    assert scoped(*events, as_of="1h") == (None, None)
    assert scoped(*events, as_of="2h") == ("mail", after(0))


def test_a_case_is_cut_at_the_t_of_its_own_workflow() -> None:
    events = [ev(0, "customer-1", "created", attributes={"channel": "email", "brand": "a"}), ev("2h", "op-1", "commented")]
    as_of = everywhere(SCOPED, after("3h")) | {"mail": after("1h")}

    made = read(events, SCOPED, as_of)

    assert (made.as_of, len(made.steps), made.next_event_at) == (after("1h"), 1, after("2h"))


def test_a_case_that_will_come_into_a_workflow_that_lags_behind_is_looked_at_again() -> None:
    events = [ev(0, "customer-1", "created", attributes={"channel": "chat", "brand": "a"}), ev("2h", "op-1", "changed", "channel", "email")]
    as_of = everywhere(SCOPED, after("3h")) | {"mail": after("1h"), "": after("1h")}  # cases of none go by the least T of all

    made = read(events, SCOPED, as_of)

    assert (made.workflow, made.as_of, made.next_event_at) == (None, after("1h"), after("2h"))


def test_a_case_of_which_nothing_has_happened_yet_has_an_empty_history() -> None:
    made = history(ev("2h", "customer-1", "created"), company=ONE, as_of="1h")

    assert (made.case, made.steps, made.workflow, made.next_event_at) == (("desk", "1"), (), None, after("2h"))
