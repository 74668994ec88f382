"""What rows of Dynamics 365 say of cases: the audit log, notes, emails, resolutions."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import msgspec

from rollout_metrics.collect.source import Coverage, Told
from rollout_metrics.collect.story import NOBODY, Story, Who, edited
from rollout_metrics.collect.texts import plain, said
from rollout_metrics.domain.events import Activity, ActorKind, Event, text_value
from rollout_metrics.domain.time import Instant, parse_instant

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
SCORES: Mapping[str, str] = {"5": "good", "4": "good", "2": "bad", "1": "bad"}
CREATED, DELETED = 1, 3
"""Operations."""
MERGE, REJECT, APPROVE = 12, 27, 28
"""Actions."""
OPEN = (None, "0")
AUDITS, NOTES, EMAILS, RESOLUTIONS, GAP = "audits", "annotations", "emails", "incidentresolutions", "gap"
WHAT = "@Microsoft.Dynamics.CRM.lookuplogicalname"
GUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$", re.IGNORECASE)
GUID_LENGTH = 36
CUSTOMER: Who = (ActorKind.CUSTOMER, None)


class Row(msgspec.Struct):
    """A row as it was read, of which kind, and the users who are no people."""

    kind: str
    row: dict[str, Any]
    machines: frozenset[str] = frozenset()


class _Changed(msgspec.Struct):
    logical_name: str = msgspec.field(name="logicalName")
    old: Any = msgspec.field(name="oldValue", default=None)
    new: Any = msgspec.field(name="newValue", default=None)


class _ChangeData(msgspec.Struct):
    changed: list[_Changed] = msgspec.field(name="changedAttributes", default_factory=list)


ROW = msgspec.json.Decoder(Row)
_CHANGE_DATA = msgspec.json.Decoder(_ChangeData)


class Account(msgspec.Struct, frozen=True):
    """What a source says of its rows."""

    name: str
    address: str
    tables: tuple[str, ...]
    fields: Mapping[str, str]

    def attribute(self, name: str) -> str:
        """What a column is called in events."""
        return self.fields.get(name) or ATTRIBUTES.get(name) or name

    def side(self, name: str, value: Any) -> str | None:
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

    def story(self, case_id: Any) -> Story:
        """What all events of a case share; the log's rows have ids of their own."""
        return Story(self.name, str(case_id), {"via": []}, ids="")


def row_told(account: Account, one: Row) -> Iterator[Event]:
    """The events of a row, with the address of the case where it is known which table that is of."""
    for event in TOLD[one.kind](account, one) if one.kind in TOLD else ():
        if len(account.tables) == 1:
            event.detail["url"] = f"{account.address}/main.aspx?pagetype=entityrecord&etn={account.tables[0]}&id={event.case_id}"
        yield event


def covered(rows: Iterable[Row], found: Iterable[Told]) -> Iterable[Coverage]:
    """Of how many cases of a page the log tells without a break what state led to what; stretches in which it was off are none of them."""
    states: dict[str, str | None] = {}
    broken, told = set[str](), set[str]()
    audited = {one.row.get("_objectid_value") for one in rows if one.kind == AUDITS}
    for event in found:
        if isinstance(event, Event) and event.case_id in audited:
            told.add(event.case_id)
        if isinstance(event, Event) and event.attribute == "state":
            if states.get(event.case_id, event.before) != event.before:
                broken.add(event.case_id)
            states[event.case_id] = event.after
    total = len(told) + sum(one.kind == GAP for one in rows)
    return [Coverage("history", len(told) - len(broken), total)] if total else ()


def _audited(account: Account, one: Row) -> list[Event]:
    """One row of the log: a creation with all that it set, a deletion, or an event for each column that changed."""
    row, who, at = one.row, _who(one), parse_instant(one.row["createdon"])
    number, action, story = str(row["auditid"]), row["action"], account.story(row["_objectid_value"])
    marks = {"via": ["impersonated"]} if row.get("_callinguserid_value") else {}
    changed = _CHANGE_DATA.decode(row["changedata"]).changed if row.get("changedata") else []
    if row["operation"] == DELETED:
        return [story.event(number, at, Activity.DELETED, who, marks)]
    changed = [each for each in changed if each.logical_name not in BOOKKEEPING]
    if row["operation"] == CREATED:
        values = {account.attribute(each.logical_name): account.side(each.logical_name, each.new) for each in changed}
        return story.made(at, who, [("table", str(row["objecttypecode"])), *sorted(values.items())], marks, numbers=(number, number))
    made = [_changed(account, story, each, (number, at, who, marks), absorbs=action == MERGE) for each in changed]
    if action in (APPROVE, REJECT):
        made.insert(0, story.event(f"{number}:answer", at, Activity.APPROVED if action == APPROVE else Activity.REJECTED, who, marks))
    return [event for event in made if event is not None]


def _changed(account: Account, story: Story, each: _Changed, row: tuple[str, Instant, Who, Mapping[str, Any]], *, absorbs: bool) -> Event | None:
    """What became of a column; `row`: number, time, actor and marks of the log's row."""
    name, (number, at, who, marks) = each.logical_name, row
    number = f"{number}:{name}"
    before, after = account.side(name, each.old), account.side(name, each.new)
    if name == SATISFACTION:
        score = SCORES.get(str(each.new))
        return None if score is None else story.event(number, at, Activity.RATED, CUSTOMER, {**marks, "score": score})
    if name == "masterid" and (absorbs or each.new):
        return story.event(number, at, Activity.ABSORBED, who, marks)
    activity = Activity.CHANGED
    if name == "statecode" and (before in OPEN) != (after in OPEN):
        activity = Activity.REOPENED if after in OPEN else Activity.CLOSED
    elif name == "isescalated" and after == "true":
        activity = Activity.ESCALATED
    return story.event(number, at, activity, who, marks, change=(account.attribute(name), before, after))


def _said(account: Account, one: Row) -> Iterable[Event]:
    """A note, which is internal, or an email about one of our rows."""
    row, email = one.row, one.kind == EMAILS
    if email and row.get(f"_regardingobjectid_value{WHAT}") not in account.tables:
        return ()
    case_id = row["_regardingobjectid_value" if email else "_objectid_value"]
    who = CUSTOMER if email and row.get("directioncode") is False else _who(one)
    words = said(plain(str(row.get("description" if email else "notetext") or "")), public=email)
    number = f"comment/{row['activityid' if email else 'annotationid']}"
    return [account.story(case_id).event(number, parse_instant(row["createdon"]), Activity.COMMENTED, who, words, revision=_edited(row))]


def _resolved(account: Account, one: Row) -> Iterable[Event]:
    """The time that a resolution says was spent."""
    row = one.row
    if not row.get("timespent"):
        return ()
    at, spent, number = parse_instant(row["createdon"]), {"seconds": int(row["timespent"]) * 60}, f"resolution/{row['activityid']}"
    return [account.story(row["_incidentid_value"]).event(number, at, Activity.TIME_LOGGED, _who(one), spent, revision=_edited(row))]


TOLD: Mapping[str, Callable[[Account, Row], Iterable[Event]]] = {AUDITS: _audited, NOTES: _said, EMAILS: _said, RESOLUTIONS: _resolved}


def _who(one: Row) -> Who:
    """Who called, for which an impersonated user's name may stand; applications are the system until they are named as agents."""
    row = one.row
    user = row.get("_callinguserid_value") or row.get("_userid_value") or row.get("_createdby_value")
    if not isinstance(user, str):
        return NOBODY
    return ActorKind.SYSTEM if user in one.machines else ActorKind.OPERATOR, user.lower()


def _edited(row: Mapping[str, Any]) -> int:
    return edited(row["createdon"], row.get("modifiedon"))
