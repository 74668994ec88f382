"""Cases by workflow and time: their facts for explanations, and the samples of figures that need every one of them."""

from collections.abc import Container, Iterator
from typing import TYPE_CHECKING

from sqlalchemy import text

from rollout_metrics.domain.events import CaseKey
from rollout_metrics.domain.facts import Fact
from rollout_metrics.domain.time import Instant
from rollout_metrics.store.bulk import Collected, Samples
from rollout_metrics.store.codec import SAMPLE_WIDTH, Series, decode_facts
from rollout_metrics.store.spans import fact_span
from rollout_metrics.store.tables import Tables

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

CHUNK = 2000
PART = 20_000
"""Cases whose samples are read at a time."""

Between = tuple[Instant, Instant]
"""A stretch of time, both ends included."""

_OWN = text(
    "SELECT s.ends_at, s.case_source, s.case_id, c.facts FROM stretches AS s CROSS JOIN cases AS c"
    " WHERE c.case_source = s.case_source AND c.case_id = s.case_id AND s.workflow = :workflow AND s.starts_at <= :end"
    " AND (s.ends_at, s.case_source, s.case_id) > (:after, :source, :case) ORDER BY s.ends_at, s.case_source, s.case_id LIMIT :limit"
)
_ELSEWHERE = text(
    "SELECT c.ends_at, c.case_source, c.case_id, c.facts FROM elsewhere AS e JOIN cases AS c ON c.case_source = e.case_source AND c.case_id = e.case_id"
    " WHERE e.workflow = :workflow AND (e.case_source, e.case_id) > (:source, :case) ORDER BY e.case_source, e.case_id LIMIT :limit"
)
_SAMPLES = (
    "SELECT samples FROM stretches WHERE workflow = :workflow AND ends_at >= :start AND starts_at <= :end"
    " AND NOT (starts_at <= :known_end AND ends_at >= :known_start) AND NOT (starts_at <= :last AND moved_at > :first)"
)
_NEVER = (2**62, -(2**62))


class Stretches(Tables):
    """What has to do with a stretch of time."""

    def facts_between(
        self, workflow: str, start: Instant, end: Instant, kinds: Container[type[Fact]] | None = None
    ) -> Iterator[tuple[CaseKey, tuple[Fact, ...]]]:
        """A workflow's facts that have to do with [start, end], by case; what is not finished always has. `kinds`: classes of facts, None for all."""
        number = self._names.workflows.known(workflow)
        if number is None:
            return
        for query in (_OWN, _ELSEWHERE):
            place = {"after": start - 1, "source": 2**31 - 1, "case": ""} if query is _OWN else {"source": -1, "case": ""}
            while True:
                with self._database.reading() as connection:
                    rows = connection.execute(query, {"workflow": number, "end": end, "limit": CHUNK, **place}).all()
                for _, source, case, packed in rows:
                    found = tuple(
                        fact
                        for fact in decode_facts(packed)
                        if fact.workflow == workflow and (kinds is None or type(fact) in kinds) and _overlaps(fact, start, end)
                    )
                    if found:
                        yield (self._names.sources.names[source], case), found
                if len(rows) < CHUNK:
                    break
                place = {"after": rows[-1][0], "source": rows[-1][1], "case": rows[-1][2]}

    def samples_between(
        self, workflow: str, within: Between, *, known: Between | None = None, undivided: Between | None = None
    ) -> "Iterator[tuple[Series, NDArray[np.int64]]]":
        """The samples of a workflow's cases that have to do with a stretch, each series once for every `PART` of the cases.

        Each row is a sample's five numbers. Cases that have to do with the stretch `known` are left out, and those that an instant of `undivided` divides (see
        `straddling`).
        """
        import numpy as np  # not at the start of programs that only collect

        names = self._names.series.names
        given = {
            "workflow": self._names.workflows.known(workflow) or 0,
            **dict(zip(("start", "end", "known_start", "known_end", "first", "last"), (*within, *(known or _NEVER), *(undivided or _NEVER)), strict=True)),
        }
        with self._database.reading() as connection:
            for part in connection.execution_options(stream_results=True).execute(text(_SAMPLES), given).partitions(PART):
                table = np.frombuffer(b"".join([packed for (packed,) in part]), "<i8").reshape(-1, SAMPLE_WIDTH)
                table = table[np.argsort(table[:, 0], kind="stable")]
                numbers, starts = np.unique(table[:, 0], return_index=True)
                for number, piece in zip(numbers.tolist(), np.split(table, starts[1:]), strict=True):
                    yield names[number], piece[:, 1:]

    def _numbered_samples(self, samples: Collected) -> Samples:
        """The samples of cases with the numbers of their series; within `_writing`."""
        import numpy as np

        return Samples(np.stack(samples.columns(self._names.series.of), axis=1), samples.lengths)


def _overlaps(fact: Fact, start: Instant, end: Instant) -> bool:
    first, last = fact_span(fact)
    return first <= end and last >= start
