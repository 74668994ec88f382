"""Tryton's REST interface: rows of a model as they are or as they were, and the fewest looks back that show every state of many records."""

from base64 import urlsafe_b64encode
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any, TypeVar
from urllib.parse import quote

import msgspec

from rollout_metrics.collect.http import Answer, Api, decode
from rollout_metrics.collect.paging import LoopGuard, whole
from rollout_metrics.collect.records import decoded
from rollout_metrics.collect.source import Rejected
from rollout_metrics.domain.errors import PayloadError
from rollout_metrics.domain.time import Instant, instant, moment

T = TypeVar("T")

PER_PAGE = 100
"""Records of a page."""
FOREVER: Instant = 2**62
NOTES = ("notes.message", "notes.create_date", "notes.last_modified_at", "notes.create_uid.login")


class Stamp(msgspec.Struct, gc=False):
    """A time as Tryton writes it: in UTC, without a zone."""

    year: int
    month: int
    day: int
    hour: int = 0
    minute: int = 0
    second: int = 0
    microsecond: int = 0

    @property
    def at(self) -> Instant:
        """The instant; raises `ValueError` where there is no such day."""
        return instant(moment(0).replace(**msgspec.structs.asdict(self)))


class User(msgspec.Struct, gc=False):
    """Who did it."""

    login: str


class Note(msgspec.Struct, gc=False, kw_only=True):
    """A note on a record."""

    id: int
    message: str | None = None
    create_date: Stamp
    last_modified_at: Stamp | None = None
    create_uid: User | None = None


class Present(msgspec.Struct, gc=False, kw_only=True):
    """A record that is there, with its notes as they came."""

    id: int
    notes: list[msgspec.Raw] = []


_NOTHING = msgspec.Raw(b"null")


class Changed(Present, gc=False, kw_only=True):
    """A record that changed."""

    last_modified_at: msgspec.Raw = _NOTHING

    @property
    def at(self) -> Instant | None:
        """When; None where that cannot be read: the record itself can be all the same."""
        return _at(self.last_modified_at)


class State(msgspec.Struct, gc=False):
    """When a record was saved as it is shown, and by whom; before its first change only its creation says so."""

    id: int
    create_date: Stamp
    create_uid: User | None = None
    write_date: Stamp | None = None
    write_uid: User | None = None

    @property
    def at(self) -> Instant:
        """When it was saved."""
        return (self.write_date or self.create_date).at

    @property
    def by(self) -> User | None:
        """Who saved it."""
        return self.create_uid if self.write_date is None else self.write_uid


class Employed(msgspec.Struct, gc=False):
    """Which employee a record is with."""

    employee: int | None = None


class _Member(msgspec.Struct, gc=False):
    login: str
    employees: list[int] = []


_STAMP = msgspec.json.Decoder(Stamp)
_REVISIONS = msgspec.json.Decoder(list[tuple[msgspec.Raw, int, str | None]])
_MEMBERS = msgspec.json.Decoder(list[_Member])
_NAMES = msgspec.json.Decoder(list[str])
_FIELDS = msgspec.json.Decoder(dict[str, msgspec.Raw])
_CHANGED = msgspec.json.Decoder(Changed)
_PRESENT = msgspec.json.Decoder(list[Present])
_REF = msgspec.json.Decoder(Present)
_RAW = msgspec.json.Decoder(list[msgspec.Raw])
STATE = msgspec.json.Decoder(State)
NOTE = msgspec.json.Decoder(Note)
EMPLOYED = msgspec.json.Decoder(Employed)


class Rest:
    """One model of one database."""

    def __init__(self, api: Api, database: str, model: str) -> None:
        self._api, self.model = api, model
        self._root = f"/{quote(database, safe='')}/rest/model"

    def path(self, model: str) -> str:
        """Where a model's records are."""
        return f"{self._root}/{model}"

    def keeps_history(self) -> bool:
        """Whether every state of the model's records is kept; False also where there is no such model."""
        return self.model in decode(self._api.post(f"{self.path('ir.model')}/list_history", {}), _NAMES)

    def there(self, fields: Iterable[str]) -> list[str]:
        """Those of the fields that the model has."""
        wanted = list(fields)
        known = decode(self._api.post(f"{self.path(self.model)}/fields_get", {"fields_names": wanted}), _FIELDS)
        return [field for field in wanted if field in known]

    def changed(self, start: Instant, end: Instant) -> Iterator[tuple[list[Changed], list[Rejected], Instant, Answer]]:
        """Records last changed in [start, end), oldest change first, each page asked for by the last record before it: nothing shifts while we read.

        Beside them what is no record, and up to when all have been given. A record whose time cannot be read leads nowhere: the others of its page do.
        """
        guard = LoopGuard()
        at, last = start, -1
        while True:
            later = ["OR", [["last_modified_at", ">", _wire(at)]], [["last_modified_at", "=", _wire(at)], ["id", ">", last]]]
            answer = self._search(self.model, [later, ["last_modified_at", "<", _wire(end)]], ("last_modified_at", *NOTES), order="last_modified_at")
            rows = _complete(answer, _RAW)
            guard.check((at, last), answer, records=len(rows))
            page, rejected = decoded(rows, _CHANGED, f"{answer.where} record")
            if not rows:
                return
            times = [(known, one.id) for one in page if (known := one.at) is not None and known < end]
            done = len(rows) == _total(answer)
            if times and max(times) <= (at, last):
                raise PayloadError(f"{answer.where} repeats records up to {last}: the condition on the time of change is being ignored")
            if not times and not done:
                raise PayloadError(
                    f"{answer.where} has no record whose last_modified_at can be read, and more are to come: its shape is unknown to this version"
                )
            (at, last) = max(times, default=(at, last))
            yield page, rejected, at, answer
            if done:
                return

    def as_of(self, at: Instant, ids: Sequence[int], fields: Sequence[str]) -> dict[int, msgspec.Raw]:
        """Records as they were at an instant. Those that the user might not have seen then are left out, and so are fields that it may not read."""
        rows = _complete(self._search(self.model, [["id", "in", list(ids)]], fields, as_of=at), _RAW)
        return {_REF.decode(row).id: row for row in rows}

    def present(self, ids: Sequence[int]) -> tuple[list[Present], Answer]:
        """Those of the records that are there, with their notes."""
        answer = self._search(self.model, [["id", "in", list(ids)]], ("id", *NOTES))
        return _complete(answer, _PRESENT), answer

    def any(self, fields: Sequence[str]) -> list[msgspec.Raw]:
        """One record that may be seen, if there is one."""
        return decode(self._search(self.model, [], fields, limit=1), _RAW)

    def revisions(self, ids: Sequence[int]) -> tuple[dict[int, list[Instant]], frozenset[int]]:
        """When each record was saved, oldest first; the last one of a deleted record is its end. Beside it those of which not every time can be read."""
        found: dict[int, set[Instant]] = {}
        unread: set[int] = set()
        for raw, number, _ in decode(self._api.post(f"{self.path(self.model)}/history_revisions", {"ids": list(ids)}), _REVISIONS):
            at = _at(raw)
            if at is None:
                unread.add(number)
            else:
                found.setdefault(number, set()).add(at)
        return {number: sorted(instants) for number, instants in found.items()}, frozenset(unread)

    def logins(self, employees: Sequence[int]) -> dict[int, str]:
        """Employee -> the login of the user that it is, where it is one user only. Users who have left are among them."""
        if not employees:
            return {}
        domain = [["employees", "in", list(employees)], ["active", "in", [True, False]]]
        of: dict[int, list[str]] = {}
        for user in decode(self._search("res.user", domain, ("login", "employees"), limit=None), _MEMBERS):
            for employee in user.employees:
                of.setdefault(employee, []).append(user.login)
        return {employee: logins[0] for employee, logins in of.items() if len(logins) == 1}

    def _search(
        self, model: str, domain: list[Any], fields: Iterable[str], *, order: str = "id", as_of: Instant | None = None, limit: int | None = PER_PAGE
    ) -> Answer:
        by = [[name, "ASC"] for name in dict.fromkeys((order, "id"))]
        params = {"d": _text(domain), "o": _text(by), "f": list(fields)}
        context = {} if as_of is None else {"X-Tryton-Context": _text({"_datetime": _wire(as_of)})}
        only = {} if limit is None else {"Range": f"records=0-{limit}"}
        return self._api.get(self.path(model), params, headers={**context, **only})


def looks(revisions: Mapping[int, Sequence[Instant]]) -> Iterator[tuple[Instant, list[int]]]:
    """The fewest instants such that each state of each record stands at one of them, oldest first, with the records to look at then.

    A state stands from its revision until the next one. Going by ends, and looking just before the first end of a state not seen yet, takes the fewest looks:
    whatever began by then and was not seen stands then.
    """
    begins = sorted((begin, number) for number, instants in revisions.items() for begin in instants)
    stretches = sorted((end, begin) for instants in revisions.values() for begin, end in pairwise((*instants, FOREVER)))
    latest = begins[-1][0] if begins else 0
    looked, place = -1, 0
    for end, begin in stretches:
        if begin <= looked:
            continue
        looked, first = min(end - 1, latest), place
        while place < len(begins) and begins[place][0] <= looked:
            place += 1
        yield looked, sorted(number for _, number in begins[first:place])


def _at(raw: msgspec.Raw) -> Instant | None:
    """A time, if it is one."""
    try:
        return _STAMP.decode(raw).at
    except ValueError:
        return None


def _complete(answer: Answer, decoder: msgspec.json.Decoder[list[T]]) -> list[T]:
    """The rows of an answer; raises `TruncatedError` where it holds fewer than it announces."""
    rows = decode(answer, decoder)
    total = _total(answer)
    whole(len(rows), None if total is None else min(total, PER_PAGE), answer.where)
    return rows


def _total(answer: Answer) -> int | None:
    """How many rows there are by `Content-Range: records 0-100/250`; None where Tryton did not count that far."""
    total = answer.headers.get("Content-Range", "").rpartition("/")[2]
    return int(total) if total.isdigit() else None


def _text(value: Any) -> str:
    return urlsafe_b64encode(msgspec.json.encode(value)).decode()


def _wire(at: Instant) -> dict[str, Any]:
    when = moment(at)
    return {"__class__": "datetime", **{name: getattr(when, name) for name in Stamp.__struct_fields__}}
