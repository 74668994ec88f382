"""An agent is known by its source, its stamps, its name, or by doing what nobody does who reads and sleeps; people never become one."""

from collections.abc import Iterable

from builders import ev
from discover.samples import desk, material
from rollout_metrics.discover import Material, discovered
from rollout_metrics.discover.accounts import candidates
from rollout_metrics.domain.events import Event
from rollout_metrics.domain.time import HOUR, MINUTE, SECOND


def taken(sample: Material | Iterable[Event]) -> dict[str | None, str]:
    found = candidates(sample if isinstance(sample, Material) else material(sample))
    return {one.name: str(one.standing) for one in found}


def test_an_account_that_answers_at_once_at_all_hours_is_likely_one() -> None:
    assert taken(desk("4711")) == {"4711": "likely"}


def test_an_account_that_answers_as_slowly_as_people_is_none() -> None:
    assert taken(desk("4711", wait=35 * MINUTE, cases=40, every=20 * HOUR)) == {}


def test_an_account_that_is_quick_but_keeps_office_hours_is_uncertain() -> None:
    found = candidates(material(event for event in desk("4711", every=24 * HOUR)))

    assert [(one.name, str(one.standing)) for one in found] == [("4711", "uncertain")]
    assert found[0].reasons == ("answers after 40 s (median of 60)",)


def test_where_everybody_answers_at_once_it_tells_nothing() -> None:
    chat = [
        ev(number * 70 * MINUTE + turn * 20 * SECOND, (f"op-{number % 3}", f"customer-{number % 7}")[turn % 2], "commented", case=f"t{number}", public=True)
        for number in range(120)
        for turn in range(1, 10)
    ]

    assert "4711" not in {name for name, standing in taken([*desk("4711"), *chat]).items() if standing == "likely"}
    assert taken(desk("4711"))["4711"] == "likely"


def test_an_id_that_may_be_a_name_is_neither_written_nor_taken() -> None:
    for person in ("jane.doe@example.com", "Jane Doe", "jdoe1985", "Updated by 908", "claude.martin@example.com"):
        assert taken(desk(person)) == {None: "uncertain"}


def test_a_machine_by_name_is_taken_if_it_also_behaves_like_one() -> None:
    assert taken(desk("triage-bot@example.com")) == {"triage-bot@example.com": "likely"}
    assert taken(desk("claude-agent")) == {"claude-agent": "likely"}
    assert taken(desk("triage-bot@example.com", wait=35 * MINUTE, every=24 * HOUR)) == {"triage-bot@example.com": "uncertain"}


def test_a_tag_that_says_no_bot_is_no_bots() -> None:
    assert taken(desk("4711", wait=35 * MINUTE, every=24 * HOUR, detail={"via": ["no_bot"]})) == {}


def test_who_stamps_versions_is_one() -> None:
    assert taken(desk("4711", wait=35 * MINUTE, every=24 * HOUR, detail={"version": "v7"})) == {"4711": "likely"}


def test_under_a_persons_login_the_label_that_goes_with_its_versions_is_taken_and_not_the_account() -> None:
    events = [
        event
        for number in range(8)
        for event in (
            ev(number * HOUR, "32002", "changed", "priority", "high", before="low", case=f"{number}", via=["api", "copilot"], version="3", kind="operator"),
            ev(number * HOUR + MINUTE, "32002", "changed", "priority", "low", before="high", case=f"{number}", via=["api"], kind="operator"),
        )
    ]

    assert [(one.name, one.marker, str(one.standing)) for one in candidates(material(events))] == [("copilot", True, "likely")]
    (work,) = discovered(material(events)).workflows()
    assert (work["agents"], work["agent_markers"], work["decides"]) == ([], ["copilot"], ["set:priority"])


def test_the_source_and_the_configuration_are_believed() -> None:
    events = [ev(0, "bot", "recommended", action="refund", value="full")]

    assert taken(events) == {"bot": "said"}
    assert taken(material(desk("jane.doe@example.com"), agents=frozenset(("jane.doe@example.com",)))) == {"jane.doe@example.com": "said"}
    assert taken(material(desk("4711"), systems=frozenset(("4711",)))) == {}


def test_an_app_is_taken_if_people_set_what_it_sets() -> None:
    assert taken(desk("app:17", kind="system")) == {"app:17": "likely"}
    assert taken(desk("rule:17", kind="system")) == {"rule:17": "uncertain"}
    alone = [event for event in desk("app:17", kind="system") if event.actor_id == "app:17" or event.attribute != "priority"]
    assert taken(alone) == {}


def test_customers_are_none_however_quick() -> None:
    doings = (("op-1", 0), ("customer-1", SECOND))

    assert "customer-1" not in taken(ev(number * HOUR + wait, actor, "commented", case=f"{number}") for number in range(60) for actor, wait in doings)
