"""What the history of a HubSpot record's properties says, as events."""

from collections.abc import Callable, Iterator, Mapping
from hashlib import blake2b
from operator import itemgetter
from typing import Any

import msgspec

from rollout_metrics.collect.story import MILLISECOND, NOBODY, Story, Who, of_status
from rollout_metrics.domain.events import Activity, ActorKind, Event, text_value
from rollout_metrics.domain.time import SECOND, Instant, Span, parse_instant
from rollout_metrics.sources._hubspot_pages import Archived, Body, Entry, Record

AT_CREATION: Span = 2 * SECOND
"""Values set so soon after a record was made were made with it."""
ATTRIBUTES: Mapping[str, str] = {
    "amount": "amount",
    "closed_lost_reason": "closed_lost_reason",
    "closedate": "close_date",
    "dealname": "subject",
    "dealstage": "status",
    "dealtype": "type",
    "hs_lead_label": "label",
    "hs_lead_name": "subject",
    "hs_lead_status": "lead_status",
    "hs_lead_type": "type",
    "hs_pipeline": "pipeline",
    "hs_pipeline_stage": "status",
    "hs_priority": "priority",
    "hs_resolution": "resolution",
    "hs_ticket_category": "type",
    "hs_ticket_priority": "priority",
    "hubspot_owner_id": "assignee",
    "hubspot_team_id": "group",
    "lifecyclestage": "lifecycle",
    "pipeline": "pipeline",
    "source_type": "channel",
    "subject": "subject",
}
"""Canonical names of HubSpot's properties; others become `custom:<name>`."""
STAGES = frozenset(("dealstage", "hs_pipeline_stage"))
TYPE_IDS: Mapping[str, str] = {"contacts": "0-1", "deals": "0-3", "tickets": "0-5", "leads": "0-136"}
MERGED, OWNER = "hs_merged_object_ids", "hubspot_owner_id"
VISITORS = frozenset(("FORM", "FORMS"))
APPS = frozenset(("API", "INTEGRATION"))


Doer = tuple[Who, list[str]]
"""Who acted, and the labels that say through what."""


class Account(msgspec.Struct, frozen=True):
    """What the translation goes by: options of the source, and what the account is known to be."""

    name: str
    portal_id: int | None
    attributes: Mapping[str, str]
    human_sources: frozenset[str]
    history_cap: int
    contact_history_cap: int
    met: dict[tuple[Any, ...], Doer] = {}
    """Who made entries that were like another one: few people and automations make many."""

    def attribute(self, name: str) -> str:
        """The attribute that a property is."""
        return self.attributes.get(name) or ATTRIBUTES.get(name) or f"custom:{name}"

    def link(self, kind: str, number: str) -> dict[str, Any]:
        """`{"url": …}` of a record, where the account's number is known."""
        if self.portal_id is None:
            return {}
        return {"url": f"https://app.hubspot.com/contacts/{self.portal_id}/record/{TYPE_IDS.get(kind, kind)}/{number}"}

    def inbox_link(self, thread: str) -> dict[str, Any]:
        """`{"url": …}` of a conversation, where the account's number is known."""
        return {} if self.portal_id is None else {"url": f"https://app.hubspot.com/live-messages/{self.portal_id}/inbox/{thread}"}

    def who(self, entry: Entry | None) -> Doer:
        """Who made an entry: users by hand; apps and automations by what they are; labels say through what."""
        if entry is None:
            return NOBODY, []
        like = (entry.source_type, entry.source_id, entry.source_label, entry.updated_by_user_id)
        doer = self.met.get(like)
        if doer is None:
            doer = self.met[like] = self._meet(entry)
        return doer

    def _meet(self, entry: Entry) -> Doer:
        through = entry.source_type or ""
        app = f"app:{entry.source_id}" if through in APPS and entry.source_id else ""
        via = sorted({through, app, entry.source_label or ""} - {""})
        user = entry.updated_by_user_id
        number = str(user) if user is not None else (entry.source_id or "").removeprefix("userId:") if (entry.source_id or "").startswith("userId:") else None
        if through in self.human_sources and number:
            return (ActorKind.OPERATOR, number), via
        if through in VISITORS:
            return (ActorKind.CUSTOMER, None), via
        return (ActorKind.SYSTEM, app or through.lower() or None), via

    def deleted(self, kind: str, gone: Archived) -> list[Event]:
        """The end of a record, by whom is not told."""
        at = parse_instant(gone.archived_at)
        return [self.story(kind, gone.id).event(f"deleted/{at // MILLISECOND:020d}", at, Activity.DELETED, NOBODY)]

    def story(self, kind: str, number: str) -> Story:
        """What all events of a record share."""
        return Story(self.name, f"{kind}/{number}", self.link(kind, number))


class History(Story):
    """One record's property histories, in order of time, and the events they are."""

    def __init__(self, account: Account, body: Body, record: Record) -> None:
        super().__init__(account.name, f"{body.object}/{record.id}", account.link(body.object, record.id))
        self.account, self.body, self.record = account, body, record
        self.cap = account.contact_history_cap if body.object == "contacts" else account.history_cap
        self.entries = {name: entries for name, entries in record.properties_with_history.items() if name != MERGED}
        self.cut = 0
        """Histories that have lost their beginning; known once `events` were asked for."""
        merges = record.properties_with_history.get(MERGED, [])
        self.absorbed_ids = {number for entry in merges for number in _ids(entry.value)}

    def events(self) -> list[Event]:
        """Everything that happened to the record."""
        made_at = parse_instant(self.record.created_at)
        initial: dict[str, str] = {}
        maker: Entry | None = None
        events: list[Event] = []
        until = made_at + AT_CREATION
        for name, entries in sorted(self.entries.items()):
            attribute = self.account.attribute(name)
            change = self._changing(name, attribute)
            before: str | None = None
            owners = self.body.owners if name == OWNER else None
            first = True
            for at, entry in _in_order(entries):
                value = after = text_value(entry.value)
                if owners is not None and after is not None:
                    after = owners.get(after, f"owner:{after}")
                if not first:
                    if after != before:
                        events.append(change(at, entry, value, before, after))
                elif at <= until:
                    if after is not None:
                        initial[attribute] = after
                    maker = maker or entry
                elif len(entries) >= self.cap:
                    self.cut += 1  # what was there before it is lost: it only says what the next one changes
                elif after is not None:
                    events.append(change(at, entry, value, None, after))
                before, first = after, False
        who, via = self.account.who(maker)
        # a reading whose history still reaches back to the beginning knows more: it holds
        events.extend(self.made(made_at, who, initial.items(), {"via": via}, closing=self.body.closing, revision=len(initial)))
        events.extend(self._merges())
        return events

    def _changing(self, name: str, attribute: str) -> Callable[[Instant, Entry, str | None, str | None, str | None], Event]:
        """How an entry of a property is told: when, which, as it is written there, and what was and is."""
        closing = self.body.closing if name in STAGES else frozenset()
        event, who = self.event, self.account.who

        def change(at: Instant, entry: Entry, value: str | None, before: str | None, after: str | None) -> Event:
            doer, via = who(entry)
            tail = blake2b(f"{value}\0{entry.source_id}".encode(), digest_size=6).hexdigest()
            number = f"{name}/{at // MILLISECOND:020d}/{tail}"
            return event(number, at, of_status(before, after, closing), doer, {"via": via}, change=(attribute, before, after))

        return change

    def _merges(self) -> Iterator[Event]:
        known: set[str] = set()
        for at, entry in _in_order(self.record.properties_with_history.get(MERGED, [])):
            for number in _ids(entry.value):
                if number not in known and number != self.record.id:
                    known.add(number)
                    yield self.absorbed(number, at, entry)

    def absorbed(self, number: str, at: Instant, entry: Entry | None) -> Event:
        """The end of a record that was merged into this one; the merge's own entry, where there is one, dates it."""
        who, via = self.account.who(entry)
        return self.account.story(self.body.object, number).event("absorbed", at, Activity.ABSORBED, who, {"via": via}, revision=int(entry is not None))


def _in_order(entries: list[Entry]) -> list[tuple[Instant, Entry]]:
    """Entries oldest first; HubSpot sends the newest first."""
    dated = [(parse_instant(entry.timestamp), entry) for entry in reversed(entries)]
    if len(dated) > 1:
        dated.sort(key=itemgetter(0))
    return dated


def _ids(value: Any) -> list[str]:
    return [number.strip() for number in str(value or "").split(";") if number.strip()]
