"""All that a sample tells: candidates, drafted workflows, what the cases look like."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from rollout_metrics.derive.history import ENDINGS
from rollout_metrics.discover.accounts import Candidate, candidates, recogniser
from rollout_metrics.discover.actions import deeds
from rollout_metrics.discover.draft import Draft, level_of, named, options
from rollout_metrics.discover.fitness import QUEUES, TOPICS, Fitness, fitness, tally, weekly
from rollout_metrics.discover.material import Material
from rollout_metrics.discover.measured import Measured
from rollout_metrics.discover.options import Option, plain
from rollout_metrics.discover.scope import works
from rollout_metrics.domain.events import Activity, CaseKey
from rollout_metrics.domain.time import DAY, Span

STATUS = "status"
QUIET: Span = 3 * DAY
"""A case that nobody touched for so long rests."""


State = tuple[str, str]
"""The attribute that says whether cases are closed, and its value."""
ABOUT = ("form", "category", "request_type", "type", "tracker", "pipeline", "project", "group")
"""What cases are about, most telling first."""
MOST_SLICES = 5
ALL = "all_cases"
"""The workflow that stands for all cases where no agent was found."""


class Tally(msgspec.Struct, frozen=True):
    """On how many cases each value of an attribute was seen, the most frequent first."""

    attribute: str
    values: dict[str | None, int]


class Slice(msgspec.Struct, frozen=True):
    """The cases with one value of an attribute, and how fit they are for a first rollout."""

    attribute: str
    value: str
    cases: int
    fitness: tuple[Fitness, ...]


class Findings(msgspec.Struct, frozen=True):
    """What was found. `closings`: states (attribute and value) by which the source says that cases close; `resting`: others in which they were left alone."""

    material: Material
    candidates: tuple[Candidate, ...]
    drafts: tuple[Draft, ...]
    weekly: float | None
    tallies: tuple[Tally, ...]
    closings: dict[State, int]
    resting: dict[State, int]
    unread: tuple[str, ...]
    """Attributes that the source has a name for and no event has."""
    fitness: tuple[Fitness, ...]
    """Of all cases together."""
    slices: tuple[Slice, ...]
    """Where no agent was found: the largest parts of the work."""

    def options(self, results: Mapping[str, Measured]) -> list[tuple[Option, ...]]:
        """The options of each drafted workflow; `results` by name, as far as they are known."""
        return [options(draft, self.material, self.candidates, results.get(draft.name)) for draft in self.drafts]

    def workflows(self) -> list[dict[str, Any]]:
        """The drafted workflows as configuration would read them."""
        return [plain(one) for one in self.options({})]

    def to_measure(self) -> list[dict[str, Any]]:
        """What is tried out on the sample: the drafted workflows, or, where there is no agent, all cases as one."""
        return self.workflows() or [{"name": ALL, "sources": sorted({case_source for case_source, _ in self.material.cases} or {ALL})}]


def discovered(material: Material, taken: Iterable[str] = ()) -> Findings:
    """Look through a sample. `taken`: names that other workflows have."""
    found = tuple(candidates(material))
    agent_of = recogniser(found)
    material = material.recognised(agent_of)
    names = set(taken)
    drafts = []
    for work in works(material, agent_of):
        done = deeds(material, work, agent_of)
        name = named(work, work.seen, material, names)
        names.add(name)
        drafts.append(Draft(name, work, done, level_of(work, done), fitness(material, work.cases, done)))
    closings, resting = _states(material)
    shown = [attribute for attribute in (*QUEUES, *TOPICS) if attribute in material.classes and attribute != "priority"]
    everything = frozenset(material.cases)
    known = {attribute for attribute, value in material.names if value is None}
    return Findings(
        material=material,
        candidates=found,
        drafts=tuple(drafts),
        weekly=weekly(material, everything),
        tallies=tuple(Tally(attribute, _ordered(tally(material, everything, attribute))) for attribute in dict.fromkeys(shown)),
        closings=closings,
        resting=resting,
        unread=tuple(sorted(known - set(material.given))),
        fitness=fitness(material, everything, None),
        slices=() if drafts else _slices(material),
    )


def _ordered(counted: Counter[str | None]) -> dict[str | None, int]:
    """The most frequent first, then by name: two runs write the same."""
    return dict(sorted(counted.items(), key=lambda one: (-one[1], one[0] or "")))


def _slices(material: Material) -> tuple[Slice, ...]:
    """The largest parts of the work by what its cases are about."""
    about = next((name for name in ABOUT if name in material.classes and len(tally(material, material.created, name)) > 1), None)
    if about is None:
        return ()
    of: dict[str, list[CaseKey]] = defaultdict(list)
    for case in sorted(material.created):
        value = (material.cases[case][0].detail.get("attributes") or {}).get(about)
        if value is not None:
            of[value].append(case)
    largest = sorted(of, key=lambda value: (-len(of[value]), value))[:MOST_SLICES]
    return tuple(Slice(about, value, len(of[value]), fitness(material, of[value], None)) for value in largest)


def _states(material: Material) -> tuple[dict[State, int], dict[State, int]]:
    """The states that close, and the states that do not and in which cases rest all the same, with their cases."""
    closings: Counter[State] = Counter()
    resting: Counter[State] = Counter()
    closed_by = {(event.case_source, event.attribute) for event in material.events if event.activity is Activity.CLOSED and event.attribute is not None}
    told_by = dict(sorted(closed_by))
    closed_to_closed = _moves_when_closed(material, told_by)
    for (case_source, _), events in material.cases.items():
        attribute = told_by.get(case_source, STATUS)
        state = None
        closed = events[-1].activity in ENDINGS
        for event in events:
            if event.activity is Activity.CLOSED:
                closed, state = True, event.after or "closed"
                closings[attribute, state] += 1
            elif event.activity is Activity.REOPENED:
                closed, state = False, event.after
            elif event.attribute == attribute:
                state = event.after
        if not closed and state is not None and (attribute, state) not in closed_to_closed and material.until - events[-1].occurred_at > QUIET:
            resting[attribute, state] += 1
    return dict(closings.most_common()), dict(resting.most_common())


def _moves_when_closed(material: Material, told_by: Mapping[str, str]) -> set[tuple[str, str | None]]:
    """States to which closed cases move without being opened again, and those they do so from."""
    closing = {(told_by.get(event.case_source, STATUS), event.after) for event in material.events if event.activity is Activity.CLOSED}
    moves = [event for event in material.events if event.activity is Activity.CHANGED and event.attribute == told_by.get(event.case_source, STATUS)]
    return closing | {(str(event.attribute), event.after) for event in moves if (str(event.attribute), event.before) in closing}
