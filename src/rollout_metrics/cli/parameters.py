"""What the command line takes besides words and numbers: instants, durations, labels, files to write; and the options that commands share."""

import os
import re
from pathlib import Path
from typing import Any

import click

from rollout_metrics.cli.session import DEFAULT_CONFIG
from rollout_metrics.domain.time import Instant, parse_instant, parse_span

config_option = click.option(
    "--config",
    "file",
    type=click.Path(path_type=Path, dir_okay=False),
    default=lambda: os.environ.get("ROLLOUT_METRICS_CONFIG", DEFAULT_CONFIG),
    show_default=f"$ROLLOUT_METRICS_CONFIG or {DEFAULT_CONFIG}",
    help="The configuration file.",
)


_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")


class Output(click.Path):
    """A file to write, in a folder that is there: what cannot be written is told before the work, not after it."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        """A path."""
        path = Path(os.fsdecode(super().convert(value, param, ctx)))
        if not path.parent.is_dir():
            self.fail(f"there is no folder {path.parent}: make it, or name another", param, ctx)
        if not path.exists() and not os.access(path.parent, os.W_OK):
            self.fail(f"nothing can be written into {path.parent}: check its permissions, or name another folder", param, ctx)
        return path


OUTPUT = Output(path_type=Path, dir_okay=False, writable=True)


class Time(click.ParamType[Any]):
    """An instant."""

    name = "TIME"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Instant:
        """ISO 8601 with an offset, or a date: its midnight in UTC."""
        if isinstance(value, int):
            return value
        try:
            return parse_instant(f"{value}T00:00:00Z" if _DATE.fullmatch(value) else value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


class Span(click.ParamType[Any]):
    """A duration."""

    name = "DURATION"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Prometheus' style."""
        if isinstance(value, int):
            return value
        try:
            return parse_span(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


class Label(click.ParamType[Any]):
    """One label of a series."""

    name = "NAME=VALUE"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """A label's name and value."""
        if "=" not in value:
            self.fail(f"{value!r} is no label such as outcome=overridden", param, ctx)
        return str(value)


json_option = click.option("--json", "as_json_", is_flag=True, help="Print JSON.")
workflows_option = click.option("--workflow", "workflows", multiple=True, help="Only this workflow; may be given several times.")

as_of_option = click.option(
    "--as-of",
    "as_of",
    type=Time(),
    help="The instant, cut to the whole minute; default: each workflow's live T. It must have been read. How it was read then is not kept: no source counts as"
    " stale, and coverage is that of links and versions.",
)
