"""`docs/event-format.md`: our event format, field by field, from the schema that checks it."""

from typing import Any

from rollout_metrics.collect.event_schema import schema
from rollout_metrics.generate.markdown import code, generated, table

_INTRODUCTION = """
One JSON object per event: a line of a JSON Lines file for sources of kind `events`, a member of the array that runtimes send to sources of kind `push`.
What the activities mean for the figures is in [definitions.md](definitions.md). The JSON Schema is
[`event.schema.json`](../src/rollout_metrics/sources/event.schema.json).

```json
{"event_id": "1041-created", "case_id": "1041", "occurred_at": "2026-03-02T09:00:00Z", "actor_kind": "customer", "activity": "created", \
"detail": {"attributes": {"status": "new", "group": null}}}
{"event_id": "1041-001", "case_id": "1041", "occurred_at": "2026-03-02T09:00:04Z", "actor_id": "triage-bot", "actor_kind": "agent", \
"activity": "changed", "attribute": "group", "before": null, "after": "billing", "detail": {"version": "v7"}}
{"event_id": "1041-002", "case_id": "1041", "occurred_at": "2026-03-02T09:12:31Z", "actor_id": "ada", "actor_kind": "operator", \
"activity": "changed", "attribute": "group", "before": "billing", "after": "refunds", "detail": {"reason": "wrong_queue"}}
```

The same `event_id` sent again is the same event; a greater `revision` replaces it. Actor ids are stored as keyed hashes and free text as hashes of its words.
"""


def event_format_document() -> str:
    """The document."""
    found = schema()
    definitions: dict[str, Any] = found["$defs"]
    needs = [(code(activity), why) for activity, why in _needs(found)]
    parts = [
        generated("Event format", "the event format's schema"),
        _INTRODUCTION,
        "\n## Event\n\n" + _fields(found, definitions),
        "\n## Detail\n\n" + definitions["Detail"].get("description", "") + "\n\n" + _fields(definitions["Detail"], definitions),
        "\n## What an activity needs\n\n" + table(("activity", "needs"), needs),
    ]
    return "".join(parts)


def _fields(model: dict[str, Any], definitions: dict[str, Any]) -> str:
    rows = []
    for name, value in model["properties"].items():
        needed = "yes" if name in model.get("required", ()) else ""
        rows.append((code(name), _type(value, definitions), needed, value.get("description", "")))
    return table(("field", "type", "required", "meaning"), rows)


def _type(value: dict[str, Any], definitions: dict[str, Any]) -> str:
    if "anyOf" in value:
        return " or ".join(dict.fromkeys(_type(choice, definitions) for choice in value["anyOf"] if choice.get("type") != "null"))
    if "$ref" in value:
        name = value["$ref"].rpartition("/")[2]
        return _type(definitions[name], definitions) if "enum" in definitions[name] else f"[{name.lower()}](#{name.lower()})"
    if "enum" in value:
        return ", ".join(code(str(choice)) for choice in value["enum"] if choice is not None)
    if value.get("format") == "date-time":
        return "time"
    words = {"string": "text", "integer": "whole number", "array": "list", "object": "mapping"}
    return words.get(value.get("type", ""), str(value.get("type", "anything")))


def _needs(found: dict[str, Any]) -> list[tuple[str, str]]:
    """What the schema's conditions say of each activity."""
    said = []
    for rule in found["allOf"]:
        activity = rule["if"].get("properties", {}).get("activity", {}).get("const")
        if activity is not None and "anyOf" in rule["then"]:
            said.append((activity, " or ".join(code(".".join(_path(choice))) for choice in rule["then"]["anyOf"])))
    return said


def _path(choice: dict[str, Any]) -> list[str]:
    name = choice["required"][0]
    inner = choice["properties"][name]
    return [name, *_path(inner)] if "required" in inner else [name]
