"""Pure derivation of every case against reading the same rows from SQLite."""

import sqlite3
import tempfile
from itertools import groupby
from pathlib import Path

from benchmarks.company import configuration
from benchmarks.desk import desk
from benchmarks.desk_server import serving
from benchmarks.land_ours import everything
from benchmarks.landing import NOW
from benchmarks.measure import by_turns, function, median, ratio, told
from rollout_metrics.derive.case import derive_each
from rollout_metrics.domain.policy import Workflow
from rollout_metrics.domain.time import Instant
from rollout_metrics.pipeline.garbage import leave_alone, quiet_collector
from rollout_metrics.store import open_store

ROUNDS = 5
ROWS = "SELECT case_source, case_id, source, event_id, occurred_at, revision, body FROM events ORDER BY case_source, case_id, occurred_at"


class Quiet:
    """Surroundings with nothing to look up."""

    def first_agent_at(self, _workflow: Workflow) -> Instant | None:
        """Long ago."""
        return 0

    def agent_seen(self, _workflow: Workflow, _start: Instant, _end: Instant) -> bool:
        """Always."""
        return True


def run(work: Path, *, full: bool) -> None:
    """In one process, by turns."""
    count = 200_000 if full else 40_000
    around = Quiet()
    quiet_collector()  # as the command line does
    leave_alone()
    with tempfile.TemporaryDirectory(dir=work) as scratch:
        path = Path(scratch) / "ours.db"
        with serving(desk(work, count)) as address:
            everything(address, f"sqlite:///{path}", NOW)
            settings = configuration(address)
        with open_store(f"sqlite:///{path}", clock=lambda: NOW) as store:
            company = settings.company(settings.pseudonyms(store.pseudonym_key()))
            as_of = {"": NOW} | {workflow.name: NOW for workflow in company.workflows}
            histories = list(store.all_histories())
            rows = sum(len(events) for _, events in histories)

            def plain() -> None:
                with sqlite3.connect(path) as connection:
                    for _, _case in groupby(connection.execute(ROWS), key=lambda row: (row[0], row[1])):
                        list(_case)

            def as_histories() -> None:
                for _ in store.all_histories():
                    pass

            def derived() -> None:
                for _ in derive_each(histories, company, as_of, around):
                    pass

            spent = by_turns({"derive": lambda: function(derived), "read": lambda: function(as_histories), "rows": lambda: function(plain)}, ROUNDS)
    found, bare = ratio(spent["derive"], spent["read"]), ratio(spent["derive"], spent["rows"])
    more = f"{median(spent['derive']) / rows * 1e6:.1f} us against {median(spent['read']) / rows * 1e6:.1f} us per row"
    size = f"n={rows:,} rows of {len(histories):,} cases, {ROUNDS} rounds"
    told("derivation", found, "at most 2x", met=found[0] <= 2, against="reading the same rows from SQLite as events, case by case", n=size, more=more)
    told(
        "derivation",
        bare,
        "none",
        met=True,
        against="fetching the bare rows with the driver, not one of them looked into",
        n=size,
        more=f"{median(spent['rows']) / rows * 1e6:.1f} us per row",
    )
