"""Tryton: opportunities by their time of change, as they are or as of an instant, with their notes; conditions are evaluated, not guessed."""

import re
from base64 import urlsafe_b64decode
from collections.abc import Callable, Sequence
from operator import eq, gt, lt
from typing import Any

import msgspec

from rollout_metrics.domain.time import Instant, instant, moment
from sources.server import Reply, Request
from sources.upstream.simulator import END, Profile, Simulator
from sources.upstream.world import CUSTOMER, PEOPLE, Case, Change

EMPLOYEES = {name: 40 + place for place, name in enumerate(PEOPLE)}
VALUES: dict[str, Any] = {"open": "lead", "working": "opportunity", "closed": "lost", "low": 0.2, "normal": 0.5, "high": 0.9, "": None} | EMPLOYEES
FIELDS = {"status": "state", "priority": "conversion_probability", "assignee": "employee"}
HAS = {*FIELDS.values(), "amount", "start_date"}
OPERATORS: dict[str, Callable[[Any, Any], bool]] = {"=": eq, ">": gt, "<": lt, "in": lambda value, among: value in among}
TIMES = frozenset(("last_modified_at", "create_date", "write_date"))
PARTS = ("year", "month", "day", "hour", "minute", "second", "microsecond")


def _saved(change: Change) -> Instant:
    """Transactions have instants of their own."""
    return change.at + change.number


def _changes(case: Case, until: Instant = END) -> list[Change]:
    return [change for change in case.of(*FIELDS) if _saved(change) <= until]


def last_saved(case: Case) -> Instant:
    """When the opportunity itself last changed: notes are records of their own."""
    changes = _changes(case)
    return _saved(changes[-1]) if changes else case.created_at


def _wire(at: Instant) -> dict[str, Any]:
    return {"__class__": "datetime", **{part: getattr(moment(at), part) for part in PARTS}}


def _read(text: str) -> Any:
    def plain(value: Any) -> Any:
        if isinstance(value, dict) and value.get("__class__") == "datetime":
            return instant(moment(0).replace(**{part: value[part] for part in PARTS}))
        if isinstance(value, dict):
            return {name: plain(each) for name, each in value.items()}
        return [plain(each) for each in value] if isinstance(value, list) else value

    return plain(msgspec.json.decode(urlsafe_b64decode(text)))


def _holds(domain: list[Any], row: dict[str, Any]) -> bool:
    if domain and isinstance(domain[0], str) and domain[0] != "OR":
        name, operator, value = domain
        return OPERATORS[operator](row[name], value)
    if domain and domain[0] == "OR":
        return any(_holds(each, row) for each in domain[1:])
    return all(_holds(each, row) for each in domain)


def _earliest(domain: list[Any]) -> Instant:
    """Nothing that changed before meets the condition."""
    if isinstance(domain[0], str) and domain[0] != "OR":
        return domain[2] if domain[0] == "last_modified_at" and domain[1] in (">", "=") else END
    return min(_earliest(each) for each in domain if each != "OR")


def _user(name: str) -> dict[str, Any]:
    return {"id": 1, "__name__": "res.user", "login": name}


def _note(change: Change) -> dict[str, Any]:
    return {"id": change.number, "message": change.after, **dict.fromkeys(("create_date", "last_modified_at"), change.at), "create_uid": _user(change.actor)}


def _row(case: Case, at: Instant) -> dict[str, Any]:
    """A record as of an instant."""
    values = dict(case.values)
    for change in reversed(case.of(*FIELDS)):
        if _saved(change) > at:
            values[change.what] = change.before
    changes = _changes(case, at)
    last = changes[-1] if changes else None
    return {
        "id": case.number,
        "last_modified_at": last_saved(case),
        "create_date": case.created_at,
        "create_uid": _user(CUSTOMER),
        "write_date": None if last is None else _saved(last),
        "write_uid": None if last is None else _user(last.actor),
        **{field: VALUES[values[what]] for what, field in FIELDS.items()},
        "amount": {"__class__": "Decimal", "decimal": "100.00"},
        "start_date": {"__class__": "date", "year": 2026, "month": 1, "day": 15},
        "notes": [_note(change) for change in case.of("comment")],
    }


def _written(row: dict[str, Any]) -> dict[str, Any]:
    return {
        name: _wire(value) if name in TIMES and value is not None else [_written(each) for each in value] if isinstance(value, list) else value
        for name, value in row.items()
    }


def _opportunities(simulator: Simulator, _: re.Match[str], request: Request) -> Any:
    """A search: by ids all at once, otherwise a page of what changed; under an instant as it was then, deleted or not."""
    domain, order = (_read(request.query[name][0]) for name in "do")
    asked = {"id", *(field.partition(".")[0] for field in request.query["f"])}
    context = request.headers.get("X-Tryton-Context")
    by_id = domain[0][0] == "id"
    at: Instant = _read(context)["_datetime"] if context else END
    cases: Sequence[Case]
    if by_id:
        cases = [case for case in map(simulator.world.cases.__getitem__, domain[0][2]) if context or not case.deleted]
    else:
        cases = simulator.changed(_earliest(domain), when=last_saved)
    rows = [row for case in cases if case.created_at <= at and _holds(domain, row := _row(case, at))]
    rows.sort(key=lambda row: [row[name] for name, _ in order])
    page = rows if by_id else rows[: simulator.size]
    total = len(rows) if len(page) == len(rows) else "*"
    found = [{name: value for name, value in _written(row).items() if name in asked} for row in page]
    return Reply(found, 200, {"Content-Range": f"records 0-{len(page)}/{total}"})


def _revisions(simulator: Simulator, _: re.Match[str], request: Request) -> Any:
    cases = [simulator.world.cases[number] for number in request.body["ids"]]
    return [[_wire(at), case.number, "Somebody"] for case in cases for at in (case.created_at, *map(_saved, _changes(case)))]


def _users(*_: Any) -> Any:
    return [{"id": number, "login": name, "employees": [number]} for name, number in EMPLOYEES.items()]


PROFILE = Profile(
    kind="tryton",
    options={"database": "crm"},
    routes={
        r"POST /crm/rest/model/ir.model/list_history": lambda *_: ["sale.opportunity", "sale.opportunity.line"],
        r"POST /crm/rest/model/sale.opportunity/fields_get": lambda _simulator, _match, request: {
            name: {} for name in request.body["fields_names"] if name in HAS
        },
        r"POST /crm/rest/model/sale.opportunity/history_revisions": _revisions,
        r"GET /crm/rest/model/sale.opportunity": _opportunities,
        r"GET /crm/rest/model/res.user": _users,
    },
    forgets=True,
)
