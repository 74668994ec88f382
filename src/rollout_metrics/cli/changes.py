"""The verbs for change records: a template to start from, and a check for people and for CI."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from rollout_metrics.cli.drawn import Layout
from rollout_metrics.cli.parameters import config_option, json_option
from rollout_metrics.cli.session import clock, database_url, opened_store, read_configuration
from rollout_metrics.cli.talk import as_json, data, new_file, say, table
from rollout_metrics.cli.verbs import Verbs
from rollout_metrics.config.load import Configuration
from rollout_metrics.derive.completeness import REQUIRED
from rollout_metrics.domain.changes import ChangeKind
from rollout_metrics.domain.errors import ConfigurationError
from rollout_metrics.domain.time import SECOND, moment
from rollout_metrics.generate import record_schema
from rollout_metrics.store import open_store

if TYPE_CHECKING:
    from rollout_metrics.cli.change_report import Report
    from rollout_metrics.figures.at_hand import Evidence

SCHEMA_FILE = "change-record.schema.json"
DIRECTORY = Path("changes")


@click.group(cls=Verbs)
def changes() -> None:
    """Records of what is changed about an agent: who answers for it, what it may do, who has signed it off."""


@changes.command()
@click.option("--workflow", required=True, help="The workflow whose agent changes.")
@click.option("--kind", required=True, type=click.Choice([kind.value for kind in ChangeKind]), help="What is altered.")
@click.option("--risk-class", type=click.Choice(list(REQUIRED)), default="medium", show_default=True, help="Decides who must sign.")
@click.option("--id", "number", help="A number of its own; default: the workflow and the time.")
@click.option("--output", type=click.Path(path_type=Path, dir_okay=False), help="A new file to write; default: standard output.")
@click.option("--schema", default=SCHEMA_FILE, show_default=True, help="Where the editor finds the JSON Schema, from the record's folder.")
def new(workflow: str, kind: str, risk_class: str, number: str | None, output: Path | None, schema: str) -> None:  # noqa: PLR0917
    """A commented record to fill in; it names what it still lacks as soon as it is checked."""
    from rollout_metrics.config.changes import template  # many models: only the verbs that need them wait for their import

    now = clock() // SECOND * SECOND
    text = template(
        number=number or f"{workflow}-{moment(now):%Y%m%d-%H%M%S}",
        workflow=workflow,
        kind=ChangeKind(kind),
        risk_class=risk_class,
        proposed_at=now,
        schema=schema,
    )
    if output is None:
        data(text.rstrip("\n"))
        return
    new_file(output, text)
    say(f"{output} is written; fill it in, then: rollout-metrics changes check {output}")


@changes.command()
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path))
@click.option("--base", "revision", metavar="REV", help="Look only at records that differ from where HEAD left this git revision.")
@click.option("--config", "file", type=click.Path(path_type=Path, dir_okay=False), help="Also check names of workflows, and show the evidence at hand.")
@json_option
@click.option("--markdown", is_flag=True, help="Print a comment for a pull request.")
def check(paths: tuple[Path, ...], revision: str | None, file: Path | None, *, as_json_: bool, markdown: bool) -> int:
    """Name everything that records lack, by their risk class, and how permissions differ from the last deployed record.

    PATHS are files or folders of records; default: those of the configuration, else changes. Exit codes: 0 complete, 1 something is lacking,
    2 something cannot be read.
    """
    from rollout_metrics.cli import change_report
    from rollout_metrics.cli.change_markdown import as_markdown, as_text

    if as_json_ and markdown:
        raise click.UsageError("--json and --markdown are two outputs: choose one")
    configuration, refused = _configuration(file)
    settings = None if configuration is None else configuration.settings
    given = paths or (() if settings is None else settings.changes.paths) or (DIRECTORY,)
    workflows = None if settings is None else [workflow.name for workflow in settings.workflows]
    report = change_report.check(given, workflows=workflows, revision=revision, now=clock())
    known = {*report.problems}
    report = msgspec.structs.replace(report, problems=(*report.problems, *(problem for problem in refused if problem not in known)))
    if configuration is not None:
        report = msgspec.structs.replace(report, evidence=_evidence(configuration))
    if as_json_:
        as_json(change_report.as_values(report))
    elif markdown:
        data(as_markdown(report).rstrip("\n"))
    else:
        for line in as_text(report):
            data(line)
    say(_summary(report))
    return report.exit_code


@changes.command("list")
@config_option
@json_option
def listed(file: Path, *, as_json_: bool) -> int:
    """List all records, newest first: those of files and those that systems hold, with how much each lacks.

    Exit codes: 0 all are right, 1 a system holds one that is left out; stderr says why.
    """
    from rollout_metrics.overview.records import newest_first, stage

    configuration = read_configuration(file)
    with opened_store(configuration) as store:
        readings = store.change_readings()
    merged, problems = configuration.with_changes_of(readings)
    written = {record.change.id for record in configuration.records}
    held = {str((reading.record or {}).get("id")): source for source, reading in reversed(readings)}
    rows = [
        {
            "id": change.id,
            "workflow": change.workflow,
            "kind": change.kind.value,
            "title": change.title,
            "stage": stage(change, clock()).word,
            "lacks": change.lacks,
            "source": None if change.id in written else held.get(change.id),
        }
        for change in newest_first(merged.changes)
    ]
    if as_json_:
        as_json({"records": rows, "problems": list(problems)})
    else:
        cells = [[str(row[name]) for name in ("id", "workflow", "kind", "stage", "lacks")] + [str(row["source"] or "file")] for row in rows]
        table(("id", "workflow", "kind", "stage", "lacks", "from"), cells, Layout(right=frozenset(("lacks",))))
    for problem in problems:
        say(problem)
    return 1 if problems else 0


@changes.command()
def schema() -> None:
    """Print the JSON Schema of a change record, for editors."""
    from rollout_metrics.config.changes import ChangeRecord

    as_json(record_schema(ChangeRecord, comment="A change record of rollout-metrics."))


def _configuration(file: Path | None) -> tuple[Configuration | None, tuple[str, ...]]:
    """The configuration, or what is wrong with it: the records may be what is wrong, and then the report is where that is said."""
    if file is None:
        return None, ()
    try:
        return read_configuration(file), ()
    except ConfigurationError as error:
        return None, error.problems


def _evidence(configuration: Configuration) -> "Mapping[str, Evidence]":
    """Read off the store as it is: nothing is migrated, derived or written on behalf of a branch."""
    from rollout_metrics.pipeline.at_hand import evidence_at_hand

    with open_store(database_url(configuration), clock=clock, migrate=False) as store:
        return evidence_at_hand(configuration, store, clock())


def _summary(report: "Report") -> str:
    lacking = sum(bool(item.lacks) for item in report.checked)
    others = f", as they were: {report.others}" if report.others else ""
    trouble = f", problems: {len(report.problems)}" if report.problems else ""
    return f"records looked at: {len(report.checked)}, lacking something: {lacking}{others}{trouble}"


__all__ = ["changes"]
