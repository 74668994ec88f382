"""Run the simulated company by itself: `python -m rollout_metrics.simulate --directory demo`."""

import argparse
import sys
import time
from pathlib import Path

from rollout_metrics.domain.time import DAY, Instant, format_instant, parse_instant
from rollout_metrics.simulate.configuration import demo_config
from rollout_metrics.simulate.deployments import write_records
from rollout_metrics.simulate.server import Company
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
    )
    (options.directory / "rollout-metrics.yaml").write_text(text, encoding="utf-8")
    with company:
        print(f"Zendesk {company.zendesk_url}  HubSpot {company.hubspot_url}  configuration {options.directory / 'rollout-metrics.yaml'}", file=sys.stderr)  # noqa: T201
        try:
            while True:
                time.sleep(3600)
        except KeyboardInterrupt:
            return 0


def clock() -> Instant:
    """Now."""
    return time.time_ns() // 1000


def started(directory: Path, now: Instant, *, days: int = 90) -> Instant:
    """When this directory's history began: `days` before its first start, kept in a file so that a restart continues the same history."""
    file = directory / "started_at"
    if not file.exists():
        directory.mkdir(parents=True, exist_ok=True)
        file.write_text(format_instant((now - days * DAY) // DAY * DAY) + "\n", encoding="utf-8")
    return parse_instant(file.read_text(encoding="utf-8").strip())


if __name__ == "__main__":
    sys.exit(main())
