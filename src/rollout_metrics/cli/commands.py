"""The verbs, each a thin skin over the library."""

from pathlib import Path

import click

from rollout_metrics import __version__
from rollout_metrics.catalog import DEFINITIONS, NO_WORKFLOW
from rollout_metrics.cli import glance, ladder
from rollout_metrics.cli.alerting import alert_files
from rollout_metrics.cli.answerable import known_workflows, read_until, unread
from rollout_metrics.cli.changes import changes as change_commands
from rollout_metrics.cli.dashboards import dashboards as dashboard_commands
from rollout_metrics.cli.discover import discover
from rollout_metrics.cli.export import export
from rollout_metrics.cli.parameters import Label, Span, Time, as_of_option, config_option, json_option, workflows_option
from rollout_metrics.cli.reviews import review as review_commands
from rollout_metrics.cli.session import clock, connection, database_url, opened, opened_store, read_configuration
from rollout_metrics.cli.talk import as_json, bars, data, say, table
from rollout_metrics.cli.verbs import Verbs
from rollout_metrics.collect.source import Source
from rollout_metrics.collect.sweep import probe
from rollout_metrics.config.model import AlertOptions, Settings
from rollout_metrics.config.privacy import terms
from rollout_metrics.domain.errors import ConfigurationError, CredentialsError, RolloutMetricsError
from rollout_metrics.domain.time import Instant, floor_minute
from rollout_metrics.generate import configuration_schema
from rollout_metrics.generate import generate as generate_files
from rollout_metrics.overview import Values, at_a_glance
from rollout_metrics.overview.evidence import Asked, Wanted, metric_named
from rollout_metrics.overview.status import windows
from rollout_metrics.overview.told import COLUMNS, source_values, status_rows, status_values
from rollout_metrics.pipeline import Pipeline
from rollout_metrics.pipeline.as_of import families_as_of
from rollout_metrics.pipeline.evidence import explain as explain_figure
from rollout_metrics.pipeline.reach import source_states
from rollout_metrics.publish.exposition import Renderer
from rollout_metrics.sources import find
from rollout_metrics.sources import kinds as known_kinds
from rollout_metrics.store import upgrade

FAILED = 1


@click.group(cls=Verbs, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
def program() -> None:
    """Is the team still trusting its AI agent? Rollout health from ticketing and CRM audit trails."""


program.add_command(change_commands)
program.add_command(alert_files)
program.add_command(discover)
program.add_command(export)
program.add_command(dashboard_commands)
program.add_command(review_commands)
for _ladder_command in ladder.COMMANDS:
    program.add_command(_ladder_command)


@program.command()
@config_option
def run(file: Path) -> None:
    """Collect on schedule and serve the figures until stopped (SIGTERM, Ctrl-C); SIGHUP reads the configuration again."""
    from rollout_metrics.cli import serve  # web framework and scheduler: only the verbs that need them wait for their import

    serve.run(lambda: read_configuration(file))


@program.command()
@config_option
@click.option("--source", "names", multiple=True, help="Only this source; may be given several times.")
@click.option("--since", type=Time(), help="Read again from here.")
@json_option
def collect(file: Path, names: tuple[str, ...], since: Instant | None, as_json_: bool) -> int:
    """Sweep the sources once and derive what changed."""
    configuration = read_configuration(file)
    with opened(configuration) as pipeline, bars() as watch:
        wanted = [name for name in _wanted(pipeline, names) if pipeline.sources[name].pulled]
        collected = [pipeline.sweep(name, since=since, watch=watch) for name in wanted]
        unread = pipeline.read_harm()
        failed = pipeline.refresh(watch=watch)
    rows = [glance.collected(item) for item in collected]
    if as_json_:
        as_json(rows)
    else:
        table(glance.COLLECTED, [tuple(f"{value:,}" if isinstance(value, int) else value for value in row.values()) for row in rows], glance.COLLECTED_LAYOUT)
    if rejected := sum(row["rejected"] for row in rows):
        say(f"records set aside: {rejected:,}; `rollout-metrics quarantine list` says where they stood and why")
    if failed is not None:
        say(f"the figures could not be refreshed: {failed}")
    for problem in unread:
        say(problem)
    return FAILED if failed is not None or unread or any(item.error for item in collected) else 0


def _wanted(pipeline: Pipeline, names: tuple[str, ...]) -> list[str]:
    unknown = [name for name in names if name not in pipeline.sources]
    if unknown:
        raise ConfigurationError(*(f"there is no source {name!r}: known are {', '.join(sorted(pipeline.sources)) or 'none'}" for name in unknown))
    return list(names) or sorted(pipeline.sources)


@program.command()
@config_option
@click.option("--connect", is_flag=True, help="Also try each source's credentials and permissions.")
def check(file: Path, connect: bool) -> int:
    """Check the configuration, without network; with --connect, also what each source lets us read."""
    configuration = read_configuration(file)
    found = {"sources": configuration.sources, "workflows": configuration.settings.workflows, "changes": configuration.changes}
    say(f"{file}: no problems ({', '.join(f'{name}: {len(items)}' for name, items in found.items())})")
    if not connect:
        return 0
    rows: list[tuple[str, str, str]] = []
    for name, source in sorted(configuration.sources.items()):
        if not source.pulled:
            rows.append((name, "waits", "events are pushed to us"))
            continue
        try:
            api = connection(source)
            rows.append((name, "works", probe(source, api, clock())))
            rows += [(name, "lacks", sentence) for sentence in (source.lacking(api) if api is not None else ())]
        except CredentialsError as error:
            rows.append((name, "refused", str(error)))
        except RolloutMetricsError as error:
            rows.append((name, "fails", str(error)))
    table(("source", "state", "what was found"), rows)
    return FAILED if any(state in ("refused", "fails", "lacks") for _, state, _ in rows) else 0


@program.command()
@config_option
@json_option
def sources(file: Path, as_json_: bool) -> None:
    """How far each source has been read."""
    configuration = read_configuration(file)
    with opened(configuration) as pipeline:
        rows = source_values(source_states(pipeline.store, pipeline.sources, pipeline.readings()))
    if as_json_:
        as_json(rows)
        return
    table(
        glance.SOURCES,
        [tuple(str(row[column] if row[column] is not None else "-") for column in glance.SOURCES) for row in rows],
        glance.SOURCES_LAYOUT,
    )
    for row in rows:
        for refused in row["refused"]:
            say(f"source {row['source']} is not read whole since {refused['since']}: {refused['message']}")


@program.command()
@config_option
@click.option("--window", help="A window such as 7d; default: 28d where the workflow has it.")
@workflows_option
@json_option
def status(file: Path, window: str | None, workflows: tuple[str, ...], as_json_: bool) -> int:
    """Every workflow at a glance: level, key rates with interval and number of cases, trends, what stands out; the pages show the same."""
    configuration = read_configuration(file)
    with opened(configuration) as pipeline, bars() as watch:
        known_workflows(pipeline, workflows)
        _known_window(pipeline, window)
        picture = pipeline.picture(watch=watch)
        chosen = [workflow for workflow in pipeline.company.workflows if not workflows or workflow.name in workflows]
    if picture is None:
        say("a rebuild is under way: look again when it is through")
        return FAILED
    values = Values(picture.families)
    glances = [at_a_glance(values, workflow, window, picture.trends) for workflow in chosen]
    if as_json_:
        as_json(status_values(picture.taken_at, glances, picture.sources))
        return 0
    table(COLUMNS, status_rows(glances), glance.STATUS_LAYOUT)
    for source in picture.sources:
        if source.state != "current":
            say(f"source {source.name} is {source.state}" + (f": {'; '.join(source.trouble)}" if source.trouble else ""))
    return 0


def _known_window(pipeline: Pipeline, window: str | None) -> None:
    known = windows(pipeline.company.workflows)
    if window is not None and window not in known:
        raise ConfigurationError(f"no workflow has a window {window!r}: there are {', '.join(known)}")


@program.command()
@config_option
@as_of_option
@workflows_option
@json_option
def snapshot(file: Path, as_of: Instant | None, workflows: tuple[str, ...], as_json_: bool) -> None:
    """Print every figure: as it is now, or as it was at an instant, computed from the stored events."""
    configuration = read_configuration(file)
    with opened(configuration) as pipeline, bars() as watch:
        known_workflows(pipeline, workflows)
        if as_of is not None:
            read_until(pipeline, workflows, floor_minute(as_of))
        families = pipeline.families(watch=watch) or [] if as_of is None else families_as_of(pipeline, floor_minute(as_of), watch=watch)
    kept = glance.only(families, workflows)
    if as_json_:
        as_json(glance.as_values(kept))
    else:
        data(Renderer().render(kept)[0].decode().rstrip("\n"))


@program.command()
@config_option
@click.argument("metric")
@click.option("--workflow", required=True, help="The workflow.")
@click.option("--window", type=Span(), default="7d", show_default=True, help="The window that ends at the workflow's T.")
@click.option("--limit", type=click.IntRange(1), default=50, show_default=True, help="About this many rows: the last case is shown to its end.")
@click.option("--label", "labels", multiple=True, type=Label(), help="Only this series, as outcome=overridden; may be given several times.")
@json_option
def explain(file: Path, metric: str, workflow: str, window: int, limit: int, labels: tuple[str, ...], as_json_: bool) -> None:  # noqa: PLR0917
    """The cases and events behind a number, with links into the ticketing system."""
    configuration = read_configuration(file)
    with opened(configuration) as pipeline:
        if workflow != NO_WORKFLOW:
            known_workflows(pipeline, (workflow,))
        found = explain_figure(pipeline, Asked(metric_named(metric), workflow, window, dict(label.split("=", 1) for label in labels)), Wanted(limit))
        missing = unread(pipeline, (workflow,))
    if as_json_:
        as_json({"metric": metric, "workflow": workflow, "totals": found.totals, "rows": found.rows})
        return
    table(
        glance.EXPLAINED,
        [tuple(str(row[column] if row[column] is not None else "-") for column in glance.EXPLAINED) for row in found.rows],
        glance.EXPLAINED_LAYOUT,
    )
    counted = ", ".join(f"{total:,} {role}" for role, total in found.totals.items())
    say("; ".join(filter(None, (counted, f"the newest {len(found.rows):,} are shown" if found.next else "", *missing))) or "no case counts for it")


@program.command()
@config_option
def rebuild(file: Path) -> None:
    """Derive every case again from its events, after a change of configuration or definitions."""
    configuration = read_configuration(file)
    with opened(configuration) as pipeline, bars() as watch:
        marked = pipeline.rebuild(watch=watch)
    say(f"{marked:,} cases derived again")


@program.group()
def db() -> None:
    """The database."""


@db.command(name="upgrade")
@config_option
def db_upgrade(file: Path) -> None:
    """Bring the schema up to date, for those who forbid that at start."""
    say(f"schema is at revision {upgrade(database_url(read_configuration(file)))}")


@db.command(name="check")
@config_option
def db_check(file: Path) -> int:
    """Check that facts and counts agree."""
    with opened_store(read_configuration(file)) as store:
        problems = store.check()
    for problem in problems:
        data(problem)
    say("sound" if not problems else f"{len(problems)} problems: run `rollout-metrics rebuild`")
    return FAILED if problems else 0


@program.group()
def quarantine() -> None:
    """Records that could not be understood."""


@quarantine.command(name="list")
@config_option
@click.option("--source", help="Only this source.")
@click.option("--limit", type=click.IntRange(1), default=50, show_default=True)
@json_option
def quarantine_list(file: Path, source: str | None, limit: int, as_json_: bool) -> None:
    """What was set aside, where it stood and why."""
    with opened_store(read_configuration(file)) as store:
        rows = [{"id": q.id, "source": q.source, "reason": q.reason, "where": q.where, "message": q.message} for q in store.quarantined(source, limit=limit)]
    if as_json_:
        as_json(rows)
    else:
        if not rows:
            say("nothing is set aside" + (f" of source {source!r}" if source else ""))
        table(glance.SET_ASIDE, [tuple(str(value) for value in row.values()) for row in rows], glance.SET_ASIDE_LAYOUT)


@quarantine.command(name="retry")
@config_option
def quarantine_retry(file: Path) -> None:
    """Translate them once more, after an upgrade."""
    with opened(read_configuration(file)) as pipeline:
        released, left = pipeline.retry_quarantined()
    say(f"{released:,} records understood now, {left:,} still set aside")


@quarantine.command(name="drop")
@config_option
@click.option("--source", help="Everything of this source.")
@click.argument("ids", nargs=-1, type=int)
def quarantine_drop(file: Path, source: str | None, ids: tuple[int, ...]) -> None:
    """Let records go for good, by the ids that `quarantine list` shows: what a person wants erased, or what nobody will ever understand.

    They no longer count against coverage.
    """
    if (source is None) == (not ids):
        raise click.UsageError("name ids as `quarantine list` shows them, or a --source; not both")
    with opened_store(read_configuration(file)) as store:
        dropped = store.drop_quarantined(source=source, ids=ids)
    say(f"{dropped:,} records let go")


@program.command()
@config_option
@click.argument("actor")
def erase(file: Path, actor: str) -> None:
    """Remove a person's id from everything that is stored, but for records set aside: see `quarantine list` and `quarantine drop`."""
    with opened(read_configuration(file)) as pipeline:
        touched = pipeline.erase(actor)
    say(f"erased from {touched:,} cases" if touched else f"no case names {actor!r}: give the id as the system itself has it, not a name or an address")


def _kinds() -> dict[str, type[Source]]:
    return {kind: find(kind) for kind in known_kinds()}


@program.command()
def schema() -> None:
    """Print the JSON Schema of the configuration, for editors."""
    as_json(configuration_schema(Settings, _kinds(), comment="The configuration of rollout-metrics."))


@program.command()
@click.option("--check", "check_", is_flag=True, help="Only say what differs; exit code 1 if anything does.")
@click.option("--root", type=click.Path(path_type=Path, file_okay=False, exists=True), default=Path(), help="The project's folder.")
def generate(check_: bool, root: Path) -> int:
    """Write rules, alerts, dashboards and documents from the catalogue."""
    from rollout_metrics.config.changes import ChangeRecord

    changed = generate_files(
        root, program, settings=Settings, record=ChangeRecord, thresholds=AlertOptions(), terms=terms(Settings()), sources=_kinds(), check=check_
    )
    for file in changed:
        data(str(file))
    if check_ and changed:
        say("these files differ from what the catalogue says: run `rollout-metrics generate`")
        return FAILED
    return 0


@program.command()
@click.option(
    "--directory", type=click.Path(path_type=Path, file_okay=False), default=Path("demo-data"), show_default=True, help="Where the demo keeps its data."
)
@click.option("--seed", type=int, default=1, show_default=True, help="Another seed, another company.")
@click.option("--once", is_flag=True, help="Collect the history, print the figures and end.")
def demo(directory: Path, seed: int, once: bool) -> None:
    """A simulated company: 90 days of history collected and published, then live. Ctrl-C stops; a second start continues."""
    from rollout_metrics.cli import demo as demo_command

    demo_command.demo(directory, seed=seed, once=once)


@program.command()
@json_option
def version(as_json_: bool) -> None:
    """The version of the program and of the definitions behind the figures."""
    if as_json_:
        as_json({"version": __version__, "definitions": DEFINITIONS})
    else:
        data(f"rollout-metrics {__version__}, definitions {DEFINITIONS}")
