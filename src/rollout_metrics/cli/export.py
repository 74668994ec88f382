"""The verb that writes the months before installation for Prometheus."""

import tempfile
from pathlib import Path

import click

from rollout_metrics.cli import glance
from rollout_metrics.cli.answerable import known_workflows
from rollout_metrics.cli.parameters import OUTPUT, Span, Time, config_option, workflows_option
from rollout_metrics.cli.session import clock, opened, read_configuration
from rollout_metrics.cli.talk import bars, say
from rollout_metrics.domain.errors import ConfigurationError
from rollout_metrics.domain.time import DAY, HOUR, MINUTE, Instant, floor_minute
from rollout_metrics.pipeline.back_fill import families_at, instants
from rollout_metrics.publish.history import History

RECENT = 3 * HOUR
"""What a running Prometheus still has in memory; blocks must not reach into it."""


@click.command()
@config_option
@click.option("--since", type=Time(), help="The first instant; default: 90 days before the last.")
@click.option("--until", type=Time(), help="The last instant; default: three hours ago, since Prometheus writes what is younger itself.")
@click.option("--step", type=Span(), default="1h", show_default=True, help="From one instant to the next, whole minutes.")
@workflows_option
@click.option("--output", type=OUTPUT, help="A file to write; default: standard output.")
def export(file: Path, since: Instant | None, until: Instant | None, step: int, workflows: tuple[str, ...], output: Path | None) -> None:  # noqa: PLR0917
    """Write every figure as it was at many instants, as OpenMetrics for `promtool tsdb create-blocks-from openmetrics`."""
    last = floor_minute(clock() - RECENT if until is None else until)
    first = floor_minute(last - 90 * DAY if since is None else since)
    if step < MINUTE or step % MINUTE:
        raise ConfigurationError("--step: figures hold at whole minutes, so a step is one or more whole minutes, as 1h")
    if first > last:
        raise ConfigurationError("--since lies after --until: there is nothing to write")
    configuration = read_configuration(file)
    with opened(configuration) as pipeline, bars() as watch, tempfile.TemporaryFile(prefix="rollout-metrics-") as spool:
        known_workflows(pipeline, workflows)
        history = History(spool)
        for at, families in families_at(pipeline, instants(first, last, step), watch=watch):
            history.add(at, glance.only(families, workflows))
        with click.open_file(str(output) if output else "-", "w", encoding="utf-8") as stream:
            for line in history.lines():
                stream.write(line)
    say(f"{len(instants(first, last, step)):,} instants written")
