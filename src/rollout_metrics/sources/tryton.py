"""Tryton: leads and opportunities with the history of their fields, which is their audit trail, and their notes."""

from collections.abc import Callable, Iterator, Mapping
from datetime import date, time
from decimal import Decimal
from typing import Any, ClassVar

import msgspec
from msgspec.structs import replace
from pydantic import Field, SecretStr

from rollout_metrics.collect.http import Api, Endpoint, bearer
from rollout_metrics.collect.names import named
from rollout_metrics.collect.reconcile import Reconciled, Roll, batches
from rollout_metrics.collect.records import told
from rollout_metrics.collect.source import Coverage, Named, Page, Rejected, Told, Window
from rollout_metrics.collect.story import Story, Who, of_status
from rollout_metrics.collect.texts import said
from rollout_metrics.domain.errors import CredentialsError
from rollout_metrics.domain.events import Activity, ActorKind, Event, text_value
from rollout_metrics.domain.time import MINUTE, Instant, Span, format_instant
from rollout_metrics.sources._tryton_pages import EMPLOYED, FOREVER, NOTE, NOTES, PER_PAGE, STATE, Changed, Rest, Stamp, State, User, looks

MODEL = "sale.opportunity"
STATUS, EMPLOYEE = "state", "employee"
ATTRIBUTES: Mapping[str, str] = {
    STATUS: "status",
    EMPLOYEE: "assignee",
    "description": "subject",
    "conversion_probability": "conversion_probability",
    "amount": "amount",
    "currency": "currency",
    "party": "party",
    "contact": "contact",
    "address": "address",
    "company": "company",
    "payment_term": "payment_term",
    "reference": "reference",
    "comment": "comment",
    "start_date": "start_date",
    "end_date": "end_date",
    "lost_reason": "lost_reason",
}
"""Canonical names of an opportunity's fields; the others are bookkeeping. A lead is an opportunity whose `state` is `lead`."""
NAMED: Mapping[str, str] = {"company": "company.company", "currency": "currency.currency", "payment_term": "account.invoice.payment_term"}
"""Attribute -> the model whose records its values are."""
CLOSED = frozenset(("converted", "won", "lost", "cancelled"))
ROOT = "root"
"""Who does what Tryton does by itself."""
WHO_AND_WHEN = ("create_date", "create_uid.login", "write_date", "write_uid.login")
REFUSED: dict[int, str] = {
    400: "check the token's permissions: a group of its user must have the right to read this",
    404: "check the address and the name of the database",
}
NO_HISTORY = "install the module sale_opportunity, which keeps it; without it no change can be seen"
UNDATED = "a time of its history cannot be read: correct it in the database; the record is read anew when it changes, and by `collect --since`"


class Kept(msgspec.Struct):
    """An opportunity as each revision left it, oldest first, and its notes. `revisions`: how many there are; None: only notes were looked for."""

    id: int
    states: list[msgspec.Raw] = []
    notes: list[msgspec.Raw] = []
    logins: dict[str, str] = {}
    """Employee -> login, where it is known."""
    revisions: int | None = None


_VALUES = msgspec.json.Decoder(dict[str, Any])
_KEPT = msgspec.json.Decoder(Kept)


class Tryton(Reconciled):
    """Tryton 8.0 or newer with its module sale_opportunity. The key's user sees the opportunities of its companies if it is in the group Sales."""

    kind: ClassVar[str] = "tryton"
    record: ClassVar[msgspec.json.Decoder[Any]] = _KEPT
    hold_back: ClassVar[Span] = MINUTE

    base_url: str = Field(pattern=r"^https?://[^?#]+[^?#/]$")
    """The address of Tryton."""
    database: str = Field(min_length=1)
    """The name of the database."""
    token: SecretStr
    """The key of a user application of the kind REST API."""
    fields: Mapping[str, str] = {}
    """Further fields of opportunities, such as those of modules of your own -> attribute name."""

    def attributes(self) -> dict[str, str]:
        """Field -> attribute name."""
        return {**ATTRIBUTES, **self.fields}

    def names(self, api: Api) -> Iterator[Named]:
        """Names of companies, currencies and payment terms."""
        for attribute, model in NAMED.items():
            yield from named(api, self._rest(api).path(model), attribute, name="rec_name", params={"f": "rec_name", "s": 100})

    def endpoint(self) -> Endpoint:
        """The key as a bearer token."""
        return Endpoint(base_url=self.base_url, authorization=bearer(self.token), refusals=REFUSED, **self.connection())

    def pages(self, api: Api, window: Window) -> Iterator[Page]:
        """Opportunities last changed in the window, oldest change first, each with its whole history."""
        rest = self._rest(api)
        if not rest.keeps_history():
            raise CredentialsError(f"{self.base_url} keeps no history of {MODEL} in {self.database}: {NO_HISTORY}")
        fields = (*rest.there(self.attributes()), *WHO_AND_WHEN)
        for changed, rejected, reached, answer in rest.changed(window.start, window.end):
            kept, unread = _read(rest, fields, changed)
            aside = (Rejected("malformed", f"{answer.where} opportunity {number}", UNDATED, msgspec.json.encode(Kept(number))) for number in unread)
            yield Page([*rejected, *aside, *kept], answer.where, reached)

    def events(self, page: Page) -> Iterator[Told]:
        """For each opportunity `created` and an event for each attribute that a revision changed; one for each note."""
        whole: list[bool] = []

        def tell(kept: Kept) -> list[Event]:
            story = _Story(self, kept)
            events = list(story.events())
            whole.append(story.whole)
            return events

        yield from told(page, tell, lambda kept: f"opportunity {kept.id}")
        if looked_for := sum(isinstance(one, Kept) and one.revisions is not None for one in page.body):
            yield Coverage("history", sum(whole), looked_for)

    def reconcile(self, api: Api, roll: Roll) -> Iterator[Page]:
        """Look every known opportunity up by id, with its notes: increments show neither that it was deleted nor that a note was made."""
        rest = self._rest(api)
        for batch in batches(roll(), PER_PAGE):
            present, answer = rest.present([int(case_id) for case_id, _ in batch])
            gone = self.gone(batch, {str(one.id) for one in present})
            saved = rest.revisions([int(event.case_id) for event in gone])[0] if gone else {}
            ended = (replace(event, occurred_at=max((event.occurred_at, *saved.get(int(event.case_id), ())))) for event in gone)
            noted = (Kept(one.id, notes=one.notes) for one in present if one.notes)
            yield Page([*ended, *noted], f"{answer.where} of {len(batch)}")

    def lacking(self, api: Api) -> Iterator[str]:
        """Fields that there are not or that may not be read, and companies that the user does not belong to."""
        rest = self._rest(api)
        wanted = self.attributes()
        there = rest.there(wanted)
        if missing := [field for field in wanted if field not in there]:
            yield f"{MODEL} has no field {', '.join(missing)}: correct `fields`"
        shown = rest.any((*there, *NOTES))
        if not shown:
            yield f"no {MODEL} is shown: if there are any, let the token's user belong to their company"
        elif hidden := sorted({*there, "notes"} - _VALUES.decode(shown[0]).keys()):
            yield f"{', '.join(hidden)} of {MODEL} cannot be read: change the access to these fields for the token's user"

    def _rest(self, api: Api) -> Rest:
        return Rest(api, self.database, MODEL)


def _read(rest: Rest, fields: tuple[str, ...], changed: list[Changed]) -> tuple[tuple[Kept, ...], list[int]]:
    """Each record with every state it was in until it was listed; what has become of it since is left to the next sweep.

    Beside them those whose history has a time that cannot be read: a state of it would be missed, and its changes be another's.
    """
    saved, unread = rest.revisions([one.id for one in changed])
    listed = {one.id: one for one in changed if one.id not in unread}
    until = {number: FOREVER if (at := one.at) is None else at for number, one in listed.items()}
    revisions = {number: [at for at in saved.get(number, ()) if at <= until[number]] for number in listed}
    states: dict[int, list[msgspec.Raw]] = {number: [] for number in revisions}
    for at, numbers in looks(revisions):
        seen = rest.as_of(at, numbers, fields)
        for number in numbers:
            state = seen.get(number)
            # a change that was under way when revisions were asked for may show by now
            if state is not None and _saved_at(state) in (None, max(revision for revision in revisions[number] if revision <= at)):
                states[number].append(state)
    employees = {number: {employee for state in each if (employee := _employee(state)) is not None} for number, each in states.items()}
    logins = rest.logins(sorted(set().union(*employees.values())))
    own = {number: {str(employee): logins[employee] for employee in each if employee in logins} for number, each in employees.items()}
    kept = tuple(Kept(number, states[number], one.notes, own[number], len(revisions[number])) for number, one in listed.items())
    return kept, sorted(unread & {one.id for one in changed})


def _saved_at(state: msgspec.Raw) -> Instant | None:
    """When it was saved; None where it cannot be understood, which is told when it is translated."""
    try:
        return STATE.decode(state).at
    except ValueError:
        return None


def _employee(state: msgspec.Raw) -> int | None:
    try:
        return EMPLOYED.decode(state).employee
    except msgspec.ValidationError:
        return None


class _Story(Story):
    """The events of one opportunity."""

    def __init__(self, source: Tryton, kept: Kept) -> None:
        case = str(kept.id)
        super().__init__(source.name, case, {"url": f"{source.base_url}/#{source.database}/model/{MODEL}/{case}"}, ids="")
        self.kept, self.names = kept, source.attributes()
        self.states = [(STATE.decode(raw), self._values(raw)) for raw in kept.states]
        self.begins = bool(self.states) and self.states[0][0].at == self.states[0][0].create_date.at
        """Whether it was seen as it was made: such a reading holds against one from before the user was shown that."""
        self.whole = self.begins and len(self.states) == kept.revisions

    def events(self) -> Iterator[Event]:
        """All there is to tell: what it began as, what each revision changed, and the notes."""
        before: dict[str, str | None] | None = None
        for state, values in self.states:
            if before is None:
                attributes = ((self.names[field], value) for field, value in values.items())
                at, who = state.create_date.at, _who(state.create_uid)
                yield from self.made(at, who, attributes, numbers=(f"{self.case_id}/created", ""), revision=int(self.begins))
                before = {**values, STATUS: None} if values.get(STATUS) in CLOSED else values
            for field, after in values.items():
                if after != before.get(field):
                    yield self._changed(state, field, before.get(field), after)
            before = values
        for raw in self.kept.notes:
            note = NOTE.decode(raw)
            revision = 0 if note.last_modified_at is None else note.last_modified_at.at
            words = said(note.message or "", public=False)
            yield self.event(f"n{note.id}", note.create_date.at, Activity.COMMENTED, _who(note.create_uid), words, revision=revision)

    def _changed(self, state: State, field: str, before: str | None, after: str | None) -> Event:
        activity, number = of_status(before, after, CLOSED) if field == STATUS else Activity.CHANGED, f"{self.case_id}/{state.at}/{field}"
        return self.event(number, state.at, activity, _who(state.by), change=(self.names[field], before, after), revision=int(self.begins))

    def _values(self, raw: msgspec.Raw) -> dict[str, str | None]:
        """What the fields of a state hold. Which user an employee is says more than its number: whoever acts is known by login."""
        row = _VALUES.decode(raw)
        values = {field: _text(row[field]) for field in self.names if field in row}
        if (employee := values.get(EMPLOYEE)) is not None:
            values[EMPLOYEE] = self.kept.logins.get(employee, employee)
        return values


def _who(user: User | None) -> Who:
    return (ActorKind.SYSTEM if user is not None and user.login == ROOT else ActorKind.OPERATOR), None if user is None else user.login


WIRE: Mapping[str, Callable[[dict[str, Any]], str]] = {
    "Decimal": lambda value: format(Decimal(value["decimal"]).normalize(), "f"),
    "date": lambda value: date(value["year"], value["month"], value["day"]).isoformat(),
    "time": lambda value: time(value["hour"], value["minute"], value["second"], value["microsecond"]).isoformat(),
    "datetime": lambda value: format_instant(msgspec.convert(value, Stamp).at),
    "timedelta": lambda value: text_value(float(value["seconds"])) or "",
}
"""How values of classes that JSON does not have are written by Tryton, as text of ours."""


def _text(value: Any) -> str | None:
    if isinstance(value, dict) and value.get("__class__") in WIRE:
        return WIRE[value["__class__"]](value)
    return text_value(value)
