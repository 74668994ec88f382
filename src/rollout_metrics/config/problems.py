"""Pydantic's findings as sentences a person can act on: file, line, path, what is wrong, what to write."""

from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Any, get_args, get_origin

from pydantic import BaseModel, SecretStr, TypeAdapter, ValidationError

from rollout_metrics.config.yaml import Document, Place


def problems_of(error: ValidationError, model: Any, document: Document, prefix: Place = ()) -> Iterator[str]:
    """One sentence for each error; `prefix` is where the validated part stands in the document."""
    for item in error.errors(include_url=False):
        place = (*prefix, *_real(item["loc"], document, prefix))
        yield f"{document.where(place)}: {_said(dict(item), model)}"


def _real(loc: tuple[str | int, ...], document: Document, prefix: Place) -> Place:
    """Pydantic puts names of union members and validators into paths; keep what stands in the file, and a missing last key."""
    kept: list[str | int] = []
    for number, part in enumerate(loc):
        if (*prefix, *kept, part) in document.lines or (number == len(loc) - 1 and isinstance(part, str) and "[" not in part):
            kept.append(part)
    return tuple(kept)


def _said(item: Mapping[str, Any], model: Any) -> str:
    kind, message = str(item["type"]), str(item["msg"])
    if kind == "extra_forbidden":
        key = str(item["loc"][-1])
        known = _keys(model, item["loc"][:-1])
        near = get_close_matches(key, known, 1)
        return f"there is no option {key!r}" + (f"; did you mean {near[0]!r}?" if near else f"; known are {', '.join(sorted(known))}" if known else "")
    if kind == "missing":
        return "is missing"
    if kind in ("literal_error", "enum") and isinstance(item.get("input"), str):
        choices = [part.strip().strip("'\"") for part in str(item["ctx"]["expected"]).replace(" or ", ", ").split(",")]
        near = get_close_matches(item["input"], choices, 1)
        return f"{item['input']!r} is none of {', '.join(choices)}" + (f"; did you mean {near[0]!r}?" if near else "")
    if kind == "value_error":
        return message.removeprefix("Value error, ")
    return message[0].lower() + message[1:]


def _keys(model: Any, loc: tuple[str | int, ...]) -> list[str]:
    """The option names of the model found along a path."""
    for part in loc:
        model = _part(model, part)
        if model is None:
            return []
    found = _model(model)
    return sorted(name for name, info in found.model_fields.items() if not info.exclude) if found else []


def _part(annotation: Any, part: str | int) -> Any:
    found = _model(annotation)
    if found is not None and isinstance(part, str):
        info = found.model_fields.get(part)
        return info.annotation if info else None
    return annotation


def _model(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and not get_origin(annotation) and issubclass(annotation, BaseModel):
        return annotation
    for inner in get_args(annotation):
        found = _model(inner)
        if found is not None:
            return found
    return None


def plain_secrets(value: Any, document: Document, place: Place) -> Iterator[str]:
    """Secrets that stand in the file itself instead of the environment or a file of their own."""
    if isinstance(value, SecretStr):
        if place in document.lines and place not in document.from_environment:
            yield f"{document.where(place)}: a secret must not stand in this file: write ${{NAME}} and set NAME in the environment, or use {place[-1]}_file"
    elif isinstance(value, BaseModel):
        for name in type(value).model_fields:
            yield from plain_secrets(getattr(value, name), document, (*place, name))
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from plain_secrets(item, document, (*place, key))
    elif isinstance(value, list | tuple):
        for number, item in enumerate(value):
            yield from plain_secrets(item, document, (*place, number))


def schema_of(model: Any) -> dict[str, Any]:
    """The JSON Schema of a model."""
    return TypeAdapter(model).json_schema()
