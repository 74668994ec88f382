"""Whatever is read, something sensible is written: it loads, it measures, it depends on no order, and it allows nothing the agent did not do."""

from collections.abc import Mapping

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from builders import AGENT, T0, Plain, ev
from discover.samples import desk, loaded, material
from histories import events as histories
from rollout_metrics.derive.history import ACTS
from rollout_metrics.discover import Findings, Material, discovered, measured, values, written
from rollout_metrics.domain.events import Event
from rollout_metrics.domain.policy import action_of
from rollout_metrics.domain.time import HOUR

SOURCES = ("desk", "other", "runtime")


@st.composite
def samples(draw: st.DrawFn) -> list[Event]:
    """A few cases on which everything may happen."""
    found = []
    for number in range(draw(st.integers(1, 6))):
        found += [_of_case(event, f"{number}") for event in draw(histories(size=8, first=number * 50))]
    return found


def _of_case(event: Event, case: str) -> Event:
    return Event(**{name: getattr(event, name) for name in event.__struct_fields__} | {"case_id": case})


def file_of(sample: Material) -> tuple[Findings, str]:
    findings = discovered(sample)
    return findings, written(findings, {}, command="discover desk", beside=False)


@given(samples())
@settings(max_examples=12, deadline=None)
def test_the_file_loads_and_says_what_was_found(events: list[Event]) -> None:
    findings, text = file_of(material(events))
    configuration = loaded(text, *SOURCES)

    assert [workflow.name for workflow in configuration.settings.workflows] == [draft.name for draft in findings.drafts]
    results = measured(findings.material.cases, configuration.company(Plain()), findings.material.until)
    again = loaded(written(findings, results, command="discover desk", beside=False), *SOURCES)
    assert again.settings == configuration.settings
    values(findings, results)


@given(samples(), st.randoms())
@settings(max_examples=6, deadline=None)
def test_the_order_of_reading_makes_no_difference(events: list[Event], random: st.DataObject) -> None:
    shuffled = list(events)
    random.shuffle(shuffled)  # type: ignore[attr-defined]

    assert file_of(material(shuffled))[1] == file_of(material(events))[1]


@given(samples())
@settings(max_examples=10, deadline=None)
def test_no_list_allows_what_the_agent_never_did(events: list[Event]) -> None:
    findings, text = file_of(material(events))
    agents = {one.name for one in findings.candidates if one.standing != "uncertain"}
    did = {action_of(event) for event in events if event.actor_id in agents and event.activity in ACTS}
    asked = {action_of(event) for event in events if event.activity == "approval_requested"}

    for workflow in loaded(text, *SOURCES).settings.workflows:
        (lists,) = workflow.authority
        assert {grant.action for grant in lists.automatic} <= did
        assert {grant.action for grant in lists.approval} <= asked


@given(st.text(), st.text(), st.text(), st.text())
@settings(max_examples=12, deadline=None)
def test_whatever_a_vendor_calls_things_the_file_loads(agent: str, attribute: str, value: str, name: str) -> None:
    events = [_named(event, {"4711": agent}, attribute or "x", value) for event in desk("4711", cases=24, kind="agent")]
    _, text = file_of(material(events, names={("form", value): name, (attribute, None): name}))

    loaded(text, *SOURCES)


def _named(event: Event, actors: Mapping[str | None, str], attribute: str, value: str) -> Event:
    renamed = {"actor_id": actors.get(event.actor_id, event.actor_id)}
    if event.attribute == "priority":
        renamed |= {"attribute": attribute, "after": value or None}
    if event.activity == "created":
        begun = dict(event.detail["attributes"])
        renamed["detail"] = {"attributes": begun | {"form": value if begun["form"] == "a" else "b"}}  # type: ignore[assignment]
    return Event(**{field: getattr(event, field) for field in event.__struct_fields__} | renamed)


def test_nothing_read_is_said_and_loads() -> None:
    _, text = file_of(material([]))

    assert "the sample is empty" in text
    assert loaded(text, *SOURCES).settings.workflows == ()
    assert "\nworkflows" not in written(discovered(material([])), {}, command="discover desk", beside=True)


def test_without_a_closing_state_the_file_says_so_and_the_work_is_not_called_measurable() -> None:
    events = [event for event in desk(kind="agent") if event.activity != "closed"]
    findings, text = file_of(material(events))

    assert "No case closes in this sample" in text
    assert {one.name: str(one.grade) for one in findings.drafts[0].fitness}["measurable"] == "poor"


def test_evaluations_alone_make_no_workflow() -> None:
    findings, _ = file_of(material([ev(0, AGENT, "evaluated", passed=True)]))

    assert findings.drafts == ()


def test_what_the_agents_account_does_is_not_called_peoples() -> None:
    lonely = [event for event in desk("4711", replaced=10**6) if not (event.actor_id or "").startswith("op-") or int(event.case_id[1:]) % 2]
    measurable = next(one for one in discovered(material(lonely)).drafts[0].fitness if one.name == "measurable")

    assert "people acted on 0% of all" in measurable.numbers


def test_no_persons_name_is_written() -> None:
    names = {"op-0": "Ada Lovelace", "op-1": "grace.hopper@example.com", "op-2": "cjdate", "customer-1": "Edgar Codd"}
    events = [_named(event, names, "priority", event.after or "a") for event in desk("4711")]
    events += [
        ev(0, "cjdate", "changed", "assignee", "Ada Lovelace", case="t1", kind="operator"),
        ev(1, "cjdate", "changed", "account manager", "Edgar Codd", case="t1", kind="operator"),
    ]
    findings, text = file_of(material(events))

    assert findings.drafts
    for name in names.values():
        assert name not in text
        assert name not in str(values(findings, {}))


def test_reasons_that_are_texts_are_not_written() -> None:
    reasons = ["fraud", "fraud", "fraud", "Ada Lovelace asked for it", "call grace@example.com", "call grace@example.com"]
    handed = [ev(number * HOUR, "4711", "escalated", case=f"t{2 * number}", kind="agent", reason=reason) for number, reason in enumerate(reasons)]
    _, text = file_of(material([*desk("4711", kind="agent"), *handed]))

    assert "Reasons: fraud (3), other (3)." in text


def test_people_are_no_scope_even_where_they_tell_the_agents_cases_best() -> None:
    people = {"a": "Barbara Liskov", "b": "Tony Hoare"}
    events = [
        msgspec.structs.replace(event, detail={"attributes": {"reporter": people[event.detail["attributes"]["form"]]}})
        if event.activity == "created"
        else event
        for event in desk("4711")
    ]
    findings, text = file_of(material(events))

    assert [draft.work.scope for draft in findings.drafts] == [None]
    for name in people.values():
        assert name not in text
        assert name not in str(values(findings, {}))


def test_without_an_agent_the_parts_of_the_work_are_told_apart() -> None:
    findings, text = file_of(material(event for event in desk() if event.actor_id != "4711"))

    assert [(one.attribute, one.value, one.cases) for one in findings.slices] == [("form", "a", 60), ("form", "b", 60)]
    assert "- form b, 60 new cases: " in text


def test_owners_are_written_only_where_each_is_called_by_a_name_that_the_source_gives_to_groups() -> None:
    handed = [ev(number * HOUR, "4711", "changed", "owner", "00G1", case=f"t{2 * number}", kind="agent") for number in range(6)]
    to_persons = [ev(1, "4711", "changed", "owner", "0051", case="t0", kind="agent")]
    names = {("owner", "00G1"): "Tier 2"}

    _, told = file_of(material([*desk("4711", kind="agent"), *handed], names=names))
    _, unnamed = file_of(material([*desk("4711", kind="agent"), *handed]))
    _, mixed = file_of(material([*desk("4711", kind="agent"), *handed, *to_persons], names=names))

    assert 'to: ["00G1"]' in told
    assert "The agent handed over to 00G1 (Tier 2) only." in told
    assert "00G1" not in unnamed + mixed
    assert "0051" not in mixed


def test_an_action_is_called_what_the_source_calls_the_thing_it_is_done_with() -> None:
    proposed = [ev(number * HOUR, "4711", "recommended", case=f"t{2 * number}", kind="agent", action="now_assist:5f2a0b1c") for number in range(6)]
    _, text = file_of(material([*desk("4711", kind="agent"), *proposed], names={("now_assist", "5f2a0b1c"): "Incident summarization"}))

    assert "proposed on 6 cases (Incident summarization); people did it 0 times" in text


def test_steps_and_reasons_are_told_with_what_the_source_calls_them() -> None:
    events = list(desk("4711", kind="agent", replaced=1))
    corrected = [event for event in events if event.attribute == "priority" and event.after == "urgent"]
    events += [ev(event.occurred_at - T0, event.actor_id, "changed", "why", "3", case=event.case_id) for event in corrected]
    names = {("priority", "high"): "P2", ("why", "3"): "Wrong tone", ("why", None): "Reason"}
    _, text = file_of(material(events, names=names))

    assert "follow one another (low, high (P2), urgent), so" in " ".join(text.replace("#", "").split())
    assert "reason_attribute: why" in text
    assert '# Wrong tone\n      - "3"' in text


def test_the_state_by_which_cases_close_is_called_what_its_own_attribute_says() -> None:
    closed = [ev(HOUR, "op-1", "closed", "state", "1", before="0", case="t1"), ev(0, "op-1", "changed", "status", "1", case="t1")]
    names = {("status", "1"): "In Progress", ("state", "1"): "Resolved"}
    findings, text = file_of(material(closed, names=names))

    assert findings.closings == {("state", "1"): 1}
    assert "Cases close by: 1 (Resolved) (1)." in text
