"""Multisets of whole numbers for samples: one kept in order, one kept by time; both change at a cost that hardly depends on their size."""

from array import array
from bisect import bisect_left, insort
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from rollout_metrics.domain.time import HOUR, Instant

Numbers = NDArray[np.int64]

_CHUNK = 1024
_PARTS = 2
"""A log's entries lie flat in its chunks: instant, value."""


class Ordered:
    """Numbers in ascending order; from the first change on in chunks of some thousand, so that a change moves little memory."""

    __slots__ = ("_chunks", "_lasts", "_whole")

    def __init__(self, ascending: Numbers | None = None) -> None:
        """`ascending`: the numbers to begin with, in order."""
        self._whole: Numbers | None = np.empty(0, np.int64) if ascending is None else ascending
        self._chunks: list[array[int]] = []
        self._lasts: list[int] = []

    def add(self, number: int) -> None:
        """Put in one more."""
        self._split()
        if not self._chunks:
            self._chunks.append(array("q", (number,)))
            self._lasts.append(number)
            return
        place = min(bisect_left(self._lasts, number), len(self._lasts) - 1)
        chunk = self._chunks[place]
        insort(chunk, number)
        if len(chunk) > 2 * _CHUNK:
            self._chunks[place : place + 1] = [chunk[:_CHUNK], chunk[_CHUNK:]]
            self._lasts[place : place + 1] = [chunk[_CHUNK - 1], chunk[-1]]
        else:
            self._lasts[place] = chunk[-1]

    def discard(self, number: int) -> None:
        """Take out one. Raises `LookupError` where there is none."""
        self._split()
        place = bisect_left(self._lasts, number)
        chunk = self._chunks[place] if place < len(self._chunks) else array("q")
        within = bisect_left(chunk, number)
        if within == len(chunk) or chunk[within] != number:
            raise LookupError(f"{number} is not among the samples: load the figures again")
        del chunk[within]
        if chunk:
            self._lasts[place] = chunk[-1]
        else:
            del self._chunks[place], self._lasts[place]

    def numbers(self) -> Numbers:
        """All of them, ascending. Not to be written to."""
        if self._whole is None:
            pieces = [np.frombuffer(chunk.tobytes(), np.int64) for chunk in self._chunks]
            self._whole = np.concatenate(pieces) if pieces else np.empty(0, np.int64)
        return self._whole

    def first(self) -> int | None:
        """The least of them."""
        if self._whole is None:
            return self._chunks[0][0] if self._chunks else None
        return int(self._whole[0]) if len(self._whole) else None

    def between(self, after: int, up_to: int) -> Numbers:
        """Those in (after, up_to], ascending."""
        numbers = self.numbers()
        return numbers[np.searchsorted(numbers, after, "right") : np.searchsorted(numbers, up_to, "right")]

    def _split(self) -> None:
        """Before a change: what was loaded as a whole goes into chunks."""
        if not self._chunks and self._whole is not None:
            self._chunks = [array("q", piece.tobytes()) for piece in np.split(self._whole, range(_CHUNK, len(self._whole), _CHUNK)) if len(piece)]
            self._lasts = [chunk[-1] for chunk in self._chunks]
        self._whole = None


class Log:
    """Values by instant; from the first change on in chunks of an hour."""

    __slots__ = ("_hours", "_whole")

    def __init__(self, entries: Numbers | None = None) -> None:
        """Begin with these entries, rows of instant and value, in any order."""
        self._hours: dict[int, array[int]] = {}
        self._whole = None if entries is None or not len(entries) else entries[np.argsort(entries[:, 0], kind="stable")]

    def add(self, at: Instant, value: int) -> None:
        """Put in one more entry."""
        self._split()
        self._hours.setdefault(at // HOUR, array("q")).extend((at, value))

    def discard(self, at: Instant, value: int) -> None:
        """Take out one entry. Raises `LookupError` where there is none."""
        self._split()
        chunk = self._hours.get(at // HOUR, array("q"))
        for place in range(0, len(chunk), _PARTS):
            if chunk[place] == at and chunk[place + 1] == value:
                last = chunk.pop(), chunk.pop()
                if place < len(chunk):
                    chunk[place + 1], chunk[place] = last
                return
        raise LookupError(f"a sample of {at} is not there to be taken out: load the figures again")

    def between(self, after: Instant, up_to: Instant) -> Iterator[tuple[Instant, int]]:
        """The entries in (after, up_to], in no order."""
        self._split()
        for hour in range((after + 1) // HOUR, up_to // HOUR + 1):
            chunk = self._hours.get(hour)
            if chunk is not None:
                for place in range(0, len(chunk), _PARTS):
                    if after < chunk[place] <= up_to:
                        yield chunk[place], chunk[place + 1]

    def values(self, after: Instant, up_to: Instant) -> Numbers:
        """The values in (after, up_to], ascending."""
        if self._whole is not None:
            first, last = np.searchsorted(self._whole[:, 0], (after, up_to), "right")
            return np.sort(self._whole[first:last, 1])
        return np.sort(np.fromiter((value for _, value in self.between(after, up_to)), np.int64))

    def forget(self, up_to: Instant) -> None:
        """Drop whole hours that end by `up_to`."""
        self._split()
        for hour in [hour for hour in self._hours if (hour + 1) * HOUR <= up_to]:
            del self._hours[hour]

    def _split(self) -> None:
        """Before a change: what was loaded as a whole goes into chunks."""
        if self._whole is not None:
            hours, starts = np.unique(self._whole[:, 0] // HOUR, return_index=True)
            for hour, piece in zip(hours.tolist(), np.split(self._whole, starts[1:]), strict=True):
                self._hours[hour] = array("q", piece.tobytes())
            self._whole = None
