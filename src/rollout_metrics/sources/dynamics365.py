"""Microsoft Dynamics 365 (Dataverse): the audit log of cases, opportunities and leads, with notes, emails and resolutions."""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any, ClassVar, Literal, Self

import msgspec
from pydantic import Field, SecretStr, model_validator

from rollout_metrics.collect.http import Answer, Api, Endpoint, bearer, decode
from rollout_metrics.collect.oauth import ClientCredentials
from rollout_metrics.collect.paging import next_links, whole
from rollout_metrics.collect.parts import parts_of
from rollout_metrics.collect.records import told
from rollout_metrics.collect.source import Duration, HttpSource, Named, Page, Told, Window
from rollout_metrics.domain.time import MINUTE, SECOND, Instant, format_instant, parse_instant
from rollout_metrics.sources._dynamics365_names import API, names
from rollout_metrics.sources._dynamics365_story import AUDITS, EMAILS, GAP, NOTES, RESOLUTIONS, ROW, Account, Row, covered, row_told

COUNTED = 5000
"""Dataverse counts no further."""
OFF = (105, 111)
"""Actions from which on, and up to which, auditing was switched off somewhere or its log was deleted."""
NON_INTERACTIVE = 4
SELECTED: Mapping[str, Sequence[str]] = {
    AUDITS: ("auditid", "createdon", "operation", "action", "objecttypecode", "_objectid_value", "_userid_value", "_callinguserid_value", "changedata"),
    NOTES: ("annotationid", "createdon", "modifiedon", "objecttypecode", "_objectid_value", "_createdby_value", "notetext"),
    EMAILS: ("activityid", "createdon", "modifiedon", "directioncode", "_regardingobjectid_value", "_createdby_value", "description"),
    RESOLUTIONS: ("activityid", "createdon", "modifiedon", "_incidentid_value", "_createdby_value", "timespent"),
}
PREFER = 'odata.include-annotations="*",odata.maxpagesize=500'


class _Rows(msgspec.Struct):
    value: list[dict[str, Any]]
    next: str | None = msgspec.field(name="@odata.nextLink", default=None)
    count: int | None = msgspec.field(name="@odata.count", default=None)


class _Flag(msgspec.Struct):
    value: bool = msgspec.field(name="Value", default=True)


class _Audited(msgspec.Struct):
    audited: _Flag = msgspec.field(name="IsAuditEnabled", default_factory=_Flag)
    name: str = msgspec.field(name="LogicalName", default="")
    attributes: list["_Audited"] = msgspec.field(name="Attributes", default_factory=list)


_ROWS = msgspec.json.Decoder(_Rows)
_DEFINITION = msgspec.json.Decoder(_Audited)


class Dynamics365(HttpSource):
    """Dynamics 365. The application user needs to read the tables and View Audit Summary."""

    kind: ClassVar[str] = "dynamics365"
    record: ClassVar[msgspec.json.Decoder[Any]] = ROW

    base_url: str = Field(pattern=r"^https?://[^/?#]+$")
    """The environment's address: `https://acme.crm4.dynamics.com`."""
    token: SecretStr | None = None
    """An access token; it runs out within an hour or so, so rather let one be asked for."""
    tenant: str | None = Field(default=None, pattern=r"^[\w.-]+$")
    """The Entra tenant, by id or domain, to ask for tokens."""
    client_id: str | None = None
    """The application."""
    client_secret: SecretStr | None = None
    """Its secret."""
    login_url: str = Field(default="https://login.microsoftonline.com", pattern=r"^https?://[^/?#]+$")
    """Who gives tokens."""
    lookback: Duration = 15 * MINUTE
    """How far behind the watermark each sweep reads again: the audit log is written a while after the change."""
    tables: tuple[Literal["incident", "opportunity", "lead"], ...] = Field(default=("incident",), min_length=1)
    """Whose rows are cases."""
    fields: Mapping[str, str] = {}
    """Further column (logical name) -> attribute name; of others only ids and codes are kept, since they may hold free text."""
    comments: bool = True
    """Read notes and emails."""
    resolutions: bool = True
    """Read the time spent of case resolutions."""

    @model_validator(mode="after")
    def _one_way_in(self) -> Self:
        if (self.token is None) == (self.client_secret is None):
            raise ValueError("give either token or client_secret (with tenant and client_id)")
        if self.client_secret is not None and (self.tenant is None or self.client_id is None):
            raise ValueError("give the tenant and the client_id whose secret this is")
        return self

    def endpoint(self) -> Endpoint:
        """A bearer token, given or asked for."""
        how: dict[str, Any] = {"authorization": bearer(self.token)} if self.token is not None else {"grant": self._grant()}
        headers = {"OData-Version": "4.0", "OData-MaxVersion": "4.0", "Prefer": PREFER}
        return Endpoint(base_url=self.base_url, headers=headers, **how, **self.connection())

    def pages(self, api: Api, window: Window) -> Iterator[Page]:
        """The audit log and what is not in it, one after the other, each oldest first; a page is a page of a list."""
        machines = self._machines(api)
        kinds = [AUDITS, *((NOTES, EMAILS) if self.comments else ()), *((RESOLUTIONS,) if self.resolutions and "incident" in self.tables else ())]
        for part in parts_of(kinds, window):
            if part.name == AUDITS:
                for rows, answer in _listed(api, AUDITS, f"action ge {OFF[0]} and action le {OFF[1]} and {_between('createdon', part.since, window.end)}"):
                    yield Page([Row(GAP, row) for row in rows], answer.where, *part.reached(part.since))
            at, stamp = part.since, "createdon" if part.name == AUDITS else "modifiedon"
            for rows, answer in _listed(api, part.name, f"{self._only(part.name)}{_between(stamp, part.since, window.end)}", stamp):
                read = [parse_instant(row[stamp]) for row in rows if isinstance(row.get(stamp), str)]
                at = max(at, min(max(read, default=at), window.end))
                yield Page([Row(part.name, row, machines) for row in rows], answer.where, *part.reached(at))
            yield Page([], part.name, *part.reached(window.end))

    def events(self, page: Page) -> Iterator[Told]:
        """What each row tells; and of how many cases the log tells what led to what."""
        found = list(told(page, partial(row_told, self._account()), lambda one: one.row.get("auditid") or one.row.get("activityid")))
        return iter([*found, *covered([one for one in page.body if isinstance(one, Row)], found)])

    def lacking(self, api: Api) -> Iterator[str]:
        """Auditing that is off for the environment, a table or a column that says what became of cases."""
        (rows, _), *_ = _listed(api, "organizations", "", select=("isauditenabled",))
        if rows and rows[0].get("isauditenabled") is False:
            yield "auditing is off: switch it on for the environment (System settings, Auditing), then for tables and columns; it begins when it is switched on"
        columns = "Attributes($select=LogicalName,IsAuditEnabled)"
        for table in self.tables:
            path = f"{API}EntityDefinitions(LogicalName='{table}')"
            definition = decode(api.get(path, {"$select": "LogicalName,IsAuditEnabled", "$expand": columns}), _DEFINITION)
            if not definition.audited.value:
                yield f"{table} is not audited: switch auditing on for the table"
            wanted = {"ownerid", "statecode", "statuscode", "prioritycode", *self.fields}
            silent = sorted(one.name for one in definition.attributes if one.name in wanted and not one.audited.value)
            if silent:
                yield f"{table}: changes of {', '.join(silent)} are not audited: switch auditing on for these columns"

    def names(self, api: Api) -> Iterator[Named]:
        """Names of teams, subjects, products and stages, labels of choices and of the environment's own columns of choices."""
        return names(api, self.tables, self._account().attribute)

    def _grant(self) -> ClientCredentials:
        where = f"{self.login_url}/{self.tenant}/oauth2/v2.0/token"
        secret = self.client_secret or SecretStr("")
        return ClientCredentials(token_url=where, client_id=self.client_id or "", client_secret=secret, scope=f"{self.base_url}/.default")

    def _machines(self, api: Api) -> frozenset[str]:
        """Users who are applications or never sign in."""
        pages = _listed(api, "systemusers", f"applicationid ne null or accessmode eq {NON_INTERACTIVE}", select=("systemuserid",))
        return frozenset(str(row["systemuserid"]) for rows, _ in pages for row in rows)

    def _only(self, kind: str) -> str:
        """The condition that a row is about our tables, where the list can say so."""
        if kind not in (AUDITS, NOTES):
            return ""
        return "(" + " or ".join(f"objecttypecode eq '{table}'" for table in self.tables) + ") and "

    def _account(self) -> Account:
        return Account(self.name, self.base_url, self.tables, self.fields)


def _listed(
    api: Api, name: str, condition: str, stamp: str = "createdon", *, select: Sequence[str] | None = None
) -> Iterator[tuple[list[dict[str, Any]], Answer]]:
    """Every page of a list; only a missing next link ends it."""
    params = {"$select": ",".join(select or SELECTED[name]), "$count": "true"}
    if condition:
        params["$filter"] = condition
    if select is None:
        params["$orderby"] = f"{stamp} asc"
    total: int | None = None
    seen, where = 0, ""
    for page, answer in next_links(api, f"{API}{name}", params, _ROWS, link=lambda page: page.next, records=lambda page: page.value):
        total = page.count if total is None else total
        seen, where = seen + len(page.value), answer.where
        yield page.value, answer
    whole(seen, total if total is not None and total < COUNTED else None, where)


def _between(stamp: str, start: Instant, end: Instant) -> str:
    first, last = (format_instant(at) for at in (start // SECOND * SECOND, -(-end // SECOND) * SECOND))
    return f"{stamp} ge {first} and {stamp} lt {last}"
