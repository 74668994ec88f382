"""`discover` over the recordings of every kind: whatever a vendor sends, a file comes out that loads, or the error that a sweep would give."""

from pathlib import Path

import pytest

from discover.samples import bare, loaded
from rollout_metrics.collect.sample import Bounds, sample
from rollout_metrics.config.load import Configuration
from rollout_metrics.discover import values, written
from rollout_metrics.pipeline.discovering import discover
from sources.server import recorded, serving
from sources.test_contract import CASES, api_of, case_at

WHOLE = [folder for folder in CASES if folder.name in ("typical", "malformed")]


@pytest.mark.parametrize("folder", [pytest.param(folder, id=f"{folder.parent.name}-{folder.name}") for folder in WHOLE])
def test_a_recorded_case_yields_a_file_that_loads(folder: Path) -> None:
    with serving(recorded(folder)) as server:
        case = case_at(folder, server.url)
        api, _ = api_of(case)
        depth = case.window.end - case.window.start
        seen = sample(case.source, api, Bounds(depth, 1000, 10_000, 60), now=case.window.end, elapsed=lambda: 0.0)

    name = case.source.name
    findings, results = discover(Configuration(bare(), {name: case.source}, (), ()), [seen], depth=depth)
    known = {name, *(event.case_source for event in seen.events)}  # a runtime's cases are another's, which is configured beside it
    settings = loaded(written(findings, results, command=f"discover {name}", beside=False), *sorted(known)).settings

    assert len(settings.workflows) == len(findings.drafts) == len(values(findings, results)["workflows"])
    assert len(seen.events) == len(findings.material.events)
