"""Freshdesk: the daily files of ticket activities, with conversations, time entries, ratings and deletions beside them."""

import email.utils
from collections.abc import Iterable, Iterator, Mapping
from datetime import date, timedelta
from typing import Any, ClassVar

import msgspec
from pydantic import Field, SecretStr

from rollout_metrics.collect.http import Answer, Api, Endpoint, basic, decode
from rollout_metrics.collect.names import listing, named
from rollout_metrics.collect.paging import Ask, Slice, followed, link_headers, moving, next_link, time_of, whole
from rollout_metrics.collect.records import told
from rollout_metrics.collect.source import Coverage, Duration, HttpSource, Named, Page, Refused, Told, Window
from rollout_metrics.collect.story import MILLISECOND, NOBODY, Story, edited, of_status
from rollout_metrics.collect.texts import said
from rollout_metrics.domain.events import Activity, ActorKind, Event, text_value
from rollout_metrics.domain.time import DAY, HOUR, SECOND, Instant, format_instant, moment, parse_instant
from rollout_metrics.sources._freshdesk_pages import AGENTS, EXPORT, FILE, RECORDS, ROW, TICKETS, Export, File, Row, Ticket, in_order, performed_at

AT_ONCE = 100
LATE = 3 * DAY
"""A file that is not there so long after its day will not come any more."""
AGAIN = 2
"""Days that are read once more when the next one comes: files grow for a while."""
REFUSED = frozenset((401, 403, 404))
NAMES: Mapping[str, str] = {
    "agent": "assignee",
    "agent_id": "assignee",
    "responder_id": "assignee",
    "group": "group",
    "group_id": "group",
    "priority": "priority",
    "source": "channel",
    "status": "status",
    "ticket_type": "type",
    "type": "type",
    "product": "product",
    "product_id": "product",
    "internal_agent": "internal_assignee",
    "internal_group": "internal_group",
}
"""Canonical names of what activities set."""
NUMBERED: Mapping[str, str] = {"default_priority": "priority", "default_source": "channel"}
"""Types of fields whose values activities tell by number -> attribute."""
ALSO = frozenset(("note", "new_ticket", "automation", "rule", "requester_id", "requester", "added_watcher", "removed_watcher", "thank_you_note", "send_email"))
"""What activities hold that sets nothing."""
TAGS = frozenset(("added_tags", "removed_tags"))
THEMSELVES = TAGS | {"spam"}
"""What keeps its own name."""
PEOPLE = frozenset(("user", "agent", "requester", "contact"))
TIME_ENTRIES, RATINGS = "time_entries", "surveys/satisfaction_ratings"


class Freshdesk(HttpSource):
    """Freshdesk. The key must be an administrator's, and the daily export of ticket activities switched on."""

    kind: ClassVar[str] = "freshdesk"
    record: ClassVar[msgspec.json.Decoder[Any]] = ROW
    windowed: ClassVar[bool] = False

    base_url: str = Field(pattern=r"^https?://[^/?#]+$")
    """The address: `https://acme.freshdesk.com`."""
    token: SecretStr
    """An administrator's API key."""
    every: Duration = HOUR
    """How often to sweep; the files come once a day."""
    stale_after: Duration = 3 * DAY
    """How old its watermark may be before it counts as stale: the file of a day comes on the next one."""
    memory: Duration = 30 * DAY
    """How many days before a new one are read for the statuses that tickets had: only so is a reopening known from other changes."""
    fields: Mapping[str, str] = {}
    """Custom field as activities call it -> attribute name; of others only the fact that they changed is kept, since they may hold free text."""
    closing_statuses: frozenset[str] = frozenset(("Resolved", "Closed"))
    """Labels of the statuses that close a ticket, as the account has named them: the files know no others."""
    comments: bool = True
    """Read conversations: a request for each changed ticket."""
    time_entries: bool = True
    """Read logged time."""
    ratings: bool = True
    """Read satisfaction ratings."""

    def endpoint(self) -> Endpoint:
        """Basic authentication with the key as user."""
        return Endpoint(base_url=self.base_url, authorization=basic(self.token.get_secret_value(), SecretStr("X")), **self.connection())

    def pages(self, api: Api, window: Window) -> Iterator[Page]:
        """First what can be asked for at any time, then the days whose files have come since; only these move how far all has been read."""
        cursor: dict[str, Any] = dict(window.cursor or {})
        begin = max(window.start, window.end - self.depth)
        since = cursor["since"] - self.lookback if "since" in cursor else begin
        staff = frozenset(one.id for page, _ in link_headers(api, "/api/v2/agents", {"per_page": AT_ONCE}, AGENTS, records=lambda page: page) for one in page)
        done = {**cursor, "since": window.end}
        yield from self._lists(api, since, window.end, staff)
        done = {"day": f"{_day(begin):%Y-%m-%d}", **done}
        yield Page([], "lists", None, done)
        yield from self._days(api, window.end, done, staff, again="day" in cursor)

    def events(self, page: Page) -> Iterator[Told]:
        """What each activity or record tells; and of how many tickets the status before was known."""
        return told(page, self._told, lambda row: row.name or row.row.get("id"))

    def _told(self, row: Row) -> Iterable[Told]:
        events = list(self._activity(row) if row.kind == "activity" else self._beside(row))
        if any(event.attribute == "status" for event in events):
            return [*events, Coverage("history", int(row.status is not None), 1)]
        return events

    def lacking(self, api: Api) -> Iterator[str]:
        """The export, without which nothing is known of what changed; and lists that the plan or the role does not give."""
        told = api.get("/api/v2/agents", {"per_page": 1}).headers.get("Date", "")
        day = (email.utils.parsedate_to_datetime(told) - timedelta(2)).date() if told else date(1970, 1, 1)
        answer = api.get("/api/v2/export/ticket_activities", {"created_at": f"{day:%Y-%m-%d}"}, accept=REFUSED)
        if answer.status in (401, 403):
            yield f"ticket activities cannot be exported ({answer.status}): use an administrator's key, and switch on the daily export of ticket activities"
        elif answer.status == 404 or _link(answer) is None:
            yield f"there is no file of ticket activities for {day}: switch on the daily export of ticket activities; files exist from then on"
        for wanted, path, part in ((self.time_entries, TIME_ENTRIES, "time_entries"), (self.ratings, RATINGS, "ratings")):
            if wanted and (answer := api.get(f"/api/v2/{path}", {"per_page": 1}, accept=REFUSED)).status != 200:
                yield _refused(answer, part).message

    def names(self, api: Api) -> Iterator[Named]:
        """Names of groups and products, labels of priorities and channels; of statuses the files hold the labels themselves."""
        hundred = {"per_page": AT_ONCE}
        for attribute in ("group", "internal_group"):
            yield from named(api, "/api/v2/groups", attribute, params=hundred)
        yield from named(api, "/api/v2/products", "product", params=hundred)
        for field in listing(api, "/api/v2/ticket_fields", number="type"):
            numbered, choices = NUMBERED.get(str(field["type"])), field.get("choices")
            if numbered is not None and isinstance(choices, dict):
                yield from (Named(numbered, str(number), label) for label, number in choices.items())

    def _lists(self, api: Api, since: Instant, end: Instant, staff: frozenset[int]) -> Iterator[Page]:
        for extra, kind in (({}, "ticket"), ({"filter": "deleted"}, "deleted")):
            if kind == "ticket" and not self.comments:
                continue
            for fresh, found in self._changed(api, since, end, extra):
                for ticket, _ in fresh:
                    if kind == "deleted":
                        yield Page([Row("deleted", {"ticket_id": ticket.id, "updated_at": ticket.updated_at})], found.answer.where)
                    else:
                        yield from self._listed(api, f"tickets/{ticket.id}/conversations", {}, kind="conversation", staff=staff, extra={"ticket_id": ticket.id})
        if self.time_entries:
            asked = {"executed_after": format_instant(since - DAY)}
            yield from self._listed(api, TIME_ENTRIES, asked, kind="time_entry", staff=staff, part="time_entries")
        if self.ratings:
            yield from self._listed(api, RATINGS, {"created_since": format_instant(since)}, kind="rating", staff=staff, part="ratings")

    def _changed(self, api: Api, since: Instant, end: Instant, extra: Mapping[str, str]) -> Iterator[tuple[list[tuple[Ticket, Instant]], Slice[Ticket]]]:
        """Tickets by time of update."""

        def ask(since: Instant, number: int | None) -> Slice[Ticket]:
            asked = {"updated_since": format_instant(since), "order_by": "updated_at", "order_type": "asc", "per_page": AT_ONCE, "page": number or 1, **extra}
            answer = api.get("/api/v2/tickets", asked)
            return Slice(decode(answer, TICKETS), answer, (number or 1) + 1 if next_link(answer) else None)

        return moving(ask, since // SECOND * SECOND, end, key=lambda one: one.id, changed_at=lambda one: time_of(one.updated_at))

    def _listed(
        self, api: Api, path: str, asked: Mapping[str, str], *, kind: str, staff: frozenset[int], extra: Mapping[str, Any] | None = None, part: str = ""
    ) -> Iterator[Page]:
        """A list, page by page. `part`: what is refused where the plan or the role does not give it; else what it belongs to is gone."""
        first = api.get(f"/api/v2/{path}", {**asked, "per_page": AT_ONCE}, accept=frozenset((403, 404)))
        if first.status != 200:
            if part:
                yield Page([_refused(first, part)], first.where)
            return
        for records, answer in _from(api, first):
            rows = [Row(kind, {**one, **(extra or {})}, staff=one.get("user_id") in staff) for one in records]
            yield Page(rows, answer.where)

    def _days(self, api: Api, end: Instant, done: dict[str, Any], staff: frozenset[int], *, again: bool) -> Iterator[Page]:
        """The files that have come, oldest first; a day that is not there yet ends the sweep, one that never came is a gap."""
        statuses: dict[int, str] | None = None
        day = date.fromisoformat(done["day"])
        while _midnight(day) + DAY <= end:
            file, where = self._file(api, day)
            reached, cursor = _midnight(day) + DAY, {**done, "day": f"{day + timedelta(1):%Y-%m-%d}"}
            if file is None and reached + LATE > end:
                return
            if statuses is None:
                statuses = {}
                for before in range(self.memory // DAY, 0, -1):
                    earlier = day - timedelta(before)
                    old, at = self._file(api, earlier)
                    rows = in_order(old.activities_data, earlier, statuses) if old is not None else []
                    if again and rows and before <= AGAIN:
                        yield Page(_marked(rows, staff), at)
            if file is None:
                yield Page([Coverage("history", 0, 1)], where, reached, cursor)
            else:
                yield Page(_marked(in_order(file.activities_data, day, statuses), staff), where, reached, cursor)
            day += timedelta(1)

    def _file(self, api: Api, day: date) -> tuple[File | None, str]:
        """A day's activities; None: not there. Neither a 404 nor an empty answer means that nothing happened."""
        answer = api.get("/api/v2/export/ticket_activities", {"created_at": f"{day:%Y-%m-%d}"}, accept=frozenset((404,)))
        url = None if answer.status == 404 else _link(answer)
        if url is None:
            return None, f"{answer.where} of {day}"
        fetched = api.get_elsewhere(url)
        file = decode(fetched, FILE)
        whole(len(file.activities_data), file.metadata.activities_count if file.metadata is not None else None, f"{fetched.where} of {day}")
        return file, f"{answer.where} of {day}"

    def _beside(self, one: Row) -> Iterator[Event]:
        """What is told besides the files."""
        row, story = one.row, self._story(one)
        if one.kind == "deleted":
            yield story.event("deleted", parse_instant(row["updated_at"]), Activity.DELETED, NOBODY)
        elif one.kind == "conversation":
            who = (ActorKind.OPERATOR if one.staff or not row.get("incoming") else ActorKind.CUSTOMER, text_value(row.get("user_id")))
            words, revision = said(str(row.get("body_text") or ""), public=not row.get("private")), edited(row["created_at"], row.get("updated_at"))
            yield story.event(f"comment/{row['id']:020d}", parse_instant(row["created_at"]), Activity.COMMENTED, who, words, revision=revision)
        elif one.kind == "time_entry":
            hours, _, minutes = str(row["time_spent"]).partition(":")
            spent, who = {"seconds": int(hours) * 3600 + int(minutes) * 60}, (ActorKind.OPERATOR, text_value(row.get("agent_id")))
            at, revision = parse_instant(row.get("executed_at") or row["created_at"]), parse_instant(row["updated_at"]) // MILLISECOND
            yield story.event(f"time/{row['id']:020d}", at, Activity.TIME_LOGGED, who, spent, revision=revision)
        elif one.kind == "rating":
            answer, who = int(row["ratings"]["default_question"]), (ActorKind.CUSTOMER, text_value(row.get("user_id")))
            if answer != 100:  # neither happy nor unhappy
                score = {"score": "good" if answer > 0 else "bad"}
                yield story.event(f"rating/{row['id']:020d}", parse_instant(row["created_at"]), Activity.RATED, who, score)

    def _story(self, one: Row) -> Story:
        ticket = int(one.row["ticket_id"])
        return Story(self.name, str(ticket), {"url": f"{self.base_url}/a/tickets/{ticket}", "via": []})

    def _activity(self, one: Row) -> Iterator[Event]:
        """A row of a day's file: a ticket made with what it began with, or an event for each thing it sets."""
        row, activity, story = one.row, one.row["activity"], self._story(one)
        at, person = performed_at(row["performed_at"]), row.get("performer_type") in PEOPLE
        kind = ActorKind.SYSTEM if not person else ActorKind.OPERATOR if one.staff else ActorKind.CUSTOMER
        who = (kind, text_value(row.get("performer_id")) if person else None)
        set_ = {key: value for key, value in sorted(activity.items()) if key not in ALSO}
        via = {"via": ["automation"]} if "automation" in activity or "rule" in activity else {}
        if activity.get("new_ticket"):
            values = {self._attribute(key): self._value(key, value) for key, value in set_.items()}
            yield from story.made(at, who, sorted(values.items()), via, numbers=(one.name, ""))
            return
        for key, value in set_.items():
            after = self._value(key, value)
            if key == "deleted":
                if value:
                    yield story.event("deleted", at, Activity.DELETED, who, via, revision=1)
            elif key == "status":
                if after != one.status:
                    doing, change = of_status(one.status, after, self.closing_statuses), ("status", one.status, after)
                    yield story.event(f"{one.name}/status", at, doing, who, via, change=change, revision=one.revision)
            elif key in TAGS:
                labels = sorted(str(each) for each in value or ()) if key == "added_tags" else []
                yield story.event(f"{one.name}/{key}", at, Activity.CHANGED, who, {"via": labels}, change=(key, None, after))
            else:
                yield story.event(f"{one.name}/{key}", at, Activity.CHANGED, who, via, change=(self._attribute(key), None, after))

    def _attribute(self, key: str) -> str:
        return self.fields.get(key) or NAMES.get(key) or (key if key in THEMSELVES else f"custom:{key}")

    def _value(self, key: str, value: Any) -> str | None:
        if key not in NAMES and key not in self.fields and key not in THEMSELVES:
            return None
        return text_value(value.get("id") or value.get("name") if isinstance(value, dict) else value)


def _marked(rows: list[Row], staff: frozenset[int]) -> list[Row]:
    """Rows that know whether their performer is staff."""
    for one in rows:
        one.staff = one.row.get("performer_id") in staff
    return rows


def _from(api: Api, first: Answer) -> Iterator[tuple[list[dict[str, Any]], Answer]]:
    """A list from its first page on, by the links in its headers."""
    ask: Ask = lambda link: api.get(link) if link else first  # noqa: E731
    return followed(ask, RECORDS, records=lambda page: page, following=lambda _, answer: next_link(answer))


def _refused(answer: Answer, part: str) -> Refused:
    """That a list is not given; its option has its name."""
    return Refused(part, f"{part} cannot be read ({answer.status}): give the key's agent the permission, or set {part}: false where the plan has none")


def _link(answer: Answer) -> str | None:
    told = decode(answer, EXPORT) if answer.body.strip() else None
    found = told.export if isinstance(told, Export) else told[0] if told else None
    return found.url if found is not None else None


def _midnight(day: date) -> Instant:
    return parse_instant(f"{day:%Y-%m-%d}T00:00:00Z")


def _day(at: Instant) -> date:
    return moment(at).date()
