"""Salesforce: the field history, comments, emails and approvals of cases, leads and opportunities as their audit trail."""

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any, ClassVar, Literal, Self

import msgspec
from pydantic import Field, SecretStr, model_validator

from rollout_metrics.collect.http import Api, Endpoint, bearer, decode
from rollout_metrics.collect.oauth import ClientCredentials, Grant, JwtBearer
from rollout_metrics.collect.parts import Part, parts_of
from rollout_metrics.collect.reconcile import Living, Reconciled, Roll, batches
from rollout_metrics.collect.records import told
from rollout_metrics.collect.source import Named, Page, Refused, Told, Window
from rollout_metrics.domain.time import Instant, parse_instant
from rollout_metrics.sources._salesforce_names import names
from rollout_metrics.sources._salesforce_pages import (
    ALWAYS,
    BUNDLE,
    COMMENTS,
    DESCRIBED,
    FEED,
    KINDS,
    OBJECTS,
    READ,
    STEPS,
    WHERE_THERE,
    WORK_ITEMS,
    Bundle,
    Child,
    among,
    rows,
    select,
    soql,
)
from rollout_metrics.sources._salesforce_reading import Reading
from rollout_metrics.sources._salesforce_sessions import available, sessions
from rollout_metrics.sources._salesforce_story import Terms, record_told, session_ended

SPENT = b"REQUEST_LIMIT_EXCEEDED"
LONG = 3600.0
"""Seconds to stay away when the day's requests are used up: Salesforce counts over a rolling day and gives no date."""
SESSIONS = "sessions"
NO_SESSIONS = Refused(SESSIONS, "there are no sessions of Agentforce to read: switch on session tracing, and give the user access to Data 360")


class Salesforce(Reconciled):
    """Salesforce. The user needs View All on the objects, the fields and their history; how it logs in is up to you."""

    kind: ClassVar[str] = "salesforce"
    record: ClassVar[msgspec.json.Decoder[Any]] = BUNDLE

    base_url: str = Field(pattern=r"^https?://[^/?#]+$")
    """The organisation's own address (My Domain): `https://acme.my.salesforce.com`."""
    token: SecretStr | None = None
    """An access token; those of people run out within hours, so rather let one be asked for."""
    client_id: str | None = None
    """The consumer key of a connected app, to ask for tokens."""
    client_secret: SecretStr | None = None
    """Its secret, for the client credentials flow; the app's Run As user is who reads."""
    username: str | None = None
    """Who reads, for the JWT bearer flow."""
    private_key: SecretStr | None = None
    """The RSA key in PEM form whose certificate the connected app has, for the JWT bearer flow. `private_key_file` reads it from a file."""
    login_url: str = Field(default="https://login.salesforce.com", pattern=r"^https?://[^/?#]+$")
    """Whom an assertion is made out to: https://test.salesforce.com for sandboxes."""
    api_version: str = Field(default="62.0", pattern=r"^\d\d\.0$")
    """The version of the API."""
    objects: tuple[Literal["Case", "Lead", "Opportunity"], ...] = Field(default=("Case",), min_length=1)
    """Whose records are cases."""
    fields: Mapping[str, str] = {}
    """Further field (API name) -> attribute name."""
    closing_statuses: frozenset[str] = frozenset()
    """Statuses that close a record besides those that Salesforce says, such as a lead's Unqualified."""
    comments: bool = True
    """Read case comments and emails."""
    feed: bool = False
    """Read posts of the Chatter feed."""
    approvals: bool = True
    """Read approval processes."""
    flow_approvals: bool = False
    """Read the newer approvals that flows orchestrate."""
    agent_sessions: bool = False
    """Read how Agentforce's sessions about cases ended, from Data 360 (experimental)."""

    @model_validator(mode="after")
    def _one_way_in(self) -> Self:
        ways = [self.token, self.client_secret, self.private_key]
        if sum(way is not None for way in ways) != 1:
            raise ValueError("give one of token, client_secret (with client_id) and private_key (with client_id and username)")
        if self.token is None and self.client_id is None:
            raise ValueError("give the client_id of the connected app")
        if self.private_key is not None and self.username is None:
            raise ValueError("give the username whom the JWT bearer flow stands for")
        return self

    @property
    def root(self) -> str:
        """Where the API is."""
        return f"/services/data/v{self.api_version}"

    def endpoint(self) -> Endpoint:
        """A bearer token, given or asked for."""
        how: dict[str, Any] = {"grant": self._grant()} if self.token is None else {"authorization": bearer(self.token)}
        return Endpoint(base_url=self.base_url, wish=_wish, **how, **self.connection())

    def pages(self, api: Api, window: Window) -> Iterator[Page]:
        """Per object: first the records whose comments or approvals changed, then those that changed themselves, in that order, each with its whole history."""
        there = self._there(api)
        users: dict[str, str] = {}
        for part in parts_of([*self.objects, *((SESSIONS,) if self.agent_sessions else ())], window):
            if part.name == SESSIONS:
                yield from self._sessions(api, part, window.end)
                continue
            selected = self._selected(api, part.name)
            closing, labels = self._statuses(api, part.name)
            tracked = KINDS[part.name].history in there
            reading = Reading(api, self.root, part.name, selected, closing, labels, self._children(part.name, there), tracked, users)
            for bundles, answer in reading.of(reading.touched(part.since, window.end)):
                yield Page(bundles, answer.where, *part.reached(part.since))
            at = part.since
            for bundles, answer in reading.changed(part.since, window.end):
                stamps = [parse_instant(stamp) for one in bundles if isinstance(stamp := one.record.get("SystemModstamp"), str)]
                at = max(at, min(max(stamps, default=at), window.end))
                yield Page(bundles, answer.where, *part.reached(at))
            yield Page([], part.name, *part.reached(window.end))

    def _sessions(self, api: Api, part: Part, end: Instant) -> Iterator[Page]:
        named = available(api, self.root)
        if named is None:
            yield Page([NO_SESSIONS], part.name, *part.reached(end))
            return
        for ended, answer in sessions(api, self.root, named, part.since, end):
            yield Page([session_ended(self.name, self.base_url, one) for one in ended], answer.where, *part.reached(part.since))
        yield Page([], part.name, *part.reached(end))

    def events(self, page: Page) -> Iterator[Told]:
        """What happened to each record, and whether its history tells how it came to be as it is."""
        terms = {one.name: Terms(self.name, self.base_url, self.fields, one) for one in page.body[:1] if isinstance(one, Bundle)}
        return told(page, partial(record_told, terms), lambda bundle: f"{bundle.name} {bundle.record.get('Id')}")

    def lacking(self, api: Api) -> Iterator[str]:
        """Objects and fields that may not be read, fields whose history is not tracked, and approvals that nobody reads."""
        there = self._there(api)
        for name in self.objects:
            kind = KINDS[name]
            if kind.history not in there:
                yield f"{kind.history} cannot be read: give the user View All on {name}, and switch on Set History Tracking for it"
            if name not in there:
                continue
            seen = self._selected(api, name)
            own = set(self.fields) if len(self.objects) == 1 else set[str]()
            hidden = sorted((set(kind.fields) | own) - set(seen) - {"RecordTypeId"})  # which is there only where there are record types
            if hidden:
                yield f"{name}: {', '.join(hidden)} cannot be read: grant the user field-level security on them"
            asked = select(("QualifiedApiName", "IsFieldHistoryTracked"), "FieldDefinition", f"EntityDefinition.QualifiedApiName = '{name}'")
            tracked = {str(row.get("QualifiedApiName")): row.get("IsFieldHistoryTracked") for row in rows(api, self.root, asked)}
            silent = [field for field in seen if tracked.get(field) is False and field not in ("IsEscalated", *ALWAYS, *WHERE_THERE)]
            if silent:
                yield f"{name}: changes of {', '.join(silent)} leave no trace: switch on Set History Tracking for them; it begins when it is switched on"
        wanted = {**(COMMENTS if self.comments else {}), **(STEPS if self.approvals else {}), **(WORK_ITEMS if self.flow_approvals else {})}
        for other in sorted(set(wanted) - there):
            yield f"{other} cannot be read: give the user access to it, or switch off the option that reads it"
        if self.agent_sessions and available(api, self.root) is None:
            yield NO_SESSIONS.message
        if not self.flow_approvals and "ApprovalWorkItem" in there and rows(api, self.root, "SELECT Id FROM ApprovalWorkItem LIMIT 1"):
            yield "there are approvals made by flows, and they are not read: set flow_approvals: true"

    def names(self, api: Api) -> Iterator[Named]:
        """Names of record types and queues, labels of choices and of the organisation's own lists of choices."""
        return names(api, self.root, {name: {**KINDS[name].fields, **self.fields} for name in self.objects})

    def reconcile(self, api: Api, roll: Roll) -> Iterator[Page]:
        """Look every known record up by id: the recycle bin forgets after 15 days."""
        known: dict[str, list[Living]] = {}
        for case_id, last_at in roll():
            known.setdefault(case_id[:3], []).append((case_id, last_at))
        for name in self.objects:
            for batch in batches(known.get(KINDS[name].prefix, ()), READ):
                present: set[str] = set()
                where: str = name
                for records, answer in soql(api, self.root, select(("Id",), name, among("Id", [case_id for case_id, _ in batch]))):
                    present.update(str(record["Id"]) for record in records)
                    where = answer.where
                yield Page(self.gone(batch, present), where)

    def _grant(self) -> Grant:
        where = {"token_url": f"{self.base_url}/services/oauth2/token", "client_id": self.client_id or ""}
        if self.client_secret is not None:
            return ClientCredentials(client_secret=self.client_secret, **where)
        return JwtBearer(subject=self.username or "", audience=self.login_url, private_key=self.private_key or SecretStr(""), **where)

    def _there(self, api: Api) -> frozenset[str]:
        """The objects that the user may read."""
        return frozenset(one.name for one in decode(api.get(f"{self.root}/sobjects"), OBJECTS).sobjects)

    def _selected(self, api: Api, name: str) -> list[str]:
        """The fields to ask for: those that are wanted and may be read; asking for another would refuse the whole query."""
        readable = {one.name for one in decode(api.get(f"{self.root}/sobjects/{name}/describe"), DESCRIBED).fields}
        wanted = (*WHERE_THERE, *KINDS[name].fields, *self.fields)
        return [*ALWAYS, *sorted(field for field in set(wanted) if field in readable)]

    def _children(self, name: str, there: frozenset[str]) -> dict[str, Child]:
        """What belongs to an object's records, of what is wanted and may be read."""
        several = ((COMMENTS, self.comments and name == "Case"), (FEED, self.feed), (STEPS, self.approvals), (WORK_ITEMS, self.flow_approvals))
        wanted = {other: child for children, read in several if read for other, child in children.items()}
        return {other: child for other, child in sorted(wanted.items()) if other in there}

    def _statuses(self, api: Api, name: str) -> tuple[list[str], dict[str, str]]:
        """The statuses that close, and the API names of those that are called otherwise."""
        kind = KINDS[name]
        found = [
            (str(row.get("ApiName")), str(row.get("MasterLabel")), row)
            for row in rows(api, self.root, select(("ApiName", "MasterLabel", kind.said), kind.statuses, "ApiName != null"))
        ]
        names = {named for named, _, _ in found}
        closing = {named for named, _, row in found if row.get(kind.said) is True}
        return sorted(self.closing_statuses | closing), {label: named for named, label, _ in found if label not in names}


def _wish(body: bytes) -> float | None:
    return LONG if SPENT in body else None
