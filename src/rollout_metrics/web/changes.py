"""The pages about what was changed and on what terms: change records, the sheet on data protection."""

from flask import Blueprint, abort, render_template

from rollout_metrics.overview.data_protection import sheet
from rollout_metrics.overview.records import chapters, lacking, newest_first, sign_offs, stage
from rollout_metrics.web import links
from rollout_metrics.web.desk import Desk
from rollout_metrics.web.pages import current_viewer


def changes_blueprint(desk: Desk) -> Blueprint:
    """`/changes`, `/changes/ID` and `/data-protection`."""
    blueprint = Blueprint("changes", __name__)

    @blueprint.get("/changes")
    def index() -> str:
        records = desk.records
        changes = newest_first(record.change for record in records.values() if current_viewer().may_see(record.change.workflow))
        at = desk.seen()[0].taken_at
        return render_template("changes.html", changes=[(change, stage(change, at), lacking(records[change.id])) for change in changes])

    @blueprint.get("/changes/<path:name>")
    def change(name: str) -> str:
        record = desk.records.get(name)
        if record is None or not current_viewer().may_see(record.change.workflow):
            abort(404, f"There is no change {name!r} that you may see.")
        return render_template(
            "change.html",
            change=record.change,
            stage=stage(record.change, desk.seen()[0].taken_at),
            chapters=chapters(record),
            sign_offs=sign_offs(record),
            lacks=lacking(record),
            outward=links.outward,
        )

    @blueprint.get("/data-protection")
    def data_protection() -> str:
        return render_template("data_protection.html", answers=sheet(desk.terms))

    return blueprint
