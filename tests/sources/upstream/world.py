"""A world of cases that people and an agent work on, as any system of record would hold it: what changed, when, by whom."""

from dataclasses import dataclass, field
from random import Random
from typing import Any

from rollout_metrics.domain.time import HOUR, SECOND, Instant, parse_instant

START = parse_instant("2026-01-15T00:00:00Z")
STATUSES = ("open", "working", "closed")
PEOPLE = ("ann", "ben", "cleo")
AGENT, CUSTOMER = "robot", "customer"
VALUES: dict[str, tuple[str, ...]] = {"status": STATUSES, "priority": ("low", "normal", "high"), "assignee": PEOPLE}
LABELS = ("bug", "refund", "urgent")


@dataclass(frozen=True)
class Change:
    """One entry of a case's history. `what`: an attribute, `label`, `comment`, `work` or `end`; numbers grow with time over all cases."""

    number: int
    at: Instant
    actor: str
    what: str
    before: Any = None
    after: Any = None


@dataclass
class Case:
    """A case as it is, and how it came to be so. `first`: the number of its creation, as a change has one."""

    number: int
    created_at: Instant
    values: dict[str, str]
    first: int = 0
    labels: list[str] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)
    deleted: bool = False

    @property
    def updated_at(self) -> Instant:
        """When it last changed."""
        return self.changes[-1].at if self.changes else self.created_at

    def of(self, *what: str) -> list[Change]:
        """Its changes of these kinds, oldest first."""
        return [change for change in self.changes if change.what in what]


class World:
    """Cases under way. Every change takes place at `now`, which only grows; several may share an instant."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self.now: Instant = START + HOUR
        self.cases: dict[int, Case] = {}
        self._changes = 0

    def living(self) -> list[Case]:
        """What can be found in the system, oldest first."""
        return [case for case in self.cases.values() if not case.deleted]

    def step(self, case: Case | None = None) -> None:
        """Something happens, some time later or at once: a case comes up or one is worked on."""
        random = self.random
        self.now += random.choice((0, 1, 7, 61, 300)) * SECOND
        living = self.living()
        if case is None and (not living or random.random() < 0.3):
            number = len(self.cases) + 1
            self._changes += 1
            values = {"status": "open", "priority": random.choice(VALUES["priority"]), "assignee": ""}
            self.cases[number] = Case(number, self.now, values, self._changes)
            return
        case = case or random.choice(living)
        what = random.choice((*VALUES, "status", "label", "comment", "work"))
        before: Any = None
        after: Any = None
        if what in VALUES:
            before = case.values[what]
            after = case.values[what] = random.choice([value for value in VALUES[what] if value != before])
        elif what == "label":
            before = list(case.labels)
            label = random.choice(LABELS)
            case.labels = [one for one in before if one != label] if label in before else sorted([*before, label])
            after = list(case.labels)
        elif what == "comment":
            after = random.choice(("hello there", "please look again", "done"))
        else:
            after = random.choice((60, 900))
        self._changes += 1
        actor = random.choice((*PEOPLE, AGENT, CUSTOMER) if what == "comment" else (*PEOPLE, AGENT))
        case.changes.append(Change(self._changes, self.now, actor, what, before, after))

    def delete(self) -> None:
        """A case is gone: its last change, which only systems that tell of such show."""
        living = self.living()
        if living:
            case = self.random.choice(living)
            self._changes += 1
            case.changes.append(Change(self._changes, self.now, self.random.choice(PEOPLE), "end"))
            case.deleted = True
