"""What the command line takes besides words and numbers: instants, durations, labels."""

import os
from pathlib import Path
from typing import Any

import click

from rollout_metrics.cli.session import DEFAULT_CONFIG
from rollout_metrics.domain.errors import ConfigurationError
from rollout_metrics.domain.time import Instant, parse_instant, parse_span
from rollout_metrics.pipeline import Pipeline

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


json_option = click.option("--json", "as_json_", is_flag=True, help="Print JSON.")
workflows_option = click.option("--workflow", "workflows", multiple=True, help="Only this workflow; may be given several times.")


def known_workflows(pipeline: Pipeline, names: tuple[str, ...]) -> None:
    """Raise `ConfigurationError` for names that no workflow has."""
    known = [workflow.name for workflow in pipeline.company.workflows]
    unknown = [name for name in names if name not in known]
    if unknown:
        raise ConfigurationError(*(f"there is no workflow {name!r}: known are {', '.join(known) or 'none'}" for name in unknown))
