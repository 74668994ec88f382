"""The cyclic garbage collector, set for work that makes millions of small objects and hardly a cycle."""

import gc

YOUNG = 50_000
"""New containers before a look at the young ones; Python's 700 costs a tenth of a pass."""


def quiet_collector() -> None:
    """Look for cycles less often, and never again among what is there already: modules, configuration. Call it once at the start of a process."""
    gc.freeze()
    gc.set_threshold(YOUNG, 20, 20)
