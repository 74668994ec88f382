"""Alertmanager: alerts that it sends to our webhook, each firing as a case: opened when it starts, closed when it is resolved."""

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, Self

import msgspec
from pydantic import model_validator

from rollout_metrics.collect.http import Answer, decode
from rollout_metrics.collect.received import Received, Sender, own_secrets
from rollout_metrics.collect.source import Coverage, Page, Rejected, why
from rollout_metrics.collect.story import Story
from rollout_metrics.domain.events import Activity, ActorKind, Event
from rollout_metrics.domain.time import SECOND, parse_instant

ACTOR = "alertmanager"
RESOLVED = "resolved"
FIRST_YEAR = "0001-"
"""Alertmanager's way to write no time."""


class _Alert(msgspec.Struct, rename="camel"):
    status: str
    fingerprint: str
    starts_at: str
    labels: dict[str, str] = {}
    ends_at: str | None = None
    generator_url: str | None = msgspec.field(default=None, name="generatorURL")


class _Webhook(msgspec.Struct, rename="camel"):
    alerts: list[msgspec.Raw]
    receiver: str | None = None
    truncated_alerts: int = 0


_WEBHOOK = msgspec.json.Decoder(_Webhook)
_ALERT = msgspec.json.Decoder(_Alert)


class Alertmanager(Received):
    """Alertmanager's webhook (version 4), sent to `POST /api/v1/alertmanager`. It can only speak for itself: what alerts say is the system's doing."""

    kind: ClassVar[str] = "alertmanager"

    tokens: tuple[Sender, ...]
    """Who may send: the bearer tokens of the receivers' `http_config`."""
    labels: Mapping[str, str] = {}
    """Label -> attribute name; others keep their name. An attribute `change` links an incident with a change record."""

    @model_validator(mode="after")
    def _own_secrets(self) -> Self:
        own_secrets(self.tokens)
        return self

    def events(self, page: Page) -> Iterator[Event | Rejected | Coverage]:
        """A `created` for each alert, and a `closed` where it is resolved. Raises `PayloadError` for what is no such webhook."""
        webhook = decode(Answer(page.body, page.where, 200, {}), _WEBHOOK)
        understood = 0
        for number, raw in enumerate(webhook.alerts):
            try:
                events = list(self._of(_ALERT.decode(raw), webhook.receiver))
            except ValueError as error:
                yield Rejected("malformed", f"{page.where} alert {number}", why(error), bytes(raw))
                continue
            understood += 1
            yield from events
        yield Coverage("history", len(webhook.alerts), len(webhook.alerts) + webhook.truncated_alerts)

    def page_of(self, payload: bytes, where: str) -> Page:
        """The page that holds only this alert."""
        return Page(b'{"alerts":[' + payload + b"]}", where)

    def _of(self, alert: _Alert, receiver: str | None) -> Iterator[Event]:
        started = parse_instant(alert.starts_at)
        case_id = f"{alert.fingerprint}/{started // SECOND}"
        detail: dict[str, Any] = {"via": [receiver] if receiver else []}
        if alert.generator_url:
            detail["url"] = alert.generator_url
        known = {self.labels.get(name, name): value for name, value in sorted(alert.labels.items()) if value} | {"status": "firing"}
        story, who = Story(self.name, case_id, detail), (ActorKind.SYSTEM, ACTOR)
        yield from story.made(started, who, known.items(), numbers=("firing", ""))
        if alert.status == RESOLVED and alert.ends_at is not None and not alert.ends_at.startswith(FIRST_YEAR):
            ended = parse_instant(alert.ends_at)
            yield story.event("resolved", ended, Activity.CLOSED, who, change=("status", "firing", RESOLVED), revision=-ended // SECOND)
