"""What an issue of Jira went through, told by its changelog, comments, worklogs and approvals."""

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from rollout_metrics.collect.change_options import ChangeOptions
from rollout_metrics.collect.source import Told
from rollout_metrics.collect.story import NOBODY, Story, Who, edited, of_status, undone
from rollout_metrics.collect.texts import said
from rollout_metrics.domain.events import Activity, ActorKind, Event, text_value
from rollout_metrics.domain.time import Instant, parse_instant
from rollout_metrics.sources._jira_pages import Bundle, worded, words

ATTRIBUTES: Mapping[str, str] = {
    "assignee": "assignee",
    "components": "components",
    "creator": "submitter",
    "duedate": "due_date",
    "fixVersions": "fix_versions",
    "issuetype": "type",
    "labels": "labels",
    "parent": "parent",
    "priority": "priority",
    "project": "project",
    "reporter": "requester",
    "resolution": "resolution",
    "security": "security_level",
    "status": "status",
    "versions": "affected_versions",
}
"""Canonical names of Jira's fields; custom ones become `custom:<id>` or as `fields` says."""
NAMES: Mapping[str, str] = {
    "Component": "components",
    "Fix Version": "fixVersions",
    "IssueParentAssociation": "parent",
    "Parent": "parent",
    "Project": "project",
    "Version": "versions",
    "security": "security",
}
"""Field ids of changelog items that come without one."""
MEMBERS = frozenset(("components", "fixVersions", "versions"))
"""Fields whose changelog items add or take one member each."""
BY_NAME = frozenset(("labels", "duedate"))
"""Fields whose values have no ids."""
OWN = frozenset(("Comment", "WorklogId", "WorklogTimeSpent", "timespent"))
"""Items that repeat what comments and worklogs say."""
KINDS: Mapping[str, ActorKind] = {"app": ActorKind.SYSTEM, "customer": ActorKind.CUSTOMER}
DECISIONS: Mapping[str, Activity] = {"approved": Activity.APPROVED, "declined": Activity.REJECTED}
RECORD: Mapping[str, str] = {"id": "key", "title": "summary", "proposed_at": "created"}
"""Place in a change record -> the field that usually says it."""


class Terms(msgspec.Struct):
    """What is the same for all issues of a page. `link`: the address of issues, to which the id is added; `closing`: the statuses that close."""

    name: str
    link: str
    fields: Mapping[str, str]
    closing: frozenset[str]
    worklogs: bool
    satisfaction: tuple[str | None, str | None]
    """The fields of a customer's rating and of when it was given."""
    changes: ChangeOptions | None
    names: dict[str, str] = {}
    single: list[str] = []
    """Fields that hold one value."""
    others: dict[str, str] = {}
    """Attributes of fields that have no name here."""

    def __post_init__(self) -> None:
        self.names = {**ATTRIBUTES, **self.fields}
        self.single = [key for key in self.names if key not in MEMBERS]


def issue_told(terms: Terms, bundle: Bundle) -> list[Told]:
    """The events of an issue, whether its history is whole, and the change record that it may be."""
    story = IssueStory(terms, bundle)
    found = story.told()
    if terms.changes is not None:
        fields = {name: worded(value) for name, value in bundle.issue.fields.items()} | {"key": bundle.issue.key}
        found.append(terms.changes.reading(bundle.issue.id, story.read_at, fields, RECORD))
    return found


class IssueStory(Story):
    """One issue's events, oldest first."""

    def __init__(self, terms: Terms, bundle: Bundle) -> None:
        case_id = bundle.issue.id
        super().__init__(terms.name, case_id, {"url": terms.link + case_id} if terms.link else {})
        self.terms, self.bundle, self.fields = terms, bundle, bundle.issue.fields
        self.read_at = parse_instant(self.fields["updated"]) // 1000
        """Members are worked out backwards from the present ones, which may be older than the changelog: the latest reading holds."""
        self.revision = 0

    def events(self) -> list[Event]:
        """All of it."""
        changes, initial = self._changes()
        who, via = _actor(self.fields.get("creator") or self.fields.get("reporter"))
        made_at, closing = parse_instant(self.fields["created"]), self.terms.closing
        found = self.made(made_at, who, initial, {"via": via}, closing=closing, revision=self.revision)
        found += changes
        found += (self._comment(one) for one in self.bundle.comments)
        found += (self._worklog(one) for one in self.bundle.worklogs)
        found += self._approvals()
        found += self._rating()
        return found

    def _changes(self) -> tuple[list[Event], list[tuple[str, str | None]]]:
        """The changelog, oldest first, and what the issue began with: the `from` of a field's first change, else what it is now."""
        fields, names, others, closing, kept = self.fields, self.terms.names, self.terms.others, self.terms.closing, self.terms.fields
        now = {key: _value(value) for key in self.terms.single if (value := fields.get(key)) is not None}
        members = {key: {found for one in fields[key] if (found := _value(one)) is not None} if fields.get(key) else set[str]() for key in MEMBERS}
        histories = sorted((_instant(one.created), one.id.zfill(20), place) for place, one in enumerate(self.bundle.histories))
        events, event = list[Event](), self.event
        later: dict[str, str | None] = {}
        for at, number, place in reversed(histories):  # backwards: members before a change are those after it without the added one
            history = self.bundle.histories[place]
            who, via = _actor(history.author)
            detail = {"via": _labels(via, history.history_metadata)}
            for position in range(len(history.items) - 1, -1, -1):
                item = history.items[position]
                key = item.get("fieldId") or NAMES.get(item["field"]) or item["field"]
                if key in OWN:
                    events += self._worklog_gone(item, at, who, detail)
                    continue
                revision, activity = 0, Activity.CHANGED
                if key in MEMBERS:
                    self.revision = revision = self.read_at
                    come, gone = item.get("to"), item.get("from")
                    before, after = undone(members[key], (str(come),) if come else (), (str(gone),) if gone else ())
                elif key == "labels":
                    before, after = text_value((item.get("fromString") or "").split()), text_value((item.get("toString") or "").split())
                else:
                    by_words = key in kept or key in BY_NAME
                    before, after = _side(item.get("from"), item.get("fromString"), by_words), _side(item.get("to"), item.get("toString"), by_words)
                if key == "status":
                    self.whole = self.whole and after == later.get(key, now.get(key))
                    activity = of_status(before, after, closing)
                later[key] = before
                attribute = names.get(key) or others.get(key) or self._attribute(key)
                events.append(event(f"{number}:{position:02d}", at, activity, who, detail, change=(attribute, before, after), revision=revision))
        total = self.bundle.total
        self.whole = self.whole and (total is None or total <= len(histories))
        events.reverse()
        now.update((key, text_value(present)) for key, present in members.items())
        now.update((key, value) for key, value in later.items() if key in names)
        return events, [(names[key], value) for key, value in sorted(now.items())]

    def _attribute(self, key: str) -> str:
        name = self.terms.others[key] = f"custom:{key.removeprefix('customfield_')}" if key.startswith("customfield_") else key
        return name

    def _comment(self, one: dict[str, Any]) -> Event:
        who, via = _actor(one.get("author"))
        public = one.get("jsdPublic", True) is not False and not one.get("visibility")
        detail = {"via": via, **said(words(one.get("body")), public=public)}
        return self.event(
            f"comment/{one['id'].zfill(20)}",
            parse_instant(one["created"]),
            Activity.COMMENTED,
            who,
            detail,
            revision=edited(one["created"], one.get("updated")),
        )

    def _worklog(self, one: dict[str, Any]) -> Event:
        who, via = _actor(one.get("author"))
        detail = {"via": via, "seconds": int(one["timeSpentSeconds"])}
        return self.event(
            f"worklog/{one['id'].zfill(20)}",
            parse_instant(one["created"]),
            Activity.TIME_LOGGED,
            who,
            detail,
            revision=edited(one["created"], one.get("updated")),
        )

    def _worklog_gone(self, item: dict[str, Any], at: Instant, who: Who, detail: dict[str, Any]) -> Iterator[Event]:
        """A worklog that was taken back counts nothing; only the changelog still knows it."""
        if item["field"] == "WorklogId" and item.get("from") and not item.get("to") and self.terms.worklogs:
            number = str(item["from"]).zfill(20)
            yield self.event(f"worklog/{number}", at, Activity.TIME_LOGGED, who, {**detail, "seconds": 0}, revision=at // 1000 + 1)

    def _approvals(self) -> Iterator[Event]:
        for one in self.bundle.approvals:
            number = str(one["id"]).zfill(20)
            asked_at, over = _stamp(one.get("createdDate")), _stamp(one.get("completedDate"))
            if asked_at is not None:
                yield self.event(f"approval/{number}", asked_at, Activity.APPROVAL_REQUESTED, NOBODY)
            answers = [(each.get("approver"), DECISIONS.get(str(each.get("approverDecision")))) for each in one.get("approvers") or ()]
            decided = [(approver, activity) for approver, activity in answers if activity is not None]
            final = DECISIONS.get(str(one.get("finalDecision")))
            if over is None or final is None:  # when each one decided is told only by the end of the whole
                continue
            for approver, activity in decided or [(None, final)]:
                who, via = _actor(approver)
                yield self.event(f"approval/{number}/{who[1] or 'system'}", over, activity, who, {"via": via})

    def _rating(self) -> Iterator[Event]:
        rated, dated = (self.fields.get(name or "") for name in self.terms.satisfaction)
        stars = rated.get("rating") if isinstance(rated, dict) else rated
        if isinstance(stars, int | float) and stars != 3 and isinstance(dated, str):
            at = parse_instant(dated)
            yield self.event("rating", at, Activity.RATED, (ActorKind.CUSTOMER, None), {"score": "good" if stars > 3 else "bad"}, revision=at // 1000)


def _side(value: Any, spelled: Any, words: bool) -> str | None:
    """One side of a change: the id; words only where there is none and they were asked for, since words can be anything."""
    if value is None or value == "":
        return text_value(spelled) if words else None
    text = value if type(value) is str else str(value)
    return text_value([part.strip() for part in text[1:-1].split(",")]) if text[0] == "[" and text[-1] == "]" else text


def _actor(author: Any) -> tuple[Who, list[str]]:
    """Who it was, and what the account is: apps (automations, agents under their own name) are the system until they are named as agents."""
    if not isinstance(author, dict):
        return NOBODY, []
    account = author.get("accountType") or ""
    who = author.get("accountId") or author.get("key") or author.get("name")
    return (KINDS.get(account, ActorKind.OPERATOR), str(who) if who else None), [account] if account in KINDS else []


def _labels(via: list[str], metadata: dict[str, Any] | None) -> list[str]:
    """What marks a change as made through something: Jira's history metadata."""
    if not metadata:
        return via
    parts = [metadata.get("type"), *((metadata.get(name) or {}).get("id") for name in ("actor", "cause", "generator"))]
    return sorted({*via, *(str(part) for part in parts if part)})


def _value(value: Any) -> str | None:
    """A field's present value as its changelog would write it: by id."""
    if isinstance(value, dict):
        for name in ("accountId", "id", "key", "name", "value"):
            if value.get(name):
                return str(value[name])
        return _value(value.get("requestType"))
    if isinstance(value, list):
        return text_value([_value(one) for one in value])
    return text_value(value)


def _instant(value: int | str) -> Instant:
    """Cloud's bulk answers count milliseconds (the documentation's example: seconds), all else is written out."""
    if isinstance(value, str):
        return parse_instant(value)
    return value * 1000 if value >= 10**11 else value * 1_000_000


def _stamp(value: Any) -> Instant | None:
    if not isinstance(value, dict):
        return None
    millis = value.get("epochMillis")
    return int(millis) * 1000 if millis else parse_instant(value["iso8601"]) if value.get("iso8601") else None
