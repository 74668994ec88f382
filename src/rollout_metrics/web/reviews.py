"""The quarterly reviews as pages: the list of quarters, and each review as the file that the command line writes."""

from collections.abc import Callable, Mapping
from typing import Any

from flask import Blueprint, Response, abort, render_template, request

from rollout_metrics.derive.quarters import quarters
from rollout_metrics.domain.errors import ConfigurationError
from rollout_metrics.review import page
from rollout_metrics.review.page import Shown
from rollout_metrics.web.desk import Desk
from rollout_metrics.web.pages import current_viewer

POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
"""The file brings its style with it, and nothing else."""

FORMATS: Mapping[str, tuple[str, Callable[[Shown], str | bytes]]] = {
    "html": ("text/html; charset=utf-8", page.html),
    "md": ("text/markdown; charset=utf-8", page.markdown),
    "json": ("application/json", page.as_json),
}


def review_blueprint(desk: Desk) -> Blueprint:
    """`/review` and `/review/QUARTER`."""
    blueprint = Blueprint("review", __name__)

    @blueprint.get("/review")
    def index() -> str:
        now, seen = desk.seen()[0].taken_at, desk.workflows(current_viewer())
        found: dict[str, Any] = {}
        for workflow in seen:
            for quarter in quarters(workflow.calendar, now):
                found.setdefault(quarter.name, quarter)
        signed = {} if desk.reviews is None else desk.reviews.signatures()
        listed = sorted(found.values(), key=lambda quarter: (quarter.start, quarter.name), reverse=True)
        older = sorted(signed.keys() - found.keys(), reverse=True)
        return render_template("reviews.html", quarters=listed, older=older, signed=signed, now=now, kinds=FORMATS)

    @blueprint.get("/review/<name>")
    def quarter(name: str) -> Response:
        kind = request.args.get("format", "html")
        if kind not in FORMATS or desk.reviews is None:
            abort(404, f"There is no review as {kind!r}: choose {', '.join(FORMATS)}.")
        viewer = current_viewer()
        try:
            found = desk.reviews.open(name)
        except ConfigurationError as error:
            abort(404, str(error))
        names = frozenset(item.workflow for item in found.review.findings)
        found = found.only(frozenset(filter(viewer.may_see, names)), frozenset(filter(viewer.may_open, names)))
        content_type, write = FORMATS[kind]
        return Response(write(found), content_type=content_type, headers={"Content-Security-Policy": POLICY})

    return blueprint
