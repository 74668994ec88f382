"""Deriving a case costs what its length says, not the square of it: runtimes in a loop and imports do make cases of ten thousand events."""

import cProfile
import pstats
from collections.abc import Callable

import pytest

from builders import MINUTE, Around, after, company, ev, everywhere
from rollout_metrics.derive.case import derive
from rollout_metrics.domain.events import Event

COMPANY = company({"decides": ["set:priority", "comment:public", "merge"], "reason_attribute": "why"})
END = after("400d")
FEW, MANY = 300, 1500


def proposals(count: int) -> list[Event]:
    return [ev(i * MINUTE, "bot", "recommended", "priority", f"p{i}") for i in range(count)]


def acts(count: int) -> list[Event]:
    return [ev(i * MINUTE, "bot", "changed", "priority", f"p{i % 5}") for i in range(count)]


def agreement(count: int) -> list[Event]:
    return [ev(i * MINUTE, "op-1" if i % 2 else "bot", "changed", "priority", "high") for i in range(count)]


def overrides(count: int) -> list[Event]:
    return [ev(i * MINUTE, "op-1" if i % 2 else "bot", "changed", "priority", f"p{i}") for i in range(count)]


def comments(count: int) -> list[Event]:
    return [ev(i * MINUTE, "op-1" if i % 2 else "bot", "commented", value=f"hello {i}", action="comment:public") for i in range(count)]


def approvals(count: int) -> list[Event]:
    asked = [ev(i * MINUTE, "bot", "approval_requested", action="merge", id=f"a{i:05d}") for i in range(count // 3)]
    given = [ev(i * MINUTE, "op-1", "approved", action="merge", recommendation=f"a{i % (count // 3):05d}") for i in range(count // 3, 2 * count // 3)]
    return asked + given + [ev(i * MINUTE, "bot", "executed", action="merge") for i in range(2 * count // 3, count)]


def rejections(count: int) -> list[Event]:
    done = [ev(i * MINUTE, "bot", "executed", action="refund", id=f"r{i:05d}") for i in range(count // 2)]
    return done + [ev((count + i) * MINUTE, "op-1", "rejected", recommendation=f"r{i:05d}") for i in range(count // 2)]


@pytest.mark.parametrize("made", [proposals, acts, agreement, overrides, comments, approvals, rejections])
def test_five_times_the_events_cost_about_five_times_the_calls(made: Callable[[int], list[Event]]) -> None:
    derive(made(30), COMPANY, everywhere(COMPANY, END), Around([], COMPANY, END))  # fills what is built once per company

    few, many = (_calls(made(count)) for count in (FEW, MANY))

    assert many < few * (MANY / FEW) * 1.3


def _calls(events: list[Event]) -> int:
    profile = cProfile.Profile()
    profile.runcall(derive, events, COMPANY, everywhere(COMPANY, END), Around([], COMPANY, END))
    return int(pstats.Stats(profile).total_calls)  # type: ignore[attr-defined]
