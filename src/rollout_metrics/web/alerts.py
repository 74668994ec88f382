"""The webhook of Alertmanager: what is understood is stored, the rest set aside, since Alertmanager sends nothing again that was refused."""

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Protocol

from flask import Blueprint, Response

from rollout_metrics.collect.source import Coverage, Page, Rejected
from rollout_metrics.domain.errors import PayloadError
from rollout_metrics.domain.events import Event
from rollout_metrics.domain.time import Instant
from rollout_metrics.web.doors import Door, Receiving, Refusal, Sender, accepted, answered, body_of, doors_of

log = logging.getLogger(__name__)

PATH = "/api/v1/alertmanager"


class AlertSource(Receiving, Protocol):
    """A configured receiver of alerts."""

    @property
    def tokens(self) -> Sequence[Sender]: ...
    def events(self, page: Page) -> Iterator[Event | Rejected | Coverage]: ...


Take = Callable[[str, list[Event], list[Rejected], list[Coverage]], object]
"""Lands a source's events, what was not understood and what was cut off, and notes when the request came."""


def alerts_blueprint(sources: Iterable[AlertSource], take: Take, clock: Callable[[], Instant]) -> Blueprint:
    """`POST /api/v1/alertmanager` for all sources of alerts; raises `ConfigurationError` where two share a secret."""
    doors = doors_of((source, token) for source in sources for token in source.tokens)
    blueprint = Blueprint("alerts", __name__)

    @blueprint.post(PATH)
    def alerts() -> Response:
        def handle(door: Door[AlertSource, Sender]) -> Response:
            source = door.source
            try:
                found = list(source.events(Page(body_of(source.max_body), f"POST {PATH}")))
            except PayloadError as error:
                raise Refusal(400, f"{error}: send Alertmanager's webhook, version 4") from None
            events = [record for record in found if isinstance(record, Event)]
            rejected = [record for record in found if isinstance(record, Rejected)]
            coverage = [record for record in found if isinstance(record, Coverage)]
            for record in coverage:
                if lost := record.total - record.covered:
                    log.warning("alerts cut off", extra={"fields": {"source": source.name, "lost": lost, "remedy": "set max_alerts of the receiver to 0"}})
            take(source.name, events, rejected, coverage)
            return accepted(len(events))

        return answered(doors, clock, handle)

    return blueprint
