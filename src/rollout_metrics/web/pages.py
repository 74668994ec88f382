"""The pages for people: status and workflows; what all pages share (rights, headers, filters) is here too."""

from collections.abc import Mapping
from typing import Any

from flask import Blueprint, Flask, Response, abort, g, render_template, request
from werkzeug.exceptions import HTTPException

from rollout_metrics import __version__
from rollout_metrics.catalog import DEFINITIONS
from rollout_metrics.domain.changes import Change
from rollout_metrics.domain.policy import Workflow
from rollout_metrics.domain.time import format_span
from rollout_metrics.overview.records import lacking, newest_first, stage
from rollout_metrics.overview.sections import sections
from rollout_metrics.overview.status import at_a_glance, usual_window, windows
from rollout_metrics.overview.trust import SHOWN, gates, signals, signs
from rollout_metrics.web import links
from rollout_metrics.web.desk import Desk
from rollout_metrics.web.filters import FILTERS
from rollout_metrics.web.rights import Viewer, viewer

HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Cache-Control": "no-store",
}
"""On every answer of the pages: nothing from elsewhere, no script at all, in no frame, kept nowhere."""

NAVIGATION = (("pages.status", "Status"), ("evidence.evidence", "Evidence"), ("changes.index", "Changes"), ("review.index", "Reviews"))
"""`(endpoint, what it is called)` of the pages that every page leads to, in order."""


def pages_blueprint(desk: Desk, navigation: tuple[tuple[str, str], ...] = NAVIGATION) -> Blueprint:
    """Status, workflow and the stylesheet, and for every page of the application: who looks, headers, filters, error pages."""
    blueprint = Blueprint("pages", __name__, template_folder="templates", static_folder="static", static_url_path="/static")

    @blueprint.before_app_request
    def who() -> None:
        g.viewer = viewer(request.environ, desk.admission)

    @blueprint.after_app_request
    def guarded(response: Response) -> Response:
        for name, value in HEADERS.items():
            response.headers.setdefault(name, value)
        if request.endpoint == "pages.static":
            response.headers["Cache-Control"] = "max-age=3600"
        return response

    @blueprint.app_context_processor
    def shared() -> dict[str, Any]:
        picture = desk.board.picture
        return {
            "navigation": navigation,
            "section": request.endpoint,
            "viewer": current_viewer(),
            "reasons": desk.board.reasons,
            "taken_at": picture.taken_at if picture is not None else None,
            "definitions": DEFINITIONS,
            "version": __version__,
            "links": links,
        }

    @blueprint.app_errorhandler(HTTPException)
    def failed(error: HTTPException) -> tuple[str, int] | HTTPException:
        if request.path.startswith("/api/"):
            return error
        return render_template("error.html", status=error.code or 500, name=error.name, said=error.description), error.code or 500

    @blueprint.record_once
    def write(state: Any) -> None:
        application: Flask = state.app
        application.jinja_env.filters.update(FILTERS)
        application.jinja_env.trim_blocks = application.jinja_env.lstrip_blocks = True

    @blueprint.get("/")
    def status() -> str:
        picture, values = desk.seen()
        seen = desk.workflows(current_viewer())
        chosen = request.args.get("window")
        glances = [at_a_glance(values, workflow, chosen, picture.trends) for workflow in seen]
        read = frozenset().union(*(workflow.sources for workflow in seen))
        sources = [source for source in picture.sources if source.name in read or not current_viewer().limited]
        return render_template("status.html", glances=glances, windows=windows(seen), chosen=_chosen(seen, chosen), sources=sources)

    @blueprint.get("/workflows/<path:name>")
    def workflow(name: str) -> str:
        found = known_workflow(desk, name)
        picture, values = desk.seen()
        glance = at_a_glance(values, found, request.args.get("window"), picture.trends)

        def trends(figure: Any) -> Any:
            return picture.trends.get((found.name, figure.metric.key, tuple(figure.labels[label] for label in figure.metric.labels)), ())

        return render_template(
            "workflow.html",
            glance=glance,
            windows=[format_span(span) for span in found.windows],
            sections=sections(values, found.name, glance.window, glance.mode, SHOWN),
            trends=trends,
            gates=gates(values, found.name),
            signs=signs(values, found.name),
            signals=signals(values, found.name),
            sources=[source for source in picture.sources if source.name in found.sources],
            changes=[(change, stage(change, picture.taken_at), lacking(desk.records[change.id])) for change in newest_first(_changes(desk, found))],
        )

    return blueprint


def current_viewer() -> Viewer:
    """Whoever the page is made for."""
    found: Viewer = g.viewer
    return found


def known_workflow(desk: Desk, name: str) -> Workflow:
    """A workflow the viewer may see; one that is not theirs is answered as one that does not exist."""
    found = desk.workflow(current_viewer(), name)
    if found is None:
        abort(404, f"There is no workflow {name!r} that you may see.")
    return found


def _changes(desk: Desk, workflow: Workflow) -> list[Change]:
    return [record.change for record in desk.records.values() if record.change.workflow == workflow.name]


def _chosen(workflows: list[Workflow], wanted: str | None) -> str | None:
    return usual_window(workflows[0], wanted) if workflows else None
