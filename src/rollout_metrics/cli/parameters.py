"""What the command line takes besides words and numbers: instants, durations, labels."""

import os
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


class Time(click.ParamType[Any]):
    """An instant."""

    name = "TIME"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Instant:
        """ISO 8601 with an offset."""
        if isinstance(value, int):
            return value
        try:
            return parse_instant(value)
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
