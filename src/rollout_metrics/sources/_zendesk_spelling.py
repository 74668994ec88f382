"""How the stream of ticket events spells things: fields, channels, tags, statuses and scores."""

from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any, TypeVar

from rollout_metrics.collect.texts import own_words, without_markup
from rollout_metrics.domain.events import Activity, text_value

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

CLOSED = frozenset(("solved", "closed"))
DELETED = "deleted"
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
CUSTOM = frozenset(("custom_ticket_fields", "custom_fields"))
NUMBERED = frozenset(("priority", "type", "ticket_type", "satisfaction_reason_code"))
"""Fields that the stream shows as `0` where they are not set."""


def words_of(text: str) -> str:
    """What a comment says by itself, without markup and quotes."""
    return own_words(without_markup(text) if text.startswith("<") else text)


def text_of(value: Any) -> str | None:
    """`text_value`, quick for what is usual."""
    kind = type(value)
    if kind is str:
        return value if value and value != "[]" else None
    return None if value is None else str(value) if kind is int else text_value(value)


class Remembered(dict[K, V]):
    """What `find` says of a key, asked once for each of the first thousand: spellings are few and repeat."""

    def __init__(self, find: Callable[[K], V]) -> None:
        super().__init__()
        self._find = find

    def __missing__(self, key: K) -> V:
        found = self._find(key)
        if len(self) < 1000:
            self[key] = found
        return found


def _fields(keys: tuple[str, ...]) -> tuple[str, ...]:
    own = ENVELOPE - {"type"} if "event_type" in keys else ENVELOPE  # the ticket's type; without the other key it says what kind of child this is
    return tuple(key for key in keys if key not in own)


FIELDS = Remembered(_fields)
"""The keys of a child -> those of them that are fields."""


def fields_of(child: dict[str, Any]) -> Sequence[tuple[str, Any]]:
    """The fields a child sets, with their new values: by `field_name`, by key, or several custom ones in one object."""
    named = child.get("field_name")
    if named is not None:
        return [(str(named), child.get("value"))]
    keys = FIELDS[tuple(child)]
    if CUSTOM.isdisjoint(keys):
        return [(key, child[key]) for key in keys]
    fields: list[tuple[str, Any]] = []
    for key in keys:
        value = child[key]
        if key in CUSTOM and isinstance(value, dict):
            fields.extend(sorted((str(field), item) for field, item in value.items()))
        else:
            fields.append((key, value))
    return fields


def _channel(via: Any) -> str:
    plain = str(via).strip().lower().replace(" ", "_")
    return CHANNELS.get(plain, plain)


KNOWN_CHANNELS = Remembered(_channel)
"""`Web form` -> `web`."""


def channel_of(via: Any) -> str:
    """The way an update came, in one spelling of the several there are: `Web form`, `web`, {"channel": "web"}."""
    if isinstance(via, dict):
        relation = relation_of(via)
        via = relation if relation in AUTOMATIC else via.get("channel")
    return KNOWN_CHANNELS[via] if via else ""


def relation_of(via: Any) -> str:
    """What an update has to do with another ticket or a rule."""
    source = via.get("source") if isinstance(via, dict) else None
    return str(source.get("rel") or "") if isinstance(source, dict) else ("merge" if via in ("Merge", "merge") else "")


def tags_added(child: dict[str, Any]) -> list[str]:
    """The tags a child adds."""
    added = child.get("added_tags")
    if added is None and ("tags" in child or child.get("field_name") == "tags"):
        value, previous = child.get("tags", child.get("value")), child.get("previous_value")
        now = value.split() if isinstance(value, str) else value or []
        then = previous.split() if isinstance(previous, str) else previous or []
        added = [tag for tag in now if tag not in then]
    return [str(tag) for tag in added or ()]


def change_of(child: dict[str, Any], field: str, value: Any) -> tuple[str | None, str | None]:
    """What a field held before, and what it is given, as texts."""
    previous = child.get("previous_value")
    before, after = text_of(previous.get(field) if type(previous) is dict else previous), text_of(value)
    if (before == "0" or after == "0") and field in NUMBERED:
        return None if before == "0" else before, None if after == "0" else after
    return before, after


def status_of(before: str | None, after: str | None) -> tuple[Activity, str | None, str | None]:
    """What a change of status is, and both in small letters."""
    before, after = before and before.lower(), after and after.lower()
    if after == DELETED:
        return Activity.DELETED, before, after
    if after in CLOSED:
        return Activity.CHANGED if before in CLOSED else Activity.CLOSED, before, after
    return Activity.REOPENED if before in CLOSED else Activity.CHANGED, before, after


def score_of(value: Any) -> str | None:
    """The rating, if it was given and not only offered."""
    text = str(value or "").lower()
    return next((score for score in ("good", "bad") if text.startswith(score)), None)
