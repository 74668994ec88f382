"""A whole pass (landing, deriving, counts, snapshot) against landing alone."""

import tempfile
from pathlib import Path

from benchmarks.desk import desk
from benchmarks.desk_server import serving
from benchmarks.landing import NOW, each
from benchmarks.measure import by_turns, process, ratio, told

ROUNDS = 3


def run(work: Path, *, full: bool) -> None:
    """Whole processes by turns."""
    count = 100_000 if full else 50_000
    with serving(desk(work, count)) as address, tempfile.TemporaryDirectory(dir=work) as scratch:
        numbers = iter(range(1_000_000))
        arguments = lambda: ["-m", "benchmarks.land_ours", address, f"sqlite:///{scratch}/{next(numbers)}.db", str(NOW)]  # noqa: E731
        spent = by_turns({"everything": lambda: process([*arguments(), "everything"]), "landing": lambda: process(arguments())}, ROUNDS)
    found = ratio(spent["everything"], spent["landing"])
    more = f"{each(spent['everything'], count)} per event, {each(spent['landing'], count)} landing alone"
    told("whole pipeline", found, "at most 3x", met=found[0] <= 3, against="landing alone", n=f"n={count:,} events, {ROUNDS} rounds", more=more)
