"""A world of cases that people and an agent work on, as any system of record would hold it: what changed, when, by whom."""

from bisect import bisect_left
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any, TypeVar, overload

from rollout_metrics.domain.time import DAY, HOUR, SECOND, Instant, parse_instant

T = TypeVar("T")

START = parse_instant("2026-01-15T00:00:00Z")
LONG_AGO = START - 450 * DAY
PACE, DONE = 30 * SECOND, 10 * SECOND
"""Settled cases were made one after the other, each done with before the next."""
STATUSES = ("open", "working", "closed")
PEOPLE = ("ann", "ben", "cleo")
AGENT, CUSTOMER = "robot", "customer"
VALUES: dict[str, tuple[str, ...]] = {"status": STATUSES, "priority": ("low", "normal", "high"), "assignee": PEOPLE}
LABELS = ("bug", "refund", "urgent")


@dataclass(frozen=True)
class Change:
    """One entry of a case's trail. `what`: `create`, an attribute, `label`, `comment`, `work` or `end`; numbers grow with time over all cases."""

    number: int
    at: Instant
    actor: str
    what: str
    before: Any = None
    after: Any = None


@dataclass
class Case:
    """A case as it is, and how it came to be so. `first`: the number of its creation among all changes."""

    number: int
    first: int
    created_at: Instant
    values: dict[str, str]
    labels: list[str] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)
    deleted: bool = False

    @property
    def updated_at(self) -> Instant:
        """When it last changed."""
        return self.changes[-1].at if self.changes else self.created_at

    @property
    def trail(self) -> list[Change]:
        """Its creation and its changes."""
        return [Change(self.first, self.created_at, CUSTOMER, "create"), *self.changes]

    def of(self, *what: str) -> list[Change]:
        """Its changes of these kinds, oldest first."""
        return [change for change in self.changes if change.what in what]


class Made(Sequence[T]):
    """What is made of numbers only when it is looked at, and `rest` after it: a million cases need no memory."""

    def __init__(self, numbers: range, make: Callable[[int], T], rest: Sequence[T], without: Collection[int] = ()) -> None:
        self._numbers, self._make, self._rest = numbers, make, rest
        self._without = sorted(number for number in without if number in numbers)
        self._many = len(numbers) - len(self._without)

    def __len__(self) -> int:
        return self._many + len(self._rest)

    @overload
    def __getitem__(self, place: int) -> T: ...
    @overload
    def __getitem__(self, place: slice) -> list[T]: ...
    def __getitem__(self, place: int | slice) -> T | list[T]:
        if isinstance(place, slice):
            return [self[one] for one in range(*place.indices(len(self)))]
        if place < 0:
            place += len(self)
        if place >= self._many:
            return self._rest[place - self._many]
        number = self._numbers[place]
        for one in self._without:
            number += one <= number
        return self._make(number)


class Cases(dict[int, Case]):
    """Cases by number. Of `settled` ones, done with long ago, only those that something happens to are kept."""

    def __init__(self, settled: int) -> None:
        super().__init__()
        self.settled = settled

    def __missing__(self, number: int) -> Case:
        if not 1 <= number <= self.settled:
            raise KeyError(number)
        return self.done(number)

    def done(self, number: int) -> Case:
        """A settled case as it was when it was done with."""
        at, first = LONG_AGO + number * PACE, 2 * number - 1
        closing = Change(first + 1, at + DONE, PEOPLE[number % len(PEOPLE)], "status", "open", "closed")
        return Case(number, first, at, {"status": "closed", "priority": "normal", "assignee": ""}, changes=[closing])


class World:
    """Cases under way, and `settled` ones before them. Every change takes place at `now`, which only grows; several may share an instant."""

    def __init__(self, random: Random, settled: int = 0) -> None:
        self.random = random
        self.now: Instant = START + HOUR
        self.cases = Cases(settled)
        self._settled = settled
        self._numbers, self._changes = settled, 2 * settled

    def everything(self) -> Sequence[Case]:
        """All cases there ever were, oldest first."""
        return self._sequence(range(1, self._settled + 1), self.cases.__getitem__, [case for number, case in self.cases.items() if number > self._settled])

    def living(self) -> Sequence[Case]:
        """What can be found in the system, oldest first."""
        young = [case for case in self.unsettled() if case.number > self._settled]
        gone = [number for number, case in self.cases.items() if case.deleted]
        return self._sequence(range(1, self._settled + 1), self.cases.__getitem__, young, gone)

    def unsettled(self) -> list[Case]:
        """Those that are living and not settled, by number: all that are not closed are among them."""
        return sorted((case for case in self.cases.values() if not case.deleted), key=lambda case: case.number)

    def those(self, numbers: Iterable[int]) -> list[Case]:
        """The living ones with these numbers, by number."""
        there = [self.cases[number] for number in sorted(set(numbers)) if number in self.cases or 1 <= number <= self._settled]
        return [case for case in there if not case.deleted]

    def changed(self, start: Instant, end: Instant, when: Callable[[Case], Instant] = lambda case: case.updated_at) -> Sequence[Case]:
        """The living ones that changed last in [start, end), by `when` they did."""
        found = [case for case in self.cases.values() if not case.deleted and start <= when(case) < end]
        found.sort(key=lambda case: (when(case), case.number))
        numbers = _between(self._settled, lambda number: when(self.cases.done(number)), start, end)
        return self._sequence(numbers, self.cases.__getitem__, found, self.cases)

    def trail(self, start: Instant, end: Instant) -> Sequence[tuple[Case, Change]]:
        """What happened in [start, end), with its case, in order."""
        found = [(case, change) for case in self.cases.values() for change in case.trail if change.number > 2 * self._settled and start <= change.at < end]
        found.sort(key=lambda one: one[1].number)
        numbers = _between(2 * self._settled, lambda number: self._settled_change(number)[1].at, start, end)
        return self._sequence(numbers, self._settled_change, found)

    def _settled_change(self, number: int) -> tuple[Case, Change]:
        case = self.cases[(number + 1) // 2]
        return case, case.trail[(number + 1) % 2]

    def _sequence(self, numbers: range, make: Callable[[int], T], rest: list[T], without: Collection[int] = ()) -> Sequence[T]:
        return Made(numbers, make, rest, without) if self._settled else rest

    def step(self, case: Case | None = None, *, at_once: bool = False) -> None:
        """Something happens, some time later or at once: a case comes up or one is worked on."""
        random = self.random
        self.now += 0 if at_once else random.choice((0, 1, 7, 61, 300)) * SECOND
        living = self.living()
        if case is None and (not living or random.random() < 0.3):
            self._numbers += 1
            self._changes += 1
            values = {"status": "open", "priority": random.choice(VALUES["priority"]), "assignee": ""}
            self.cases[self._numbers] = Case(self._numbers, self._changes, self.now, values)
            return
        case = case or random.choice(living)
        self.cases[case.number] = case
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
            self.cases[case.number] = case
            self._changes += 1
            case.changes.append(Change(self._changes, self.now, self.random.choice(PEOPLE), "end"))
            case.deleted = True


def _between(last: int, at: Callable[[int], Instant], start: Instant, end: Instant) -> range:
    """The numbers from 1 to `last` whose instants are in [start, end)."""
    numbers = range(1, last + 1)
    return numbers[bisect_left(numbers, start, key=at) : bisect_left(numbers, end, key=at)]
