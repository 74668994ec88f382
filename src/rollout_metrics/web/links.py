"""Where pages lead to: the evidence of a figure, the ticketing system. A link out is only made of an address that a browser may follow."""

from collections.abc import Mapping
from typing import Any

from flask import url_for

from rollout_metrics.overview.evidence import question
from rollout_metrics.overview.figure import Figure
from rollout_metrics.overview.foreign import outward
from rollout_metrics.web.rights import Viewer

__all__ = ["evidence", "of_mark", "outward"]


def evidence(figure: Figure, viewer: Viewer) -> str | None:
    """The cases behind a figure; None where there are none, or they are not the viewer's to see."""
    asked: dict[str, Any] = {**question(figure)}
    if not asked or figure.value is None or not viewer.may_open(asked["workflow"]):
        return None
    return url_for("evidence.evidence", **asked)


def of_mark(asked: Mapping[str, str], viewer: Viewer) -> str | None:
    """What stands behind a mark; None where it names no question, or the cases are not the viewer's to see."""
    if not asked or not viewer.may_open(asked["workflow"]):
        return None
    named: dict[str, Any] = {**asked}
    return url_for("evidence.evidence", **named)
