"""The product's figures of sections 1 to 3 against a second reading of the definitions, over random companies made to hurt."""

import json
import random
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from oracle.adversaries import Scenario, iso, scenario
from oracle.sections_1_to_3 import Company, Figures, figures
from rollout_metrics.catalog import Family
from rollout_metrics.config.load import Configuration, load
from rollout_metrics.domain.errors import ConfigurationError
from rollout_metrics.pipeline import Pipeline
from rollout_metrics.pipeline.as_of import families_as_of
from rollout_metrics.publish.self_metrics import SelfMetrics
from rollout_metrics.publish.snapshot import Board
from rollout_metrics.store import open_store

NAMES = (
    "decisions decisions_settled_total recommendations recommendations_pending recommendation_oldest_pending_timestamp_seconds"
    " acceptance_ratio explicit_acceptance_ratio edit_ratio override_ratio applied_ratio correction_ratio reference_correction_ratio"
    " acts corrected_acts edited_acts reference_values reference_corrections errors autonomy_level"
)
COMPARED = {f"agent_rollout_{name}{end}" for name in NAMES.split() for end in (("", "_lower", "_upper") if name.endswith("_ratio") else ("",))}
Records = dict[str, list[dict[str, Any]]]
Difference = tuple[Any, float | None, float | None]
ALWAYS = ("_ratio", "_lower", "_upper", "autonomy_level")


def written(folder: Path, made: Scenario, read_up_to: Mapping[str, str]) -> Configuration | None:
    """The scenario's configuration as files, with empty sources; None where it is refused, as a workflow hides another one."""
    options: dict[str, Any] = {"store": {"url": f"sqlite:///{folder}/store.db"}, "sources": {}}
    for name, source in made.options["sources"].items():
        (folder / f"{name}.jsonl").touch()
        options["sources"][name] = {"kind": "events", "paths": str(folder / f"{name}.jsonl"), "read_up_to": read_up_to[name], **source}
    if made.changes:
        (folder / "changes.yaml").write_text(json.dumps(made.changes), encoding="utf-8")
        options["changes"] = {"paths": [str(folder / "changes.yaml")]}
    file = folder / "rollout-metrics.yaml"
    file.write_text(json.dumps(options | {"workflows": made.options["workflows"]}), encoding="utf-8")
    try:
        return load(file, {})
    except ConfigurationError as error:
        problems = error.problems
    assert all("can never match" in problem for problem in problems), problems
    return None


def append(folder: Path, records: Records) -> None:
    """Add records to the sources' files."""
    for name, items in records.items():
        with (folder / f"{name}.jsonl").open("a", encoding="utf-8") as file:
            file.writelines(json.dumps(record) + "\n" for record in items)


def flat(families: list[Family]) -> Figures:
    """The compared figures; counts of nothing are left out."""
    return {
        (family.name + suffix, tuple(sorted(labels))): value
        for family in families
        for suffix, labels, value in family.samples
        if family.name + suffix in COMPARED and (value or (family.name + suffix).endswith(ALWAYS))
    }


class Product:
    """The whole program on a scenario's files, at a clock of its own."""

    def __init__(self, configuration: Configuration, now: int) -> None:
        self.now = now
        self.store = open_store(configuration.settings.store.url, clock=lambda: self.now)
        self.pipeline = Pipeline(configuration, self.store, lambda: self.now, Board(), SelfMetrics("1"))

    def read(self) -> None:
        """Sweep every source."""
        for name in sorted(self.pipeline.sources):
            collected = self.pipeline.sweep(name)
            assert collected.error is None, collected
            assert not collected.sweep.rejected, list(self.store.quarantined(limit=5))

    def live(self) -> Figures:
        """The figures at the workflows' own T."""
        return flat(self.pipeline.families() or [])

    def as_of(self, at: int) -> Figures:
        """The figures as of an instant."""
        return flat(families_as_of(self.pipeline, at))


def differences(ours: Figures, theirs: Figures) -> list[Difference]:
    """Where the two readings differ: the series, the oracle's value, the product's."""
    keys = sorted(set(ours) | set(theirs))
    return [(key, ours.get(key), theirs.get(key)) for key in keys if ours.get(key) != pytest.approx(theirs.get(key), abs=1e-9)]


def as_of_differences(seed: int, folder: Path) -> Iterator[tuple[int, list[Difference]]]:
    """All records read at once, looked at as of several instants."""
    made = scenario(seed)
    configuration = written(folder, made, dict.fromkeys(made.records, iso(made.instants[-1])))
    if configuration is None:
        return
    append(folder, made.records)
    product = Product(configuration, made.instants[-1])
    try:
        product.read()
        product.pipeline.refresh()
        company = Company(made.options, made.records, made.changes)
        for at in made.instants:
            yield at, differences(figures(company, at), product.as_of(at))
    finally:
        product.store.close()


def live_differences(seed: int, folder: Path) -> Iterator[tuple[int, list[Difference]]]:
    """Records read in portions, late ones and corrections among them, while the clock moves on; some sources are read up to an earlier instant only."""
    made = scenario(seed)
    chance = random.Random(seed)
    ends = {name: chance.choice(made.instants[:-1]) for name in made.records if chance.random() < 0.2}
    configuration = written(folder, made, {name: iso(ends[name]) if name in ends else "now" for name in made.records})
    if configuration is None:
        return
    portions: dict[int, Records] = {at: {name: [] for name in made.records} for at in made.instants}
    for name, items in made.records.items():
        for record in items:
            portions[chance.choice(made.instants)][name].append(record)
    product = Product(configuration, made.instants[0])
    read: Records = {name: [] for name in made.records}
    try:
        for at, portion in portions.items():
            product.now = at
            append(folder, portion)
            for name, items in portion.items():
                read[name] += items
            product.read()
            company = Company(made.options, read, made.changes)
            expected: Figures = {}
            for workflow in made.options["workflows"]:
                until = min(at, *(ends.get(name, at) for name in workflow["sources"]))
                expected |= {key: value for key, value in figures(company, until).items() if ("workflow", workflow["name"]) in key[1]}
            yield at, differences(expected, product.live())
    finally:
        product.store.close()


@pytest.mark.parametrize("seed", range(20))
def test_the_figures_as_of_any_instant_are_those_of_the_oracle(seed: int, tmp_path: Path) -> None:
    assert [(at, found) for at, found in as_of_differences(seed, tmp_path) if found] == []


@pytest.mark.parametrize("seed", range(1000, 1020))
def test_the_live_figures_are_those_of_the_oracle_whatever_comes_when(seed: int, tmp_path: Path) -> None:
    assert [(at, found) for at, found in live_differences(seed, tmp_path) if found] == []
