"""The company on loopback: it serves, writes what passes, stops, and goes on after a restart."""

from pathlib import Path

import requests

from rollout_metrics.domain.time import DAY, HOUR
from rollout_metrics.simulate import hubspot, zendesk
from rollout_metrics.simulate.server import Company
from rollout_metrics.simulate.start import started
from rollout_metrics.simulate.world import World
from simulate.companies import NOW, START


def test_both_vendors_answer_and_feeds_are_there_from_the_start(world: World, tmp_path: Path) -> None:
    with Company(world, lambda: NOW, directory=tmp_path) as company:
        desk = requests.get(f"{company.zendesk_url}/api/v2/users/me", headers={"Authorization": f"Bearer {zendesk.TOKEN}"}, timeout=5)
        crm = requests.get(f"{company.hubspot_url}/account-info/v3/details", headers={"Authorization": f"Bearer {hubspot.TOKEN}"}, timeout=5)

    assert desk.json()["user"]["role"] == "admin"
    assert crm.json()["timeZone"] == "UTC"
    assert len(list(tmp_path.glob("*/*.jsonl"))) > 90


def test_what_happens_later_is_written_as_the_clock_passes(world: World, tmp_path: Path) -> None:
    clock = [NOW]
    with Company(world, lambda: clock[0], directory=tmp_path, every_seconds=3600) as company:
        clock[0] += DAY

        assert company.write(clock[0]) > 0


def test_a_directory_keeps_the_day_its_history_began(tmp_path: Path) -> None:
    first = started(tmp_path, START + 90 * DAY + 5 * HOUR)

    assert first == START
    assert started(tmp_path, START + 97 * DAY) == first
