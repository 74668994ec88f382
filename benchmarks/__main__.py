"""`python -m benchmarks [NAME...] [--full]`: landing, whole, stages, derivation, passes, windows, exposition, pages, spikes, gates, translation, review.

All in a few minutes unless `--full`.
"""

import argparse
import compileall
import platform
import sys
import time
from importlib import import_module
from os import cpu_count
from pathlib import Path

NAMES = ("landing", "whole", "stages", "derivation", "passes", "windows", "exposition", "pages", "spikes", "gates", "translation", "review")


def main() -> None:
    """Run what is named, everything by default."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Ratios from interleaved runs; CPU time, medians, (least to greatest).")
    parser.add_argument("names", nargs="*", choices=[*NAMES, []], help=", ".join(NAMES))
    parser.add_argument("--full", action="store_true", help="sizes of millions: takes an hour or more")
    parser.add_argument("--work", type=Path, default=Path("bench-work"), help="folder for pages and databases")
    options = parser.parse_args()
    sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))  # its `servers` make a private PostgreSQL
    here = Path(__file__).parent
    for package in (here, here.parent / "src"):  # as it is where pip installed it: no process compiles what it imports
        compileall.compile_dir(package, quiet=2)
    options.work = options.work.resolve()
    options.work.mkdir(exist_ok=True)
    print(f"Python {platform.python_version()}, {cpu_count()} cores")
    for name in options.names or NAMES:
        begun = time.monotonic()
        import_module(f"benchmarks.{name}").run(options.work, full=options.full)
        print(f"     {name} took {time.monotonic() - begun:.0f} s", flush=True)


if __name__ == "__main__":
    main()
