"""YAML read with its places: values, the line of every path, what came from the environment, and every problem on the way."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from rollout_metrics.domain.errors import ConfigurationError

Place = tuple[str | int, ...]
VARIABLE = re.compile(r"\$\{(?P<name>[A-Za-z_]\w*)(?::-(?P<default>[^}]*))?\}|\$\$")


@dataclass
class Document:
    """A YAML file: its value, the lines of its paths (from 1), the paths whose text came from the environment, and problems found."""

    file: str
    value: Any = None
    lines: dict[Place, int] = field(default_factory=dict)
    from_environment: set[Place] = field(default_factory=set)
    problems: list[str] = field(default_factory=list)

    def where(self, place: Place) -> str:
        """`file:line: path` of the nearest place that stands in the file."""
        known = place
        while known and known not in self.lines:
            known = known[:-1]
        return f"{self.file}:{self.lines.get(known, 1)}: {written(place) or 'the file'}"


def written(place: Place) -> str:
    """A path as people write it: `workflows[0].levels[1].since`."""
    text = ""
    for part in place:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text


def read_yaml(file: Path, environment: Mapping[str, str]) -> Document:
    """Read a file. Raises `ConfigurationError` where it cannot be read at all; other problems are collected."""
    try:
        text = file.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(f"{file}: cannot be read ({error.strerror}): check the path and its permissions") from None
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"{file}: is not UTF-8 (byte {error.start}): save it as UTF-8") from None
    return parse_yaml(text, str(file), environment)


def parse_yaml(text: str, file: str, environment: Mapping[str, str]) -> Document:
    """Read YAML text; `file` names it in messages."""
    document = Document(file)
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise ConfigurationError(f"{file}:{line}: is no YAML: {error.problem or error}") from None
    except yaml.YAMLError as error:
        raise ConfigurationError(f"{file}: is no YAML: {error}") from None
    if node is not None:
        document.value = _value(node, (), document, environment)
    return document


_SCALARS = yaml.SafeLoader("")


def _value(node: yaml.Node, place: Place, document: Document, environment: Mapping[str, str]) -> Any:
    document.lines.setdefault(place, node.start_mark.line + 1)
    if isinstance(node, yaml.MappingNode):
        return _mapping(node, place, document, environment)
    if isinstance(node, yaml.SequenceNode):
        return [_value(item, (*place, number), document, environment) for number, item in enumerate(node.value)]
    if isinstance(node, yaml.ScalarNode) and "$" in node.value:
        return _substituted(node, place, document, environment)
    try:
        return _SCALARS.construct_object(node, deep=True)
    except (yaml.YAMLError, ValueError) as error:
        document.problems.append(f"{document.where(place)}: {error}")
        return None


def _mapping(node: yaml.MappingNode, place: Place, document: Document, environment: Mapping[str, str]) -> dict[str, Any]:
    _SCALARS.flatten_mapping(node)
    read: dict[str, Any] = {}
    for key_node, value_node in node.value:
        key = str(key_node.value)
        within = (*place, key)
        if key in read:
            document.problems.append(
                f"{document.file}:{key_node.start_mark.line + 1}: {written(within)}: stands twice (first in line {document.lines[within]}): keep one"
            )
            continue
        document.lines[within] = key_node.start_mark.line + 1
        read[key] = _value(value_node, within, document, environment)
    return read


def _substituted(node: yaml.ScalarNode, place: Place, document: Document, environment: Mapping[str, str]) -> Any:
    def replace(match: re.Match[str]) -> str:
        name = match["name"]
        if name is None:
            return "$"
        document.from_environment.add(place)
        if name in environment:
            return environment[name]
        if match["default"] is not None:
            return match["default"]
        document.problems.append(f"{document.where(place)}: the environment has no {name}: set it, or write ${{{name}:-default}}")
        return ""

    text = VARIABLE.sub(replace, node.value)
    if node.style is not None:
        return text
    tag = _SCALARS.resolve(yaml.ScalarNode, text, (True, False))  # type: ignore[no-untyped-call]
    return _SCALARS.construct_object(yaml.ScalarNode(tag=tag, value=text, start_mark=node.start_mark), deep=True)
