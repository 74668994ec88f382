"""Findings as a commented workflow file, and as values."""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from rollout_metrics.discover.accounts import Candidate, Standing
from rollout_metrics.discover.draft import effort_words
from rollout_metrics.discover.findings import ALL, Findings, Slice, State
from rollout_metrics.discover.fitness import Fitness, Grade, fit
from rollout_metrics.discover.material import counted
from rollout_metrics.discover.measured import Measured
from rollout_metrics.discover.options import Item, Option, comment, plain, yaml_lines
from rollout_metrics.domain.time import moment

MOST_ROWS = 12
MOST_CANDIDATES = 10
NOBODY = "No account here behaves like an AI agent, so no workflow is written."
REMEDY = (
    "If you know it: name its account in `agents` of the source, or a tag, app or label of its updates in `agent_markers`, and run discover again."
    " A runtime that reports its own proposals is a source to name beside this one."
)
_FIT = {
    Grade.GOOD: "yes",
    Grade.FAIR: "partly",
    Grade.POOR: "no",
    Grade.UNKNOWN: "cannot be told",
}


def written(findings: Findings, results: Mapping[str, Measured], *, command: str, beside: bool) -> str:
    """The file. `results`: what the workflows yielded on the sample; `beside`: the configuration has workflows already."""
    lines = [*_head(findings, command), "", *_accounts(findings.candidates), "", *_cases(findings), ""]
    if beside and findings.drafts:
        lines += [*comment("The configuration has workflows already: put the entries below under its `workflows`."), ""]
    drafted = findings.options(results)
    if not drafted:
        why = _fitness(findings.fitness, "All cases")
        if ALL in results and (baseline := results[ALL].baseline) is not None:
            why += (f"- cost: people's work on a case that closed: {effort_words(baseline)}.",)
        why += tuple(_part(one, findings) for one in findings.slices)
        lines += [*comment(f"{NOBODY} {REMEDY}"), "", *yaml_lines((Option("workflows", (), why, off=beside),))]
        return "\n".join(lines) + "\n"
    entries = tuple(Item(given, _fitness(draft.fitness, draft.name)) for draft, given in zip(findings.drafts, drafted, strict=True))
    lines += yaml_lines((Option("workflows", entries),))
    return "\n".join(lines) + "\n"


def values(findings: Findings, results: Mapping[str, Measured]) -> dict[str, Any]:
    """The same for programs."""
    material = findings.material
    return {
        "since": moment(material.since).isoformat(),
        "until": moment(material.until).isoformat(),
        "sources": [
            {"source": one.source, "events": one.events, "pages": one.pages, "rejected": one.rejected, "cut": one.cut, "lacking": list(one.lacking)}
            for one in material.readings
        ],
        "cases": len(material.cases),
        "new_cases_per_week": findings.weekly,
        "candidates": [
            {
                "id": one.name,
                "marker": one.marker,
                "standing": str(one.standing),
                "events": one.events,
                "cases": one.cases,
                "reasons": list(one.reasons),
            }
            for one in findings.candidates
        ],
        "attributes": {one.attribute: one.values for one in findings.tallies},
        "closing_states": _by_value(findings.closings),
        "resting_states": _by_value(findings.resting),
        "fitness": _fitness_values(findings.fitness),
        "parts": [{one.attribute: one.value, "cases": one.cases, "fitness": _fitness_values(one.fitness)} for one in findings.slices],
        "workflows": [
            {
                "options": plain(given),
                "fitness": _fitness_values(draft.fitness),
                "acceptance": {
                    doing.action: dict(zip(("accepted", "decided", "opened"), results[draft.name].acceptance(doing.action), strict=True))
                    for doing in draft.deeds.doings
                    if draft.name in results and results[draft.name].acceptance(doing.action)[-1]
                },
            }
            for draft, given in zip(findings.drafts, findings.options(results), strict=True)
        ],
    }


def _head(findings: Findings, command: str) -> Iterator[str]:
    material = findings.material
    yield from comment(f"A first guess by `{command}`: read it, correct it, then `rollout-metrics check`.")
    yield "#"
    if not material.events:
        yield from comment("Nothing was read: the sample is empty. Look further back with --depth, or see what `rollout-metrics check --connect` says.")
    else:
        pace = "" if findings.weekly is None else f"; {findings.weekly:,.0f} new cases a week"
        yield from comment(
            f"The sample: {counted(len(material.events), 'event')} of {counted(len(material.cases), 'case')}, from {moment(material.since):%Y-%m-%d %H:%M}"
            f" to {moment(material.until):%Y-%m-%d %H:%M} UTC{pace}."
        )
    for reading in material.readings:
        cut = f"; cut short by the bound {reading.cut}: the rest was not looked at" if reading.cut else ""
        aside = f"; {reading.rejected:,} records could not be understood" if reading.rejected else ""
        yield from comment(f"- {reading.source}: {counted(reading.events, 'event')} in {counted(reading.pages, 'page')}{cut}{aside}")
        for sentence in reading.lacking:
            yield from comment(f"- {reading.source} lacks: {sentence}")


def _accounts(candidates: tuple[Candidate, ...]) -> Iterator[str]:
    surely = [one for one in candidates if one.standing is not Standing.UNCERTAIN]
    perhaps = [one for one in candidates if one.standing is Standing.UNCERTAIN]
    yield from comment(f"Taken for AI agents: {', '.join(one.name or '' for one in surely) or 'none'}.")
    if perhaps:
        yield from comment("Not taken for one, but look at them:")
    for one in perhaps[:MOST_CANDIDATES]:
        what = (
            f"{'the marker ' if one.marker else ''}{one.name}" if one.name is not None else "an account whose id is not written, as it may be a person's name"
        )
        yield from comment(f"- {what}: {'; '.join(one.reasons)}; {counted(one.events, 'event')} on {counted(one.cases, 'case')}")
    if len(perhaps) > MOST_CANDIDATES:
        yield from comment(f"- and {len(perhaps) - MOST_CANDIDATES} more")


def _cases(findings: Findings) -> Iterator[str]:
    beside = findings.material.beside
    if findings.tallies:
        yield from comment("What the cases are (cases that ever had the value):")
    for one in findings.tallies:
        rows = [f"{value}{beside(one.attribute, value)} {count:,}" for value, count in list(one.values.items())[:MOST_ROWS]]
        more = f", and {len(one.values) - MOST_ROWS} more" if len(one.values) > MOST_ROWS else ""
        yield from comment(f"- {one.attribute}: {', '.join(rows)}{more}")
    states = [f"{value}{beside(attribute, value)} ({count:,})" for (attribute, value), count in list(findings.closings.items())[:MOST_ROWS]]
    yield from comment(
        f"Cases close by: {', '.join(states)}." if states else "No case closes in this sample. Where the source has an option for closing states, set it."
    )
    resting = [f"{value}{beside(attribute, value)} ({count:,})" for (attribute, value), count in list(findings.resting.items())[:MOST_ROWS]]
    if resting:
        yield from comment(f"Cases also rest in: {', '.join(resting)}, untouched for 3 days. If one of these closes, name it in the source's options.")
    unread = ", ".join(f"{attribute}{beside(attribute)}" for attribute in findings.unread)
    if unread:
        yield from comment(f"The source knows these attributes too, and no event has them: {unread}. Some sources read only those their options name.")


def _fitness(fitness: tuple[Fitness, ...], title: str) -> tuple[str, ...]:
    lines = (f"- {one.name}: {_FIT[one.grade]}. {one.numbers[:1].upper()}{one.numbers[1:]}." for one in fitness)
    return (f"{title}: fit for a first rollout? {fit(fitness).capitalize()}.", *lines)


def _part(one: Slice, findings: Findings) -> str:
    """A part of the work, in a line."""
    grades = ", ".join(f"{item.name}: {_FIT[item.grade]}" for item in one.fitness)
    name = findings.material.beside(one.attribute, one.value)
    return f"- {one.attribute} {one.value}{name}, {counted(one.cases, 'new case')}: {fit(one.fitness)} ({grades})"


def _fitness_values(fitness: tuple[Fitness, ...]) -> dict[str, Any]:
    return {one.name: {"grade": str(one.grade), "numbers": one.numbers} for one in fitness}


def _by_value(states: Mapping[State, int]) -> dict[str, int]:
    found: Counter[str] = Counter()
    for (_, value), count in states.items():
        found[value] += count
    return dict(found)
