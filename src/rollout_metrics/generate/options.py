"""The configuration as JSON Schema for editors, and as `docs/configuration.md`: both from the models that check it."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema
from pydantic_core.core_schema import ModelSchema

from rollout_metrics.collect.source import Source
from rollout_metrics.domain.time import format_span
from rollout_metrics.generate.markdown import code, generated, table
from rollout_metrics.generate.meanings import meanings

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_SOURCE = "source_"
_REF = "#/$defs/"
_REQUIRED = "required"
_AS_THEY_ARE = ("default", "examples", "enum", "const", "required")

Schema = dict[str, Any]


def configuration_schema(settings: type[BaseModel], sources: Mapping[str, type[Source]], *, comment: str) -> Schema:
    """The schema of the file: each source by its kind, secrets also as `x_file`, defaults as people write them."""
    schema = settings.model_json_schema(schema_generator=_Generator)
    definitions: Schema = schema.pop("$defs")
    for kind, model in sorted(sources.items()):
        source = model.model_json_schema(schema_generator=_Generator)
        definitions |= source.pop("$defs", {})
        source["properties"].pop("name", None)
        source["properties"] = {"kind": {"const": kind, "description": "Which system it is."}} | source["properties"]
        source["required"] = ["kind", *source.get("required", ())]
        definitions[_SOURCE + kind] = source
    schema["properties"]["sources"]["additionalProperties"] = {"oneOf": [{"$ref": _REF + _SOURCE + kind} for kind in sorted(sources)]}
    return {"$schema": _DIALECT, "$comment": comment, **_plain(schema), "$defs": {name: _plain(definitions[name]) for name in sorted(definitions)}}


def record_schema(record: type[BaseModel], *, comment: str) -> Schema:
    """The schema of a file of change records: one, or a list of them. Empty values are allowed where a record may lack them."""
    schema = record.model_json_schema(schema_generator=_Generator)
    definitions: Schema = schema.pop("$defs")
    definitions[record.__name__] = schema
    one = {"$ref": _REF + record.__name__}
    file = {"$schema": _DIALECT, "$comment": comment, "anyOf": [one, {"type": "array", "items": one}]}
    return file | {"$defs": {name: _emptiable(_plain(definitions[name])) for name in sorted(definitions)}}


def _emptiable(schema: Schema) -> Schema:
    """Options that are not required may stand there with nothing behind them, as in the template."""
    for name, value in schema.get("properties", {}).items():
        if name not in schema.get("required", ()) and {"type": "null"} not in value.get("anyOf", ()):
            said = {key: value[key] for key in ("description", "default") if key in value}
            schema["properties"][name] = {"anyOf": [{key: item for key, item in value.items() if key not in said}, {"type": "null"}]} | said
    return schema


def schema_text(schema: Schema) -> str:
    """The schema as it is written."""
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def configuration_document(schema: Schema) -> str:
    """The document: a section per mapping in the file, in the order in which they are met."""
    definitions: Schema = schema["$defs"]
    kinds = [name for name in definitions if name.startswith(_SOURCE)]
    parts = [generated("Configuration", "the configuration's models"), _INTRODUCTION, _section("## The file", schema, definitions)]
    parts += [_section(f"## {_title(name)}", definitions[name], definitions) for name in _met(schema, definitions)]
    parts.append("\n## Sources\n\nEach stands in `sources` under a name of its own; `kind` says which of these it is.\n")
    for kind in kinds:
        parts.append(_section(f"### kind: {kind.removeprefix(_SOURCE)}", definitions[kind], definitions))
        parts += [_section(f"#### {_title(name)}", definitions[name], definitions) for name in _met(definitions[kind], definitions)]
    return "".join(parts)


_INTRODUCTION = """
One YAML file. Unknown keys are errors, and every problem is reported at once with its line. `rollout-metrics check` looks at it without running anything.

* `${NAME}` takes a value from the environment. A secret `x` can also be given as `x_file`, the path of a file that holds it;
  secrets in the file itself are refused.
* Durations are written `30s`, `15m`, `6h`, `14d` or `1h30m`; moments as `2026-03-01` (midnight UTC) or with time and offset.
* Paths are relative to the file, that of an SQLite database too. A list of one may be written as its only member.
* Editors complete and check the file with `docs/rollout-metrics.schema.json`: begin it with `# yaml-language-server: $schema=docs/rollout-metrics.schema.json`.
"""


class _Generator(GenerateJsonSchema):
    """Options with what they mean; sets in order, so that the text is the same each time."""

    def model_schema(self, schema: ModelSchema) -> Schema:
        """A model with the meaning of each of its options."""
        made = super().model_schema(schema)
        model: type[BaseModel] = schema["cls"]
        said = meanings(model)
        for name, field in model.model_fields.items():
            option = made["properties"].get(field.alias or name)
            if option is not None and name in said:
                option.setdefault("description", said[name])
        return made

    def encode_default(self, dft: Any) -> Any:
        """The default as JSON."""
        return sorted(dft, key=str) if isinstance(dft, set | frozenset) else super().encode_default(dft)


def _plain(schema: Any) -> Any:
    """As people write it: durations as text, no titles, secrets also as files, no defaults of whole mappings."""
    if isinstance(schema, list):
        return [_plain(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    plain = {key: value if key in _AS_THEY_ARE else _plain(value) for key, value in schema.items() if key not in ("title", "properties")}
    if isinstance(plain.get("description"), str):
        plain["description"] = " ".join(plain["description"].split())
    if isinstance(plain.get("default"), dict):
        del plain["default"]
    if "default" in plain and (_is_span(schema) or _is_span(schema.get("items", {}))):
        plain["default"] = _spans(plain["default"])
    if "properties" in schema:
        plain["properties"] = {name: _plain(value) for name, value in schema["properties"].items()}
        _secrets_as_files(plain)
    return plain


def _is_span(schema: Schema) -> bool:
    return any("(ms|s|m|h|d|w)" in choice.get("pattern", "") for choice in (schema, *schema.get("anyOf", ())))


def _spans(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return [_spans(item) for item in value]
    return format_span(value) if isinstance(value, int) else value


def _secrets_as_files(plain: Schema) -> None:
    properties: Schema = plain["properties"]
    for name, value in list(properties.items()):
        if any(choice.get("format") == "password" for choice in (value, *value.get("anyOf", ()))):
            properties.setdefault(f"{name}_file", {"type": "string", "description": f"The path of a file that holds `{name}`."})
            if name in plain.get("required", ()):
                plain["required"] = [other for other in plain["required"] if other != name]
                plain["oneOf"] = [*plain.get("oneOf", ()), {"required": [name]}, {"required": [f"{name}_file"]}]


def _section(heading: str, schema: Schema, definitions: Schema) -> str:
    rows = [_row(name, value, schema, definitions) for name, value in schema["properties"].items()]
    rows.sort(key=lambda row: row[2] != _REQUIRED)
    said = f"\n{schema['description']}\n" if schema.get("description") else ""
    return f"\n{heading}\n{said}\n" + table(("option", "type", "default", "meaning"), rows)


def _row(name: str, value: Schema, schema: Schema, definitions: Schema) -> tuple[str, str, str, str]:
    needed = name in schema.get("required", ()) or {"required": [name]} in schema.get("oneOf", ())
    default = value.get("default")
    shown = _REQUIRED if needed else "" if default in (None, [], "") else code(json.dumps(default, ensure_ascii=False).strip('"'))
    meaning = value.get("description") or next((definitions[found].get("description", "") for found in _named(value)), "")
    return code(name), _type(value, definitions), shown, meaning


def _type(value: Schema, definitions: Schema) -> str:
    """What may be written there, in words."""
    if "anyOf" in value or "oneOf" in value:
        choices = dict.fromkeys(_type(choice, definitions) for choice in value.get("anyOf") or value["oneOf"] if choice.get("type") != "null")
        return " or ".join(choices) if set(choices) != {"text", "number", "boolean", "list of text or number or boolean"} else "text or list of texts"
    if "$ref" in value:
        name = value["$ref"].removeprefix(_REF)
        if "enum" in definitions[name]:
            return _type(definitions[name], definitions)
        return code(f"kind: {name.removeprefix(_SOURCE)}") if name.startswith(_SOURCE) else f"[{_title(name)}](#{_title(name).lower().replace(' ', '-')})"
    if "const" in value or "enum" in value:
        return ", ".join(code(str(choice)) for choice in value.get("enum", [value.get("const")]))
    if _is_span(value):
        return "duration"
    kind = value.get("type")
    if kind == "array":
        return f"list of {_type(value['items'], definitions)}" if isinstance(value.get("items"), dict) else "list"
    if kind == "object":
        inner = value.get("additionalProperties")
        return f"mapping of names to {_type(inner, definitions)}" if isinstance(inner, dict) else "mapping"
    words = {"string": "text", "integer": "whole number", None: "anything"}
    formats = {"path": "path", "password": "secret", "date": "date"}
    return formats.get(value.get("format", ""), words.get(kind, str(kind))) + _bounds(value)


def _bounds(value: Schema) -> str:
    signs = {"minimum": "at least", "exclusiveMinimum": "above", "maximum": "at most", "exclusiveMaximum": "below"}
    said = [f"{words} {value[key]:g}" for key, words in signs.items() if key in value]
    return f", {' and '.join(said)}" if said else ""


def _title(name: str) -> str:
    """`EscalationOptions` as `Escalation options`."""
    words = "".join(f" {letter.lower()}" if letter.isupper() else letter for letter in name).strip()
    return words[:1].upper() + words[1:]


def _named(value: Any) -> Iterator[str]:
    """The definitions that a schema refers to, in order."""
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"].removeprefix(_REF)
        for inner in value.values():
            yield from _named(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _named(inner)


def _met(schema: Schema, definitions: Schema) -> list[str]:
    """The mappings within a schema, each once, in the order in which they are met; sources apart."""
    found: dict[str, None] = {}
    waiting = [schema["properties"]]
    while waiting:
        for name in _named(waiting.pop(0)):
            if name not in found and not name.startswith(_SOURCE) and "properties" in definitions[name]:
                found[name] = None
                waiting.append(definitions[name]["properties"])
    return list(found)
