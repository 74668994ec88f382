"""Figures of many instants as one OpenMetrics text with timestamps, as `promtool tsdb create-blocks-from openmetrics` takes it.

They come instant by instant and must go out series by series, so they are turned round on disk: memory holds the names of the series and some instants.
"""

import math
from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import IO

import numpy as np
from numpy.typing import NDArray

from rollout_metrics.publish.exposition import FamilyLike, Labels, header, number, prefix

BLOCK = 64
"""Instants that are held before they go to disk."""

_SECOND = 1_000_000

Series = tuple[str, Labels]
"""Suffix and labels, within a family."""


class History:
    """Takes the figures of one instant after the other, then gives the text."""

    def __init__(self, spool: IO[bytes], block: int = BLOCK) -> None:
        """`spool`: an empty temporary file."""
        self._spool = spool
        self._block = block
        self._heads: dict[str, str] = {}
        self._rows: dict[tuple[str, Series], int] = {}
        self._instants: list[int] = []
        self._waiting: list[dict[int, float]] = []
        self._written: list[tuple[int, int, int]] = []
        """Of each block on disk: where it begins, its series, its instants."""

    def add(self, at: int, families: Iterable[FamilyLike]) -> None:
        """The figures as of an instant (microseconds), later than those before. What has no sample is left out."""
        values: dict[int, float] = {}
        for family in families:
            for suffix, labels, value in family.samples:
                key = (family.name, (suffix, labels))
                row = self._rows.get(key)
                if row is None:
                    row = self._rows[key] = len(self._rows)
                    self._heads.setdefault(family.name, header(family))
                values[row] = value
        self._instants.append(at)
        self._waiting.append(values)
        if len(self._waiting) == self._block:
            self._flush()

    def lines(self) -> Iterator[str]:
        """The text: family by family, within it series by series, within them in order of time; at the end the mark that nothing is missing."""
        self._flush()
        of_family: dict[str, list[tuple[Series, int]]] = {name: [] for name in self._heads}
        for (name, series), row in self._rows.items():
            of_family[name].append((series, row))
        for name, head in self._heads.items():
            yield head
            of_family[name].sort(key=lambda item: _group(item[0]))  # stable: the buckets of a histogram keep their order
            for _, members in groupby(of_family[name], key=lambda item: _group(item[0])):
                yield from self._of_group(name, list(members))
        yield "# EOF\n"

    def _of_group(self, name: str, members: list[tuple[Series, int]]) -> Iterator[str]:
        """All series of one set of labels, instant by instant."""
        prefixes = [prefix(name + suffix, labels) for (suffix, labels), _ in members]
        columns = [self._of_row(row) for _, row in members]
        for place, at in enumerate(self._instants):
            stamp = number(at / _SECOND)
            for before, values in zip(prefixes, columns, strict=True):
                value = float(values[place])
                if not math.isnan(value):
                    yield f"{before}{number(value)} {stamp}\n"

    def _of_row(self, row: int) -> NDArray[np.float64]:
        pieces = []
        for start, rows, instants in self._written:
            if row < rows:
                self._spool.seek(start + row * instants * 8)
                pieces.append(np.frombuffer(self._spool.read(instants * 8), np.float64))
            else:
                pieces.append(np.full(instants, np.nan))
        return np.concatenate(pieces)

    def _flush(self) -> None:
        if not self._waiting:
            return
        block = np.full((len(self._rows), len(self._waiting)), np.nan)
        for place, values in enumerate(self._waiting):
            block[np.fromiter(values.keys(), np.int64), place] = np.fromiter(values.values(), np.float64)
        self._written.append((self._spool.seek(0, 2), *block.shape))
        self._spool.write(block.tobytes())
        self._waiting = []


def _group(series: Series) -> Labels:
    """What tells a metric from others of its family: all labels but the bound of a bucket."""
    return tuple(label for label in series[1] if label[0] != "le")
