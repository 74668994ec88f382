"""Which attributes and values that configuration names appear on a case."""

from typing import Any

from builders import after, company, ev, history
from rollout_metrics.derive.appearances import appeared, names
from rollout_metrics.domain.events import Event

OPTIONS: dict[str, Any] = {
    "decides": [{"action": "set:status", "progress": [["open", "waiting", "solved"]]}, "set:priority"],
    "scope": {"channel": ["email", "chat"]},
    "escalation": {"attributes": ["group"], "to": ["tier-2"]},
}


def appear(*events: Event, until: str = "3d") -> tuple[str, ...]:
    told = company(OPTIONS)
    read = history(*events, company=told)
    return appeared(read, told.workflows[0], after(until))


def test_what_configuration_names_is_watched_for() -> None:
    workflow = company(OPTIONS).workflows[0]

    assert {"status", "status=solved", "priority", "channel", "channel=chat", "group", "group=tier-2"} <= set(names(workflow))


def test_an_attribute_appears_with_its_initial_value_and_with_every_change() -> None:
    made = ev("0s", "customer-1", "created", attributes={"channel": "email", "colour": "red", "priority": None})

    assert appear(made) == ("channel", "channel=email")
    assert appear(made, ev("1h", "bot", "changed", "priority", "high")) == ("channel", "channel=email", "priority")


def test_a_value_appears_where_it_is_set_or_left_and_as_a_member_of_several() -> None:
    made = ev("0s", "customer-1", "created", attributes={"channel": '["email","fax"]'})
    solved = ev("1h", "op-1", "closed", "status", "solved", before="open")

    assert appear(made, solved) == ("channel", "channel=email", "status", "status=open", "status=solved")


def test_what_comes_later_does_not_count() -> None:
    made = ev("0s", "customer-1", "created", attributes={"channel": "chat"})

    assert appear(made, ev("3d", "bot", "changed", "group", "tier-2")) == ("channel", "channel=chat", "group", "group=tier-2")
    assert appear(made, ev("3d1s", "bot", "changed", "group", "tier-2")) == ("channel", "channel=chat")
