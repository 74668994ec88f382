"""The product's figures by its public path, the oracle's beside them, and where they differ."""

from datetime import timedelta
from math import isclose
from pathlib import Path

from oracle.companies_4_to_8 import iso, make
from oracle.sections_4_to_8 import PERSONAL, Figures, Oracle
from rollout_metrics.catalog import Family
from rollout_metrics.cli.session import clock, new_pipeline
from rollout_metrics.collect.event_format import read_event
from rollout_metrics.config.load import Configuration, load
from rollout_metrics.domain.events import Event
from rollout_metrics.domain.time import MINUTE, parse_instant
from rollout_metrics.pipeline.as_of import families_as_of
from rollout_metrics.publish.snapshot import Board
from rollout_metrics.store import open_store

PREFIX = "agent_rollout_"
_COUNTS = (
    "bucket",
    "count",
    "sum",
    "cases",
    "open",
    "unowned",
    "escalations",
    "decisions",
    "deployments",
    "evaluations",
    "grants",
    "violations",
    "errors",
    "actions",
)


def of_families(families: list[Family]) -> Figures:
    """Samples by name and labels."""
    return {(f.name.removeprefix(PREFIX) + suffix, frozenset(labels)): value for f in families for suffix, labels, value in f.samples}


def events_of(configuration: Configuration, folder: Path) -> list[Event]:
    """All events as they stand in the files."""
    found = []
    for source in configuration.sources:
        for line in (folder / f"{source}.jsonl").read_bytes().splitlines():
            event = read_event(line, source)
            assert isinstance(event, Event), (line, event)
            found.append(event)
    return found


def is_count(name: str) -> bool:
    """Whether no sample means 0."""
    return name.endswith(_COUNTS) or name == "review_effort_seconds"


def differences(expected: Figures, found: Figures) -> list[str]:
    """Where they differ; only names that the oracle speaks about are looked at."""
    names = {name for name, _ in expected}
    names |= {f"{name}{suffix}" for name in names for suffix in ("_lower", "_upper", "_cases")}
    names |= {"violations", "blocked_actions", "errors", "escalations", "failed_deployments", "time_saved_seconds", "time_saved_per_operator_seconds"}
    names |= {"explicit_decisions", "glanced_decisions", "rubber_stamp_ratio", "review_latency_seconds_bucket", "review_effort_seconds"}
    told = []
    for key in sorted({*expected, *(key for key in found if key[0] in names)}, key=lambda k: (k[0], sorted(k[1]))):
        mine, theirs = expected.get(key), found.get(key)
        if is_count(key[0]) and not key[0].startswith(PERSONAL):
            mine, theirs = mine or 0, theirs or 0
        if (mine is None) != (theirs is None):
            if is_count(key[0]) and not mine and not theirs and any(k[0] == key[0] for k in expected):
                continue
            told.append(f"{key[0]} {dict(sorted(key[1]))}: expected {mine}, found {theirs}")
        elif mine is not None and theirs is not None and not isclose(mine, theirs, rel_tol=1e-7, abs_tol=1e-6):
            told.append(f"{key[0]} {dict(sorted(key[1]))}: expected {mine}, found {theirs}")
    return told


def run(seed: int, folder: Path) -> tuple[list[str], Oracle]:
    """One company through both: read in steps, T moving on and some of the events late, then once more as of an earlier T."""
    file, draft = make(seed, folder)
    configuration = load(file, {})
    events = events_of(configuration, folder)
    at = parse_instant(iso(draft.t))
    before = at - draft.random.randrange(draft.days * 1440) * MINUTE
    lines = {source: (folder / f"{source}.jsonl").read_bytes().splitlines(keepends=True) for source in configuration.sources}
    told = []
    store = open_store(configuration.settings.store.url, clock=clock)
    try:
        pipeline = new_pipeline(configuration, store, Board())
        for left in (2, 1, 0) if seed % 3 else (0,):
            for source, every in lines.items():
                some = every[: len(every) // (left + 1)]
                (folder / f"{source}.jsonl").write_bytes(b"".join(some))
                up_to = draft.t - timedelta(minutes=left * draft.days * 300)
                pipeline.sources[source] = pipeline.sources[source].model_copy(update={"read_up_to": up_to})
                collected = pipeline.sweep(source)
                assert collected.error is None, collected
            live = of_families(pipeline.families() or [])
            if left == 1 and seed % 2:
                so_far = Oracle(configuration, events_of(configuration, folder), parse_instant(iso(up_to)))
                told += [f"halfway: {line}" for line in differences(so_far.all(), live)]
        found = of_families(families_as_of(pipeline, at))
        earlier = of_families(families_as_of(pipeline, before))
    finally:
        store.close()
    oracle = Oracle(configuration, events, at)
    expected = oracle.all()
    told += [f"{how}: {line}" for how, figures in (("live", live), ("as of", found)) for line in differences(expected, figures)]
    told += [f"before: {line}" for line in differences(Oracle(configuration, events, before).all(), earlier)]
    return told, oracle
