"""Salesforce: the field history, comments, emails and approvals of cases, leads and opportunities as their audit trail."""

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from operator import itemgetter
from typing import Any, ClassVar, Literal, Self

import msgspec
from pydantic import Field, SecretStr, model_validator

from rollout_metrics.collect.http import Answer, Api, Endpoint, bearer, decode
from rollout_metrics.collect.oauth import ClientCredentials, Grant, JwtBearer
from rollout_metrics.collect.parts import parts_of
from rollout_metrics.collect.reconcile import Living, Reconciled, Roll, batches
from rollout_metrics.collect.records import told
from rollout_metrics.collect.source import Coverage, Named, Page, Told, Window
from rollout_metrics.collect.story import UNCHANGED, Story, Who
from rollout_metrics.collect.texts import own_words, without_markup
from rollout_metrics.domain.events import Activity, ActorKind, Event, text_value
from rollout_metrics.domain.time import Instant, parse_instant
from rollout_metrics.sources._salesforce_names import names, own
from rollout_metrics.sources._salesforce_pages import (
    ALWAYS,
    AT_ONCE,
    BUNDLE,
    COMMENTS,
    DESCRIBED,
    FEED,
    KINDS,
    OBJECTS,
    STEPS,
    WHERE_THERE,
    WORK_ITEMS,
    Bundle,
    Child,
    History,
    among,
    between,
    parent_of,
    rows,
    select,
    soql,
)
from rollout_metrics.sources._salesforce_sessions import Session, available, sessions

READ = 200
"""Records looked up by id at once."""
SPENT = b"REQUEST_LIMIT_EXCEEDED"
LONG = 3600.0
"""Seconds to stay away when the day's requests are used up: Salesforce counts over a rolling day and gives no date."""
OWNER = frozenset(("Owner", "OwnerId", "ownerAssignment", "ownerAccepted", "ownerEscalated"))
"""Names under which the history tells a change of the owner."""
NOTHING_NEW = frozenset(("created", "feedEvent", "locked", "unlocked"))
"""Entries of the history that are no change of a field."""
WORDLESS = frozenset(("EntityId", "DynamicEnum", "StaticEnum", "Boolean", "MultiEnum", "Currency", "Double", "Percent", "Integer", "DateOnly", "DateTime"))
"""Types of values that hold no free text."""
ENTITY = "EntityId"
ID = re.compile(r"[0-9A-Za-z]{15}(?:[0-9A-Za-z]{3})?$")
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"
AUTOMATIC = frozenset(("AutomatedProcess", "CloudIntegrationUser"))
OUTSIDE = frozenset(("Guest", "PowerPartner", "PowerCustomerSuccess", "CustomerSuccess", "CspLitePortal", "SelfService"))
"""Types of users of portals and sites."""
USER = "005"
SHORT = frozenset((USER, "00G", "012"))
"""Beginnings of ids of users, groups and record types, which may come in 15 characters."""
SESSIONS, AGENTFORCE = "sessions", "agentforce"
STEP: Mapping[str, tuple[Activity, str | None]] = {
    "Started": (Activity.APPROVAL_REQUESTED, None),
    "Approved": (Activity.APPROVED, None),
    "Rejected": (Activity.REJECTED, None),
    "Removed": (Activity.CHANGED, "approval"),
    "Reassigned": (Activity.CHANGED, "approver"),
}
"""What a step of an approval process is; all else says nothing new."""
DECISIONS: Mapping[str, Activity] = {"approved": Activity.APPROVED, "rejected": Activity.REJECTED}
NOBODY: Who = (ActorKind.SYSTEM, None)


class Salesforce(Reconciled):
    """Salesforce. The user needs View All on the objects, the fields and their history; how it logs in is up to you."""

    kind: ClassVar[str] = "salesforce"
    record: ClassVar[msgspec.json.Decoder[Any]] = BUNDLE

    base_url: str = Field(pattern=r"^https?://[^/?#]+$")
    """The organisation's own address (My Domain): `https://acme.my.salesforce.com`."""
    token: SecretStr | None = None
    """An access token; those of people run out within hours, so rather let one be asked for."""
    client_id: str | None = None
    """The consumer key of a connected app, to ask for tokens."""
    client_secret: SecretStr | None = None
    """Its secret, for the client credentials flow; the app's Run As user is who reads."""
    username: str | None = None
    """Who reads, for the JWT bearer flow."""
    private_key: SecretStr | None = None
    """The RSA key in PEM form whose certificate the connected app has, for the JWT bearer flow. `private_key_file` reads it from a file."""
    login_url: str = Field(default="https://login.salesforce.com", pattern=r"^https?://[^/?#]+$")
    """Whom an assertion is made out to: https://test.salesforce.com for sandboxes."""
    api_version: str = Field(default="62.0", pattern=r"^\d\d\.0$")
    """The version of the API."""
    objects: tuple[Literal["Case", "Lead", "Opportunity"], ...] = Field(default=("Case",), min_length=1)
    """Whose records are cases."""
    fields: Mapping[str, str] = {}
    """Further field (API name) -> attribute name."""
    closing_statuses: frozenset[str] = frozenset()
    """Statuses that close a record besides those that Salesforce says, such as a lead's Unqualified."""
    comments: bool = True
    """Read case comments and emails."""
    feed: bool = False
    """Read posts of the Chatter feed."""
    approvals: bool = True
    """Read approval processes."""
    flow_approvals: bool = False
    """Read the newer approvals that flows orchestrate."""
    agent_sessions: bool = False
    """Read how Agentforce's sessions about cases ended, from Data 360 (experimental)."""

    @model_validator(mode="after")
    def _one_way_in(self) -> Self:
        ways = [self.token, self.client_secret, self.private_key]
        if sum(way is not None for way in ways) != 1:
            raise ValueError("give one of token, client_secret (with client_id) and private_key (with client_id and username)")
        if self.token is None and self.client_id is None:
            raise ValueError("give the client_id of the connected app")
        if self.private_key is not None and self.username is None:
            raise ValueError("give the username whom the JWT bearer flow stands for")
        return self

    @property
    def root(self) -> str:
        """Where the API is."""
        return f"/services/data/v{self.api_version}"

    def endpoint(self) -> Endpoint:
        """A bearer token, given or asked for."""
        how: dict[str, Any] = {"grant": self._grant()} if self.token is None else {"authorization": bearer(self.token)}
        return Endpoint(base_url=self.base_url, wish=_wish, **how, **self.connection())

    def pages(self, api: Api, window: Window) -> Iterator[Page]:
        """Per object: first the records whose comments or approvals changed, then those that changed themselves, in that order, each with its whole history."""
        there = self._there(api)
        users: dict[str, str] = {}
        for part in parts_of([*self.objects, *((SESSIONS,) if self.agent_sessions else ())], window):
            if part.name == SESSIONS:
                for ended, answer in sessions(api, self.root, part.since, window.end):
                    yield Page([self._ended(one) for one in ended], answer.where, *part.reached(part.since))
                yield Page([], part.name, *part.reached(window.end))
                continue
            selected = self._selected(api, part.name)
            closing, labels = self._statuses(api, part.name)
            reading = _Reading(self, api, part.name, selected, closing, labels, there, users)
            for bundles, answer in reading.of(reading.touched(part.since, window.end)):
                yield Page(bundles, answer.where, *part.reached(part.since))
            at = part.since
            for bundles, answer in reading.changed(part.since, window.end):
                stamps = [parse_instant(stamp) for one in bundles if isinstance(stamp := one.record.get("SystemModstamp"), str)]
                at = max(at, min(max(stamps, default=at), window.end))
                yield Page(bundles, answer.where, *part.reached(at))
            yield Page([], part.name, *part.reached(window.end))

    def events(self, page: Page) -> Iterator[Told]:
        """What happened to each record, and whether its history tells how it came to be as it is."""
        terms = {one.name: _Terms(self, one) for one in page.body[:1] if isinstance(one, Bundle)}
        return told(page, partial(self._told, terms), lambda bundle: f"{bundle.name} {bundle.record.get('Id')}")

    def _told(self, terms: Mapping[str, "_Terms"], bundle: Bundle) -> list[Told]:
        if bundle.odd:  # as odd as before, the record is set aside with them
            bundle = msgspec.structs.replace(bundle, histories=bundle.histories + [msgspec.convert(row, History) for row in bundle.odd], odd=[])
        story = _Story(self, terms[bundle.name], bundle)
        return [*story.events(), Coverage("history", int(story.whole), 1)]

    def lacking(self, api: Api) -> Iterator[str]:
        """Objects and fields that may not be read, fields whose history is not tracked, and approvals that nobody reads."""
        there = self._there(api)
        for name in self.objects:
            kind = KINDS[name]
            if kind.history not in there:
                yield f"{kind.history} cannot be read: give the user View All on {name}, and switch on Set History Tracking for it"
            if name not in there:
                continue
            seen = self._selected(api, name)
            own = set(self.fields) if len(self.objects) == 1 else set[str]()
            hidden = sorted((set(kind.fields) | own) - set(seen) - {"RecordTypeId"})  # which is there only where there are record types
            if hidden:
                yield f"{name}: {', '.join(hidden)} cannot be read: grant the user field-level security on them"
            asked = select(("QualifiedApiName", "IsFieldHistoryTracked"), "FieldDefinition", f"EntityDefinition.QualifiedApiName = '{name}'")
            tracked = {str(row.get("QualifiedApiName")): row.get("IsFieldHistoryTracked") for row in rows(api, self.root, asked)}
            silent = [field for field in seen if tracked.get(field) is False and field not in ("IsEscalated", *ALWAYS, *WHERE_THERE)]
            if silent:
                yield f"{name}: changes of {', '.join(silent)} leave no trace: switch on Set History Tracking for them; it begins when it is switched on"
        wanted = {**(COMMENTS if self.comments else {}), **(STEPS if self.approvals else {}), **(WORK_ITEMS if self.flow_approvals else {})}
        for other in sorted(set(wanted) - there):
            yield f"{other} cannot be read: give the user access to it, or switch off the option that reads it"
        if self.agent_sessions and available(api, self.root) is None:
            yield "there are no sessions of Agentforce to read: switch on session tracing, and give the user access to Data 360"
        if not self.flow_approvals and "ApprovalWorkItem" in there and rows(api, self.root, "SELECT Id FROM ApprovalWorkItem LIMIT 1"):
            yield "there are approvals made by flows, and they are not read: set flow_approvals: true"

    def names(self, api: Api) -> Iterator[Named]:
        """Names of record types and queues, labels of choices and of the organisation's own lists of choices."""
        return names(api, self.root, {name: {**KINDS[name].fields, **self.fields} for name in self.objects})

    def reconcile(self, api: Api, roll: Roll) -> Iterator[Page]:
        """Look every known record up by id: the recycle bin forgets after 15 days."""
        known: dict[str, list[Living]] = {}
        for case_id, last_at in roll():
            known.setdefault(case_id[:3], []).append((case_id, last_at))
        for name in self.objects:
            for batch in batches(known.get(KINDS[name].prefix, ()), READ):
                present: set[str] = set()
                where: str = name
                for records, answer in soql(api, self.root, select(("Id",), name, among("Id", [case_id for case_id, _ in batch]))):
                    present.update(str(record["Id"]) for record in records)
                    where = answer.where
                yield Page(self.gone(batch, present), where)

    def _ended(self, session: Session) -> Event:
        """A session's end: by handing over to people, or otherwise."""
        handed = session.how == "escalated"
        activity, change = (Activity.ESCALATED, UNCHANGED) if handed else (Activity.CHANGED, ("agent_session", None, session.how))
        detail = {"url": f"{self.base_url}/{session.case_id}", "via": [AGENTFORCE], **({"reason": session.how} if handed else {})}
        case_id, at = full_id(session.case_id), parse_instant(session.ended_at)
        number = f"{case_id}/session/{session.id}"
        return Event(self.name, self.name, case_id, number, at, activity, ActorKind.AGENT, AGENTFORCE, *change, detail)

    def _grant(self) -> Grant:
        where = {"token_url": f"{self.base_url}/services/oauth2/token", "client_id": self.client_id or ""}
        if self.client_secret is not None:
            return ClientCredentials(client_secret=self.client_secret, **where)
        return JwtBearer(subject=self.username or "", audience=self.login_url, private_key=self.private_key or SecretStr(""), **where)

    def _there(self, api: Api) -> frozenset[str]:
        """The objects that the user may read."""
        return frozenset(one.name for one in decode(api.get(f"{self.root}/sobjects"), OBJECTS).sobjects)

    def _selected(self, api: Api, name: str) -> list[str]:
        """The fields to ask for: those that are wanted and may be read; asking for another would refuse the whole query."""
        readable = {one.name for one in decode(api.get(f"{self.root}/sobjects/{name}/describe"), DESCRIBED).fields}
        wanted = (*WHERE_THERE, *KINDS[name].fields, *self.fields)
        return [*ALWAYS, *sorted(field for field in set(wanted) if field in readable)]

    def _statuses(self, api: Api, name: str) -> tuple[list[str], dict[str, str]]:
        """The statuses that close, and the API names of those that are called otherwise."""
        kind = KINDS[name]
        found = [
            (str(row.get("ApiName")), str(row.get("MasterLabel")), row)
            for row in rows(api, self.root, select(("ApiName", "MasterLabel", kind.said), kind.statuses, "ApiName != null"))
        ]
        names = {named for named, _, _ in found}
        closing = {named for named, _, row in found if row.get(kind.said) is True}
        return sorted(self.closing_statuses | closing), {label: named for named, label, _ in found if label not in names}


class _Reading(msgspec.Struct):
    """Reads the records of one object with what belongs to them."""

    source: Salesforce
    api: Api
    name: str
    selected: list[str]
    closing: list[str]
    labels: dict[str, str]
    there: frozenset[str]
    users: dict[str, str]

    def children(self) -> dict[str, Child]:
        """What belongs to these records, of what may be read."""
        source = self.source
        wanted: dict[str, Child] = {**(STEPS if source.approvals else {}), **(WORK_ITEMS if source.flow_approvals else {}), **(FEED if source.feed else {})}
        if source.comments and self.name == "Case":
            wanted |= COMMENTS
        return {name: child for name, child in sorted(wanted.items()) if name in self.there}

    def touched(self, start: Instant, end: Instant) -> list[str]:
        """Records whose children changed."""
        prefix = KINDS[self.name].prefix
        asked = [child.changed(name, start, end) for name, child in self.children().items()]
        paths = [child.parent for child in self.children().values()]
        found = {parent_of(row, path) for query, path in zip(asked, paths, strict=True) for row in rows(self.api, self.source.root, query)}
        return sorted(case_id for case_id in found if case_id is not None and case_id.startswith(prefix))

    def of(self, ids: list[str]) -> Iterator[tuple[list[Bundle], Answer]]:
        """These records."""
        for start in range(0, len(ids), AT_ONCE):
            yield from self._found(among("Id", ids[start : start + AT_ONCE]))

    def changed(self, start: Instant, end: Instant) -> Iterator[tuple[list[Bundle], Answer]]:
        """What changed itself, in that order."""
        return self._found(between(start, end))

    def _found(self, condition: str) -> Iterator[tuple[list[Bundle], Answer]]:
        query = select(self.selected, self.name, condition, order="SystemModstamp, Id")
        for records, answer in soql(self.api, self.source.root, query, deleted=True):
            for start in range(0, len(records), AT_ONCE):
                yield self._complete(records[start : start + AT_ONCE]), answer

    def _complete(self, records: list[dict[str, Any]]) -> list[Bundle]:
        kind, root, api = KINDS[self.name], self.source.root, self.api
        bundles = {str(record.get("Id")): Bundle(self.name, record, self.closing, labels=self.labels) for record in records}
        ids = sorted(bundles)
        tracked = kind.history in self.there
        for each in bundles.values():
            each.tracked = tracked
        if tracked:
            columns = ("Id", kind.parent, "Field", "DataType", "OldValue", "NewValue", "CreatedById", "CreatedDate")
            asked = select(columns, kind.history, among(kind.parent, ids), order="CreatedDate, Id")
            for row in rows(api, root, asked, deleted=True):
                if (bundle := bundles.get(str(row.get(kind.parent)))) is not None:
                    try:
                        bundle.histories.append(msgspec.convert(row, History))
                    except msgspec.ValidationError:
                        bundle.odd.append(row)
        for name, child in self.children().items():
            for row in rows(api, root, child.of(name, ids), deleted=True):
                if (bundle := bundles.get(parent_of(row, child.parent) or "")) is not None:
                    bundle.children.append({**row, "object": name})
        people = {case_id: _people(bundle) for case_id, bundle in bundles.items()}
        self._look_up({one for found in people.values() for one in found})
        for case_id, each in bundles.items():
            each.users = {one: self.users[one] for one in sorted(people[case_id]) if one in self.users}
        return [bundles[str(record.get("Id"))] for record in records]

    def _look_up(self, people: set[str]) -> None:
        """What kind of user each is, asked once a sweep."""
        unknown = sorted(people - set(self.users))
        for start in range(0, len(unknown), READ):
            batch = unknown[start : start + READ]
            self.users.update(dict.fromkeys(batch, ""))
            for row in rows(self.api, self.source.root, select(("Id", "UserType"), "User", among("Id", batch))):
                self.users[str(row["Id"])] = str(row.get("UserType") or "")


class _Terms:
    """What is the same for all records of a page; fields and people are worked out once."""

    def __init__(self, source: Salesforce, bundle: Bundle) -> None:
        self.names = {**KINDS[bundle.name].fields, **source.fields}
        self.kept = frozenset(self.names.values())
        self.closing = frozenset(bundle.closing)
        self.fields: dict[str, tuple[str, bool]] = {}
        """What `attribute` has said so far."""
        self.people: dict[Any, Who] = {}
        """What `meet` has said so far."""
        self._texts: dict[str, str | None] = {}

    def text(self, value: Any) -> str | None:
        """A field's value as text; ids in 18 characters, several choices as a list. Records of a page hold the same few values."""
        if not isinstance(value, str):
            return text_value(value)
        try:
            return self._texts[value]
        except KeyError:
            id_of_15 = len(value) == 15 and value[:3] in SHORT and ID.match(value)
            found = self._texts[value] = full_id(value) if id_of_15 else text_value(value.split(";") if ";" in value else value)
            return found

    def sides(self, row: History, *, known: bool) -> tuple[str | None, str | None]:
        """What was and what is; names of people and free text are left out."""
        if row.field in OWNER or row.data_type == ENTITY:
            before, after = self.text(row.old), self.text(row.new)
            return before if before and ID.match(before) else None, after if after and ID.match(after) else None
        return (self.text(row.old), self.text(row.new)) if known or row.data_type in WORDLESS else (None, None)

    def attribute(self, field: str) -> tuple[str, bool]:
        """What a field of the history is called here, and whether its values are wanted whatever they are."""
        named = self.names.get("OwnerId" if field in OWNER else field)
        found = self.fields[field] = (own(field) if named is None else named, named is not None)
        return found

    def meet(self, user: Any, kind: str) -> Who:
        """Staff, unless the user's type says a portal's, a site's or a machine's."""
        if not isinstance(user, str) or not user.startswith(USER):
            found: Who = ActorKind.SYSTEM, user if isinstance(user, str) else None
        else:
            is_a = ActorKind.SYSTEM if kind in AUTOMATIC else ActorKind.CUSTOMER if kind in OUTSIDE else ActorKind.OPERATOR
            found = is_a, full_id(user)
        self.people[user] = found
        return found


class _Story(Story):
    """One record's events."""

    whole: bool
    """The history leads without a gap from the first status to the present one."""

    def __init__(self, source: Salesforce, terms: _Terms, bundle: Bundle) -> None:
        self.name, self.bundle, self.record = source.name, bundle, bundle.record
        self.case_id = full_id(self.record["Id"])
        self.terms, self.names, self.closing = terms, terms.names, terms.closing
        self.whole = bundle.tracked
        self.link = {"url": f"{source.base_url}/{self.case_id}", "via": []}

    def events(self) -> list[Event]:
        """All of it."""
        record = self.record
        made_at, who = parse_instant(record["CreatedDate"]), self._who(record.get("CreatedById"))
        text = self.terms.text
        now = {self.names[field]: text(record[field]) for field in self.names if record.get(field) is not None}
        changes, initial = self._changes(now)
        attributes = {"object": self.bundle.name} | {name: value for name, value in sorted(initial.items()) if value is not None}
        made = [self._event("created", made_at, Activity.CREATED, who, {"attributes": attributes}, revision=_stamp(record))]
        if initial.get("status") in self.closing:  # made closed
            made.append(self._event("closed", made_at, Activity.CLOSED, who, change=("status", None, initial["status"])))
        made += changes
        for row in self.bundle.children:
            made += self._child(row)
        if record.get("IsDeleted"):
            absorbed = record.get("MasterRecordId") is not None
            ended = Activity.ABSORBED if absorbed else Activity.DELETED
            made.append(self._event("deleted", parse_instant(record["SystemModstamp"]), ended, self._who(record.get("LastModifiedById")), revision=1))
        return made

    def _changes(self, now: dict[str, str | None]) -> tuple[list[Event], dict[str, str | None]]:
        """The history, and what the record began with: the old value of a field's first change, else what it is now."""
        initial, events = dict(now), list[Event]()
        current: dict[str, str | None] = {}
        labels, closing, terms = self.bundle.labels, self.closing, self.terms
        for at, _, row in _once(self.bundle.histories):
            attribute, known = terms.fields.get(row.field) or terms.attribute(row.field)
            before, after = terms.sides(row, known=known)
            status = attribute == "status"
            if status:
                before, after = labels.get(before or "", before), labels.get(after or "", after)
            if attribute not in current and attribute in terms.kept:
                initial[attribute] = before
            elif status and current.get(attribute) != before:
                self.whole = False
            current[attribute] = after
            activity = Activity.CHANGED
            if status and (before in closing) != (after in closing):
                activity = Activity.CLOSED if after in closing else Activity.REOPENED
            elif row.field == "IsEscalated" and after == "true":
                activity = Activity.ESCALATED
            events.append(self._event(f"history/{row.id}", at, activity, self._who(row.by), change=(attribute, before, after)))
        if "status" in current and current["status"] != now.get("status"):
            self.whole = False
        if "status" not in current and (untold := self._untold(now.get("status"))) is not None:
            initial["status"], self.whole = None, False
            events.append(untold)
        return events, initial

    def _untold(self, status: str | None) -> Event | None:
        """A closing that the history lacks, as the record itself dates it: the history is kept for 18 to 24 months, and only where it is switched on."""
        closed = self.record.get("ClosedDate")
        if status not in self.closing or not isinstance(closed, str) or closed == self.record["CreatedDate"]:
            return None
        return self._event("closed", parse_instant(closed), Activity.CLOSED, NOBODY, change=("status", None, status))

    def _child(self, row: dict[str, Any]) -> Iterator[Event]:
        name, at = row["object"], parse_instant(row["CreatedDate"])
        if name in STEPS:
            activity, attribute = STEP.get(str(row.get("StepStatus")), (None, None))
            if activity is not None:
                change = UNCHANGED if attribute is None else (attribute, None, "removed" if attribute == "approval" else row.get("ActorId"))
                who = self._who(row.get("OriginalActorId" if attribute == "approver" else "ActorId"))
                yield self._event(f"step/{row['Id']}", at, activity, who, change=change)
        elif name in WORK_ITEMS:
            asked_by = (row.get("ApprovalSubmission") or {}).get("CreatedById")
            yield self._event(f"approval/{row['Id']}", at, Activity.APPROVAL_REQUESTED, self._who(asked_by))
            decided = DECISIONS.get(str(row.get("Status")).lower())
            if decided is not None:
                stamp = parse_instant(row["LastModifiedDate"])
                yield self._event(f"approval/{row['Id']}/decided", stamp, decided, self._who(row.get("LastModifiedById")))
        else:
            yield self._said(row, at)

    def _said(self, row: dict[str, Any], at: Instant) -> Event:
        """A comment, an email or a post."""
        incoming = row.get("Incoming") is True
        public = row.get("IsPublished", row.get("Visibility", "AllUsers")) in (True, "AllUsers")
        text = str(row.get("CommentBody") or row.get("TextBody") or row.get("Body") or "")
        words = own_words(without_markup(text) if text.lstrip().startswith("<") else text)
        who = (ActorKind.CUSTOMER, None) if incoming else self._who(row.get("CreatedById"))
        detail = {"public": public, **({"value": words} if words else {})}
        return self._event(f"comment/{row['Id']}", at, Activity.COMMENTED, who, detail, revision=_stamp(row))

    def _who(self, user: Any) -> Who:
        return self.terms.people.get(user) or self.terms.meet(user, self.bundle.users.get(user, ""))


def full_id(short: str) -> str:
    """An id in its 18 characters, whose last three tell which of the others are capitals."""
    if len(short) != 15:
        return short
    bits = (sum(1 << place for place, letter in enumerate(short[start : start + 5]) if letter.isupper()) for start in (0, 5, 10))
    return short + "".join(LETTERS[number] for number in bits)


def _once(histories: Iterable[History]) -> list[tuple[Instant, str, History]]:
    """Each change once, in order: of lookups the history has a row with names and one with ids."""
    kept = [(parse_instant(row.at), row.id, row) for row in histories if row.field not in NOTHING_NEW]
    if len(kept) > 1:
        kept.sort(key=itemgetter(0, 1))
    of_ids = [row for _, _, row in kept if row.data_type == ENTITY or (row.field in OWNER and _of_ids(row))]
    if not of_ids:
        return kept
    numbers, twins = {row.id for row in of_ids}, {(row.at, row.field, row.by) for row in of_ids}
    return [one for one in kept if one[1] in numbers or (one[2].at, one[2].field, one[2].by) not in twins]


def _of_ids(row: History) -> bool:
    """Whether this row of an owner's two holds ids."""
    sides = [side for side in (row.old, row.new) if side is not None]
    return bool(sides) and all(isinstance(side, str) and ID.match(side) is not None for side in sides)


def _people(bundle: Bundle) -> set[str]:
    """Everyone who had to do with a record."""
    rows_of = [bundle.record, *bundle.children, *(row.get("ApprovalSubmission") or {} for row in bundle.children)]
    found = {row.get(name) for row in rows_of for name in ("CreatedById", "LastModifiedById", "ActorId", "OriginalActorId")}
    return {one for one in found | {row.by for row in bundle.histories} if isinstance(one, str) and one.startswith(USER)}


def _stamp(record: Mapping[str, Any]) -> int:
    """The time of its latest change in milliseconds: which of two readings is newer."""
    stamp = record.get("SystemModstamp")
    return parse_instant(stamp) // 1000 if isinstance(stamp, str) else 0


def _wish(body: bytes) -> float | None:
    return LONG if SPENT in body else None
