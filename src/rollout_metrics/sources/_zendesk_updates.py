"""What the updates of Zendesk's tickets say, as events."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from rollout_metrics.collect.source import Rejected
from rollout_metrics.collect.story import Who
from rollout_metrics.domain.events import Activity, ActorKind, Event, text_value
from rollout_metrics.domain.time import SECOND, Instant, parse_instant
from rollout_metrics.sources._zendesk_pages import Audit
from rollout_metrics.sources._zendesk_spelling import (
    AUTOMATIC,
    CLOSED,
    CUSTOM,
    FIELDS,
    KNOWN_CHANNELS,
    Remembered,
    change_of,
    channel_of,
    fields_of,
    relation_of,
    score_of,
    status_of,
    tags_added,
    text_of,
    words_of,
)
from rollout_metrics.sources._zendesk_system import RULE, SYSTEM_VALUES, told

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
MERGED = "closed_by_merge"
COMMENTS = frozenset(("Comment", "VoiceComment"))
RATINGS = frozenset(("SatisfactionRating", "Satisfaction Rating"))
TOLD = COMMENTS | RATINGS | {"Change", "Create"}
"""Kinds of children that say something; others, such as notifications, are left out."""
SPECIAL = frozenset(("status", "custom_status_id", "tags", "satisfaction_score"))
STAFF_ONLY = frozenset(("assignee_id", "group_id"))
TELLING = STAFF_ONLY | {"status", "tags"}
"""Fields whose change says something of the whole update."""
NOT_PLAIN = (SPECIAL - {"status"}) | CUSTOM | {"field_name"}
"""Fields whose change has to be looked at more closely, and the key under which some name the field."""
ENTERED: dict[str, Any] = {"via": []}
"""What Zendesk enters for somebody, such as the answer to a survey, came by no way that marks anybody."""
STAMPS = ("version", "reason", "environment", "recommendation")
"""Keys of an audit's custom metadata that become details of its events."""


NO_FIELDS: Sequence[tuple[str, Any]] = ()

CHANGED, COMMENTED, CREATED = Activity.CHANGED, Activity.COMMENTED, Activity.CREATED
OPERATOR, CUSTOMER, SYSTEM = ActorKind.OPERATOR, ActorKind.CUSTOMER, ActorKind.SYSTEM

THE_SYSTEM: Who = (SYSTEM, "-1")

Change = tuple[Activity, str | None, str | None, str | None, dict[str, Any] | None]
"""Activity, attribute, before, after, and details of its own."""


class Body(msgspec.Struct, frozen=True):
    """A page of the stream: audits, records that are none, the page as it came, and what turns audits into events, knowing who was staff then."""

    audits: list[Audit]
    rejected: list[Rejected]
    raw: bytes
    translator: "Translator"


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
    stamps: Sequence[str] = ()
    """What an integrator stamped on it."""
    actor: str | None
    actor_kind: ActorKind
    detail: dict[str, Any]

    def __init__(self, audit: Audit, channel: str) -> None:
        self.audit = audit
        self.case_id = str(audit.ticket_id)
        self.channel = channel
        self.steps: list[tuple[dict[str, Any], str, Sequence[tuple[str, Any]]]] = []


class Translator:
    """Turns audits into events; holds what is the same for a whole sweep.

    `link`: the address of tickets, to which the number is added; `fields` and `time_fields` as the source has them.
    """

    def __init__(self, name: str, link: str, *, staff: frozenset[int], fields: Mapping[str, str], time_fields: frozenset[str]) -> None:
        self.name = name
        self.url = link
        self.staff = staff
        self.special = SPECIAL | time_fields
        self.not_plain = NOT_PLAIN | time_fields
        self.names = Remembered(_custom)
        self.names.update({**ATTRIBUTES, **fields})
        self.single = Remembered(self._single)
        self.people = Remembered(self._person)

    def plain(self, audit: Audit) -> list[Event] | None:
        """What `audit` would answer, sooner, for the usual: children that change one field each, in its way or by rules; None where there is more to it."""
        via, metadata, single = audit.via, audit.metadata, self.single
        channel = KNOWN_CHANNELS[via] if type(via) is str else None
        if not channel or channel == "merge" or audit.timestamp is None or (metadata is not None and metadata.custom):
            return None
        name, case_id, at = self.name, str(audit.ticket_id), audit.timestamp * SECOND
        detail: dict[str, Any] = {"url": self.url + case_id, "via": [channel]}
        automatic = channel in AUTOMATIC
        staff_only = has_text = has_marker = False
        attributes: dict[str, str] | None = None
        steps: list[tuple[Any, Activity, str | None, str | None, str | None, dict[str, Any], Who | None]] = []
        for child in audit.child_events:
            kind, number, own_via = child.get("event_type"), child.get("id"), child.get("via", via)
            own = channel if own_via == via or own_via is None else channel_of(own_via)
            if number is None or (own != channel and own not in AUTOMATIC):
                return None
            doer, facts = None, detail
            if own != channel or (automatic and child.get("via_reference_id")):
                doer, facts = _by_rule(own, child, detail["url"])
            if kind == "Change":
                found = single[tuple(child)]
                if found is None:
                    return None
                field, attribute, by_staff = found
                activity, (then, now) = CHANGED, change_of(child, field, child[field])
                if then in SYSTEM_VALUES or now in SYSTEM_VALUES:
                    return None
                if field == "status":
                    activity, then, now = status_of(then, now)
                if then != now:
                    steps.append((number, activity, attribute, then, now, facts, doer))
                if by_staff and own == channel and own_via is not None:
                    staff_only = True
            elif kind in COMMENTS:
                if "body" in child or "plain_body" in child:
                    has_text = True
                    staff_only = staff_only or child.get("public") is False
                text = _text(child)
                has_marker = has_marker or text is None
                steps.append((number, COMMENTED, None, None, None, _said(child, text, facts), doer))
            elif kind == "Create" and not automatic and not steps and attributes is None:
                attributes, tags = self._initial(child)
                if tags:
                    detail["via"] = _labels(channel, tags)
            elif not kind or kind in TOLD:
                return None
        if has_marker and has_text:
            return None
        who = self._actor(audit.updater_id, channel, staff_only)
        events = [] if attributes is None else self._created(audit, at, who, channel, attributes=attributes, detail=detail)
        for number, activity, changed, then, now, said, doer in steps:
            by, actor = doer or who
            events.append(Event(name, name, case_id, str(number).zfill(20), at, activity, by, actor, changed, then, now, said))
        return events

    def audit(self, audit: Audit) -> list[Event]:
        """The events of one audit."""
        update = self._survey(audit)
        name, case_id, detail, channel = self.name, update.case_id, update.detail, update.channel
        at = audit.timestamp * SECOND if audit.timestamp is not None else parse_instant(audit.created_at or "")
        events: list[Event] = []
        who = (update.actor_kind, update.actor)
        if update.created is not None:
            events += self._created(audit, at, who, channel, attributes=update.created, detail=detail)
        if update.merged:
            events.append(Event(name, name, case_id, f"{audit.id:020d}m", at, Activity.ABSORBED, *who, None, None, None, detail))
        for index, (child, kind, fields) in enumerate(update.steps):
            doer, doer_kind, facts = update.actor, update.actor_kind, detail
            via = child.get("via")
            if (via is not None and via != audit.via) or channel in AUTOMATIC:
                (doer_kind, doer), facts = self._doer(update, child)
            number = child.get("id")
            event_id = str(number).zfill(20) if number is not None else f"{audit.id:020d}:{index:04d}"
            if kind == "Change":
                for position, (field, value) in enumerate(fields):
                    own_id = event_id if position == 0 else f"{event_id}:{position:04d}"
                    if field in self.special:
                        if event := self._special(update, field, value, child):
                            activity, attribute, then, now, more = event
                            own = facts | more if more else facts
                            if activity is Activity.RATED and doer_kind is SYSTEM:
                                doer_kind, doer, own = CUSTOMER, None, own | ENTERED
                            events.append(Event(name, name, case_id, own_id, at, activity, doer_kind, doer, attribute, then, now, own))
                        continue
                    then, now = change_of(child, field, value)
                    if then != now and (system := told(then, now, doer_kind, doer)):
                        own = facts | ENTERED if doer_kind is SYSTEM else facts
                        events.append(Event(name, name, case_id, own_id, at, *system, own))
                    elif then != now:
                        attribute = self.names[field]
                        events.append(Event(name, name, case_id, own_id, at, CHANGED, doer_kind, doer, attribute, then, now, facts))
            elif kind in RATINGS:
                if score := score_of(child.get("score")):
                    rated = {**facts, "score": score}
                    events.append(Event(name, name, case_id, event_id, at, Activity.RATED, doer_kind, doer, None, None, None, rated))
            elif (text := _text(child)) is not None or not update.has_text:  # else it is the mere marker beside the comment itself
                if update.merged:  # "this request was merged": the system's words, not an answer
                    doer, doer_kind = "-1", SYSTEM
                events.append(Event(name, name, case_id, event_id, at, COMMENTED, doer_kind, doer, None, None, None, _said(child, text, facts)))
        return events

    def _survey(self, audit: Audit) -> _Update:
        channel = channel_of(audit.via)
        update = _Update(audit, channel)
        steps = update.steps
        for child in audit.child_events:
            kind = child.get("event_type") or child["type"]
            if kind == "Change":
                fields, via = fields_of(child), child.get("via", audit.via)
                steps.append((child, kind, fields))
                for field, _ in fields:
                    if field not in TELLING:
                        continue
                    if field == "status":
                        update.has_status = True
                    elif field == "tags":
                        added = tags_added(child)
                        update.merged = update.merged or MERGED in added
                        if channel_of(via) not in AUTOMATIC:  # a trigger's tags say nothing about who set it off
                            update.tags = [*update.tags, *added]
                    elif field in STAFF_ONLY and not update.staff_only:
                        update.staff_only = via == audit.via or channel_of(via) == channel
            elif kind in COMMENTS:
                steps.append((child, kind, NO_FIELDS))
                if "body" in child or "plain_body" in child:
                    update.has_text = True
                    update.staff_only = update.staff_only or child.get("public") is False
            elif kind == "Create":
                attributes, tags = self._initial(child)
                update.created = {**(update.created or {}), **attributes}
                update.tags = [*update.tags, *tags]
            elif kind in RATINGS:
                steps.append((child, kind, NO_FIELDS))
        update.merged = update.merged or (update.has_status and relation_of(audit.via) == "merge")
        update.actor_kind, update.actor = self._actor(audit.updater_id, channel, update.staff_only)
        custom = audit.metadata.custom if audit.metadata is not None else None
        if custom:
            update.stamps = list(map(str, custom))
        update.detail = {"url": self.url + update.case_id, "via": _labels(channel, [*update.tags, *update.stamps])}
        if custom:
            update.detail.update({key: str(custom[key]) for key in STAMPS if custom.get(key) is not None})
        return update

    def _initial(self, child: dict[str, Any]) -> tuple[dict[str, str], Sequence[Any]]:
        """The attributes that a ticket begins with, and the tags among them one by one."""
        attributes: dict[str, str] = {}
        tags: Sequence[Any] = ()
        for field, value in fields_of(child):
            if value is None:
                continue
            attribute = self.names[field]
            if attribute == "tags":
                value = value.split() if isinstance(value, str) else value  # noqa: PLW2901
                tags = [*tags, *value]
            text = text_of(value)
            if text is not None:
                attributes[attribute] = text
        return attributes, tags

    def _created(self, audit: Audit, at: Instant, who: Who, channel: str, *, attributes: dict[str, str], detail: dict[str, Any]) -> list[Event]:
        name, case_id = self.name, str(audit.ticket_id)
        facts = {**detail, "attributes": {"channel": channel, **attributes} if channel else attributes}
        events = [Event(name, name, case_id, f"{audit.id:020d}c", at, CREATED, *who, None, None, None, facts)]
        status = attributes.get("status", "").lower()
        if status in CLOSED:  # made and solved in one go
            events.append(Event(name, name, case_id, f"{audit.id:020d}s", at, Activity.CLOSED, *who, "status", None, status, detail))
        return events

    def _doer(self, update: _Update, child: dict[str, Any]) -> tuple[Who, dict[str, Any]]:
        """Who made this change: a trigger's change stands in the audit of the person who set it off."""
        via = child.get("via")
        own = update.channel if via is None or via == update.audit.via else channel_of(via)
        if own == update.channel and own not in AUTOMATIC:
            return (update.actor_kind, update.actor), update.detail
        if own not in AUTOMATIC:
            return (update.actor_kind, update.actor), update.detail | {"via": _labels(own, [*update.tags, *update.stamps])}
        return _by_rule(own, child, update.detail["url"])

    def _special(self, update: _Update, field: str, value: Any, child: dict[str, Any]) -> Change | None:
        """A change that is more, less or other than the change of an attribute."""
        if field == "status":
            activity, before, after = status_of(*change_of(child, field, value))
            absorbed = update.merged and activity is Activity.CLOSED
            return None if absorbed or before == after else (activity, "status", before, after, None)
        if field == "custom_status_id":  # comes beside the status: one change, not two
            return None if update.has_status else (CHANGED, ATTRIBUTES[field], *change_of(child, field, value), None)
        previous = child.get("previous_value")
        if type(previous) is dict:
            previous = previous.get(field)
        if field == "tags":
            now = set(value.split() if isinstance(value, str) else value or ())
            if "added_tags" in child or "removed_tags" in child:
                then = now.difference(child.get("added_tags") or ()).union(child.get("removed_tags") or ())
            else:
                then = set(previous.split() if isinstance(previous, str) else previous or ())
            return CHANGED, "tags", text_value(then), text_value(now), None
        if field == "satisfaction_score":
            score = score_of(value)
            return None if score is None else (Activity.RATED, None, None, None, {"score": score})
        seconds = int(float(value or 0) - float(previous or 0))
        return (Activity.TIME_LOGGED, None, None, None, {"seconds": seconds}) if seconds > 0 else None

    def _single(self, keys: tuple[str, ...]) -> tuple[str, str, bool] | None:
        """Of a child with these keys the one field it changes, what that is called here, and whether only staff can; None where there is more to it."""
        fields = FIELDS[keys]
        if len(fields) != 1 or fields[0] in self.not_plain or "added_tags" in keys:
            return None
        return fields[0], self.names[fields[0]], fields[0] in STAFF_ONLY

    def _actor(self, updater: int | None, channel: str, staff_only: bool) -> Who:
        """Who did it: rules and the system by the way it came, people by whether they are staff."""
        if channel in AUTOMATIC:
            return THE_SYSTEM
        kind, actor = self.people[updater]
        # people who left are end users by now, but what only staff can do shows what they were
        return OPERATOR if staff_only and kind is CUSTOMER else kind, actor

    def _person(self, updater: int | None) -> Who:
        if updater is None or updater < 0:
            return THE_SYSTEM
        return OPERATOR if updater in self.staff else CUSTOMER, str(updater)


def _custom(field: str) -> str:
    return f"custom:{field}" if field.isdigit() else field


def _text(child: dict[str, Any]) -> str | None:
    text: str | None = child.get("plain_body") or child.get("body")
    return text


def _said(child: dict[str, Any], text: str | None, facts: dict[str, Any]) -> dict[str, Any]:
    """The details of a comment."""
    said = {**facts, "public": bool(child.get("public", child.get("comment_public", True)))}
    if text:
        said["value"] = words_of(text)
    return said


def _by_rule(channel: str, child: dict[str, Any], url: str) -> tuple[Who, dict[str, Any]]:
    """Which of the account's rules it was, and the details of what it did."""
    rule = child.get("via_reference_id")
    labels = {channel, *([f"{RULE}{rule}"] if rule else ()), *tags_added(child)}
    return (SYSTEM, f"{RULE}{rule}" if rule else "-1"), {"url": url, "via": sorted(labels)}


def _labels(channel: str, more: Sequence[Any]) -> list[str]:
    """Every label of an update: the way it came, the tags it adds, and what an integrator stamped on it (`metadata.custom`)."""
    if not more:
        return [channel] if channel else []
    return sorted({channel, *more} - {""})
