"""Jira, Cloud and Data Center, with Jira Service Management: changelogs, comments, worklogs and approvals as the audit trail of issues."""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any, ClassVar, Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
from pydantic import Field, SecretStr, model_validator

from rollout_metrics.collect.change_options import ChangeOptions, gone
from rollout_metrics.collect.http import Answer, Api, Endpoint, basic, bearer, decode
from rollout_metrics.collect.limits import ResetHeader, ResetKind
from rollout_metrics.collect.paging import LoopGuard, offsets, whole
from rollout_metrics.collect.reconcile import Reconciled, Roll, batches
from rollout_metrics.collect.records import told
from rollout_metrics.collect.source import Coverage, Named, Page, Rejected, Told, Window
from rollout_metrics.collect.story import Story
from rollout_metrics.collect.texts import own_words
from rollout_metrics.domain.errors import PayloadError, TruncatedError
from rollout_metrics.domain.events import Activity, ActorKind, Event, text_value
from rollout_metrics.domain.time import MINUTE, Instant, Span, parse_instant
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
    worded,
    words,
)

AT_ONCE = 100
"""Issues asked for at once."""
HISTORIES = 1000
READ = 100
"""Issues looked up by id at once."""
ATTRIBUTES: Mapping[str, str] = {
    "assignee": "assignee",
    "components": "components",
    "creator": "submitter",
    "duedate": "due_date",
    "fixVersions": "fix_versions",
    "issuetype": "type",
    "labels": "labels",
    "parent": "parent",
    "priority": "priority",
    "project": "project",
    "reporter": "requester",
    "resolution": "resolution",
    "security": "security_level",
    "status": "status",
    "versions": "affected_versions",
}
"""Canonical names of Jira's fields; custom ones become `custom:<id>` or as `fields` says."""
NAMES: Mapping[str, str] = {
    "Component": "components",
    "Fix Version": "fixVersions",
    "IssueParentAssociation": "parent",
    "Parent": "parent",
    "Project": "project",
    "Version": "versions",
    "security": "security",
}
"""Field ids of changelog items that come without one."""
MEMBERS = frozenset(("components", "fixVersions", "versions"))
"""Fields whose changelog items add or take one member each."""
BY_NAME = frozenset(("labels", "duedate"))
"""Fields whose values have no ids."""
OWN = frozenset(("Comment", "WorklogId", "WorklogTimeSpent", "timespent"))
"""Items that repeat what comments and worklogs say."""
DONE = "done"
KINDS: Mapping[str, ActorKind] = {"app": ActorKind.SYSTEM, "customer": ActorKind.CUSTOMER}
DECISIONS: Mapping[str, Activity] = {"approved": Activity.APPROVED, "declined": Activity.REJECTED}
RECORD: Mapping[str, str] = {"id": "key", "title": "summary", "proposed_at": "created"}
"""Place in a change record -> the field that usually says it."""


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
        reached = window.start
        for issues, rejected, answer, last in self._search(api, window, zone, asked=asked, closing=closing):
            bundles = self._complete(api, issues, closing)
            reached = window.end if last else max(reached, min(max(_updates(issues), default=reached), window.end))
            yield Page([*rejected, *bundles], answer.where, reached)

    def events(self, page: Page) -> Iterator[Told]:
        """What happened to each issue, and whether its history is whole."""
        terms = _Terms(self, next((one.closing for one in page.body if isinstance(one, Bundle)), []))
        return told(page, partial(self._told, terms), lambda bundle: f"issue {bundle.issue.id}")

    def _told(self, terms: "_Terms", bundle: Bundle) -> Iterator[Told]:
        story = _Story(terms, bundle)
        yield from story.events()
        yield Coverage("history", int(story.whole), 1)
        if self.changes is not None:
            said = {name: worded(value) for name, value in bundle.issue.fields.items()} | {"key": bundle.issue.key}
            yield self.changes.reading(bundle.issue.id, story.read_at, said, RECORD)

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

    def _search(
        self, api: Api, window: Window, zone: ZoneInfo, *, asked: dict[str, Any], closing: list[str]
    ) -> Iterator[tuple[list[Issue], list[Rejected], Answer, bool]]:
        """Issues updated in the window, oldest first, each once; whether that was all.

        The condition moves with each page: what is updated meanwhile leaves the list, and by number or token the one after it would slip over a page's edge.
        """
        until = wall_time(window.end, zone, 1)[0]
        guard, seen, since = LoopGuard(), dict[str, Any](), wall_time(window.start, zone, -1)
        token, start = None, 0
        while True:
            body = asked | {"jql": self._jql(since[0], until)}
            if self.cloud:
                answer = api.post(
                    f"{self.rest}/search/jql", body | ({"nextPageToken": token} if token else {}), label=f"from {since[0]} {token or ''}"[:60].strip()
                )
            else:
                answer = api.post(f"{self.rest}/search", body | {"startAt": start, "expand": ["changelog"]}, label=f"from {since[0]} {start}")
            found, rejected = read_issues(answer, closing)
            count = len(found.issues) + len(rejected)
            guard.check((since[0], token, start), answer, records=count)
            token = found.next_page_token
            if self.cloud and found.is_last is False and not token:
                raise TruncatedError(f"{answer.where} says there is more but not where: the list was cut short")
            start += count
            if self.cloud:
                more = bool(token)
            else:
                more = count > 0 and start < (found.total or 0)
                whole(start, None if more else found.total, answer.where)
            fresh = [issue for issue in found.issues if seen.get(issue.id, issue) != issue.fields.get("updated")]
            seen.update((issue.id, issue.fields.get("updated")) for issue in found.issues)
            yield fresh, rejected, answer, not more
            if not more:
                return
            times = _updates(found.issues)
            following = wall_time(max(times), zone, -1) if times else since
            if times and following[1] > min(times):  # else they all share this minute: by number or token
                since, token, start = following, None, 0

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
        guard, token = LoopGuard(), None
        while True:
            asked: dict[str, Any] = {"issueIdsOrKeys": ids, "maxResults": HISTORIES}
            answer = api.post(f"{self.rest}/changelog/bulkfetch", asked | ({"nextPageToken": token} if token else {}), label=f"of {len(ids)} from {ids[0]}")
            page = decode(answer, BULK)
            guard.check(token, answer, records=len(page.issue_change_logs))
            for one in page.issue_change_logs:
                found.setdefault(one.issue_id, {}).update((history.id, history) for history in one.change_histories)
            token = page.next_page_token
            if not token:
                return found

    def _part(self, api: Api, number: str, name: str, embedded: Any) -> list[dict[str, Any]]:
        """The issue's comments or worklogs: as they came with it, or page by page where these are not all."""
        key = f"{name}s"
        if isinstance(embedded, dict) and isinstance(embedded.get(key), list) and len(embedded[key]) >= embedded.get("total", 0):
            return list(embedded[key])
        if embedded is None:
            return []
        pages = offsets(
            api,
            f"{self.rest}/issue/{number}/{name}",
            {"maxResults": AT_ONCE},
            PART,
            parameter="startAt",
            records=lambda page: getattr(page, key),
            total=lambda page: page.total,
        )
        return [one for page, _ in pages for one in getattr(page, key)]

    def _approvals(self, api: Api, number: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        while True:
            path = f"/rest/servicedeskapi/request/{number}/approval"
            answer = api.get(path, {"start": len(found), "limit": 50}, accept=frozenset((404,)))  # 404: no request, only an issue in its project
            if answer.status == 404:
                return found
            page = decode(answer, APPROVALS)
            found += page.values
            if page.is_last_page or not page.values:
                return found


def _updates(issues: list[Issue]) -> list[Instant]:
    return [parse_instant(issue.fields["updated"]) for issue in issues if isinstance(issue.fields.get("updated"), str)]


class _Terms:
    """What is the same for all issues of a page."""

    def __init__(self, source: Jira, closing: list[str]) -> None:
        self.source, self.name, self.link = source, source.name, source.link
        self.closing = frozenset(closing)
        self.names = {**ATTRIBUTES, **source.fields}
        self.others: dict[str, str] = {}
        """Attributes of fields that have no name here."""
        self.single = [key for key in self.names if key not in MEMBERS]


class _Story(Story):
    """One issue's events, oldest first."""

    whole = True
    """The history leads without a gap from the first status to the present one."""

    def __init__(self, terms: _Terms, bundle: Bundle) -> None:
        self.terms, self.bundle, self.issue = terms, bundle, bundle.issue
        self.source, self.names, self.closing = terms.source, terms.names, terms.closing
        self.name, self.case_id = terms.name, bundle.issue.id
        self.link = {"url": terms.link + self.case_id} if terms.link else {}
        self.read_at = parse_instant(bundle.issue.fields["updated"]) // 1000
        """Members are worked out backwards from the present ones, which may be older than the changelog: the latest reading holds."""
        self.revision = 0

    def events(self) -> list[Event]:
        """All of it."""
        changes, initial = self._changes()
        fields = self.issue.fields
        made_at = parse_instant(fields["created"])
        creator = fields.get("creator") or fields.get("reporter")
        kind, actor, via = _actor(creator)
        facts = {"via": via, "attributes": initial}
        made = [self._event("created", made_at, Activity.CREATED, (kind, actor), facts, revision=self.revision)]
        if initial.get("status") in self.closing:  # made done
            made.append(self._event("closed", made_at, Activity.CLOSED, (kind, actor), {"via": via}, change=("status", None, initial["status"])))
        made += changes
        made += (self._comment(one) for one in self.bundle.comments)
        made += (self._worklog(one) for one in self.bundle.worklogs)
        made += self._approvals()
        made += self._rating()
        return made

    def _changes(self) -> tuple[list[Event], dict[str, str]]:
        """The changelog, oldest first, and what the issue began with: the `from` of a field's first change, else what it is now."""
        fields = self.issue.fields
        now = {key: _value(value) for key in self.terms.single if (value := fields.get(key)) is not None}
        members = {key: set(_members(fields[key])) if fields.get(key) else set() for key in MEMBERS}
        histories = sorted((_instant(one.created), one.id.zfill(20), place) for place, one in enumerate(self.bundle.histories))
        events: list[Event] = []
        later: dict[str, str | None] = {}
        name, case_id, kept, names, others = self.terms.name, self.case_id, self.source.fields, self.names, self.terms.others
        for at, number, place in reversed(histories):  # backwards: members before a change are those after it without the added one
            history = self.bundle.histories[place]
            kind, actor, via = _actor(history.author)
            detail = {**self.link, "via": _labels(via, history.history_metadata)}
            for position in range(len(history.items) - 1, -1, -1):
                item = history.items[position]
                key = item.get("fieldId") or NAMES.get(item["field"]) or item["field"]
                if key in OWN:
                    events += self._worklog_gone(item, at, (kind, actor), detail)
                    continue
                revision = 0
                if key in MEMBERS:
                    self.revision = revision = self.read_at
                    after = text_value(members[key])
                    members[key] = (members[key] - {str(item["to"])} if item.get("to") else members[key]) | ({str(item["from"])} if item.get("from") else set())
                    before = text_value(members[key])
                else:
                    words = key in kept or key in BY_NAME
                    before, after = _side(item.get("from"), item.get("fromString"), words), _side(item.get("to"), item.get("toString"), words)
                    if key == "labels":
                        before, after = (text_value((item.get(side) or "").split()) for side in ("fromString", "toString"))
                if key == "status":
                    if after != later.get(key, now.get(key)):
                        self.whole = False
                    activity = _status(before, after, self.closing)
                else:
                    activity = Activity.CHANGED
                later[key] = before
                attribute, event_id = names.get(key) or others.get(key) or self._attribute(key), f"{case_id}/{number}:{position:02d}"
                events.append(Event(name, name, case_id, event_id, at, activity, kind, actor, attribute, before, after, detail, revision))
        total = self.bundle.total
        self.whole = self.whole and (total is None or total <= len(histories))
        events.reverse()
        now.update((key, text_value(present)) for key, present in members.items())
        now.update((key, value) for key, value in later.items() if key in self.names)
        return events, {self.names[key]: value for key, value in sorted(now.items()) if value is not None}

    def _attribute(self, key: str) -> str:
        name = self.terms.others[key] = f"custom:{key.removeprefix('customfield_')}" if key.startswith("customfield_") else key
        return name

    def _comment(self, one: dict[str, Any]) -> Event:
        kind, actor, via = _actor(one.get("author"))
        public = one.get("jsdPublic", True) is not False and not one.get("visibility")
        said = {"via": via, "public": public}
        if text := own_words(words(one.get("body"))):
            said["value"] = text
        return self._event(f"comment/{one['id'].zfill(20)}", parse_instant(one["created"]), Activity.COMMENTED, (kind, actor), said, revision=_revision(one))

    def _worklog(self, one: dict[str, Any]) -> Event:
        kind, actor, via = _actor(one.get("author"))
        detail = {"via": via, "seconds": int(one["timeSpentSeconds"])}
        return self._event(
            f"worklog/{one['id'].zfill(20)}", parse_instant(one["created"]), Activity.TIME_LOGGED, (kind, actor), detail, revision=_revision(one)
        )

    def _worklog_gone(self, item: dict[str, Any], at: Instant, who: tuple[ActorKind, str | None], detail: dict[str, Any]) -> Iterator[Event]:
        """A worklog that was taken back counts nothing; only the changelog still knows it."""
        if item["field"] == "WorklogId" and item.get("from") and not item.get("to") and self.source.worklogs:
            facts = {**detail, "seconds": 0}
            yield self._event(f"worklog/{str(item['from']).zfill(20)}", at, Activity.TIME_LOGGED, who, facts, revision=at // 1000 + 1)

    def _approvals(self) -> Iterator[Event]:
        for one in self.bundle.approvals:
            number = str(one["id"]).zfill(20)
            asked_at, over = _stamp(one.get("createdDate")), _stamp(one.get("completedDate"))
            system = (ActorKind.SYSTEM, None)
            if asked_at is not None:
                yield self._event(f"approval/{number}", asked_at, Activity.APPROVAL_REQUESTED, system)
            decided = [(one_.get("approver"), DECISIONS.get(str(one_.get("approverDecision")))) for one_ in one.get("approvers") or ()]
            decided = [(who, activity) for who, activity in decided if activity is not None]
            final = DECISIONS.get(str(one.get("finalDecision")))
            if over is None or final is None:  # when each one decided is told only by the end of the whole
                continue
            for who, activity in decided or [(None, final)]:
                kind, actor, via = _actor(who)
                yield self._event(f"approval/{number}/{actor or 'system'}", over, activity or final, (kind, actor), {"via": via})

    def _rating(self) -> Iterator[Event]:
        rated, dated = (self.issue.fields.get(name or "") for name in (self.source.satisfaction_field, self.source.satisfaction_date_field))
        stars = rated.get("rating") if isinstance(rated, dict) else rated
        if isinstance(stars, int | float) and stars != 3 and isinstance(dated, str):
            who, at = (ActorKind.CUSTOMER, None), parse_instant(dated)
            yield self._event("rating", at, Activity.RATED, who, {"score": "good" if stars > 3 else "bad"}, revision=at // 1000)


def _side(value: Any, said: Any, words: bool) -> str | None:
    """One side of a change: the id; words only where there is none and they were asked for, since words can be anything."""
    if value is None or value == "":
        return text_value(said) if words else None
    text = value if type(value) is str else str(value)
    return text_value([part.strip() for part in text[1:-1].split(",")]) if text[0] == "[" and text[-1] == "]" else text


def _status(before: str | None, after: str | None, closing: frozenset[str]) -> Activity:
    if (before in closing) == (after in closing):
        return Activity.CHANGED
    return Activity.CLOSED if after in closing else Activity.REOPENED


def _actor(author: Any) -> tuple[ActorKind, str | None, list[str]]:
    """Who it was, and what the account is: apps (automations, agents under their own name) are the system until they are named as agents."""
    if not isinstance(author, dict):
        return ActorKind.SYSTEM, None, []
    account = author.get("accountType") or ""
    who = author.get("accountId") or author.get("key") or author.get("name")
    return KINDS.get(account, ActorKind.OPERATOR), str(who) if who else None, [account] if account in KINDS else []


def _labels(via: list[str], metadata: dict[str, Any] | None) -> list[str]:
    """What marks a change as made through something: Jira's history metadata."""
    if not metadata:
        return via
    parts = [metadata.get("type"), *((metadata.get(name) or {}).get("id") for name in ("actor", "cause", "generator"))]
    return sorted({*via, *(str(part) for part in parts if part)})


def _value(value: Any) -> str | None:
    """A field's present value as its changelog would write it: by id."""
    if isinstance(value, dict):
        for name in ("accountId", "id", "key", "name", "value"):
            if value.get(name):
                return str(value[name])
        return _value(value.get("requestType"))
    if isinstance(value, list):
        return text_value([_value(one) for one in value])
    return text_value(value)


def _members(value: Any) -> Sequence[str]:
    return [found for one in value or () if (found := _value(one)) is not None]


def _instant(value: int | str) -> Instant:
    """Cloud's bulk answers count milliseconds (the documentation's example: seconds), all else is written out."""
    if isinstance(value, str):
        return parse_instant(value)
    return value * 1000 if value >= 10**11 else value * 1_000_000


def _stamp(value: Any) -> Instant | None:
    if not isinstance(value, dict):
        return None
    millis = value.get("epochMillis")
    return int(millis) * 1000 if millis else parse_instant(value["iso8601"]) if value.get("iso8601") else None


def _revision(one: dict[str, Any]) -> int:
    """Grows with each edit, in milliseconds; never edited: 0."""
    updated = one.get("updated")
    return 0 if not updated or updated == one["created"] else parse_instant(updated) // 1000
