"""HubSpot CRM: the property history of deals, leads, contacts and tickets as their audit trail."""

from collections.abc import Iterator, Mapping
from hashlib import blake2b
from typing import Any, ClassVar

import msgspec
from pydantic import Field, SecretStr

from rollout_metrics.collect.http import Answer, Api, Endpoint, ShapeError, bearer, decode
from rollout_metrics.collect.limits import Budget
from rollout_metrics.collect.paging import tokens
from rollout_metrics.collect.source import Coverage, HttpSource, Page, Rejected, Window, why
from rollout_metrics.domain.errors import PayloadError
from rollout_metrics.domain.events import Activity, ActorKind, Event, text_value
from rollout_metrics.domain.time import DAY, MINUTE, SECOND, Instant, Span, parse_instant

MILLISECOND: Span = 1000
FOUND = 200
"""Records a search page holds at most."""
READ = 50
"""Records read at once with their history."""
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
PROPERTIES: Mapping[str, tuple[str, ...]] = {
    "contacts": ("hs_lead_status", "hubspot_owner_id", "hubspot_team_id", "lifecyclestage"),
    "deals": ("amount", "closed_lost_reason", "closedate", "dealstage", "dealtype", "hs_priority", "hubspot_owner_id", "hubspot_team_id", "pipeline"),
    "leads": ("hs_lead_label", "hs_lead_type", "hs_pipeline", "hs_pipeline_stage", "hubspot_owner_id", "hubspot_team_id"),
    "tickets": (
        *("hs_pipeline", "hs_pipeline_stage", "hs_resolution", "hs_ticket_category", "hs_ticket_priority"),
        *("hubspot_owner_id", "hubspot_team_id", "source_type"),
    ),
}
STAGES = frozenset(("dealstage", "hs_pipeline_stage"))
WITHOUT_PIPELINES = frozenset(("contacts",))
TYPE_IDS: Mapping[str, str] = {"contacts": "0-1", "deals": "0-3", "tickets": "0-5", "leads": "0-136"}
MERGED = "hs_merged_object_ids"
PEOPLE = frozenset(("CRM_UI", "CRM_UI_BULK_ACTION", "CONTACTS_WEB", "CONVERSATIONS", "EXTENSION", "MOBILE_ANDROID", "MOBILE_IOS", "SALES"))
"""Kinds of change that a user makes by hand; the list is open, `human_sources` replaces it."""
VISITORS = frozenset(("FORM", "FORMS"))
APPS = frozenset(("API", "INTEGRATION"))
WISHES: Mapping[str, float] = {"DAILY": 3600.0, "TEN_SECONDLY_ROLLING": 10.0, "SECONDLY": 1.0}
"""Seconds to wait by the name of the limit that was hit; the day ends at midnight in a time zone we do not know, so we ask again every hour."""


class _Entry(msgspec.Struct, rename="camel", gc=False):
    timestamp: str
    value: Any = None
    source_type: str | None = None
    source_id: str | None = None
    source_label: str | None = None
    updated_by_user_id: int | None = None


class _Record(msgspec.Struct, rename="camel", gc=False):
    id: str
    created_at: str
    updated_at: str | None = None
    properties_with_history: dict[str, list[_Entry]] = {}


class _Archived(msgspec.Struct, rename="camel", gc=False):
    id: str
    archived_at: str


class _Failure(msgspec.Struct):
    category: str | None = None
    message: str | None = None
    context: dict[str, list[str]] | None = None


class _Batch(msgspec.Struct):
    results: list[_Record]
    errors: list[_Failure] = []


class _RawBatch(msgspec.Struct):
    results: list[msgspec.Raw]
    errors: list[_Failure] = []


class _Hit(msgspec.Struct, gc=False):
    id: str
    properties: dict[str, str | None]


class _Found(msgspec.Struct):
    total: int
    results: list[_Hit]


class _After(msgspec.Struct):
    after: str


class _Paging(msgspec.Struct):
    next: _After | None = None


class _ArchivedList(msgspec.Struct):
    results: list[_Archived]
    paging: _Paging | None = None


class _Stage(msgspec.Struct):
    id: str
    metadata: dict[str, Any] = {}


class _Pipeline(msgspec.Struct):
    stages: list[_Stage]


class _Pipelines(msgspec.Struct):
    results: list[_Pipeline]


class _Refusal(msgspec.Struct, rename="camel"):
    policy_name: str | None = None


class Body(msgspec.Struct, frozen=True):
    """Records of one object type with their history, or archived ones; `closing`: the stages that close."""

    object: str
    closing: frozenset[str] = frozenset()
    asked: tuple[str, ...] = ()
    records: tuple[_Record, ...] = ()
    rejected: tuple[Rejected, ...] = ()
    archived: tuple[_Archived, ...] = ()


_BATCH = msgspec.json.Decoder(_Batch)
_RAW_BATCH = msgspec.json.Decoder(_RawBatch)
_RECORD = msgspec.json.Decoder(_Record)
_FOUND = msgspec.json.Decoder(_Found)
_ARCHIVED = msgspec.json.Decoder(_ArchivedList)
_PIPELINES = msgspec.json.Decoder(_Pipelines)


class Kept(msgspec.Struct, frozen=True, omit_defaults=True):
    """What of a rejected record is kept for another try."""

    object: str
    closing: tuple[str, ...]
    record: msgspec.Raw


class Hubspot(HttpSource):
    """HubSpot CRM. The token is a private app's, with the read scopes of the object types wanted."""

    kind: ClassVar[str] = "hubspot"
    hold_back: ClassVar[Span] = MINUTE

    base_url: str = Field(default="https://api.hubapi.com", pattern=r"^https?://[^?#]+$")
    """The API's address."""
    token: SecretStr
    """A private app's access token, or an OAuth token."""
    objects: tuple[str, ...] = Field(default=("deals", "tickets"), min_length=1)
    """Object types to read: deals, leads, contacts, tickets, or a custom object's name."""
    properties: Mapping[str, tuple[str, ...]] = {}
    """Object type -> further properties to follow."""
    attributes: Mapping[str, str] = {}
    """Property -> attribute name, where ours or `custom:<property>` will not do."""
    closing_stages: frozenset[str] = frozenset()
    """Stage ids that close a case besides those that HubSpot says do (it no longer tells about archived stages)."""
    human_sources: frozenset[str] = PEOPLE
    """Kinds of change (`sourceType`) that users make by hand."""
    history_cap: int = Field(default=20, gt=1)
    """Versions of a property HubSpot keeps; a longer history has lost its beginning."""
    contact_history_cap: int = Field(default=45, gt=1)
    """The same for contacts."""
    requests_per_ten_seconds: int = Field(default=100, gt=0)
    """Requests allowed in ten seconds: 100 for Free and Starter accounts, 190 for Professional and Enterprise, 250 with the increase."""
    searches_per_second: int = Field(default=4, gt=0)
    """Searches allowed a second; HubSpot allows 5 for all integrations together."""
    deletions: bool = True
    """Read the list of archived records, once a day."""
    portal_id: int | None = None
    """The account's number, for links into HubSpot."""

    def endpoint(self) -> Endpoint:
        """A bearer token; searches have a budget of their own."""
        options = self.connection()
        options["budgets"] += (Budget(self.requests_per_ten_seconds, 10), Budget(self.searches_per_second, 1, "/search"))
        return Endpoint(base_url=self.base_url, authorization=bearer(self.token), wish=_wish, **options)

    def pages(self, api: Api, window: Window) -> Iterator[Page]:
        """Per object type: search what changed, then read it back by id with its history. The last type's progress is the window's."""
        cursor = window.cursor or {}
        resumed = self.objects.index(cursor["object"]) if cursor.get("object") in self.objects else 0
        for number, kind in enumerate(self.objects[resumed:], resumed):
            since = cursor["since"] if number == resumed and "since" in cursor else window.start // MILLISECOND
            closing = self._closing(api, kind)
            if self.deletions and window.start // DAY != window.end // DAY:
                for archived, answer in _archived(api, kind):
                    yield Page(Body(kind, archived=tuple(archived.results)), answer.where, cursor={"object": kind, "since": since})
            for ids, reached in _changed(api, kind, since, window.end // MILLISECOND):
                chunks = [ids[start : start + READ] for start in range(0, len(ids), READ)]
                for chunk in chunks:
                    page = self._read(api, kind, chunk, closing)
                    since = reached if chunk is chunks[-1] else since
                    read_up_to = since * MILLISECOND if kind == self.objects[-1] else None
                    yield Page(page.body, page.where, read_up_to, {"object": kind, "since": since})

    def events(self, page: Page) -> Iterator[Event | Rejected | Coverage]:
        """Each entry of each property's history, a `created` per record, and what ended records."""
        body: Body = page.body
        yield from body.rejected
        for gone in body.archived:
            yield from self._safely(page, body, gone.id, msgspec.json.encode(gone), lambda gone=gone: [self._deleted(body.object, gone)])
        answered: set[str] = set()
        for record in body.records:
            answered.add(record.id)
            history = _History(self, body, record)
            answered |= history.absorbed_ids
            yield from self._safely(page, body, record.id, msgspec.json.encode(record), history.events)
            yield Coverage("history", len(history.entries) - history.cut, len(history.entries))
        survivors = [record for record in body.records if record.id not in body.asked]
        for lost in (number for number in body.asked if number not in answered and not any(lost_id(one) == number for one in body.rejected)):
            if survivors:  # read back under another id: merged between search and reading
                yield _History(self, body, survivors[0]).absorbed(lost, parse_instant(survivors[0].updated_at or survivors[0].created_at), None)
            else:
                yield Rejected("missing", f"{page.where} {body.object}/{lost}", "asked for but neither sent nor refused", _payload(body.object, lost))

    def page_of(self, payload: bytes, where: str) -> Page:
        """A page of one record as it was kept; what was refused to us stays so."""
        kept = msgspec.json.decode(payload, type=Kept)
        closing = frozenset(kept.closing)
        try:
            return Page(Body(kept.object, closing, (), (_RECORD.decode(kept.record),)), where)
        except msgspec.ValidationError as error:
            return Page(Body(kept.object, closing, (), (), (Rejected("malformed", where, str(error), payload),)), where)

    def _safely(self, page: Page, body: Body, number: str, raw: bytes, translate: Any) -> Iterator[Event | Rejected]:
        try:
            yield from translate()
        except (KeyError, TypeError, ValueError) as error:
            kept = Kept(body.object, tuple(sorted(body.closing)), msgspec.Raw(raw))
            yield Rejected("malformed", f"{page.where} {body.object}/{number}", why(error), msgspec.json.encode(kept))

    def _closing(self, api: Api, kind: str) -> frozenset[str]:
        if kind in WITHOUT_PIPELINES:
            return self.closing_stages
        pipelines = decode(api.get(f"/crm/v3/pipelines/{kind}"), _PIPELINES)
        return self.closing_stages | {stage.id for pipeline in pipelines.results for stage in pipeline.stages if _closes(stage)}

    def _read(self, api: Api, kind: str, ids: list[str], closing: frozenset[str]) -> Page:
        followed = sorted({*PROPERTIES.get(kind, ()), *self.properties.get(kind, ()), MERGED})
        asked = {"inputs": [{"id": number} for number in ids], "properties": ["hs_object_id"], "propertiesWithHistory": followed}
        answer = api.post(f"/crm/v3/objects/{kind}/batch/read", asked, label=f"of {len(ids)} from {ids[0]}")
        records, failures, rejected = _batch(answer, kind, closing)
        for failure in failures:
            for number in (failure.context or {}).get("ids", ()):
                reason = "not_found" if failure.category == "OBJECT_NOT_FOUND" else "refused"
                message = f"{failure.category}: {failure.message}"[:200]
                rejected.append(Rejected(reason, f"{answer.where} {kind}/{number}", message, _payload(kind, number)))
        return Page(Body(kind, closing, tuple(ids), tuple(records), tuple(rejected)), answer.where)

    def _deleted(self, kind: str, gone: _Archived) -> Event:
        at = parse_instant(gone.archived_at)
        case_id = f"{kind}/{gone.id}"
        facts = self.link(kind, gone.id)
        return Event(self.name, self.name, case_id, f"{case_id}/deleted/{at // 1000:020d}", at, Activity.DELETED, ActorKind.SYSTEM, detail=facts)

    def link(self, kind: str, number: str) -> dict[str, Any]:
        """`{"url": …}` of a record, where the account is known."""
        if self.portal_id is None:
            return {}
        return {"url": f"https://app.hubspot.com/contacts/{self.portal_id}/record/{TYPE_IDS.get(kind, kind)}/{number}"}


class _History:
    """One record's property histories, in order of time, and the events they are."""

    def __init__(self, source: Hubspot, body: Body, record: _Record) -> None:
        self.source, self.body, self.record = source, body, record
        self.case_id = f"{body.object}/{record.id}"
        self.link = source.link(body.object, record.id)
        self.cap = source.contact_history_cap if body.object == "contacts" else source.history_cap
        self.entries = {name: entries for name, entries in record.properties_with_history.items() if name != MERGED}
        self.cut = 0
        """Histories that have lost their beginning; known once `events` were asked for."""
        merges = record.properties_with_history.get(MERGED, [])
        self.absorbed_ids = {number for entry in merges for number in _ids(entry.value)}

    def events(self) -> list[Event]:
        """Everything that happened to the record."""
        made_at = parse_instant(self.record.created_at)
        initial: dict[str, str] = {}
        maker: _Entry | None = None
        events: list[Event] = []
        for name in sorted(self.entries):
            attribute = self._attribute(name)
            before: str | None = None
            for position, (at, entry) in enumerate(_in_order(self.entries[name])):
                after = text_value(entry.value)
                since_creation = at <= made_at + AT_CREATION
                if position == 0 and len(self.entries[name]) >= self.cap and not since_creation:
                    self.cut += 1  # what was there before it is lost: it only says what the next one changes
                elif position == 0 and since_creation:
                    if after is not None:
                        initial[attribute] = after
                    maker = maker or entry
                elif after != before:
                    events.append(self._change(name, at, entry, (before, after)))
                before = after
        events.append(self._created(made_at, maker, initial))
        if initial.get("status") in self.body.closing:  # made and closed in one go
            kind, actor, via = self._actor(maker)
            where = (self.source.name, self.source.name, self.case_id, f"{self.case_id}/closed", made_at)
            events.append(Event(*where, Activity.CLOSED, kind, actor, "status", None, initial["status"], {**self.link, "via": via}))
        events.extend(self._merges())
        return events

    def _created(self, at: Instant, maker: _Entry | None, initial: dict[str, str]) -> Event:
        kind, actor, via = self._actor(maker)
        name = self.source.name
        detail = {**self.link, "via": via, "attributes": initial}
        # a reading whose history still reaches back to the beginning knows more: it holds
        return Event(name, name, self.case_id, f"{self.case_id}/created", at, Activity.CREATED, kind, actor, None, None, None, detail, len(initial))

    def _attribute(self, name: str) -> str:
        return self.source.attributes.get(name) or ATTRIBUTES.get(name) or f"custom:{name}"

    def _change(self, name: str, at: Instant, entry: _Entry, values: tuple[str | None, str | None]) -> Event:
        before, after = values
        activity = Activity.CHANGED
        closing = self.body.closing
        if name in STAGES and (before in closing) != (after in closing):
            activity = Activity.CLOSED if after in closing else Activity.REOPENED
        kind, actor, via = self._actor(entry)
        tail = blake2b(f"{after}\0{entry.source_id}".encode(), digest_size=6).hexdigest()
        event_id = f"{self.case_id}/{name}/{at // MILLISECOND:020d}/{tail}"
        source = self.source.name
        detail = {**self.link, "via": via}
        return Event(source, source, self.case_id, event_id, at, activity, kind, actor, self._attribute(name), before, after, detail)

    def _merges(self) -> Iterator[Event]:
        known: set[str] = set()
        for at, entry in _in_order(self.record.properties_with_history.get(MERGED, [])):
            for number in _ids(entry.value):
                if number not in known and number != self.record.id:
                    known.add(number)
                    yield self.absorbed(number, at, entry)

    def absorbed(self, number: str, at: Instant, entry: _Entry | None) -> Event:
        """The end of a record that was merged into this one; the merge's own entry, where there is one, dates it."""
        kind, actor, via = self._actor(entry)
        name, case_id = self.source.name, f"{self.body.object}/{number}"
        detail = {**self.source.link(self.body.object, number), "via": via}
        revision = 0 if entry is None else 1
        return Event(name, name, case_id, f"{case_id}/absorbed", at, Activity.ABSORBED, kind, actor, None, None, None, detail, revision)

    def _actor(self, entry: _Entry | None) -> tuple[ActorKind, str | None, list[str]]:
        """Who made an entry: users by hand; apps and automations by what they are; labels say through what."""
        if entry is None:
            return ActorKind.SYSTEM, None, []
        through = entry.source_type or ""
        app = f"app:{entry.source_id}" if through in APPS and entry.source_id else ""
        via = sorted({through, app, entry.source_label or ""} - {""})
        user = entry.updated_by_user_id
        number = str(user) if user is not None else (entry.source_id or "").removeprefix("userId:") if (entry.source_id or "").startswith("userId:") else None
        if through in self.source.human_sources and number:
            return ActorKind.OPERATOR, number, via
        if through in VISITORS:
            return ActorKind.CUSTOMER, None, via
        return ActorKind.SYSTEM, app or through.lower() or None, via


def _changed(api: Api, kind: str, since: int, end: int) -> Iterator[tuple[list[str], int]]:
    """The ids of records changed in [since, end) milliseconds, and up to when all have been given.

    The filter moves with each page instead of an offset: no query comes near the vendor's limit of 10,000, and records
    that change while we page cannot push others over a page's edge.
    """
    modified = "lastmodifieddate" if kind == "contacts" else "hs_lastmodifieddate"
    seen: set[str] = set()
    while since < end:
        filters = [_filter(modified, "GTE", since), _filter(modified, "LT", end)]
        found, where = _search(api, kind, filters, modified, f"changed since {since}")
        times = [_milliseconds(hit.properties[modified]) for hit in found.results]
        if times != sorted(times) or (times and times[0] < since):
            raise PayloadError(f"{where} is not in order of {modified}: the sort is being ignored")
        fresh = [hit.id for hit in found.results if hit.id not in seen]
        last = times[-1] if times else end
        if found.total <= len(found.results):
            if fresh:
                yield fresh, last
            return
        if last > since:
            yield fresh, last
            seen = {hit.id for hit, at in zip(found.results, times, strict=True) if at == last}
            since = last
        else:
            yield from _at_once(api, kind, modified, since)
            since, seen = since + 1, set()


def _at_once(api: Api, kind: str, modified: str, at: int) -> Iterator[tuple[list[str], int]]:
    """The ids of records that all changed in one millisecond (bulk imports), by ranges of ids."""
    last = 0
    while True:
        filters = [_filter(modified, "EQ", at), _filter("hs_object_id", "GT", last)]
        found, where = _search(api, kind, filters, "hs_object_id", f"changed at {at} after {last}")
        ids = [int(hit.id) for hit in found.results]
        if ids != sorted(ids) or (ids and ids[0] <= last):
            raise PayloadError(f"{where} repeats records: paging runs in a loop and would never end")
        if ids:
            yield [hit.id for hit in found.results], at
            last = ids[-1]
        if found.total <= len(ids):
            return


def _search(api: Api, kind: str, filters: list[dict[str, str]], sort: str, label: str) -> tuple[_Found, str]:
    body = {"filterGroups": [{"filters": filters}], "sorts": [sort], "properties": [filters[0]["propertyName"]], "limit": FOUND, "after": "0"}
    answer = api.post(f"/crm/v3/objects/{kind}/search", body, label=label)
    found = decode(answer, _FOUND)
    if found.total > len(found.results) and len(found.results) < FOUND:
        raise PayloadError(f"{answer.where} holds {len(found.results)} of {found.total} records: the page was cut short without saying so")
    return found, answer.where


def _filter(name: str, operator: str, value: int) -> dict[str, str]:
    return {"propertyName": name, "operator": operator, "value": str(value)}


def _archived(api: Api, kind: str) -> Iterator[tuple[_ArchivedList, Answer]]:
    params = {"archived": "true", "limit": 100, "properties": "hs_object_id"}

    def after(page: _ArchivedList) -> str | None:
        return page.paging.next.after if page.paging is not None and page.paging.next is not None else None

    return tokens(api, f"/crm/v3/objects/{kind}", params, _ARCHIVED, parameter="after", token=after, records=lambda page: page.results)


def _batch(answer: Answer, kind: str, closing: frozenset[str]) -> tuple[list[_Record], list[_Failure], list[Rejected]]:
    try:
        batch = decode(answer, _BATCH)
    except ShapeError:
        raw = decode(answer, _RAW_BATCH)
    else:
        return batch.results, batch.errors, []
    records: list[_Record] = []
    rejected: list[Rejected] = []
    for number, one in enumerate(raw.results):
        try:
            records.append(_RECORD.decode(one))
        except msgspec.ValidationError as error:
            payload = msgspec.json.encode(Kept(kind, tuple(sorted(closing)), one))
            rejected.append(Rejected("malformed", f"{answer.where} record {number}", str(error), payload))
    return records, raw.errors, rejected


def _in_order(entries: list[_Entry]) -> list[tuple[Instant, _Entry]]:
    """Entries oldest first; HubSpot sends the newest first."""
    return sorted(((parse_instant(entry.timestamp), entry) for entry in reversed(entries)), key=lambda pair: pair[0])


def _ids(value: Any) -> list[str]:
    return [number.strip() for number in str(value or "").split(";") if number.strip()]


def _closes(stage: _Stage) -> bool:
    closed, state = stage.metadata.get("isClosed"), stage.metadata.get("ticketState") or stage.metadata.get("leadState")
    return str(closed).lower() == "true" or str(state).upper() == "CLOSED"


def _milliseconds(text: str | None) -> int:
    return parse_instant(text or "") // MILLISECOND


def _payload(kind: str, number: str) -> bytes:
    return msgspec.json.encode(Kept(kind, (), msgspec.Raw(msgspec.json.encode({"id": number}))))


def lost_id(rejected: Rejected) -> str | None:
    """The id of a rejected record, where its payload has one."""
    try:
        return str(msgspec.json.decode(msgspec.json.decode(rejected.payload, type=Kept).record).get("id"))
    except (msgspec.DecodeError, AttributeError):
        return None


def _wish(body: bytes) -> float | None:
    try:
        return WISHES.get(msgspec.json.decode(body, type=_Refusal).policy_name or "")
    except msgspec.DecodeError:
        return None
