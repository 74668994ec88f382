"""ServiceNow's Table API: records of task tables with their audit rows and journals, approvals, and what became of Now Assist's answers."""

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache, partial
from typing import Any, ClassVar, Self

import msgspec
from pydantic import Field, SecretStr, model_validator

from rollout_metrics.collect.change_options import ChangeOptions, gone
from rollout_metrics.collect.http import Answer, Api, Endpoint, basic, bearer, decode
from rollout_metrics.collect.limits import ResetHeader, ResetKind
from rollout_metrics.collect.paging import LoopGuard, next_link
from rollout_metrics.collect.parts import Part, parts_of
from rollout_metrics.collect.reconcile import Reconciled, Roll, batches
from rollout_metrics.collect.records import told
from rollout_metrics.collect.source import Coverage, Page, Told, Window
from rollout_metrics.collect.texts import own_words
from rollout_metrics.domain.errors import TruncatedError
from rollout_metrics.domain.events import Activity, ActorKind, Event, text_value
from rollout_metrics.domain.records import ChangeReading
from rollout_metrics.domain.time import SECOND, Instant, format_instant, parse_instant

AT_ONCE = 100
"""Records in a page."""
ROWS = 1000
"""Rows of their histories in a page."""
API = "/api/now/table/"
APPROVALS, ASSIST = "sysapproval_approver", "sys_generative_ai_log"
CLOSING: Mapping[str, frozenset[str]] = {
    "incident": frozenset(("6", "7", "8")),
    "change_request": frozenset(("3", "4")),
    "problem": frozenset(("106", "107")),
}
"""States that close a record, by table; of all other tables OTHERS."""
OTHERS = frozenset(("3", "4", "7"))
ATTRIBUTES: Mapping[str, str] = {
    "approval": "approval",
    "assigned_to": "assignee",
    "assignment_group": "group",
    "business_service": "service",
    "caller_id": "requester",
    "category": "category",
    "close_code": "resolution",
    "contact_type": "channel",
    "escalation": "escalation_level",
    "impact": "impact",
    "opened_by": "submitter",
    "parent": "parent",
    "parent_incident": "parent_incident",
    "priority": "priority",
    "requested_for": "requester",
    "risk": "risk",
    "state": "status",
    "subcategory": "subcategory",
    "type": "change_type",
    "urgency": "urgency",
}
"""Canonical names of fields whose values are ids, numbers and codes; of others only the fact of a change is kept unless `fields` names them."""
OWN = frozenset(("comments", "work_notes", "comments_and_work_notes", "activity_due"))
"""Fields whose audit rows repeat what the journal says, or are nobody's doing."""
TIME = "time_worked"
JOURNAL: Mapping[str, bool] = {"comments": True, "work_notes": False}
"""Journal fields: whether a customer sees them."""
DECISIONS: Mapping[str, Activity] = {"approved": Activity.APPROVED, "rejected": Activity.REJECTED}
FEEDBACK: Mapping[str, Activity] = {"accepted": Activity.APPROVED, "rejected": Activity.REJECTED}
MACHINES = frozenset(("system", "guest", ""))
"""User names under which the platform acts by itself."""
RECORD: Mapping[str, str] = {"id": "number", "title": "short_description", "proposed_at": "sys_created_on", "deployed_at": "work_end"}
"""Place in a change record -> the field that usually says it."""
_TIME = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d")
_EPOCH = parse_instant("1970-01-01T00:00:00Z")

Row = dict[str, Any]
Who = tuple[ActorKind, str | None]


class Bundle(msgspec.Struct, gc=False):
    """A row of a table with what belongs to it. `caller`: the user name of whom the record is for."""

    table: str
    row: Row
    audits: list[Row] = []
    journal: list[Row] = []
    caller: str | None = None


class _Found(msgspec.Struct):
    result: list[Row]
    error: Any = None


_FOUND = msgspec.json.Decoder(_Found)
_BUNDLE = msgspec.json.Decoder(Bundle)


class Servicenow(Reconciled):
    """ServiceNow. The account must read the tables and sys_audit; give it the time zone GMT."""

    kind: ClassVar[str] = "servicenow"
    record: ClassVar[msgspec.json.Decoder[Any]] = _BUNDLE

    instance: str | None = Field(default=None, pattern=r"^[a-z0-9][a-z0-9-]*$")
    """The `acme` of acme.service-now.com."""
    base_url: str | None = Field(default=None, pattern=r"^https?://[^?#]+$")
    """The address instead of an instance."""
    user: str | None = None
    """The account whose password `token` is; without it the token is sent as a bearer token (OAuth)."""
    token: SecretStr
    """The password, OAuth token or API key."""
    api_key: bool = False
    """The token is an API key, sent as `x-sn-apikey`."""
    tables: tuple[str, ...] = Field(default=("incident", "sc_request", "sc_req_item", "change_request"), min_length=1)
    """Tables whose records are cases: those of task, each of them audited."""
    query: Mapping[str, str] = {}
    """Table -> a further condition, as an encoded query such as `active=true^category=software`."""
    fields: Mapping[str, str] = {}
    """Further fields (`u_reason`) -> attribute name. Values of other fields are not kept."""
    closing_states: Mapping[str, frozenset[str]] = {}
    """Table -> the values of state that close its records, where they are not those of the delivered system."""
    approvals: bool = True
    """Read approvals."""
    now_assist: bool = False
    """Read what Now Assist proposed and what people made of it; needs the right to read sys_generative_ai_log."""
    changes: ChangeOptions | None = None
    """Which records of change_request are change records of an agent, and which fields say what. Usual: `id`: number, `title`: short_description,
    `proposed_at`: sys_created_on, `deployed_at`: work_end."""

    @model_validator(mode="after")
    def _one_address(self) -> Self:
        if (self.instance is None) == (self.base_url is None):
            raise ValueError("give either instance or base_url")
        return self

    @property
    def address(self) -> str:
        """Where people and the API are."""
        return (self.base_url or f"https://{self.instance}.service-now.com").rstrip("/")

    def endpoint(self) -> Endpoint:
        """Basic authentication, a bearer token, or a key in a header of its own."""
        headers = {"Accept": "application/json"}
        authorization: SecretStr | None = basic(self.user, self.token) if self.user is not None else bearer(self.token)
        if self.api_key:
            headers, authorization = {**headers, "x-sn-apikey": self.token.get_secret_value()}, None
        reset = ResetHeader("X-RateLimit-Reset", ResetKind.EPOCH)
        return Endpoint(base_url=self.address, authorization=authorization, headers=headers, reset=reset, **self.connection())

    def pages(self, api: Api, window: Window) -> Iterator[Page]:
        """Table by table what was updated, oldest first, each record with its whole history; a page is a page of the table."""
        for part in parts_of(self._parts(), window):
            at = part.since
            for rows, answer in self._changed(api, part, window.end):
                bundles = self._complete(api, part.name, rows)
                updates = [updated for row in rows if (updated := _stamp(row.get("sys_updated_on"))) is not None]
                at = max(at, min(max(updates, default=at), window.end))
                yield Page(bundles, answer.where, *part.reached(at))
            yield Page([], part.name, *part.reached(window.end))

    def events(self, page: Page) -> Iterator[Told]:
        """What happened to each record, each approval, each answer of Now Assist."""
        return told(page, partial(_translated, self, {**ATTRIBUTES, **self.fields}), lambda bundle: f"row {str(bundle.row.get('sys_id'))[:32]}")

    def lacking(self, api: Api) -> Iterator[str]:
        """Tables that cannot be read, and those whose changes are not audited."""
        for table in (*self._parts(), "sys_audit", "sys_journal_field", "sys_user"):
            answer = api.get(API + table, {"sysparm_limit": 1, "sysparm_fields": "sys_id"}, accept=frozenset((400, 403, 404)))
            if answer.status != 200:
                yield f"{table} cannot be read ({answer.status}): give the account a role that may read it, or leave it out of the options"
        asked = f"internal_type=collection^nameIN{','.join(self.tables)}"
        answer = api.get(API + "sys_dictionary", {"sysparm_query": asked, "sysparm_fields": "name,audit"}, accept=frozenset((400, 403, 404)))
        if answer.status != 200:
            yield f"sys_dictionary cannot be read ({answer.status}): whether tables are audited is not known; let the account read it"
            return
        audited = {row.get("name") for row in decode(answer, _FOUND).result if str(row.get("audit")) == "true"}
        for table in self.tables:
            if table not in audited:
                yield f"{table} is not audited: switch on Audit in its dictionary entry (it is not inherited from task), or its changes cannot be seen"

    def reconcile(self, api: Api, roll: Roll) -> Iterator[Page]:
        """Look every known record up by id: a deleted one is in no table any more."""
        for batch in batches(roll(), AT_ONCE):
            present: set[str] = set()
            where = "task"
            for rows, answer in self._rows(api, "task", f"sys_idIN{','.join(case_id for case_id, _ in batch)}^ORDERBYsys_id", fields="sys_id"):
                present.update(str(row.get("sys_id")) for row in rows)
                where = answer.where
            yield Page(gone(self.gone(batch, present), self.changes), where)

    def _parts(self) -> tuple[str, ...]:
        return (*self.tables, *((APPROVALS,) if self.approvals else ()), *((ASSIST,) if self.now_assist else ()))

    def _changed(self, api: Api, part: Part, end: Instant) -> Iterator[tuple[list[Row], Answer]]:
        """Rows updated in [since, end), oldest first.

        The filter moves with each page, since the table changes while it is read; only where a page is of one second, or nothing in it may be seen, the
        next one is asked for by place. A short page is no end: rows that the account may not see are cut out of it after it was counted.
        """
        guard, seen, since = LoopGuard(), dict[str, str](), part.since
        more = f"^{self.query[part.name]}" if part.name in self.query else ""
        following: str | None = None
        while True:
            query = f"sys_updated_on>={_written(since)}^sys_updated_on<{_written(end + SECOND - 1)}{more}^ORDERBYsys_updated_on^ORDERBYsys_id"
            answer = api.get(following or API + part.name, None if following else self._asked(query, AT_ONCE))
            rows = _read(answer)
            guard.check(following or query, answer, records=len(rows))
            yield [row for row in rows if seen.get(str(row.get("sys_id"))) != str(row.get("sys_updated_on"))], answer
            seen.update((str(row.get("sys_id")), str(row.get("sys_updated_on"))) for row in rows)
            following = next_link(answer)
            if following is None:
                return
            updates = [at for row in rows if (at := _stamp(row.get("sys_updated_on"))) is not None]
            if updates and min(updates) < max(updates):
                following, since = None, max(updates)

    def _complete(self, api: Api, table: str, rows: list[Row]) -> list[Bundle]:
        """The rows with their audit and journal; approvals and answers say all by themselves."""
        bundles = [Bundle(table, row) for row in rows]
        ids = {str(row.get("sys_id")): bundle for row, bundle in zip(rows, bundles, strict=True)}
        if table not in self.tables or not ids:
            return bundles
        known = ",".join(ids)
        for name, key, query in (
            ("sys_audit", "documentkey", f"tablename={table}^documentkeyIN{known}"),
            ("sys_journal_field", "element_id", f"name={table}^element_idIN{known}"),
        ):
            for found, _ in self._rows(api, name, f"{query}^ORDERBYsys_created_on^ORDERBYsys_id"):
                for one in found:
                    bundle = ids.get(str(one.get(key)))
                    if bundle is not None:
                        (bundle.audits if name == "sys_audit" else bundle.journal).append(one)
        callers = {caller for row in rows if (caller := _text(row.get("caller_id") or row.get("requested_for")))}
        names = self._names(api, callers) if callers else {}
        for row, bundle in zip(rows, bundles, strict=True):
            bundle.caller = names.get(_text(row.get("caller_id") or row.get("requested_for")) or "")
        return bundles

    def _names(self, api: Api, users: set[str]) -> dict[str, str]:
        """User names by sys_id: the audit knows only names, records only ids."""
        found = self._rows(api, "sys_user", f"sys_idIN{','.join(sorted(users))}^ORDERBYsys_id", fields="sys_id,user_name")
        return {str(row["sys_id"]): str(row["user_name"]) for rows, _ in found for row in rows if row.get("sys_id") and row.get("user_name")}

    def _rows(self, api: Api, table: str, query: str, *, fields: str | None = None) -> Iterator[tuple[list[Row], Answer]]:
        """All rows that a query finds, by the links that lead from page to page."""
        guard = LoopGuard()
        following: str | None = None
        while True:
            asked = self._asked(query, ROWS) | ({} if fields is None else {"sysparm_fields": fields})
            answer = api.get(following or API + table, None if following else asked)
            rows = _read(answer)
            guard.check(following or query, answer, records=len(rows))
            yield rows, answer
            following = next_link(answer)
            if following is None:
                return

    def _asked(self, query: str, limit: int) -> dict[str, Any]:
        return {"sysparm_query": query, "sysparm_limit": limit, "sysparm_display_value": "false", "sysparm_exclude_reference_link": "true"}


def _read(answer: Answer) -> list[Row]:
    """The rows of a page; one that ran out of time holds what it found until then, and an error beside it."""
    page = decode(answer, _FOUND)
    if page.error is not None:
        raise TruncatedError(f"{answer.where} ended with an error after {len(page.result)} rows: the list was cut short")
    return page.result


def _translated(source: Servicenow, names: Mapping[str, str], bundle: Bundle) -> list[Event | Coverage | ChangeReading]:
    if bundle.table == APPROVALS:
        return list(_approval(source, bundle.row))
    if bundle.table == ASSIST:
        return list(_assisted(source, bundle.row))
    story = _Story(source, names, bundle)
    found: list[Event | Coverage | ChangeReading] = [*story.events()]
    found.append(Coverage("history", int(story.whole), 1))
    if source.changes is not None and bundle.table == "change_request":
        said = {name: _dated(_text(value)) for name, value in bundle.row.items()}
        found.append(source.changes.reading(story.case_id, story.read_at, said, RECORD))
    return found


class _Story:
    """One record's events, oldest first."""

    whole = True
    """The audit leads without a gap from the first state to the present one."""

    def __init__(self, source: Servicenow, names: Mapping[str, str], bundle: Bundle) -> None:
        self.source, self.bundle, self.row = source, bundle, bundle.row
        self.case_id = str(bundle.row["sys_id"])
        self.made_at = _instant(bundle.row["sys_created_on"])
        self.read_at = _instant(bundle.row["sys_updated_on"]) // SECOND
        self.names = names
        self.closing = source.closing_states.get(bundle.table, CLOSING.get(bundle.table, OTHERS))
        self.link = {"url": _link(source, bundle.table, self.case_id)}

    def events(self) -> list[Event]:
        """All of it."""
        names = self.names
        initial = {names[field]: text for field, value in self.row.items() if field in names and (text := _text(value)) is not None}
        rows = sorted(self.bundle.audits, key=lambda one: (str(one["sys_created_on"]), str(one["sys_id"])))
        changes: list[Event] = []
        first: dict[str, str | None] = {}
        now: dict[str, str | None] = {}
        for one in rows:
            field, before, after = str(one["fieldname"]), _text(one.get("oldvalue")), _text(one.get("newvalue"))
            at = _instant(one["sys_created_on"])
            if field in OWN or field.startswith("sys_"):
                continue
            if before is None and at == self.made_at:  # what it was made with, not a change
                first.setdefault(field, after)
                now[field] = after
                continue
            first.setdefault(field, before)
            now[field] = after
            changes += self._change(one, field, at, before, after)
        initial |= {self.names[field]: value for field, value in first.items() if field in self.names and value is not None}
        for field, value in first.items():
            if field in self.names and value is None:
                initial.pop(self.names[field], None)
        present = _text(self.row.get("state"))
        untouched = not rows and str(self.row.get("sys_mod_count") or "0") == "0"
        self.whole = now["state"] == present if "state" in now else untouched or bool(rows)
        initial["table"] = self.bundle.table
        who, facts = self._who(_text(self.row.get("sys_created_by"))), {**self.link, "attributes": dict(sorted(initial.items()))}
        made = [self._event("created", self.made_at, Activity.CREATED, who, facts, revision=self.read_at)]
        # Where a record that was worked on has no audit of its state, when it was closed is not known.
        if initial.get("status") in self.closing and ("state" in first or str(self.row.get("sys_mod_count") or "0") == "0"):
            made.append(self._event("made_closed", self.made_at, Activity.CLOSED, who, dict(self.link), change=("status", None, initial["status"])))
        return [*made, *changes, *map(self._said, self.bundle.journal)]

    def _change(self, one: Row, field: str, at: Instant, before: str | None, after: str | None) -> Iterator[Event]:
        number, who = f"audit/{one['sys_id']}", self._who(_text(one.get("user")))
        if field == TIME:
            seconds = (_duration(after) - _duration(before)) // SECOND
            if seconds > 0:
                yield self._event(number, at, Activity.TIME_LOGGED, who, {**self.link, "seconds": seconds})
            return
        kept = field in self.names
        change = (self.names.get(field, field), before if kept else None, after if kept else None)
        activity = Activity.CHANGED
        if field == "state" and (before in self.closing) != (after in self.closing):
            activity = Activity.CLOSED if after in self.closing else Activity.REOPENED
        yield self._event(number, at, activity, who, dict(self.link), change=change)

    def _said(self, one: Row) -> Event:
        detail: dict[str, Any] = {**self.link, "public": JOURNAL[str(one["element"])]}
        if text := own_words(str(one.get("value") or "")):
            detail["value"] = text
        return self._event(f"journal/{one['sys_id']}", _instant(one["sys_created_on"]), Activity.COMMENTED, self._who(_text(one.get("sys_created_by"))), detail)

    def _who(self, user: str | None) -> Who:
        """The platform is the system; whom the record is for is its customer; all others work here."""
        if user is None or user in MACHINES:
            return ActorKind.SYSTEM, user
        return (ActorKind.CUSTOMER if user == self.bundle.caller else ActorKind.OPERATOR), user

    def _event(
        self,
        number: str,
        at: Instant,
        activity: Activity,
        who: Who,
        detail: dict[str, Any],
        *,
        change: tuple[str | None, str | None, str | None] = (None, None, None),
        revision: int = 0,
    ) -> Event:
        name = self.source.name
        return Event(name, name, self.case_id, f"{self.case_id}/{number}", at, activity, *who, *change, detail, revision)


def _approval(source: Servicenow, row: Row) -> Iterator[Event]:
    """One approver's part: asked when the row was made, decided when its state was last set. It is asked of a record of our tables only."""
    table, case_id = _text(row.get("source_table")), _text(row.get("sysapproval") or row.get("document_id"))
    if case_id is None or (table is not None and table not in source.tables):
        return
    name, number, updated = source.name, f"{case_id}/approval/{row['sys_id']}", _instant(row["sys_updated_on"])
    link = {"url": _link(source, table or "task", case_id)}
    requested = (_instant(row["sys_created_on"]), Activity.APPROVAL_REQUESTED, ActorKind.SYSTEM, None, None, None, None)
    yield Event(name, name, case_id, f"{number}/requested", *requested, dict(link))
    activity = DECISIONS.get(str(row.get("state")))
    if activity is not None:
        user = _text(row.get("sys_updated_by"))
        kind = ActorKind.SYSTEM if user is None or user in MACHINES else ActorKind.OPERATOR
        yield Event(name, name, case_id, f"{number}/decided", updated, activity, kind, user, None, None, None, dict(link), updated // SECOND)


def _assisted(source: Servicenow, row: Row) -> Iterator[Event]:
    """An answer of Now Assist about a record is a recommendation; what people said of it decides it."""
    table, case_id = _text(row.get("metadata_table")), _text(row.get("metadata_document"))
    if case_id is None or table not in source.tables:
        return
    name, number = source.name, f"{case_id}/assist/{row['sys_id']}"
    skill = _text(row.get("skill_config")) or "unknown"
    detail: dict[str, Any] = {"url": _link(source, table, case_id), "action": f"now_assist:{skill}", "via": ["now_assist"]}
    at = _stamp(row.get("completed_at")) or _instant(row["sys_created_on"])
    proposed = {**detail, "value": text} if (text := own_words(_text(row.get("response")) or "")) else detail
    yield Event(name, name, case_id, f"{number}/answer", at, Activity.RECOMMENDED, ActorKind.AGENT, "now_assist", None, None, None, proposed)
    activity, decided_at = FEEDBACK.get((_text(row.get("feedback")) or "").lower()), _stamp(row.get("feedback_timestamp"))
    if activity is None or decided_at is None:  # what was ignored, or is only guessed from what people did, decides nothing
        return
    said = {"url": detail["url"], "action": detail["action"], "recommendation": f"{number}/answer"}
    if edited := own_words(_text(row.get("edited_response")) or ""):
        said["value"] = edited
    user, revision = _text(row.get("sys_updated_by")), _instant(row["sys_updated_on"]) // SECOND
    yield Event(name, name, case_id, f"{number}/feedback", decided_at, activity, ActorKind.OPERATOR, user, None, None, None, said, revision)


def _text(value: Any) -> str | None:
    """A value as the table has it; references may come with a link, nothing is empty text."""
    if type(value) is str and value[:1] != "[":
        return value or None
    return text_value(value.get("value") if isinstance(value, dict) else value)


@lru_cache(maxsize=10_000)
def _instant(text: Any) -> Instant:
    """A time of the table: UTC, whole seconds. Many rows share one."""
    if not isinstance(text, str) or not _TIME.fullmatch(text):
        raise ValueError("no time such as 2026-01-15 10:05:33")
    return parse_instant(f"{text.replace(' ', 'T')}Z")


def _stamp(value: Any) -> Instant | None:
    return _instant(value) if isinstance(value, str) and _TIME.fullmatch(value) else None


def _dated(text: str | None) -> str | None:
    return format_instant(_instant(text)) if text is not None and _TIME.fullmatch(text) else text


def _duration(text: str | None) -> int:
    """Durations are times since 1970."""
    at = _stamp(text)
    return 0 if at is None else at - _EPOCH


def _written(at: Instant) -> str:
    return format_instant(at - at % SECOND).removesuffix("Z").replace("T", " ")


def _link(source: Servicenow, table: str, number: str) -> str:
    return f"{source.address}/nav_to.do?uri={table}.do%3Fsys_id%3D{number}"
