"""PagerDuty: the log entries of incidents: triggered, acknowledged, escalated, reassigned, resolved, merged."""

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, Generic, TypeVar

import msgspec
from pydantic import Field, SecretStr

from rollout_metrics.collect.http import Answer, Api, Endpoint
from rollout_metrics.collect.limits import ResetHeader, ResetKind
from rollout_metrics.collect.names import named
from rollout_metrics.collect.paging import LoopGuard, whole
from rollout_metrics.collect.records import Listing, told
from rollout_metrics.collect.source import HttpSource, Named, Page, Rejected, Told, Window
from rollout_metrics.collect.story import NOBODY, Change, Story, Who
from rollout_metrics.collect.texts import said
from rollout_metrics.domain.errors import PayloadError
from rollout_metrics.domain.events import Activity, ActorKind, Event, text_value
from rollout_metrics.domain.time import DAY, SECOND, Instant, Span, format_instant, parse_instant

R = TypeVar("R")

REPEATED = 3
"""So many pages in a row that bring nothing new are no shift any more: the offset is being ignored."""
AT_ONCE = 100
DEEPEST = 10_000
"""PagerDuty pages no deeper: longer stretches are cut in two."""
LONGEST: Span = DAY
SHORTEST: Span = SECOND
STATUSES: Mapping[str, tuple[Activity, str | None, str]] = {
    "acknowledge": (Activity.CHANGED, "triggered", "acknowledged"),
    "unacknowledge": (Activity.CHANGED, "acknowledged", "triggered"),
    "resolve": (Activity.CLOSED, None, "resolved"),
}
"""Kinds of entries that set the status: activity, before, after."""
PLAIN: Mapping[str, Change] = {
    "exhaust_escalation_path": ("escalation_path", None, "exhausted"),
    "repeat_escalation_path": ("escalation_path", None, "repeated"),
    "snooze": ("snoozed", None, "true"),
}
VALUES = frozenset(("field_value_change", "custom_field_value_change", "urgency_change", "priority_change"))
PLAIN_VALUES = frozenset(("priority", "urgency", "service", "escalation_policy"))
"""Fields of PagerDuty's own whose values are words or ids."""
ASSIGNED = frozenset(("assign", "delegate", "escalate"))
AUTOMATIC = frozenset(("auto", "timeout"))
"""Channels by which PagerDuty itself acts, whoever's name stands beside it."""
NAMED: Mapping[str, str] = {"service": "services", "escalation_policy": "escalation_policies", "priority": "priorities"}
"""Attribute -> the listing of what its ids are called."""
MOST_PAGES = 10
"""Pages of such a listing."""
PEOPLE = frozenset(("user", "user_reference"))
MERGED = "merge_resolve_reason"


class _Reference(msgspec.Struct, gc=False):
    id: str
    type: str | None = None


class _Incident(msgspec.Struct, gc=False):
    id: str
    html_url: str | None = None
    resolve_reason: dict[str, Any] | None = None


class _Entry(msgspec.Struct, gc=False):
    id: str
    type: str
    created_at: str
    incident: _Incident
    agent: _Reference | None = None
    channel: dict[str, Any] | None = None
    service: _Reference | None = None
    assignees: list[_Reference] = []


class _Entries(msgspec.Struct, Generic[R]):
    log_entries: list[R]
    more: bool
    total: int | None = None


_ENTRIES: Listing[_Entries[_Entry], _Entry] = Listing(_Entries, _Entry, "entry", "log_entries")
_ENTRY = msgspec.json.Decoder(_Entry)


class Pagerduty(HttpSource):
    """PagerDuty. A read-only API key is enough."""

    kind: ClassVar[str] = "pagerduty"
    record: ClassVar[msgspec.json.Decoder[Any]] = _ENTRY

    base_url: str = Field(default="https://api.pagerduty.com", pattern=r"^https?://[^?#]+$")
    """The API's address; https://api.eu.pagerduty.com for European accounts."""
    token: SecretStr
    """A read-only API key, or with `oauth` a token with the scope `incidents.read`."""
    oauth: bool = False
    """The token is an OAuth token."""
    teams: frozenset[str] = frozenset()
    """Ids of teams whose incidents to read; default: all."""
    fields: Mapping[str, str] = {}
    """Name of an incident's field -> attribute name, instead of `custom:<name>`; map one to `change` to link incidents with changes."""

    def endpoint(self) -> Endpoint:
        """An API key has a scheme of its own."""
        scheme = "Bearer " if self.oauth else "Token token="
        headers = {"Accept": "application/vnd.pagerduty+json;version=2", "Content-Type": "application/json"}
        authorization = SecretStr(scheme + self.token.get_secret_value())
        reset = ResetHeader("ratelimit-reset", ResetKind.SECONDS)
        return Endpoint(base_url=self.base_url, authorization=authorization, headers=headers, reset=reset, **self.connection())

    def pages(self, api: Api, window: Window) -> Iterator[Page]:
        """Stretches of at most a day, oldest first; within each the newest entries come first, so a stretch counts as read at its end."""
        start, length = window.start, LONGEST
        while start < window.end:
            end = min(start + length, window.end)
            pages = self._stretch(api, start, end)
            entries, rejected, answer, total = next(pages)
            if total is not None and total > DEEPEST - AT_ONCE and end - start > SHORTEST:
                length = max(SHORTEST, (end - start) // 2)
                continue
            while True:
                following = next(pages, None)
                yield Page([*rejected, *entries], answer.where, end if following is None else None)
                if following is None:
                    break
                entries, rejected, answer, _ = following
            start, length = end, min(LONGEST, length * 2)

    def events(self, page: Page) -> Iterator[Told]:
        """What each entry says of its incident; notifications and reached limits say nothing."""
        return told(page, self._of, lambda entry: f"entry {entry.id}")

    def lacking(self, api: Api) -> Iterator[str]:
        """Incidents beside their log entries: a key may be restricted to a user who sees no more than some teams'."""
        answer = api.get("/incidents", {"limit": 1, "date_range": "all"}, accept=frozenset((403,)))
        if answer.status != 200:
            yield "incidents cannot be read (403): use a read-only key of the account, or give the OAuth token the scope incidents.read"

    def names(self, api: Api) -> Iterator[Named]:
        """Names of services, escalation policies and priorities."""
        for attribute, listed in NAMED.items():
            for number in range(MOST_PAGES):
                page = list(named(api, f"/{listed}", attribute, key=listed, params={"limit": AT_ONCE, "offset": number * AT_ONCE}))
                yield from page
                if len(page) < AT_ONCE:
                    break

    def _stretch(self, api: Api, start: Instant, end: Instant) -> Iterator[tuple[list[_Entry], list[Rejected], Answer, int | None]]:
        """Every page of [start, end), whose end is fixed so that new entries do not move the others."""
        params: dict[str, Any] = {
            "since": format_instant(start),
            "until": format_instant(end),
            "time_zone": "UTC",
            "is_overview": "false",
            "limit": AT_ONCE,
            "total": "true",
            "include[]": ["incidents", "channels"],
        }
        if self.teams:
            params["team_ids[]"] = sorted(self.teams)
        guard, offset, seen, repeated = LoopGuard(), 0, set[str](), 0
        while True:
            answer = api.get("/log_entries", {**params, "offset": offset})
            page, rejected = _ENTRIES.read(answer)
            count = len(page.log_entries) + len(rejected)
            guard.check(offset, answer, records=count)
            before = len(seen)
            seen.update(entry.id for entry in page.log_entries)
            # an entry that comes late shifts those after it, so a page may be one that was there already; the next ones are not
            repeated = repeated + 1 if page.log_entries and len(seen) == before else 0
            if repeated == REPEATED:
                raise PayloadError(f"{answer.where} repeats entries of the pages before it: the paging parameter is being ignored")
            offset += count
            if not page.more or count == 0:
                whole(offset, page.total, answer.where)
                yield page.log_entries, rejected, answer, page.total
                return
            yield page.log_entries, rejected, answer, page.total

    def _of(self, entry: _Entry) -> Iterator[Event]:
        kind = entry.type.removesuffix("_reference").removesuffix("_log_entry")
        incident, channel = entry.incident, entry.channel or {}
        at, through = parse_instant(entry.created_at), str(channel.get("type") or "")
        who = _who(entry.agent, through)
        link = {"via": [through] if through else [], **({"url": incident.html_url} if incident.html_url else {})}
        story, number = Story(self.name, incident.id, link, ids=""), entry.id
        if kind == "trigger":
            known = {"status": "triggered", "service": entry.service.id if entry.service is not None else None, "channel": through or None}
            yield from story.made(at, who, known.items(), numbers=(number, number))
        elif kind == "resolve" and (incident.resolve_reason or {}).get("type") == MERGED:
            yield story.event(number, at, Activity.ABSORBED, who)
        elif kind in STATUSES:
            activity, before, after = STATUSES[kind]
            yield story.event(number, at, activity, who, change=("status", before, after))
        elif kind == "annotate":
            words = said(str(channel.get("content") or channel.get("summary") or ""), public=False)
            yield story.event(number, at, Activity.COMMENTED, who, words)
        elif kind in PLAIN:
            yield story.event(number, at, Activity.CHANGED, who, change=PLAIN[kind])
        elif kind in VALUES:
            for place, change in enumerate(self._values(channel)):
                yield story.event(f"{number}:{place:02d}", at, Activity.CHANGED, who, change=change)
        elif kind == "escalate":
            yield story.event(number, at, Activity.ESCALATED, who, {"reason": "timeout"} if through == "timeout" else {})
        if kind in ASSIGNED:
            assignees = text_value([one.id for one in entry.assignees])
            yield story.event(f"{number}:assignee", at, Activity.CHANGED, who, change=("assignee", None, assignees))

    def _values(self, channel: Mapping[str, Any]) -> Iterator[Change]:
        """Fields with their old and new values; elsewhere a changeset may be a mere list of words. Entries of the priority alone hold its two sides."""
        if "new_priority" in channel:
            yield self.fields.get("priority", "priority"), _id_of(channel.get("old_priority")), _id_of(channel["new_priority"])
        changeset = channel.get("changeset")
        if not isinstance(changeset, dict):
            return
        for group, prefix in (("customer_fields", "custom:"), ("application_fields", "")):
            for one in changeset.get(group) or ():
                name = one["name"]
                kept = name in self.fields or (name in PLAIN_VALUES and not prefix)  # of others only the fact: they may hold free text
                sides = (text_value(one.get("old_value")), text_value(one.get("value"))) if kept else (None, None)
                yield self.fields.get(name) or prefix + name, *sides


def _id_of(reference: Any) -> str | None:
    return text_value(reference.get("id")) if isinstance(reference, dict) else None


def _who(agent: _Reference | None, through: str) -> Who:
    if agent is None:
        return NOBODY
    return ActorKind.OPERATOR if agent.type in PEOPLE and through not in AUTOMATIC else ActorKind.SYSTEM, agent.id
