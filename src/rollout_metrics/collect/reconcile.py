"""What increments cannot show, above all cases that vanish without a trace: the roll of the living is called on a timetable of its own."""

from abc import abstractmethod
from collections.abc import Callable, Collection, Iterable, Iterator
from itertools import islice
from typing import Annotated

from pydantic import Field

from rollout_metrics.collect.http import Api
from rollout_metrics.collect.source import Duration, HttpSource, Page
from rollout_metrics.domain.errors import CredentialsError
from rollout_metrics.domain.events import Activity, ActorKind, Event
from rollout_metrics.domain.time import DAY, Instant

Living = tuple[str, Instant]
"""A case of the source that has not ended, as far as we know, and when its last event happened."""
Roll = Callable[[], Iterator[Living]]
"""Every living case, by id."""

FEW = 20
"""So many cases may vanish at once without doubt being cast on it."""


class Reconciled(HttpSource):
    """A source whose system lets cases vanish, or change, without telling: they are looked for once in a while."""

    reconcile_every: Duration = DAY
    """How often to look for what increments do not show, such as deletions; `0s`: never."""
    vanish_limit: Annotated[float, Field(gt=0, le=1)] = 0.5
    """When more than this share of the cases asked for is gone, the token rather lost a permission: nothing is taken for deleted. 1: believe it."""

    @abstractmethod
    def reconcile(self, api: Api, roll: Roll) -> Iterator[Page]:
        """Read what increments do not show. Progress on the pages is ignored."""

    def gone(self, asked: Collection[Living], present: Collection[str]) -> list[Event]:
        """A `deleted` for every case asked for that is not present.

        It is dated to the case's last event: when it happened is not known, and that alone does not depend on when we looked.
        Raises `CredentialsError` where too many are gone to believe it.
        """
        missing = [(case_id, last_at) for case_id, last_at in asked if case_id not in present]
        if len(missing) > max(FEW, self.vanish_limit * len(asked)):
            raise CredentialsError(
                f"{len(missing)} of {len(asked)} known cases are gone from {self.name} at once: check what the token may read; "
                "if they were deleted indeed, set vanish_limit to 1 for a while"
            )
        return [deleted(self.name, case_id, last_at) for case_id, last_at in missing]


def deleted(source: str, case_id: str, at: Instant) -> Event:
    """The end of a case, by whom is not known."""
    return Event(source, source, case_id, f"{case_id}/deleted", at, Activity.DELETED, ActorKind.SYSTEM)


def batches(living: Iterable[Living], size: int) -> Iterator[list[Living]]:
    """The roll in pieces."""
    rest = iter(living)
    while batch := list(islice(rest, size)):
        yield batch


def due(reconciled_at: Instant | None, connected_at: Instant | None, every: int, now: Instant) -> bool:
    """Whether it is time; a source that was just connected has nothing to compare with."""
    last = reconciled_at if reconciled_at is not None else connected_at
    return every > 0 and last is not None and now - last >= every
