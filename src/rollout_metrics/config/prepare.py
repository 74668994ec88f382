"""What the file leaves outside itself is brought in before validation: secrets in files of their own, paths relative to the file."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args, get_origin

from pydantic import BaseModel, SecretStr

from rollout_metrics.config.yaml import Document, Place

SUFFIX = "_file"


def prepared(value: Any, annotation: Any, document: Document, place: Place) -> Any:
    """A copy of raw options with `x_file` read into each secret `x`, and relative paths made relative to the configuration file."""
    model = _inner(annotation, BaseModel)
    if isinstance(value, Mapping):
        member = _member(annotation)
        if model is not None and member is None:
            return _options(value, model, document, place)
        return {key: prepared(item, member, document, (*place, key)) for key, item in value.items()}
    if isinstance(value, list):
        return [prepared(item, annotation, document, (*place, number)) for number, item in enumerate(value)]
    if isinstance(value, str) and _inner(annotation, Path) is not None:
        return str(Path(document.file).parent / Path(value).expanduser())
    return value


def _member(annotation: Any) -> Any:
    """The type of a mapping's values, None where the annotation is no mapping by name."""
    if get_origin(annotation) is dict:
        return get_args(annotation)[-1]
    return next((found for inner in get_args(annotation) if (found := _member(inner)) is not None), None)


def _options(value: Mapping[str, Any], model: type[BaseModel], document: Document, place: Place) -> dict[str, Any]:
    options: dict[str, Any] = {}
    for key, item in value.items():
        secret = key.removesuffix(SUFFIX)
        if key not in model.model_fields and secret != key and secret in model.model_fields and _inner(model.model_fields[secret].annotation, SecretStr):
            if secret in value:
                document.problems.append(f"{document.where((*place, key))}: both {secret} and {key} are given: keep one")
                continue
            options[secret] = _read(item, document, (*place, key))
            document.lines[(*place, secret)] = document.lines[(*place, key)]
            document.from_environment.add((*place, secret))
        else:
            info = model.model_fields.get(key)
            options[key] = prepared(item, info.annotation if info else Any, document, (*place, key))
    return options


def _read(name: Any, document: Document, place: Place) -> str:
    file = Path(document.file).parent / Path(str(name)).expanduser()
    try:
        return file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
        document.problems.append(f"{document.where(place)}: {file} cannot be read ({reason}): check the path and its permissions")
        return ""


def _inner(annotation: Any, wanted: type) -> Any:
    """The class of that kind inside an annotation, if any."""
    if isinstance(annotation, type):
        return annotation if issubclass(annotation, wanted) else None
    for inner in get_args(annotation):
        found = _inner(inner, wanted)
        if found is not None:
            return found
    return None
