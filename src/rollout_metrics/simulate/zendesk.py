"""Zendesk Support as it answers over HTTP: incremental exports with their hold-back and limits, audits, users."""

import time
from base64 import b64decode, b64encode, urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as Base64Error
from bisect import bisect_left, bisect_right
from collections.abc import Callable

import msgspec
from flask import Flask, Response, request

from rollout_metrics.domain.time import MINUTE, SECOND, Instant
from rollout_metrics.simulate import zendesk_shapes as shapes
from rollout_metrics.simulate.cast import FIELD_TITLES, FORM_NAMES, GROUP_NAMES, ZENDESK
from rollout_metrics.simulate.draft import Case
from rollout_metrics.simulate.wire import Clock, Limit, answer, seconds_text
from rollout_metrics.simulate.world import Line, World

HOLD_BACK = MINUTE
ADMIN_EMAIL, TOKEN, AGENT_TOKEN = "admin@demo.example", "zendesk-demo-token", "zendesk-agent-token"
"""An administrator's API token, and one of an ordinary agent that may not export."""


class Limits(msgspec.Struct, frozen=True):
    """Requests a minute; Zendesk's own numbers for an Enterprise plan. The demo buys the largest add-on there never was."""

    incremental: int = 10
    all: int = 700
    audits: int = 500


GENEROUS = Limits(incremental=100_000, all=100_000, audits=100_000)


def application(world: World, clock: Clock, *, limits: Limits = Limits(), page: int = 1000, monotonic: Callable[[], float] = time.monotonic) -> Flask:  # noqa: B008
    """The help desk as of the clock. `page`: greatest number of records on a page of an export."""
    app = Flask(__name__)
    desk = _Desk(world, clock, page)
    gates = {
        "/api/v2/incremental/": Limit(limits.incremental, 60, monotonic),
        "/audits": Limit(limits.audits, 60, monotonic),
        "/": Limit(limits.all, 60, monotonic),
    }

    @app.before_request
    def guard() -> Response | None:
        refusal = _refusal(request.path)
        if refusal is not None:
            return refusal
        for within, gate in gates.items():
            if within in request.path and (wait := gate.wait()) is not None:
                what = "incremental ticket export API requests" if "incremental" in within else "API requests"
                body = {"error": "APIRateLimitExceeded", "description": f"Number of allowed {what} per minute exceeded"}
                return answer(body, 429, {"Retry-After": str(int(wait) + 1), "X-Rate-Limit-Remaining": "0"})
        return None

    @app.errorhandler(404)
    def missing(_: Exception) -> Response:
        return answer({"error": "RecordNotFound", "description": "Not found"}, 404)

    routes: dict[str, Callable[..., Response]] = {
        "/incremental/ticket_events": desk.ticket_events,
        "/incremental/tickets/cursor": desk.tickets,
        "/tickets/<int:number>/audits": desk.audits,
        "/tickets/<int:number>": desk.ticket,
        "/users": desk.users,
        "/users/show_many": desk.show_many,
        "/users/me": desk.me,
        "/groups": desk.groups,
        "/ticket_forms": desk.forms,
        "/ticket_fields": desk.fields,
        "/deleted_tickets": desk.deleted,
        "/satisfaction_ratings": desk.ratings,
    }
    for path, view in routes.items():
        for suffix in ("", ".json"):
            app.add_url_rule(f"/api/v2{path}{suffix}", f"{path}{suffix}", view)
    return app


def _refusal(path: str) -> Response | None:
    """401 without a known token, 403 where the token may not go."""
    who = _user(request.headers.get("Authorization", ""))
    if who is None:
        return answer({"error": "Couldn't authenticate you"}, 401)
    if who != "admin" and "/incremental/" in path:
        return answer({"error": {"title": "Forbidden", "message": "You do not have access to this page. Please contact the account owner."}}, 403)
    return None


def _user(header: str) -> str | None:
    kind, _, value = header.partition(" ")
    tokens = {TOKEN: "admin", AGENT_TOKEN: "agent"}
    if kind == "Bearer":
        return tokens.get(value)
    if kind != "Basic":
        return None
    try:
        name, _, token = b64decode(value, validate=True).decode().partition(":")
    except (Base64Error, UnicodeDecodeError):
        return None
    return tokens.get(token) if name.endswith("/token") else None


class _Desk:
    """The views; every one answers as of now, less the minute that is held back."""

    def __init__(self, world: World, clock: Clock, page: int) -> None:
        self._world, self._clock, self._page = world, clock, page

    def ticket_events(self) -> Response:
        """Time-based: up to a page of audits from `start_time` on, and all others of its last second."""
        now = self._clock()
        start = request.args.get("start_time", type=int)
        if start is None:
            return answer({"error": "InvalidValue", "description": "start_time is missing or no number"}, 400)
        if start * SECOND > now - HOLD_BACK:
            return answer({"error": "InvalidValue", "description": "Too recent start_time. Use a start_time older than 1 minute"}, 422)
        lines = self._world.lines(ZENDESK, now)
        first = bisect_left(lines, start * SECOND, key=_at)
        end = bisect_right(lines, now - HOLD_BACK, key=_at)
        last = _whole_seconds(lines, first, min(first + self._size(), end), end)
        comments = request.args.get("include") == "comment_events"
        found = [shapes.ticket_event(*self._world.save(line), line[2], comments=comments) for line in lines[first:last]]
        end_time = lines[last - 1][0] // SECOND if found else None
        address = f"{request.host_url}api/v2/incremental/ticket_events.json?{'include=comment_events&' if comments else ''}start_time={end_time}"
        return answer(
            {
                "ticket_events": found,
                "next_page": None if end_time is None else address,
                "count": len(found),
                "end_of_stream": last >= end,
                "end_time": end_time,
            }
        )

    def tickets(self) -> Response:
        """Cursor-based snapshots of tickets, by the time they last changed."""
        now = self._clock()
        cursor, start = request.args.get("cursor"), request.args.get("start_time", type=int)
        if cursor is None and start is None:
            return answer({"error": "InvalidValue", "description": "start_time or cursor is needed"}, 400)
        if cursor is not None:
            try:
                from_time, from_id = (int(part) for part in urlsafe_b64decode(cursor).decode().split("|"))
            except (Base64Error, ValueError):
                return answer({"error": "InvalidValue", "description": "cursor is invalid"}, 400)
        else:
            from_time, from_id = (start or 0) * SECOND, 0
        found = []
        for case in self._world.cases(now - HOLD_BACK, system=ZENDESK):
            snapshot = shapes.ticket(case, now - HOLD_BACK)
            if (snapshot.changed_at, case.id) > (from_time, from_id) and not (request.args.get("exclude_deleted") == "true" and snapshot.deleted):
                found.append((snapshot.changed_at, case.id, snapshot.body))
        found.sort(key=lambda item: item[:2])
        page = found[: self._size()]
        after = urlsafe_b64encode(f"{page[-1][0]}|{page[-1][1]}".encode()).decode() if page else cursor
        address = f"{request.host_url}api/v2/incremental/tickets/cursor.json?cursor={after}"
        body = {
            "tickets": [item[2] for item in page],
            "after_cursor": after,
            "after_url": address,
            "before_cursor": None,
            "before_url": None,
            "end_of_stream": len(page) == len(found),
        }
        return answer(body)

    def audits(self, number: int) -> Response:
        """The whole history of one ticket, with old and new values."""
        case = self._case(number)
        if case is None:
            return answer({"error": "RecordNotFound", "description": "Not found"}, 404)
        saves = [(place, save) for place, save in enumerate(case.saves) if save.at <= self._clock()]
        size = request.args.get("page[size]", 100, int)
        start = int(b64decode(request.args.get("page[after]", b64encode(b"0").decode())))
        page = saves[start : start + size]
        more = start + size < len(saves)
        after = b64encode(str(start + size).encode()).decode() if more else None
        link = f"{request.host_url}api/v2/tickets/{number}/audits.json?page[size]={size}&page[after]={after}" if more else None
        body = {
            "audits": [shapes.audit(case, save, place) for place, save in page],
            "meta": {"has_more": more, "after_cursor": after, "before_cursor": None},
            "links": {"next": link, "prev": None},
        }
        return answer(body)

    def ticket(self, number: int) -> Response:
        """One ticket as it is now; deleted ones are not found."""
        case = self._case(number)
        snapshot = shapes.ticket(case, self._clock()) if case is not None else None
        if snapshot is None or snapshot.deleted:
            return answer({"error": "RecordNotFound", "description": "Not found"}, 404)
        return answer({"ticket": snapshot.body})

    def users(self) -> Response:
        """Staff by role, with cursor paging. End users are too many to list: nobody asks for them."""
        roles = request.args.getlist("role[]") or request.args.getlist("role") or ["agent", "admin"]
        people = [user for user in shapes.staff() if user["role"] in roles]
        size = min(100, request.args.get("page[size]", 100, int))
        start = int(b64decode(request.args.get("page[after]", b64encode(b"0").decode())))
        more = start + size < len(people)
        after = b64encode(str(start + size).encode()).decode() if more else None
        wanted = "&".join(f"role[]={role}" for role in roles)
        link = f"{request.host_url}api/v2/users.json?{wanted}&page[size]={size}&page[after]={after}" if more else None
        body = {"users": people[start : start + size], "meta": {"has_more": more, "after_cursor": after}, "links": {"next": link, "prev": None}}
        return answer(body)

    def show_many(self) -> Response:
        """Up to a hundred users by id; unknown ones are left out."""
        try:
            ids = [int(item) for item in request.args.get("ids", "").split(",")]
        except ValueError:
            return answer({"error": "InvalidValue", "description": "ids must be numbers"}, 400)
        if len(ids) > 100:
            return answer({"error": "TooManyValues", "description": "at most 100 ids"}, 400)
        found = [user for number in ids if (user := shapes.user(number)) is not None]
        return answer({"users": found, "next_page": None, "previous_page": None, "count": len(found)})

    def me(self) -> Response:
        """Whose token it is."""
        role = _user(request.headers["Authorization"])
        return answer({"user": {"id": 30000, "name": "Administration", "email": ADMIN_EMAIL, "role": role, "active": True}})

    def groups(self) -> Response:
        """All groups."""
        body = {"groups": [{"id": number, "name": name, "deleted": False} for number, name in GROUP_NAMES.items()], "meta": {"has_more": False}}
        return answer(body)

    def forms(self) -> Response:
        """The ticket forms."""
        found = [{"id": number, "name": name, "active": True} for number, name in FORM_NAMES.items()]
        return answer({"ticket_forms": found, "next_page": None})

    def fields(self) -> Response:
        """The custom ticket fields."""
        found = [{"id": number, "type": "text", "title": title, "active": True, "removable": True} for number, title in FIELD_TITLES.items()]
        return answer({"ticket_fields": found, "meta": {"has_more": False}})

    def deleted(self) -> Response:
        """Tickets deleted within thirty days."""
        now = self._clock()
        found = []
        for case in self._world.cases(now, system=ZENDESK):
            last = case.saves[-1]
            if last.ending == "deleted" and last.at <= now < last.at + 30 * 24 * 60 * MINUTE:
                actor = {"id": last.actor, "name": f"Person {last.actor}"}
                found.append({"id": case.id, "actor": actor, "deleted_at": seconds_text(last.at), "previous_state": "open"})
        return answer({"deleted_tickets": found, "meta": {"has_more": False}})

    def ratings(self) -> Response:
        """Legacy satisfaction ratings in a stretch of time."""
        now = self._clock()
        start, end = (request.args.get("start_time", 0, int) * SECOND, request.args.get("end_time", now // SECOND, int) * SECOND)
        found = []
        for case in self._world.cases(now, system=ZENDESK):
            for place, save in enumerate(case.saves):
                if save.score is not None and start <= save.at <= min(end, now):
                    found.append(shapes.rating(case, save, place))
        return answer({"satisfaction_ratings": found, "count": len(found), "next_page": None})

    def _case(self, number: int) -> Case | None:
        now = self._clock()
        self._world.until(now)
        case = self._world.case(number)
        return case if case is not None and case.system == ZENDESK and case.saves[0].at <= now else None

    def _size(self) -> int:
        return max(1, min(self._page, request.args.get("per_page", self._page, int)))


def _whole_seconds(lines: list[Line], first: int, last: int, end: int) -> int:
    """Pages end between seconds, and reach beyond their first second: the next page begins with the last second of this one."""
    if last == first:
        return last
    while last < end and lines[last][0] // SECOND in (lines[last - 1][0] // SECOND, lines[first][0] // SECOND):
        last += 1
    if last < end and lines[last - 1][0] // SECOND == lines[first][0] // SECOND:
        last = _whole_seconds(lines, last, last + 1, end)
    return last


def _at(line: Line) -> Instant:
    return line[0]
