"""Panels of the catalogue's figures: a share or a median with its interval and n, counts by kind, freshness, marks, variables. Words come from HELP."""

from collections.abc import Mapping, Sequence

from rollout_metrics.catalog import METRICS, PREFIX
from rollout_metrics.catalog.alerts import Dashboard, Thresholds
from rollout_metrics.domain.time import SECOND
from rollout_metrics.generate import links
from rollout_metrics.generate import panels as p
from rollout_metrics.generate.queries import CHOSEN, Column, Key, Query, added, cell, chosen, n_cell, n_of, shown

LEVELS = p.states(
    (0, "off", p.GREY),
    (1, "shadow", p.PURPLE),
    (2, "assisted", p.SKY),
    (3, "low risk autonomous", p.BLUE),
    (4, "broad autonomous", p.GREEN),
    (5, "high risk", p.ORANGE),
)
"""Words and colours of the autonomy levels."""

SPIKES = p.states((0, "quiet", p.BLUE), (1, "spike", p.VERMILLION))
SIGNS = p.states((0, "quiet", p.BLUE), (1, "there", p.VERMILLION))
"""Words and colours of spikes and warning signs."""

PROPOSALS = p.states((1, "promote", p.GREEN), (0, "hold", p.TEXT), (-1, "demote", p.VERMILLION))
"""Words and colours of what `proposed` yields."""

_UNITS = {"ratio": "percentunit", "seconds": "s", "": "locale"}
_INTERVAL = "at least, at most: 95 % interval. n: how many it rests on. No data is not 0."


_MOSTLY_HIGH = frozenset(("acceptance_ratio", "explicit_acceptance_ratio", "escalation_within_target_ratio", "coverage_ratio"))
"""Shares on a scale that always goes up to 1; that of the others goes to a half unless they are higher, so that like stands beside like and can be read."""


def top(key: str) -> p.Top | None:
    """Where the scale of a figure ends."""
    return None if unit_of(key) != "percentunit" else p.Top(1) if key in _MOSTLY_HIGH else p.Top(0.5, soft=True)


def at_least(limit: float) -> p.Steps:
    """Colours of what should not be below a limit."""
    return ((None, p.VERMILLION), (limit, p.TEXT))


def unit_of(key: str) -> str:
    """Grafana's name for the unit of a metric."""
    return _UNITS[METRICS[key].unit]


def _word(key: str) -> str:
    return "share" if unit_of(key) == "percentunit" else "figure"


def _over(key: str, labels: Mapping[str, str], before: str = " over ") -> str:
    """The words of a title that name the window."""
    return before + labels.get("window", "$window") if METRICS[key].windowed else ""


def described(key: str, *more: str) -> str:
    """What HELP says of a metric, and what there is to say of the panel."""
    return " ".join((METRICS[key].help, *more))


def interval(key: str, title: str, *, limit: float | None = None, color: str = p.BLUE, **labels: str) -> tuple[p.Panel, p.Panel]:
    """A share, median or other quantile twice: now, with interval and n; and over time, with its interval as a band and the alert's limit as a line."""
    leads = links.evidence(key, **labels)
    unit = unit_of(key)
    word = _word(key)
    window = _over(key, labels)
    bounds = [Query(shown(f"{key}_{end}", **labels), said, color) for end, said in (("lower", "at least"), ("upper", "at most")) if f"{key}_{end}" in METRICS]
    now = p.stat(
        f"{title}{window}, now",
        (Query(shown(key, **labels), word, color), *bounds, Query(n_of(key, **labels), "n", p.GREY, "locale")),
        unit=unit,
        decimals=1 if unit == "percentunit" else None,
        description=described(key, _INTERVAL if bounds else "n: how many it rests on. No data is not 0."),
        links=leads,
    )
    of_limit = () if limit is None else (f"Dashed line: the limit of the alert, {limit:g}, which is about the bound of the interval.",)
    of_band = ("The band is the 95 % interval: where it is wide, n is small.",) if bounds else ()
    over_time = p.series(
        title + window,
        (Query(shown(key, **labels), word, color), *(Query(bound.expression, bound.legend) for bound in bounds)),
        unit=unit,
        limit=limit,
        overrides=p.band(color) if bounds else (),
        top=top(key),
        description=described(key, *of_band, "A gap means no data.", *of_limit),
        links=leads,
    )
    return now, over_time


def kinds(key: str, title: str, label: str, named: Sequence[tuple[str, str]] = (), **labels: str) -> p.Panel:
    """Counts of one workflow by a label, stacked. `named`: its values with a colour each; without, whatever values there are."""
    queries = [Query(shown(key, **labels, **{label: value}), value.replace("_", " "), color) for value, color in named]
    return p.series(
        title + _over(key, labels),
        queries or [Query(added(key, label, **labels), f"{{{{{label}}}}}")],
        unit=unit_of(key),
        bars=True,
        description=described(key),
        links=links.evidence(key, **labels, **({} if named else {label: f"${{__field.labels.{label}:percentencode}}"})),
    )


def together(key: str, title: str, label: str, **labels: str) -> p.Panel:
    """Counts of all chosen workflows by a label, stacked."""
    queries = [Query(added(key, label, **CHOSEN, **labels), f"{{{{{label}}}}}")]
    return p.series(title + _over(key, labels), queries, unit=unit_of(key), bars=True, description=described(key, "All chosen workflows added."))


def lines(key: str, title: str, *, limit: float | None = None, **labels: str) -> p.Panel:
    """A figure of several workflows over time, a line for each."""
    unit = unit_of(key)
    return p.series(
        title + (_over(key, labels) or " over time"),
        [Query(shown(key, **CHOSEN, **labels), "{{workflow}}")],
        unit=unit,
        limit=limit,
        top=top(key),
        description=described(key, "A line for each workflow; unlike work is no league table."),
        links=[*links.evidence(key, workflow=links.SERIES, **labels), *links.dashboard(Dashboard.WORKFLOW, "This workflow", workflow=links.SERIES)],
    )


def banded(key: str, title: str, *, color: str = p.BLUE, limit: float | None = None, against: str = "", **labels: str) -> p.Panel:
    """A figure with its interval over time, in a panel for each chosen workflow; `against`: another window to compare it with."""
    unit = unit_of(key)
    beside = [Query(shown(key, **CHOSEN, **(labels | {"window": against})), against, p.GREY)] if against else []
    against = f" against {against}" if against else ""
    main = (Query(shown(key, **CHOSEN, **labels), labels.get("window", _word(key)), color), *beside)
    bounds = [Query(shown(f"{key}_{end}", **CHOSEN, **labels), said) for end, said in (("lower", "at least"), ("upper", "at most"))]
    return p.for_each(
        p.series(
            f"$workflow: {title}{_over(key, labels)}{against}",
            (*main, *bounds),
            unit=unit,
            limit=limit,
            top=top(key),
            overrides=p.band(color),
            description=described(key, "The band is the 95 % interval: where it is wide, n is small. A gap means no data."),
            links=links.evidence(key, **labels),
        )
    )


def count(key: str, title: str, *, steps: p.Steps = (), several: bool = False, **labels: str) -> p.Panel:
    """One number as it is now; of several workflows their sum."""
    asked = added(key, **CHOSEN, **labels) if several else shown(key, **labels)
    return p.stat(
        title + (_over(key, labels, ", ") or ", now"),
        [Query(asked, title.lower())],
        unit=unit_of(key),
        steps=steps,
        description=described(key),
        links=[] if several else links.evidence(key, **labels),
    )


def share_columns(
    key: str, title: str, *by: str, steps: p.Steps = (), certain: p.Steps = (), interval: bool = False, before: bool = False, **labels: str
) -> tuple[Column, ...]:
    """A share or median in a table with its n beside it; `interval`: also its bounds, the lower one in colours of its own (`certain`).

    `before`: also as it was one whole window earlier.
    """
    unit = unit_of(key)
    decimals = 1 if unit == "percentunit" else None
    wanted = {**CHOSEN, **labels}

    def value(name: str, asked: str, *, ago: str = "", steps: p.Steps = ()) -> Column:
        leads = () if ago else links.evidence(asked, workflow=links.ROW, **labels)
        return Column(title=name, expression=cell(asked, *by, ago=ago, **wanted), unit=unit, decimals=decimals, steps=steps, links=leads)

    def n(name: str, ago: str = "") -> Column:
        return Column(title=f"{name}, n", expression=n_cell(key, *by, ago=ago, **wanted), decimals=0, width=90)

    ends = (("lower", "at least"), ("upper", "at most")) if interval else ()
    beyond = {"lower": certain}
    bounds = (value(f"{title}, {said}", f"{key}_{end}", steps=beyond.get(end, ())) for end, said in ends if f"{key}_{end}" in METRICS)
    earlier = (value(f"{title} before", key, ago="$window"), n(f"{title} before", "$window")) if before else ()
    return (value(title, key, steps=steps), *bounds, n(title), *earlier)


def age_column(key: str, title: str, *by: str, steps: p.Steps = (), **labels: str) -> Column:
    """How long ago an instant of the catalogue lies."""
    return Column(title=title, expression=f"time() - {cell(key, *by, **CHOSEN, **labels)}", unit="s", steps=steps)


def count_column(key: str, title: str, *, alarming: bool = False, leads: p.Links = (), **labels: str) -> Column:
    """A count in a table of workflows, whatever its other labels are; `alarming`: any is too many; `leads`: where to, if not to its cases."""
    return Column(
        title=title,
        expression=added(key, "workflow", **CHOSEN, **labels),
        decimals=0,
        steps=((None, p.TEXT), (1, p.VERMILLION)) if alarming else (),
        links=leads or links.evidence(key, workflow=links.ROW, **labels),
    )


def by_workflow() -> Key:
    """Workflows as rows of a table; each leads to its own dashboard."""
    return Key(label="workflow", title="Workflow", links=links.dashboard(Dashboard.WORKFLOW, "Rollout health of this workflow", workflow=links.ROW), width=130)


def freshness(thresholds: Thresholds, *, several: bool = False) -> tuple[p.Panel, p.Panel, p.Panel]:
    """Whether the rest can be believed: how old the figures and the snapshot are, and which sources are not being read."""
    aged: p.Steps = ((None, p.TEXT), (thresholds.stale_after / SECOND, p.VERMILLION))
    labels = CHOSEN if several else {}
    as_of, stale = shown("as_of_timestamp_seconds", **labels), shown("sources_stale", **labels)
    return (
        p.stat(
            "Figures as of, " + ("oldest age" if several else "age now"),
            [Query(f"time() - min({as_of})" if several else f"time() - {as_of}", "age")],
            unit="s",
            steps=aged,
            description="How long ago the instant lies as of which all figures hold. Beyond the limit they lag behind the world.",
        ),
        p.stat(
            "Sources stale, now",
            [Query(f"max({stale})" if several else stale, "sources")],
            unit="locale",
            steps=((None, p.TEXT), (1, p.VERMILLION)),
            description="Sources of "
            + ("the worst-off workflow" if several else "the workflow")
            + " that are not being read. Above 0, behaviour alerts are held back.",
        ),
        p.stat(
            "Snapshot age, now",
            [Query(f"time() - {shown('snapshot_timestamp_seconds')}", "age")],
            unit="s",
            steps=aged,
            description="How long ago the exporter computed what it serves.",
        ),
    )


def level_now() -> p.Panel:
    """The autonomy level in force."""
    return p.stat(
        "Autonomy level, now",
        [Query(shown("autonomy_level"), "level")],
        unit="locale",
        mappings=LEVELS,
        description=described("autonomy_level", "Vertical lines in the graphs mark its changes."),
    )


def level_strip(*, several: bool) -> p.Panel:
    """The autonomy level over time."""
    return p.timeline(
        "Autonomy level over time",
        [Query(shown("autonomy_level", **(CHOSEN if several else {})), "{{workflow}}")],
        mappings=LEVELS,
        description=described("autonomy_level"),
        links=links.dashboard(Dashboard.LADDER, "Ladder and gates", workflow=links.SERIES),
    )


def proposed(**labels: str) -> str:
    """PromQL of what the gates propose, by workflow: 1 to promote, 0 to hold, -1 to demote."""
    return f"{cell('level_proposal', proposal='promote', **labels)} - {cell('level_proposal', proposal='demote', **labels)}"


def marks(*, several: bool = False) -> tuple[dict[str, object], ...]:
    """Promotions, steps back, new versions, and changes of the definitions, across which no trend is drawn."""
    labels = CHOSEN if several else {}
    level, before = shown("autonomy_level", **labels), shown("autonomy_level", ago="1h", **labels)
    info, info_before = (cell("workflow_info", "workflow", "version", ago=ago, **labels) for ago in ("", "1h"))
    definitions, earlier = (f"max by (definitions) ({chosen('build_info', ago=ago)})" for ago in ("", "1h"))
    return (
        p.mark("Promotions", f"{level} > {before}", p.GREEN, "{{workflow}}: more autonomy"),
        p.mark("Steps back", f"{level} < {before}", p.VERMILLION, "{{workflow}}: less autonomy"),
        p.mark("Changes", f"({info} unless {info_before}) and on (workflow) {info_before}", p.BLUE, "{{workflow}}: {{version}} deployed"),
        p.mark(
            "Definition breaks", f"({definitions} unless {earlier}) and on () {earlier}", p.ORANGE, "Definition set {{definitions}}: no trend across this line"
        ),
    )


def variables(*, several: bool, default_window: str = "28d") -> tuple[p.Variable, ...]:
    """Type, workflow and window; each choice is cut down by the ones before it."""
    at = "workflow=~" if several else "workflow="
    return (
        p.query_variable("type", "Type", f"label_values({PREFIX}workflow_info, workflow_type)", several=True),
        p.query_variable("workflow", "Workflow", f'label_values({PREFIX}workflow_info{{workflow_type=~"$type"}}, workflow)', several=several),
        p.query_variable("window", "Window", f'label_values({PREFIX}decisions{{{at}"$workflow"}}, window)', default=default_window, sort=3),
    )
