"""GitLab: state, label and milestone events and the notes of issues and merge requests as their audit trail."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, Literal, TypeVar
from urllib.parse import quote

import msgspec
from pydantic import Field, SecretStr

from rollout_metrics.collect.http import Answer, Api, Endpoint, bearer, decode
from rollout_metrics.collect.limits import ResetHeader, ResetKind
from rollout_metrics.collect.paging import LoopGuard, whole
from rollout_metrics.collect.parts import Part, parts_of
from rollout_metrics.collect.reconcile import Living, Reconciled, Roll, batches
from rollout_metrics.collect.records import told
from rollout_metrics.collect.source import Coverage, Page, Told, Window
from rollout_metrics.collect.story import Story, Who
from rollout_metrics.collect.texts import own_words
from rollout_metrics.domain.errors import CredentialsError, PayloadError
from rollout_metrics.domain.events import Activity, ActorKind, Event, text_value
from rollout_metrics.domain.time import HOUR, MINUTE, Instant, Span, format_instant, parse_instant
from rollout_metrics.sources._gitlab_pages import BUNDLE, CHANGES, NOTES, NUMBERS, PROJECT, Bundle, Change, Item, Note, User, read_items

AT_ONCE = 100
ISSUES, MERGE_REQUESTS = "issues", "merge_requests"
SIGNS: Mapping[str, str] = {ISSUES: "#", MERGE_REQUESTS: "!"}
REPORTER = 20
"""The role from which on internal notes and confidential issues are seen."""
BOTS = re.compile(
    r"(?:project|group)_\d+_bot(?:_|\d|$)|(?:ghost|alert-bot|migration-bot|security-bot|automation-bot)\d*$|GitLabDuo$|duo-|service_account_", re.IGNORECASE
)
"""Accounts of tokens, services and agents; they are the system until they are named as agents."""
SERVICE_DESK = re.compile(r"(?:GitLab-)?support-bot\d*$", re.IGNORECASE)
"""Under whose name customers' mails become issues."""
UNITS: Mapping[str, Span] = {"mo": 160 * HOUR, "w": 40 * HOUR, "d": 8 * HOUR, "h": HOUR, "m": MINUTE, "s": MINUTE // 60}
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

T = TypeVar("T")


class Gitlab(Reconciled):
    """GitLab.com or a GitLab of your own."""

    kind: ClassVar[str] = "gitlab"
    record: ClassVar[msgspec.json.Decoder[Any]] = BUNDLE

    base_url: str = Field(default="https://gitlab.com", pattern=r"^https?://[^?#]+$")
    """The address."""
    token: SecretStr
    """A personal, group or project access token with the scope `read_api`, of an account that is at least Reporter."""
    projects: tuple[str, ...] = Field(min_length=1)
    """Projects, as `group/name` or by number."""
    only: Literal["all", "issues", "merge_requests"] = "all"
    """What to read of them."""

    def endpoint(self) -> Endpoint:
        """A bearer token."""
        return Endpoint(base_url=self.base_url, authorization=bearer(self.token), reset=ResetHeader("RateLimit-Reset", ResetKind.EPOCH), **self.connection())

    @property
    def kinds(self) -> tuple[str, ...]:
        """What is read of each project."""
        return (ISSUES, MERGE_REQUESTS) if self.only == "all" else (self.only,)

    def pages(self, api: Api, window: Window) -> Iterator[Page]:
        """Per project and kind: what was updated, oldest first, each with its events and notes; a page is one item."""
        names = [f"{kind}:{project}" for project in self.projects for kind in self.kinds]
        for part in parts_of(names, window):
            kind, _, project = part.name.partition(":")
            for items, rejected, answer in self._changed(api, part, kind, project, window.end):
                at = part.since
                if rejected:
                    yield Page(rejected, answer.where, *part.reached(at))
                for item in items:
                    at = max(part.since, min(parse_instant(item.updated_at), window.end))
                    bundle = self._complete(api, project, kind, item)
                    if bundle is not None:
                        yield Page([bundle], f"{answer.where} {project}{SIGNS[kind]}{item.iid}", *part.reached(at))
            yield Page([], part.name, *part.reached(window.end))

    def events(self, page: Page) -> Iterator[Told]:
        """What happened to each item, and whether its events tell how it came to be as it is."""
        return told(page, self._told, lambda bundle: f"item {bundle.item.iid}")

    def _told(self, bundle: Bundle) -> Iterator[Told]:
        story = _Story(self, bundle)
        yield from story.events()
        yield Coverage("history", int(story.whole), 1)

    def lacking(self, api: Api) -> Iterator[str]:
        """Projects in which the account is less than Reporter."""
        for project in self.projects:
            rights = decode(api.get(f"/api/v4/projects/{quote(project, safe='')}"), PROJECT).permissions
            roles = [] if rights is None else [role.access_level for role in (rights.project_access, rights.group_access) if role is not None]
            if max(roles, default=0) < REPORTER:
                yield f"in {project} internal notes and confidential issues are not seen: make the token's account at least Reporter"

    def reconcile(self, api: Api, roll: Roll) -> Iterator[Page]:
        """Ask for all known items by number, and read the open ones again: label events may show long before the item counts as updated."""
        known: dict[tuple[str, str], list[Living]] = {}
        for case_id, last_at in roll():
            found = re.fullmatch(r"(.+)([#!])(\d+)", case_id)
            if found:
                known.setdefault((found[1], found[2]), []).append((case_id, last_at))
        for project in self.projects:
            for kind in self.kinds:
                path = f"/api/v4/projects/{quote(project, safe='')}/{kind}"
                for batch in batches(known.get((project, SIGNS[kind]), ()), AT_ONCE):
                    numbers = [case_id.rpartition(SIGNS[kind])[2] for case_id, _ in batch]
                    answer = api.get(path, {"iids[]": numbers, "scope": "all", "state": "all", "per_page": AT_ONCE})
                    present = {f"{project}{SIGNS[kind]}{one.iid}" for one in decode(answer, NUMBERS)}
                    yield Page(self.gone(batch, present), f"{answer.where} of {len(numbers)}")
                for answer in _all(api, path, {"state": "opened", "scope": "all", "order_by": "created_at", "sort": "asc"}):
                    items, rejected = read_items(answer, project, kind)
                    bundles = [bundle for item in items if (bundle := self._complete(api, project, kind, item)) is not None]
                    yield Page([*rejected, *bundles], answer.where)

    def _changed(self, api: Api, part: Part, kind: str, project: str, end: Instant) -> Iterator[tuple[list[Item], list[Any], Answer]]:
        """Items updated in [since, end), oldest first. The filter moves with each page: no list comes near GitLab's limit of depth, and none shifts."""
        path = f"/api/v4/projects/{quote(project, safe='')}/{kind}"
        params: dict[str, Any] = {"order_by": "updated_at", "sort": "asc", "scope": "all", "state": "all", "per_page": AT_ONCE}
        guard, seen, since, number = LoopGuard(), dict[int, str](), part.since, 1
        while True:
            asked = {**params, "updated_after": format_instant(since - 1000), "updated_before": format_instant(end), "page": number}
            answer = api.get(path, asked, accept=frozenset((404,)))
            if answer.status == 404:
                raise CredentialsError(f"404 from {answer.where}: check that {project} exists and that the token may read its {kind.replace('_', ' ')}")
            items, rejected = read_items(answer, project, kind)
            guard.check((since, number), answer, records=len(items) + len(rejected))
            fresh = [item for item in items if seen.get(item.iid) != item.updated_at and part.since <= parse_instant(item.updated_at) < end]
            seen.update((item.iid, item.updated_at) for item in items)
            yield fresh, rejected, answer
            if not answer.headers.get("X-Next-Page"):
                return
            first, last = (parse_instant(items[place].updated_at) if items else since for place in (0, -1))
            since, number = (last, 1) if first < last - 1000 else (since, number + 1)

    def _complete(self, api: Api, project: str, kind: str, item: Item) -> Bundle | None:
        """The item with its events and notes; None where it is gone since it was listed."""
        path = f"/api/v4/projects/{quote(project, safe='')}/{kind}/{item.iid}"
        bundle = Bundle(project, kind, item)
        try:
            bundle.states = _list(api, f"{path}/resource_state_events", {}, CHANGES)
            bundle.labels = _list(api, f"{path}/resource_label_events", {}, CHANGES)
            bundle.milestones = _list(api, f"{path}/resource_milestone_events", {}, CHANGES)
            bundle.notes = _list(api, f"{path}/notes", {"sort": "asc", "order_by": "created_at"}, NOTES)
        except _GoneError:
            return None
        return bundle


class _GoneError(PayloadError):
    """What was listed is no longer there."""


def _all(api: Api, path: str, params: Mapping[str, Any]) -> Iterator[Answer]:
    """Every page of a list, by number."""
    guard, number = LoopGuard(), "1"
    while number:
        answer = api.get(path, {**params, "per_page": AT_ONCE, "page": number}, accept=frozenset((404,)))
        if answer.status == 404:
            raise _GoneError(f"404 from {answer.where}: it was there a moment ago")
        guard.check(number, answer, records=int(answer.body.strip() not in (b"[]", b"")))
        yield answer
        number = answer.headers.get("X-Next-Page") or ""


def _list(api: Api, path: str, params: Mapping[str, Any], decoder: msgspec.json.Decoder[list[T]]) -> list[T]:
    """A whole list; GitLab says how long it is, except of very long ones."""
    found: list[T] = []
    for answer in _all(api, path, params):
        page: list[T] = decode(answer, decoder)
        found += page
        total = answer.headers.get("X-Total", "")
        if not answer.headers.get("X-Next-Page"):
            whole(len(found), int(total) if total.isdigit() else None, answer.where)
    return found


class _Story(Story):
    """One item's events."""

    whole = True
    """The state events tell how the item came to be open, closed or merged."""

    def __init__(self, source: Gitlab, bundle: Bundle) -> None:
        self.source, self.bundle, self.item = source, bundle, bundle.item
        self.is_merge = bundle.kind == MERGE_REQUESTS
        self.name, self.case_id = source.name, f"{bundle.project}{SIGNS[bundle.kind]}{self.item.iid}"
        self.link = {"url": self.item.web_url}
        self.read_at = parse_instant(self.item.updated_at) // 1000
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
        facts = {"via": [], "attributes": {name: value for name, value in sorted(known.items()) if value is not None}}
        made = [self._event("created", made_at, Activity.CREATED, who, facts, revision=self.revision)]
        if self.is_merge:  # it asks to be merged
            made.append(self._event("opened", made_at, Activity.APPROVAL_REQUESTED, who, {"via": [], "action": "merge"}))
        return made + told

    def _state(self, change: Change) -> Iterator[Event]:
        at, who, number = parse_instant(change.created_at), _who(change.user), f"state/{change.id:020d}"
        detail: dict[str, Any] = {"via": []}
        if change.state in ("reopened", "opened"):
            yield self._event(number, at, Activity.REOPENED, who, detail, change=("status", "closed", "opened"))
        elif change.state in ("closed", "merged"):
            yield self._event(number, at, Activity.CLOSED, who, detail, change=("status", "opened", change.state))
            if self.is_merge:  # that was the answer
                answer = Activity.APPROVED if change.state == "merged" else Activity.REJECTED
                yield self._event(f"{number}/merge", at, answer, who, {**detail, "action": "merge"})

    def _label(self, change: Change) -> Event:
        """A label that was deleted since has no name any more: what was added or taken is not known."""
        label = change.label.name if change.label is not None else None
        added = change.action == "add"
        before, after = self._moved("labels", {label} if label and added else set(), {label} if label and not added else set())
        facts = {"via": [label] if label and added else []}
        at, who = parse_instant(change.created_at), _who(change.user)
        return self._event(f"label/{change.id:020d}", at, Activity.CHANGED, who, facts, change=("labels", before, after), revision=self.read_at)

    def _moved(self, attribute: str, come: set[str], gone: set[str]) -> tuple[str | None, str | None]:
        """The whole before and after, going backwards."""
        self.revision = self.read_at
        after = text_value(self.members[attribute])
        self.members[attribute] = (self.members[attribute] - come) | gone
        return text_value(self.members[attribute]), after

    def _milestone(self, change: Change) -> Event:
        title = change.milestone.title if change.milestone is not None else None
        before, after = (None, title) if change.action == "add" else (title, None)
        self.milestone, self.revision = before, self.read_at
        at, who = parse_instant(change.created_at), _who(change.user)
        return self._event(f"milestone/{change.id:020d}", at, Activity.CHANGED, who, {"via": []}, change=("milestone", before, after))

    def _note(self, note: Note) -> Iterator[Event]:
        at, who, number = parse_instant(note.created_at), _who(note.author), f"note/{note.id:020d}"
        if note.system:
            meaning = next((meaning for pattern, meaning in SAID if pattern.match(note.body)), None)
            if meaning is not None:
                yield from self._said(meaning, note.body, number, at, who)
            return
        said: dict[str, Any] = {"via": [], "public": not (note.internal or note.confidential)}
        if text := own_words(note.body):
            said["value"] = text
        edited = note.updated_at is not None and note.updated_at != note.created_at
        yield self._event(number, at, Activity.COMMENTED, who, said, revision=parse_instant(note.updated_at or "") // 1000 if edited else 0)

    def _said(self, meaning: str, body: str, number: str, at: Instant, who: Who) -> Iterator[Event]:
        """What GitLab says only in words."""
        detail: dict[str, Any] = {"via": []}
        if meaning in ("approved", "requested_changes"):
            activity = Activity.APPROVED if meaning == "approved" else Activity.REJECTED
            yield self._event(number, at, activity, who, {**detail, "action": "review"})
        elif meaning == "assigned":
            come, _, gone = body.partition("unassigned")
            sides = self._moved("assignee", set(_PEOPLE.findall(come)), set(_PEOPLE.findall(gone)))
            yield self._event(number, at, Activity.CHANGED, who, detail, change=("assignee", *sides), revision=self.read_at)
        elif meaning == "reviewer":
            people = text_value(_PEOPLE.findall(body))
            sides = (None, people) if body.startswith("requested") else (people, None)
            yield self._event(number, at, Activity.CHANGED, who, detail, change=("reviewer", *sides))
        elif meaning == "moved":
            yield self._event(number, at, Activity.ABSORBED, who, detail)
        elif meaning == "time":
            found = _SPENT.match(body)
            if found is not None and found[1] == "added":
                seconds = sum(int(amount) * UNITS[unit] for amount, unit in re.findall(r"(\d+)(mo|[wdhms])", found[2])) // 1_000_000
                yield self._event(number, at, Activity.TIME_LOGGED, who, {**detail, "seconds": seconds})
        else:
            attribute, before, after = _PLAIN.get(meaning, (meaning, None, None))
            yield self._event(number, at, Activity.CHANGED, who, detail, change=(attribute, before, after))

    def _untold(self) -> Iterator[Event]:
        """What the events lack of the present state, as the item itself dates it: GitLab has not always recorded them."""
        item = self.item
        states = sorted(self.bundle.states, key=lambda one: one.id)
        last = states[-1].state if states else "opened"
        self.whole = item.state in {last, "opened" if last == "reopened" else last, "locked"}
        ended_at, by = (item.merged_at, item.merged_by) if item.state == "merged" else (item.closed_at, item.closed_by)
        if not states and item.state in ("closed", "merged") and ended_at is not None:
            yield from self._told_by_item(item.state, parse_instant(ended_at), _who(by))

    def _told_by_item(self, state: str, at: Instant, who: Who) -> Iterator[Event]:
        yield self._event("ended", at, Activity.CLOSED, who, {"via": []}, change=("status", "opened", state))
        if self.is_merge:
            answer = Activity.APPROVED if state == "merged" else Activity.REJECTED
            yield self._event("ended/merge", at, answer, who, {"via": [], "action": "merge"})


_PLAIN: Mapping[str, tuple[str, str | None, str | None]] = {
    "draft": ("draft", "false", "true"),
    "ready": ("draft", "true", "false"),
    "duplicate": ("duplicate", "false", "true"),
    "unapproved": ("review", "approved", None),
}


def _who(user: User | None) -> Who:
    """People are operators; customers' mails come under the service desk's name."""
    if user is None:
        return ActorKind.SYSTEM, None
    if SERVICE_DESK.match(user.username):
        return ActorKind.CUSTOMER, user.username
    return ActorKind.SYSTEM if BOTS.match(user.username) else ActorKind.OPERATOR, user.username
