"""What an issue or merge request of GitLab went through, told by its events and notes."""

import re
from collections.abc import Iterable, Iterator, Mapping

from rollout_metrics.collect.story import MILLISECOND, NOBODY, Change, Story, Who, edited, undone
from rollout_metrics.collect.texts import said
from rollout_metrics.domain.events import Activity, ActorKind, Event, text_value
from rollout_metrics.domain.time import HOUR, MINUTE, SECOND, Instant, Span, parse_instant
from rollout_metrics.sources._gitlab_pages import MERGE_REQUESTS, SIGNS, Bundle, Moved, Note, User

BOTS = re.compile(
    r"(?:project|group)_\d+_bot(?:_|\d|$)|(?:ghost|alert-bot|migration-bot|security-bot|automation-bot)\d*$|GitLabDuo$|duo-|service_account_", re.IGNORECASE
)
"""Accounts of tokens, services and agents; they are the system until they are named as agents."""
SERVICE_DESK = re.compile(r"(?:GitLab-)?support-bot\d*$", re.IGNORECASE)
"""Under whose name customers' mails become issues."""
UNITS: Mapping[str, Span] = {"mo": 160 * HOUR, "w": 40 * HOUR, "d": 8 * HOUR, "h": HOUR, "m": MINUTE, "s": SECOND}
_SPENT = re.compile(r"(added|subtracted) ((?:\d+(?:mo|[wdhms]) ?)+)(?:of )?time spent")
_PEOPLE = re.compile(r"@([\w.-]*\w)")
SAID: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern), meaning)
    for pattern, meaning in (
        (r"approved this merge request", "approved"),
        (r"unapproved this merge request", "unapproved"),
        (r"requested changes", "requested_changes"),
        (r"(?:un)?assigned |assigned to ", "assigned"),
        (r"requested review from |removed review request for ", "reviewer"),
        (r"changed title ", "subject"),
        (r"changed the description", "description"),
        (r"changed due date|removed due date", "due_date"),
        (r"marked (?:this merge request )?as (?:\*\*)?draft|marked this merge request as \*\*draft", "draft"),
        (r"marked (?:this merge request )?as (?:\*\*)?ready", "ready"),
        (r"marked this issue as a duplicate of|closed as a duplicate of", "duplicate"),
        (r"moved to ", "moved"),
        (r"added \d+ commits?", "head"),
        (r"(?:added|subtracted) .* time spent", "time"),
    )
)
"""What a system note begins with -> what it means. GitLab writes them in English; all others repeat events or say nothing of the item."""
PLAIN: Mapping[str, Change] = {
    "draft": ("draft", "false", "true"),
    "ready": ("draft", "true", "false"),
    "duplicate": ("duplicate", "false", "true"),
    "unapproved": ("review", "approved", None),
}
"""What of it is a change of an attribute that says all; of others only the fact is kept."""


class ItemStory(Story):
    """One item's events."""

    def __init__(self, name: str, bundle: Bundle) -> None:
        self.bundle, self.item, self.is_merge = bundle, bundle.item, bundle.kind == MERGE_REQUESTS
        super().__init__(name, f"{bundle.project}{SIGNS[bundle.kind]}{self.item.iid}", {"url": self.item.web_url, "via": []})
        self.read_at = parse_instant(self.item.updated_at) // MILLISECOND
        """Members are worked out backwards from the present ones, which may be older than the events: the latest reading holds."""
        self.revision = 0
        self.members = {"labels": set(self.item.labels), "assignee": {user.username for user in self.item.assignees}}
        self.milestone = self.item.milestone.title if self.item.milestone is not None else None

    def events(self) -> list[Event]:
        """All of it."""
        item, bundle = self.item, self.bundle
        told = [event for change in bundle.states for event in self._state(change)]
        told += [self._label(change) for change in sorted(bundle.labels, key=lambda one: one.id, reverse=True)]
        told += [self._milestone(change) for change in sorted(bundle.milestones, key=lambda one: one.id, reverse=True)]
        told += [event for note in sorted(bundle.notes, key=lambda one: one.id, reverse=True) for event in self._note(note)]
        told += self._untold()
        made_at, who = parse_instant(item.created_at), _who(item.author)
        known: dict[str, str | None] = {name: text_value(members) for name, members in self.members.items()}
        known |= {"milestone": self.milestone, "project": bundle.project, "status": "opened", "type": bundle.kind.removesuffix("s")}
        known |= {"branch": item.source_branch, "target": item.target_branch, "submitter": who[1]}
        found = self.made(made_at, who, sorted(known.items()), revision=self.revision)
        if self.is_merge:  # it asks to be merged
            found.append(self.event("opened", made_at, Activity.APPROVAL_REQUESTED, who, {"action": "merge"}))
        return found + told

    def _state(self, change: Moved) -> Iterator[Event]:
        at, who, number = parse_instant(change.created_at), _who(change.user), f"state/{change.id:020d}"
        if change.state in ("reopened", "opened"):
            yield self.event(number, at, Activity.REOPENED, who, change=("status", "closed", "opened"))
        elif change.state in ("closed", "merged"):
            yield from self._ended(number, change.state, at, who)

    def _ended(self, number: str, state: str, at: Instant, who: Who) -> Iterator[Event]:
        yield self.event(number, at, Activity.CLOSED, who, change=("status", "opened", state))
        if self.is_merge:  # that was the answer
            answer = Activity.APPROVED if state == "merged" else Activity.REJECTED
            yield self.event(f"{number}/merge", at, answer, who, {"action": "merge"})

    def _label(self, change: Moved) -> Event:
        """A label that was deleted since has no name any more: what was added or taken is not known."""
        labels = {change.label.name} if change.label is not None and change.label.name else set[str]()
        added = change.action == "add"
        sides = self._moved("labels", *((labels, ()) if added else ((), labels)))
        marks = {"via": sorted(labels)} if added else {}
        at, who = parse_instant(change.created_at), _who(change.user)
        return self.event(f"label/{change.id:020d}", at, Activity.CHANGED, who, marks, change=("labels", *sides), revision=self.read_at)

    def _moved(self, attribute: str, come: Iterable[str], gone: Iterable[str]) -> tuple[str | None, str | None]:
        self.revision = self.read_at
        return undone(self.members[attribute], come, gone)

    def _milestone(self, change: Moved) -> Event:
        title = change.milestone.title if change.milestone is not None else None
        before, after = (None, title) if change.action == "add" else (title, None)
        self.milestone, self.revision = before, self.read_at
        at, who = parse_instant(change.created_at), _who(change.user)
        return self.event(f"milestone/{change.id:020d}", at, Activity.CHANGED, who, change=("milestone", before, after))

    def _note(self, note: Note) -> Iterator[Event]:
        at, who, number = parse_instant(note.created_at), _who(note.author), f"note/{note.id:020d}"
        if note.system:
            meaning = next((meaning for pattern, meaning in SAID if pattern.match(note.body)), None)
            if meaning is not None:
                yield from self._said(meaning, note.body, number, at, who)
            return
        detail = said(note.body, public=not (note.internal or note.confidential))
        yield self.event(number, at, Activity.COMMENTED, who, detail, revision=edited(note.created_at, note.updated_at))

    def _said(self, meaning: str, body: str, number: str, at: Instant, who: Who) -> Iterator[Event]:
        """What GitLab says only in words."""
        if meaning in ("approved", "requested_changes"):
            activity = Activity.APPROVED if meaning == "approved" else Activity.REJECTED
            yield self.event(number, at, activity, who, {"action": "review"})
        elif meaning == "assigned":
            come, _, gone = body.partition("unassigned")
            sides = self._moved("assignee", set(_PEOPLE.findall(come)), set(_PEOPLE.findall(gone)))
            yield self.event(number, at, Activity.CHANGED, who, change=("assignee", *sides), revision=self.read_at)
        elif meaning == "reviewer":
            people = text_value(_PEOPLE.findall(body))
            sides = (None, people) if body.startswith("requested") else (people, None)
            yield self.event(number, at, Activity.CHANGED, who, change=("reviewer", *sides))
        elif meaning == "moved":
            yield self.event(number, at, Activity.ABSORBED, who)
        elif meaning == "time":
            found = _SPENT.match(body)
            if found is not None and found[1] == "added":
                seconds = sum(int(amount) * UNITS[unit] for amount, unit in re.findall(r"(\d+)(mo|[wdhms])", found[2])) // SECOND
                yield self.event(number, at, Activity.TIME_LOGGED, who, {"seconds": seconds})
        else:
            yield self.event(number, at, Activity.CHANGED, who, change=PLAIN.get(meaning, (meaning, None, None)))

    def _untold(self) -> Iterator[Event]:
        """What the events lack of the present state, as the item itself dates it: GitLab has not always recorded them."""
        item = self.item
        states = sorted(self.bundle.states, key=lambda one: one.id)
        last = states[-1].state if states else "opened"
        self.whole = item.state in {last, "opened" if last == "reopened" else last, "locked"}
        ended_at, by = (item.merged_at, item.merged_by) if item.state == "merged" else (item.closed_at, item.closed_by)
        if not states and item.state in ("closed", "merged") and ended_at is not None:
            yield from self._ended("ended", item.state, parse_instant(ended_at), _who(by))


def _who(user: User | None) -> Who:
    """People are operators; customers' mails come under the service desk's name."""
    if user is None:
        return NOBODY
    if SERVICE_DESK.match(user.username):
        return ActorKind.CUSTOMER, user.username
    return ActorKind.SYSTEM if BOTS.match(user.username) else ActorKind.OPERATOR, user.username
