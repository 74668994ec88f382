"""Measuring by turns: CPU time of whole processes or of functions, medians and their spread, and one printed line per claim."""

import gc
import os
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import msgspec

Work = Callable[[], "float | None"]


class Spent(msgspec.Struct):
    """What one run cost: CPU seconds and, for a process, its peak memory in MB."""

    cpu: float
    peak: float = 0.0


def process(arguments: Sequence[str], *, python: str = sys.executable, server: Callable[[], float] = lambda: 0.0) -> Spent:
    """Run a Python program to its end; its CPU time with its children's, start-up included, and what `server` spent meanwhile."""
    before = server()
    child = os.posix_spawn(python, [python, *arguments], os.environ)
    _, status, used = os.wait4(child, 0)
    if status:
        raise RuntimeError(f"{' '.join(arguments)} failed")
    return Spent(used.ru_utime + used.ru_stime + server() - before, used.ru_maxrss / 1024)


def function(work: Callable[[], object], *, server: Callable[[], float] = lambda: 0.0) -> Spent:
    """Call a function; the CPU time of this process, and of `server`."""
    gc.collect()
    before, before_server = time.process_time(), server()
    work()
    return Spent(time.process_time() - before + server() - before_server)


def by_turns(sides: Mapping[str, Callable[[], Spent]], rounds: int) -> dict[str, list[Spent]]:
    """A B A B ...: every side once in each round."""
    spent: dict[str, list[Spent]] = {name: [] for name in sides}
    for _ in range(rounds):
        for name, run in sides.items():
            spent[name].append(run())
    return spent


def median(runs: Sequence[Spent]) -> float:
    """The median CPU time."""
    return statistics.median(run.cpu for run in runs)


def ratio(over: Sequence[Spent], under: Sequence[Spent]) -> tuple[float, float, float]:
    """The ratio of the medians, and the least and greatest of the rounds' own ratios."""
    each = [one.cpu / other.cpu for one, other in zip(over, under, strict=True)]
    return median(over) / median(under), min(each), max(each)


def told(claim: str, value: tuple[float, float, float], target: str, *, met: bool, against: str, n: str, more: str = "") -> None:
    """Print one measured claim."""
    found, least, greatest = value
    words = [f"{'ok  ' if met else 'MISS'} {claim}: {found:.2f}x ({least:.2f} to {greatest:.2f}), target {target}", n, f"against {against}"]
    print("; ".join([*words, more] if more else words), flush=True)


def server_cpu(data: Path) -> float:
    """CPU seconds of a PostgreSQL server and all its processes so far, those that ended included."""
    parent = (data / "postmaster.pid").read_text().splitlines()[0]
    ticks = 0
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if entry.name == parent:
                ticks += sum(int(field) for field in fields[11:15])
            elif fields[1] == parent:
                ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def process_cpu(number: int) -> float:
    """CPU seconds of a running process so far."""
    fields = Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
