"""A process that lands and derives until it is killed: run by the test of kill safety with a database URL. Says a line after each step."""

import sys

from builders import T0, after, ev
from rollout_metrics.domain.facts import CaseFacts
from rollout_metrics.store import Store, Update, open_store

BATCHES, EVENTS, CASES = 12, 400, 300
NOW = {"w": after("30d"), "": after("30d")}


def run(store: Store) -> None:
    """Go on where the progress says: land the next batch with its progress, derive what is due, count each event of a case once."""
    while (number := (store.progress("desk") or {"batch": 0})["batch"]) < BATCHES:
        batch = [ev(f"{number}m", "op-1", "commented", id=f"{number} {place}", case=str((number * 7 + place) % CASES)) for place in range(EVENTS)]
        store.land("desk", batch, progress={"batch": number + 1})
        sys.stdout.write("landed\n")
        sys.stdout.flush()
        derive(store)
    derive(store)


def derive(store: Store) -> None:
    """Replace everything due."""
    while due := store.due(NOW, limit=100):
        updates = [Update(CaseFacts(key, "w", after(0), (), None), [(("w", "events"), 1, len(events))]) for key, events in store.histories(due.keys)]
        store.replace(due, updates)
        sys.stdout.write("replaced\n")
        sys.stdout.flush()


if __name__ == "__main__":
    with open_store(sys.argv[1], clock=lambda: T0) as opened:
        run(opened)
