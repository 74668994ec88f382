"""Pydantic's findings as sentences a person can act on: file, line, path, what is wrong, what to write."""

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Any

from pydantic import BaseModel, ValidationError

from rollout_metrics.config.annotations import inner, member
from rollout_metrics.config.yaml import Document, Place

_MUST_BE: Mapping[str, str] = {
    "bool_parsing": "true or false",
    "bool_type": "true or false",
    "dict_type": "a mapping of options",
    "float_parsing": "a number",
    "float_type": "a number",
    "int_from_float": "a whole number",
    "int_parsing": "a whole number",
    "int_parsing_size": "a smaller number",
    "int_type": "a whole number",
    "mapping_type": "a mapping of options",
    "model_attributes_type": "a mapping of options",
    "model_type": "a mapping of options",
    "path_type": "a path",
    "string_type": "text",
}
_LISTS = ("frozen_set_type", "list_type", "set_type", "tuple_type")
_FORMS = {
    r"^https?://[^?#]+$": "is no address such as https://acme.example.com",
    r"^https?://[^/?#]+$": "is no address such as https://acme.example.com: nothing comes after the host",
    r"^[a-z0-9][a-z0-9-]*$": "is no name such as acme: small letters, digits, hyphens",
}
"""What texts of a form look like, by the pattern they must match."""
MOST_NAMED = 50
_TIMES = ("date", "datetime", "timezone")


def note_problems(error: ValidationError, model: Any, document: Document, prefix: Place = ()) -> None:
    """Note one sentence for each place that has errors; `prefix` is where the validated part stands in the document."""
    found: dict[Place, list[str]] = {}
    for item in error.errors(include_url=False):
        place = (*prefix, *_real(item["loc"], document, prefix, missing=item["type"] == "missing"))
        said = found.setdefault(place, [])
        message = _said(dict(item), model)
        if message not in said:
            said.append(message)
    for place, messages in found.items():
        if place not in document.unset:
            document.problem(place, "; ".join(messages))


def suggestion(word: str, known: Iterable[str]) -> str:
    """`; did you mean 'x'?`, else what there is, if that is not too much to read."""
    known = sorted(known)
    near = get_close_matches(word, known, 1)
    return f"; did you mean {near[0]!r}?" if near else f"; known are {', '.join(known)}" if 0 < len(known) <= MOST_NAMED else ""


def _real(loc: tuple[str | int, ...], document: Document, prefix: Place, *, missing: bool) -> Place:
    """Pydantic puts names of union members and validators into paths; keep what stands in the file, and the last key where that is missing."""
    kept: list[str | int] = []
    for number, part in enumerate(loc):
        if (*prefix, *kept, part) in document.lines or (missing and number == len(loc) - 1):
            kept.append(part)
    return tuple(kept)


def _said(item: Mapping[str, Any], model: Any) -> str:
    kind, message, given = str(item["type"]), str(item["msg"]), item.get("input")
    if kind == "extra_forbidden":
        key = str(item["loc"][-1])
        return f"there is no option {key!r}{suggestion(key, _keys(model, item['loc'][:-1]))}"
    if kind == "missing":
        return "is missing"
    if kind == "value_error":
        return message.removeprefix("Value error, ")
    if given is None:
        return "is empty: write a value or remove the line"
    if kind in ("literal_error", "enum") and isinstance(given, str):
        choices = [part.strip().strip("'\"") for part in str(item["ctx"]["expected"]).replace(" or ", ", ").split(",")]
        near = get_close_matches(given, choices, 1)
        return f"{given!r} is none of {', '.join(choices)}" + (f"; did you mean {near[0]!r}?" if near else "")
    if kind in _LISTS:
        return f"must be a list: write [{given}]" if isinstance(given, str) else "must be a list"
    if kind in _MUST_BE:
        return f"must be {_MUST_BE[kind]}" + (f", not {given!r}" if isinstance(given, str) else "")
    if kind.startswith(_TIMES):
        return f"{given!r} is no time such as 2026-03-01T10:00:00Z" if isinstance(given, str) else "must be a time such as 2026-03-01T10:00:00Z"
    if kind == "string_pattern_mismatch":
        pattern = item["ctx"]["pattern"]
        return f"{given!r} {_FORMS.get(pattern, f'does not have the form {pattern}')}"
    if kind in ("too_short", "string_too_short"):
        return "is empty: name at least one" if item["ctx"].get("actual_length", 0) == 0 else f"is too short: at least {item['ctx']['min_length']}"
    return message.replace("Input should", "must").replace("String should", "must").replace("Value should", "must")


def _keys(model: Any, loc: tuple[str | int, ...]) -> list[str]:
    """The option names of the model found along a path."""
    for part in loc:
        model = _part(model, part)
    found = inner(model, BaseModel)
    return sorted(info.alias or name for name, info in found.model_fields.items() if not info.exclude) if found else []


def _part(annotation: Any, part: str | int) -> Any:
    if isinstance(part, int):
        return annotation
    values = member(annotation)
    if values is not None:
        return values
    found = inner(annotation, BaseModel)
    info = found.model_fields.get(part) if found else None
    return info.annotation if info else None
