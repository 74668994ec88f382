"""GitLab's pages as they come: the shapes that are decoded, and what is done with items that have none of them."""

from collections.abc import Mapping

import msgspec

from rollout_metrics.collect.http import Answer
from rollout_metrics.collect.records import Listing
from rollout_metrics.collect.source import Rejected

ISSUES, MERGE_REQUESTS = "issues", "merge_requests"
SIGNS: Mapping[str, str] = {ISSUES: "#", MERGE_REQUESTS: "!"}
"""What stands between a project and the number of an item."""


class User(msgspec.Struct, gc=False):
    """An account."""

    username: str


class Named(msgspec.Struct, gc=False):
    """A label."""

    name: str | None = None


class Titled(msgspec.Struct, gc=False):
    """A milestone."""

    title: str | None = None


class Item(msgspec.Struct, gc=False):
    """An issue or merge request as the list has it."""

    iid: int
    created_at: str
    updated_at: str
    state: str
    web_url: str
    author: User | None = None
    labels: list[str] = []
    assignees: list[User] = []
    milestone: Titled | None = None
    closed_at: str | None = None
    closed_by: User | None = None
    merged_at: str | None = None
    merged_by: User | None = None
    source_branch: str | None = None
    target_branch: str | None = None


class Moved(msgspec.Struct, gc=False):
    """A state, label or milestone event."""

    id: int
    created_at: str
    user: User | None = None
    state: str | None = None
    action: str | None = None
    label: Named | None = None
    milestone: Titled | None = None


class Note(msgspec.Struct, gc=False):
    """A comment, or what GitLab itself says was done."""

    id: int
    created_at: str
    body: str = ""
    updated_at: str | None = None
    author: User | None = None
    system: bool = False
    internal: bool | None = None
    confidential: bool | None = None


class Bundle(msgspec.Struct, gc=False):
    """An item with everything that was read about it. `kind`: `issues` or `merge_requests`."""

    project: str
    kind: str
    item: Item
    states: list[Moved] = []
    labels: list[Moved] = []
    milestones: list[Moved] = []
    notes: list[Note] = []


class Kept(msgspec.Struct):
    """What of an item that could not be read is kept for another try."""

    project: str
    kind: str
    item: msgspec.Raw


class Number(msgspec.Struct):
    """An item of which only the number is wanted."""

    iid: int


class Access(msgspec.Struct):
    """A role in a project or group."""

    access_level: int = 0


class Permissions(msgspec.Struct):
    """The token's roles."""

    project_access: Access | None = None
    group_access: Access | None = None


class Project(msgspec.Struct):
    """A project, as far as the token's rights go."""

    id: int
    permissions: Permissions | None = None


ITEMS: Listing[list[Item], Item] = Listing(list, Item, "item")
CHANGES = msgspec.json.Decoder(list[Moved])
NOTES = msgspec.json.Decoder(list[Note])
NUMBERS = msgspec.json.Decoder(list[Number])
BUNDLE = msgspec.json.Decoder(Bundle)
PROJECT = msgspec.json.Decoder(Project)


def read_items(answer: Answer, project: str, kind: str) -> tuple[list[Item], list[Rejected]]:
    """The page with what in it is an issue or merge request, and what is not."""
    return ITEMS.read(answer, lambda one: msgspec.json.encode(Kept(project, kind, one)))
