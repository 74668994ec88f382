"""Run the simulated company by itself: `python -m rollout_metrics.simulate --directory demo`."""

import argparse
import sys
import time
from pathlib import Path

from rollout_metrics.simulate import zendesk
from rollout_metrics.simulate.configuration import demo_config
from rollout_metrics.simulate.deployments import write_records
from rollout_metrics.simulate.server import Company
from rollout_metrics.simulate.start import clock, started
from rollout_metrics.simulate.world import World


def main(arguments: list[str] | None = None) -> int:
    """Serve until interrupted; the first start fixes when history began."""
    parser = argparse.ArgumentParser(prog="python -m rollout_metrics.simulate", description=__doc__)
    parser.add_argument("--directory", type=Path, default=Path("demo"), help="where feeds, change records and the configuration go (default: demo)")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--scale", type=float, default=1.0, help="cases, as a multiple of the usual number")
    parser.add_argument("--zendesk-port", type=int, default=10881)
    parser.add_argument("--hubspot-port", type=int, default=10882)
    parser.add_argument("--real-limits", action="store_true", help="the vendors' own request limits")
    options = parser.parse_args(arguments)
    now = clock()
    world = World(options.seed, started(options.directory, now), scale=options.scale)
    company = Company(
        world,
        clock,
        directory=options.directory / "feeds",
        zendesk_port=options.zendesk_port,
        hubspot_port=options.hubspot_port,
        generous=not options.real_limits,
    )
    write_records(options.directory / "changes", world.plot, now)
    text = demo_config(
        world.plot,
        zendesk_url=company.zendesk_url,
        hubspot_url=company.hubspot_url,
        feeds=options.directory / "feeds",
        changes=options.directory / "changes",
        incremental_per_minute=(zendesk.Limits() if options.real_limits else zendesk.GENEROUS).incremental,
    )
    (options.directory / "rollout-metrics.yaml").write_text(text, encoding="utf-8")
    with company:
        print(f"Zendesk {company.zendesk_url}  HubSpot {company.hubspot_url}  configuration {options.directory / 'rollout-metrics.yaml'}", file=sys.stderr)  # noqa: T201
        try:
            while True:
                time.sleep(3600)
        except KeyboardInterrupt:
            return 0


if __name__ == "__main__":
    sys.exit(main())
