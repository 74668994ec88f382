"""What a record of Salesforce went through, told by its field history and what belongs to it: comments, emails, posts, approvals."""

import re
from collections.abc import Iterable, Iterator, Mapping
from operator import itemgetter
from typing import Any

import msgspec

from rollout_metrics.collect.source import Told
from rollout_metrics.collect.story import MILLISECOND, NOBODY, UNCHANGED, Story, Who, of_status
from rollout_metrics.collect.texts import plain, said
from rollout_metrics.domain.events import Activity, ActorKind, Event, text_value
from rollout_metrics.domain.time import Instant, parse_instant
from rollout_metrics.sources._salesforce_names import own
from rollout_metrics.sources._salesforce_pages import KINDS, STEPS, USER, WORK_ITEMS, Bundle, History, full_id
from rollout_metrics.sources._salesforce_sessions import Session

OWNER = frozenset(("Owner", "OwnerId", "ownerAssignment", "ownerAccepted", "ownerEscalated"))
"""Names under which the history tells a change of the owner."""
NOTHING_NEW = frozenset(("created", "feedEvent", "locked", "unlocked"))
"""Entries of the history that are no change of a field."""
WORDLESS = frozenset(("EntityId", "DynamicEnum", "StaticEnum", "Boolean", "MultiEnum", "Currency", "Double", "Percent", "Integer", "DateOnly", "DateTime"))
"""Types of values that hold no free text."""
ENTITY = "EntityId"
ID = re.compile(r"[0-9A-Za-z]{15}(?:[0-9A-Za-z]{3})?$")
SHORT = frozenset((USER, "00G", "012"))
"""Beginnings of ids of users, groups and record types, which may come in 15 characters."""
AUTOMATIC = frozenset(("AutomatedProcess", "CloudIntegrationUser"))
OUTSIDE = frozenset(("Guest", "PowerPartner", "PowerCustomerSuccess", "CustomerSuccess", "CspLitePortal", "SelfService"))
"""Types of users of portals and sites."""
AGENTFORCE = "agentforce"
STEP: Mapping[str, tuple[Activity, str | None]] = {
    "Started": (Activity.APPROVAL_REQUESTED, None),
    "Approved": (Activity.APPROVED, None),
    "Rejected": (Activity.REJECTED, None),
    "Removed": (Activity.CHANGED, "approval"),
    "Reassigned": (Activity.CHANGED, "approver"),
}
"""What a step of an approval process is; all else says nothing new."""
DECISIONS: Mapping[str, Activity] = {"approved": Activity.APPROVED, "rejected": Activity.REJECTED}


class Terms:
    """What is the same for all records of a page; fields and people are worked out once."""

    def __init__(self, name: str, address: str, fields: Mapping[str, str], bundle: Bundle) -> None:
        """`name` of the source; `address` of the organisation; `fields` as the source has them; `bundle`: any of the page."""
        self.name, self.address = name, address
        self.names = {**KINDS[bundle.name].fields, **fields}
        self.kept = frozenset(self.names.values())
        self.closing = frozenset(bundle.closing)
        self.fields: dict[str, tuple[str, bool]] = {}
        """What `attribute` has said so far."""
        self.people: dict[Any, Who] = {}
        """What `meet` has said so far."""
        self._texts: dict[str, str | None] = {}

    def text(self, value: Any) -> str | None:
        """A field's value as text; ids in 18 characters, several choices as a list. Records of a page hold the same few values."""
        if not isinstance(value, str):
            return text_value(value)
        try:
            return self._texts[value]
        except KeyError:
            id_of_15 = len(value) == 15 and value[:3] in SHORT and ID.match(value)
            found = self._texts[value] = full_id(value) if id_of_15 else text_value(value.split(";") if ";" in value else value)
            return found

    def sides(self, row: History, *, known: bool) -> tuple[str | None, str | None]:
        """What was and what is; names of people and free text are left out."""
        if row.field in OWNER or row.data_type == ENTITY:
            before, after = self.text(row.old), self.text(row.new)
            return before if before and ID.match(before) else None, after if after and ID.match(after) else None
        return (self.text(row.old), self.text(row.new)) if known or row.data_type in WORDLESS else (None, None)

    def attribute(self, field: str) -> tuple[str, bool]:
        """What a field of the history is called here, and whether its values are wanted whatever they are."""
        named = self.names.get("OwnerId" if field in OWNER else field)
        found = self.fields[field] = (own(field) if named is None else named, named is not None)
        return found

    def meet(self, user: Any, kind: str) -> Who:
        """Staff, unless the user's type says a portal's, a site's or a machine's."""
        if not isinstance(user, str) or not user.startswith(USER):
            found: Who = ActorKind.SYSTEM, user if isinstance(user, str) else None
        else:
            is_a = ActorKind.SYSTEM if kind in AUTOMATIC else ActorKind.CUSTOMER if kind in OUTSIDE else ActorKind.OPERATOR
            found = is_a, full_id(user)
        self.people[user] = found
        return found


def record_told(terms: Mapping[str, Terms], bundle: Bundle) -> list[Told]:
    """The events of a record, and whether its history is whole."""
    if bundle.odd:  # as odd as before, the record is set aside with them
        bundle = msgspec.structs.replace(bundle, histories=bundle.histories + [msgspec.convert(row, History) for row in bundle.odd], odd=[])
    return RecordStory(terms[bundle.name], bundle).told()


def session_ended(name: str, address: str, session: Session) -> Event:
    """A session's end: by handing over to people, or otherwise."""
    handed = session.how == "escalated"
    activity, change = (Activity.ESCALATED, UNCHANGED) if handed else (Activity.CHANGED, ("agent_session", None, session.how))
    detail = {"via": [AGENTFORCE], **({"reason": session.how} if handed else {})}
    story = Story(name, full_id(session.case_id), {"url": f"{address}/{session.case_id}"})
    return story.event(f"session/{session.id}", parse_instant(session.ended_at), activity, (ActorKind.AGENT, AGENTFORCE), detail, change=change)


class RecordStory(Story):
    """One record's events."""

    def __init__(self, terms: Terms, bundle: Bundle) -> None:
        case_id = full_id(bundle.record["Id"])
        super().__init__(terms.name, case_id, {"url": f"{terms.address}/{case_id}", "via": []})
        self.bundle, self.record, self.terms = bundle, bundle.record, terms
        self.whole = bundle.tracked

    def events(self) -> list[Event]:
        """All of it."""
        record, names, text = self.record, self.terms.names, self.terms.text
        made_at, who = parse_instant(record["CreatedDate"]), self._who(record.get("CreatedById"))
        now = {names[field]: text(record[field]) for field in names if record.get(field) is not None}
        changes, initial = self._changes(now)
        attributes = [("object", self.bundle.name), *sorted(initial.items())]
        found = self.made(made_at, who, attributes, closing=self.terms.closing, revision=_stamp(record))
        found += changes
        for row in self.bundle.children:
            found += self._child(row)
        if record.get("IsDeleted"):
            ended = Activity.ABSORBED if record.get("MasterRecordId") is not None else Activity.DELETED
            found.append(self.event("deleted", parse_instant(record["SystemModstamp"]), ended, self._who(record.get("LastModifiedById")), revision=1))
        return found

    def _changes(self, now: dict[str, str | None]) -> tuple[list[Event], dict[str, str | None]]:
        """The history, and what the record began with: the old value of a field's first change, else what it is now."""
        initial, events = dict(now), list[Event]()
        current: dict[str, str | None] = {}
        labels, terms = self.bundle.labels, self.terms
        for at, _, row in _once(self.bundle.histories):
            attribute, known = terms.fields.get(row.field) or terms.attribute(row.field)
            before, after = terms.sides(row, known=known)
            status = attribute == "status"
            if status:
                before, after = labels.get(before or "", before), labels.get(after or "", after)
            if attribute not in current and attribute in terms.kept:
                initial[attribute] = before
            elif status and current.get(attribute) != before:
                self.whole = False
            current[attribute] = after
            activity = of_status(before, after, terms.closing) if status else Activity.CHANGED
            if row.field == "IsEscalated" and after == "true":
                activity = Activity.ESCALATED
            events.append(self.event(f"history/{row.id}", at, activity, self._who(row.by), change=(attribute, before, after)))
        if "status" in current and current["status"] != now.get("status"):
            self.whole = False
        if "status" not in current and (untold := self._untold(now.get("status"))) is not None:
            initial["status"], self.whole = None, False
            events.append(untold)
        return events, initial

    def _untold(self, status: str | None) -> Event | None:
        """A closing that the history lacks, as the record itself dates it: the history is kept for 18 to 24 months, and only where it is switched on."""
        closed = self.record.get("ClosedDate")
        if status not in self.terms.closing or not isinstance(closed, str) or closed == self.record["CreatedDate"]:
            return None
        return self.event("closed", parse_instant(closed), Activity.CLOSED, NOBODY, change=("status", None, status))

    def _child(self, row: dict[str, Any]) -> Iterator[Event]:
        name, at = row["object"], parse_instant(row["CreatedDate"])
        if name in STEPS:
            activity, attribute = STEP.get(str(row.get("StepStatus")), (None, None))
            if activity is not None:
                change = UNCHANGED if attribute is None else (attribute, None, "removed" if attribute == "approval" else row.get("ActorId"))
                who = self._who(row.get("OriginalActorId" if attribute == "approver" else "ActorId"))
                yield self.event(f"step/{row['Id']}", at, activity, who, change=change)
        elif name in WORK_ITEMS:
            asked_by = (row.get("ApprovalSubmission") or {}).get("CreatedById")
            yield self.event(f"approval/{row['Id']}", at, Activity.APPROVAL_REQUESTED, self._who(asked_by))
            decided = DECISIONS.get(str(row.get("Status")).lower())
            if decided is not None:
                stamp = parse_instant(row["LastModifiedDate"])
                yield self.event(f"approval/{row['Id']}/decided", stamp, decided, self._who(row.get("LastModifiedById")))
        else:
            yield self._said(row, at)

    def _said(self, row: dict[str, Any], at: Instant) -> Event:
        """A comment, an email or a post."""
        public = row.get("IsPublished", row.get("Visibility", "AllUsers")) in (True, "AllUsers")
        text = plain(str(row.get("CommentBody") or row.get("TextBody") or row.get("Body") or ""))
        who = (ActorKind.CUSTOMER, None) if row.get("Incoming") is True else self._who(row.get("CreatedById"))
        return self.event(f"comment/{row['Id']}", at, Activity.COMMENTED, who, said(text, public=public), revision=_stamp(row))

    def _who(self, user: Any) -> Who:
        return self.terms.people.get(user) or self.terms.meet(user, self.bundle.users.get(user, ""))


def _once(histories: Iterable[History]) -> list[tuple[Instant, str, History]]:
    """Each change once, in order: of lookups the history has a row with names and one with ids."""
    kept = [(parse_instant(row.at), row.id, row) for row in histories if row.field not in NOTHING_NEW]
    if len(kept) > 1:
        kept.sort(key=itemgetter(0, 1))
    of_ids = [row for _, _, row in kept if row.data_type == ENTITY or (row.field in OWNER and _of_ids(row))]
    if not of_ids:
        return kept
    numbers, twins = {row.id for row in of_ids}, {(row.at, row.field, row.by) for row in of_ids}
    return [one for one in kept if one[1] in numbers or (one[2].at, one[2].field, one[2].by) not in twins]


def _of_ids(row: History) -> bool:
    """Whether this row of an owner's two holds ids."""
    sides = [side for side in (row.old, row.new) if side is not None]
    return bool(sides) and all(isinstance(side, str) and ID.match(side) is not None for side in sides)


def _stamp(record: Mapping[str, Any]) -> int:
    """The time of its latest change in milliseconds: which of two readings is newer."""
    stamp = record.get("SystemModstamp")
    return parse_instant(stamp) // MILLISECOND if isinstance(stamp, str) else 0
