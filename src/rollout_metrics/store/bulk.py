"""Many rows of whole numbers at once: a batch of cases contributes tens of thousands, which one by one cost more to add up and sort than to write."""

from collections.abc import Callable, Iterable, Sequence
from itertools import chain
from typing import TYPE_CHECKING

from rollout_metrics.store.codec import decode_counted

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Numbered = tuple[int, int, int, int]
"""`(workflow, minute, series, amount)`: a row of `counts`, by the numbers of names."""


class Difference:
    """What contributions change in all, still one by one: `(series, minute, amount)`."""

    def __init__(self) -> None:
        self._numbers: list[int] = []

    def add(self, counted: Iterable[tuple[int, int, int]]) -> None:
        """Count what is contributed."""
        self._numbers.extend(chain.from_iterable(counted))

    def subtract(self, packed: bytes) -> None:
        """Take out what was contributed before."""
        self.add((series, minute, -amount) for series, minute, amount in decode_counted(packed))

    def rows(self, workflow_of: Callable[[int], int]) -> list[Numbered]:
        """The rows it changes, in their order, each once, without zeros. `workflow_of`: a series' workflow, by their numbers."""
        if not self._numbers:
            return []
        import numpy as np  # not at the start of programs that only collect

        series, minutes, amounts = _columns(self._numbers, 3)
        numbers, places = np.unique(series, return_inverse=True)
        workflows = np.array([workflow_of(number) for number in numbers.tolist()])[places]
        order = np.lexsort((_place(minutes, series), workflows))
        columns = [column[order] for column in (workflows, minutes, series)]
        starts = np.flatnonzero(np.any([np.diff(column, prepend=-1) for column in columns], axis=0))
        sums = np.add.reduceat(amounts[order], starts)
        changed = np.flatnonzero(sums)
        return list(zip(*(column[starts[changed]].tolist() for column in columns), sums[changed].tolist(), strict=True))


def add(sums: dict[tuple[int, int], int], packed: bytes) -> None:
    """Add what was contributed to sums by `(series, minute)`."""
    for series, minute, amount in decode_counted(packed):
        sums[series, minute] = sums.get((series, minute), 0) + amount


def in_order(numbers: Sequence[int]) -> Iterable[tuple[int, ...]]:
    """Rows of `series, minute` and two more, given one after another, in order of series and minute."""
    if not numbers:
        return ()
    import numpy as np

    columns = _columns(numbers, 4)
    order = np.argsort(_place(columns[0], columns[1]), kind="stable")
    return zip(*(column[order].tolist() for column in columns), strict=True)


def _columns(numbers: Sequence[int], width: int) -> "NDArray[np.int64]":
    import numpy as np

    return np.ascontiguousarray(np.fromiter(numbers, np.int64, len(numbers)).reshape(-1, width).T)


def _place(first: "NDArray[np.int64]", second: "NDArray[np.int64]") -> "NDArray[np.int64]":
    """Two 32-bit columns as one to sort by."""
    return (first << 32) | second
