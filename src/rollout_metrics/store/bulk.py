"""Many rows of whole numbers at once: a batch of cases contributes tens of thousands, which one by one cost more to add up and sort than to write."""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from itertools import accumulate, chain, pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

from rollout_metrics.domain.time import MINUTE
from rollout_metrics.store.codec import decode_counted

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Column = NDArray[np.int64]

Numbered = tuple[int, int, int, int]
"""`(workflow, minute, series, amount)`: a row of `counts`, by the numbers of names."""

Contributed = tuple[int, int, int]
"""`(series, minute, amount)`, by the series' number."""


class Contributions(NamedTuple):
    """What cases contribute to series in minutes, column by column; cases go by their places in a batch."""

    series: "Column"
    minutes: "Column"
    places: "Column"
    amounts: "Column"

    def __add__(self, others: "Contributions") -> "Contributions":  # type: ignore[override]
        import numpy as np  # not at the start of programs that only collect

        return Contributions(*map(np.concatenate, zip(self, others, strict=True)))

    def __neg__(self) -> "Contributions":
        return self._replace(amounts=-self.amounts)

    def where(self, chosen: "NDArray[np.bool_] | NDArray[np.intp]") -> "Contributions":
        """Some of the rows."""
        return Contributions(*(column[chosen] for column in self))

    def at(self, chosen: Sequence[bool]) -> "Contributions":
        """The rows of some places."""
        import numpy as np

        return self.where(np.array(chosen, bool)[self.places])

    def of(self, wanted: Callable[[int], bool]) -> "Contributions":
        """The rows of wanted series, by their numbers."""
        import numpy as np

        numbers, which = np.unique(self.series, return_inverse=True)
        return self.where(np.array([wanted(number) for number in numbers.tolist()], bool)[which])

    def sums(self) -> "Contributions":
        """Each series, minute and place once and in this order, without zeros."""
        return Contributions(*_sums(*self))

    def by_place(self, number: int) -> list[list[Contributed]]:
        """The rows of each of so many places."""
        import numpy as np

        ordered = self.where(np.argsort(self.places.astype(np.min_scalar_type(number)), kind="stable"))
        rows = list(zip(ordered.series.tolist(), ordered.minutes.tolist(), ordered.amounts.tolist(), strict=True))
        ends = accumulate(np.bincount(self.places, minlength=number).tolist(), initial=0)
        return [rows[start:end] for start, end in pairwise(ends)]

    def counts(self, workflow_of: Callable[[int], int]) -> list[Numbered]:
        """The rows of `counts` that they change, in order, each once, without zeros. `workflow_of`: a series' workflow, by their numbers."""
        import numpy as np

        numbers, which = np.unique(self.series, return_inverse=True)
        workflows = np.array([workflow_of(number) for number in numbers.tolist()], np.int64)[which]
        return list(zip(*(column.tolist() for column in _sums(workflows, self.minutes, self.series, self.amounts)), strict=True))


class Collected:
    """Rows of cases as they come, each a name and whole numbers. The names are numbered at once, since later they cost three times as much."""

    def __init__(self, width: int) -> None:
        """`width`: of a row, with its name."""
        self._names = _Numbering()
        self._columns: tuple[list[int], ...] = tuple([] for _ in range(width))
        self.lengths: list[int] = []
        """How many rows each case has; the rows of one follow those of another."""

    def take(self, rows: Collection[tuple[Any, *tuple[int, ...]]]) -> None:
        """The rows of the next case."""
        self.lengths.append(len(rows))
        if rows:
            names, *others = zip(*rows, strict=True)
            for column, numbers in zip(self._columns, (map(self._names.__getitem__, names), *others), strict=True):
                column.extend(numbers)

    def columns(self, numbers: Callable[[list[Any]], list[int]]) -> "list[Column]":
        """All rows, column by column. `numbers`: those that names really have."""
        import numpy as np

        names, *others = (np.array(column, np.int64) for column in self._columns)
        return [np.array(numbers(list(self._names)), np.int64)[names], *others]


class _Numbering(dict[Any, int]):
    """Names in the order in which they were met."""

    def __missing__(self, name: Any) -> int:
        number = self[name] = len(self)
        return number


def contributions(columns: "Sequence[Column]", lengths: Sequence[int]) -> Contributions:
    """Columns of series, minutes and amounts of cases, each with so many rows."""
    import numpy as np

    series, minutes, amounts = columns
    return Contributions(series, minutes, np.repeat(np.arange(len(lengths)), lengths), amounts)


class Samples(NamedTuple):
    """The samples of cases, by their places in a batch: rows of `SAMPLE_WIDTH` numbers, of which the first is the series', the second an instant."""

    rows: "NDArray[np.int64]"
    lengths: Sequence[int]
    """How many each place has; one after another they are the rows."""

    def contributions(self) -> Contributions:
        """How many there are by series and minute."""
        import numpy as np

        places = np.repeat(np.arange(len(self.lengths)), self.lengths)
        return Contributions(self.rows[:, 0], -(-self.rows[:, 1] // MINUTE), places, np.ones_like(places))

    def packed(self) -> Iterator[bytes]:
        """Those of each place, the numbers one after another with 64 bits: many cases' are read as one array."""
        rows = self.rows.astype("<i8")
        for start, end in pairwise(accumulate(self.lengths, initial=0)):
            yield rows[start:end].tobytes()


def unpacked(packed: Iterable[bytes]) -> Contributions:
    """What was contributed, as it is stored for each place."""
    import numpy as np

    rows = [decode_counted(one) for one in packed]
    flat = np.fromiter(chain.from_iterable(chain.from_iterable(rows)), np.int64).reshape(-1, 3)
    return contributions(list(flat.T), list(map(len, rows)))


def exchanged(now: Contributions, before: Contributions) -> tuple[Contributions, Contributions]:
    """The rows of `now` that are new or have another amount, in order, and those of `before` that are no more. Both have each row once."""
    import numpy as np

    rows = now + -before
    order = _order(*rows[:3], stable=True)  # so that of two for one place that of `now` is the first
    starts = _starts(*(column[order] for column in rows[:3]))
    first = order[starts][np.add.reduceat(rows.amounts[order], starts) != 0] if starts.size else order
    return rows.where(first[first < now.series.size]), -rows.where(first[first >= now.series.size])


def add(sums: dict[tuple[int, int], int], packed: bytes) -> None:
    """Add what was contributed to sums by `(series, minute)`."""
    for series, minute, amount in decode_counted(packed):
        sums[series, minute] = sums.get((series, minute), 0) + amount


def _sums(*columns: "Column") -> "list[Column]":
    """Rows added up that are alike but for their last column, in order, without zeros."""
    import numpy as np

    if not columns[0].size:
        return list(columns)
    order = _order(*columns[:-1])
    *keys, amounts = (column[order] for column in columns)
    starts = _starts(*keys)
    sums = np.add.reduceat(amounts, starts)
    return [*(key[starts[sums != 0]] for key in keys), sums[sums != 0]]


def _order(*columns: "Column", stable: bool = False) -> "NDArray[np.intp]":
    """How to put rows in order of columns. As one number each they are sorted ten times as fast."""
    import numpy as np

    places, size = np.zeros_like(columns[0]), 1
    for column in columns if columns[0].size else ():
        low = column.min()
        spread = int(column.max() - low) + 1
        size *= spread
        places = places * spread + (column - low)
    if size >= 2**63:
        return np.lexsort(columns[::-1])
    return np.argsort(places, kind="stable" if stable else None)


def _starts(*columns: "Column") -> "NDArray[np.intp]":
    """Where rows in order differ from the row before."""
    import numpy as np

    differs = np.ones(columns[0].size, bool)
    if differs.size:
        differs[1:] = np.any([column[1:] != column[:-1] for column in columns], axis=0)
    return np.flatnonzero(differs)
