"""What a record of ServiceNow went through, told by its audit and its journal."""

from collections.abc import Mapping

from rollout_metrics.collect.source import Told
from rollout_metrics.collect.story import Story, Who, of_status
from rollout_metrics.collect.texts import said
from rollout_metrics.domain.events import Activity, ActorKind, Event
from rollout_metrics.domain.time import SECOND, Instant
from rollout_metrics.sources._servicenow_rows import MACHINES, Account, Bundle, Row, dated, instant_of, seconds_of, text_of

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
RECORD: Mapping[str, str] = {"id": "number", "title": "short_description", "proposed_at": "sys_created_on", "deployed_at": "work_end"}
"""Place in a change record -> the field that usually says it."""


def record_told(account: Account, bundle: Bundle) -> list[Told]:
    """The events of a record, whether its audit is whole, and the change record that it may be."""
    story = RowStory(account, bundle)
    found = story.told()
    if account.changes is not None and bundle.table == "change_request":
        fields = {name: dated(text_of(value)) for name, value in bundle.row.items()}
        found.append(account.changes.reading(story.case_id, story.read_at, fields, RECORD))
    return found


class RowStory(Story):
    """One record's events, oldest first."""

    def __init__(self, account: Account, bundle: Bundle) -> None:
        case_id = str(bundle.row["sys_id"])
        super().__init__(account.name, case_id, {"url": account.link(bundle.table, case_id)})
        self.account, self.bundle, self.row = account, bundle, bundle.row
        self.made_at = instant_of(bundle.row["sys_created_on"])
        self.read_at = instant_of(bundle.row["sys_updated_on"]) // SECOND
        self.names = account.attributes
        self.closing = account.closing_states.get(bundle.table, CLOSING.get(bundle.table, OTHERS))

    def events(self) -> list[Event]:
        """All of it."""
        names = self.names
        initial = {names[field]: text for field, value in self.row.items() if field in names and (text := text_of(value)) is not None}
        rows = sorted(self.bundle.audits, key=lambda one: (str(one["sys_created_on"]), str(one["sys_id"])))
        changes: list[Event] = []
        first: dict[str, str | None] = {}
        now: dict[str, str | None] = {}
        for one in rows:
            field, before, after = str(one["fieldname"]), text_of(one.get("oldvalue")), text_of(one.get("newvalue"))
            at = instant_of(one["sys_created_on"])
            if field in OWN or field.startswith("sys_"):
                continue
            if before is None and at == self.made_at:  # what it was made with, not a change
                first.setdefault(field, after)
                now[field] = after
                continue
            first.setdefault(field, before)
            now[field] = after
            if (event := self._change(one, field, at, before, after)) is not None:
                changes.append(event)
        initial |= {names[field]: value for field, value in first.items() if field in names and value is not None}
        for field, value in first.items():
            if field in names and value is None:
                initial.pop(names[field], None)
        present = text_of(self.row.get("state"))
        untouched = not rows and str(self.row.get("sys_mod_count") or "0") == "0"
        self.whole = now["state"] == present if "state" in now else untouched or bool(rows)
        initial["table"] = self.bundle.table
        # Where a record that was worked on has no audit of its state, when it was closed is not known.
        dated_by_it = "state" in first or str(self.row.get("sys_mod_count") or "0") == "0"
        who, closing, numbers = self._who(text_of(self.row.get("sys_created_by"))), self.closing if dated_by_it else (), ("created", "made_closed")
        made = self.made(self.made_at, who, sorted(initial.items()), closing=closing, numbers=numbers, revision=self.read_at)
        return [*made, *changes, *map(self._said, self.bundle.journal)]

    def _change(self, one: Row, field: str, at: Instant, before: str | None, after: str | None) -> Event | None:
        number, who = f"audit/{one['sys_id']}", self._who(text_of(one.get("user")))
        if field == TIME:
            seconds = seconds_of(after) - seconds_of(before)
            if seconds > 0 and not self.account.timed:
                return self.event(number, at, Activity.TIME_LOGGED, who, {"seconds": seconds})
            return None
        kept = field in self.names
        change = (self.names.get(field, field), before if kept else None, after if kept else None)
        activity = of_status(before, after, self.closing) if field == "state" else Activity.CHANGED
        return self.event(number, at, activity, who, change=change)

    def _said(self, one: Row) -> Event:
        detail, who = said(str(one.get("value") or ""), public=JOURNAL[str(one["element"])]), self._who(text_of(one.get("sys_created_by")))
        return self.event(f"journal/{one['sys_id']}", instant_of(one["sys_created_on"]), Activity.COMMENTED, who, detail)

    def _who(self, user: str | None) -> Who:
        """The platform is the system; whom the record is for is its customer; all others work here."""
        if user is None or user in MACHINES:
            return ActorKind.SYSTEM, user
        return (ActorKind.CUSTOMER if user == self.bundle.caller else ActorKind.OPERATOR), user
