"""YAML as people write it: text of several lines as blocks, lists indented, a first line that says where the file comes from."""

from collections.abc import Iterable
from typing import Any

import yaml


class Block(str):
    """Text of several lines, written as a block."""

    __slots__ = ()


def document(content: dict[str, Any], *, comment: str) -> str:
    """One YAML document."""
    return f"# {comment}\n{_written(content)}"


def documents(contents: Iterable[dict[str, Any]], *, comment: str) -> str:
    """Several documents in one file."""
    return f"# {comment}\n" + "---\n".join(map(_written, contents))


def _written(content: dict[str, Any]) -> str:
    return str(yaml.dump(content, Dumper=_Dumper, sort_keys=False, width=100_000, allow_unicode=True))


class _Dumper(yaml.SafeDumper):
    """Block texts as blocks, lists indented, nothing by reference."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        """Lists are indented below their key."""
        super().increase_indent(flow, False)

    def ignore_aliases(self, data: Any) -> bool:
        """Everything is written out."""
        return True


def _block(dumper: yaml.SafeDumper, text: Block) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", str(text), style="|")


_Dumper.add_representer(Block, _block)
