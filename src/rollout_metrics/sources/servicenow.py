"""ServiceNow's Table API: records of task tables with their audit rows and journals, approvals, and what became of Now Assist's answers."""

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any, ClassVar, Self

import msgspec
from pydantic import Field, SecretStr, model_validator

from rollout_metrics.collect.change_options import ChangeOptions, gone
from rollout_metrics.collect.http import Answer, Api, Endpoint, basic, bearer, decode
from rollout_metrics.collect.limits import ResetHeader, ResetKind
from rollout_metrics.collect.paging import Slice, link_headers, moving, next_link
from rollout_metrics.collect.parts import Part, parts_of
from rollout_metrics.collect.reconcile import Reconciled, Roll, batches
from rollout_metrics.collect.records import told
from rollout_metrics.collect.source import Named, Page, Refused, Told, Window
from rollout_metrics.domain.errors import TruncatedError
from rollout_metrics.domain.time import SECOND, Instant
from rollout_metrics.sources._servicenow_beside import ANSWERS, APPROVALS, ASSIST, BESIDE, DELETED, PLANS, TIMES
from rollout_metrics.sources._servicenow_names import API, names
from rollout_metrics.sources._servicenow_rows import Account, Bundle, Row, stamp_of, text_of, written
from rollout_metrics.sources._servicenow_story import ATTRIBUTES, record_told

AT_ONCE = 100
"""Records in a page."""
ROWS = 1000
"""Rows of their histories in a page."""
REFUSED = frozenset((400, 403, 404))
"""How a table is answered that the account may not read, or that is not installed."""


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
    ai_agents: bool = False
    """Read for which records AI agents ran; needs the right to read sn_aia_execution_plan."""
    surveys: Mapping[str, float] = {}
    """Question of a survey (the sys_id in asmt_metric) -> the lowest answer that is good; lower ones are bad. Only these are read, from asmt_metric_result."""
    time_rows: bool = False
    """Take time from task_time_worked, which says who worked, instead of the audit of the field time_worked."""
    deletions: bool = False
    """Read when records were deleted and by whom; needs the right to read sys_audit_delete."""
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
            for fresh, found in self._changed(api, part, window.end):
                if (refusal := _refused(found.answer, part.name)) is not None:
                    yield Page([refusal], found.answer.where, *part.reached(part.since))
                    continue
                bundles = self._complete(api, part.name, [row for row, _ in fresh])
                at = fresh[-1][1] if fresh else at
                yield Page(bundles, found.answer.where, *part.reached(at))
            yield Page([], part.name, *part.reached(window.end))

    def events(self, page: Page) -> Iterator[Told]:
        """What happened to each record, and what the tables beside them say of it."""
        return told(page, partial(_translated, self._account()), lambda bundle: f"row {str(bundle.row.get('sys_id'))[:32]}")

    def lacking(self, api: Api) -> Iterator[str]:
        """Tables that cannot be read, and those whose changes are not audited."""
        for table in (*self._parts(), "sys_audit", "sys_journal_field", "sys_user"):
            answer = api.get(API + table, {"sysparm_limit": 1, "sysparm_fields": "sys_id"}, accept=REFUSED)
            if (refusal := _refused(answer, table)) is not None:
                yield refusal.message
        asked = f"internal_type=collection^nameIN{','.join((*self.tables, *((APPROVALS,) if self.approvals else ())))}"
        answer = api.get(API + "sys_dictionary", {"sysparm_query": asked, "sysparm_fields": "name,audit"}, accept=REFUSED)
        if answer.status != 200:
            yield f"sys_dictionary cannot be read ({answer.status}): whether tables are audited is not known; let the account read it"
            return
        audited = {row.get("name") for row in decode(answer, _FOUND).result if str(row.get("audit")) == "true"}
        for table in self.tables:
            if table not in audited:
                yield f"{table} is not audited: switch on Audit in its dictionary entry (it is not inherited from task), or its changes cannot be seen"
        if self.approvals and APPROVALS not in audited:
            yield f"{APPROVALS} is not audited: switch on Audit in its dictionary entry, or an approval counts as decided when anything last touched it"

    def names(self, api: Api) -> Iterator[Named]:
        """Names of groups, services and catalog items, labels of choices and of the account's own fields, what skills and use cases of AI are called."""
        return names(api, self._account(), frozenset(self._parts()))

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
        beside = {
            APPROVALS: self.approvals,
            ASSIST: self.now_assist,
            PLANS: self.ai_agents,
            ANSWERS: self.surveys,
            TIMES: self.time_rows,
            DELETED: self.deletions,
        }
        return (*self.tables, *(table for table, read in beside.items() if read))

    def _account(self) -> Account:
        names = {**ATTRIBUTES, **self.fields}
        return Account(self.name, self.address, frozenset(self.tables), names, self.closing_states, self.surveys, self.time_rows, self.changes)

    def _changed(self, api: Api, part: Part, end: Instant) -> Iterator[tuple[list[tuple[Row, Instant]], Slice[Row]]]:
        """Rows updated in [since, end), oldest first. A short page is no end: rows that the account may not see are cut out of it after it was counted."""
        beside = BESIDE.get(part.name)
        stamp = beside.stamp if beside else "sys_updated_on"
        conditions = (self.query.get(part.name), beside.where(self._account()) if beside else None)
        more = "".join(f"^{condition}" for condition in conditions if condition)

        def ask(since: Instant, following: str | None) -> Slice[Row]:
            query = f"{stamp}>={written(since)}^{stamp}<{written(end + SECOND - 1)}{more}^ORDERBY{stamp}^ORDERBYsys_id"
            asked = None if following else self._asked(query, AT_ONCE, beside.fields if beside else None)
            answer = api.get(following or API + part.name, asked, accept=REFUSED if beside else frozenset())
            return Slice([], answer) if answer.status in REFUSED else Slice(_rows_of(decode(answer, _FOUND), answer), answer, next_link(answer))

        return moving(ask, part.since, end, key=lambda row: str(row.get("sys_id")), changed_at=lambda row: stamp_of(row.get(stamp)), exact=False)

    def _complete(self, api: Api, table: str, rows: list[Row]) -> list[Bundle]:
        """The rows with their audit and journal; of those beside the records some have an audit, all others say all by themselves."""
        bundles = [Bundle(table, row) for row in rows]
        ids = {str(row.get("sys_id")): bundle for row, bundle in zip(rows, bundles, strict=True)}
        beside, known = BESIDE.get(table), ",".join(ids)
        if not ids or (beside is not None and beside.audited is None):
            return bundles
        only = f"^fieldname={beside.audited}" if beside is not None else ""
        trails = [("sys_audit", "documentkey", f"tablename={table}^documentkeyIN{known}{only}")]
        if beside is None:
            trails.append(("sys_journal_field", "element_id", f"name={table}^element_idIN{known}"))
        for name, key, query in trails:
            for found, _ in self._rows(api, name, f"{query}^ORDERBYsys_created_on^ORDERBYsys_id"):
                for one in found:
                    bundle = ids.get(str(one.get(key)))
                    if bundle is not None:
                        (bundle.audits if name == "sys_audit" else bundle.journal).append(one)
        callers = {caller for row in rows if (caller := text_of(row.get("caller_id") or row.get("requested_for")))}
        names = self._names(api, callers) if callers else {}
        for row, bundle in zip(rows, bundles, strict=True):
            bundle.caller = names.get(text_of(row.get("caller_id") or row.get("requested_for")) or "")
        return bundles

    def _names(self, api: Api, users: set[str]) -> dict[str, str]:
        """User names by sys_id: the audit knows only names, records only ids."""
        found = self._rows(api, "sys_user", f"sys_idIN{','.join(sorted(users))}^ORDERBYsys_id", fields="sys_id,user_name")
        return {str(row["sys_id"]): str(row["user_name"]) for rows, _ in found for row in rows if row.get("sys_id") and row.get("user_name")}

    def _rows(self, api: Api, table: str, query: str, *, fields: str | None = None) -> Iterator[tuple[list[Row], Answer]]:
        """All rows that a query finds, by the links that lead from page to page."""
        asked = self._asked(query, ROWS, fields)
        return ((_rows_of(page, answer), answer) for page, answer in link_headers(api, API + table, asked, _FOUND, records=lambda page: page.result))

    def _asked(self, query: str, limit: int, fields: str | None) -> dict[str, Any]:
        asked = {"sysparm_query": query, "sysparm_limit": limit, "sysparm_display_value": "false", "sysparm_exclude_reference_link": "true"}
        return asked if fields is None else {**asked, "sysparm_fields": fields}


def _rows_of(page: _Found, answer: Answer) -> list[Row]:
    """The rows of a page; one that ran out of time holds what it found until then, and an error beside it."""
    if page.error is not None:
        raise TruncatedError(f"{answer.where} ended with an error after {len(page.result)} rows: the list was cut short")
    return page.result


def _refused(answer: Answer, table: str) -> Refused | None:
    """That a table may not be read, or is not there, where the answer says so."""
    if answer.status not in REFUSED:
        return None
    return Refused(table, f"{table} cannot be read ({answer.status}): give the account a role that may read it, or leave it out of the options")


def _translated(account: Account, bundle: Bundle) -> list[Told]:
    beside = BESIDE.get(bundle.table)
    return list(record_told(account, bundle) if beside is None else beside.tell(account, bundle))
