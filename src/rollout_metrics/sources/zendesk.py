"""Zendesk Support: the incremental stream of ticket events, with comments, as the audit trail of every ticket."""

from collections.abc import Iterator, Mapping
from typing import ClassVar, Literal, Self

from pydantic import Field, SecretStr, model_validator

from rollout_metrics.collect.http import Answer, Api, Endpoint, basic, bearer
from rollout_metrics.collect.limits import Budget
from rollout_metrics.collect.names import listing, named
from rollout_metrics.collect.paging import LoopGuard, next_links
from rollout_metrics.collect.source import HttpSource, Named, Page, Refused, Rejected, Told, Window, why
from rollout_metrics.domain.errors import PayloadError
from rollout_metrics.domain.time import MINUTE, SECOND, Instant, Span
from rollout_metrics.sources._zendesk_pages import USERS, as_it_came, more_users, read_stream
from rollout_metrics.sources._zendesk_side import PATH, REFUSED, SideBody, refused, side_body, side_events, side_pages
from rollout_metrics.sources._zendesk_updates import Body, Translator

TICKETS = "/agent/tickets/"
"""The address of tickets, beneath the help desk's."""
NAMED = (("group", "groups", "name"), ("form", "ticket_forms", "name"), ("brand", "brands", "name"), ("custom_status", "custom_statuses", "agent_label"))
"""Attribute, the listing of what its ids are called, and where a record says it."""


class Zendesk(HttpSource):
    """Zendesk Support. The token must be an administrator's: incremental exports are open to no one else."""

    kind: ClassVar[str] = "zendesk"
    hold_back: ClassVar[Span] = MINUTE

    subdomain: str | None = Field(default=None, pattern=r"^[a-z0-9][a-z0-9-]*$")
    """The `acme` of acme.zendesk.com."""
    base_url: str | None = Field(default=None, pattern=r"^https?://[^/?#]+$")
    """The address, instead of a subdomain."""
    email: str | None = None
    """The administrator an API token belongs to; without it the token is sent as an OAuth token."""
    token: SecretStr
    """The API token, or an OAuth token with the global scope `read`."""
    people: Literal["lookup", "configured"] = "lookup"
    """Who is staff: `lookup` asks Zendesk for its agents and administrators at each sweep; `configured` goes by `staff` alone. Everyone else is a customer."""
    staff: frozenset[int] = frozenset()
    """User ids of staff that Zendesk no longer knows as such (people who left become end users)."""
    fields: Mapping[str, str] = {}
    """Custom field id -> attribute name, instead of `custom:<id>`."""
    time_fields: frozenset[str] = frozenset()
    """Ids of custom fields that hold the total seconds worked on a ticket (Time Tracking app: "Total time spent (sec)")."""
    ai_agent_tickets: bool = True
    """Read the tickets of conversations that only an AI agent had, too. Without them the beginning of those that were handed to people is missing."""
    side_conversations: bool = False
    """Read what is said in side conversations, too; they need the Collaboration add-on."""
    incremental_per_minute: int = Field(default=10, gt=0)
    """Incremental export requests allowed a minute; 30 with the High Volume add-on."""

    @model_validator(mode="after")
    def _one_address(self) -> Self:
        if (self.subdomain is None) == (self.base_url is None):
            raise ValueError("give either subdomain or base_url")
        return self

    @property
    def address(self) -> str:
        """Where the help desk lives."""
        return self.base_url or f"https://{self.subdomain}.zendesk.com"

    def endpoint(self) -> Endpoint:
        """Basic authentication with an API token, or an OAuth bearer token."""
        options = self.connection()
        options["budgets"] += (Budget(self.incremental_per_minute, 60, "/incremental/"), Budget(600, 600, PATH))
        authorization = bearer(self.token) if self.email is None else basic(f"{self.email}/token", self.token)
        return Endpoint(base_url=self.address, authorization=authorization, **options)

    def pages(self, api: Api, window: Window) -> Iterator[Page]:
        """Side conversations, then time-based pages: the next one starts at this one's `end_time`; only `end_of_stream` ends the stream."""
        staff = self._staff(api)
        latest = (window.end - self.hold_back) // SECOND - 1  # a later start is refused
        cursor = window.cursor
        if self.side_conversations and not isinstance(cursor, int):
            since = min(cursor["side"] if cursor else window.start // SECOND, latest)
            for beside, where, reached in side_pages(api, since, -(-window.end // SECOND), staff):
                yield Page(beside, where, cursor={"side": reached})
        position = min(cursor if isinstance(cursor, int) else window.start // SECOND, latest)
        guard, translator = LoopGuard(), self._translator(staff)
        asked = {"include": "comment_events", "support_type_scope": "all" if self.ai_agent_tickets else "agent"}
        while True:
            answer = api.get("/api/v2/incremental/ticket_events.json", {"start_time": position, **asked})
            stream, rejected = read_stream(answer)
            found = len(stream.ticket_events) + len(rejected)
            if stream.count is not None and found < stream.count:
                raise PayloadError(f"{answer.where} holds {found} of the {stream.count} events it announces: the page was cut short")
            guard.check(position, answer, records=found)
            position = position if stream.end_time is None else stream.end_time
            read_up_to: Instant = window.end if stream.end_of_stream else position * SECOND
            yield Page(Body(stream.ticket_events, rejected, answer.body, translator), answer.where, read_up_to, position)
            if read_up_to >= window.end:
                return

    def events(self, page: Page) -> Iterator[Told]:
        """One `created` per new ticket, else an event per child of an audit that says something about the ticket."""
        if isinstance(page.body, Refused):
            return iter((page.body,))
        if isinstance(page.body, SideBody):
            return side_events(self.name, f"{self.address}{TICKETS}", page.body, page.where)
        body: Body = page.body
        found: list[Told] = [*body.rejected]
        plain, whole = body.translator.plain, body.translator.audit
        for number, audit in enumerate(body.audits):
            try:
                events = plain(audit)
                found += whole(audit) if events is None else events
            except (KeyError, TypeError, ValueError, AttributeError) as error:
                found.append(Rejected("malformed", f"{page.where} event {audit.id}", why(error), as_it_came(body.raw, number, body.rejected)))
        return iter(found)

    def page_of(self, payload: bytes, where: str) -> Page:
        """A page of one record, read without knowing who was staff but for the configured ones."""
        beside = side_body(payload, where, self.staff)
        if beside is not None:
            return Page(beside, where)
        raw = b'{"end_of_stream":true,"ticket_events":[' + payload + b"]}"
        stream, rejected = read_stream(Answer(raw, where, 200, {}))
        return Page(Body(stream.ticket_events, rejected, raw, self._translator(self.staff)), where)

    def lacking(self, api: Api) -> Iterator[str]:
        """Side conversations that are wanted and not given."""
        if self.side_conversations:
            answer = api.get(PATH, {"start_time": 0}, accept=REFUSED)
            if (refusal := refused(answer)) is not None:
                yield refusal.message

    def names(self, api: Api) -> Iterator[Named]:
        """Names of groups, forms and brands, labels of custom statuses, titles of custom fields."""
        hundred = {"per_page": 100}
        for attribute, listed, name in NAMED:
            yield from named(api, f"/api/v2/{listed}.json", attribute, key=listed, name=name, params=hundred)
        for field in listing(api, "/api/v2/ticket_fields.json", key="ticket_fields", params=hundred):
            number = str(field["id"])
            yield Named(self.fields.get(number, f"custom:{number}"), None, str(field.get("title")))

    def _translator(self, staff: frozenset[int]) -> Translator:
        return Translator(self.name, f"{self.address}{TICKETS}", staff=staff, fields=self.fields, time_fields=self.time_fields)

    def _staff(self, api: Api) -> frozenset[int]:
        if self.people == "configured":
            return self.staff
        params = {"role[]": ["agent", "admin"], "page[size]": 100}
        pages = next_links(api, "/api/v2/users.json", params, USERS, link=more_users, records=lambda page: page.users)
        return self.staff | {user.id for page, _ in pages for user in page.users}
