"""GitHub: the timelines of issues and pull requests as their audit trail, with reviews, merges and the marks that agents leave."""

from collections.abc import Collection, Iterator, Mapping
from typing import Any, ClassVar, Literal

import msgspec
from pydantic import Field, SecretStr

from rollout_metrics.collect.change_options import ChangeOptions, gone
from rollout_metrics.collect.http import Answer, Api, Endpoint, bearer, decode
from rollout_metrics.collect.limits import ResetHeader, ResetKind
from rollout_metrics.collect.paging import LoopGuard, link_headers, next_link
from rollout_metrics.collect.parts import Part, parts_of
from rollout_metrics.collect.reconcile import Living, Reconciled, Roll
from rollout_metrics.collect.records import told
from rollout_metrics.collect.source import Coverage, Page, Rejected, Told, Window
from rollout_metrics.collect.story import Story, Who
from rollout_metrics.collect.texts import own_words
from rollout_metrics.domain.errors import CredentialsError
from rollout_metrics.domain.events import Activity, ActorKind, Event, text_value
from rollout_metrics.domain.time import SECOND, Instant, Span, format_instant, parse_instant
from rollout_metrics.sources._github_pages import BUNDLE, PULL, RAW, TIMELINE, Bundle, Issue, Item, User, read_issues

AT_ONCE = 100
HEADERS: Mapping[str, str] = {"Accept": "application/vnd.github+json", "X-GitHub-Api-Version": "2022-11-28"}
GONE = frozenset((301, 404, 410))
"""Moved to another repository, not ours to see, deleted."""
OUTSIDE = frozenset(("CONTRIBUTOR", "FIRST_TIMER", "FIRST_TIME_CONTRIBUTOR", "MANNEQUIN", "NONE"))
"""Associations of people who do not work here: what they file makes them customers of it."""
REVIEWS: Mapping[str, Activity] = {"approved": Activity.APPROVED, "changes_requested": Activity.REJECTED, "commented": Activity.COMMENTED}
MEMBERS: Mapping[str, tuple[str, bool]] = {
    "labeled": ("labels", True),
    "unlabeled": ("labels", False),
    "assigned": ("assignee", True),
    "unassigned": ("assignee", False),
}
"""Timeline events that add (true) or take a member of an attribute."""
PLAIN: Mapping[str, tuple[str, str | None, str | None]] = {
    "convert_to_draft": ("draft", "false", "true"),
    "converted_to_draft": ("draft", "false", "true"),
    "ready_for_review": ("draft", "true", "false"),
    "locked": ("locked", "false", "true"),
    "unlocked": ("locked", "true", "false"),
    "marked_as_duplicate": ("duplicate", "false", "true"),
    "unmarked_as_duplicate": ("duplicate", "true", "false"),
    "renamed": ("subject", None, None),
    "head_ref_force_pushed": ("head", None, None),
}
"""Timeline events that say all by their name: attribute, before, after."""
ENDS: Mapping[str, Activity] = {"transferred": Activity.ABSORBED, "converted_to_discussion": Activity.ABSORBED}
TOGETHER: Span = 5 * SECOND
"""A merge closes its pull request within so long."""
INTENT = "agent_intent"
"""Marks events of which GitHub says what an agent meant by them, whoever's login it was made under."""
RECORD: Mapping[str, str] = {
    "id": "id",
    "title": "title",
    "proposed_at": "created_at",
    "approved_at": "approved_at",
    "deployed_at": "merged_at",
    "links.pull_request": "html_url",
}
"""Place in a change record -> the field that usually says it."""
NOREPLY = "@users.noreply.github.com"


class Github(Reconciled):
    """GitHub or GitHub Enterprise Server."""

    kind: ClassVar[str] = "github"
    record: ClassVar[msgspec.json.Decoder[Any]] = BUNDLE

    base_url: str = Field(default="https://api.github.com", pattern=r"^https?://[^?#]+$")
    """The API's address; of an Enterprise Server https://HOST/api/v3."""
    token: SecretStr
    """A fine-grained or installation token that may read issues and pull requests, or a classic one with `repo`."""
    repositories: tuple[str, ...] = Field(min_length=1)
    """Repositories, as `owner/name`."""
    only: Literal["all", "issues", "pull_requests"] = "all"
    """What to read of them."""
    branches: bool = True
    """Ask for each changed pull request itself, for its branches and who merged it: one request more."""
    commits: bool = False
    """Read commits of pull requests as changes of `head`. They vanish when a branch is pushed by force."""

    changes: ChangeOptions | None = None
    """Which pull requests are change records of an agent, such as `when: {labels: agent-change}`, and which of their fields say what. A label `kind:prompt` is
    the field `label:kind`. Usual: `id`: repository and number, `title`, `proposed_at`: created_at, `approved_at`: the last review that approves, `deployed_at`:
    merged_at, `links.pull_request`: html_url."""

    def endpoint(self) -> Endpoint:
        """A bearer token; a 403 with nothing remaining is throttling."""
        reset = ResetHeader("x-ratelimit-reset", ResetKind.EPOCH)
        options = self.connection()
        authorization = bearer(self.token)
        return Endpoint(
            base_url=self.base_url, authorization=authorization, headers=HEADERS, reset=reset, remaining="x-ratelimit-remaining", wish=_wish, **options
        )

    def pages(self, api: Api, window: Window) -> Iterator[Page]:
        """Per repository: what was updated, oldest first, each with its timeline; a page is one issue."""
        for part in parts_of(self.repositories, window):
            for issues, rejected, answer in self._changed(api, part, window.end):
                at = part.since
                if rejected:
                    yield Page(rejected, answer.where, *part.reached(at))
                for issue in issues:
                    at = max(part.since, min(parse_instant(issue.updated_at), window.end))
                    bundle = self._complete(api, part.name, issue)
                    if bundle is not None:
                        yield Page([bundle], f"{answer.where} {part.name}#{issue.number}", *part.reached(at))
            yield Page([], part.name, *part.reached(window.end))

    def events(self, page: Page) -> Iterator[Told]:
        """What happened to each issue, and whether its timeline tells how it came to be as it is."""
        return told(page, self._told, lambda bundle: f"issue {bundle.issue.number}")

    def _told(self, bundle: Bundle) -> Iterator[Told]:
        story = _Story(self, bundle)
        yield from story.events()
        yield Coverage("history", int(story.whole), 1)
        if self.changes is not None and story.is_pull:
            yield self.changes.reading(story.case_id, story.read_at, _said(bundle), RECORD)

    def lacking(self, api: Api) -> Iterator[str]:
        """Repositories of which pull requests cannot be read although issues can."""
        for name in self.repositories if self.only != "issues" else ():
            answer = api.get(f"/repos/{name}/pulls", {"per_page": 1, "state": "all"}, accept=frozenset((403, 404)))
            if answer.status != 200:
                yield f"pull requests of {name} cannot be read ({answer.status}): give the token the permission Pull requests (read)"

    def reconcile(self, api: Api, roll: Roll) -> Iterator[Page]:
        """List the newest issues as far down as that is cheaper, and look up one by one those we know that are not among them."""
        known: dict[str, dict[int, Living]] = {}
        for case_id, last_at in roll():
            repository, _, number = case_id.rpartition("#")
            known.setdefault(repository, {})[int(number)] = (case_id, last_at)
        for name in self.repositories:
            asked = known.get(name)
            if not asked:
                continue
            present: set[int] = set()
            oldest: int | None = None
            params = {"state": "all", "sort": "created", "direction": "desc", "per_page": AT_ONCE}
            for raw, _ in link_headers(api, f"/repos/{name}/issues", params, RAW, records=lambda page: page):
                listed = [msgspec.json.decode(one, type=_Number).number for one in raw]
                present.update(listed)
                oldest = _worth_listing(asked, max(listed)) if oldest is None and listed else oldest
                if oldest is None or min(listed, default=0) <= oldest:
                    break
            for missing in asked.keys() - present:  # older ones, and those that a list which shrinks while it is read does not show
                if api.get(f"/repos/{name}/issues/{missing}", accept=GONE).status == 200:
                    present.add(missing)
            there = {asked[one][0] for one in asked.keys() & present}
            yield Page(gone(self.gone(list(asked.values()), there), self.changes), f"all issues of {name}")

    def _changed(self, api: Api, part: Part, end: Instant) -> Iterator[tuple[list[Issue], list[Rejected], Answer]]:
        """Issues updated in [since, end), oldest first.

        The filter moves with each page instead of the page's number: what changes meanwhile moves to the end and would push another one over a page's edge.
        """
        path = f"/repos/{part.name}/issues"
        params = {"state": "all", "sort": "updated", "direction": "asc", "per_page": AT_ONCE}
        guard, seen, since = LoopGuard(), dict[int, str](), part.since
        following: str | None = None
        while True:
            asked = format_instant(since - since % SECOND - SECOND)
            answer = api.get(following or path, None if following else {**params, "since": asked}, accept=frozenset((404,)))
            if answer.status == 404:
                raise CredentialsError(f"404 from {answer.where}: check that {part.name} exists and that the token may read its issues")
            issues, rejected = read_issues(answer, part.name)
            guard.check(following or asked, answer, records=len(issues) + len(rejected))
            fresh = [issue for issue in issues if seen.get(issue.number) != issue.updated_at]
            wanted = [issue for issue in fresh if part.since <= parse_instant(issue.updated_at) < end and self._wanted(issue)]
            seen.update((issue.number, issue.updated_at) for issue in issues)
            yield wanted, rejected, answer
            last = parse_instant(issues[-1].updated_at) if issues else since
            following = next_link(answer)
            if following is None or last >= end:
                return
            if parse_instant(issues[0].updated_at) < last - last % SECOND - SECOND:  # else they all share these two seconds: by page number
                following, since = None, last

    def _wanted(self, issue: Issue) -> bool:
        return self.only == "all" or (issue.pull_request is not None) == (self.only == "pull_requests")

    def _complete(self, api: Api, repository: str, issue: Issue) -> Bundle | None:
        """The issue with its timeline; None where it is gone since it was listed."""
        bundle = Bundle(repository, issue)
        guard = LoopGuard()
        following: str | None = f"/repos/{repository}/issues/{issue.number}/timeline?per_page={AT_ONCE}"
        while following is not None:
            answer = api.get(following, accept=GONE)
            if answer.status in GONE:
                return None
            items = decode(answer, TIMELINE)
            guard.check(following, answer, records=len(items))
            bundle.timeline += items
            following = next_link(answer)
        if issue.pull_request is not None and self.branches:
            answer = api.get(f"/repos/{repository}/pulls/{issue.number}", accept=GONE)
            if answer.status in GONE:
                return None
            bundle.pull = decode(answer, PULL)
        return bundle


def _said(bundle: Bundle) -> dict[str, Any]:
    """A pull request by the fields that a change record can ask for."""
    issue, pull = bundle.issue, bundle.pull
    labels = [label.name for label in issue.labels if label.name]
    merged_at = pull.merged_at if pull is not None else (issue.pull_request or {}).get("merged_at")
    approvals = [item.submitted_at for item in bundle.timeline if item.event == "reviewed" and (item.state or "").lower() == "approved" and item.submitted_at]
    return {
        "id": f"{bundle.repository}#{issue.number}",
        "number": str(issue.number),
        "repository": bundle.repository,
        "title": issue.title,
        "state": issue.state,
        "labels": labels,
        "milestone": issue.milestone.title if issue.milestone is not None else None,
        "author": issue.user.login if issue.user is not None else None,
        "created_at": issue.created_at,
        "closed_at": issue.closed_at,
        "merged_at": merged_at,
        "approved_at": max(approvals, default=None),
        "html_url": issue.html_url,
        **{f"label:{name}": value for label in labels for name, parted, value in (label.partition(":"),) if parted},
    }


def _worth_listing(known: Collection[int], newest: int) -> int:
    """The number down to which it takes fewer requests to list all issues than to look up each known one."""
    numbers = sorted(known, reverse=True)
    return min([(len(numbers), newest), *(((newest - number) // AT_ONCE + len(numbers) - place, number) for place, number in enumerate(numbers, 1))])[1]


def _wish(body: bytes) -> float | None:
    """The secondary limit answers 403 and may name no time: a minute is asked for then."""
    return 60.0 if b"secondary rate limit" in body else None


class _Number(msgspec.Struct):
    number: int


class _Story(Story):
    """One issue's events."""

    whole = True
    """The timeline tells how the issue came to be open or closed."""

    def __init__(self, source: Github, bundle: Bundle) -> None:
        self.source, self.bundle, self.issue = source, bundle, bundle.issue
        self.name, self.case_id = source.name, f"{bundle.repository}#{self.issue.number}"
        self.link = {"url": self.issue.html_url}
        self.is_pull = self.issue.pull_request is not None
        self.author = self.issue.user.login if self.issue.user is not None else None
        self.from_outside = self.issue.author_association in OUTSIDE
        self.made_at = parse_instant(self.issue.created_at)
        self.read_at = parse_instant(self.issue.updated_at) // SECOND
        """Members are worked out backwards from the present ones, which may be older than the timeline: the latest reading holds."""
        self.members = {"labels": {label.name or "" for label in self.issue.labels}, "assignee": {user.login for user in self.issue.assignees}}
        self.milestone = self.issue.milestone.title if self.issue.milestone is not None else None
        self.dismissed = {item.dismissed_review.review_id: item.dismissed_review.state.lower() for item in bundle.timeline if item.dismissed_review is not None}
        self.merges = [parse_instant(item.created_at) for item in bundle.timeline if item.event == "merged" and item.created_at is not None]
        self.revision = 0

    def events(self) -> list[Event]:
        """All of it; the timeline backwards, since it says what was added and taken, and not what was there."""
        issue = self.issue
        later: list[Event] = []
        for item in reversed(self.bundle.timeline):
            later += self._of(item)
        later.reverse()
        made_at = self.made_at
        who = self._who(issue.user, issue.author_association)
        via = self._via(issue.performed_via_github_app)
        attributes = {"repository": self.bundle.repository, "status": "open", "submitter": self.author, "type": "pull_request" if self.is_pull else "issue"}
        attributes |= {name: text_value(members) for name, members in self.members.items()} | {"milestone": self.milestone}
        if self.bundle.pull is not None:
            attributes |= {"branch": self.bundle.pull.head.ref, "target": self.bundle.pull.base.ref}
        known = {name: value for name, value in sorted(attributes.items()) if value is not None}
        made = [self._event("created", made_at, Activity.CREATED, who, {"via": via, "attributes": known}, revision=self.revision)]
        if self.is_pull:  # it asks to be merged
            made.append(self._event("opened", made_at, Activity.APPROVAL_REQUESTED, who, {"via": via, "action": "merge"}))
        return made + later + list(self._untold(later))

    def _of(self, item: Item) -> Iterator[Event]:
        """The events of one entry, last first."""
        kind = item.event
        if kind == "committed":
            yield from self._commit(item)
            return
        handler = _HANDLERS.get(kind)
        if handler is None and kind not in PLAIN and kind not in ENDS and kind not in MEMBERS:
            return
        at = parse_instant(item.created_at or item.submitted_at or "")
        who = self._who(item.actor or item.user, item.author_association)
        detail = {"via": self._via(item.performed_via_github_app, item.intent is not None)}
        number = f"{kind}/{item.id or 0:020d}"
        if kind in MEMBERS:
            yield self._member(item, number, at, who, detail)
        elif kind in PLAIN:
            yield self._event(number, at, Activity.CHANGED, who, detail, change=PLAIN[kind])
        elif kind in ENDS:
            yield self._event(number, at, ENDS[kind], who, detail)
        elif handler is not None:
            yield from handler(self, item, number, at, who, detail)

    def _member(self, item: Item, number: str, at: Instant, who: Who, detail: dict[str, Any]) -> Event:
        attribute, added = MEMBERS[item.event]
        member = (item.label.name if item.label is not None else None) if attribute == "labels" else (item.assignee.login if item.assignee else None)
        members = self.members[attribute]
        after = text_value(members)
        if member is not None:
            members = self.members[attribute] = members - {member} if added else members | {member}
        if attribute == "labels" and added and member is not None:
            detail = {"via": sorted({*detail["via"], member})}
        self.revision = self.read_at
        return self._event(number, at, Activity.CHANGED, who, detail, change=(attribute, text_value(members), after), revision=self.read_at)

    def _milestone(self, item: Item, number: str, at: Instant, who: Who, detail: dict[str, Any]) -> Iterator[Event]:
        title = item.milestone.title if item.milestone is not None else None
        before, after = (None, title) if item.event == "milestoned" else (title, None)
        self.milestone = before
        self.revision = self.read_at
        yield self._event(number, at, Activity.CHANGED, who, detail, change=("milestone", before, after))

    def _issue_type(self, item: Item, number: str, at: Instant, who: Who, detail: dict[str, Any]) -> Iterator[Event]:
        now, then = (one.name if one is not None else None for one in (item.issue_type, item.prev_issue_type))
        sides = {"issue_type_added": (None, now), "issue_type_removed": (now or then, None)}.get(item.event, (then, now))
        yield self._event(number, at, Activity.CHANGED, who, detail, change=("issue_type", *sides))

    def _closed(self, item: Item, number: str, at: Instant, who: Who, detail: dict[str, Any]) -> Iterator[Event]:
        if item.state_reason:
            yield self._event(f"{number}/reason", at, Activity.CHANGED, who, detail, change=("state_reason", None, item.state_reason))
        yield self._event(number, at, Activity.CLOSED, who, detail, change=("status", "open", "closed"))
        if self.is_pull and not any(abs(at - merged_at) <= TOGETHER for merged_at in self.merges):  # that was the answer
            yield self._event(f"{number}/unmerged", at, Activity.REJECTED, who, {**detail, "action": "merge"})

    def _reopened(self, _: Item, number: str, at: Instant, who: Who, detail: dict[str, Any]) -> Iterator[Event]:
        yield self._event(number, at, Activity.REOPENED, who, detail, change=("status", "closed", "open"))

    def _merged(self, _: Item, number: str, at: Instant, who: Who, detail: dict[str, Any]) -> Iterator[Event]:
        yield self._event(number, at, Activity.APPROVED, who, {**detail, "action": "merge"})

    def _reviewed(self, item: Item, number: str, at: Instant, who: Who, detail: dict[str, Any]) -> Iterator[Event]:
        """A review as it was given: one that was dismissed has lost its state, only the dismissal still knows it."""
        state = (item.state or "").lower()
        if state == "dismissed":
            state = self.dismissed.get(item.id, state)
        activity = REVIEWS.get(state)
        if activity is Activity.COMMENTED:
            yield from self._commented(item, number, at, who, detail)
        elif activity is not None:
            yield self._event(number, at, activity, who, {**detail, "action": "review"})

    def _review_dismissed(self, item: Item, number: str, at: Instant, who: Who, detail: dict[str, Any]) -> Iterator[Event]:
        state = item.dismissed_review.state.lower() if item.dismissed_review is not None else None
        yield self._event(number, at, Activity.CHANGED, who, detail, change=("review", state, "dismissed"))

    def _review_requested(self, item: Item, number: str, at: Instant, who: Who, detail: dict[str, Any]) -> Iterator[Event]:
        reviewer = item.requested_reviewer.login if item.requested_reviewer is not None else item.requested_team.slug if item.requested_team else None
        asked = item.event == "review_requested"
        yield self._event(number, at, Activity.CHANGED, who, detail, change=("reviewer", None if asked else reviewer, reviewer if asked else None))

    def _commented(self, item: Item, number: str, at: Instant, who: Who, detail: dict[str, Any]) -> Iterator[Event]:
        said = {**detail, "public": True}
        if text := own_words(item.body or ""):
            said["value"] = text
        edited = item.updated_at is not None and item.updated_at != item.created_at
        yield self._event(number, at, Activity.COMMENTED, who, said, revision=parse_instant(item.updated_at or "") // SECOND if edited else 0)

    def _commit(self, item: Item) -> Iterator[Event]:
        """A commit has no account, only what its author's git said."""
        stamp = item.committer.date if item.committer is not None else None
        if not self.source.commits or stamp is None or item.sha is None or parse_instant(stamp) < self.made_at:
            return  # what a pull request began with is no change of it
        email = item.author.email if item.author is not None else None
        name = email.removesuffix(NOREPLY).rpartition("+")[2] if email and email.endswith(NOREPLY) else email
        kind = ActorKind.SYSTEM if name and name.endswith("[bot]") else ActorKind.OPERATOR
        yield self._event(f"committed/{item.sha}", parse_instant(stamp), Activity.CHANGED, (kind, name), {"via": []}, change=("head", None, item.sha))

    def _untold(self, told: list[Event]) -> Iterator[Event]:
        """What the timeline lacks of the present state, as the issue itself dates it."""
        issue, pull = self.issue, self.bundle.pull
        ends = [event.activity for event in told if event.activity in (Activity.CLOSED, Activity.REOPENED)]
        self.whole = (issue.state == "closed") == (bool(ends) and ends[-1] is Activity.CLOSED)
        merged_at = parse_instant(pull.merged_at) if pull is not None and pull.merged_at is not None else None
        if pull is not None and merged_at is not None and not self.merges and merged_at // SECOND <= self.read_at:  # later ones will be in the timeline
            self.whole = False
            who = self._who(pull.merged_by, None) if pull.merged_by is not None else (ActorKind.OPERATOR, None)  # who merges may write
            yield self._event("merged", merged_at, Activity.APPROVED, who, {"via": [], "action": "merge"})
        if issue.state == "closed" and not ends and issue.closed_at is not None:
            who = self._who(issue.closed_by, None)
            yield self._event("closed", parse_instant(issue.closed_at), Activity.CLOSED, who, {"via": []}, change=("status", "open", "closed"))

    def _who(self, user: User | None, association: str | None) -> Who:
        """Apps are the system until they are named as agents; people from outside are the customers of what they file."""
        if user is None:
            return ActorKind.SYSTEM, None
        if user.type == "Bot" or user.login.endswith("[bot]"):
            return ActorKind.SYSTEM, user.login
        outside = association in OUTSIDE if association is not None else user.login == self.author and self.from_outside
        return ActorKind.CUSTOMER if outside else ActorKind.OPERATOR, user.login

    def _via(self, app: Any, intent: bool = False) -> list[str]:
        labels = [f"app:{app.slug}"] if app is not None and app.slug else []
        return sorted([*labels, INTENT]) if intent else labels


_HANDLERS: Mapping[str, Any] = {
    "closed": _Story._closed,
    "commented": _Story._commented,
    "demilestoned": _Story._milestone,
    "issue_type_added": _Story._issue_type,
    "issue_type_changed": _Story._issue_type,
    "issue_type_removed": _Story._issue_type,
    "merged": _Story._merged,
    "milestoned": _Story._milestone,
    "reopened": _Story._reopened,
    "review_dismissed": _Story._review_dismissed,
    "review_request_removed": _Story._review_requested,
    "review_requested": _Story._review_requested,
    "reviewed": _Story._reviewed,
}
