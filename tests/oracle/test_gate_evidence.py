"""The evidence behind gates against an oracle that counts raw records, in companies whose changes and levels fall anywhere."""

from pathlib import Path

import pytest

from oracle.adversaries import iso, scenario
from oracle.gate_evidence import evidence
from oracle.sections_1_to_3 import Company
from oracle.test_sections_1_to_3 import Product, append, written

RATES = ("explicit_acceptance", "override", "correction")


@pytest.mark.parametrize("seed", range(300, 318))
def test_gates_rest_on_what_was_recorded_since_the_agent_is_what_it_is(seed: int, tmp_path: Path) -> None:
    made = scenario(seed)
    for name, at in enumerate(made.instants):
        folder = tmp_path / str(name)
        folder.mkdir()
        configuration = written(folder, made, dict.fromkeys(made.records, iso(at)))
        if configuration is None:
            return
        append(folder, made.records)
        product = Product(configuration, at)
        try:
            product.read()
            product.pipeline.families()
            expected = evidence(Company(made.options, made.records, made.changes), at // 60_000_000 * 60_000_000)
            for workflow, found in product.pipeline.assessments.items():
                level, since, counts = expected[workflow]
                assert (found.level.name.lower(), found.since) == (level, since)
                for gate in (*found.gates, *found.staying):
                    if gate.name in RATES:
                        count, total = counts[gate.name]
                        assert (gate.cases, gate.ratio) == (total, count / total if total else None), (seed, workflow, gate.name)
        finally:
            product.store.close()
