"""How metrics are declared: short ways to say one, which bring the bounds and counts that go with it and the part of HELP that all of a kind share."""

from rollout_metrics.catalog.exposition import MetricType
from rollout_metrics.catalog.metric import (
    Beside,
    Count,
    Exporter,
    Metric,
    Middle,
    Obtained,
    Part,
    Ratio,
    Section,
    Standing,
    Survival,
    Within,
)
from rollout_metrics.catalog.tallies import TALLIES

_WINDOWED = "Gauge over the event-time window in the label window, as of as_of_timestamp_seconds: windows overlap and must not be summed."
_COUNTED = "Counted anew as facts change, so it can fall: use it as it is, without rate() or increase()."
_PERSONAL = "Absent for windows with too few distinct operators, and where operator figures are switched off."
_NO_DATA = "No sample where the denominator is 0."


def part(tally: str, **where: tuple[str, ...] | frozenset[str]) -> Part:
    """Part of a tally: `part("decisions", outcome=("accepted",))`."""
    return Part(tally, tuple((label, frozenset(values)) for label, values in sorted(where.items())))


def count(tally: str, text: str, section: Section, *, key: str | None = None, scale: float | None = None, personal: bool = False) -> Metric:
    """A tally over windows, under its own name unless `key` says otherwise."""
    return Metric(
        key=key or tally,
        meaning=text,
        reading=_said(_WINDOWED, _COUNTED, _PERSONAL if personal else ""),
        section=section,
        obtained=Count(tally, scale),
        labels=TALLIES[tally].labels,
        windowed=True,
        personal=personal,
    )


def standing(tally: str, text: str, section: Section) -> Metric:
    """A tally as it stands at T."""
    return Metric(
        key=tally, meaning=text, reading="As it stands at as_of_timestamp_seconds.", section=section, obtained=Standing(tally), labels=TALLIES[tally].labels
    )


def settled(tally: str, text: str) -> Metric:
    """A tally of all there ever was, as a counter."""
    return Metric(key=f"{tally}_total", type=MetricType.COUNTER, meaning=text, section=Section.OUTCOMES, obtained=Standing(tally), labels=TALLIES[tally].labels)


def ratio(
    key: str, text: str, numerator: Part, denominator: Part, section: Section, *, labels: tuple[str, ...] = (), personal: bool = False
) -> tuple[Metric, ...]:
    """A ratio with Wilson's bounds. HELP names what is divided by what."""
    divided = f"Numerator: {_shown(numerator)}; denominator: {_shown(denominator)}."
    main = Metric(
        key=key,
        meaning=_said(text, divided),
        reading=_said(_NO_DATA, _WINDOWED, _PERSONAL if personal else ""),
        section=section,
        obtained=Ratio(numerator, denominator),
        labels=labels,
        windowed=True,
        personal=personal,
    )
    return main, *beside(main, "95 % Wilson score interval", bounds=True, cases=False)


def median(key: str, text: str, sample: str, section: Section, *, labels: tuple[str, ...] = (), personal: bool = False) -> tuple[Metric, ...]:
    """The median of what is complete, with bounds and number: Kaplan-Meier's where nothing is censored."""
    main = _middle(key, _said(text, "Elapsed time; the least value that at least half do not exceed."), Middle(sample), section, labels, personal=personal)
    return main, *beside(main, "95 % log-log Greenwood bounds", bounds=True, cases=True)


def survival(key: str, text: str, sample: str, section: Section, *, labels: tuple[str, ...] = ()) -> tuple[Metric, ...]:
    """A Kaplan-Meier median with bounds and number."""
    said = _said(text, "Elapsed time; Kaplan-Meier median with the unfinished censored, no sample while more than half last longer than can be known.")
    main = _middle(key, said, Survival(sample), section, labels)
    return main, *beside(main, "95 % log-log Greenwood bounds", bounds=True, cases=True)


def within(key: str, text: str, sample: str, section: Section) -> tuple[Metric, ...]:
    """A Kaplan-Meier share within target with bounds and number."""
    said = _said(text, "1 - S(1) of time/target by Kaplan-Meier with the unfinished censored, so there are no two counts to divide.")
    main = _middle(key, said, Within(sample), section, ())
    return main, *beside(main, "95 % log-log Greenwood bounds", bounds=True, cases=True)


def beside(main: Metric, interval: str, *, bounds: bool, cases: bool) -> tuple[Metric, ...]:
    """The bounds and the number of cases that are published together with a metric."""
    said = []
    if bounds:
        said += [("lower", f"Lower bound of {main.name}: {interval}."), ("upper", f"Upper bound of {main.name}: {interval}.")]
    if cases:
        said += [("cases", f"Number of cases behind {main.name}" + (", the unfinished among them included." if bounds else "."))]
    notes = (_WINDOWED if main.windowed else "", _PERSONAL if main.personal else "")
    return tuple(
        Metric(
            key=f"{main.key}_{suffix}",
            meaning=text,
            reading=_said(*notes),
            section=main.section,
            obtained=Beside(main.key),
            labels=main.labels,
            windowed=main.windowed,
            personal=main.personal,
        )
        for suffix, text in said
    )


def gauge(key: str, text: str, obtained: Obtained, section: Section, *, labels: tuple[str, ...] = (), windowed: bool = False, personal: bool = False) -> Metric:
    """A gauge of any other origin."""
    reading = _said(_WINDOWED if windowed else "", _PERSONAL if personal else "")
    return Metric(key=key, meaning=text, reading=reading, section=section, obtained=obtained, labels=labels, windowed=windowed, personal=personal)


def exporter(key: str, text: str, section: Section, *labels: str) -> Metric:
    """A metric that the exporter tells of itself; its type is read off its name."""
    endings = {"_total": MetricType.COUNTER, "_info": MetricType.INFO}
    kind = next((kind for ending, kind in endings.items() if key.endswith(ending)), MetricType.GAUGE)
    return Metric(key=key, type=kind, meaning=text, section=section, obtained=Exporter(), labels=labels)


def _middle(key: str, text: str, obtained: Obtained, section: Section, labels: tuple[str, ...], *, personal: bool = False) -> Metric:
    return Metric(
        key=key,
        meaning=text,
        reading=_said(_WINDOWED, _PERSONAL if personal else ""),
        section=section,
        obtained=obtained,
        labels=labels,
        windowed=True,
        personal=personal,
    )


def _said(*sentences: str) -> str:
    return " ".join(sentence for sentence in sentences if sentence)


def _shown(what: Part) -> str:
    wanted = ", ".join(f"{label}={'|'.join(sorted(values))}" for label, values in what.where)
    return f"{what.tally}{{{wanted}}}" if wanted else what.tally
