"""The dashboards under test: as they are made from the definitions of this checkout, with the ways to look at them."""

import json
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import promql_parser
import pytest

from checkout import ROOT, inputs
from rollout_metrics.catalog import METRICS, PREFIX, Metric
from rollout_metrics.generate.dashboards import dashboard_files, dashboard_json

THRESHOLDS = inputs()["thresholds"]
DASHBOARDS: dict[str, dict[str, Any]] = {
    file.name.removesuffix(".dashboard.py"): json.loads(dashboard_json(file, THRESHOLDS)) for file in dashboard_files(ROOT / "dashboards")
}

DATALESS = frozenset(("row", "text"))
"""Panels that ask for nothing."""

_INTERPOLATED = {"offset $window": "offset 28d", "$__rate_interval": "5m", "$__range": "28d", "$__interval": "1m"}


def panels(dashboard: dict[str, Any]) -> list[dict[str, Any]]:
    """Every panel that shows data."""
    return [panel for panel in dashboard["panels"] if panel["type"] not in DATALESS]


def of_every_panel(check: Callable[[dict[str, Any]], None]) -> Callable[..., None]:
    """A test of one panel as a test of each dashboard: it names the panel that it fails for."""

    @pytest.mark.parametrize("name", DASHBOARDS)
    def checked(name: str) -> None:
        for panel in panels(DASHBOARDS[name]):
            try:
                check(panel)
            except AssertionError as error:
                error.add_note(f"panel {panel['title']!r} of {name}")
                raise

    checked.__name__ = check.__name__
    checked.__doc__ = check.__doc__
    return checked


def expressions(dashboard: dict[str, Any]) -> list[str]:
    """Everything a dashboard asks Prometheus."""
    asked = [target["expr"] for panel in panels(dashboard) for target in panel["targets"]]
    return asked + [mark["expr"] for mark in dashboard["annotations"]["list"] if "expr" in mark]


def interpolated(expression: str) -> str:
    """With what Grafana puts in for its own variables."""
    for name, value in _INTERPOLATED.items():
        expression = expression.replace(name, value)
    return expression


@cache
def parsed(expression: str) -> Any:
    """The expression's tree."""
    return promql_parser.parse(interpolated(expression))


def selectors(expression: str) -> Iterator[tuple[Any, tuple[Any, ...]]]:
    """Every selector of an expression with what stands above it, the nearest last."""
    yield from _below(parsed(expression), ())


def _below(node: Any, above: tuple[Any, ...]) -> Iterator[tuple[Any, tuple[Any, ...]]]:
    if isinstance(node, promql_parser.VectorSelector):
        yield node, above
        return
    inner = [getattr(node, name, None) for name in ("expr", "lhs", "rhs", "param", "vector_selector")] + list(getattr(node, "args", ()))
    for child in inner:
        if child is not None:
            yield from _below(child, (*above, node))


def metric_of(selector: Any) -> Metric | None:
    """The metric of the catalogue that a selector names; None for Prometheus' own."""
    name = str(selector.name)
    if not name.startswith(PREFIX):
        return None
    key = name.removeprefix(PREFIX)
    for suffix in ("", "_bucket", "_sum", "_count"):
        if key.endswith(suffix) and key.removesuffix(suffix) in METRICS:
            return METRICS[key.removesuffix(suffix)]
    raise AssertionError(f"{name} is not in the catalogue")


def matchers(selector: Any) -> dict[str, tuple[str, str]]:
    """Label -> operator and value."""
    return {matcher.name: (str(matcher.op), matcher.value) for matcher in selector.matchers.matchers}
