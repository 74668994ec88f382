"""Change records as systems hold them."""

from collections.abc import Iterable

import msgspec
from sqlalchemy import Connection, select

from rollout_metrics.domain.records import ChangeReading
from rollout_metrics.domain.time import Instant
from rollout_metrics.store.schema import change_readings
from rollout_metrics.store.tables import Tables


class ChangeReadings(Tables):
    """Of several readings of one record the greatest revision holds, and of equal ones the greater text."""

    def change_readings(self) -> list[tuple[str, ChangeReading]]:
        """Source and reading, in order of both names; what is no record any more is left out."""
        table = change_readings
        query = select(table.c.source, table.c.change, table.c.revision, table.c.body).where(table.c.body.is_not(None)).order_by(table.c.source, table.c.change)
        with self._database.reading() as connection:
            return [(source, ChangeReading(change, revision, msgspec.json.decode(body))) for source, change, revision, body in connection.execute(query)]


def keep_changes(connection: Connection, source: str, readings: Iterable[ChangeReading], recorded_at: Instant) -> None:
    """Keep those that hold. One that never was a record leaves nothing."""
    table = change_readings
    for reading in readings:
        here = (table.c.source == source) & (table.c.change == reading.change_id)
        body = None if reading.record is None else msgspec.json.encode(reading.record, order="sorted").decode()
        known = connection.execute(select(table.c.revision, table.c.body).where(here)).first()
        if known is None:
            if body is not None:
                connection.execute(
                    table.insert().values(source=source, change=reading.change_id, revision=reading.revision, body=body, recorded_at=recorded_at)
                )
        elif (reading.revision, body or "") > (known.revision, known.body or ""):
            connection.execute(table.update().where(here).values(revision=reading.revision, body=body, recorded_at=recorded_at))
