"""GitHub: the timelines of issues and pull requests as their audit trail, with reviews, merges and the marks that agents leave."""

from collections.abc import Collection, Iterator, Mapping
from functools import partial
from typing import Any, ClassVar, Literal

import msgspec
from pydantic import Field, SecretStr

from rollout_metrics.collect.change_options import ChangeOptions, gone
from rollout_metrics.collect.http import Api, Endpoint, bearer, decode
from rollout_metrics.collect.limits import ResetHeader, ResetKind
from rollout_metrics.collect.paging import LoopGuard, Slice, link_headers, moving, next_link, time_of
from rollout_metrics.collect.parts import parts_of
from rollout_metrics.collect.reconcile import Living, Reconciled, Roll
from rollout_metrics.collect.records import told
from rollout_metrics.collect.source import Page, Told, Window
from rollout_metrics.domain.errors import CredentialsError
from rollout_metrics.domain.time import SECOND, Instant, format_instant
from rollout_metrics.sources._github_pages import BUNDLE, PULL, RAW, TIMELINE, Bundle, Issue, read_issues
from rollout_metrics.sources._github_story import RECORD, IssueStory, fields_of

AT_ONCE = 100
HEADERS: Mapping[str, str] = {"Accept": "application/vnd.github+json", "X-GitHub-Api-Version": "2022-11-28"}
GONE = frozenset((301, 404, 410))
"""Moved to another repository, not ours to see, deleted."""


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
            for fresh, found in moving(
                partial(self._updated, api, part.name),
                part.since,
                window.end,
                key=lambda issue: issue.number,
                changed_at=lambda issue: time_of(issue.updated_at),
                begins=_listed_from,
            ):
                if found.rejected:
                    yield Page(found.rejected, found.answer.where, *part.reached(part.since))
                for issue, reached in fresh:
                    bundle = self._complete(api, part.name, issue) if self._wanted(issue) else None
                    if bundle is not None:
                        yield Page([bundle], f"{found.answer.where} {part.name}#{issue.number}", *part.reached(reached))
            yield Page([], part.name, *part.reached(window.end))

    def events(self, page: Page) -> Iterator[Told]:
        """What happened to each issue, and whether its timeline tells how it came to be as it is."""
        return told(page, self._told, lambda bundle: f"issue {bundle.issue.number}")

    def _told(self, bundle: Bundle) -> list[Told]:
        story = IssueStory(self.name, bundle, commits=self.commits)
        found = story.told()
        if self.changes is not None and story.is_pull:
            found.append(self.changes.reading(story.case_id, story.read_at, fields_of(bundle), RECORD))
        return found

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

    def _updated(self, api: Api, repository: str, since: Instant, following: str | None) -> Slice[Issue]:
        """Issues updated since an instant, oldest first."""
        asked = {"state": "all", "sort": "updated", "direction": "asc", "per_page": AT_ONCE, "since": format_instant(_listed_from(since))}
        answer = api.get(following or f"/repos/{repository}/issues", None if following else asked, accept=frozenset((404,)))
        if answer.status == 404:
            raise CredentialsError(f"404 from {answer.where}: check that {repository} exists and that the token may read its issues")
        issues, rejected = read_issues(answer, repository)
        return Slice(issues, answer, next_link(answer), rejected)

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


def _listed_from(since: Instant) -> Instant:
    """From when on issues are asked for: whole seconds, and one more, since the list may leave out the second that is named."""
    return since - since % SECOND - SECOND


def _worth_listing(known: Collection[int], newest: int) -> int:
    """The number down to which it takes fewer requests to list all issues than to look up each known one."""
    numbers = sorted(known, reverse=True)
    return min([(len(numbers), newest), *(((newest - number) // AT_ONCE + len(numbers) - place, number) for place, number in enumerate(numbers, 1))])[1]


def _wish(body: bytes) -> float | None:
    """The secondary limit answers 403 and may name no time: a minute is asked for then."""
    return 60.0 if b"secondary rate limit" in body else None


class _Number(msgspec.Struct):
    number: int
