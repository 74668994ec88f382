"""The warning signs against an oracle of their own, on companies busy enough for all of them."""

from pathlib import Path

import pytest

from oracle.companies_4_to_8 import iso, make
from oracle.compare_4_to_8 import events_of, of_families
from oracle.section_9 import put_signs
from oracle.sections_4_to_8 import Figures, Oracle
from rollout_metrics.cli.session import clock, new_pipeline
from rollout_metrics.config.load import load
from rollout_metrics.domain.time import parse_instant
from rollout_metrics.pipeline.as_of import families_as_of
from rollout_metrics.publish.snapshot import Board
from rollout_metrics.store import open_store


def signs(figures: Figures) -> Figures:
    """Those that cases tell of."""
    return {key: value for key, value in figures.items() if key[0] == "warning_sign" and ("sign", "early_authority_ask") not in key[1]}


@pytest.mark.parametrize("seed", range(4))
def test_the_signs_are_those_of_the_definitions(seed: int, tmp_path: Path) -> None:
    file, draft = make(seed, tmp_path, days=58, cases=350)
    configuration = load(file, {})
    at = parse_instant(iso(draft.t))
    store = open_store(configuration.settings.store.url, clock=clock)
    try:
        pipeline = new_pipeline(configuration, store, Board())
        for source in configuration.sources:
            assert pipeline.sweep(source).error is None
        live = signs(of_families(pipeline.families() or []))
        as_of = signs(of_families(families_as_of(pipeline, at)))
    finally:
        store.close()

    oracle = Oracle(configuration, events_of(configuration, tmp_path), at)
    for workflow in configuration.settings.workflows:
        put_signs(oracle, workflow, [case for case in oracle.cases if case.workflow is workflow])

    assert live == as_of == oracle.figures
    assert len(live) >= 3
