"""What an issue or pull request of GitHub went through, told by its timeline."""

from collections.abc import Iterator, Mapping
from typing import Any

from rollout_metrics.collect.story import NOBODY, Change, Story, Who, edited, undone
from rollout_metrics.collect.texts import said
from rollout_metrics.domain.events import Activity, ActorKind, Event, text_value
from rollout_metrics.domain.time import SECOND, Instant, Span, parse_instant
from rollout_metrics.sources._github_pages import Bundle, Item, User

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
PLAIN: Mapping[str, Change] = {
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


def fields_of(bundle: Bundle) -> dict[str, Any]:
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


class IssueStory(Story):
    """One issue's events."""

    def __init__(self, name: str, bundle: Bundle, *, commits: bool) -> None:
        """`name` of the source; `commits`: tell commits of pull requests, too."""
        super().__init__(name, f"{bundle.repository}#{bundle.issue.number}", {"url": bundle.issue.html_url})
        self.bundle, self.issue, self.commits = bundle, bundle.issue, commits
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
        found = self.made(made_at, who, sorted(attributes.items()), {"via": via}, revision=self.revision)
        if self.is_pull:  # it asks to be merged
            found.append(self.event("opened", made_at, Activity.APPROVAL_REQUESTED, who, {"via": via, "action": "merge"}))
        return [*found, *later, *self._untold(later)]

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
            yield self.event(number, at, Activity.CHANGED, who, detail, change=PLAIN[kind])
        elif kind in ENDS:
            yield self.event(number, at, ENDS[kind], who, detail)
        elif handler is not None:
            yield from handler(self, item, number, at, who, detail)

    def _member(self, item: Item, number: str, at: Instant, who: Who, detail: dict[str, Any]) -> Event:
        attribute, added = MEMBERS[item.event]
        member = (item.label.name if item.label is not None else None) if attribute == "labels" else (item.assignee.login if item.assignee else None)
        come, gone = ([member], []) if added else ([], [member])
        before, after = undone(self.members[attribute], come, gone)
        if attribute == "labels" and added and member is not None:
            detail = {"via": sorted({*detail["via"], member})}
        self.revision = self.read_at
        return self.event(number, at, Activity.CHANGED, who, detail, change=(attribute, before, after), revision=self.read_at)

    def _milestone(self, item: Item, number: str, at: Instant, who: Who, detail: dict[str, Any]) -> Iterator[Event]:
        title = item.milestone.title if item.milestone is not None else None
        before, after = (None, title) if item.event == "milestoned" else (title, None)
        self.milestone = before
        self.revision = self.read_at
        yield self.event(number, at, Activity.CHANGED, who, detail, change=("milestone", before, after))

    def _issue_type(self, item: Item, number: str, at: Instant, who: Who, detail: dict[str, Any]) -> Iterator[Event]:
        now, then = (one.name if one is not None else None for one in (item.issue_type, item.prev_issue_type))
        sides = {"issue_type_added": (None, now), "issue_type_removed": (now or then, None)}.get(item.event, (then, now))
        yield self.event(number, at, Activity.CHANGED, who, detail, change=("issue_type", *sides))

    def _closed(self, item: Item, number: str, at: Instant, who: Who, detail: dict[str, Any]) -> Iterator[Event]:
        if item.state_reason:
            yield self.event(f"{number}/reason", at, Activity.CHANGED, who, detail, change=("state_reason", None, item.state_reason))
        yield self.event(number, at, Activity.CLOSED, who, detail, change=("status", "open", "closed"))
        if self.is_pull and not any(abs(at - merged_at) <= TOGETHER for merged_at in self.merges):  # that was the answer
            yield self.event(f"{number}/unmerged", at, Activity.REJECTED, who, {**detail, "action": "merge"})

    def _reopened(self, _: Item, number: str, at: Instant, who: Who, detail: dict[str, Any]) -> Iterator[Event]:
        yield self.event(number, at, Activity.REOPENED, who, detail, change=("status", "closed", "open"))

    def _merged(self, _: Item, number: str, at: Instant, who: Who, detail: dict[str, Any]) -> Iterator[Event]:
        yield self.event(number, at, Activity.APPROVED, who, {**detail, "action": "merge"})

    def _reviewed(self, item: Item, number: str, at: Instant, who: Who, detail: dict[str, Any]) -> Iterator[Event]:
        """A review as it was given: one that was dismissed has lost its state, only the dismissal still knows it."""
        state = (item.state or "").lower()
        if state == "dismissed":
            state = self.dismissed.get(item.id, state)
        activity = REVIEWS.get(state)
        if activity is Activity.COMMENTED:
            yield from self._commented(item, number, at, who, detail)
        elif activity is not None:
            yield self.event(number, at, activity, who, {**detail, "action": "review"})

    def _review_dismissed(self, item: Item, number: str, at: Instant, who: Who, detail: dict[str, Any]) -> Iterator[Event]:
        state = item.dismissed_review.state.lower() if item.dismissed_review is not None else None
        yield self.event(number, at, Activity.CHANGED, who, detail, change=("review", state, "dismissed"))

    def _review_requested(self, item: Item, number: str, at: Instant, who: Who, detail: dict[str, Any]) -> Iterator[Event]:
        reviewer = item.requested_reviewer.login if item.requested_reviewer is not None else item.requested_team.slug if item.requested_team else None
        asked = item.event == "review_requested"
        yield self.event(number, at, Activity.CHANGED, who, detail, change=("reviewer", None if asked else reviewer, reviewer if asked else None))

    def _commented(self, item: Item, number: str, at: Instant, who: Who, detail: dict[str, Any]) -> Iterator[Event]:
        revision = edited(item.created_at, item.updated_at, SECOND)
        yield self.event(number, at, Activity.COMMENTED, who, {**detail, **said(item.body or "", public=True)}, revision=revision)

    def _commit(self, item: Item) -> Iterator[Event]:
        """A commit has no account, only what its author's git said."""
        stamp = item.committer.date if item.committer is not None else None
        if not self.commits or stamp is None or item.sha is None or parse_instant(stamp) < self.made_at:
            return  # what a pull request began with is no change of it
        email = item.author.email if item.author is not None else None
        name = email.removesuffix(NOREPLY).rpartition("+")[2] if email and email.endswith(NOREPLY) else email
        kind = ActorKind.SYSTEM if name and name.endswith("[bot]") else ActorKind.OPERATOR
        yield self.event(f"committed/{item.sha}", parse_instant(stamp), Activity.CHANGED, (kind, name), {"via": []}, change=("head", None, item.sha))

    def _untold(self, told: list[Event]) -> Iterator[Event]:
        """What the timeline lacks of the present state, as the issue itself dates it."""
        issue, pull = self.issue, self.bundle.pull
        ends = [event.activity for event in told if event.activity in (Activity.CLOSED, Activity.REOPENED)]
        self.whole = (issue.state == "closed") == (bool(ends) and ends[-1] is Activity.CLOSED)
        merged_at = parse_instant(pull.merged_at) if pull is not None and pull.merged_at is not None else None
        if pull is not None and merged_at is not None and not self.merges and merged_at // SECOND <= self.read_at:  # later ones will be in the timeline
            self.whole = False
            who = self._who(pull.merged_by, None) if pull.merged_by is not None else (ActorKind.OPERATOR, None)  # who merges may write
            yield self.event("merged", merged_at, Activity.APPROVED, who, {"via": [], "action": "merge"})
        if issue.state == "closed" and not ends and issue.closed_at is not None:
            who = self._who(issue.closed_by, None)
            yield self.event("closed", parse_instant(issue.closed_at), Activity.CLOSED, who, {"via": []}, change=("status", "open", "closed"))

    def _who(self, user: User | None, association: str | None) -> Who:
        """Apps are the system until they are named as agents; people from outside are the customers of what they file."""
        if user is None:
            return NOBODY
        if user.type == "Bot" or user.login.endswith("[bot]"):
            return ActorKind.SYSTEM, user.login
        outside = association in OUTSIDE if association is not None else user.login == self.author and self.from_outside
        return ActorKind.CUSTOMER if outside else ActorKind.OPERATOR, user.login

    def _via(self, app: Any, intent: bool = False) -> list[str]:
        labels = [f"app:{app.slug}"] if app is not None and app.slug else []
        return sorted([*labels, INTENT]) if intent else labels


_HANDLERS: Mapping[str, Any] = {
    "closed": IssueStory._closed,
    "commented": IssueStory._commented,
    "demilestoned": IssueStory._milestone,
    "issue_type_added": IssueStory._issue_type,
    "issue_type_changed": IssueStory._issue_type,
    "issue_type_removed": IssueStory._issue_type,
    "merged": IssueStory._merged,
    "milestoned": IssueStory._milestone,
    "reopened": IssueStory._reopened,
    "review_dismissed": IssueStory._review_dismissed,
    "review_request_removed": IssueStory._review_requested,
    "review_requested": IssueStory._review_requested,
    "reviewed": IssueStory._reviewed,
}
