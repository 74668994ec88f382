"""GitLab: state, label and milestone events and the notes of issues and merge requests as their audit trail."""

import re
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any, ClassVar, Literal, TypeVar
from urllib.parse import quote

import msgspec
from pydantic import Field, SecretStr

from rollout_metrics.collect.http import Answer, Api, Endpoint, bearer, decode
from rollout_metrics.collect.limits import ResetHeader, ResetKind
from rollout_metrics.collect.paging import LoopGuard, Slice, moving, time_of, whole
from rollout_metrics.collect.parts import parts_of
from rollout_metrics.collect.reconcile import Living, Reconciled, Roll, batches
from rollout_metrics.collect.records import told
from rollout_metrics.collect.source import Page, Told, Window
from rollout_metrics.collect.story import MILLISECOND
from rollout_metrics.domain.errors import CredentialsError, PayloadError
from rollout_metrics.domain.time import Instant, format_instant
from rollout_metrics.sources._gitlab_pages import BUNDLE, CHANGES, ISSUES, MERGE_REQUESTS, NOTES, NUMBERS, PROJECT, SIGNS, Bundle, Item, read_items
from rollout_metrics.sources._gitlab_story import ItemStory

AT_ONCE = 100
REPORTER = 20
"""The role from which on internal notes and confidential issues are seen."""

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
            for fresh, found in moving(
                partial(self._updated, api, (project, kind), window.end),
                part.since,
                window.end,
                key=lambda item: item.iid,
                changed_at=lambda item: time_of(item.updated_at),
                begins=lambda at: at - MILLISECOND,
            ):
                if found.rejected:
                    yield Page(found.rejected, found.answer.where, *part.reached(part.since))
                for item, reached in fresh:
                    bundle = self._complete(api, project, kind, item)
                    if bundle is not None:
                        yield Page([bundle], f"{found.answer.where} {project}{SIGNS[kind]}{item.iid}", *part.reached(reached))
            yield Page([], part.name, *part.reached(window.end))

    def events(self, page: Page) -> Iterator[Told]:
        """What happened to each item, and whether its events tell how it came to be as it is."""
        return told(page, self._told, lambda bundle: f"item {bundle.item.iid}")

    def _told(self, bundle: Bundle) -> list[Told]:
        return ItemStory(self.name, bundle).told()

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

    def _updated(self, api: Api, what: tuple[str, str], end: Instant, since: Instant, number: int | None) -> Slice[Item]:
        """Items updated in [since, end), oldest first, from a page on. `what`: project and kind."""
        project, kind = what
        params: dict[str, Any] = {"order_by": "updated_at", "sort": "asc", "scope": "all", "state": "all", "per_page": AT_ONCE}
        asked = {**params, "updated_after": format_instant(since - MILLISECOND), "updated_before": format_instant(end), "page": number or 1}
        answer = api.get(f"/api/v4/projects/{quote(project, safe='')}/{kind}", asked, accept=frozenset((404,)))
        if answer.status == 404:
            raise CredentialsError(f"404 from {answer.where}: check that {project} exists and that the token may read its {kind.replace('_', ' ')}")
        items, rejected = read_items(answer, project, kind)
        return Slice(items, answer, (number or 1) + 1 if answer.headers.get("X-Next-Page") else None, rejected)

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
