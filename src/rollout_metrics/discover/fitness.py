"""How fit a piece of work is for a first rollout: repetitive, measurable, bounded, each with its numbers."""

from collections import Counter
from collections.abc import Collection
from enum import StrEnum

import msgspec

from rollout_metrics.discover.actions import Deeds, Role
from rollout_metrics.discover.material import Material, counted, share, values_given
from rollout_metrics.domain.choices import choices
from rollout_metrics.domain.events import Activity, ActorKind, CaseKey
from rollout_metrics.domain.time import DAY

WEEK = 7 * DAY
TOP = 5
MANY_A_WEEK, FEW_A_WEEK = 50, 10
MOST_HOLD = 0.9
QUEUES = ("group", "queue", "team", "assignment_group", "pipeline", "project", "repository")
TOPICS = ("category", "type", "request_type", "form", "priority", "channel", "product", "service")


@choices
class Grade(StrEnum):
    """How far a piece of work has a property."""

    GOOD = "good"
    FAIR = "fair"
    POOR = "poor"
    UNKNOWN = "unknown"


class Fitness(msgspec.Struct, frozen=True):
    """One property: its grade and the numbers behind it, in words."""

    name: str
    grade: Grade
    numbers: str


def fitness(material: Material, cases: Collection[CaseKey], deeds: Deeds | None) -> tuple[Fitness, ...]:
    """The three properties of some cases; `deeds`: what the agent does on them, None where there is none."""
    return (_repetitive(material, cases, deeds), _measurable(material, cases), _bounded(material, cases, deeds))


def fit(found: Collection[Fitness]) -> str:
    """All properties in a word."""
    grades = {one.grade for one in found}
    return "not yet" if Grade.POOR in grades else "cannot be told" if Grade.UNKNOWN in grades else "yes" if grades == {Grade.GOOD} else "in part"


def weekly(material: Material, cases: Collection[CaseKey]) -> float | None:
    """New cases a week; None where the sample is too short to say."""
    if material.span < DAY:
        return None
    return sum(case in material.new for case in cases) * WEEK / material.span


def tally(material: Material, cases: Collection[CaseKey], attribute: str) -> Counter[str | None]:
    """On how many cases an attribute ever had a value; a case counts once for each."""
    found: Counter[str | None] = Counter()
    for case in cases:
        found.update({value for event in material.cases[case] for name, value in values_given(event) if name == attribute and value is not None})
    return found


def _repetitive(material: Material, cases: Collection[CaseKey], deeds: Deeds | None) -> Fitness:
    volume = weekly(material, cases)
    decided = [doing.action.removeprefix("set:") for doing in (deeds.of(Role.DECIDES) if deeds is not None else ()) if doing.action.startswith("set:")]
    if volume is None:
        return Fitness("repetitive", Grade.UNKNOWN, "the sample is shorter than a day")
    numbers = f"{volume:,.0f} new cases a week"
    found = ((name, tally(material, cases, name)) for name in (*decided, *TOPICS) if name in material.classes)
    topic, given = next(((name, given) for name, given in found if len(given) > 1), (None, Counter()))
    if topic is None:
        return Fitness("repetitive", Grade.POOR if volume < FEW_A_WEEK else Grade.FAIR, f"{numbers}; no attribute puts them into classes")
    top = share(sum(count for _, count in given.most_common(TOP)), given.total())
    good, poor = volume >= MANY_A_WEEK and top >= 0.8, volume < FEW_A_WEEK or top < 0.5
    name = material.called(topic) or topic
    numbers += f"; {TOP} of {len(given)} values of {name} cover {top:.0%}" if len(given) > TOP else f"; {name} has {len(given)} values"
    return Fitness("repetitive", Grade.GOOD if good else Grade.POOR if poor else Grade.FAIR, numbers)


def _measurable(material: Material, cases: Collection[CaseKey]) -> Fitness:
    ripe = [case for case in cases if case in material.new and material.cases[case][0].occurred_at <= material.until - material.span / 2]
    closed = share(sum(any(event.activity is Activity.CLOSED for event in material.cases[case]) for case in ripe), len(ripe))
    people = share(sum(any(event.actor_kind is ActorKind.OPERATOR for event in material.cases[case]) for case in cases), len(cases))
    lacking = [sentence for reading in material.readings for sentence in reading.lacking]
    parts = [part for reading in material.readings for part in reading.coverage.values()]
    covered = share(sum(part for part, _ in parts), sum(whole for _, whole in parts)) if parts else 1.0
    numbers = f"{closed:.0%} of {len(ripe):,} cases of the sample's older half have closed; people acted on {people:.0%} of all"
    numbers += f"; {covered:.0%} of the histories are complete" if parts else ""
    numbers += f"; {len(lacking)} {'thing stands' if len(lacking) == 1 else 'things stand'} in the way of a whole reading, see above" if lacking else ""
    if not ripe:
        return Fitness("measurable", Grade.UNKNOWN, "no case began in the sample's older half")
    good, poor = closed >= 0.8 and people >= 0.5 and covered >= 0.95 and not lacking, closed < 0.3 or people < 0.1 or covered < 0.5
    return Fitness("measurable", Grade.GOOD if good else Grade.POOR if poor else Grade.FAIR, numbers)


def _bounded(material: Material, cases: Collection[CaseKey], deeds: Deeds | None) -> Fitness:
    queue = next((attribute for attribute in QUEUES if attribute in material.classes), None)
    held: Counter[str | None] = Counter() if queue is None else tally(material, cases, queue)
    queues = _holding(held)
    closed = [case for case in cases if any(event.activity is Activity.CLOSED for event in material.cases[case])]
    reopened = share(sum(any(event.activity is Activity.REOPENED for event in material.cases[case]) for case in closed), len(closed))
    name = queue and (material.called(queue) or queue)
    numbers = [f"{MOST_HOLD:.0%} of the cases are in {queues} of {len(held)} values of {name}" if len(held) > 1 else f"all are of one {name}"] if held else []
    numbers.append(f"{reopened:.0%} of {len(closed):,} closed cases were reopened")
    good, poor = bool(closed) and reopened <= 0.05 and queues <= TOP, reopened > 0.2 or queues > 4 * TOP
    if deeds is not None:
        actions = deeds.of(Role.DECIDES, Role.UNJUDGED)
        touched = max((doing.cases for doing in deeds.doings), default=0)
        escalated = share(deeds.escalated, max(touched, deeds.escalated))
        numbers.append(f"the agent does {counted(len(actions), 'kind')} of work and hands over {escalated:.0%} of its cases")
        good, poor = good and escalated <= 0.15 and len(actions) <= 2 * TOP, poor or escalated > 0.4
    return Fitness("bounded", Grade.GOOD if good else Grade.POOR if poor else Grade.FAIR, "; ".join(numbers))


def _holding(counted: Counter[str | None]) -> int:
    """How many of the most frequent values hold most of the cases."""
    rest, count = MOST_HOLD * counted.total(), 0
    for _, cases in counted.most_common():
        if rest <= 0:
            break
        rest, count = rest - cases, count + 1
    return count
