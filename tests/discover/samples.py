"""Small samples for `discover`: a desk with people, a customer and an agent whose account says nothing of what it is."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from builders import ev
from rollout_metrics.config.load import Configuration, loads
from rollout_metrics.config.model import Settings
from rollout_metrics.discover import Material
from rollout_metrics.domain.events import Event
from rollout_metrics.domain.time import DAY, HOUR, MINUTE, SECOND

PERSONS = frozenset(("assignee", "requester"))


def material(events: Iterable[Event], **more: Any) -> Material:
    """A sample of these events, of which nothing else is known."""
    nothing: dict[str, Any] = {"readings": (), "names": {}, "agents": frozenset(), "markers": frozenset(), "systems": frozenset()}
    return Material(list(events), **(nothing | {"persons": PERSONS, "texts": frozenset(("subject",)), "depth": 14 * DAY} | more))


def desk(
    agent: str = "4711",
    *,
    cases: int = 120,
    wait: int = 40 * SECOND,
    every: int = 70 * MINUTE,
    kind: str = "operator",
    detail: Mapping[str, Any] | None = None,
    replaced: int = 5,
) -> Iterator[Event]:
    """Tickets that come in at all hours. `agent` sets a priority `wait` later on every other; one of three people replaces that on every `replaced`th
    of them, sets it on the rest, and closes all within two days."""
    for number in range(cases):
        case, came = f"t{number}", number * every
        begun = {"attributes": {"form": ("a", "b")[number % 2], "priority": "low", "group": "intake"}}
        yield ev(came, f"customer-{number % 7}", "created", case=case, **begun)
        person = f"op-{number % 3}"
        at_work = came - came % DAY + DAY + (number % 7) * HOUR
        if number % 2 == 0:
            yield ev(came + wait, agent, "changed", "priority", "high", before="low", case=case, kind=kind, **(detail or {}))
            if number % (2 * replaced) == 0:
                yield ev(at_work, person, "changed", "priority", "urgent", before="high", case=case)
        else:
            yield ev(at_work, person, "changed", "priority", "normal", before="low", case=case)
        yield ev(at_work + HOUR, person, "closed", "status", "solved", before="open", case=case)


def loaded(text: str, *sources: str) -> Configuration:
    """A written file as the configuration of these sources. Raises `ConfigurationError`."""
    return loads("sources:\n" + "".join(f"  {name}: {{kind: events, paths: x}}\n" for name in sources) + text, {})


def bare() -> Settings:
    """Settings of a configuration that says nothing."""
    return Settings()
