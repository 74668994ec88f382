"""What other cases say, answered from the store: the role `Surroundings` of derivation."""

from bisect import bisect_left, bisect_right, insort
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from operator import itemgetter

from sqlalchemy import text

from rollout_metrics.domain.policy import Workflow
from rollout_metrics.domain.time import Instant
from rollout_metrics.store.arrivals import ALWAYS
from rollout_metrics.store.tables import FIRST_AGENT, Tables, set_meta

PAGE = 500
"""Agents' touches read at a time."""

_NEXT_SEEN = text("SELECT at FROM touches WHERE touch = :group AND at >= :start ORDER BY at LIMIT :limit")
"""Of one group: of several at once SQLite reads all their rows."""
_PREVIOUS = text("SELECT max(at) FROM touches WHERE touch = :touch AND at < :before")


class StoredSurroundings:
    """Answers as of T per workflow. Remembers what it was told, so make a new one for each batch."""

    def __init__(self, around: "Around", as_of: Mapping[str, Instant]) -> None:
        self._around = around
        self._as_of = as_of
        self._first: dict[str, Instant | None] = {}
        self._seen: dict[str, _Seen] = {}

    def first_agent_at(self, workflow: Workflow) -> Instant | None:
        """The first agent event, whosever agent it is, on a case of the workflow since that case's `scoped_at`."""
        name = workflow.name
        if name not in self._first:
            self._first[name] = self._around.first_agent_at(name)
        first = self._first[name]
        return first if first is not None and first <= self._as_of[name] else None

    def agent_seen(self, workflow: Workflow, start: Instant, end: Instant) -> bool:
        """Whether any event of the workflow's own agents lies in [start, end], on any case."""
        end = min(end, self._as_of[workflow.name])
        if start > end:
            return False
        seen = self._seen.get(workflow.name)
        if seen is None:
            seen = self._seen[workflow.name] = _Seen(partial(self._around.agent_touches, workflow.name))
        return seen.first_from(start) <= end


class _Seen:
    """The instants of a workflow's agents, read piece by piece where they are asked for."""

    def __init__(self, read: Callable[[Instant], Sequence[Instant]]) -> None:
        self._read = read
        self._pieces: list[tuple[Instant, Sequence[Instant]]] = []
        """From where on each was read, in order, and what was found: without a gap from there to its last instant."""

    def first_from(self, start: Instant) -> Instant:
        """The first instant from `start` on; `ALWAYS` if there is none."""
        place = bisect_right(self._pieces, start, key=_start)
        piece = self._pieces[place - 1][1] if place else ()
        if not piece or piece[-1] < start:
            piece = self._read(start)
            insort(self._pieces, (start, piece), key=_start)
        return piece[bisect_left(piece, start)]


_start = itemgetter(0)


class Around(Tables):
    """Questions across cases."""

    def surroundings(self, as_of: Mapping[str, Instant]) -> StoredSurroundings:
        """What derivation may ask of other cases, as of each workflow's T."""
        return StoredSurroundings(self, as_of)

    def previous_touch(self, operator: str, before: Instant) -> Instant | None:
        """An operator's last event at an earlier instant, on any case."""
        number = self._names.operators.known(operator)
        with self._database.reading() as connection:
            found = connection.execute(_PREVIOUS, {"touch": number, "before": before}).scalar()
        return None if found is None else int(found)

    def first_agent_at(self, workflow: str) -> Instant | None:
        """The first agent event on a workflow's cases, as far as derived."""
        number = self._names.workflows.known(workflow)
        if number is None:
            return None
        with self._database.reading() as connection:
            return self._first_agent(connection, number)

    def forgotten_first_agent(self, workflow: str) -> Instant | None:
        """The first agent event on a workflow's cases that are kept no longer."""
        found = self.meta(f"{FIRST_AGENT}{workflow}")
        return None if found is None else int(found)

    def remember_first_agents(self, first: Mapping[str, Instant | None]) -> None:
        """Take over from another store what it knows of cases that it keeps no longer."""
        with self._writing() as connection:
            for workflow, at in first.items():
                if at is not None:
                    set_meta(connection, f"{FIRST_AGENT}{workflow}", str(at))

    def agent_touches(self, workflow: str, start: Instant) -> list[Instant]:
        """The next instants from `start` on at which an agent of the workflow did something anywhere, in order, none left out; `ALWAYS` follows the last."""
        if not self._names.complete:
            self._names.load()
        found, until = set[Instant](), ALWAYS
        with self._database.reading() as connection:
            for group in self._names.groups_of(workflow):
                page = [at for (at,) in connection.execute(_NEXT_SEEN, {"group": group, "start": start, "limit": PAGE})]
                found.update(page)
                if len(page) == PAGE:
                    until = min(until, page[-1])
        return sorted(at for at in (*found, until) if at <= until)
