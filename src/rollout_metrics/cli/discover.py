"""The verb that writes a first workflow: a bounded look at sources, nothing stored, a commented file."""

import time
from pathlib import Path

import click

from rollout_metrics.cli.parameters import Span, config_option, json_option
from rollout_metrics.cli.session import clock, connection, read_configuration
from rollout_metrics.cli.talk import as_json, bars, data, new_file, say
from rollout_metrics.collect.sample import Bounds, Sample, sample
from rollout_metrics.config.load import Configuration
from rollout_metrics.domain.errors import ConfigurationError
from rollout_metrics.domain.time import SECOND


@click.command()
@click.argument("sources", nargs=-1, required=True, metavar="SOURCE...")
@config_option
@click.option("--depth", type=Span(), default="14d", show_default=True, help="How far back to look.")
@click.option("--events", type=click.IntRange(1), default=50_000, show_default=True, help="Look no further after so many events of a source.")
@click.option("--pages", type=click.IntRange(1), default=500, show_default=True, help="Look no further after so many pages of a source.")
@click.option("--time", "span", type=Span(), default="5m", show_default=True, help="Look no further after so long at a source.")
@click.option("--output", type=click.Path(path_type=Path, dir_okay=False), help="A new file to write; default: standard output.")
@json_option
def discover(sources: tuple[str, ...], file: Path, depth: int, events: int, pages: int, span: int, output: Path | None, as_json_: bool) -> None:  # noqa: PLR0917
    """Write a first workflow file from a bounded sample: agents, what they decide, queues, closing states, escalations, authority, fitness.

    SOURCE is the ticketing system; name the agent's runtime and approval desk beside it, where they are sources of their own. The configuration needs only
    `sources`. Nothing is stored and no sweep is moved. What is printed can be appended to the configuration, or be put below its `workflows`.
    """
    from rollout_metrics.discover import values, written  # only this verb waits for its import
    from rollout_metrics.pipeline.discovering import discover as discover_workflows

    if as_json_ and output is not None:
        raise click.UsageError("--json and --output are two outputs: choose one")
    configuration = read_configuration(file)
    bounds = Bounds(depth, pages, events, span / SECOND)
    samples = [_sample(configuration, name, bounds) for name in _wanted(configuration, sources)]
    for one in samples:
        for sentence in one.lacking:
            say(f"{one.source} lacks: {sentence}")
    findings, results = discover_workflows(configuration, samples, depth=depth)
    if as_json_:
        as_json(values(findings, results))
        return
    command = f"rollout-metrics discover {' '.join(sources)}"
    text = written(findings, results, command=command, beside=bool(configuration.settings.workflows))
    if output is None:
        data(text.rstrip("\n"))
        return
    new_file(output, text)
    say(f"{output} is written: read it, then put it into {file}")


def _wanted(configuration: Configuration, names: tuple[str, ...]) -> list[str]:
    problems = []
    for name in names:
        source = configuration.sources.get(name)
        if source is None:
            problems.append(f"there is no source {name!r}: known are {', '.join(sorted(configuration.sources)) or 'none'}")
        elif not source.pulled:
            problems.append(
                f"{name} is sent to us, so that there is nothing to look at: discover the ticketing source, and add {name} to the workflow's sources"
            )
    if problems:
        raise ConfigurationError(*problems)
    return list(dict.fromkeys(names))


def _sample(configuration: Configuration, name: str, bounds: Bounds) -> Sample:
    began = time.monotonic()
    source = configuration.sources[name]
    with bars() as watch:
        found = sample(
            source,
            connection(source),
            bounds,
            now=clock(),
            elapsed=lambda: time.monotonic() - began,
            watch=lambda pages, events: watch(name, events, None, f"{events:,} events, {pages:,} pages"),
        )
        watch(name, 1, 1, f"{len(found.events):,} events, {found.pages:,} pages")
    return found
