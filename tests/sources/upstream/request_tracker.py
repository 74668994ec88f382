"""Request Tracker 5: transactions by id, those the reader may not see cut out of pages, tickets that searches leave out, times in whole seconds.

Tickets and transactions are in one database: what lags behind (as a replica does) lags behind in both.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from operator import eq, ge, gt, le, lt, ne
from typing import Any

from rollout_metrics.domain.time import DAY, SECOND, Instant, format_instant, parse_instant
from sources.server import Reply, Request
from sources.upstream.simulator import END, Profile, Simulator, given, slice_at
from sources.upstream.world import AGENT, CUSTOMER, PEOPLE, Case, Change

USERS = {"Nobody": 6} | {name: 20 + place for place, name in enumerate((*PEOPLE, AGENT, CUSTOMER))}
STATUSES = {"open": "new", "working": "open", "closed": "resolved"}
PRIORITIES = {"low": "20", "normal": "50", "high": "80"}
LABELS = "7"
"""The custom field of several values."""
PER_PAGE = 100
OPERATORS: dict[str, Callable[[Any, Any], bool]] = {"=": eq, "!=": ne, ">": gt, "<": lt, ">=": ge, "<=": le}
CONDITION = re.compile(r"(ObjectType|ObjectId|Type|Created|id) (=|!=|>=|<=|<|>) (?:'([^']*)'|(\d+))")
HIDDEN: dict[str, Any] = {"hidden": True}
"""What is recorded of this transaction is not for the reader."""

Row = dict[str, Any]


def _transactions(case: Case) -> Iterator[Row]:
    """A case's trail. What belongs to an outgoing mail is hidden, sometimes enough of it to fill a page."""
    yield _row(case, case.first, 0, case.created_at, CUSTOMER, "Create")
    for place in range(14 if case.number % 4 == 0 else 1):
        yield _row(case, case.first, 1 + place, case.created_at, "RT_System", "AddReminder") | HIDDEN
    for change in case.changes:
        for place, (kind, said) in enumerate(_said(case, change)):
            yield _row(case, change.number, place, change.at, change.actor, kind, **said)


def _row(case: Case, number: int, place: int, at: Instant, actor: str, kind: str, **said: str) -> Row:
    made = {"id": str(number * 20 + place), "type": "transaction", "Type": kind, "ObjectId": str(case.number), "ObjectType": "RT::Ticket"}
    who = {"Creator": {"type": "user", "id": actor}, "Created": format_instant(at // SECOND * SECOND)}
    return made | who | {"Field": "", "OldValue": "", "NewValue": "", "TimeTaken": "0"} | said


def _said(case: Case, change: Change) -> Iterator[tuple[str, dict[str, str]]]:
    """The transactions that one change makes: type, and what each says."""
    before, after = change.before, change.after
    if change.what == "status":
        yield "Status", _set("Status", STATUSES[before], STATUSES[after])
    elif change.what == "priority":
        yield "Set", _set("Priority", PRIORITIES[before], PRIORITIES[after])
    elif change.what == "assignee":  # twice: by the ticket and by its roles
        owners = _set("Owner", *(str(USERS[name or "Nobody"]) for name in (before, after)))
        yield "Take" if not before and after == change.actor else "Set", owners
        yield "SetWatcher", owners
    elif change.what == "label":
        gone, come = set(before) - set(after), set(after) - set(before)
        yield "CustomField", _set(LABELS, "".join(gone), "".join(come))
    elif change.what == "comment":
        yield "Correspond" if change.actor == CUSTOMER else "Comment", {}
    elif change.what == "work":
        done = sum(one.after for one in case.of("work") if one.number < change.number) // 60
        yield "Set", _set("TimeWorked", str(done), str(done + change.after // 60)) | {"TimeTaken": str(change.after // 60)}
    elif _merged(case):
        yield "AddLink", _set("MergedInto", "", "fsck.com-rt://example.test/ticket/1")
    else:
        yield "Status", _set("Status", STATUSES[case.values["status"]], "deleted")


def _set(field: str, before: str, after: str) -> dict[str, str]:
    return {"Field": field, "OldValue": before, "NewValue": after}


def _merged(case: Case) -> bool:
    """Every other case that ends is merged into the first."""
    return case.deleted and case.number % 2 == 0


def _holds(row: Row, one: re.Match[str]) -> bool:
    name, operator, text, number = one.groups()
    if name == "Created":
        return OPERATORS[operator](parse_instant(row["Created"]), _time(text))
    if name in ("id", "ObjectId"):
        return OPERATORS[operator](int(row[name]), int(number))
    return OPERATORS[operator](row[name], text)


def _time(text: str) -> Instant:
    """With a `Z` only the date counts, as the true one has it."""
    at = parse_instant(text)
    return at // DAY * DAY if text.endswith("Z") else at


def _shown(simulator: Simulator, numbers: Iterable[int]) -> list[Case]:
    """Cases as they are shown: as they were some time ago."""
    shown = simulator.world.now - simulator.lag
    cases = map(simulator.world.cases.__getitem__, sorted(set(numbers)))
    return [_as_of(case, shown) for case in cases if case.created_at <= shown]


def _as_of(case: Case, shown: Instant) -> Case:
    values, labels, deleted = dict(case.values), case.labels, case.deleted
    for change in reversed([change for change in case.changes if change.at > shown]):
        if change.what in values:
            values[change.what] = change.before
        labels = change.before if change.what == "label" else labels
        deleted = deleted and change.what != "end"
    return replace(case, values=values, labels=labels, deleted=deleted, changes=[change for change in case.changes if change.at <= shown])


def _found(simulator: Simulator, query: str) -> list[Row]:
    """What meets every condition; a condition that is not understood is met by nothing, and nothing is said of it."""
    conditions = [[CONDITION.fullmatch(one) for one in part.strip("()").split(" OR ")] for part in query.split(" AND ")]
    named = [int(number) for number in re.findall(r"ObjectId = (\d+)", query)]
    since = re.search(r"Created >= '([^']+)'", query)
    start = _time(since[1]) if since else 0
    numbers = named or {case.number for case, _ in simulator.world.trail(start, END)}
    rows = (row for case in _shown(simulator, numbers) for row in _transactions(case))
    met = [row for row in rows if all(any(one is not None and _holds(row, one) for one in several) for several in conditions)]
    return sorted(met, key=lambda row: int(row["id"]))


def _list(simulator: Simulator, _: re.Match[str], request: Request) -> Any:
    """Some users see everything, and only those are told how much there is; for all others rows are taken out of the page that was cut."""
    rows, number = _found(simulator, given(request, "query")), int(given(request, "page", "1"))
    size = min(PER_PAGE, int(given(request, "per_page")))
    if simulator.profile.options["token"] == SUPERUSER["token"]:
        page, following = slice_at(rows, (number - 1) * size, size)
        more = {"next_page": f"http://{request.headers['Host']}{request.path}?page={number + 1}"} if following is not None else {}
        return {"items": page, "count": len(page), "total": len(rows), "pages": -(-len(rows) // size), "page": number, "per_page": size} | more
    cut = 4 * simulator.size
    page, _following = slice_at(rows, (number - 1) * cut, cut)
    seen = [row for row in page if row.get("hidden") is None]
    return {"items": seen, "count": len(seen), "total": None, "pages": None, "page": number, "per_page": size}


def _ticket(case: Case) -> Row:
    values = case.values
    people = {"Owner": {"type": "user", "id": values["assignee"] or "Nobody"}, "Creator": {"type": "user", "id": CUSTOMER}}
    asked = {"Requestor": [{"type": "user", "id": CUSTOMER}], "CustomFields": [{"id": LABELS, "type": "customfield", "values": case.labels}]}
    status = "deleted" if case.deleted else STATUSES[values["status"]]
    said = {"Type": "ticket", "Queue": {"type": "queue", "id": "1"}, "Status": status, "Priority": PRIORITIES[values["priority"]], "Subject": "Help"}
    return {"id": str(case.number), "type": "ticket"} | people | asked | said


def _tickets(simulator: Simulator, _: re.Match[str], request: Request) -> Any:
    wanted = map(int, re.findall(r"\bid = (\d+)", given(request, "query")))
    found = [_ticket(case) for case in _shown(simulator, wanted) if not case.deleted]
    return {"items": found, "count": len(found), "total": None, "pages": None, "page": 1, "per_page": PER_PAGE}


def _one(simulator: Simulator, match: re.Match[str], _: Request) -> Any:
    first, case = (_shown(simulator, [number])[0] for number in (1, int(match[1])))
    return _ticket(first if _merged(case) else case) | {"_hyperlinks": []}


def _user(_: Simulator, match: re.Match[str], __: Request) -> Any:
    """People outside may not be looked at; of staff there is more to read."""
    name = next((name for name, number in USERS.items() if match[1] in (name, str(number))), match[1])
    if name == CUSTOMER:
        return Reply({"message": "Forbidden"}, 403)
    return {"Name": name, "Privileged": 1 if name in (*PEOPLE, AGENT) else 0}


BUSY = Reply(b"<html><title>503 Service Unavailable</title></html>", 503, {"Content-Type": "text/html"})
"""RT itself turns nobody away, the web server before it does."""
ROUTES = {
    r"GET /REST/2.0/queues/all": lambda *_: {"items": [{"id": "1", "type": "queue"}], "count": 1, "total": None, "page": 1, "per_page": 1},
    r"GET /REST/2.0/transactions": _list,
    r"GET /REST/2.0/tickets": _tickets,
    r"GET /REST/2.0/ticket/(\d+)": _one,
    r"GET /REST/2.0/user/(\w+)": _user,
}
OPTIONS = {"multi_fields": frozenset((LABELS,))}
SUPERUSER = {"token": "root"}

PROFILE = Profile(kind="request_tracker", options=OPTIONS | {"token": "reader"}, routes=ROUTES, throttled=BUSY, tells=True)
OTHERS = {"superuser": Profile(kind="request_tracker", options=OPTIONS | SUPERUSER, routes=ROUTES, throttled=BUSY, tells=True)}
