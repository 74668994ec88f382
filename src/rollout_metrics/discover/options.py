"""Options of a configuration with the reason for each, written as YAML: reasons as comments, what people must confirm commented out."""

import re
import textwrap
from collections.abc import Iterator
from typing import Any

import msgspec

WIDTH = 140
_BARE = re.compile(r"[A-Za-z_][\w-]*", re.ASCII)
_TAKEN = frozenset(("null", "true", "false", "yes", "no", "on", "off", "y", "n"))
_OFF = "# "


class Item(msgspec.Struct, frozen=True):
    """A member of a list: a scalar, a small mapping, or options."""

    value: Any
    why: tuple[str, ...] = ()


class Option(msgspec.Struct, frozen=True):
    """`name: value`. `value`: a scalar, `Item`s for a list, `Option`s for a mapping. `off`: written as a comment, so that it is not in force."""

    name: str
    value: Any
    why: tuple[str, ...] = ()
    off: bool = False


def plain(value: Any) -> Any:
    """A value as configuration would read it, without what is off."""
    if isinstance(value, tuple):
        if value and isinstance(value[0], Option):
            return {option.name: plain(option.value) for option in value if not option.off}
        return [plain(item.value) for item in value]
    return value


def yaml_lines(options: tuple[Option, ...], indent: int = 0) -> Iterator[str]:
    """The lines of a mapping."""
    for option in options:
        for reason in option.why:
            yield from comment(reason, indent)
        pad = " " * indent + (_OFF if option.off else "")
        for line in _option(option):
            yield f"{pad}{line}".rstrip()


def comment(text: str, indent: int = 0) -> list[str]:
    """A text as comment lines; nothing in it can end the comment."""
    clean = " ".join("".join(c if c.isprintable() or c.isspace() else "?" for c in text).split())
    pad = " " * indent
    return textwrap.wrap(clean, WIDTH - indent, initial_indent=f"{pad}# ", subsequent_indent=f"{pad}#   ", break_on_hyphens=False) or [f"{pad}#"]


def scalar(value: Any) -> str:
    """A scalar as a value, with nothing in it that the environment would fill in."""
    return str(value) if isinstance(value, int) else key(str(value).replace("$", "$$"))


def key(text: str) -> str:
    """A text as a key: bare where that is safe, else quoted."""
    if _BARE.fullmatch(text) and text.lower() not in _TAKEN:
        return text
    return '"' + "".join(_quoted(c) for c in text) + '"'


def _quoted(c: str) -> str:
    return f"\\{c}" if c in '"\\' else c if c.isprintable() else f"\\U{ord(c):08x}"


def _option(option: Option) -> Iterator[str]:
    name, value = key(option.name), option.value
    if not isinstance(value, tuple):
        yield f"{name}: {_flow(value)}"
    elif not value:
        yield f"{name}: []"
    elif isinstance(value[0], Option):
        yield f"{name}:"
        yield from yaml_lines(value, 2)
    elif all(not item.why and not isinstance(item.value, tuple) for item in value) and len(flow := f"{name}: {_flow([item.value for item in value])}") < WIDTH:
        yield flow
    else:
        yield f"{name}:"
        for number, item in enumerate(value):
            if number and isinstance(item.value, tuple):
                yield ""
            for reason in item.why:
                yield from comment(reason, 2)
            lines = list(yaml_lines(item.value)) if isinstance(item.value, tuple) else [_flow(item.value)]
            first = next(place for place, line in enumerate(lines) if not line.lstrip().startswith("#"))
            yield from (f"  {line}" for line in lines[:first])
            yield f"  - {lines[first]}"
            yield from (f"    {line}" for line in lines[first + 1 :])


def _flow(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key(name)}: {_flow(item)}" for name, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_flow, value)) + "]"
    return scalar(value)
