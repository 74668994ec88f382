"""What an option's type annotation holds: models, mappings, lists, and whether it may be empty."""

from collections.abc import Mapping
from types import NoneType
from typing import Any, get_args, get_origin


def inner(annotation: Any, wanted: type) -> Any:
    """The class of that kind inside an annotation, None where there is none."""
    if isinstance(annotation, type) and get_origin(annotation) is None:
        return annotation if issubclass(annotation, wanted) else None
    return next((found for part in get_args(annotation) if (found := inner(part, wanted)) is not None), None)


def member(annotation: Any) -> Any:
    """The type of a mapping's values, None where the annotation is no mapping by name."""
    if get_origin(annotation) in (dict, Mapping):
        return get_args(annotation)[-1]
    return next((found for part in get_args(annotation) if (found := member(part)) is not None), None)


def nullable(annotation: Any) -> bool:
    """Whether None is a value of it."""
    return annotation in (Any, None, NoneType) or any(part is NoneType for part in get_args(annotation))
