"""The verbs for dashboards: put them into a Grafana, and see sketches of them without one."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
from pydantic import SecretStr

from rollout_metrics import __version__
from rollout_metrics.cli.session import clock, read_configuration
from rollout_metrics.cli.talk import data, say, table, writing
from rollout_metrics.cli.verbs import Verbs
from rollout_metrics.config.model import AlertOptions
from rollout_metrics.domain.errors import ConfigurationError, PayloadError
from rollout_metrics.domain.time import SECOND

FAILED = 1
FOLDER = "Rollout metrics"
"""The folder that provisioning uses as well."""

root_option = click.option(
    "--root", type=click.Path(path_type=Path, file_okay=False, exists=True), default=Path(), help="The project's folder, which holds the definitions."
)
config_option = click.option(
    "--config", "file", type=click.Path(path_type=Path, dir_okay=False), help="Take limits and addresses from this configuration; default: the shipped ones."
)
only_option = click.option("--only", "names", multiple=True, help="Only this dashboard, as overview; may be given several times.")


@click.group(cls=Verbs)
def dashboards() -> None:
    """The Grafana dashboards: put into a Grafana, or sketched without one."""


@dashboards.command()
@root_option
@config_option
@only_option
@click.option("--prometheus", "url", default="http://localhost:9090", help="The Prometheus to ask; default: http://localhost:9090, on this machine.")
@click.option("--choose", "choices", multiple=True, metavar="VARIABLE=VALUE", help="As workflow=refunds or window=7d; may be given several times.")
@click.option("--output", type=click.Path(path_type=Path, file_okay=False), default=Path("dashboards-preview"), show_default=True, help="The folder to write.")
def preview(root: Path, file: Path | None, names: tuple[str, ...], url: str, choices: tuple[str, ...], output: Path) -> int:  # noqa: PLR0917
    """Run every query of every dashboard against a Prometheus and draw a sketch of each as one HTML file. Exit code 1: a query was refused."""
    from rollout_metrics.generate.preview import ask, page
    from rollout_metrics.generate.prometheus import Prometheus

    wanted = _chosen(choices)
    made = _made(root, _thresholds(file), names)
    pages = {f"{name}.html": str(dashboard["title"]) for name, dashboard in made.items()}
    prometheus = Prometheus(url)
    refused = 0
    with writing(output):
        output.mkdir(parents=True, exist_ok=True)
    for name, dashboard in made.items():
        answered = ask(dashboard, prometheus, clock() / SECOND, wanted)
        with writing(output):
            (output / f"{name}.html").write_text(page(answered, pages), encoding="utf-8")
        data(str(output / f"{name}.html"))
        for error in answered.errors():
            refused += 1
            say(error)
    prometheus.close()
    return FAILED if refused else 0


@dashboards.command()
@root_option
@config_option
@only_option
@click.option("--grafana", "url", help="Where Grafana is; default: `alerts.grafana_url` of the configuration.")
@click.option("--token-file", type=click.Path(path_type=Path, dir_okay=False), help="File that holds a service account's token; default: $GRAFANA_TOKEN.")
@click.option("--folder", "title", default=FOLDER, show_default=True, help="The folder's title; it is made where it is missing.")
@click.option("--overwrite", is_flag=True, help="Also save over dashboards that differ there.")
@click.option("--dry-run", is_flag=True, help="Only say what would be done.")
@click.option("--diff", is_flag=True, help="Print how each differs: - in Grafana, + here.")
def push(  # noqa: PLR0917
    root: Path,
    file: Path | None,
    names: tuple[str, ...],
    url: str | None,
    token_file: Path | None,
    title: str,
    overwrite: bool,
    dry_run: bool,
    diff: bool,
) -> int:
    """Save the dashboards in a Grafana that does not provision them from files.

    What is the same there is left alone; what differs is saved with --overwrite only. Exit code 1: some could not be saved.
    """
    from rollout_metrics.generate.grafana import Grafana, State

    thresholds = _thresholds(file)
    grafana = Grafana(url or thresholds.grafana_url, _token(token_file))
    made = _made(root, thresholds, names)
    folder = grafana.folder(title, make=not dry_run)
    if folder is None:
        say(f"the folder {title!r} would be made")
    refused: list[str] = []
    rows: list[tuple[str, str, str]] = []
    for name, dashboard in made.items():
        standing = grafana.compare(dashboard, folder)
        what = standing.state.value
        if diff:
            for line in standing.difference:
                data(line)
        if standing.provisioned and standing.state is not State.SAME:
            refused.append(f"{dashboard['title']} is provisioned from files there: change those, or take them away")
            what = "refused"
        elif standing.state is not State.SAME and not dry_run and folder is not None:
            try:
                grafana.save(dashboard, folder, overwrite=overwrite or standing.state is State.MOVED, message=f"rollout-metrics {__version__}")
            except (ConfigurationError, PayloadError) as error:
                refused.append(str(error))
                what = "refused"
        rows.append((name, str(dashboard["title"]), what))
    grafana.close()
    table(("dashboard", "title", "would be" if dry_run else "was"), rows)
    for problem in refused:
        say(problem)
    return FAILED if refused else 0


def _token(file: Path | None) -> SecretStr:
    try:
        token = (os.environ.get("GRAFANA_TOKEN", "") if file is None else file.read_text(encoding="utf-8")).strip()
    except OSError as error:
        raise ConfigurationError(f"--token-file {file} cannot be read ({error.strerror}): check the path and its permissions") from None
    if not token:
        raise ConfigurationError("there is no token: put that of a Grafana service account into $GRAFANA_TOKEN, or name a file that holds it with --token-file")
    return SecretStr(token)


def _chosen(choices: tuple[str, ...]) -> Mapping[str, str]:
    wrong = [choice for choice in choices if "=" not in choice]
    if wrong:
        raise click.UsageError(f"--choose {wrong[0]} is no choice such as workflow=refunds")
    return dict(choice.split("=", 1) for choice in choices)


def _thresholds(file: Path | None) -> AlertOptions:
    return AlertOptions() if file is None else read_configuration(file).settings.alerts


def _made(root: Path, thresholds: AlertOptions, names: tuple[str, ...]) -> dict[str, dict[str, Any]]:
    """The dashboards asked for, by name, with these limits and addresses."""
    from rollout_metrics.generate.dashboards import made_dashboards

    made = made_dashboards(root, thresholds)
    unknown = [name for name in names if name not in made]
    if unknown:
        raise ConfigurationError(*(f"there is no dashboard {name!r}: known are {', '.join(made) or 'none'}" for name in unknown))
    return {name: dashboard for name, dashboard in made.items() if not names or name in names}
