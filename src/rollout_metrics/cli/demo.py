"""The demo: a simulated company behind real vendor HTTP, collected, published and kept up to date."""

import os
from pathlib import Path

from rollout_metrics.cli.glance import STATUS_LAYOUT
from rollout_metrics.cli.serve import Service, serving
from rollout_metrics.cli.session import clock, set_up_log
from rollout_metrics.cli.talk import bars, say, table, writing
from rollout_metrics.config.load import load
from rollout_metrics.domain.time import SECOND, moment
from rollout_metrics.overview import Values, at_a_glance
from rollout_metrics.overview.told import COLUMNS, status_rows
from rollout_metrics.pipeline import Pipeline
from rollout_metrics.schedule import Schedule
from rollout_metrics.simulate.configuration import demo_config
from rollout_metrics.simulate.deployments import write_records
from rollout_metrics.simulate.server import Company
from rollout_metrics.simulate.start import started
from rollout_metrics.simulate.world import World

GRACE = 5 * SECOND
WINDOW = "28d"


def demo(directory: Path, *, seed: int, once: bool) -> None:
    """Run it with its data in `directory`; `once`: end after the history is read."""
    with writing(directory):
        directory.mkdir(parents=True, exist_ok=True)
        start = started(directory, clock())
    known = (directory / "demo.db").exists()
    say(f"the simulated company began on {moment(start):%Y-%m-%d}; its history {'continues' if known else 'is read for the first time'}")
    world = World(seed, start)
    with Company(world, clock, directory=directory / "feeds") as company:
        write_records(directory / "changes", world.plot, clock())
        settings = {"store": {"url": "sqlite:///demo.db"}, "log": {"level": "warning"}}
        file = directory / "rollout-metrics.yaml"
        text = demo_config(
            world.plot,
            zendesk_url=company.zendesk_url,
            hubspot_url=company.hubspot_url,
            feeds=(directory / "feeds").resolve(),
            changes=(directory / "changes").resolve(),
            more=settings,
        )
        file.write_text(text, encoding="utf-8")
        configuration = load(file, os.environ)
        set_up_log(configuration)
        with serving(configuration) as (service, url):
            _first_pass(service.pipeline)
            _show(service, url, file)
            if not once:
                say("\nstill collecting, every minute; Ctrl-C stops, a second start goes on")
                Schedule(service.pipeline, grace=GRACE).run()
                say("stopped; the data is in " + str(directory))


def _first_pass(pipeline: Pipeline) -> None:
    with bars() as watch:
        for name, source in pipeline.sources.items():
            if source.pulled:
                pipeline.sweep(name, watch=watch)
        pipeline.refresh(watch=watch)


def _show(service: Service, url: str, file: Path) -> None:
    pipeline = service.pipeline
    picture = pipeline.board.picture
    if picture is None:
        return
    values = Values(picture.families)
    say(f"\nthe last {WINDOW[:-1]} days, with 95 % intervals, numbers of cases, and how the rates went:\n")
    table(COLUMNS, status_rows(at_a_glance(values, workflow, WINDOW, picture.trends) for workflow in pipeline.company.workflows), STATUS_LAYOUT)
    say(f"\npages         {service.pages}/\nfigures       {url}/metrics\nconfiguration {file}")
