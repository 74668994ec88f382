"""Lands a desk the way a pass does and nothing more: `python -m benchmarks.land_ours ADDRESS DATABASE-URL NOW [EVERYTHING]`; with a fourth word it goes
through the whole pipeline: derived, counted, one snapshot published."""

import sys

from rollout_metrics.pipeline.garbage import leave_alone, quiet_collector


def land(address: str, url: str, now: int) -> None:
    """Source, sweep, pseudonyms, store."""
    from benchmarks.company import configuration
    from rollout_metrics.collect.http import Api
    from rollout_metrics.collect.sweep import Sweep, run
    from rollout_metrics.pipeline.landing import Landing
    from rollout_metrics.store import open_store

    leave_alone()
    settings = configuration(address)
    source = settings.sources["desk"]
    endpoint = source.endpoint()
    assert endpoint is not None
    with open_store(url, clock=lambda: now) as store:
        pseudonyms = settings.pseudonyms(store.pseudonym_key())
        store.configure(settings.company(pseudonyms))
        sweep = Sweep()
        landing = Landing(store, "desk", pseudonyms, sweep, {})
        run(source, Api(endpoint), store.progress("desk"), lambda: now, landing, sweep=sweep)
        landing.commit()


def everything(address: str, url: str, now: int) -> None:
    """One whole pass."""
    from benchmarks.company import configuration
    from rollout_metrics.pipeline import Pipeline
    from rollout_metrics.publish.self_metrics import SelfMetrics
    from rollout_metrics.publish.snapshot import Board
    from rollout_metrics.store import open_store

    leave_alone()
    board = Board()
    with open_store(url, clock=lambda: now) as store:
        collected = Pipeline(configuration(address), store, lambda: now, board, SelfMetrics("1")).collect("desk")
    assert collected.error is None, collected.error
    assert board.snapshot is not None


if __name__ == "__main__":
    quiet_collector()  # as the command line does, before it imports what it needs
    (everything if len(sys.argv) > 4 else land)(sys.argv[1], sys.argv[2], int(sys.argv[3]))
    leave_alone()
