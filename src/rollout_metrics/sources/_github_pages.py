"""GitHub's pages as they come: the shapes that are decoded, and what is done with issues that have none of them."""

from typing import Any

import msgspec

from rollout_metrics.collect.http import Answer
from rollout_metrics.collect.records import Listing
from rollout_metrics.collect.source import Rejected


class User(msgspec.Struct, gc=False):
    """An account."""

    login: str
    type: str | None = None


class Named(msgspec.Struct, gc=False):
    """A label, a team or an app."""

    name: str | None = None
    slug: str | None = None


class Titled(msgspec.Struct, gc=False):
    """A milestone."""

    title: str


class Intent(msgspec.Struct, gc=False):
    """What GitHub says an agent meant by an event; the words themselves are not read."""

    confidence: str | None = None


class Dismissed(msgspec.Struct, gc=False):
    """A review that was dismissed, as it had been."""

    state: str
    review_id: int | None = None


class Person(msgspec.Struct, gc=False):
    """Whom a commit names."""

    name: str | None = None
    email: str | None = None
    date: str | None = None


class Item(msgspec.Struct, gc=False):
    """One entry of a timeline; what kind it is decides which of these it has."""

    event: str
    id: int | None = None
    actor: User | None = None
    user: User | None = None
    created_at: str | None = None
    submitted_at: str | None = None
    updated_at: str | None = None
    state: str | None = None
    state_reason: str | None = None
    author_association: str | None = None
    body: str | None = None
    label: Named | None = None
    assignee: User | None = None
    milestone: Titled | None = None
    requested_reviewer: User | None = None
    requested_team: Named | None = None
    dismissed_review: Dismissed | None = None
    issue_type: Named | None = None
    prev_issue_type: Named | None = None
    performed_via_github_app: Named | None = None
    intent: Intent | None = None
    sha: str | None = None
    author: Person | None = None
    committer: Person | None = None


class Branch(msgspec.Struct, gc=False):
    """One end of a pull request."""

    ref: str


class Pull(msgspec.Struct, gc=False):
    """A pull request itself."""

    head: Branch
    base: Branch
    merged_at: str | None = None
    merged_by: User | None = None


class Issue(msgspec.Struct, gc=False):
    """An issue or a pull request as the list has it."""

    number: int
    created_at: str
    updated_at: str
    state: str
    html_url: str
    title: str | None = None
    user: User | None = None
    author_association: str | None = None
    labels: list[Named] = []
    assignees: list[User] = []
    milestone: Titled | None = None
    closed_at: str | None = None
    closed_by: User | None = None
    state_reason: str | None = None
    pull_request: dict[str, Any] | None = None
    performed_via_github_app: Named | None = None


class Bundle(msgspec.Struct, gc=False):
    """An issue with everything that was read about it."""

    repository: str
    issue: Issue
    timeline: list[Item] = []
    pull: Pull | None = None


class Kept(msgspec.Struct):
    """What of an issue that could not be read is kept for another try."""

    repository: str
    issue: msgspec.Raw


ISSUES: Listing[list[Issue], Issue] = Listing(list, Issue, "issue")
RAW = msgspec.json.Decoder(list[msgspec.Raw])
TIMELINE = msgspec.json.Decoder(list[Item])
PULL = msgspec.json.Decoder(Pull)
BUNDLE = msgspec.json.Decoder(Bundle)


def read_issues(answer: Answer, repository: str) -> tuple[list[Issue], list[Rejected]]:
    """The page with what in it is an issue, and what is not."""
    return ISSUES.read(answer, lambda one: msgspec.json.encode(Kept(repository, one)))
