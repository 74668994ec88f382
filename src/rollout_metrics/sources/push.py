"""Events that are sent to us over HTTP in our own format. The endpoint itself is `web.push`."""

from collections.abc import Iterator
from typing import Annotated, ClassVar

from pydantic import Field

from rollout_metrics.collect.event_format import read_event
from rollout_metrics.collect.received import Bounded
from rollout_metrics.collect.source import Page, Rejected
from rollout_metrics.domain.events import Event


class Push(Bounded):
    """Events in our own format, sent to `POST /api/v1/events`; `POST /api/v1/heartbeat` says that there is nothing new."""

    kind: ClassVar[str] = "push"

    max_events: Annotated[int, Field(gt=0)] = 10_000
    """Most events in one request."""

    def events(self, page: Page) -> Iterator[Event | Rejected]:
        """The event of each record."""
        for record in page.body:
            event = read_event(record, self.name)
            yield event if isinstance(event, Event) else Rejected("format", page.where, "; ".join(map(str, event)), record)

    def page_of(self, payload: bytes, where: str) -> Page:
        """The page that holds only this record."""
        return Page([payload], where)
