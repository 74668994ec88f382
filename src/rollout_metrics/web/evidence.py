"""The evidence page: the cases and events behind a number, paged, filtered, as a page, as CSV and as JSON. Whoever opens it is logged."""

import csv
import io
import logging
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
from flask import Blueprint, Response, abort, render_template, request, url_for

from rollout_metrics.catalog import METRICS, NO_WORKFLOW, Metric
from rollout_metrics.domain.errors import ConfigurationError
from rollout_metrics.domain.pseudonyms import ACTOR_PREFIX, WORDS_PREFIX
from rollout_metrics.domain.time import MINUTE, Instant, Span, floor_minute, format_instant, format_span, parse_instant, parse_span
from rollout_metrics.overview.evidence import CHANGE, Asked, Explained, Place, Receipt, Seen, Wanted, has_cases, metric_named
from rollout_metrics.overview.figure import Figure, figure
from rollout_metrics.overview.status import usual_window
from rollout_metrics.web import links
from rollout_metrics.web.desk import Desk
from rollout_metrics.web.pages import current_viewer, known_workflow

log = logging.getLogger(__name__)

PAGE, MOST = 50, 10_000
"""Receipts on a page, and in a download."""

_OWN = frozenset(("metric", "workflow", "window", "from", "to", "role", "case", "before", "format"))
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""What a spreadsheet takes for the beginning of a formula."""

COLUMNS = ("case", "at", "counts", "value", "fact", "events", "url")


class Question(msgspec.Struct, frozen=True):
    """What the address asks for."""

    asked: Asked
    wanted: Wanted
    until: bool
    """Whether it names an end of its own."""


def evidence_blueprint(desk: Desk) -> Blueprint:
    """`/evidence?metric=&workflow=&window=` or `&from=&to=`, with `role`, `case`, the metric's labels, and `format` csv or json."""
    blueprint = Blueprint("evidence", __name__)

    @blueprint.get("/evidence")
    def evidence() -> Response | str:
        if not request.args.get("metric"):
            return _choosing(desk)
        question = _question(desk)
        workflow = question.asked.workflow
        _admit(desk, workflow)
        download = request.args.get("format")
        try:
            found = desk.explain(question.asked, question.wanted)
        except ConfigurationError as problem:
            abort(403 if question.asked.metric.personal else 400, str(problem))
        _noted(question, found, download)
        persons = current_viewer().may_see_persons(workflow)
        if download == "csv":
            return _file(_csv(found, persons=persons), "text/csv; charset=utf-8", "csv")
        if download == "json":
            return _file(_json(question, found, persons=persons), "application/json", "json")
        return _page(desk, question, found, persons=persons)

    return blueprint


def _admit(desk: Desk, workflow: str) -> None:
    """What belongs to no workflow is for those who may see all of them."""
    viewer = current_viewer()
    if workflow != NO_WORKFLOW:
        known_workflow(desk, workflow)
    if not viewer.may_open(workflow) or (workflow == NO_WORKFLOW and None not in viewer.evidence):
        abort(403, f"The cases behind the figures of {workflow!r} are not yours to open: web.rights says who may.")


def _question(desk: Desk) -> Question:
    args = request.args
    workflow = args.get("workflow", "")
    try:
        metric = metric_named(args["metric"])
        window, end = _stretch(desk, workflow, args.get("window"), args.get("from"), args.get("to"))
        labels = {name: value for name, value in args.items() if name not in _OWN and value and name in (*metric.labels, "le")}
        limit = MOST if args.get("format") in ("csv", "json") else PAGE
        wanted = Wanted(limit, _place(args.get("before")), args.get("role") or None, (args.get("case") or "").strip() or None)
    except (ConfigurationError, ValueError) as problem:
        abort(400, str(problem))
    if not workflow:
        abort(400, "Name the workflow: add workflow= to the address.")
    return Question(Asked(metric, workflow, window, labels, end), wanted, end is not None)


def _stretch(desk: Desk, workflow: str, window: str | None, start: str | None, end: str | None) -> tuple[Span, Instant | None]:
    """The window and its end: `from` and `to` as ISO 8601 or milliseconds (as Grafana gives them), else a window that ends at the workflow's T."""
    if start and end:
        first, last = floor_minute(_instant(start)), floor_minute(_instant(end))
        if last - first < MINUTE:
            raise ValueError("from must lie at least a minute before to")
        return last - first, last
    if start or end:
        raise ValueError("from and to belong together: give both, or a window")
    if window:
        return parse_span(window), None
    known = desk.company.by_name.get(workflow)
    return parse_span("28d" if known is None else usual_window(known)), None


def _instant(text: str) -> Instant:
    return int(text) * 1000 if text.isdecimal() else parse_instant(text)


def _place(text: str | None) -> Place | None:
    if not text:
        return None
    minute, source, case = text.split("~", 2)
    return int(minute), source, case


def _written(place: Place) -> str:
    return "~".join(map(str, place))


def _noted(question: Question, found: Explained, download: str | None) -> None:
    """Who opened whose evidence; never which cases, and nobody who is in them."""
    asked = question.asked
    fields = {"user": current_viewer().name or "", "workflow": asked.workflow, "metric": asked.metric.key, "window": format_span(asked.window)}
    fields |= {"to": "" if asked.end is None else format_instant(asked.end), "format": download or "page", "receipts": str(len(found.receipts))}
    log.info("evidence opened", extra={"fields": fields | {"one_case": str(question.wanted.case is not None).lower()}})


def _choosing(desk: Desk) -> str:
    viewer = current_viewer()
    workflows = [workflow.name for workflow in desk.workflows(viewer) if viewer.may_open(workflow.name)]
    metrics = [metric for metric in METRICS.values() if has_cases(metric)]
    return render_template("evidence_choice.html", workflows=workflows, metrics=metrics, windows=("1d", "7d", "28d", "90d"))


def _page(desk: Desk, question: Question, found: Explained, *, persons: bool) -> str:
    asked, wanted = question.asked, question.wanted
    _, values = desk.seen()
    shown = None if question.until else _published(values, asked)
    given: dict[str, Any] = {name: value for name, value in request.args.items() if name != "before"}
    own = {name: given[name] for name in ("metric", "workflow", "window", "from", "to") if given.get(name)}
    return render_template(
        "evidence.html",
        asked=asked,
        figure=shown,
        window=format_span(asked.window),
        end=asked.end,
        found=found,
        rows=[_row(receipt, persons=persons) | _of_change(desk, receipt) for receipt in found.receipts],
        persons=persons,
        wanted=wanted,
        own=own,
        choices=_choices(values, asked),
        roles=[role for role in found.totals if len(found.totals) > 1],
        older=url_for("evidence.evidence", **(given | {"before": _written(found.next)})) if found.next else None,
        newest=url_for("evidence.evidence", **given) if wanted.before else None,
        downloads=[(kind, url_for("evidence.evidence", **(given | {"format": kind}))) for kind in ("csv", "json")],
        most=MOST,
        timed=asked.metric.unit == "seconds",
        workflow_page=None if asked.workflow == NO_WORKFLOW else url_for("pages.workflow", name=asked.workflow),
    )


def _published(values: Any, asked: Asked) -> Figure | None:
    """The published number that is being explained, where the labels single one out."""
    metric = asked.metric
    labels = {"workflow": asked.workflow, **({"window": format_span(asked.window)} if metric.windowed else {}), **asked.labels}
    if set(labels) != set(metric.all_labels):
        return None
    shown = figure(values, metric.key, {label: labels[label] for label in metric.all_labels})
    return shown if shown.value is not None else None


def _choices(values: Any, asked: Asked) -> list[tuple[str, list[str]]]:
    """The values of each label of the metric, to choose from."""
    metric: Metric = asked.metric
    fixed = {"workflow": asked.workflow} | ({"window": format_span(asked.window)} if metric.windowed else {})
    found: dict[str, set[str]] = {label: {asked.labels[label]} if label in asked.labels else set() for label in metric.labels}
    for labels, _ in values.having(metric.name, fixed):
        for label, known in found.items():
            known.add(labels[label])
    return [(label, sorted(known)) for label, known in found.items() if known]


def _row(receipt: Receipt, *, persons: bool) -> dict[str, Any]:
    return {
        "case": receipt.case,
        "url": links.outward(receipt.url),
        "at": receipt.at,
        "role": receipt.role,
        "counted": receipt.counted,
        "value": receipt.value,
        "fact": receipt.fact,
        "events": [_event(event, persons=persons) for event in receipt.events],
    }


def _of_change(desk: Desk, receipt: Receipt) -> dict[str, Any]:
    """Where a receipt is about a deployment: its change record."""
    kind, name = receipt.case
    return {"url": url_for("changes.change", name=name)} if kind == CHANGE and name in desk.records else {}


def _event(event: Seen, *, persons: bool) -> dict[str, Any]:
    """An event without what is derived from persons, unless that is the viewer's to see; of texts only hashes of words are stored, which tell nothing."""
    return {
        "source": event.ref[0],
        "event": event.ref[1],
        "at": event.at,
        "activity": event.activity,
        "actor": event.actor_kind,
        "person": event.actor if persons else None,
        "attribute": event.attribute or event.action,
        "before": _plain(event.before, persons=persons),
        "after": _plain(event.after, persons=persons),
        "reason": event.reason,
        "url": links.outward(event.url),
    }


def _plain(value: str | None, *, persons: bool) -> str | None:
    if value is None:
        return None
    if value.startswith(WORDS_PREFIX):
        return "(text)"
    return "(person)" if ACTOR_PREFIX in value and not persons else value


def _file(body: str, kind: str, suffix: str) -> Response:
    headers = {"Content-Disposition": f'attachment; filename="evidence.{suffix}"'}
    return Response(body, 200, headers, content_type=kind)


def _csv(found: Explained, *, persons: bool) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(COLUMNS + (("persons",) if persons else ()))
    for receipt in found.receipts:
        row = receipt.row
        cells = [row["case"], row["at"], row["counts"], row["value"], row["fact"], row["event"], links.outward(receipt.url)]
        if persons:
            cells.append(" ".join(dict.fromkeys(event.actor for event in receipt.events if event.actor)))
        writer.writerow([_cell(value) for value in cells])
    return "\ufeff" + out.getvalue()


def _cell(value: Any) -> str:
    """A cell that no spreadsheet runs as a formula."""
    text = "" if value is None else str(value)
    return f"'{text}" if text.startswith(_FORMULA) and not isinstance(value, float | int) else text


def _json(question: Question, found: Explained, *, persons: bool) -> str:
    asked = question.asked
    body = {
        "metric": asked.metric.name,
        "workflow": asked.workflow,
        "window": format_span(asked.window),
        "to": None if asked.end is None else format_instant(asked.end),
        "labels": dict(asked.labels),
        "totals": dict(found.totals),
        "complete": found.next is None and question.wanted.before is None,
        "rows": [_plain_row(receipt, persons=persons) for receipt in found.receipts],
    }
    return msgspec.json.format(msgspec.json.encode(body), indent=1).decode() + "\n"


def _plain_row(receipt: Receipt, *, persons: bool) -> Mapping[str, Any]:
    def events() -> Iterator[dict[str, Any]]:
        for event in receipt.events:
            shown = _event(event, persons=persons)
            yield {key: value for key, value in shown.items() if key != "person" or persons} | {"at": format_instant(event.at)}

    row = receipt.row
    return {"case": row["case"], "at": row["at"], "role": receipt.role, "counted": receipt.counted, "value": receipt.value, "fact": receipt.fact} | {
        "url": links.outward(receipt.url),
        "events": list(events()),
    }
