"""The verb that writes a configuration's rules and alerts for Prometheus, and Alertmanager's configuration for its teams."""

from pathlib import Path

import click

from rollout_metrics.cli.parameters import config_option
from rollout_metrics.cli.session import read_configuration
from rollout_metrics.cli.talk import data, say, writing
from rollout_metrics.generate.alerting import ALERTMANAGER, alerting_files

UNOWNED = "unspecified"
"""The owner of a workflow that names none: no team to route to."""

_COMMENT = "Written by `rollout-metrics alerts` from {}."


@click.command(name="alerts")
@config_option
@click.argument("directory", type=click.Path(path_type=Path, file_okay=False))
@click.option("--overwrite", is_flag=True, help=f"Also write {ALERTMANAGER} anew; by default one that is there is kept, since receivers are filled in by hand.")
def alert_files(file: Path, directory: Path, overwrite: bool) -> None:
    """Write rules and alerts with the thresholds of the configuration into DIRECTORY, and an Alertmanager configuration with a route for each team."""
    settings = read_configuration(file).settings
    owners = [workflow.owner for workflow in settings.workflows if workflow.owner != UNOWNED]
    for name, text in alerting_files(settings.alerts, owners, comment=_COMMENT.format(file.name)).items():
        target = directory / name
        if name == ALERTMANAGER and target.exists() and not overwrite:
            say(f"{target} is there already and is kept: see --overwrite")
            continue
        with writing(target):
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text, encoding="utf-8")
        data(str(target))
