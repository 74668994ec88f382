"""The alerts as a Prometheus rule file."""

from collections.abc import Iterable
from typing import Any

import yaml

from rollout_metrics.catalog.alerts import Alert


class _Block(str):
    """Text of several lines, written as a block."""

    __slots__ = ()


class _Dumper(yaml.SafeDumper):
    """Block texts as blocks, lists indented."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        """Lists are indented below their key."""
        super().increase_indent(flow, False)


def _block(dumper: yaml.SafeDumper, text: _Block) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", str(text), style="|")


_Dumper.add_representer(_Block, _block)


def rule_file(alerts: Iterable[Alert], *, comment: str) -> str:
    """One group of all alerts."""
    group = {"name": "rollout-metrics", "interval": "1m", "rules": [_rule(alert) for alert in alerts]}
    return f"# {comment}\n" + yaml.dump({"groups": [group]}, Dumper=_Dumper, sort_keys=False, width=100_000, allow_unicode=True)


def _rule(alert: Alert) -> dict[str, Any]:
    rule: dict[str, Any] = {"alert": alert.name, "expr": _Block(alert.expression + "\n")}
    if alert.holds:
        rule["for"] = alert.holds
    if alert.lasts:
        rule["keep_firing_for"] = alert.lasts
    rule["labels"] = {"severity": alert.severity.value}
    rule["annotations"] = {
        "summary": alert.summary,
        "description": alert.description,
        "runbook_url": alert.runbook_url,
        "dashboard_url": alert.dashboard_url,
    }
    return rule
