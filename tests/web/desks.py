"""A desk with figures, cases and viewers made by hand."""

from collections.abc import Sequence
from typing import Any

import msgspec
from flask import Flask
from flask.testing import FlaskClient

from builders import Plain, company
from rollout_metrics.catalog import METRICS, Family
from rollout_metrics.config.model import Settings, WebOptions
from rollout_metrics.config.privacy import terms
from rollout_metrics.domain.records import Record
from rollout_metrics.domain.time import MINUTE, SECOND, parse_instant
from rollout_metrics.overview import RefusedPart, SourceState
from rollout_metrics.overview.evidence import Asked, Explained, Receipt, Seen, Wanted
from rollout_metrics.publish.exposition import Renderer
from rollout_metrics.publish.snapshot import Board, take
from rollout_metrics.web.app import web_app
from rollout_metrics.web.bounds import standing_of
from rollout_metrics.web.desk import Desk, Reviews
from rollout_metrics.web.rights import USER

NOW = parse_instant("2026-03-02T10:00:00Z")

HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "\u202eevil\u202c \u2066isolate",
    '=HYPERLINK("http://evil")',
    "👩‍👩‍👧‍👦" * 40 + "x" * 2000,
    "{{ 7*7 }} {% raw %}",
)
"""What people write who wish a page ill, or do not know better."""


def families(workflow: str) -> list[Family]:
    """A few published figures of a workflow."""

    def one(key: str, value: float, *values: str) -> Family:
        return METRICS[key].collect([METRICS[key].sample(value, *values)])

    live = (workflow, "28d", "live")
    return [
        METRICS["decisions"].collect(
            [METRICS["decisions"].sample(n, *live, o, h) for n, o, h in ((30, "accepted", "approved"), (10, "overridden", "changed"))]
        ),
        one("override_ratio", 0.25, *live),
        one("override_ratio_lower", 0.15, *live),
        one("override_ratio_upper", 0.4, *live),
        one("autonomy_level", 2, workflow),
        one("as_of_timestamp_seconds", NOW / SECOND, workflow),
        one("sources_stale", 0, workflow),
    ]


def merged(*groups: list[Family]) -> list[Family]:
    """Families of several workflows, each name once."""
    found: dict[str, Family] = {}
    for family in (family for group in groups for family in group):
        known = found.setdefault(family.name, msgspec.structs.replace(family, samples=[]))
        known.samples.extend(family.samples)
    return list(found.values())


def receipt(number: int, text: str = "wrong team", **fields: Any) -> Receipt:
    """A receipt of a case named `number`, with a text wherever a source can put one."""
    event = Seen(
        ref=("desk", f"e{number}"),
        at=NOW,
        activity="changed",
        actor_kind="operator",
        actor="actor:0123456789abcdef01",
        attribute=text,
        before=text,
        after="actor:0123456789abcdef02",
        action=None,
        reason=text,
        url="https://desk.example/tickets/1",
    )
    given = {
        "case": ("desk", f"{number}"),
        "minute": NOW // MINUTE - number,
        "at": NOW - number * MINUTE,
        "role": "numerator",
        "counted": f"decisions outcome={text}",
        "value": 1,
        "fact": "recommendation",
        "events": (event,),
        "refs": (event.ref,),
        "url": "https://desk.example/tickets/1",
    }
    return Receipt(**(given | fields))


class Pages:
    """The application on a desk, as one viewer after the other sees it."""

    def __init__(
        self,
        receipts: tuple[Receipt, ...] = (),
        *,
        options: dict[str, Any] | None = None,
        names: tuple[str, ...] = ("triage", "billing"),
        error: str = "",
        refused: tuple[str, ...] = (),
        records: tuple[Record, ...] = (),
        more: Sequence[Family] = (),
        reviews: Reviews | None = None,
    ) -> None:
        self.asked: list[tuple[Asked, Wanted]] = []
        self.receipts = receipts
        self.board = Board()
        source = SourceState(
            name="desk",
            kind="zendesk",
            watermark=NOW,
            newest=NOW,
            events=9,
            quarantined=1,
            partial=False,
            stale=False,
            error=error,
            error_at=NOW,
            refused=tuple(RefusedPart("talks", NOW, message) for message in refused),
        )
        self.board.hang(take([*merged(*(families(name) for name in names)), *more], NOW, Renderer(), sources=[source]))
        made = company(*({"name": name, "sources": ["desk"], "agents": [f"{name}-bot"]} for name in names))
        web = WebOptions.model_validate(options or {})
        desk = Desk(self.board, made, web, self.explain, lambda: records, terms(Settings(web=web)), reviews)
        self.app: Flask = web_app([], lambda *_: None, lambda: NOW, judge=standing_of(made, Plain()), held=lambda *_: {}, desk=desk)
        self.client: FlaskClient = self.app.test_client()

    def explain(self, asked: Asked, wanted: Wanted) -> Explained:
        self.asked.append((asked, wanted))
        shown = self.receipts[: wanted.limit]
        return Explained(shown, {"numerator": len(self.receipts), "denominator": 40}, (1, "desk", "7") if len(self.receipts) > wanted.limit else None)

    def get(self, path: str, user: str | None = None, **environ: str) -> Any:
        """A page, as a user sees it."""
        return self.client.get(path, environ_overrides=({USER: user} if user else {}) | environ)
