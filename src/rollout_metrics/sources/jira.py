"""Jira, Cloud and Data Center, with Jira Service Management: changelogs, comments, worklogs and approvals as the audit trail of issues."""

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any, ClassVar, Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
from pydantic import Field, SecretStr, model_validator

from rollout_metrics.collect.change_options import ChangeOptions, gone
from rollout_metrics.collect.http import Api, Endpoint, basic, bearer, decode
from rollout_metrics.collect.limits import ResetHeader, ResetKind
from rollout_metrics.collect.paging import Ask, LoopGuard, Slice, followed, moving, offsets, whole
from rollout_metrics.collect.reconcile import Reconciled, Roll, batches
from rollout_metrics.collect.records import told
from rollout_metrics.collect.source import Named, Page, Told, Window
from rollout_metrics.domain.errors import PayloadError, TruncatedError
from rollout_metrics.domain.time import MINUTE, Span
from rollout_metrics.sources._jira_pages import (
    APPROVALS,
    BULK,
    BUNDLE,
    KNOWN,
    MYSELF,
    PART,
    RIGHTS,
    STATUSES,
    Bundle,
    History,
    Id,
    Issue,
    Right,
    names,
    read_issues,
    wall_time,
)
from rollout_metrics.sources._jira_story import ATTRIBUTES, Terms, issue_told

AT_ONCE = 100
"""Issues asked for at once."""
HISTORIES = 1000
READ = 100
"""Issues looked up by id at once."""
DONE = "done"


class Jira(Reconciled):
    """Jira Cloud or Data Center. The account must see the projects; give its profile the time zone UTC."""

    kind: ClassVar[str] = "jira"
    record: ClassVar[msgspec.json.Decoder[Any]] = BUNDLE
    hold_back: ClassVar[Span] = MINUTE

    deployment: Literal["cloud", "data_center"] = "cloud"
    """Which of Jira's two APIs to speak: `data_center` is also Jira Server's."""
    site: str | None = Field(default=None, pattern=r"^[a-z0-9][a-z0-9-]*$")
    """The `acme` of acme.atlassian.net."""
    base_url: str | None = Field(default=None, pattern=r"^https?://[^?#]+$")
    """The address instead of a site, such as https://api.atlassian.com/ex/jira/CLOUD-ID for scoped tokens, or that of your own server."""
    web_url: str | None = Field(default=None, pattern=r"^https?://[^?#]+$")
    """Where people see issues, for links, where that is not the address above."""
    email: str | None = None
    """The account an API token belongs to; without it the token is sent as a bearer token (OAuth, personal access token)."""
    token: SecretStr
    """The API token, OAuth token or personal access token."""
    projects: frozenset[str] = frozenset()
    """Keys of projects to read; default: all that the account sees."""
    jql: str | None = None
    """A further condition in JQL."""
    fields: Mapping[str, str] = {}
    """Custom field (`customfield_10010`; on Data Center also its name) -> attribute name. Values of other custom fields are followed by id only."""
    closing_statuses: frozenset[str] = frozenset()
    """Status ids that close an issue besides those of the category Done."""
    comments: bool = True
    """Read comments."""
    worklogs: bool = True
    """Read logged work."""
    approvals: bool = True
    """Read the approvals of service desk requests: one request for each changed issue of a service desk."""
    satisfaction_field: str | None = None
    """The custom field that holds a customer's rating."""
    satisfaction_date_field: str | None = None
    """The custom field that says when it was given; without it ratings are not dated and not read."""
    changes: ChangeOptions | None = None
    """Which issues are change records of an agent, and which fields say what. Usual: `id`: key, `title`: summary, `proposed_at`: created."""

    @model_validator(mode="after")
    def _one_address(self) -> Self:
        if (self.site is None) == (self.base_url is None):
            raise ValueError("give either site or base_url")
        return self

    @property
    def cloud(self) -> bool:
        """Whether it is Atlassian's."""
        return self.deployment == "cloud"

    @property
    def rest(self) -> str:
        """Where the API is."""
        return "/rest/api/3" if self.cloud else "/rest/api/2"

    @property
    def link(self) -> str:
        """The address of an issue but for its id, which stays when it moves to another project."""
        web = self.web_url or (f"https://{self.site}.atlassian.net" if self.site else self.base_url or "")
        return "" if "api.atlassian.com" in web else f"{web.rstrip('/')}/issues/?jql=id%3D"

    def endpoint(self) -> Endpoint:
        """Basic authentication with an API token, or a bearer token."""
        authorization = bearer(self.token) if self.email is None else basic(self.email, self.token)
        base = self.base_url or f"https://{self.site}.atlassian.net"
        reset = ResetHeader("X-RateLimit-Reset", ResetKind.ISO)
        return Endpoint(base_url=base, authorization=authorization, reset=reset, **self.connection())

    def pages(self, api: Api, window: Window) -> Iterator[Page]:
        """Issues by their time of update, each with its whole history; a page is a page of the search."""
        zone = self._zone(api)  # first of all: without a valid token Jira Cloud answers other questions as to anybody
        statuses = decode(api.get(f"{self.rest}/status"), STATUSES)
        closing = sorted(self.closing_statuses.union(one.id for one in statuses if one.status_category is not None and one.status_category.key == DONE))
        wanted = ["updated", "created", "worklog", "comment", *ATTRIBUTES, *sorted(self.fields), self.satisfaction_field, self.satisfaction_date_field]
        wanted += ["summary", *sorted(self.changes.asked())] if self.changes is not None else []
        asked = {"fields": sorted({name for name in wanted if name}), "maxResults": AT_ONCE}
        earliest, until = partial(wall_time, zone=zone, side=-1), wall_time(window.end, zone, 1)[0]
        reached = window.start
        for fresh, found in moving(
            lambda since, place: self._search(api, (earliest(since)[0], until), place, asked, closing),
            reached,
            window.end,
            key=lambda issue: issue.id,
            changed_at=lambda issue: issue.updated_at,
            begins=lambda at: earliest(at)[1],
            exact=False,
        ):
            bundles = self._complete(api, [issue for issue, _ in fresh], closing)
            reached = window.end if found.following is None else fresh[-1][1] if fresh else reached
            yield Page([*found.rejected, *bundles], found.answer.where, reached)

    def events(self, page: Page) -> Iterator[Told]:
        """What happened to each issue, and whether its history is whole."""
        closing = frozenset(next((one.closing for one in page.body if isinstance(one, Bundle)), ()))
        rating = (self.satisfaction_field, self.satisfaction_date_field)
        terms = Terms(self.name, self.link, self.fields, closing, self.worklogs, rating, self.changes)
        return told(page, partial(issue_told, terms), lambda bundle: f"issue {bundle.issue.id}")

    def names(self, api: Api) -> Iterator[Named]:
        """Names of statuses, priorities, types, projects and custom fields."""
        return names(api, self.rest, self.fields, cloud=self.cloud)

    def lacking(self, api: Api) -> Iterator[str]:
        """Projects to browse, and the service desk's API."""
        rights = decode(api.get(f"{self.rest}/mypermissions", {"permissions": "BROWSE_PROJECTS"}), RIGHTS).permissions
        if not rights.get("BROWSE_PROJECTS", Right()).have_permission:
            yield "the account may browse no project: give it the permission Browse projects, or it finds no issues and no error"
        if self.approvals:
            answer = api.get("/rest/servicedeskapi/servicedesk", {"limit": 1}, accept=frozenset((401, 403, 404)))
            if answer.status != 200:
                yield f"approvals cannot be read ({answer.status}): give the account access to the service desk, or set approvals: false"

    def reconcile(self, api: Api, roll: Roll) -> Iterator[Page]:
        """Look every known issue up by id: a deleted one leaves no trace in any search."""
        for batch in batches(roll(), READ):
            ids = [case_id for case_id, _ in batch]
            if self.cloud:
                answer = api.post(f"{self.rest}/issue/bulkfetch", {"issueIdsOrKeys": ids, "fields": ["id"]}, label=f"of {len(ids)} from {ids[0]}")
            else:
                asked = {"jql": f"id in ({','.join(ids)})", "fields": ["id"], "maxResults": READ, "validateQuery": False}
                answer = api.post(f"{self.rest}/search", asked, label=f"of {len(ids)} from {ids[0]}")
            present = {msgspec.json.decode(one, type=Id).id for one in decode(answer, KNOWN).issues}
            yield Page(gone(self.gone(batch, present), self.changes), answer.where)

    def _zone(self, api: Api) -> ZoneInfo:
        """The zone in which Jira reads the times of our queries: that of the account's profile."""
        answer = api.get(f"{self.rest}/myself")
        name = decode(answer, MYSELF).time_zone
        try:
            return ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError):
            raise PayloadError(f"{answer.where}: the account's time zone {name[:40]!r} is not known here: set its profile to UTC") from None

    def _search(self, api: Api, between: tuple[str, str], place: Any, asked: dict[str, Any], closing: list[str]) -> Slice[Issue]:
        """Issues updated between two minutes, oldest first, from a token (Cloud) or number (Data Center) on."""
        first, _ = between
        body = asked | {"jql": self._jql(*between)}
        if self.cloud:
            body |= {"nextPageToken": place} if place else {}
            answer = api.post(f"{self.rest}/search/jql", body, label=f"from {first} {place or ''}"[:60].strip())
            found, rejected = read_issues(answer, closing)
            if found.is_last is False and not found.next_page_token:
                raise TruncatedError(f"{answer.where} says there is more but not where: the list was cut short")
            return Slice(found.issues, answer, found.next_page_token or None, rejected)
        start = place or 0
        answer = api.post(f"{self.rest}/search", body | {"startAt": start, "expand": ["changelog"]}, label=f"from {first} {start}")
        found, rejected = read_issues(answer, closing)
        count = len(found.issues) + len(rejected)
        start += count
        if count > 0 and start < (found.total or 0):
            return Slice(found.issues, answer, start, rejected)
        whole(start, found.total, answer.where)
        return Slice(found.issues, answer, None, rejected)

    def _jql(self, since: str, until: str) -> str:
        conditions = [f"({self.jql})"] if self.jql else []
        if self.projects:
            conditions.append("project in (" + ", ".join(f'"{key}"' for key in sorted(self.projects)) + ")")
        return " AND ".join([*conditions, f'updated >= "{since}"', f'updated < "{until}"']) + " ORDER BY updated ASC, key ASC"

    def _complete(self, api: Api, issues: list[Issue], closing: list[str]) -> list[Bundle]:
        """The issues with all that belongs to them; what the search brought in full is not asked for again."""
        histories = self._histories(api, [issue.id for issue in issues]) if self.cloud and issues else {}
        bundles: list[Bundle] = []
        for issue in issues:
            changelog, fields = issue.changelog, issue.fields
            bundle = Bundle(issue, closing, list(histories.get(issue.id, {}).values()))
            if changelog is not None and not self.cloud:
                bundle.histories, bundle.total, issue.changelog = changelog.histories, changelog.total, None
            if self.comments:
                bundle.comments = self._part(api, issue.id, "comment", fields.pop("comment", None))
            if self.worklogs:
                bundle.worklogs = self._part(api, issue.id, "worklog", fields.pop("worklog", None))
            project = fields.get("project")
            if self.approvals and isinstance(project, dict) and project.get("projectTypeKey") == "service_desk":
                bundle.approvals = self._approvals(api, issue.id)
            bundles.append(bundle)
        return bundles

    def _histories(self, api: Api, ids: list[str]) -> dict[str, dict[str, History]]:
        """Every history of these issues, each once: one issue's can come in pieces, on any page, and repeat at the edges."""
        found: dict[str, dict[str, History]] = {}
        asked: dict[str, Any] = {"issueIdsOrKeys": ids, "maxResults": HISTORIES}
        path, label = f"{self.rest}/changelog/bulkfetch", f"of {len(ids)} from {ids[0]}"
        ask: Ask = lambda token: api.post(path, asked | ({"nextPageToken": token} if token else {}), label=label)  # noqa: E731
        for page, _ in followed(ask, BULK, records=lambda page: page.issue_change_logs, following=lambda page, _: page.next_page_token):
            for one in page.issue_change_logs:
                found.setdefault(one.issue_id, {}).update((history.id, history) for history in one.change_histories)
        return found

    def _part(self, api: Api, number: str, name: str, embedded: Any) -> list[dict[str, Any]]:
        """The issue's comments or worklogs: as they came with it, or page by page where these are not all."""
        key = f"{name}s"
        if isinstance(embedded, dict) and isinstance(embedded.get(key), list) and len(embedded[key]) >= embedded.get("total", 0):
            return list(embedded[key])
        if embedded is None:
            return []
        path, asked = f"{self.rest}/issue/{number}/{name}", {"maxResults": AT_ONCE}
        pages = offsets(api, path, asked, PART, parameter="startAt", records=lambda page: getattr(page, key), total=lambda page: page.total)
        return [one for page, _ in pages for one in getattr(page, key)]

    def _approvals(self, api: Api, number: str) -> list[dict[str, Any]]:
        guard, found = LoopGuard(), list[dict[str, Any]]()
        while True:
            path = f"/rest/servicedeskapi/request/{number}/approval"
            answer = api.get(path, {"start": len(found), "limit": 50}, accept=frozenset((404,)))  # 404: no request, only an issue in its project
            if answer.status == 404:
                return found
            page = decode(answer, APPROVALS)
            guard.check(len(found), answer, records=len(page.values))
            found += page.values
            if page.is_last_page or not page.values:
                return found
