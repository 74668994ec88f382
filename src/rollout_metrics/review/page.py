"""A review written out: one HTML file that needs nothing else, Markdown, or JSON. The same review, the same bytes."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any
from urllib.parse import urlencode

import msgspec
from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from rollout_metrics.catalog import METRICS
from rollout_metrics.domain.time import SECOND, Instant, format_instant
from rollout_metrics.overview import Tone, foreign, written
from rollout_metrics.overview.evidence import question
from rollout_metrics.review.charts import chart
from rollout_metrics.review.differences import Difference
from rollout_metrics.review.portfolio import portfolio
from rollout_metrics.review.said import NOT_ENOUGH, Findings, Movement, Number, Review, Signature

_JSON = msgspec.json.Encoder(order="deterministic")


class Shown(msgspec.Struct, frozen=True):
    """A review with what stands beside it: who signed it, and what would be different now."""

    review: Review
    signature: Signature | None = None
    differences: tuple[Difference, ...] = ()

    def only(self, workflows: frozenset[str], receipts: frozenset[str] | None = None) -> "Shown":
        """The same of these workflows; `receipts`: those whose cases may be named, None for all."""
        kept = self.review.only(workflows)
        if receipts is not None:
            hidden = (item if item.workflow in receipts else msgspec.structs.replace(item, exhibits=()) for item in kept.findings)
            kept = msgspec.structs.replace(kept, findings=tuple(hidden))
        return Shown(kept, self.signature, tuple(item for item in self.differences if item.workflow in workflows))


def html(shown: Shown, *, themed: bool = True) -> str:
    """The page; `themed`: for screens, light or dark. For paper leave that off."""
    return _environment().get_template("review.html").render(**_given(shown), themed=themed)


def markdown(shown: Shown) -> str:
    """The same as Markdown, without charts and receipts' events."""
    return _environment().get_template("review.md").render(**_given(shown))


def as_json(shown: Shown) -> bytes:
    """All values of it."""
    return msgspec.json.format(_JSON.encode(shown), indent=2)


def _given(shown: Shown) -> dict[str, Any]:
    review = shown.review
    return {
        "review": review,
        "portfolio": portfolio(review),
        "signature": shown.signature,
        "differences": shown.differences,
        "meanings": _meanings(review),
        "NOT_ENOUGH": NOT_ENOUGH,
        "COUNTED": Movement.COUNTED,
    }


def _meanings(review: Review) -> list[tuple[str, str]]:
    """What each metric shown means."""
    keys = {line.now.key for item in review.findings for passage in item.passages for line in passage.lines}
    return [(Number(key=key).title, METRICS[key].meaning) for key in METRICS if key in keys]


@lru_cache(maxsize=1)
def _environment() -> Environment:
    made = Environment(
        loader=PackageLoader("rollout_metrics.review"),
        autoescape=select_autoescape(("html",), default=False),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    made.filters.update(
        isolated=foreign.isolated,
        plain=foreign.plain,
        stamp=foreign.stamp,
        md=foreign.markdown,
        words=written.name,
        number=written.count,
        instant=lambda at: written.instant(at / SECOND),
        ratio=written.ratio,
        day=lambda at: written.instant(at / SECOND)[:10],
    )
    made.globals.update(between=written.between, chart=_chart, evidence=_evidence, outward=foreign.outward, tone=_tone, moved=_moved)
    return made


def _chart(found: Findings, place: int, number: int, themed: bool) -> str:
    from markupsafe import Markup

    return Markup(chart(found.courses[place], found.marks, found.start, name=f"c{number}-{place}", themed=themed))  # noqa: S704  (drawn by us)


def _evidence(review: Review, found: Findings, number: Number) -> str | None:
    """Where the cases behind a figure can be opened."""
    figure = number.figure
    if not figure.metric.windowed or number.value is None or found.as_of is None:
        return None
    asked: Mapping[str, str] = question(msgspec.structs.replace(figure, labels={**number.labels, "workflow": found.workflow}))
    if not asked:
        return None
    return f"{review.pages_url}/evidence?{urlencode({**asked, 'from': _iso(found.start), 'to': _iso(found.as_of)})}"


def _iso(at: Instant) -> str:
    return format_instant(at)


_SIGNS: Mapping[Movement, str] = {Movement.ROSE: "▲ rose", Movement.FELL: "▼ fell", Movement.STEADY: Movement.STEADY.value, Movement.UNKNOWN: NOT_ENOUGH}


def _moved(movement: Movement) -> str:
    return _SIGNS.get(movement, "")


def _tone(proposal: str) -> str:
    return {"promote": Tone.GOOD.value, "hold": Tone.PLAIN.value, "demote": Tone.BAD.value}[proposal]
