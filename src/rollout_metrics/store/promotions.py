"""Level changes with the gates as they were known when they were frozen."""

from collections.abc import Iterable

import msgspec
from sqlalchemy import select

from rollout_metrics.derive.gates import Promotion
from rollout_metrics.store.schema import promotions
from rollout_metrics.store.tables import Tables


class Promotions(Tables):
    """What was frozen stays: nothing here changes or drops a row."""

    def promotions(self) -> dict[str, tuple[Promotion, ...]]:
        """By workflow, in order of deployment."""
        query = select(promotions.c.workflow, promotions.c.body).order_by(promotions.c.workflow, promotions.c.deployed_at, promotions.c.change)
        found: dict[str, list[Promotion]] = {}
        with self._database.reading() as connection:
            for workflow, body in connection.execute(query):
                found.setdefault(workflow, []).append(msgspec.json.decode(body, type=Promotion))
        return {workflow: tuple(items) for workflow, items in found.items()}

    def freeze(self, found: Iterable[Promotion]) -> None:
        """Keep these for good; a change that is frozen already stays as it is."""
        frozen_at = self._clock()
        rows = [
            {
                "workflow": item.workflow,
                "change": item.change,
                "deployed_at": item.deployed_at,
                "frozen_at": frozen_at,
                "body": msgspec.json.encode(item).decode(),
            }
            for item in found
        ]
        with self._writing() as connection:
            for row in rows:
                known = select(promotions.c.change).where(promotions.c.workflow == row["workflow"], promotions.c.change == row["change"])
                if connection.execute(known).first() is None:
                    connection.execute(promotions.insert().values(row))
