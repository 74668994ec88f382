"""From the tables in tests/rules to what promtool runs: each alert firing, quiet, at tiny n, without data, with a stale source, in a catch-up burst.

A table names, for each alert, the series that make it `firing` (the prefix is left out, and `workflow="refunds"` where the metric has that label), what it
then `says`, and which of those values, changed, leave it `quiet` or make it `tiny`; a word instead of a change says why there is no such case. A change
names a metric, or one of its series; null takes it away. `also`: further cases, silent unless they say `fires`; `more` adds series.
Around them stands a healthy world of two replicas: an alert that fires twice for two replicas fails.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from rollout_metrics.catalog import METRICS, PREFIX
from rollout_metrics.catalog.alerts import Alert, Topic
from rollout_metrics.domain.time import MINUTE, parse_span

LENGTH = 400
"""Minutes that each world lasts at most."""

BURST = 20
"""Minute at which a source that lagged behind has caught up."""

WORLD: Mapping[str, Any] = {
    "build_info": 1,
    "workflow_info": 1,
    "sources_stale": 0,
    "as_of_timestamp_seconds": f"0+60x{LENGTH}",
    "snapshot_timestamp_seconds": f"0+60x{LENGTH}",
}
REPLICAS = ("a:10877", "b:10877")
FILLED = {"workflow": "refunds", "owner_team": "refund-operations", "workflow_type": "support", "risk_tier": "high", "version": "7", "definitions": "1"}
GATED = (Topic.BEHAVIOUR, Topic.AUTHORITY, Topic.CHANGE)

Values = dict[str, Any]


class Case(msgspec.Struct, frozen=True):
    """One world and whether the alert fires in it, at these minutes."""

    name: str
    values: Values
    fires: bool
    minutes: tuple[int, ...]
    replicas: tuple[str, ...] = REPLICAS
    as_told: bool = False
    """Whether labels and words are those of the table."""


def rules_of(alert: Alert, file: Mapping[str, Any]) -> dict[str, Any]:
    """Of a rule file, this alert and the recording rules before it: what it needs, and quick to run."""
    groups = [{**group, "rules": [rule for rule in group["rules"] if rule.get("alert", alert.name) == alert.name]} for group in file["groups"]]
    return {"groups": groups}


def rule_tests(alert: Alert, table: Mapping[str, Any], rules: str) -> dict[str, Any]:
    """What promtool runs for one alert."""
    return {"rule_files": [rules], "evaluation_interval": "1m", "tests": [_test(alert, table, case) for case in cases(alert, table)]}


def cases(alert: Alert, table: Mapping[str, Any]) -> Iterator[Case]:
    """Every case of an alert."""
    holds = parse_span(alert.holds) // MINUTE if alert.holds else 0
    soon, late = holds + 11, holds + BURST + 31
    firing = {**WORLD, **table["firing"]}
    calm = changed(firing, table["quiet"])
    gated = alert.topic in GATED
    yield Case("fires", firing, True, (soon,), as_told=True)
    if holds:
        yield Case("fires not before it has held", firing, False, (holds - 1,))
    yield Case("fires with one replica alike", firing, True, (soon,), REPLICAS[:1])
    yield Case("quiet", calm, False, (soon, late))
    if isinstance(table["tiny"], dict):
        yield Case("quiet at tiny n", changed(firing, table["tiny"]), False, (soon, late))
    bare = {"build_info": 1} if table.get("without") != "fires" else {}
    yield Case("no data", bare, not bare, (soon,))
    stale = changed(firing, {"sources_stale": 1, "as_of_timestamp_seconds": f"0x{LENGTH}"})
    yield Case("stale source", stale, not gated, (soon, late) if gated else (soon,))
    if gated:
        hanging = changed(firing, {"snapshot_timestamp_seconds": f"-3600x{LENGTH}", "as_of_timestamp_seconds": f"-3600x{LENGTH}"})
        yield Case("stale source: passes hang and nobody says so", hanging, False, (soon, late))
        yield Case("catch-up burst", _burst(firing, calm), False, (soon, BURST + 5, BURST + soon, late))
    else:
        backlog = {**calm, 'source_events_total{source="desk"}': f"0x{BURST - 1} 100000x{LENGTH}", **_caught_up()}
        yield Case("catch-up burst", backlog, False, (BURST + soon, late))
    for name, more in table.get("also", {}).items():
        values = {**changed(firing, more.get("changes", {})), **more.get("more", {})}
        yield Case(name, values, more.get("fires", False), (soon,))
    if alert.lasts:
        lasts = parse_span(alert.lasts) // MINUTE
        until = {key: _then(value, calm[key], soon) for key, value in firing.items() if key in calm}
        yield Case("keeps firing for a while", until, True, (soon + lasts - 5,))
        yield Case("and stops", until, False, (soon + lasts + holds + 10,))


def changed(values: Values, changes: Mapping[str, Any]) -> Values:
    """The values with these changed: a metric's every series, or one series; None takes them away."""
    found: Values = dict(values)
    for name, value in changes.items():
        for key in [key for key in found if key == name or re.match(r"\w+", key)[0] == name]:  # type: ignore[index]
            found[key] = value
            if value is None:
                del found[key]
        if name not in found and value is not None and not any(key.startswith(name) for key in found):
            raise KeyError(f"{name} changes nothing")
    return found


def _burst(firing: Values, calm: Values) -> Values:
    """A backlog comes in: what looks like trouble, while a source is still a day behind; then all is read and calm."""
    values = {key: _then(value, calm.get(key, value), BURST) for key, value in firing.items()}
    return {**values, **_caught_up()}


def _caught_up() -> Values:
    return {"sources_stale": f"1x{BURST - 1} 0x{LENGTH}", "as_of_timestamp_seconds": f"-86400x{BURST - 1} {BURST * 60}+60x{LENGTH}"}


def _then(first: Any, second: Any, minute: int) -> Any:
    """One constant up to a minute, another from then on; what moves moves from the beginning."""
    return second if isinstance(second, str) else f"{first}x{minute - 1} {second}x{LENGTH}"


def _test(alert: Alert, table: Mapping[str, Any], case: Case) -> dict[str, Any]:
    test: dict[str, Any] = {
        "name": f"{alert.name}: {case.name}",
        "interval": "1m",
        "input_series": [item for replica in case.replicas for item in _series(case.values, replica)],
    }
    if case.as_told:
        expected = [{"exp_labels": _labels(alert, table), "exp_annotations": _annotations(alert, table)}]
        return test | {"alert_rule_test": [{"eval_time": f"{minute}m", "alertname": alert.name, "exp_alerts": expected} for minute in case.minutes]}
    firing = f'count(ALERTS{{alertname="{alert.name}", alertstate="firing"}}) or vector(0)'
    samples = [{"labels": "{}", "value": int(case.fires)}]
    return test | {"promql_expr_test": [{"expr": firing, "eval_time": f"{minute}m", "exp_samples": samples} for minute in case.minutes]}


def _labels(alert: Alert, table: Mapping[str, Any]) -> dict[str, str]:
    first = next(iter(table["firing"]))
    labels = {"severity": alert.severity.value, "topic": alert.topic.value}
    if alert.expression.startswith("absent"):
        return labels
    if METRICS[first.partition("{")[0]].per_workflow:
        labels["workflow"] = FILLED["workflow"]
    if "source=" in first:
        labels["source"] = "desk"
    if alert.topic in (*GATED, Topic.FRESHNESS):
        labels["owner_team"] = FILLED["owner_team"]
    return {**labels, "job": "rollout-metrics", **table.get("labels", {})}


def _annotations(alert: Alert, table: Mapping[str, Any]) -> dict[str, str]:
    labels = _labels(alert, table)
    link = re.sub(r"\{\{ \$labels\.(\w+) \}\}", lambda found: labels[found[1]], alert.dashboard_url)
    return {"summary": alert.summary, "description": table["says"], "runbook_url": alert.runbook_url, "dashboard_url": link}


def _series(values: Values, replica: str) -> Iterator[dict[str, str]]:
    for key, value in values.items():
        if value is None:
            continue
        name, _, written = key.partition("{")
        labels = dict(re.findall(r'(\w+)="([^"]*)"', written))
        known = METRICS[name].all_labels
        labels = {label: FILLED[label] for label in known if label in FILLED} | labels
        assert set(labels) == set(known), f"{key}: the metric's labels are {known}"
        shown = ", ".join(f'{label}="{text}"' for label, text in {**labels, "instance": replica, "job": "rollout-metrics"}.items())
        yield {"series": f"{PREFIX}{name}{{{shown}}}", "values": value if isinstance(value, str) else f"{value}x{LENGTH}"}
