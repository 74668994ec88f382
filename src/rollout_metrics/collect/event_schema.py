"""The JSON Schema of our event format, made from the definition that reads it."""

from typing import Any

import msgspec

from rollout_metrics.collect.event_format import NEEDED, Detail, Record
from rollout_metrics.domain.events import Activity


def schema() -> dict[str, Any]:
    """The JSON Schema (2020-12) of one event."""
    found = msgspec.json.schema(Record)
    definitions = {name: _tidy(item) for name, item in found["$defs"].items()}
    detail = _tidy(msgspec.json.schema(Detail)["$defs"]["Detail"])
    detail["additionalProperties"] = {"type": ["string", "number", "boolean", "null"]}
    record = definitions.pop("Record")
    record["properties"]["detail"] = {"anyOf": [{"type": "null"}, {"$ref": "#/$defs/Detail"}], "default": None}
    needs = [{"if": _is(activity), "then": {"anyOf": [_needs(name) for name in names]}} for activity, names in NEEDED.items()]
    case = {"if": {"not": _is(Activity.EVALUATED)}, "then": _needs("case_id")}
    initial = {"if": {"not": _is(Activity.CREATED)}, "then": {"properties": {"detail": {"properties": {"attributes": {"type": "null"}}}}}}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$comment": "Generated from rollout_metrics.collect.event_format; do not edit.",
        **record,
        "title": "Event",
        "allOf": [*needs, case, initial],
        "$defs": {**definitions, "Detail": detail},
    }


def schema_text() -> str:
    """The schema as it is shipped in `sources/event.schema.json`."""
    return msgspec.json.format(msgspec.json.encode(schema()), indent=2).decode() + "\n"


def _tidy(definition: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in definition.items() if key != "title"}


def _is(activity: Activity) -> dict[str, Any]:
    return {"properties": {"activity": {"const": str(activity)}}}


def _needs(name: str) -> dict[str, Any]:
    head, _, tail = name.partition(".")
    there: dict[str, Any] = {"required": [head], "properties": {head: _needs(tail) | {"type": "object"} if tail else {"not": {"type": "null"}}}}
    return there
