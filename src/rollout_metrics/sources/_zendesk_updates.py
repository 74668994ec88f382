"""What the updates of Zendesk's tickets say, as events."""

from collections.abc import Mapping, Sequence
from typing import Any

from rollout_metrics.domain.events import Activity, ActorKind, Event, text_value
from rollout_metrics.domain.time import SECOND, Instant, parse_instant
from rollout_metrics.sources._zendesk_pages import Audit
from rollout_metrics.sources._zendesk_spelling import (
    AUTOMATIC,
    CLOSED,
    CUSTOM,
    ENVELOPE,
    KNOWN_CHANNELS,
    NUMBERED,
    activity_of,
    channel_of,
    fields_of,
    relation_of,
    score_of,
    tags_added,
    text_of,
    unless_zero,
    words_of,
)
from rollout_metrics.sources._zendesk_system import RULE, of_system, told

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

Change = tuple[Activity, str | None, str | None, str | None, dict[str, Any] | None]
"""Activity, attribute, before, after, and details of its own."""


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


class Translator:
    """Turns audits into events; holds what is the same for a whole page.

    `link`: the address of tickets, to which the number is added; `fields` and `time_fields` as the source has them.
    """

    def __init__(self, name: str, link: str, *, staff: frozenset[int], fields: Mapping[str, str], time_fields: frozenset[str]) -> None:
        self.name = name
        self.url = link
        self.staff = staff
        self.special = SPECIAL | time_fields
        self.not_plain = NOT_PLAIN | time_fields
        self.names = dict(ATTRIBUTES) | dict(fields)
        self.actors: dict[int, str] = {}

    def plain(self, audit: Audit) -> list[Event] | None:
        """What `audit` would answer, sooner, for the usual audit: its own comments and single changes, in one way; None where there is more to it."""
        via, metadata, not_plain = audit.via, audit.metadata, self.not_plain
        channel = KNOWN_CHANNELS.get(via) if type(via) is str else None
        if not channel or channel in AUTOMATIC or audit.timestamp is None or (metadata is not None and metadata.custom):
            return None
        staff_only = has_text = False
        steps: list[tuple[dict[str, Any], str | None, Any]] = []
        for child in audit.child_events:
            kind = child.get("event_type")
            own_via = child.get("via", via)
            elsewhere = own_via != via and own_via is not None and (type(own_via) is not dict or channel_of(own_via) != channel)
            if elsewhere or child.get("id") is None:
                return None
            if kind == "Change":
                if "type" in child:
                    return None
                fields = [pair for pair in child.items() if pair[0] not in ENVELOPE]
                if len(fields) != 1:
                    return None
                ((field, value),) = fields
                if field in not_plain or of_system(value) or of_system(child.get("previous_value")):
                    return None
                staff_only = staff_only or (field in STAFF_ONLY and own_via is not None)
                steps.append((child, field, value))
            elif kind in COMMENTS:
                if "body" in child or "plain_body" in child:
                    has_text = True
                    staff_only = staff_only or child.get("public") is False
                steps.append((child, None, None))
            elif not kind or kind in TOLD:
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
                    said["value"] = words_of(text)
                events.append(Event(name, name, case_id, number, at, COMMENTED, actor_kind, actor, None, None, None, said))
                continue
            before = child.get("previous_value")
            if type(before) is dict:
                before = before.get(changed)
            activity, then, now = CHANGED, text_of(before), text_of(value)
            if (then == "0" or now == "0") and changed in NUMBERED:
                then, now = unless_zero(then), unless_zero(now)
            if changed == "status":
                then, now = then and then.lower(), now and now.lower()
                activity = activity_of(then, now)
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
                    then, now = text_of(before), text_of(after)
                    if (then == "0" or now == "0") and field in NUMBERED:
                        then, now = unless_zero(then), unless_zero(now)
                    if then != now and (system := told(then, now, doer_kind, doer)):
                        own = facts | ENTERED if doer_kind is SYSTEM else facts
                        events.append(Event(name, name, case_id, own_id, at, *system, own))
                    elif then != now:
                        attribute = self.names.get(field) or self._attribute(field)
                        events.append(Event(name, name, case_id, own_id, at, CHANGED, doer_kind, doer, attribute, then, now, facts))
            elif kind in RATINGS:
                if score := score_of(child.get("score")):
                    rated = {**facts, "score": score}
                    events.append(Event(name, name, case_id, event_id, at, Activity.RATED, doer_kind, doer, None, None, None, rated))
            elif (said := _said(update, child, facts)) is not None:
                if update.merged:  # "this request was merged": the system's words, not an answer
                    doer, doer_kind = "-1", SYSTEM
                events.append(Event(name, name, case_id, event_id, at, COMMENTED, doer_kind, doer, None, None, None, said))
        return events

    def _survey(self, audit: Audit) -> _Update:
        channel = channel_of(audit.via)
        update = _Update(audit, channel)
        steps = update.steps
        for child in audit.child_events:
            kind = child.get("event_type") or child["type"]
            if kind == "Change":
                fields = fields_of(child)
                steps.append((child, kind, fields))
                for field, _ in fields:
                    if field not in TELLING:
                        continue
                    if field == "status":
                        update.has_status = True
                    elif field == "tags":
                        added = tags_added(child)
                        update.merged = update.merged or MERGED in added
                        if channel_of(child.get("via", audit.via)) not in AUTOMATIC:  # a trigger's tags say nothing about who set it off
                            update.tags = [*update.tags, *added]
                    elif field in STAFF_ONLY and not update.staff_only:
                        update.staff_only = channel_of(child.get("via", audit.via)) == channel
            elif kind in COMMENTS:
                steps.append((child, kind, NO_FIELDS))
                if "body" in child or "plain_body" in child:
                    update.has_text = True
                    update.staff_only = update.staff_only or child.get("public") is False
            elif kind == "Create":
                self._initial(update, child)
            elif kind in RATINGS:
                steps.append((child, kind, NO_FIELDS))
        update.merged = update.merged or (update.has_status and relation_of(audit.via) == "merge")
        update.actor, update.actor_kind = self._actor(audit.updater_id, channel, update.staff_only)
        update.detail = {"url": self.url + update.case_id, "via": _labels(update, channel)}
        if audit.metadata is not None and audit.metadata.custom:
            custom = audit.metadata.custom
            update.detail.update({key: str(custom[key]) for key in STAMPS if custom.get(key) is not None})
        return update

    def _initial(self, update: _Update, child: dict[str, Any]) -> None:
        attributes = update.created if update.created is not None else {}
        update.created = attributes
        for field, value in fields_of(child):
            if value is None:
                continue
            attribute = self.names.get(field) or self._attribute(field)
            if attribute == "tags":
                value = value.split() if isinstance(value, str) else value  # noqa: PLW2901
            text = text_of(value)
            if text is not None:
                attributes[attribute] = text
                if attribute == "tags":
                    update.tags = [*update.tags, *value]

    def _created(self, update: _Update, at: Instant, events: list[Event]) -> None:
        name, case_id, number, detail = self.name, update.case_id, update.audit.id, update.detail
        kind, actor, attributes = update.actor_kind, update.actor, update.created or {}
        facts = {**detail, "attributes": {"channel": update.channel, **attributes} if update.channel else attributes}
        events.append(Event(name, name, case_id, f"{number:020d}c", at, CREATED, kind, actor, None, None, None, facts))
        status = attributes.get("status", "").lower()
        if status in CLOSED:  # made and solved in one go
            events.append(Event(name, name, case_id, f"{number:020d}s", at, Activity.CLOSED, kind, actor, "status", None, status, detail))

    def _doer(self, update: _Update, child: dict[str, Any]) -> tuple[str | None, ActorKind, dict[str, Any]]:
        """Who made this change: a trigger's change stands in the audit of the person who set it off."""
        via = child.get("via")
        own = update.channel if via is None or via == update.audit.via else channel_of(via)
        if own == update.channel and own not in AUTOMATIC:
            return update.actor, update.actor_kind, update.detail
        if own not in AUTOMATIC:
            return update.actor, update.actor_kind, update.detail | {"via": _labels(update, own)}
        rule = child.get("via_reference_id")
        labels = {own, *([f"{RULE}{rule}"] if rule else ()), *tags_added(child)}
        return f"{RULE}{rule}" if rule else "-1", SYSTEM, {"url": update.detail["url"], "via": sorted(labels)}

    def _special(self, update: _Update, field: str, previous: Any, value: Any, child: dict[str, Any]) -> Change | None:
        """A change that is more, less or other than the change of an attribute."""
        if field == "status":
            before, after = text_of(previous), text_of(value)
            before, after = before and before.lower(), after and after.lower()
            activity = activity_of(before, after)
            absorbed = update.merged and activity is Activity.CLOSED
            return None if absorbed or before == after else (activity, "status", before, after, None)
        if field == "custom_status_id":  # comes beside the status: one change, not two
            return None if update.has_status else (CHANGED, ATTRIBUTES[field], text_of(previous), text_of(value), None)
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
        said["value"] = words_of(text)
    return said


def _labels(update: _Update, channel: str) -> list[str]:
    """Every label of an update: the way it came, the tags it adds, and what an integrator stamped on it (`metadata.custom`)."""
    metadata = update.audit.metadata
    if not update.tags and (metadata is None or not metadata.custom):
        return [channel] if channel else []
    stamps = metadata.custom if metadata is not None and metadata.custom else ()
    return sorted({channel, *update.tags, *map(str, stamps)} - {""})
