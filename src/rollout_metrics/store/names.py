"""Numbers for words that repeat, given out once and kept: sources, workflows, series, operators, agents' groups of workflows."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any, cast

import msgspec
from sqlalchemy import Connection, bindparam, select, text

from rollout_metrics.store.schema import names

SOURCE = "source"
WORKFLOW = "workflow"
SERIES = "series"
OPERATOR = "operator"
AGENTS = "agents"

_GIVE = text("INSERT INTO names (kind, name) VALUES (:kind, :name) ON CONFLICT (kind, name) DO NOTHING")
_GIVEN = text("SELECT no, name FROM names WHERE kind = :kind AND name IN :wanted").bindparams(bindparam("wanted", expanding=True))
_FIND = text("SELECT no FROM names WHERE kind = :kind AND name = :name")

TOGETHER = 1000
"""Names in a statement."""

NO_WORKFLOW = 0
"""The number of "none" where a workflow's is expected."""
NOBODY = 0
"""The number of an operator who was erased."""


class Numbers(dict[Any, int]):
    """Name to number of one kind, cached. `numbers[name]` gives out a new one and so belongs into a writing transaction; `known` does not."""

    def __init__(self, owner: "Names", kind: str) -> None:
        super().__init__()
        self._owner = owner
        self._kind = kind
        self.names = Backwards(owner)
        """Number to name; one met for the first time is read from the table."""

    def __missing__(self, name: Any) -> int:
        ((_, number),) = self._owner.give(self._kind, [_text(name)])
        self.remember(number, name)
        return number

    def of(self, names: Sequence[Any]) -> list[int]:
        """The numbers of many names, new ones given out together; within a writing transaction."""
        found = list(map(self.get, names))
        if None in found:
            unknown = {_text(name): name for name, number in zip(names, found, strict=True) if number is None}
            for name, number in self._owner.give(self._kind, sorted(unknown)):
                self.remember(number, unknown[name])
        return list(map(self.__getitem__, names)) if None in found else cast(list[int], found)

    def remember(self, number: int, name: Any) -> None:
        """Keep a pair in memory."""
        self.names[number] = name
        self[name] = number

    def known(self, name: Any) -> int | None:
        """The number of a name if it has one."""
        number = self.get(name)
        if number is None:
            number = self._owner.look_up(self._kind, _text(name))
            if number is not None:
                self.remember(number, name)
        return number


class Backwards(dict[int, Any]):
    """Number to name; what another process gave out is read when it is met."""

    def __init__(self, owner: "Names") -> None:
        super().__init__()
        self._owner = owner

    def __missing__(self, number: int) -> Any:
        self._owner.load()
        if number not in self:
            raise KeyError(number)
        return self[number]


class Names:
    """All numbers of one database. `reading` opens a transaction for look-ups; `use` lends the writing one for as long as it lasts."""

    def __init__(self, reading: Callable[[], AbstractContextManager[Connection]]) -> None:
        self._reading = reading
        self._writing: Connection | None = None
        self.complete = False
        self._kinds = {kind: Numbers(self, kind) for kind in (SOURCE, WORKFLOW, SERIES, OPERATOR, AGENTS)}
        self.sources = self._kinds[SOURCE]
        self.workflows = self._kinds[WORKFLOW]
        self.series = self._kinds[SERIES]
        self.operators = self._kinds[OPERATOR]
        self.agents = self._kinds[AGENTS]

    def load(self) -> None:
        """Read what the table holds as committed."""
        self.complete = True
        with self._reading() as connection:
            for number, kind, name in connection.execute(select(names.c.no, names.c.kind, names.c.name)):
                numbers = self._kinds.get(kind)
                if numbers is not None:
                    numbers.remember(number, _value(kind, name))

    def look_up(self, kind: str, name: str) -> int | None:
        """The number of one name, as committed."""
        with self._reading() as connection:
            number: int | None = connection.execute(_FIND, {"kind": kind, "name": name}).scalar()
        return number

    def groups_of(self, workflow: str) -> list[int]:
        """The touches that are the presence of a workflow's agents."""
        return [number for group, number in list(self.agents.items()) if workflow in group]

    def use(self, connection: Connection | None) -> None:
        """Lend the writing transaction; None takes it back."""
        self._writing = connection

    def forget(self) -> None:
        """Drop everything, as the transaction that gave out some of it failed."""
        self.complete = False
        for numbers in self._kinds.values():
            numbers.clear()
            numbers.names.clear()

    def give(self, kind: str, wanted: Sequence[str]) -> Iterator[tuple[str, int]]:
        """The numbers of names, from the table or new."""
        connection = self._writing
        if connection is None:
            raise KeyError(f"no number for {kind} {wanted[0]!r} yet, and nothing is being written")
        for start in range(0, len(wanted), TOGETHER):
            part = wanted[start : start + TOGETHER]
            connection.execute(_GIVE, [{"kind": kind, "name": name} for name in part])
            for number, name in connection.execute(_GIVEN, {"kind": kind, "wanted": part}):
                yield name, number


def _text(name: Any) -> str:
    return name if isinstance(name, str) else msgspec.json.encode(name).decode()


def _value(kind: str, name: str) -> Any:
    return tuple(msgspec.json.decode(name)) if kind in (SERIES, AGENTS) else name
