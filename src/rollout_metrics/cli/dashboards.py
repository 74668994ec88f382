"""The verbs for dashboards: put them into a Grafana, and see sketches of them without one."""

from collections.abc import Mapping
from pathlib import Path

import click

from rollout_metrics.cli.session import clock, read_configuration
from rollout_metrics.cli.talk import data, say
from rollout_metrics.config.model import AlertOptions
from rollout_metrics.domain.errors import ConfigurationError
from rollout_metrics.domain.time import SECOND

FAILED = 1

root_option = click.option(
    "--root", type=click.Path(path_type=Path, file_okay=False, exists=True), default=Path(), help="The project's folder, which holds the definitions."
)
config_option = click.option(
    "--config", "file", type=click.Path(path_type=Path, dir_okay=False), help="Take limits and addresses from this configuration; default: the shipped ones."
)
only_option = click.option("--only", "names", multiple=True, help="Only this dashboard, as overview; may be given several times.")


@click.group()
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
    made = _made(root, file, names)
    pages = {f"{name}.html": str(dashboard["title"]) for name, dashboard in made.items()}
    prometheus = Prometheus(url)
    refused = 0
    output.mkdir(parents=True, exist_ok=True)
    for name, dashboard in made.items():
        answered = ask(dashboard, prometheus, clock() / SECOND, wanted)
        (output / f"{name}.html").write_text(page(answered, pages), encoding="utf-8")
        data(str(output / f"{name}.html"))
        for error in answered.errors():
            refused += 1
            say(error)
    prometheus.close()
    return FAILED if refused else 0


def _chosen(choices: tuple[str, ...]) -> Mapping[str, str]:
    wrong = [choice for choice in choices if "=" not in choice]
    if wrong:
        raise click.UsageError(f"--choose {wrong[0]} is no choice such as workflow=refunds")
    return dict(choice.split("=", 1) for choice in choices)


def _made(root: Path, file: Path | None, names: tuple[str, ...]) -> dict[str, dict[str, object]]:
    """The dashboards asked for, by name, with the limits of a configuration."""
    from rollout_metrics.generate.dashboards import made_dashboards

    thresholds = AlertOptions() if file is None else read_configuration(file).settings.alerts
    made = made_dashboards(root, thresholds)
    unknown = [name for name in names if name not in made]
    if unknown:
        raise ConfigurationError(*(f"there is no dashboard {name!r}: known are {', '.join(made) or 'none'}" for name in unknown))
    return {name: dashboard for name, dashboard in made.items() if not names or name in names}
