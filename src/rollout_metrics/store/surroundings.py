"""What other cases say, answered from the store: the role `Surroundings` of derivation."""

from bisect import bisect_left, insort
from collections.abc import Mapping

from sqlalchemy import text

from rollout_metrics.domain.policy import Workflow
from rollout_metrics.domain.time import Instant
from rollout_metrics.store.tables import FIRST_AGENT, PREVIOUS_TOUCH, Tables, set_meta

_NEXT_SEEN = text("SELECT min(at) FROM touches WHERE touch = :group AND at >= :start")
"""Of one group: of several at once SQLite reads all their rows."""


class StoredSurroundings:
    """Answers as of T per workflow. Remembers what it was told, so make a new one for each batch."""

    def __init__(self, around: "Around", as_of: Mapping[str, Instant]) -> None:
        self._around = around
        self._as_of = as_of
        self._first: dict[str, Instant | None] = {}
        self._seen: dict[str, list[Instant]] = {}

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
        seen = self._seen.setdefault(workflow.name, [])
        place = bisect_left(seen, start)
        if place < len(seen) and seen[place] <= end:
            return True
        found = self._around.next_agent_touch(workflow.name, start)
        if found is None:
            return False
        insort(seen, found)
        return found <= end


class Around(Tables):
    """Questions across cases."""

    def surroundings(self, as_of: Mapping[str, Instant]) -> StoredSurroundings:
        """What derivation may ask of other cases, as of each workflow's T."""
        return StoredSurroundings(self, as_of)

    def previous_touch(self, operator: str, before: Instant) -> Instant | None:
        """An operator's last event at an earlier instant, on any case."""
        number = self._names.operators.known(operator)
        with self._database.reading() as connection:
            found = connection.execute(PREVIOUS_TOUCH, {"touch": number, "before": before}).scalar()
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

    def next_agent_touch(self, workflow: str, start: Instant) -> Instant | None:
        """The first instant from `start` on at which an agent of the workflow did something anywhere."""
        if not self._names.complete:
            self._names.load()
        groups = self._names.groups_of(workflow)
        if not groups:
            return None
        with self._database.reading(warm=True) as connection:
            found = [connection.execute(_NEXT_SEEN, {"group": group, "start": start}).scalar() for group in groups]
        return min((int(at) for at in found if at is not None), default=None)
