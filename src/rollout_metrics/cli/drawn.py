"""A table as lines for a terminal of a given width: nothing is cut off but the beginning of a trend."""

import textwrap
from collections.abc import Iterator, Sequence
from itertools import groupby

import msgspec
from rich.cells import cell_len

GAP, INDENT = "  ", "  "
NOTHING = ("", "-")
LEAST = 12
"""What a column keeps at least when it gives way to others; a trend keeps less."""
LEAST_RECENT = 7
COMFORTABLE = 30
"""What the last column is given before other columns are left out for it."""


class Layout(msgspec.Struct, frozen=True, kw_only=True):
    """How a table takes its place at a terminal; columns by name."""

    right: frozenset[str] = frozenset()
    heads: int = 0
    """How many leading columns stand once, above the rows that share them."""
    below: frozenset[str] = frozenset()
    """Stand on lines of their own below their row, words in one piece: what is there is copied."""
    spare: tuple[str, ...] = ()
    """Are left out, first to last, where there is no room."""
    recent: frozenset[str] = frozenset()
    """Lose their beginning where there is no room: what is new stands at the end."""


PLAIN = Layout()


class Line(msgspec.Struct, frozen=True):
    """One line; `head`: it says what stands below it."""

    text: str
    head: bool = False


def drawn(columns: Sequence[str], rows: Sequence[Sequence[str]], layout: Layout, width: int) -> Iterator[Line]:
    """The lines of a table within `width` cells. Text with nothing beside it to its right takes the room of the empty cells."""
    clean = [[_printable(cell) for cell in row] for row in rows]
    level = [place for place, column in enumerate(columns) if place >= layout.heads and column not in layout.below]
    indent = INDENT if layout.heads else ""
    widths = _fitted(columns, clean, level, layout, width - len(indent))
    if any(widths.values()):
        yield Line(indent + _joined([_padded(columns[place], widths[place], right=columns[place] in layout.right) for place in widths]), head=True)
    for number, (head, group) in enumerate(groupby(clean, key=lambda row: row[: layout.heads])):
        if layout.heads:
            if number:
                yield Line("")
            yield Line(", ".join(filter(None, head)), head=True)
        for row in group:
            yield from (Line(indent + text) for text in _row(columns, row, widths, layout))
            for column, cell in zip(columns, row, strict=True):
                if column in layout.below and cell not in NOTHING:
                    own = indent + INDENT
                    lines = textwrap.wrap(
                        f"{column}: {cell}", width, initial_indent=own, subsequent_indent=own + INDENT, break_long_words=False, break_on_hyphens=False
                    )
                    yield from map(Line, lines)
    if layout.heads and clean:
        yield Line("")


def _fitted(columns: Sequence[str], rows: Sequence[Sequence[str]], level: list[int], layout: Layout, width: int) -> dict[int, int]:
    """The columns that are shown, by place, with their widths."""
    widths = {
        place: max([cell_len(columns[place]), *(cell_len(row[place]) for row in rows if columns[place] in layout.right or not _alone(row, place, level))])
        for place in level
    }

    def excess() -> int:
        return sum(widths.values()) + len(GAP) * (len(widths) - 1) - width

    last = level[-1]
    for column in layout.spare:
        if excess() > max(0, widths[last] - COMFORTABLE):
            del widths[columns.index(column)]
    for least, places in (
        (LEAST_RECENT, [place for place in widths if columns[place] in layout.recent]),
        (LEAST, sorted(widths, key=lambda place: (columns[place] in layout.right, -place))),
    ):
        for place in places:
            if (over := excess()) > 0:
                widths[place] = min(widths[place], max(least, widths[place] - over))
    return widths


def _alone(row: Sequence[str], place: int, places: list[int]) -> bool:
    """Whether there are cells to the right of this one, and all are empty."""
    after = [row[other] for other in places if other > place]
    return bool(after) and not any(after)


def _row(columns: Sequence[str], row: Sequence[str], widths: dict[int, int], layout: Layout) -> Iterator[str]:
    """The lines of one row: cells that are longer than their column go on below."""
    cells: list[tuple[list[str], int, bool]] = []
    places = list(widths)
    for place in places:
        size, right = widths[place], columns[place] in layout.right
        if not right and row[place] and _alone(row, place, places):
            size += sum(len(GAP) + widths[other] for other in places if other > place)
        text = row[place]
        if columns[place] in layout.recent:
            text = text[-size:]
        cells.append((textwrap.wrap(text, size, break_on_hyphens=False) or [""], size, right))
    for line in range(max((len(lines) for lines, _, _ in cells), default=0)):
        yield _joined([_padded(lines[line] if line < len(lines) else "", size, right=right) for lines, size, right in cells])


def _padded(text: str, size: int, *, right: bool) -> str:
    room = " " * (size - cell_len(text))
    return room + text if right else text + room


def _joined(cells: list[str]) -> str:
    return GAP.join(cells).rstrip()


def _printable(cell: str) -> str:
    """What systems send may hold what a terminal would obey."""
    return "".join(c if c.isprintable() else "?" for c in cell)
