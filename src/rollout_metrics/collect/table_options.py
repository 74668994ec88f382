"""The options of a table's mapping: which events its rows tell of, and how snapshots are compared."""

from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import Any

import msgspec
from pydantic import Field, field_validator

from rollout_metrics.collect.mapping import MappingOptions, Order, PlainMap, Text, TextOptions, Texts, TimeOptions, When
from rollout_metrics.domain.events import Activity, ActorKind


class EventOptions(MappingOptions):
    """One event that a row may tell of. What is not said here is as the table says it for all."""

    activity: Text
    """The activity, such as `commented`; or a text whose `map` makes one of a column, null for none."""
    when: When = ()
    """Column -> a value, a list of values, null (empty) or a test; all must hold. A list of such mappings: one of them must."""
    event_id: Text | None = None
    """Unique among the table's events and the same whenever it is read. Default: made from case, time, activity, attribute and action."""
    revision: Text | None = None
    occurred_at: Text | None = None
    """When it happened; where this is empty it did not."""
    time: TimeOptions | None = None
    actor_id: Text | None = None
    actor_kind: Text | None = None
    attribute: Text | None = None
    before: Text | None = None
    after: Text | None = None
    detail: dict[str, Text] = Field(default={})
    """Further keys of our event format: `action`, `value`, `reason`, `seconds`, `public`, `score`, `version`, `url`, `via`, ..."""
    attributes: dict[str, Text] = Field(default={})
    """On `created`: the initial attributes."""

    @field_validator("activity")
    @classmethod
    def _known(cls, value: TextOptions) -> TextOptions:
        return _among(value, Activity, "activity")

    @field_validator("actor_kind")
    @classmethod
    def _kinds(cls, value: TextOptions | None) -> TextOptions | None:
        return None if value is None else actor_kinds(value)

    def texts(self) -> Iterator[TextOptions | None]:
        """Every text of it."""
        yield from (self.activity, self.event_id, self.revision, self.occurred_at, self.actor_id, self.actor_kind, self.attribute, self.before, self.after)
        yield from self.detail.values()
        yield from self.attributes.values()


class WatchOptions(MappingOptions):
    """A column of snapshots whose changes are events. A plain text in its stead is its `attribute`."""

    attribute: str
    """The canonical attribute."""
    closed: Texts = ()
    """The column's values by which a case is closed: changes into them are `closed`, out of them `reopened`."""
    map: PlainMap = Field(default={})
    """Value -> what it becomes."""
    split: str | None = None
    """Separator of the members of a multi-valued column."""

    @cached_property
    def translated(self) -> TextOptions:
        """How a value of the column is read."""
        return TextOptions(of="{value}", map=self.map, split=self.split)


class CreatedOptions(MappingOptions):
    """The event that a case's first row tells of."""

    occurred_at: Text | None = None
    actor_id: Text | None = None
    actor_kind: Text | None = None
    attributes: dict[str, Text] = Field(default={})
    """Initial attributes besides the watched ones."""


class SnapshotOptions(MappingOptions):
    """How rows that hold a whole record per update become `created`, `changed`, `closed` and `reopened`."""

    order: Order = Field(min_length=1)
    """Column -> `number`, `time` or `text`: what puts a case's rows in order; rows that are equal stay as they come."""
    watch: dict[str, WatchOptions] = Field(min_length=1)
    """Column -> the attribute whose changes are wanted."""
    created: CreatedOptions = CreatedOptions()

    @field_validator("watch", mode="before")
    @classmethod
    def _short(cls, value: Any) -> Any:
        return {column: {"attribute": item} if isinstance(item, str) else item for column, item in value.items()} if isinstance(value, dict) else value


class RowMapping(msgspec.Struct, frozen=True, kw_only=True):
    """A table's whole mapping."""

    source: str
    case_source: TextOptions | None
    case_id: TextOptions
    occurred_at: TextOptions | None
    actor_id: TextOptions | None
    actor_kind: TextOptions | None
    revision: TextOptions | None
    time: TimeOptions
    events: tuple[EventOptions, ...]
    snapshots: SnapshotOptions | None

    def columns(self) -> frozenset[str]:
        """Every column it reads."""
        texts: list[TextOptions | None] = [self.case_source, self.case_id, self.occurred_at, self.actor_id, self.actor_kind, self.revision]
        named: set[str] = set()
        for event in self.events:
            texts.extend(event.texts())
            named.update(column for tests in event.when for column in tests)
        if self.snapshots is not None:
            created = self.snapshots.created
            texts.extend((created.occurred_at, created.actor_id, created.actor_kind, *created.attributes.values()))
            named.update(self.snapshots.order, self.snapshots.watch)
        return frozenset(named).union(*(text.columns for text in texts if text is not None))


def actor_kinds(value: TextOptions) -> TextOptions:
    """Check the kinds of actors that a text can become, as far as they are written down."""
    return _among(value, ActorKind, "kind of actor")


def _among(value: TextOptions, allowed: Iterable[str], what: str) -> TextOptions:
    written = [*value.map.values(), *value.patterns.values(), value.otherwise, None if value.columns else value.of]
    for item in written:
        if item is not None and item not in set(allowed):
            raise ValueError(f"{item!r} is no {what}: use {', '.join(str(known) for known in allowed)}")
    return value
