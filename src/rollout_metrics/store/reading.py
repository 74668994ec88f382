"""Facts of a stretch of time, for explanations and for figures that need every sample."""

from collections.abc import Container, Iterator

from sqlalchemy import text

from rollout_metrics.domain.events import CaseKey
from rollout_metrics.domain.facts import Fact
from rollout_metrics.domain.time import Instant
from rollout_metrics.store.codec import decode_facts
from rollout_metrics.store.spans import fact_span
from rollout_metrics.store.tables import Tables

CHUNK = 2000

_OWN = text(
    "SELECT ends_at, case_source, case_id, facts FROM cases WHERE workflow = :workflow AND starts_at <= :end"
    " AND (ends_at, case_source, case_id) > (:after, :source, :case) ORDER BY ends_at, case_source, case_id LIMIT :limit"
)
_ELSEWHERE = text(
    "SELECT c.ends_at, c.case_source, c.case_id, c.facts FROM elsewhere AS e JOIN cases AS c ON c.case_source = e.case_source AND c.case_id = e.case_id"
    " WHERE e.workflow = :workflow AND (e.case_source, e.case_id) > (:source, :case) ORDER BY e.case_source, e.case_id LIMIT :limit"
)


class Stretches(Tables):
    """Facts by workflow and time."""

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


def _overlaps(fact: Fact, start: Instant, end: Instant) -> bool:
    first, last = fact_span(fact)
    return first <= end and last >= start
