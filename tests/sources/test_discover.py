"""`discover` over the recordings of every kind: whatever a vendor sends, a file comes out that loads, or the error that a sweep would give."""

from collections import Counter
from pathlib import Path

import pytest

from discover.samples import bare, loaded
from rollout_metrics import sources
from rollout_metrics.collect.sample import Bounds, Sample, sample
from rollout_metrics.collect.source import Named
from rollout_metrics.config.load import Configuration
from rollout_metrics.discover import values, written
from rollout_metrics.domain.time import DAY
from rollout_metrics.pipeline.discovering import discover
from sources.server import recorded, serving
from sources.test_contract import CASES, api_of, case_at

WHOLE = [folder for folder in CASES if folder.name in ("typical", "malformed")]


CALLED = {
    "dynamics365": "Cases close by: 1 (Resolved) (1), 2 (Cancelled) (1).",
    "freshdesk": "- group: 5 (Tier 2) 1, Tier 1 1",
    "pagerduty": "- service: PS1 (Checkout) 2",
    "salesforce": "Cases close by: Closed (Geschlossen) (2).",
    "servicenow": "Cases close by: 6 (Resolved) (2), 3 (Closed in change_request, On Hold in incident) (1).",
}
"""Kind -> what its file says of ids in the typical case, with their names."""


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
    text = written(findings, results, command=f"discover {name}", beside=False)
    settings = loaded(text, *sorted(known)).settings

    assert len(settings.workflows) == len(findings.drafts) == len(values(findings, results)["workflows"])
    assert len(seen.events) == len(findings.material.events)
    assert folder.name != "typical" or CALLED.get(folder.parent.name, "") in text


def test_two_systems_that_call_an_id_differently_are_told_apart() -> None:
    samples = []
    for kind in ("servicenow", "freshdesk"):
        source = sources.find(kind).model_validate({"name": kind, "base_url": "http://localhost", "token": "secret"})
        names = (Named("priority", "1", kind.title()), Named("priority", "2", "High"))
        samples.append((source, Sample(kind, [], 0, Counter(), {}, names, (), None)))

    configuration = Configuration(bare(), {source.name: source for source, _ in samples}, (), ())
    material = discover(configuration, [seen for _, seen in samples], depth=DAY)[0].material

    assert material.called("priority", "1") == "Servicenow in servicenow, Freshdesk in freshdesk"
    assert material.called("priority", "2") == "High"
