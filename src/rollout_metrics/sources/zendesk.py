"""Zendesk Support: the incremental stream of ticket events, with comments, as the audit trail of every ticket."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar, Literal, Self

from pydantic import Field, SecretStr, model_validator

from rollout_metrics.collect.http import Answer, Api, Endpoint, basic, bearer
from rollout_metrics.collect.limits import Budget
from rollout_metrics.collect.paging import LoopGuard, next_links
from rollout_metrics.collect.source import Coverage, HttpSource, Page, Rejected, Window, why
from rollout_metrics.collect.texts import own_words, without_markup
from rollout_metrics.domain.errors import PayloadError
from rollout_metrics.domain.events import Activity, ActorKind, Event, text_value
from rollout_metrics.domain.time import MINUTE, SECOND, Instant, Span, parse_instant
from rollout_metrics.sources._zendesk_pages import USERS, Audit, Body, more_users, read_stream
from rollout_metrics.sources._zendesk_side import PATH, REFUSED, SideBody, side_body, side_events, side_pages
from rollout_metrics.sources._zendesk_system import SYSTEM_VALUES, told

TICKETS = "/agent/tickets/"
CLOSED = frozenset(("solved", "closed"))
DELETED = "deleted"
ATTRIBUTES: Mapping[str, str] = {
    "assignee_id": "assignee",
    "brand_id": "brand",
    "custom_status_id": "custom_status",
    "group_id": "group",
    "organization_id": "organization",
    "problem_id": "problem",
    "requester_id": "requester",
    "submitter_id": "submitter",
    "ticket_form_id": "form",
    "ticket_type": "type",
}
"""Canonical names of Zendesk's fields; others keep theirs, custom fields become `custom:<id>`."""
ENVELOPE = frozenset(
    (
        "id",
        "via",
        "via_reference_id",
        "event_type",
        "type",
        "previous_value",
        "added_tags",
        "removed_tags",
        "created_at",
        "audit_id",
        "metadata",
        "graph_object_id",
        "rel",
        "revision_id",
    )
)
"""What a child event holds besides the changed field, whose name is itself a key; `rel` and `revision_id` tell of the rule behind it."""
CHANNELS: Mapping[str, str] = {"mail": "email", "web_form": "web", "web_service": "api"}
AUTOMATIC = frozenset(("rule", "trigger", "automation", "business_rule", "system", "merge"))
MERGED = "closed_by_merge"
COMMENTS = frozenset(("Comment", "VoiceComment"))
RATINGS = frozenset(("SatisfactionRating", "Satisfaction Rating"))
CUSTOM = frozenset(("custom_ticket_fields", "custom_fields"))
SPECIAL = frozenset(("status", "custom_status_id", "tags", "satisfaction_score"))
STAFF_ONLY = frozenset(("assignee_id", "group_id"))
TELLING = STAFF_ONLY | {"status", "tags"}
"""Fields whose change says something of the whole update."""
NOT_PLAIN = (SPECIAL - {"status"}) | CUSTOM | {"field_name"}
"""Fields whose change has to be looked at more closely, and the key under which some name the field."""
NUMBERED = frozenset(("priority", "type", "ticket_type", "satisfaction_reason_code"))
"""Fields that the stream shows as `0` where they are not set."""
ENTERED: dict[str, Any] = {"via": []}
"""What Zendesk enters for somebody, such as the answer to a survey, came by no way that marks anybody."""
STAMPS = ("version", "reason", "environment", "recommendation")
"""Keys of an audit's custom metadata that become details of its events."""


NO_FIELDS: Sequence[tuple[str, Any]] = ()

CHANGED, COMMENTED = Activity.CHANGED, Activity.COMMENTED
OPERATOR, CUSTOMER, SYSTEM = ActorKind.OPERATOR, ActorKind.CUSTOMER, ActorKind.SYSTEM

Change = tuple[Activity, str | None, str | None, str | None, dict[str, Any] | None]
"""Activity, attribute, before, after, and details of its own."""


class Zendesk(HttpSource):
    """Zendesk Support. The token must be an administrator's: incremental exports are open to no one else."""

    kind: ClassVar[str] = "zendesk"
    hold_back: ClassVar[Span] = MINUTE

    subdomain: str | None = Field(default=None, pattern=r"^[a-z0-9][a-z0-9-]*$")
    """The `acme` of acme.zendesk.com."""
    base_url: str | None = Field(default=None, pattern=r"^https?://[^/?#]+$")
    """The address, instead of a subdomain."""
    email: str | None = None
    """The administrator an API token belongs to; without it the token is sent as an OAuth token."""
    token: SecretStr
    """The API token, or an OAuth token with the global scope `read`."""
    people: Literal["lookup", "configured"] = "lookup"
    """Who is staff: `lookup` asks Zendesk for its agents and administrators at each sweep; `configured` goes by `staff` alone. Everyone else is a customer."""
    staff: frozenset[int] = frozenset()
    """User ids of staff that Zendesk no longer knows as such (people who left become end users)."""
    fields: Mapping[str, str] = {}
    """Custom field id -> attribute name, instead of `custom:<id>`."""
    time_fields: frozenset[str] = frozenset()
    """Ids of custom fields that hold the total seconds worked on a ticket (Time Tracking app: "Total time spent (sec)")."""
    ai_agent_tickets: bool = True
    """Read the tickets of conversations that only an AI agent had, too. Without them the beginning of those that were handed to people is missing."""
    side_conversations: bool = False
    """Read what is said in side conversations, too; they need the Collaboration add-on."""
    incremental_per_minute: int = Field(default=10, gt=0)
    """Incremental export requests allowed a minute; 30 with the High Volume add-on."""

    @model_validator(mode="after")
    def _one_address(self) -> Self:
        if (self.subdomain is None) == (self.base_url is None):
            raise ValueError("give either subdomain or base_url")
        return self

    @property
    def address(self) -> str:
        """Where the help desk lives."""
        return self.base_url or f"https://{self.subdomain}.zendesk.com"

    def endpoint(self) -> Endpoint:
        """Basic authentication with an API token, or an OAuth bearer token."""
        options = self.connection()
        options["budgets"] += (Budget(self.incremental_per_minute, 60, "/incremental/"), Budget(600, 600, PATH))
        authorization = bearer(self.token) if self.email is None else basic(f"{self.email}/token", self.token)
        return Endpoint(base_url=self.address, authorization=authorization, **options)

    def pages(self, api: Api, window: Window) -> Iterator[Page]:
        """Side conversations, then time-based pages: the next one starts at this one's `end_time`; only `end_of_stream` ends the stream."""
        staff = self._staff(api)
        latest = (window.end - self.hold_back) // SECOND - 1  # a later start is refused
        cursor = window.cursor
        if self.side_conversations and not isinstance(cursor, int):
            since = min(cursor["side"] if cursor else window.start // SECOND, latest)
            for beside, where, reached in side_pages(api, since, staff):
                yield Page(beside, where, cursor={"side": reached})
        position = min(cursor if isinstance(cursor, int) else window.start // SECOND, latest)
        guard = LoopGuard()
        asked = {"include": "comment_events", "support_type_scope": "all" if self.ai_agent_tickets else "agent"}
        while True:
            answer = api.get("/api/v2/incremental/ticket_events.json", {"start_time": position, **asked})
            stream, rejected = read_stream(answer)
            found = len(stream.ticket_events) + len(rejected)
            if stream.count is not None and found < stream.count:
                raise PayloadError(f"{answer.where} holds {found} of the {stream.count} events it announces: the page was cut short")
            guard.check(position, answer, records=found)
            position = position if stream.end_time is None else stream.end_time
            read_up_to: Instant = window.end if stream.end_of_stream else position * SECOND
            yield Page(Body(stream.ticket_events, rejected, answer.body, staff), answer.where, read_up_to, position)
            if read_up_to >= window.end:
                return

    def events(self, page: Page) -> Iterator[Event | Rejected | Coverage]:
        """One `created` per new ticket, else an event per child of an audit that says something about the ticket."""
        if isinstance(page.body, SideBody):
            return side_events(self.name, f"{self.address}{TICKETS}", page.body, page.where)
        body: Body = page.body
        found: list[Event | Rejected | Coverage] = [*body.rejected]
        translator = _Translator(self, body.staff)
        for number, audit in enumerate(body.audits):
            try:
                found += translator.plain(audit) or translator.audit(audit)
            except (KeyError, TypeError, ValueError, AttributeError) as error:
                found.append(Rejected("malformed", f"{page.where} event {audit.id}", why(error), body.payload(number)))
        return iter(found)

    def page_of(self, payload: bytes, where: str) -> Page:
        """A page of one record, read without knowing who was staff but for the configured ones."""
        beside = side_body(payload, where, self.staff)
        if beside is not None:
            return Page(beside, where)
        raw = b'{"end_of_stream":true,"ticket_events":[' + payload + b"]}"
        stream, rejected = read_stream(Answer(raw, where, 200, {}))
        return Page(Body(stream.ticket_events, rejected, raw, self.staff), where)

    def lacking(self, api: Api) -> Iterator[str]:
        """Side conversations that are wanted and not given."""
        if self.side_conversations:
            answer = api.get(PATH, {"start_time": 0}, accept=REFUSED)
            if answer.status in REFUSED:
                yield f"side conversations cannot be read ({answer.status}): they need the Collaboration add-on and an administrator's token"

    def _staff(self, api: Api) -> frozenset[int]:
        if self.people == "configured":
            return self.staff
        params = {"role[]": ["agent", "admin"], "page[size]": 100}
        pages = next_links(api, "/api/v2/users.json", params, USERS, link=more_users, records=lambda page: page.users)
        return self.staff | {user.id for page, _ in pages for user in page.users}


class _Update:
    """What one audit says as a whole; `steps` are its children that say something, each with its kind and the fields it sets."""

    tags: Sequence[str] = ()
    created: dict[str, str] | None = None
    has_status = False
    has_text = False
    """The comment itself is among the children, not only the marker that there is one."""
    staff_only = False
    """It does what only staff can do."""
    merged = False
    actor: str | None
    actor_kind: ActorKind
    detail: dict[str, Any]

    def __init__(self, audit: Audit, channel: str) -> None:
        self.audit = audit
        self.case_id = str(audit.ticket_id)
        self.channel = channel
        self.steps: list[tuple[dict[str, Any], str, Sequence[tuple[str, Any]]]] = []


class _Translator:
    """Turns audits into events; holds what is the same for a whole page."""

    def __init__(self, source: Zendesk, staff: frozenset[int]) -> None:
        self.name = source.name
        self.url = f"{source.address}{TICKETS}"
        self.staff = staff
        self.time_fields = source.time_fields
        self.special = SPECIAL | source.time_fields
        self.not_plain = NOT_PLAIN | source.time_fields
        self.names = dict(ATTRIBUTES) | dict(source.fields)
        self.actors: dict[int, str] = {}

    def plain(self, audit: Audit) -> list[Event] | None:
        """What `audit` would answer, sooner, for the usual audit: its own comments and single changes, in one way; None where there is more to it."""
        via, metadata = audit.via, audit.metadata
        channel = _CHANNELS.get(via) if type(via) is str else None
        if not channel or channel in AUTOMATIC or audit.timestamp is None or (metadata is not None and metadata.custom):
            return None
        not_plain = self.not_plain
        staff_only = has_text = False
        steps: list[tuple[dict[str, Any], str | None, Any]] = []
        for child in audit.child_events:
            kind = child.get("event_type")
            own_via = child.get("via", via)
            if (own_via != via and own_via is not None) or child.get("id") is None:
                return None
            if kind == "Change":
                if "type" in child:
                    return None
                fields = [pair for pair in child.items() if pair[0] not in ENVELOPE]
                if len(fields) != 1:
                    return None
                ((field, value),) = fields
                if field in not_plain or (type(value) is str and value in SYSTEM_VALUES):
                    return None
                staff_only = staff_only or (field in STAFF_ONLY and own_via is not None)
                steps.append((child, field, value))
            elif kind in COMMENTS:
                if "body" in child or "plain_body" in child:
                    has_text = True
                    staff_only = staff_only or child.get("public") is False
                steps.append((child, None, None))
            else:
                return None
        name, case_id, at = self.name, str(audit.ticket_id), audit.timestamp * SECOND
        detail = {"url": self.url + case_id, "via": [channel]}
        actor, actor_kind = self._actor(audit.updater_id, channel, staff_only)
        events: list[Event] = []
        for child, changed, value in steps:
            number = str(child["id"]).zfill(20)
            if changed is None:
                text = child.get("plain_body") or child.get("body")
                if text is None and has_text:
                    continue
                said = {**detail, "public": bool(child.get("public", child.get("comment_public", True)))}
                if text:
                    said["value"] = _words(text)
                events.append(Event(name, name, case_id, number, at, COMMENTED, actor_kind, actor, None, None, None, said))
                continue
            before = child.get("previous_value")
            if type(before) is dict:
                before = before.get(changed)
            activity, then, now = CHANGED, _text(before), _text(value)
            if (then == "0" or now == "0") and changed in NUMBERED:
                then, now = _set(then), _set(now)
            if changed == "status":
                then, now = then and then.lower(), now and now.lower()
                activity = _status(then, now)
            if then != now:
                attribute = self.names.get(changed) or self._attribute(changed)
                events.append(Event(name, name, case_id, number, at, activity, actor_kind, actor, attribute, then, now, detail))
        return events

    def audit(self, audit: Audit) -> list[Event]:
        """The events of one audit."""
        update = self._survey(audit)
        name, case_id, detail, channel = self.name, update.case_id, update.detail, update.channel
        at = audit.timestamp * SECOND if audit.timestamp is not None else parse_instant(audit.created_at or "")
        events: list[Event] = []
        if update.created is not None:
            self._created(update, at, events)
        if update.merged:
            who = (update.actor_kind, update.actor)
            events.append(Event(name, name, case_id, f"{audit.id:020d}m", at, Activity.ABSORBED, *who, None, None, None, detail))
        for index, (child, kind, fields) in enumerate(update.steps):
            doer, doer_kind, facts = update.actor, update.actor_kind, detail
            via = child.get("via")
            if (via is not None and via != audit.via) or channel in AUTOMATIC:
                doer, doer_kind, facts = self._doer(update, child)
            number = child.get("id")
            event_id = str(number).zfill(20) if number is not None else f"{audit.id:020d}:{index:04d}"
            if kind == "Change":
                for position, (field, value) in enumerate(fields):
                    own_id = event_id if position == 0 else f"{event_id}:{position:04d}"
                    before, after = child.get("previous_value"), value
                    if type(before) is dict:
                        before = before.get(field)
                    if field in self.special:
                        if event := self._special(update, field, before, after, child):
                            activity, attribute, then, now, more = event
                            own = facts | more if more else facts
                            if activity is Activity.RATED and doer_kind is SYSTEM:
                                doer_kind, doer, own = CUSTOMER, None, own | ENTERED
                            events.append(Event(name, name, case_id, own_id, at, activity, doer_kind, doer, attribute, then, now, own))
                        continue
                    then, now = _text(before), _text(after)
                    if (then == "0" or now == "0") and field in NUMBERED:
                        then, now = _set(then), _set(now)
                    if then != now and (system := told(then, now, doer_kind, doer)):
                        own = facts | ENTERED if doer_kind is SYSTEM else facts
                        events.append(Event(name, name, case_id, own_id, at, *system, own))
                    elif then != now:
                        attribute = self.names.get(field) or self._attribute(field)
                        events.append(Event(name, name, case_id, own_id, at, CHANGED, doer_kind, doer, attribute, then, now, facts))
            elif kind in RATINGS:
                if score := _score(child.get("score")):
                    rated = {**facts, "score": score}
                    events.append(Event(name, name, case_id, event_id, at, Activity.RATED, doer_kind, doer, None, None, None, rated))
            elif (said := _said(update, child, facts)) is not None:
                if update.merged:  # "this request was merged": the system's words, not an answer
                    doer, doer_kind = "-1", SYSTEM
                events.append(Event(name, name, case_id, event_id, at, COMMENTED, doer_kind, doer, None, None, None, said))
        return events

    def _survey(self, audit: Audit) -> _Update:
        channel = _channel(audit.via)
        update = _Update(audit, channel)
        steps = update.steps
        for child in audit.child_events:
            kind = child.get("event_type") or child["type"]
            if kind == "Change":
                fields = _fields_of(child)
                steps.append((child, kind, fields))
                for field, _ in fields:
                    if field not in TELLING:
                        continue
                    if field == "status":
                        update.has_status = True
                    elif field == "tags":
                        added = _added(child)
                        update.merged = update.merged or MERGED in added
                        if _channel(child.get("via", audit.via)) not in AUTOMATIC:  # a trigger's tags say nothing about who set it off
                            update.tags = [*update.tags, *added]
                    elif field in STAFF_ONLY and not update.staff_only:
                        update.staff_only = _channel(child.get("via", audit.via)) == channel
            elif kind in COMMENTS:
                steps.append((child, kind, NO_FIELDS))
                if "body" in child or "plain_body" in child:
                    update.has_text = True
                    update.staff_only = update.staff_only or child.get("public") is False
            elif kind == "Create":
                self._initial(update, child)
            elif kind in RATINGS:
                steps.append((child, kind, NO_FIELDS))
        update.merged = update.merged or (update.has_status and _relation(audit.via) == "merge")
        update.actor, update.actor_kind = self._actor(audit.updater_id, channel, update.staff_only)
        update.detail = {"url": self.url + update.case_id, "via": _labels(update, channel)}
        if audit.metadata is not None and audit.metadata.custom:
            custom = audit.metadata.custom
            update.detail.update({key: str(custom[key]) for key in STAMPS if custom.get(key) is not None})
        return update

    def _initial(self, update: _Update, child: dict[str, Any]) -> None:
        attributes = update.created if update.created is not None else {}
        update.created = attributes
        for field, value in _fields_of(child):
            if value is None:
                continue
            attribute = self.names.get(field) or self._attribute(field)
            members = value.split() if attribute == "tags" and isinstance(value, str) else value
            text = _text(members)
            if text is not None:
                attributes[attribute] = text
                if attribute == "tags":
                    update.tags = [*update.tags, *members]

    def _created(self, update: _Update, at: Instant, events: list[Event]) -> None:
        name, number, detail = self.name, update.audit.id, update.detail
        who = (update.actor_kind, update.actor)
        attributes = {"channel": update.channel, **(update.created or {})} if update.channel else update.created
        facts = detail | {"attributes": attributes}
        events.append(Event(name, name, update.case_id, f"{number:020d}c", at, Activity.CREATED, *who, None, None, None, facts))
        status = (update.created or {}).get("status", "").lower()
        if status in CLOSED:  # made and solved in one go
            events.append(Event(name, name, update.case_id, f"{number:020d}s", at, Activity.CLOSED, *who, "status", None, status, detail))

    def _doer(self, update: _Update, child: dict[str, Any]) -> tuple[str | None, ActorKind, dict[str, Any]]:
        """Who made this change: a trigger's change stands in the audit of the person who set it off."""
        via = child.get("via")
        own = update.channel if via is None or via == update.audit.via else _channel(via)
        if own == update.channel and own not in AUTOMATIC:
            return update.actor, update.actor_kind, update.detail
        if own not in AUTOMATIC:
            return update.actor, update.actor_kind, update.detail | {"via": _labels(update, own)}
        rule = child.get("via_reference_id")
        labels = {own, *([f"rule:{rule}"] if rule else ()), *_added(child)}
        return f"rule:{rule}" if rule else "-1", SYSTEM, {"url": update.detail["url"], "via": sorted(labels)}

    def _special(self, update: _Update, field: str, previous: Any, value: Any, child: dict[str, Any]) -> Change | None:
        """A change that is more, less or other than the change of an attribute."""
        if field == "status":
            before, after = _text(previous), _text(value)
            before, after = before and before.lower(), after and after.lower()
            activity = _status(before, after)
            absorbed = update.merged and activity is Activity.CLOSED
            return None if absorbed or before == after else (activity, "status", before, after, None)
        if field == "custom_status_id":  # comes beside the status: one change, not two
            return None if update.has_status else (CHANGED, ATTRIBUTES[field], _text(previous), _text(value), None)
        if field == "tags":
            now = set(value.split() if isinstance(value, str) else value or ())
            if "added_tags" in child or "removed_tags" in child:
                then = (now - set(child.get("added_tags") or ())) | set(child.get("removed_tags") or ())
            else:
                then = set(previous.split() if isinstance(previous, str) else previous or ())
            return CHANGED, "tags", text_value(then), text_value(now), None
        if field == "satisfaction_score":
            score = _score(value)
            return None if score is None else (Activity.RATED, None, None, None, {"score": score})
        seconds = int(float(value or 0) - float(previous or 0))
        return (Activity.TIME_LOGGED, None, None, None, {"seconds": seconds}) if seconds > 0 else None

    def _attribute(self, field: str) -> str:
        name = self.names[field] = f"custom:{field}" if field.isdigit() else field
        return name

    def _actor(self, updater: int | None, channel: str, staff_only: bool) -> tuple[str | None, ActorKind]:
        """Who did it: rules and the system by the way it came, people by whether they are staff."""
        if channel in AUTOMATIC or updater is None or updater < 0:
            return "-1", SYSTEM
        actor = self.actors.get(updater)
        if actor is None:
            actor = self.actors[updater] = str(updater)
        # people who left are end users by now, but what only staff can do shows what they were
        return actor, OPERATOR if updater in self.staff or staff_only else CUSTOMER


def _said(update: _Update, child: dict[str, Any], facts: dict[str, Any]) -> dict[str, Any] | None:
    """The details of a comment; None for the mere marker beside the comment itself."""
    text = child.get("plain_body") or child.get("body")
    if text is None and update.has_text:
        return None
    said = {**facts, "public": bool(child.get("public", child.get("comment_public", True)))}
    if text:
        said["value"] = _words(text)
    return said


def _words(text: str) -> str:
    return own_words(without_markup(text) if text.startswith("<") else text)


def _text(value: Any) -> str | None:
    """`text_value`, quick for what is usual."""
    kind = type(value)
    if kind is str:
        return value if value and value != "[]" else None
    return None if value is None else str(value) if kind is int else text_value(value)


def _fields_of(child: dict[str, Any]) -> Sequence[tuple[str, Any]]:
    """The fields a child sets, with their new values: by `field_name`, by key, or several custom ones in one object."""
    named = child.get("field_name")
    if named is not None:
        return [(str(named), child.get("value"))]
    found = [pair for pair in child.items() if pair[0] not in ENVELOPE]
    if "type" in child and "event_type" in child:  # the ticket's type; without the other key it says what kind of child this is
        found = [pair for pair in child.items() if pair[0] not in ENVELOPE or pair[0] == "type"]
    if CUSTOM.isdisjoint(child):
        return found
    fields: list[tuple[str, Any]] = []
    for key, value in found:
        if key in CUSTOM and isinstance(value, dict):
            fields.extend(sorted((str(field), item) for field, item in value.items()))
        else:
            fields.append((key, value))
    return fields


def _channel(via: Any) -> str:
    """The way an update came, in one spelling of the several there are: `Web form`, `web`, {"channel": "web"}."""
    if isinstance(via, dict):
        relation = _relation(via)
        via = relation if relation in AUTOMATIC else via.get("channel")
    if not via:
        return ""
    known = _CHANNELS.get(via)
    if known is None:
        plain = str(via).strip().lower().replace(" ", "_")
        known = CHANNELS.get(plain, plain)
        if len(_CHANNELS) < 1000:
            _CHANNELS[via] = known
    return known


_CHANNELS: dict[Any, str] = {}


def _relation(via: Any) -> str:
    source = via.get("source") if isinstance(via, dict) else None
    return str(source.get("rel") or "") if isinstance(source, dict) else ("merge" if via in ("Merge", "merge") else "")


def _labels(update: _Update, channel: str) -> list[str]:
    """Every label of an update: the way it came, the tags it adds, and what an integrator stamped on it (`metadata.custom`)."""
    metadata = update.audit.metadata
    if not update.tags and (metadata is None or not metadata.custom):
        return [channel] if channel else []
    stamps = metadata.custom if metadata is not None and metadata.custom else ()
    return sorted({channel, *update.tags, *map(str, stamps)} - {""})


def _added(child: dict[str, Any]) -> list[str]:
    """The tags a child adds."""
    added = child.get("added_tags")
    if added is None and ("tags" in child or child.get("field_name") == "tags"):
        value, previous = child.get("tags", child.get("value")), child.get("previous_value")
        now = value.split() if isinstance(value, str) else value or []
        then = previous.split() if isinstance(previous, str) else previous or []
        added = [tag for tag in now if tag not in then]
    return [str(tag) for tag in added or ()]


def _status(before: str | None, after: str | None) -> Activity:
    if after == DELETED:
        return Activity.DELETED
    if after in CLOSED:
        return CHANGED if before in CLOSED else Activity.CLOSED
    return Activity.REOPENED if before in CLOSED else CHANGED


def _set(value: str | None) -> str | None:
    return None if value == "0" else value


def _score(value: Any) -> str | None:
    text = str(value or "").lower()
    return next((score for score in ("good", "bad") if text.startswith(score)), None)
