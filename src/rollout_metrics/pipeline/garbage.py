"""The cyclic garbage collector, set for work that makes millions of small objects and hardly a cycle."""

import gc

YOUNG = 500_000
"""New containers before a look at the young ones: more than a batch of cases holds, as a look in the midst of one goes through all of it and finds nothing.
Python's 700 costs a tenth of a pass."""


def quiet_collector() -> None:
    """Look for cycles rarely. Call it once at the start of a process, before its imports: looking for cycles is a tenth of them."""
    gc.set_threshold(YOUNG, 20, 20)


def leave_alone() -> None:
    """Never look for cycles among what is there by now. Call it when everything is imported, and at the end, where Python goes through all there is."""
    gc.freeze()


def collect_young() -> None:
    """Look for cycles now, as a pass is over and little of what it made is left to go through."""
    gc.collect(1)
