"""Landing pages in the store, against dlt's merge into the same kind of database and against a hand-written floor."""

import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from benchmarks.desk import START, desk
from benchmarks.desk_server import serving
from benchmarks.measure import Spent, by_turns, median, process, ratio, server_cpu, told

DLT = ".venv-bench/bin/python"
NOW = (START + 13 * 86_400 + 120) * 1_000_000
ROUNDS = 3


def run(work: Path, *, full: bool) -> None:
    """Every comparison of landing; with `full` also a million events, for memory."""
    count = 100_000
    sqlite(work, count)
    postgresql(work, count)
    sqlite(work, 20_000 if not full else count, texts=True)
    if full:
        memory(work, 1_000_000)


def sqlite(work: Path, count: int, *, texts: bool = False) -> None:
    """Into SQLite."""
    folder = desk(work, count, texts=texts)
    with serving(folder) as address, tempfile.TemporaryDirectory(dir=work) as scratch:
        numbers = iter(range(1_000_000))
        urls = lambda: f"sqlite:///{scratch}/{next(numbers)}.db"  # noqa: E731
        compare("SQLite" + (", comments with their texts" if texts else ""), folder, address, urls, lambda: 0.0, scratch, (6, 1.6), count, texts=texts)


def postgresql(work: Path, count: int) -> None:
    """Into PostgreSQL, client and server together."""
    from servers import postgres, postgres_programs

    if postgres_programs() is None:
        print("skip landing in PostgreSQL: no server is installed (15 or newer)")
        return
    folder = desk(work, count)
    with serving(folder) as address, postgres() as server, tempfile.TemporaryDirectory(dir=work) as scratch:
        compare("PostgreSQL, client and server", folder, address, server.new_database, lambda: server_cpu(server.data), scratch, (5, None), count, texts=False)


def compare(
    what: str, folder: Path, address: str, database: Callable[[], str], server: Callable[[], float], scratch: str, targets: tuple[float, float | None],
    count: int, *, texts: bool,
) -> None:  # fmt: skip
    """Ours, the floor and dlt by turns."""
    pages = str(len(list(folder.glob("*.json.gz"))))
    numbers = iter(range(1_000_000))
    sides: dict[str, Callable[[], Spent]] = {
        "ours": lambda: process(["-m", "benchmarks.land_ours", address, database(), str(NOW)], server=server),
        "floor": lambda: process(["-m", "benchmarks.land_floor", address, database()], server=server),
    }
    spent = by_turns(sides, ROUNDS)
    more = f"{each(spent['ours'], count)} here, {each(spent['floor'], count)} there; peak {max(run.peak for run in spent['ours']):.0f} MB"
    size = f"n={count:,} events, {ROUNDS} rounds"
    found = ratio(spent["ours"], spent["floor"])
    wanted = targets[1]
    told(
        f"landing, {what}",
        found,
        "none" if wanted is None or texts else f"at most {wanted}x",
        met=wanted is None or texts or found[0] <= wanted,
        against="the hand-written floor",
        n=size,
        more=more,
    )
    if texts:
        return
    if not Path(DLT).exists():
        print(f"skip dlt: {DLT} is not there; `make bench` makes it")
        return
    sides = {
        "dlt": lambda: process(["benchmarks/land_dlt.py", address, database(), f"{scratch}/dlt{next(numbers)}", pages], python=DLT, server=server),
        "ours": sides["ours"],
    }
    spent = by_turns(sides, 1 if count > 50_000 else ROUNDS)
    found = ratio(spent["dlt"], spent["ours"])
    told(
        f"landing, {what}, dlt over ours",
        found,
        f"at least {targets[0]}x",
        met=found[0] >= targets[0],
        against="dlt rest_api, merge",
        n=f"n={count:,} events, {len(spent['dlt'])} round(s)",
        more=f"dlt {each(spent['dlt'], count)}",
    )


def memory(work: Path, count: int) -> None:
    """Peak memory of a large landing against a tenth of it."""
    peaks = []
    for size in (count // 10, count):
        with serving(desk(work, size)) as address, tempfile.TemporaryDirectory(dir=work) as scratch:
            spent = process(["-m", "benchmarks.land_ours", address, f"sqlite:///{scratch}/ours.db", str(NOW)])
            peaks.append(spent.peak)
            print(
                f"{'ok  ' if spent.peak < 200 else 'MISS'} memory landing {size:,} events: peak {spent.peak:.0f} MB, target under 200; "
                f"{spent.cpu / size * 1e6:.1f} us CPU per event",
                file=sys.stdout,
                flush=True,
            )


def each(runs: list[Spent], count: int) -> str:
    """CPU per event."""
    return f"{median(runs) / count * 1e6:.1f} us"
