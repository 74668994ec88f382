"""Persons and free text leave here: actor ids and person-valued attributes become keyed hashes, texts become multisets of keyed word hashes."""

import re
import struct
import unicodedata
from base64 import b64decode, b64encode
from collections import Counter
from collections.abc import Iterable, Mapping
from hashlib import blake2b
from typing import Any
from zlib import crc32

import msgspec

from rollout_metrics.domain.events import Activity, Event, members_of, text_value

WORDS = re.compile(r"\w+")
MAX_WORDS = 2000
REMEMBERED = 100_000
"""Actors, and words, whose hashes are kept in memory: those of a language repeat."""
WORDS_PREFIX = "words:"
ACTOR_PREFIX = "actor:"
_STORED_ACTOR = re.compile(r"actor:[0-9a-f]{18}")
_STORED_WORDS = re.compile(r"words:(?:[A-Za-z0-9+/]{16})*(?:[A-Za-z0-9+/]{6}==|[A-Za-z0-9+/]{11}=)?")
_OWN_KEYS = frozenset(
    ("action", "attributes", "environment", "passed", "public", "reason", "recommendation", "score", "seconds", "url", "value", "version", "via")
)
"""Keys of `detail` that mean themselves; any other is an attribute that conditions look up."""


class Pseudonyms:
    """Keyed hashes of persons and words. Idempotent: what is already hashed stays as it is.

    `action_texts`: decided actions that set no attribute -> whether their values are text. The value of any other event is text where it is a comment, or where
    neither an attribute nor an action says what it is the value of, as when an approval names a recommendation only; a list is none.
    """

    def __init__(self, key: bytes, person_attributes: frozenset[str], text_attributes: frozenset[str], action_texts: Mapping[str, bool] | None = None) -> None:
        self._key = key[:64]
        self._person_attributes = person_attributes
        self._text_attributes = text_attributes
        self._action_texts = action_texts or {}
        self._hashed = person_attributes | text_attributes
        self._hashed_keys = self._hashed - _OWN_KEYS
        self._touched = frozenset(("attributes", "value")) | self._hashed_keys
        self._actors: dict[str, str] = {}
        self._words = _Words(self._key)

    def actor(self, actor_id: str) -> str:
        """The stored form of a person's or agent's id."""
        known = self._actors.get(actor_id)
        if known is None:
            if _STORED_ACTOR.fullmatch(actor_id):
                return actor_id
            known = ACTOR_PREFIX + blake2b(actor_id.encode(), key=self._key, digest_size=9, person=b"actor").hexdigest()
            if len(self._actors) < REMEMBERED:
                self._actors[actor_id] = known
        return known

    def words(self, text: str) -> str:
        """The stored form of a free text: the sorted keyed 32-bit hashes of its first 2,000 words."""
        if are_words(text):
            return text
        hashes = sorted([self._words[word] for word in _words_in(text)])
        return WORDS_PREFIX + b64encode(struct.pack(f">{len(hashes)}I", *hashes)).decode()

    def value(self, attribute: str | None, value: str | None) -> str | None:
        """The stored form of an attribute's value."""
        if value is None or attribute is None:
            return value
        if attribute in self._person_attributes:
            return self._persons(value)
        if attribute in self._text_attributes:
            return self.words(value)
        return value

    def _persons(self, value: str) -> str | None:
        if value.startswith("["):
            try:
                return text_value([self.actor(str(item)) for item in msgspec.json.decode(value)])
            except msgspec.DecodeError:
                pass
        return self.actor(value)

    def event(self, event: Event) -> Event:
        """The event as it may be stored."""
        return self.events((event,))[0]

    def events(self, events: Iterable[Event]) -> list[Event]:
        """Events as they may be stored."""
        actors, hashed, touched = self._actors, self._hashed, self._touched
        return [
            Event(
                event.source,
                event.case_source,
                event.case_id,
                event.event_id,
                event.occurred_at,
                event.activity,
                event.actor_kind,
                actor if (actor := event.actor_id) is None else actors.get(actor) or self.actor(actor),
                attribute := event.attribute,
                event.before if attribute not in hashed else self.value(attribute, event.before),
                event.after if attribute not in hashed else self.value(attribute, event.after),
                detail if touched.isdisjoint(detail := event.detail) else self._detail(event),
                event.revision,
            )
            for event in events
        ]

    def _detail(self, event: Event) -> dict[str, Any]:
        detail = dict(event.detail)
        for key in self._hashed_keys.intersection(detail):
            if isinstance(item := detail[key], str):
                detail[key] = self.value(key, item)
        action = str(detail.get("action", ""))
        value = detail.get("value")
        if isinstance(value, str):
            unnamed = not (action or event.attribute) and members_of(value) == {value}
            if self._action_texts.get(action, unnamed or event.activity is Activity.COMMENTED or action.startswith("comment:")):
                detail["value"] = self.words(value)
            else:
                detail["value"] = self.value(action.removeprefix("set:") if action.startswith("set:") else event.attribute, value)
        attributes = detail.get("attributes")
        if attributes:
            detail["attributes"] = {name: self.value(name, item) if name in self._hashed else item for name, item in attributes.items()}
        return detail


def are_words(value: str) -> bool:
    """Whether this is the stored form of a free text."""
    return value.startswith(WORDS_PREFIX) and _STORED_WORDS.fullmatch(value) is not None


def words_of(value: str | None) -> Counter[int]:
    """The multiset of word hashes in a stored text; plain text (tests, pure use) counts its own words."""
    if value is None:
        return Counter()
    if are_words(value):
        packed = b64decode(value[len(WORDS_PREFIX) :])
        return Counter(struct.unpack(f">{len(packed) // 4}I", packed))
    return Counter(crc32(word.encode()) for word in _words_in(value))


def _words_in(text: str) -> list[str]:
    """The first words of a text, in one case and one composition."""
    folded = text.lower() if text.isascii() else unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).casefold())
    return WORDS.findall(folded)[:MAX_WORDS]


class _Words(dict[str, int]):
    """Word to its keyed 32-bit hash."""

    def __init__(self, key: bytes) -> None:
        super().__init__()
        self._key = key

    def __missing__(self, word: str) -> int:
        found = int.from_bytes(blake2b(word.encode(), key=self._key, digest_size=4, person=b"word").digest())
        if len(self) < REMEMBERED:
            self[word] = found
        return found
