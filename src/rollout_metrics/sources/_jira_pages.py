"""Jira's pages as they come: the shapes that are decoded, and what is done with issues that have none of them."""

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any, Generic, TypeVar
from zoneinfo import ZoneInfo

import msgspec

from rollout_metrics.collect.http import Answer, Api
from rollout_metrics.collect.names import listing, named
from rollout_metrics.collect.paging import time_of
from rollout_metrics.collect.records import Listing
from rollout_metrics.collect.source import Named, Rejected
from rollout_metrics.domain.time import MINUTE, Instant, instant, moment

R = TypeVar("R")


class History(msgspec.Struct, rename="camel", gc=False):
    """One update of an issue."""

    id: str
    created: int | str
    items: list[dict[str, Any]]
    author: dict[str, Any] | None = None
    history_metadata: dict[str, Any] | None = None


class Histories(msgspec.Struct):
    """The changelog that came with an issue."""

    histories: list[History] = []
    total: int | None = None


class Issue(msgspec.Struct, gc=False):
    """An issue as a search brings it."""

    id: str
    fields: dict[str, Any]
    changelog: Histories | None = None
    key: str | None = None

    @property
    def updated_at(self) -> Instant | None:
        """When it last changed, where that can be read."""
        return time_of(self.fields.get("updated"))


class Found(msgspec.Struct, Generic[R], rename="camel"):
    """A page of a search."""

    issues: list[R]
    is_last: bool | None = None
    next_page_token: str | None = None
    total: int | None = None


class IssueHistories(msgspec.Struct, rename="camel"):
    """Some of the histories of one issue."""

    issue_id: str
    change_histories: list[History]


class Bulk(msgspec.Struct, rename="camel"):
    """A page of the changelogs of many issues."""

    issue_change_logs: list[IssueHistories]
    next_page_token: str | None = None


class Part(msgspec.Struct):
    """A page of comments or worklogs."""

    total: int
    comments: list[dict[str, Any]] = []
    worklogs: list[dict[str, Any]] = []


class Approvals(msgspec.Struct, rename="camel"):
    """A page of the approvals of a request."""

    values: list[dict[str, Any]]
    is_last_page: bool = True


class Myself(msgspec.Struct, rename="camel"):
    """The account the token belongs to."""

    time_zone: str


class Category(msgspec.Struct):
    """What a status means, whatever it is called."""

    key: str


class Status(msgspec.Struct, rename="camel"):
    """A status."""

    id: str
    status_category: Category | None = None


class Known(msgspec.Struct):
    """The issues that are still there."""

    issues: list[msgspec.Raw]


class Id(msgspec.Struct):
    """An issue of which only the id is wanted."""

    id: str


class Right(msgspec.Struct, rename="camel"):
    """Whether the account has a permission."""

    have_permission: bool = False


class Rights(msgspec.Struct):
    """Permissions of the account."""

    permissions: dict[str, Right]


class Bundle(msgspec.Struct, gc=False, omit_defaults=True):
    """An issue with everything that was read about it; `closing`: the statuses that close."""

    issue: Issue
    closing: list[str]
    histories: list[History] = []
    comments: list[dict[str, Any]] = []
    worklogs: list[dict[str, Any]] = []
    approvals: list[dict[str, Any]] = []
    total: int | None = None
    """How many histories there are, where Jira says so."""


class Kept(msgspec.Struct):
    """What of an issue that could not be read is kept for another try."""

    issue: msgspec.Raw
    closing: list[str]


ISSUES: Listing[Found[Issue], Issue] = Listing(Found, Issue, "issue", "issues")
BULK = msgspec.json.Decoder(Bulk)
PART = msgspec.json.Decoder(Part)
APPROVALS = msgspec.json.Decoder(Approvals)
MYSELF = msgspec.json.Decoder(Myself)
STATUSES = msgspec.json.Decoder(list[Status])
BUNDLE = msgspec.json.Decoder(Bundle)
KNOWN = msgspec.json.Decoder(Known)
RIGHTS = msgspec.json.Decoder(Rights)


def read_issues(answer: Answer, closing: list[str]) -> tuple[Found[Issue], list[Rejected]]:
    """The page with what in it is an issue, and what is not."""
    return ISSUES.read(answer, lambda one: msgspec.json.encode(Kept(one, closing)))


def wall_time(at: Instant, zone: ZoneInfo, side: int) -> tuple[str, Instant]:
    """A time as JQL wants it, to the minute in the account's zone, and what it means at least.

    Where an hour is repeated, rather too early (`side` -1) or too late (1).
    """
    exact = moment(at if side < 0 else at + MINUTE - 1).astimezone(zone).replace(second=0, microsecond=0)
    if exact.utcoffset() != exact.replace(fold=1 - exact.fold).utcoffset():
        exact = (exact.replace(tzinfo=None, fold=0) + timedelta(hours=side)).replace(tzinfo=zone)
    return exact.strftime("%Y/%m/%d %H:%M"), min(instant(exact.replace(fold=fold)) for fold in (0, 1))


QUOTED = frozenset(("blockquote",))
BLOCKS = frozenset(("paragraph", "heading", "listItem", "hardBreak", "codeBlock", "tableRow"))


def words(body: Any) -> str:
    """The text of a comment: as it is, or out of Atlassian's document format without what is quoted."""
    if not isinstance(body, dict):
        return str(body or "")
    if body.get("type") in QUOTED:
        return ""
    inner = "".join(map(words, body.get("content") or ()))
    return f"{body.get('text') or ''}{inner}" + ("\n" if body.get("type") in BLOCKS else "")


def worded(value: Any) -> Any:
    """A field's present value as people read it."""
    if isinstance(value, list):
        return [worded(one) for one in value]
    if isinstance(value, dict):
        return next((str(value[name]) for name in ("displayName", "name", "value", "key", "id") if value.get(name)), None) or words(value) or None
    return value


def names(api: Api, rest: str, fields: Mapping[str, str], *, cloud: bool) -> Iterator[Named]:
    """Names of statuses, priorities, types, resolutions, projects and custom fields. `fields`: custom field -> the attribute it is."""
    for listed, attribute in (("status", "status"), ("priority", "priority"), ("issuetype", "type"), ("resolution", "resolution")):
        yield from named(api, f"{rest}/{listed}", attribute)
    yield from named(api, f"{rest}/project/search", "project", key="values") if cloud else named(api, f"{rest}/project", "project")
    for field in listing(api, f"{rest}/field"):
        if (key := str(field["id"])).startswith("customfield_"):
            yield Named(fields.get(key, f"custom:{key.removeprefix('customfield_')}"), None, str(field.get("name") or ""))
