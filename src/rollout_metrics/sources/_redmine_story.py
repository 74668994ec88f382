"""What an issue of Redmine went through, told by its journals, and the time that was booked on it."""

from collections.abc import Iterator, Mapping

import msgspec

from rollout_metrics.collect.story import Story, Who, of_status, undone
from rollout_metrics.collect.texts import said
from rollout_metrics.domain.events import Activity, ActorKind, Event, text_value
from rollout_metrics.domain.time import parse_instant
from rollout_metrics.sources._redmine_pages import ENTRY, ISSUE, NONE, Detail, Entry, Issue, Journal, Kept, Ref

ATTRIBUTES: Mapping[str, str] = {
    "status_id": "status",
    "assigned_to_id": "assignee",
    "priority_id": "priority",
    "project_id": "project",
    "tracker_id": "tracker",
    "category_id": "category",
    "fixed_version_id": "target_version",
    "parent_id": "parent",
    "subject": "subject",
    "description": "description",
    "start_date": "start_date",
    "due_date": "due_date",
    "done_ratio": "done_ratio",
    "estimated_hours": "estimated_hours",
    "is_private": "private",
}
"""Canonical names of Redmine's fields as journals name them; custom fields become `custom:<id>`."""


class Account(msgspec.Struct, frozen=True):
    """What a source says of its issues. `fields`: custom field -> attribute; `customers`: ids of users."""

    name: str
    address: str
    fields: Mapping[str, str]
    customers: frozenset[str]

    def attribute(self, custom: str) -> str:
        """The attribute that a custom field is."""
        return self.fields.get(custom, f"custom:{custom}")

    def who(self, user: Ref | None) -> Who:
        """Customers are named in the configuration; everyone else is staff."""
        number = None if user is None else str(user.id)
        return ActorKind.CUSTOMER if number in self.customers else ActorKind.OPERATOR, number

    def story(self, issue: int) -> Story:
        """What all events of an issue share; Redmine's records are numbered each kind by itself."""
        return Story(self.name, str(issue), {"url": f"{self.address}/issues/{issue}"}, ids="")


def kept_told(account: Account, kept: Kept) -> list[Event]:
    """The events of an issue, or that time was booked on one."""
    if kept.entry != NONE:
        return _booked(account, ENTRY.decode(kept.entry))
    return IssueStory(account, frozenset(kept.closing), ISSUE.decode(kept.issue)).events()


def _booked(account: Account, entry: Entry) -> list[Event]:
    if entry.issue is None:
        return []
    at, revision, seconds = parse_instant(entry.created_on), parse_instant(entry.updated_on), round(entry.hours * 3600)
    story = account.story(entry.issue.id)
    return [story.event(f"t{entry.id:020d}", at, Activity.TIME_LOGGED, account.who(entry.user), {"seconds": seconds}, revision=revision)]


class IssueStory:
    """The events of one issue."""

    def __init__(self, account: Account, closing: frozenset[str], issue: Issue) -> None:
        self.account, self.closing, self.issue = account, closing, issue
        self.story = account.story(issue.id)
        self.values = _now(account, issue)
        """Each attribute as it is at the place that has been reached, going backwards."""
        self.several = {str(custom.id) for custom in issue.custom_fields if custom.multiple}

    def events(self) -> list[Event]:
        """All there is to tell, oldest first: going back from now, the values before each change become known."""
        found: list[Event] = []
        for journal in reversed(self.issue.journals):
            found += self._journal(journal)
        issue = self.issue
        numbers, who = (f"i{issue.id:020d}", f"i{issue.id:020d}s"), self.account.who(issue.author)
        return [*self.story.made(parse_instant(issue.created_on), who, self.values.items(), closing=self.closing, numbers=numbers), *reversed(found)]

    def _journal(self, journal: Journal) -> Iterator[Event]:
        """A note, and what changed with it, last first."""
        number, at, who = f"j{journal.id:020d}", parse_instant(journal.created_on), self.account.who(journal.user)
        revision = 0 if journal.updated_on is None else parse_instant(journal.updated_on)
        if journal.notes:
            yield self.story.event(f"{number}n", at, Activity.COMMENTED, who, said(journal.notes, public=not journal.private_notes), revision=revision)
        for place in range(len(journal.details) - 1, -1, -1):
            detail = journal.details[place]
            attribute = self._attribute(detail)
            if attribute is None:
                continue
            before, after = self._sides(detail, attribute)
            self.values[attribute] = before
            if before != after:
                activity = of_status(before, after, self.closing) if attribute == "status" else Activity.CHANGED
                yield self.story.event(f"{number}:{place:04d}", at, activity, who, change=(attribute, before, after), revision=revision)

    def _sides(self, detail: Detail, attribute: str) -> tuple[str | None, str | None]:
        if detail.property == "cf" and detail.name in self.several:  # a detail for each value that came or went
            return undone(set(msgspec.json.decode(self.values.get(attribute) or "[]")), [detail.new_value], [detail.old_value])
        return text_value(detail.old_value), text_value(detail.new_value)

    def _attribute(self, detail: Detail) -> str | None:
        if detail.property == "attr":
            return ATTRIBUTES.get(detail.name)
        return self.account.attribute(detail.name) if detail.property == "cf" else None


def _now(account: Account, issue: Issue) -> dict[str, str | None]:
    """An issue's attributes as they are now; other records by their ids."""
    values: dict[str, str | None] = {}
    for name, attribute in ATTRIBUTES.items():
        value = getattr(issue, name.removesuffix("_id"))
        values[attribute] = text_value(str(value.id) if isinstance(value, Ref) else value)
    for custom in issue.custom_fields:
        values[account.attribute(str(custom.id))] = text_value(custom.value)
    return values
