"""What the file leaves outside itself is brought in before validation: secrets in files of their own, paths relative to the file."""

import re
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

from rollout_metrics.config.annotations import inner, member, nullable
from rollout_metrics.config.yaml import Document, Place

SUFFIX = "_file"
_PASSWORD_IN_URL = re.compile(r"^[\w+.-]+://[^/?#@\s]*:[^/?#@\s]+@")
_SQLITE = re.compile(r"sqlite:///(?=[^/:])")
_INNOCENT_URL = re.compile(r"^[\w+.-]+://[^/?#@\s]+(?:[/?#][^@\s]*)?$")


def prepared(value: Any, annotation: Any, document: Document, place: Place) -> Any:
    """A copy of raw options with `x_file` read into each secret `x`, relative paths made relative to the configuration file, and sections
    that are left empty taken as not there. Secrets that stand in the file itself are noted as problems."""
    model = inner(annotation, BaseModel)
    if isinstance(value, Mapping):
        values = member(annotation)
        if model is not None and values is None:
            return _options(value, model, document, place)
        return {key: prepared(item, values, document, (*place, key)) for key, item in value.items()}
    if isinstance(value, list):
        return [prepared(item, annotation, document, (*place, number)) for number, item in enumerate(value)]
    if isinstance(value, str):
        return _text(value, annotation, document, place)
    return value


def _options(value: Mapping[str, Any], model: type[BaseModel], document: Document, place: Place) -> dict[str, Any]:
    options: dict[str, Any] = {}
    for key, item in value.items():
        info = model.model_fields.get(key)
        secret = key.removesuffix(SUFFIX)
        if info is None and secret != key and secret in model.model_fields and inner(model.model_fields[secret].annotation, SecretStr):
            if secret in value:
                document.problem((*place, key), f"both {secret} and {key} are given: keep one")
                continue
            options[secret] = _read(item, document, (*place, key))
            document.lines[(*place, secret)] = document.line((*place, key))
            if not options[secret]:
                document.unset.add((*place, secret))
        elif info is None or not _left_empty(item, info):
            options[key] = prepared(item, info.annotation if info else Any, document, (*place, key))
    return options


def _left_empty(item: Any, info: FieldInfo) -> bool:
    """Whether an option is there with nothing behind it, such as a section whose lines are all comments."""
    return item is None and not info.is_required() and not nullable(info.annotation)


def _text(value: str, annotation: Any, document: Document, place: Place) -> str:
    outside = place in document.from_environment
    if inner(annotation, SecretStr) is not None and not outside and not _INNOCENT_URL.match(value):
        document.problem(place, f"a secret must not stand in this file: write ${{NAME}} and set NAME in the environment, or use {_secret_file(place)}")
    elif annotation not in (Any, None) and not outside and _PASSWORD_IN_URL.match(value):
        document.problem(place, "a password must not stand in this file: write ${NAME} and set NAME in the environment, or use password_file")
    if inner(annotation, Path) is not None and value != "-":
        return _beside(value, document)
    return database_url(value, document)


def database_url(url: str, document: Document) -> str:
    """A URL; that of an SQLite file with its path relative to the configuration file."""
    path = _SQLITE.match(url)
    return url if path is None else f"sqlite:///{Path(document.file).parent / url[path.end() :]}"


def _secret_file(place: Place) -> str:
    name = next((part for part in reversed(place) if isinstance(part, str)), "secret")
    return f"{name}{SUFFIX}"


def _beside(value: str, document: Document) -> str:
    """A path relative to the configuration file; `~` is the home directory."""
    path = Path(value)
    with suppress(RuntimeError):  # no such user: the name is taken as it stands
        path = path.expanduser()
    return str(Path(document.file).parent / path)


def _read(name: Any, document: Document, place: Place) -> str:
    if not isinstance(name, str) or not name:
        document.problem(place, "must be the path of a file")
        return ""
    file = Path(_beside(name, document))
    try:
        text = file.read_text(encoding="utf-8").strip()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
        document.problem(place, f"{file} cannot be read ({reason}): check the path and its permissions")
        return ""
    if not text:
        document.problem(place, f"{file} is empty: write the secret into it")
    return text
