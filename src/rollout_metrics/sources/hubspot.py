"""HubSpot CRM: the property history of deals, leads, contacts and tickets as their audit trail."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import Any, ClassVar, Literal

import msgspec
from msgspec.structs import replace
from pydantic import Field, SecretStr

from rollout_metrics.collect.http import Api, Endpoint, bearer
from rollout_metrics.collect.limits import Budget
from rollout_metrics.collect.names import together
from rollout_metrics.collect.source import Coverage, HttpSource, Named, Page, Refused, Rejected, Told, Window, why
from rollout_metrics.collect.story import MILLISECOND
from rollout_metrics.domain.errors import CredentialsError
from rollout_metrics.domain.events import Event
from rollout_metrics.domain.time import DAY, MINUTE, Span, parse_instant
from rollout_metrics.sources._hubspot_engagements import SURVEYS, EngagementBody, engagement_events, engagements, linked_of
from rollout_metrics.sources._hubspot_history import MERGED, Account, History
from rollout_metrics.sources._hubspot_pages import (
    READ,
    RECORD,
    Archived,
    Body,
    Kept,
    Record,
    archived,
    batch,
    changed,
    closing_stages,
    lost_id,
    own_properties,
    owner_users,
    payload_of,
    stage_names,
)
from rollout_metrics.sources._hubspot_threads import CONVERSATIONS, REFUSED, SCOPE, THREADS, TalkBody, refused, talk_events, talk_of, talks

PROPERTIES: Mapping[str, tuple[str, ...]] = {
    "contacts": ("hs_lead_status", "hubspot_owner_id", "hubspot_team_id", "lifecyclestage"),
    "deals": ("amount", "closed_lost_reason", "closedate", "dealstage", "dealtype", "hs_priority", "hubspot_owner_id", "hubspot_team_id", "pipeline"),
    "leads": ("hs_lead_label", "hs_lead_type", "hs_pipeline", "hs_pipeline_stage", "hubspot_owner_id", "hubspot_team_id"),
    "tickets": (
        *("hs_pipeline", "hs_pipeline_stage", "hs_resolution", "hs_ticket_category", "hs_ticket_priority"),
        *("hubspot_owner_id", "hubspot_team_id", "source_type"),
    ),
}
OWNERS = "owners"
SCOPES: Mapping[str, str] = {
    "calls": "crm.objects.contacts.read",
    "contacts": "crm.objects.contacts.read",
    CONVERSATIONS: SCOPE,
    "deals": "crm.objects.deals.read",
    "emails": "sales-email-read",
    "feedback_submissions": "crm.objects.feedback_submissions.read",
    "leads": "crm.objects.leads.read",
    "notes": "crm.objects.contacts.read",
    OWNERS: "crm.objects.owners.read",
    "tickets": "tickets",
}
"""The scope that reading needs, by object type."""
PATHS: Mapping[str, str] = {CONVERSATIONS: THREADS, OWNERS: "/crm/v3/owners"}
"""Where one asks for what is no object type."""
WITHOUT_PIPELINES = frozenset(("contacts",))
PEOPLE = frozenset(("CRM_UI", "CRM_UI_BULK_ACTION", "CONTACTS_WEB", "CONVERSATIONS", "EXTENSION", "MOBILE_ANDROID", "MOBILE_IOS", "SALES"))
"""Kinds of change that a user makes by hand; the list is open, `human_sources` replaces it."""
WISHES: Mapping[str, float] = {"DAILY": 3600.0, "TEN_SECONDLY_ROLLING": 10.0, "SECONDLY": 1.0}
"""Seconds to wait by the name of the limit that was hit; the day ends at midnight in a time zone we do not know, so we ask again every hour."""


class _Refusal(msgspec.Struct, rename="camel"):
    policy_name: str | None = None


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
    assignee: Literal["owner", "user"] = "owner"
    """What `assignee` holds: HubSpot's ids of owners, or those of the users that they are, as actors have them; that needs the scope of owners."""
    conversations: bool = False
    """Read conversations of inboxes and help desk, too."""
    engagements: tuple[Literal["calls", "emails", "notes"], ...] = ()
    """Which of notes, emails and calls to read for the object types above."""
    surveys: bool = False
    """Read answers to surveys about the object types above, as ratings."""
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

    @property
    def parts(self) -> tuple[str, ...]:
        """What is read, one after the other."""
        return (*self.objects, *((CONVERSATIONS,) if self.conversations else ()), *self._beside)

    @property
    def _beside(self) -> tuple[str, ...]:
        return (*self.engagements, *((SURVEYS,) if self.surveys else ()))

    def pages(self, api: Api, window: Window) -> Iterator[Page]:
        """Per part: what changed, read back by id. The last part's progress is the window's."""
        cursor = window.cursor or {}
        resumed = self.parts.index(cursor["object"]) if cursor.get("object") in self.parts else 0
        owners = owner_users(api) if self.assignee == "user" else None
        for number, part in enumerate(self.parts[resumed:], resumed):
            since = cursor["since"] if number == resumed and "since" in cursor else window.start // MILLISECOND
            for body, where, reached in self._part(api, part, since, (window, owners)):
                read_up_to = None if part != self.parts[-1] else min(reached * MILLISECOND, window.end)
                yield Page(body, where, read_up_to, {"object": part, "since": reached})

    def events(self, page: Page) -> Iterator[Told]:
        """Each entry of each property's history, a `created` per record, and what ended records; what was said and done beside them."""
        if isinstance(page.body, Refused):
            return iter((page.body,))
        if isinstance(page.body, TalkBody):
            return talk_events(self._account(), page.body, page.where)
        if isinstance(page.body, EngagementBody):
            return engagement_events(self._account(), page.body, page.where)
        return self._history(page, page.body)

    def _history(self, page: Page, body: Body) -> Iterator[Event | Rejected | Coverage]:
        account = self._account()
        yield from body.rejected
        for gone in body.archived:
            yield from self._safely(page, body, gone, partial(account.deleted, body.object, gone))
        answered: set[str] = set()
        for record in body.records:
            answered.add(record.id)
            history = History(account, body, record)
            answered |= history.absorbed_ids
            yield from self._safely(page, body, record, history.events)
            yield Coverage("history", len(history.entries) - history.cut, len(history.entries))
        survivors = [record for record in body.records if record.id not in body.asked]
        for lost in (number for number in body.asked if number not in answered and not any(lost_id(one) == number for one in body.rejected)):
            if survivors:  # read back under another id: merged between search and reading
                yield History(account, body, survivors[0]).absorbed(lost, parse_instant(survivors[0].updated_at or survivors[0].created_at), None)
            else:
                yield Rejected("missing", f"{page.where} {body.object}/{lost}", "asked for but neither sent nor refused", payload_of(body.object, lost))

    def page_of(self, payload: bytes, where: str) -> Page:
        """A page of one record as it was kept; what was refused to us stays so."""
        told: dict[str, Any] = msgspec.json.decode(payload)
        if "thread" in told:
            return Page(talk_of(payload, where, tickets="tickets" in self.objects), where)
        if "engagement" in told:
            return Page(linked_of(payload), where)
        kept = msgspec.json.decode(payload, type=Kept)
        body = Body(kept.object, frozenset(kept.closing), owners=kept.owners)
        try:
            return Page(replace(body, records=(RECORD.decode(kept.record),)), where)
        except msgspec.ValidationError as error:
            return Page(replace(body, rejected=(Rejected("malformed", where, str(error), payload),)), where)

    def lacking(self, api: Api) -> Iterator[str]:
        """What is wanted and the token may not read."""
        wanted = (*self.objects, *self._beside, *((CONVERSATIONS,) if self.conversations else ()), *((OWNERS,) if self.assignee == "user" else ()))
        for part in wanted:
            if (refusal := self._refusal(api, part)) is not None:
                yield refusal.message

    def _refusal(self, api: Api, part: str) -> Refused | None:
        """What is said to one who asks for one of a part, where that is a refusal."""
        path = PATHS.get(part, f"/crm/v3/objects/{part}")
        return refused(api.get(path, {"limit": 1}, accept=REFUSED), part, SCOPES.get(part, part))

    def names(self, api: Api) -> Iterator[Named]:
        """Labels of pipelines, stages and of the account's own properties, followed or not."""
        return together({kind: list(self._names_of(api, kind)) for kind in self.objects})

    def _names_of(self, api: Api, kind: str) -> Iterator[Named]:
        account = self._account()
        if kind not in WITHOUT_PIPELINES:
            yield from stage_names(api, kind)
        yield from (Named(account.attribute(name), None, label) for name, label in own_properties(api, kind))

    def _part(self, api: Api, part: str, since: int, about: tuple[Window, dict[str, str] | None]) -> Iterator[tuple[Any, str, int]]:
        """The pages of a part from a millisecond on, each with where it came from and up to when all have been given."""
        window, owners = about
        if part == CONVERSATIONS:
            yield from talks(api, since, window.end // MILLISECOND, tickets="tickets" in self.objects)
            return
        body = Body(part, self._closing(api, part), owners=owners) if part in self.objects else None
        if body is not None and self.deletions and window.start // DAY != window.end // DAY:
            for gone, rejected, where in archived(api, part):
                yield replace(body, archived=tuple(gone), rejected=tuple(rejected)), where, since
        try:
            for ids, rejected, reached in changed(api, part, since, window.end // MILLISECOND):
                if rejected:
                    yield Body(part, rejected=tuple(rejected)), part, since
                for start in range(0, len(ids), READ):
                    chunk = ids[start : start + READ]
                    read, where = self._read(api, body, chunk) if body is not None else engagements(api, part, chunk, self.objects)
                    since = reached if start + READ >= len(ids) else since
                    yield read, where, since
        except CredentialsError:  # a token that is not known any more is refused here, too: then nothing has been read
            refusal = None if body is not None else self._refusal(api, part)
            if refusal is None:
                raise
            yield refusal, part, since  # what cases are is read all the same

    def _safely(self, page: Page, body: Body, one: Record | Archived, translate: Callable[[], list[Event]]) -> Iterable[Event | Rejected]:
        try:
            return translate()
        except (KeyError, TypeError, ValueError) as error:
            return [Rejected("malformed", f"{page.where} {body.object}/{one.id}", why(error), body.kept(msgspec.json.encode(one)))]

    def _closing(self, api: Api, kind: str) -> frozenset[str]:
        if kind in WITHOUT_PIPELINES:
            return self.closing_stages
        return self.closing_stages | closing_stages(api, kind)

    def _read(self, api: Api, body: Body, ids: list[str]) -> tuple[Body, str]:
        kind = body.object
        followed = sorted({*PROPERTIES.get(kind, ()), *self.properties.get(kind, ()), MERGED})
        asked = {"inputs": [{"id": number} for number in ids], "properties": ["hs_object_id"], "propertiesWithHistory": followed}
        answer = api.post(f"/crm/v3/objects/{kind}/batch/read", asked, label=f"of {len(ids)} from {ids[0]}")
        records, failures, rejected = batch(answer, body)
        for failure in failures:
            for number in (failure.context or {}).get("ids", ()):
                reason = "not_found" if failure.category == "OBJECT_NOT_FOUND" else "refused"
                message = f"{failure.category}: {failure.message}"[:200]
                rejected.append(Rejected(reason, f"{answer.where} {kind}/{number}", message, payload_of(kind, number)))
        return replace(body, asked=tuple(ids), records=tuple(records), rejected=tuple(rejected)), answer.where

    def _account(self) -> Account:
        return Account(self.name, self.portal_id, self.attributes, self.human_sources, self.history_cap, self.contact_history_cap)


def _wish(body: bytes) -> float | None:
    try:
        return WISHES.get(msgspec.json.decode(body, type=_Refusal).policy_name or "")
    except msgspec.DecodeError:
        return None
