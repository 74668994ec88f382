"""What would stand otherwise in a signed review if it were made now: every statement that reads differently, side by side."""

from collections.abc import Iterator

import msgspec

from rollout_metrics.overview import written
from rollout_metrics.review.economics import hours
from rollout_metrics.review.said import Findings, Line, Review

NOTHING = "-"


class Difference(msgspec.Struct, frozen=True):
    """One statement: as it was signed, and as it would be now."""

    workflow: str
    about: str
    signed: str
    now: str


def differences(signed: Review, now: Review) -> tuple[Difference, ...]:
    """In the order of the signed review; what is new comes last."""
    before, after = ({item.workflow: dict(statements(item)) for item in review.findings} for review in (signed, now))
    found: list[Difference] = []
    for workflow in dict.fromkeys((*before, *after)):
        was, will = before.get(workflow, {}), after.get(workflow, {})
        stated = ((about, was.get(about, NOTHING), will.get(about, NOTHING)) for about in dict.fromkeys((*was, *will)))
        found += [Difference(workflow, about, old, new) for about, old, new in stated if old != new]
    return tuple(found)


def statements(found: Findings) -> Iterator[tuple[str, str]]:
    """Everything a review states of a workflow, by what it is about, as people read it."""
    if found.as_of is None:
        yield "figures", "nothing read"
        return
    yield "figures as of", written.instant(found.as_of / 1_000_000)
    if found.recommended is not None:
        yield "recommendation", f"{found.recommended.said}: {found.recommended.why}"
    for gate in (*found.staying, *found.gates):
        yield f"gate {written.name(gate.name)}", f"{gate.verdict.value}: {gate.why}"
    for passage in found.passages:
        for line in passage.lines:
            yield from _line(passage.title, line)
        for note in passage.notes:
            yield f"{passage.title}: {note.split(':', maxsplit=1)[0]}", note
    for saving in found.savings:
        yield f"time saved, {saving.basis}", f"{hours(saving.hours)} over {saving.cases:,} cases"
    for move in found.levels:
        yield f"level change {move.by}", f"{move.before} to {move.after}{', forced' if move.forced else ''}"
    for item in found.deployed:
        yield f"deployment {item.change}", item.state
    for trouble in found.troubles:
        yield f"incident {trouble.incident}", f"{trouble.link}, {'open' if trouble.ended_at is None else 'over'}"
    for sighting in found.signs:
        yield f"warning sign {written.name(sighting.sign)}", sighting.said
    for rise in found.rises:
        yield f"spike of {rise.signal} from {written.instant(rise.since / 1_000_000)}", f"{rise.events:,} of {rise.cases:,}"


def _line(passage: str, line: Line) -> Iterator[tuple[str, str]]:
    yield f"{passage}: {line.now.title}", line.now.figure.line
    yield f"{passage}: {line.now.title}, quarter before", line.before.figure.line
