"""What is looked for in documents: blocks, inline code, links, anchors and commands."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

PROGRAM = "rollout-metrics"
_FENCE = re.compile(r"^ *```(\w*)\n(.*?)^ *```$", re.DOTALL | re.MULTILINE)


@dataclass(frozen=True)
class Block:
    """A fenced block: where it begins, its language and text."""

    file: Path
    line: int
    language: str
    text: str


def documents(root: Path) -> list[Path]:
    """The documents for people."""
    return [root / "README.md", root / "CONTRIBUTING.md", *sorted((root / "docs").rglob("*.md"))]


def blocks(file: Path) -> list[Block]:
    """The fenced blocks of a document."""
    text = file.read_text()
    return [Block(file, text.count("\n", 0, found.start()) + 1, found[1], found[2]) for found in _FENCE.finditer(text)]


def _prose(file: Path) -> str:
    return _FENCE.sub("", file.read_text())


def inline(file: Path) -> list[str]:
    """Code within the text."""
    return [" ".join(code.split()) for code in re.findall(r"`([^`]+)`", _prose(file))]


def links(file: Path) -> list[str]:
    """Targets of links that stay within the project."""
    found = re.findall(r"\[[^\]]*\]\(([^)\s]+)\)", re.sub(r"(?<!\[)`[^`\n]*`(?!\])", "", _prose(file)))
    return [target for target in found if not re.match(r"[a-z]+:", target)]


def anchors(file: Path) -> set[str]:
    """The names that headings of a document can be linked by."""
    titles = re.findall(r"^#+ (.+)$", _prose(file), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).strip().replace(" ", "-") for title in titles}


def commands(file: Path) -> Iterator[tuple[str, bool]]:
    """Command lines of the program as `rollout-metrics ...`, and whether they stand complete, in a block for the shell."""
    for block in blocks(file):
        if block.language in ("sh", "bash", "console"):
            for line in block.text.replace("\\\n", " ").splitlines():
                if found := re.match(rf"(?:\$ )?(?:\S*/)?{PROGRAM}( [^|>;&]*)?$", line.split(" | ")[0].rstrip()):
                    yield PROGRAM + (found[1] or ""), True
    for code in inline(file):
        if re.match(rf"(?:\S*/)?{PROGRAM} [a-z-]", code):
            yield re.sub(r"^\S+", PROGRAM, code), False


def words(text: str) -> set[str]:
    """The words and figures of a text."""
    return set(re.findall(r"[\w.]*\w", text))
