"""What the command line takes besides words and numbers: instants, durations, labels."""

import os
import re
from pathlib import Path
from typing import Any

import click

from rollout_metrics.cli.session import DEFAULT_CONFIG
from rollout_metrics.domain.errors import ConfigurationError
from rollout_metrics.domain.time import Instant, format_instant, parse_instant, parse_span
from rollout_metrics.pipeline import Pipeline
from rollout_metrics.pipeline.freshness import as_of_all

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


def known_workflows(pipeline: Pipeline, names: tuple[str, ...]) -> None:
    """Raise `ConfigurationError` for names that no workflow has."""
    known = [workflow.name for workflow in pipeline.company.workflows]
    unknown = [name for name in names if name not in known]
    if unknown:
        raise ConfigurationError(*(f"there is no workflow {name!r}: known are {', '.join(known) or 'none'}" for name in unknown))


def unread(pipeline: Pipeline, names: tuple[str, ...] = ()) -> list[str]:
    """What to say of those of the workflows named, or of all, whose sources have not been read yet: they have no figures."""
    reached = as_of_all(pipeline.company, pipeline.readings())
    return [
        f"{workflow.name}: its sources have not been read yet: run `rollout-metrics collect`"
        for workflow in pipeline.company.workflows
        if (not names or workflow.name in names) and not reached[workflow.name]
    ]


def read_until(pipeline: Pipeline, names: tuple[str, ...], at: Instant) -> None:
    """Raise `ConfigurationError` where these workflows, or any, have not been read up to `at`: figures would look final and be wrong."""
    if missing := unread(pipeline, names):
        raise ConfigurationError(*missing)
    reached = as_of_all(pipeline.company, pipeline.readings())
    short = [workflow.name for workflow in pipeline.company.workflows if (not names or workflow.name in names) and reached[workflow.name] < at]
    if short:
        raise ConfigurationError(
            *(
                f"workflow {name!r} has been read up to {format_instant(reached[name])} only:"
                f" {format_instant(at)} lies after that; name an earlier instant, collect first, or ask for other workflows with --workflow"
                for name in short
            )
        )
