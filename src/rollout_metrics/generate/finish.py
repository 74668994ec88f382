"""What grafanalib writes, put right for a current Grafana: schema version, data source, targets, and no keys of old. Pure."""

from typing import Any

SCHEMA_VERSION = 41
"""Grafana 12's classic schema; older and newer ones migrate it by themselves."""

REFRESH_INTERVALS = ("5m", "15m", "1h")
"""What people can choose: figures are collected no faster."""

PROMETHEUS = {"type": "prometheus", "uid": "${datasource}"}
DASHBOARDS = {"type": "grafana", "uid": "-- Grafana --"}

_OLD_IN_DASHBOARD = frozenset({"__inputs", "gnetId", "hideControls", "rows", "sharedCrosshair", "style", "id", "version"})
_OLD_IN_PANEL = frozenset({"editable", "error", "height", "span", "minSpan", "hideTimeOverride", "cacheTimeout", "maxDataPoints"})
_OLD_IN_TARGET = frozenset({"step", "intervalFactor", "metric", "target", "query", "datasource", "interval", "hide"})
_OLD_IN_VARIABLE = frozenset({"useTags", "tagsQuery", "tagValuesQuery", "auto", "auto_min", "auto_count"})
_OLD_IN_TABLE = frozenset({"color", "columns", "fontSize", "mappings"})
_EMPTY_IN_PANEL = frozenset({"repeat", "repeatDirection", "maxPerRow", "interval", "links", "transformations", "timeFrom", "timeShift"})
_EMPTY_IN_FIELD = frozenset({"mappings", "custom", "links"})
_ALL = {"text": ["All"], "value": ["$__all"], "selected": True}
_ASKED_ONLY = frozenset({"refresh", "sort", "regex", "multi", "includeAll", "allValue", "datasource"})
_WITHOUT_DATA = frozenset({"row", "text"})
_IN_ROW = frozenset({"type", "title", "gridPos", "id", "collapsed", "panels"})


def finished(raw: dict[str, Any], *, comment: str) -> dict[str, Any]:
    """The dashboard as Grafana would keep it. `comment` becomes its first line."""
    dashboard = {key: value for key, value in raw.items() if key not in _OLD_IN_DASHBOARD}
    dashboard["__comment"] = comment
    dashboard["schemaVersion"] = SCHEMA_VERSION
    dashboard["timepicker"] = {"refresh_intervals": list(REFRESH_INTERVALS)}
    dashboard["panels"] = [_panel(panel) for panel in raw["panels"]]
    dashboard["templating"] = {"list": [_variable(variable) for variable in raw["templating"]["list"]]}
    dashboard["annotations"] = {"list": [_own_annotations(), *(mark | {"datasource": PROMETHEUS} for mark in raw["annotations"]["list"])]}
    return dashboard


def _panel(raw: dict[str, Any]) -> dict[str, Any]:
    panel = {key: value for key, value in raw.items() if key not in _OLD_IN_PANEL and not (key in _EMPTY_IN_PANEL and not value)}
    if panel["type"] in _WITHOUT_DATA:
        for key in ("datasource", "targets", "fieldConfig"):
            panel.pop(key, None)
        return {key: value for key, value in panel.items() if key in _IN_ROW} if panel["type"] == "row" else panel
    if panel["type"] == "table":
        panel = {key: value for key, value in panel.items() if key not in _OLD_IN_TABLE}
        raw["fieldConfig"]["defaults"]["custom"].pop("displayMode", None)
    panel["datasource"] = PROMETHEUS
    panel["targets"] = [_target(target) for target in raw["targets"]]
    panel["fieldConfig"] = _set(raw["fieldConfig"])
    return panel


def _target(raw: dict[str, Any]) -> dict[str, Any]:
    target = {key: value for key, value in raw.items() if key not in _OLD_IN_TARGET}
    return target | {"datasource": PROMETHEUS, "editorMode": "code", "range": not target["instant"]}


def _variable(raw: dict[str, Any]) -> dict[str, Any]:
    variable = {key: value for key, value in raw.items() if key not in _OLD_IN_VARIABLE and value is not None}
    variable["current"] = {key: value for key, value in variable["current"].items() if key != "tags"} | {"selected": True}
    if variable["includeAll"]:
        variable["current"] = dict(_ALL)
    if variable["type"] == "constant":
        return {key: value for key, value in variable.items() if key not in _ASKED_ONLY} | {"skipUrlSync": True}
    if variable["type"] == "query":
        variable["datasource"] = PROMETHEUS
        variable["definition"] = variable["query"]
        variable["query"] = {"query": variable["query"], "refId": "PrometheusVariableQueryEditor-VariableQuery"}
    return variable


def _set(raw: Any) -> Any:
    """Without what is not set; a threshold's first step is the one place where null is a value."""
    if isinstance(raw, dict):
        kept = {key: value for key, value in raw.items() if value is not None and not (key in _EMPTY_IN_FIELD and not value)}
        return {key: value if key == "steps" else _set(value) for key, value in kept.items()}
    return [_set(item) for item in raw] if isinstance(raw, list) else raw


def _own_annotations() -> dict[str, Any]:
    """Marks that people set by hand in Grafana."""
    return {
        "builtIn": 1,
        "datasource": DASHBOARDS,
        "enable": True,
        "hide": True,
        "iconColor": "rgba(0, 211, 255, 1)",
        "name": "Annotations & Alerts",
        "type": "dashboard",
    }
