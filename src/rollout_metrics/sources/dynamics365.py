"""Microsoft Dynamics 365 (Dataverse): the audit log of cases, opportunities and leads, with notes, emails and resolutions."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, ClassVar, Literal, Self

import msgspec
from pydantic import Field, SecretStr, model_validator

from rollout_metrics.collect.http import Answer, Api, Endpoint, bearer, decode
from rollout_metrics.collect.oauth import ClientCredentials
from rollout_metrics.collect.paging import next_links, whole
from rollout_metrics.collect.parts import parts_of
from rollout_metrics.collect.source import Coverage, Duration, HttpSource, Named, Page, Rejected, Window, why
from rollout_metrics.collect.texts import own_words, without_markup
from rollout_metrics.domain.events import Activity, ActorKind, Event, text_value
from rollout_metrics.domain.time import MINUTE, SECOND, Instant, format_instant, parse_instant
from rollout_metrics.sources._dynamics365_names import API, names

COUNTED = 5000
"""Dataverse counts no further."""
ATTRIBUTES: Mapping[str, str] = {
    "ownerid": "owner",
    "statecode": "state",
    "statuscode": "status",
    "prioritycode": "priority",
    "severitycode": "severity",
    "casetypecode": "type",
    "caseorigincode": "origin",
    "subjectid": "subject",
    "productid": "product",
    "isescalated": "escalated",
    "customerid": "requester",
    "stageid": "stage",
    "stepname": "stage_name",
    "leadqualitycode": "rating",
    "opportunityratingcode": "rating",
    "leadsourcecode": "origin",
}
"""Canonical names; others keep theirs."""
BOOKKEEPING = frozenset(("modifiedon", "modifiedby", "modifiedonbehalfby", "createdon", "createdby", "createdonbehalfby", "versionnumber", "processid"))
"""What changes beside every change."""
SATISFACTION = "customersatisfactioncode"
CREATED, DELETED = 1, 3
"""Operations."""
MERGE, REJECT, APPROVE = 12, 27, 28
"""Actions."""
OFF = (105, 111)
"""Actions from which on, and up to which, auditing was switched off somewhere or its log was deleted."""
NON_INTERACTIVE = 4
AUDITS, NOTES, EMAILS, RESOLUTIONS = "audits", "annotations", "emails", "incidentresolutions"
SELECTED: Mapping[str, Sequence[str]] = {
    AUDITS: ("auditid", "createdon", "operation", "action", "objecttypecode", "_objectid_value", "_userid_value", "_callinguserid_value", "changedata"),
    NOTES: ("annotationid", "createdon", "modifiedon", "objecttypecode", "_objectid_value", "_createdby_value", "notetext"),
    EMAILS: ("activityid", "createdon", "modifiedon", "directioncode", "_regardingobjectid_value", "_createdby_value", "description"),
    RESOLUTIONS: ("activityid", "createdon", "modifiedon", "_incidentid_value", "_createdby_value", "timespent"),
}
WHAT = "@Microsoft.Dynamics.CRM.lookuplogicalname"
GUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$", re.IGNORECASE)
GUID_LENGTH = 36
PREFER = 'odata.include-annotations="*",odata.maxpagesize=500'
Who = tuple[ActorKind, str | None]
Change = tuple[str | None, str | None, str | None]
UNCHANGED: Change = (None, None, None)
CUSTOMER: Who = (ActorKind.CUSTOMER, None)


class _Rows(msgspec.Struct):
    value: list[dict[str, Any]]
    next: str | None = msgspec.field(name="@odata.nextLink", default=None)
    count: int | None = msgspec.field(name="@odata.count", default=None)


class _Row(msgspec.Struct):
    """A row as it was read, of which kind, and the users who are no people."""

    kind: str
    row: dict[str, Any]
    machines: frozenset[str] = frozenset()


class _Moment(msgspec.Struct, frozen=True):
    """Which case, when, by whom."""

    case_id: str
    at: Instant
    who: Who


class _Changed(msgspec.Struct):
    logical_name: str = msgspec.field(name="logicalName")
    old: Any = msgspec.field(name="oldValue", default=None)
    new: Any = msgspec.field(name="newValue", default=None)


class _ChangeData(msgspec.Struct):
    changed: list[_Changed] = msgspec.field(name="changedAttributes", default_factory=list)


class _Flag(msgspec.Struct):
    value: bool = msgspec.field(name="Value", default=True)


class _Audited(msgspec.Struct):
    audited: _Flag = msgspec.field(name="IsAuditEnabled", default_factory=_Flag)
    name: str = msgspec.field(name="LogicalName", default="")
    attributes: list["_Audited"] = msgspec.field(name="Attributes", default_factory=list)


_ROWS = msgspec.json.Decoder(_Rows)
_ROW = msgspec.json.Decoder(_Row)
_CHANGE_DATA = msgspec.json.Decoder(_ChangeData)
_DEFINITION = msgspec.json.Decoder(_Audited)


class Dynamics365(HttpSource):
    """Dynamics 365. The application user needs to read the tables and View Audit Summary."""

    kind: ClassVar[str] = "dynamics365"
    record: ClassVar[msgspec.json.Decoder[Any]] = _ROW

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
                    yield Page([_Row("gap", row) for row in rows], answer.where, *part.reached(part.since))
            at, stamp = part.since, "createdon" if part.name == AUDITS else "modifiedon"
            for rows, answer in _listed(api, part.name, f"{self._only(part.name)}{_between(stamp, part.since, window.end)}", stamp):
                read = [parse_instant(row[stamp]) for row in rows if isinstance(row.get(stamp), str)]
                at = max(at, min(max(read, default=at), window.end))
                yield Page([_Row(part.name, row, machines) for row in rows], answer.where, *part.reached(at))
            yield Page([], part.name, *part.reached(window.end))

    def events(self, page: Page) -> Iterator[Event | Rejected | Coverage]:
        """What each row tells; and of how many cases the log tells what led to what."""
        found: list[Event | Rejected | Coverage] = []
        states: dict[str, str | None] = {}
        broken = set[str]()
        for one in page.body:
            if isinstance(one, Rejected):
                found.append(one)
                continue
            try:
                events = list(self._of(one))
            except (KeyError, TypeError, ValueError, AttributeError, msgspec.DecodeError) as error:
                found.append(
                    Rejected(
                        "malformed",
                        f"{page.where} {one.row.get('auditid') or one.row.get('activityid')}",
                        why(error),
                        msgspec.json.encode(one, order="deterministic"),
                    )
                )
                continue
            found += events
            for event in events:
                if event.attribute == "state":
                    if states.get(event.case_id, event.before) != event.before:
                        broken.add(event.case_id)
                    states[event.case_id] = event.after
        gaps = sum(one.kind == "gap" for one in page.body if isinstance(one, _Row))
        audited = {one.row.get("_objectid_value") for one in page.body if isinstance(one, _Row) and one.kind == AUDITS}
        total = len({event.case_id for event in found if isinstance(event, Event) and event.case_id in audited})
        if total + gaps:
            found.append(Coverage("history", total - len(broken), total + gaps))
        return iter(found)

    def lacking(self, api: Api) -> Iterator[str]:
        """Auditing that is off for the environment, a table or a column that says what became of cases."""
        (rows, _), *_ = _listed(api, "organizations", "", select=("isauditenabled",))
        if rows and rows[0].get("isauditenabled") is False:
            yield "auditing is off: switch it on for the environment (System settings, Auditing), then for tables and columns; it begins when it is switched on"
        columns = "Attributes($select=LogicalName,IsAuditEnabled)"
        for table in self.tables:
            path = f"{API}EntityDefinitions(LogicalName='{table}')"
            told = decode(api.get(path, {"$select": "LogicalName,IsAuditEnabled", "$expand": columns}), _DEFINITION)
            if not told.audited.value:
                yield f"{table} is not audited: switch auditing on for the table"
            wanted = {"ownerid", "statecode", "statuscode", "prioritycode", *self.fields}
            silent = sorted(one.name for one in told.attributes if one.name in wanted and not one.audited.value)
            if silent:
                yield f"{table}: changes of {', '.join(silent)} are not audited: switch auditing on for these columns"

    def names(self, api: Api) -> Iterator[Named]:
        """Names of teams, subjects, products and stages, labels of choices and of the environment's own columns of choices."""
        return names(api, self.tables, self._attribute)

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

    def _of(self, one: _Row) -> Iterable[Event]:
        if one.kind == AUDITS:
            return self._audit(one)
        if one.kind in (NOTES, EMAILS):
            return self._said(one)
        if one.kind == RESOLUTIONS and one.row.get("timespent"):
            row = one.row
            detail = {"seconds": int(row["timespent"]) * 60}
            moment = _Moment(str(row["_incidentid_value"]), parse_instant(row["createdon"]), _who(one))
            return [self._event(moment, f"resolution/{row['activityid']}", Activity.TIME_LOGGED, detail, revision=_stamp(row))]
        return ()

    def _event(self, moment: _Moment, number: str, activity: Activity, detail: Mapping[str, Any], *, change: Change = UNCHANGED, revision: int = 0) -> Event:
        name, case_id, facts = self.name, moment.case_id, {"via": [], **detail}
        (kind, actor), (attribute, before, after) = moment.who, change
        if len(self.tables) == 1:
            facts["url"] = f"{self.base_url}/main.aspx?pagetype=entityrecord&etn={self.tables[0]}&id={case_id}"
        return Event(name, name, case_id, number, moment.at, activity, kind, actor, attribute, before, after, facts, revision)

    def _audit(self, one: _Row) -> list[Event]:
        """One row of the log: a creation with all that it set, a deletion, or an event for each column that changed."""
        row = one.row
        number, action = str(row["auditid"]), row["action"]
        moment = _Moment(str(row["_objectid_value"]), parse_instant(row["createdon"]), _who(one))
        via = {"via": ["impersonated"]} if row.get("_callinguserid_value") else {}
        changed = _CHANGE_DATA.decode(row["changedata"]).changed if row.get("changedata") else []
        if row["operation"] == DELETED:
            return [self._event(moment, number, Activity.DELETED, via)]
        if row["operation"] == CREATED:
            values = {self._attribute(each.logical_name): self._side(each.logical_name, each.new) for each in changed if each.logical_name not in BOOKKEEPING}
            attributes = {"table": str(row["objecttypecode"])} | {name: value for name, value in sorted(values.items()) if value is not None}
            return [self._event(moment, number, Activity.CREATED, {**via, "attributes": attributes})]
        told = [each for each in changed if each.logical_name not in BOOKKEEPING]
        made = [self._changed(each, moment, f"{number}:{each.logical_name}", via, absorbs=action == MERGE) for each in told]
        if action in (APPROVE, REJECT):
            made.insert(0, self._event(moment, f"{number}:answer", Activity.APPROVED if action == APPROVE else Activity.REJECTED, via))
        return [event for event in made if event is not None]

    def _changed(self, each: _Changed, moment: _Moment, number: str, via: Mapping[str, Any], *, absorbs: bool) -> Event | None:
        name = each.logical_name
        before, after = self._side(name, each.old), self._side(name, each.new)
        if name == SATISFACTION:
            score = {"5": "good", "4": "good", "2": "bad", "1": "bad"}.get(str(each.new))
            rated = msgspec.structs.replace(moment, who=CUSTOMER)
            return None if score is None else self._event(rated, number, Activity.RATED, {**via, "score": score})
        if name == "masterid" and (absorbs or each.new):
            return self._event(moment, number, Activity.ABSORBED, via)
        activity = Activity.CHANGED
        if name == "statecode" and (before in (None, "0")) != (after in (None, "0")):
            activity = Activity.REOPENED if after in (None, "0") else Activity.CLOSED
        elif name == "isescalated" and after == "true":
            activity = Activity.ESCALATED
        return self._event(moment, number, activity, via, change=(self._attribute(name), before, after))

    def _attribute(self, name: str) -> str:
        return self.fields.get(name) or ATTRIBUTES.get(name) or name

    def _side(self, name: str, value: Any) -> str | None:
        """A value as text: of lookups the id alone; of columns that nobody asked for only ids and codes."""
        text = None if value is None else text_value(value)
        if text is None:
            return None
        known = name in self.fields or name in ATTRIBUTES
        if known and text.isdigit() and name != "isescalated":
            return text
        if len(text) >= GUID_LENGTH:
            entity, _, number = text.rpartition(",")
            if len(number) == GUID_LENGTH and GUID.match(number) and (not entity or entity.isidentifier()):
                return number.lower()
        elif text.lower() in ("true", "false") or (name == "isescalated" and text in ("0", "1")):
            return "true" if text.lower() in ("true", "1") else "false"
        return text if known or name.endswith("code") else None

    def _said(self, one: _Row) -> Iterable[Event]:
        """A note, which is internal, or an email about one of our rows."""
        row = one.row
        email = one.kind == EMAILS
        if email and row.get(f"_regardingobjectid_value{WHAT}") not in self.tables:
            return ()
        case_id = row["_regardingobjectid_value" if email else "_objectid_value"]
        incoming = email and row.get("directioncode") is False
        text = str(row.get("description" if email else "notetext") or "")
        words = own_words(without_markup(text) if text.lstrip().startswith("<") else text)
        moment = _Moment(str(case_id), parse_instant(row["createdon"]), CUSTOMER if incoming else _who(one))
        number = f"comment/{row['activityid' if email else 'annotationid']}"
        said = {"public": email, **({"value": words} if words else {})}
        return [self._event(moment, number, Activity.COMMENTED, said, revision=_stamp(row))]


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


def _who(one: _Row) -> Who:
    """Who called, for which an impersonated user's name may stand; applications are the system until they are named as agents."""
    row = one.row
    user = row.get("_callinguserid_value") or row.get("_userid_value") or row.get("_createdby_value")
    if not isinstance(user, str):
        return ActorKind.SYSTEM, None
    return ActorKind.SYSTEM if user in one.machines else ActorKind.OPERATOR, user.lower()


def _stamp(row: Mapping[str, Any]) -> int:
    """The time of the latest change in milliseconds; never changed: 0."""
    modified = row.get("modifiedon")
    return parse_instant(modified) // 1000 if isinstance(modified, str) and modified != row["createdon"] else 0
