"""YAML read with its places: texts, the line of every path, what came from the environment, and every problem on the way.

Every scalar but null stays the text that stands in the file; the options' types say what is made of it. So `off` and `no` are words,
`0815` keeps its zero and `09:30` is no number of seconds, whatever YAML 1.1 makes of them.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from rollout_metrics.domain.errors import ConfigurationError

Place = tuple[str | int, ...]
VARIABLE = re.compile(r"\$\{(?P<name>[A-Za-z_]\w*)(?::-(?P<default>[^}]*))?\}|\$\$")
MOST_VALUES = 200_000
"""Aliases may repeat each other; this many values are more than anyone writes."""
_NULL, _MERGE = "tag:yaml.org,2002:null", "tag:yaml.org,2002:merge"
_PLAIN_TAGS = frozenset((_NULL, _MERGE, *(f"tag:yaml.org,2002:{name}" for name in ("str", "int", "float", "bool", "timestamp", "seq", "map"))))


class _Loader(yaml.SafeLoader):
    """Knows only null and `<<`: all other plain scalars are text."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012  (as PyYAML declares it)


_Loader.add_implicit_resolver(_NULL, re.compile(r"^(?:~|null|Null|NULL|)$"), ["~", "n", "N", ""])
_Loader.add_implicit_resolver(_MERGE, re.compile(r"^<<$"), ["<"])


@dataclass
class Document:
    """A YAML file: its value, the lines of its paths (from 1), the paths whose text came from the environment, and problems found.

    `unset`: paths whose text was to come from elsewhere and did not; what it is instead is nobody's fault.
    """

    file: str
    value: Any = None
    lines: dict[Place, int] = field(default_factory=dict)
    from_environment: set[Place] = field(default_factory=set)
    unset: set[Place] = field(default_factory=set)
    found: list[tuple[int, str]] = field(default_factory=list)

    def line(self, place: Place) -> int:
        """The line of the nearest place that stands in the file."""
        while place and place not in self.lines:
            place = place[:-1]
        return self.lines.get(place, 1)

    def where(self, place: Place) -> str:
        """`file:line: path`."""
        return f"{self.file}:{self.line(place)}: {written(place) or 'the file'}"

    def problem(self, place: Place, message: str, *, line: int | None = None) -> None:
        """Note a problem; `line` where the place alone does not tell it."""
        line = line or self.line(place)
        self.found.append((line, f"{self.file}:{line}: {written(place) or 'the file'}: {message}"))

    @property
    def problems(self) -> list[str]:
        """All that was noted, in the order of the file, each once."""
        return list(dict.fromkeys(text for _, text in sorted(self.found, key=lambda item: item[0])))


def written(place: Place) -> str:
    """A path as people write it: `workflows[0].levels[1].since`."""
    text = ""
    for part in place:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text


def read_yaml(file: Path, environment: Mapping[str, str] | None) -> Document:
    """Read a file. Raises `ConfigurationError` where it cannot be read at all; other problems are collected."""
    try:
        text = file.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise ConfigurationError(f"{file}: cannot be read ({error.strerror}): check the path and its permissions") from None
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"{file}: is not UTF-8 (byte {error.start}): save it as UTF-8") from None
    return parse_yaml(text, str(file), environment)


def parse_yaml(text: str, file: str, environment: Mapping[str, str] | None) -> Document:
    """Read YAML text; `file` names it in messages. Without an environment, `${NAME}` and `$$` are text like any other."""
    try:
        node = yaml.compose(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise ConfigurationError(f"{file}:{mark.line + 1 if mark else 1}: the file: is no YAML: {_explained(error)}") from None
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise ConfigurationError(f"{file}:{line}: the file: is no YAML: the character #x{error.character:04x} is not allowed: remove it") from None
    except RecursionError:
        raise ConfigurationError(f"{file}:1: the file: is nested too deeply to be read") from None
    except (ValueError, OverflowError) as error:  # escapes of characters that do not exist
        raise ConfigurationError(f"{file}:1: the file: is no YAML: {error}") from None
    return _Reading(file, environment).read(node)


def _explained(error: yaml.MarkedYAMLError) -> str:
    tab = "found character '\\t'" in str(error.problem)
    return "a line is indented by a tab: use spaces" if tab else str(error.problem or error.context)


class _Reading:
    """One reading of a document's nodes."""

    def __init__(self, file: str, environment: Mapping[str, str] | None) -> None:
        self._document = Document(file)
        self._environment = environment
        self._open: set[int] = set()
        self._values = 0

    def read(self, node: yaml.Node | None) -> Document:
        if node is not None:
            try:
                self._document.value = self._value(node, ())
            except RecursionError:
                raise ConfigurationError(f"{self._document.file}:1: the file: is nested too deeply to be read") from None
        return self._document

    def _value(self, node: yaml.Node, place: Place) -> Any:
        document = self._document
        document.lines.setdefault(place, node.start_mark.line + 1)
        self._values += 1
        if self._values > MOST_VALUES:
            raise ConfigurationError(
                f"{document.file}:{node.start_mark.line + 1}: the file: holds more than {MOST_VALUES:,} values: write less of it by aliases"
            )
        if node.tag not in _PLAIN_TAGS:
            document.problem(place, f"the tag {node.tag.removeprefix('tag:yaml.org,2002:')!r} means nothing here: remove it")
            return None
        if isinstance(node, yaml.ScalarNode):
            return None if node.tag == _NULL else self._text(node.value, place)
        if id(node) in self._open:
            document.problem(place, "holds itself: replace the alias")
            return None
        self._open.add(id(node))
        try:
            if isinstance(node, yaml.MappingNode):
                return self._mapping(node, place)
            return [self._value(item, (*place, number)) for number, item in enumerate(node.value)]
        finally:
            self._open.discard(id(node))

    def _mapping(self, node: yaml.MappingNode, place: Place) -> dict[str, Any]:
        document = self._document
        read: dict[str, Any] = {}
        merged = self._merged(node, place)
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            if not isinstance(key_node, yaml.ScalarNode):
                document.problem(place, "has a key that is no plain text: write `key: value`", line=line)
                continue
            if key_node.tag == _MERGE:
                continue
            key = str(key_node.value)
            within = (*place, key)
            if key in read:
                document.problem(within, f"stands twice (first in line {document.lines[within]}): keep one", line=line)
                continue
            document.lines[within] = line
            read[key] = self._value(value_node, within)
        return merged | read

    def _merged(self, node: yaml.MappingNode, place: Place) -> dict[str, Any]:
        """What `<<` takes in; of several the first says it."""
        read: dict[str, Any] = {}
        for key_node, value_node in node.value:
            if key_node.tag == _MERGE:
                for item in value_node.value if isinstance(value_node, yaml.SequenceNode) else [value_node]:
                    if isinstance(item, yaml.MappingNode):
                        read = (self._value(item, place) or {}) | read
                    else:
                        self._document.problem(place, "`<<` takes in mappings only: name an alias of one", line=item.start_mark.line + 1)
        return read

    def _text(self, text: str, place: Place) -> str:
        """The text with `${NAME}` and `${NAME:-default}` replaced by the environment, `$$` by a dollar sign."""
        environment = self._environment
        if environment is None:
            return text

        def replace(match: re.Match[str]) -> str:
            name = match["name"]
            if name is None:
                return "$"
            self._document.from_environment.add(place)
            if name in environment:
                return environment[name]
            if match["default"] is not None:
                return match["default"]
            self._document.problem(place, f"the environment has no {name}: set it, or write ${{{name}:-default}}")
            self._document.unset.add(place)
            return ""

        return VARIABLE.sub(replace, text) if "$" in text else text
