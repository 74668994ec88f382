"""Many rows of whole numbers at once: a batch of cases contributes tens of thousands, which one by one cost more to add up and sort than to write."""

from collections.abc import Callable, Sequence
from itertools import chain
from typing import TYPE_CHECKING

from rollout_metrics.store.codec import decode_counted

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Numbered = tuple[int, int, int, int]
"""`(workflow, minute, series, amount)`: a row of `counts`, by the numbers of names."""

Contributed = tuple[int, int, int]
"""`(series, minute, amount)`, by the series' number."""


class Difference:
    """What contributions change in all, still one by one."""

    def __init__(self) -> None:
        self._counted: list[Sequence[Contributed]] = []

    def add(self, counted: Sequence[Contributed]) -> None:
        """Count what is contributed."""
        self._counted.append(counted)

    def subtract(self, packed: bytes) -> None:
        """Take out what was contributed before."""
        self.add([(series, minute, -amount) for series, minute, amount in decode_counted(packed)])

    def rows(self, workflow_of: Callable[[int], int]) -> list[Numbered]:
        """The rows it changes, in their order, each once, without zeros. `workflow_of`: a series' workflow, by their numbers."""
        if not any(self._counted):
            return []
        import numpy as np  # not at the start of programs that only collect

        series, minutes, amounts = _columns(self._counted)
        numbers, places = np.unique(series, return_inverse=True)
        workflows = np.array([workflow_of(number) for number in numbers.tolist()])[places]
        order = np.lexsort((_place(minutes, series), workflows))
        columns = [column[order] for column in (workflows, minutes, series)]
        starts = np.flatnonzero(np.any([np.diff(column, prepend=-1) for column in columns], axis=0))
        sums = np.add.reduceat(amounts[order], starts)
        changed = np.flatnonzero(sums)
        return list(zip(*(column[starts[changed]].tolist() for column in columns), sums[changed].tolist(), strict=True))


class Postings:
    """What leads to cases, still case by case."""

    def __init__(self) -> None:
        self._posted: list[Sequence[Contributed]] = []
        self._places: list[int] = []

    def add(self, place: int, posted: Sequence[Contributed]) -> None:
        """Have these lead to the case at a place."""
        self._posted.append(posted)
        self._places.append(place)

    def rows(self, keys: Sequence[tuple[int, str]], leads: Callable[[int], bool]) -> list[tuple[int, int, int, str, int]]:
        """Rows of `receipts`, in order of series and minute. `keys`: the cases by place; `leads`: whether a series leads to cases at all."""
        if not any(self._posted):
            return []
        import numpy as np

        series, minutes, amounts = _columns(self._posted)
        numbers, which = np.unique(series, return_inverse=True)
        kept = np.flatnonzero(np.array([leads(number) for number in numbers.tolist()])[which])
        kept = kept[np.argsort(_place(series[kept], minutes[kept]), kind="stable")]
        places = np.repeat(self._places, [len(posted) for posted in self._posted])[kept].tolist()
        told = zip(series[kept].tolist(), minutes[kept].tolist(), map(keys.__getitem__, places), amounts[kept].tolist(), strict=True)
        return [(one, minute, source, case, amount) for one, minute, (source, case), amount in told]


def add(sums: dict[tuple[int, int], int], packed: bytes) -> None:
    """Add what was contributed to sums by `(series, minute)`."""
    for series, minute, amount in decode_counted(packed):
        sums[series, minute] = sums.get((series, minute), 0) + amount


def _columns(counted: Sequence[Sequence[Contributed]]) -> "NDArray[np.int64]":
    """Series, minutes and amounts of all of them, as rows of an array."""
    import numpy as np

    numbers = chain.from_iterable(chain.from_iterable(counted))
    return np.ascontiguousarray(np.fromiter(numbers, np.int64, 3 * sum(map(len, counted))).reshape(-1, 3).T)


def _place(first: "NDArray[np.int64]", second: "NDArray[np.int64]") -> "NDArray[np.int64]":
    """Two 32-bit columns as one to sort by."""
    return (first << 32) | second
