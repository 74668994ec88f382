"""Intercom: the parts of conversations and tickets, and what Fin says of itself, as their audit trail."""

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, Literal

import msgspec
from pydantic import Field, SecretStr

from rollout_metrics.collect.http import Answer, Api, Endpoint, bearer, decode
from rollout_metrics.collect.limits import ResetHeader, ResetKind
from rollout_metrics.collect.names import named
from rollout_metrics.collect.paging import Ask, followed, whole
from rollout_metrics.collect.parts import parts_of
from rollout_metrics.collect.reconcile import Reconciled, Roll, batches
from rollout_metrics.collect.records import told
from rollout_metrics.collect.source import Named, Page, Told, Window
from rollout_metrics.collect.story import NOBODY, Story, Who, of_status
from rollout_metrics.collect.texts import said, without_markup
from rollout_metrics.domain.events import Activity, ActorKind, Event, text_value
from rollout_metrics.domain.time import DAY, SECOND, Instant, Span

AT_ONCE = 150
READ = 50
"""Conversations looked up by id at once."""
LONGEST: Span = DAY
"""The order of a search is not promised: what it finds counts as read when it is at its end, so it is not let grow long."""
CONVERSATIONS, TICKETS = "conversations", "tickets"
PARTS: Mapping[str, str] = {CONVERSATIONS: "conversation_parts", TICKETS: "ticket_parts"}
STATES: Mapping[str, str] = {
    "close": "closed",
    "open": "open",
    "assign_and_reopen": "open",
    "snoozed": "snoozed",
    "unsnoozed": "open",
    "assign_and_unsnooze": "open",
    "timer_unsnooze": "open",
}
"""What kind of part sets the state of a conversation."""
DONE = frozenset(("closed", "resolved"))
ASSIGNED: Mapping[str, str] = {"admin": "assignee", "bot": "assignee", "nobody_admin": "assignee", "team": "team", "nobody_team": "team"}
CUSTOMERS = frozenset(("user", "lead", "contact"))
UPDATED = ("conversation_attribute_updated_by_", "ticket_attribute_updated_by_")
PREVIEWS = frozenset(("workflow_preview", "fin_preview"))
"""Where Fin talked to those who set it up."""
HANDED_OVER = frozenset(("escalated", "procedure_handoff"))
FIN = "ai_agent"


class _App(msgspec.Struct):
    id_code: str | None = None


class _Me(msgspec.Struct):
    app: _App


class _Next(msgspec.Struct):
    starting_after: str | None = None


class _Pages(msgspec.Struct):
    next: _Next | None = None


class _Stub(msgspec.Struct):
    id: str
    updated_at: int


class _Found(msgspec.Struct):
    """A page of a search; which of the lists is there depends on what was asked for."""

    total_count: int
    pages: _Pages | None = None
    conversations: list[_Stub] | None = None
    tickets: list[_Stub] | None = None

    @property
    def stubs(self) -> list[_Stub]:
        return self.conversations or self.tickets or []

    @property
    def following(self) -> str | None:
        return self.pages.next.starting_after if self.pages is not None and self.pages.next is not None else None


class _Bundle(msgspec.Struct):
    """A conversation or ticket as it was read. `link`: where people see it."""

    kind: str
    link: str
    record: dict[str, Any]


_ME = msgspec.json.Decoder(_Me)
_FOUND = msgspec.json.Decoder(_Found)
_RECORD = msgspec.json.Decoder(dict[str, Any])
_BUNDLE = msgspec.json.Decoder(_Bundle)


class Intercom(Reconciled):
    """Intercom. The token is that of an app of your own workspace that may read conversations."""

    kind: ClassVar[str] = "intercom"
    record: ClassVar[msgspec.json.Decoder[Any]] = _BUNDLE

    base_url: str = Field(default="https://api.intercom.io", pattern=r"^https?://[^/?#]+$")
    """The API's address: https://api.eu.intercom.io in Europe, https://api.au.intercom.io in Australia."""
    token: SecretStr
    """The app's access token."""
    version: str = Field(default="2.15", pattern=r"^\d\.\d+$")
    """The version of the API."""
    only: Literal["all", "conversations", "tickets"] = "conversations"
    """What to read."""
    fields: Mapping[str, str] = {}
    """Name of a conversation's or ticket's attribute -> attribute name; of others only the fact that they changed is kept, since they may hold free text."""

    def endpoint(self) -> Endpoint:
        """A bearer token."""
        reset = ResetHeader("X-RateLimit-Reset", ResetKind.EPOCH)
        return Endpoint(base_url=self.base_url, authorization=bearer(self.token), headers={"Intercom-Version": self.version}, reset=reset, **self.connection())

    @property
    def kinds(self) -> tuple[str, ...]:
        """What is read."""
        return (CONVERSATIONS, TICKETS) if self.only == "all" else (self.only,)

    def names(self, api: Api) -> Iterator[Named]:
        """Names of teams and, where tickets are read, of their types."""
        yield from named(api, "/teams", "team", key="teams")
        if TICKETS in self.kinds:
            yield from named(api, "/ticket_types", "ticket_type", key="data")

    def pages(self, api: Api, window: Window) -> Iterator[Page]:
        """Stretches of at most a day: what a search finds there, each read whole; a page is one conversation or ticket."""
        app = decode(api.get("/me"), _ME).app.id_code
        link = f"https://app.intercom.com/a/inbox/{app}/inbox/conversation/" if app else ""
        for part in parts_of(self.kinds, window):
            start = part.since
            while start < window.end:
                end = min(start + LONGEST, window.end)
                for stub, where in self._changed(api, part.name, start, end):
                    answer = api.get(f"/{part.name}/{stub.id}", {"display_as": "plaintext"}, accept=frozenset((404,)))
                    if answer.status != 404:  # gone since it was listed: the reconciliation tells
                        yield Page([_Bundle(part.name, link, decode(answer, _RECORD))], f"{where} {stub.id}")
                yield Page([], part.name, *part.reached(end))
                start = end

    def events(self, page: Page) -> Iterator[Told]:
        """What happened in each, and whether all its parts were there."""
        return told(page, self._told, lambda bundle: bundle.kind)

    def _told(self, bundle: _Bundle) -> list[Told]:
        story = _Story(self, bundle)
        return [] if story.preview else story.told()

    def lacking(self, api: Api) -> Iterator[str]:
        """Searches that the app may not make, and a workspace in which Fin has not spoken yet."""
        for kind in self.kinds:
            answer = api.post(f"/{kind}/search", _asked([_filter("updated_at", ">", 0)], None, 1), label="one", accept=frozenset((401, 403)))
            if answer.status != 200:
                yield f"{kind} cannot be searched ({answer.status}): give the app the permission to read {kind}"
            elif kind == CONVERSATIONS:
                asked = _asked([_filter("ai_agent_participated", "=", True)], None, 1)
                fin = api.post(f"/{kind}/search", asked, label="of Fin", accept=frozenset((400,)))
                if fin.status != 200 or not decode(fin, _FOUND).total_count:
                    yield "there is no conversation with Fin: where another agent works, name its teammate in agents; else switch Fin on"

    def reconcile(self, api: Api, roll: Roll) -> Iterator[Page]:
        """Look every known conversation up by id: a deleted one is in no search."""
        for kind in self.kinds:
            prefix = _prefix(kind)
            for batch in batches((living for living in roll() if living[0].startswith("ticket/") == (kind == TICKETS)), READ):
                ids = [case_id.removeprefix(prefix) for case_id, _ in batch]
                present: set[str] = set()
                where = kind
                for stubs, answer in _search(api, kind, [_filter("id", "IN", ids)], f"of {len(ids)} from {ids[0]}"):
                    present.update(prefix + stub.id for stub in stubs)
                    where = answer.where
                yield Page(self.gone(batch, present), where)

    def _changed(self, api: Api, kind: str, start: Instant, end: Instant) -> Iterator[tuple[_Stub, str]]:
        """What changed in [start, end), by whole seconds, each once; `>` may or may not mean at or after."""
        first, last = start // SECOND, -(-end // SECOND)
        seen: dict[str, int] = {}
        found: list[tuple[_Stub, str]] = []
        for stubs, answer in _search(api, kind, [_filter("updated_at", ">", first - 1), _filter("updated_at", "<", last)], f"from {first}"):
            for stub in stubs:
                if stub.updated_at >= first and seen.get(stub.id) != stub.updated_at:
                    seen[stub.id] = stub.updated_at
                    found.append((stub, answer.where))
        return iter(sorted(found, key=lambda one: (one[0].updated_at, one[0].id)))


class _Story(Story):
    """One conversation's events."""

    def __init__(self, source: Intercom, bundle: _Bundle) -> None:
        self.fields, self.record = source.fields, bundle.record
        number = str(self.record["id"])
        super().__init__(source.name, _prefix(bundle.kind) + number, {"url": f"{bundle.link}{number}"} if bundle.link else {})
        self.is_ticket = bundle.kind == TICKETS
        listed = self.record.get(PARTS[bundle.kind]) or {}
        self.parts = sorted(listed.get(PARTS[bundle.kind]) or (), key=lambda part: (part["created_at"], str(part["id"]).zfill(20)))
        statistics = self.record.get("statistics") or {}
        told = max(int(listed.get("total_count") or 0), int(statistics.get("count_conversation_parts") or 0))
        self.whole = told <= len(self.parts)
        self.fin: dict[str, Any] = self.record.get(FIN) or {}
        self.preview = self.fin.get("source_type") in PREVIEWS
        self.values: dict[str, str | None] = {"status": "submitted" if self.is_ticket else "open"}
        self.initial: dict[str, str | None] = {}
        self.agent: str | None = None

    def events(self) -> list[Event]:
        """All of it."""
        record, began = self.record, self.record.get("source") or {}
        told = [event for part in self.parts for event in self._part(part)]
        told += self._of_fin()
        told += self._rating("rating", record.get("conversation_rating") or {})
        known = {name: text_value((record.get("custom_attributes") or record.get("ticket_attributes") or {}).get(field)) for field, name in self.fields.items()}
        known |= {"channel": text_value(began.get("type")), "type": "ticket" if self.is_ticket else "conversation"}
        known |= {"ticket_type": text_value((record.get("ticket_type") or {}).get("id"))}
        known |= self.initial
        who, _ = _who(began.get("author"))
        made = self.made(_at(record["created_at"]), who, sorted(known.items()), {"via": []}, revision=int(record.get("updated_at") or 0))
        return [*made, *told]

    def _part(self, part: dict[str, Any]) -> Iterator[Event]:
        kind, at, number = str(part["part_type"]), _at(part["created_at"]), f"part/{str(part['id']).zfill(20)}"
        who, via = _who(part.get("author"))
        if who[0] is ActorKind.AGENT:
            self.agent = who[1]
        app = part.get("app_package_code")
        detail: dict[str, Any] = {"via": sorted({*via, str(app)}) if app else sorted(set(via))}
        after = STATES.get(kind) if not self.is_ticket else text_value(part.get("ticket_state"))
        if self.is_ticket and part.get("previous_ticket_state"):
            self.values["status"] = text_value(part["previous_ticket_state"])
        if after is not None and after != self.values["status"]:
            before, self.values["status"] = self.values["status"], after
            yield self.event(number, at, of_status(before, after, DONE), who, detail, change=("status", before, after))
        to = part.get("assigned_to")
        if isinstance(to, dict) and to.get("type") in ASSIGNED:
            attribute = ASSIGNED[str(to["type"])]
            value = text_value(to.get("id"))
            if value != self.values.get(attribute):
                yield self.event(f"{number}/{attribute}", at, Activity.CHANGED, who, detail, change=(attribute, self.values.get(attribute), value))
                self.values[attribute] = value
        about = part.get("event_details") or {}
        if kind.startswith(UPDATED):
            yield self._updated(number, at, who, detail, about)
        elif kind == "custom_action_finished":
            action = str((about.get("action") or {}).get("name") or "custom action")
            yield self.event(number, at, Activity.EXECUTED, who, {**detail, "action": action})
        elif kind in ("comment", "note", "quick_reply", *STATES) and part.get("body") and not part.get("redacted"):
            words = said(without_markup(str(part["body"])), public=kind != "note")
            yield self.event(f"{number}/said", at, Activity.COMMENTED, who, {**detail, **words}, revision=_edited(part))

    def _updated(self, number: str, at: Instant, who: Who, detail: dict[str, Any], about: dict[str, Any]) -> Event:
        """An attribute's new value; what a workflow set does not say what was there before."""
        name = str(about["attribute"]["name"])
        attribute = self.fields.get(name)
        if attribute is None:
            return self.event(number, at, Activity.CHANGED, who, detail, change=(f"custom:{name}", None, None))
        value = about.get("value") or {}
        before = text_value(value["previous"]) if "previous" in value else self.values.get(attribute)
        self.initial.setdefault(attribute, before)
        self.values[attribute] = text_value(value.get("name"))
        return self.event(number, at, Activity.CHANGED, who, detail, change=(attribute, before, self.values[attribute]))

    def _of_fin(self) -> Iterator[Event]:
        """How Fin left the conversation, as it stands: it has no history, so a later reading replaces it."""
        state, stamp = self.fin.get("resolution_state"), self.fin.get("updated_at") or self.fin.get("created_at")
        if state and stamp:
            detail: dict[str, Any] = {"via": [FIN]}
            agent = (ActorKind.AGENT, self.agent or "fin")
            if state in HANDED_OVER:
                yield self.event("fin", _at(stamp), Activity.ESCALATED, agent, {**detail, "reason": str(state)}, revision=int(stamp))
            elif state == "negative_feedback":
                yield self.event("fin", _at(stamp), Activity.RATED, (ActorKind.CUSTOMER, None), {**detail, "score": "bad"}, revision=int(stamp))
            else:
                change = ("ai_resolution", None, str(state))
                yield self.event("fin", _at(stamp), Activity.CHANGED, NOBODY, detail, change=change, revision=int(stamp))
        yield from self._rating("fin/rating", {**self.fin, "created_at": stamp})

    def _rating(self, number: str, rated: dict[str, Any]) -> Iterator[Event]:
        """One to five; three is neither good nor bad."""
        stars, stamp = rated.get("rating"), rated.get("created_at")
        if isinstance(stars, int) and stars != 3 and stamp:
            detail: dict[str, Any] = {"via": [], "score": "good" if stars > 3 else "bad"}
            yield self.event(number, _at(stamp), Activity.RATED, (ActorKind.CUSTOMER, None), detail, revision=int(stamp))


def _search(api: Api, kind: str, filters: list[dict[str, Any]], label: str) -> Iterator[tuple[list[_Stub], Answer]]:
    """Every page of a search; only a missing `next` ends it."""
    ask: Ask = lambda token: api.post(f"/{kind}/search", _asked(filters, token, AT_ONCE), label=f"{label}, page {token or 1}"[:60])  # noqa: E731
    seen = 0
    for page, answer in followed(ask, _FOUND, records=lambda page: page.stubs, following=lambda page, _: page.following):
        seen += len(page.stubs)
        yield page.stubs, answer
        if not page.following:
            whole(seen, page.total_count, answer.where)


def _asked(filters: list[dict[str, Any]], token: str | None, size: int) -> dict[str, Any]:
    pagination = {"per_page": size, **({"starting_after": token} if token else {})}
    return {"query": {"operator": "AND", "value": filters}, "pagination": pagination, "sort": {"field": "updated_at", "order": "ascending"}}


def _filter(field: str, operator: str, value: Any) -> dict[str, Any]:
    return {"field": field, "operator": operator, "value": value}


def _prefix(kind: str) -> str:
    return "ticket/" if kind == TICKETS else ""


def _at(seconds: Any) -> Instant:
    """Intercom counts seconds."""
    return int(seconds) * SECOND


def _edited(part: dict[str, Any]) -> int:
    updated = part.get("updated_at")
    return int(updated) if updated and updated != part["created_at"] else 0


def _who(author: Any) -> tuple[Who, list[str]]:
    """Contacts are customers, teammates are operators; of bots, Fin says that it is the agent, all others are the system."""
    if not isinstance(author, dict):
        return NOBODY, []
    name = text_value(author.get("id"))
    if author.get("from_ai_agent"):
        return (ActorKind.AGENT, name), [FIN, *(["ai_answer"] if author.get("is_ai_answer") else [])]
    kind = author.get("type")
    if kind in CUSTOMERS:
        return (ActorKind.CUSTOMER, name), []
    return (ActorKind.OPERATOR if kind == "admin" else ActorKind.SYSTEM, name), []
