"""What a person at a terminal sees: progress on stderr as bars or plain lines, tables and JSON on stdout."""

import json
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from rollout_metrics.cli.drawn import PLAIN, Layout, drawn
from rollout_metrics.domain.errors import ConfigurationError

if TYPE_CHECKING:  # imported only where a terminal is attached
    from rich.progress import Progress

PLAIN_EVERY_SECONDS = 5.0


def say(text: str) -> None:
    """One line of talk, to stderr."""
    click.echo(text, err=True)


def data(text: str) -> None:
    """Data, to stdout."""
    click.echo(text)


def as_json(value: Any) -> None:
    """A value as JSON, to stdout."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=False, default=str))


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Files are written here, at or below `path`. Raises `ConfigurationError` where that cannot be."""
    try:
        yield
    except OSError as error:
        raise ConfigurationError(
            f"{error.filename or path} cannot be written ({error.strerror}): check the path, its permissions and the room on the disk"
        ) from None


def new_file(output: Path, text: str) -> None:
    """Write a file that is not there yet. Raises `ConfigurationError` where it is, or cannot be written."""
    with writing(output):
        output.parent.mkdir(parents=True, exist_ok=True)
        try:
            with output.open("x", encoding="utf-8") as file:
                file.write(text)
        except FileExistsError:
            raise ConfigurationError(f"{output}: is there already: choose another --output") from None


def table(columns: Sequence[str], rows: Sequence[Sequence[str]], layout: Layout = PLAIN) -> None:
    """A table on stdout: drawn at a terminal, tab-separated and whole where it is piped. Nothing in it is taken as markup."""
    if not sys.stdout.isatty():
        for row in (columns, *rows):
            click.echo("\t".join(row))
        return
    from rich.console import Console
    from rich.text import Text

    console = Console()
    for line in drawn(columns, rows, layout, console.width):
        console.print(Text(line.text, style="bold" if line.head else ""), soft_wrap=True)


class Bars:
    """Progress of several things at once. Calling it says how far one is: `done` of `of` (None: nobody knows)."""

    def __init__(self, progress: "Progress | None") -> None:
        self._progress = progress
        self._tasks: dict[str, Any] = {}
        self._said: dict[str, tuple[float, str]] = {}

    def __call__(self, name: str, done: float, of: float | None, note: str = "") -> None:
        """Show a state of affairs."""
        if self._progress is not None:
            if name not in self._tasks:
                self._tasks[name] = self._progress.add_task(name, total=of, note=note)
            self._progress.update(self._tasks[name], completed=done, total=of, note=note)
            return
        now = time.monotonic()
        finished = of is not None and done >= of
        text = f"{name}: {note}" + (f" ({done / of:.0%})" if of else "")
        last, said = self._said.get(name, (float("-inf"), ""))
        if text != said and (finished or now - last >= PLAIN_EVERY_SECONDS):
            self._said[name] = (now, text)
            say(text)


@contextmanager
def bars() -> Iterator[Bars]:
    """Progress bars while a terminal is attached, plain lines when not."""
    if not sys.stderr.isatty():
        yield Bars(None)
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description:<20}"), BarColumn(bar_width=30), TaskProgressColumn(), TextColumn("{task.fields[note]}"), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        yield Bars(progress)
