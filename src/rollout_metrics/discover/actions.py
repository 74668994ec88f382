"""What the agent of one piece of work does, and which of it people decide: actions, authority, escalations, reasons, steps."""

import re
from collections import Counter, defaultdict
from collections.abc import Callable
from enum import StrEnum
from itertools import pairwise
from math import isfinite

import msgspec

from rollout_metrics.derive.history import ACTS, CHANGES
from rollout_metrics.derive.outcomes import SAYS
from rollout_metrics.discover.material import LONGEST_VALUE, REPEATED, Material, share
from rollout_metrics.discover.scope import Work
from rollout_metrics.domain.choices import choices
from rollout_metrics.domain.events import Activity, ActorKind, CaseKey, Event, text_value
from rollout_metrics.domain.policy import ACTION, action_of
from rollout_metrics.domain.time import Instant

RARE = 0.02
"""What the agent does on fewer of its cases than this may be a slip: it is shown, and left out."""
LEAST = 3
MOSTLY = 0.5
HANDOVER = ("assignee", "group", "queue", "team", "owner", "assignment_group")
"""Attributes whose change can hand a case over."""
TOGETHER = 0.8
"""Of an attribute's changes, with what it explains in one update."""
ONWARD = 0.95
"""Of the moves between two values that go one way, where the attribute's values are steps."""
LEAST_MOVES = 20
SELDOM = 0.1
FEW_TARGETS = 3
OTHER = "other"
SIZE = re.compile(r"(?!seconds$)[A-Za-z_]\w*", re.ASCII)
"""Numbers of an event by which an authority may be bounded."""

_TRIES = frozenset((Activity.RECOMMENDED, Activity.APPROVAL_REQUESTED))
Update = tuple[CaseKey, Instant]


@choices
class Role(StrEnum):
    """What an action of the agent is to the workflow."""

    DECIDES = "decides"
    ESCALATES = "escalates"
    EXPLAINS = "explains"
    UNJUDGED = "unjudged"
    RARE = "rare"


class Doing(msgspec.Struct, frozen=True):
    """One action of the agent, in cases: on how many it acted, of them without asking; on how many it asked, or only proposed.

    `said`: on how many operators approved or rejected it; `by_people`: how often operators do the same in this work; `replaced`: cases on which they
    put another value in place of the agent's.
    """

    action: str
    role: Role
    cases: int
    acted: int
    unasked: int
    asked: int
    proposed: int
    said: int
    by_people: int
    replaced: int
    kind: str | None = None
    """`multi` or `text` where the values are such."""
    steps: tuple[str, ...] = ()
    """The order in which the values follow one another."""
    onward: bool = False
    """Its values follow one another, in whatever order."""
    limit: tuple[str, str] | None = None
    """A number of its events and the most with which it acted unasked, where it asks for more."""


class Deeds(msgspec.Struct, frozen=True):
    """All that the agent of a work does. `targets`: escalation attribute -> values, `()` where they are many or persons."""

    doings: tuple[Doing, ...]
    escalated: int
    targets: dict[str, tuple[str, ...]]
    handover_reason: str | None
    handover_reasons: Counter[str]
    correction_reason: str | None
    corrections: Counter[str]
    alone: int
    """Cases that the agent closed before any operator came."""

    def of(self, *roles: Role) -> tuple[Doing, ...]:
        """The actions of some roles, the most frequent first."""
        return tuple(doing for doing in self.doings if doing.role in roles)


def deeds(material: Material, work: Work, agent_of: Callable[[Event], str | None]) -> Deeds:
    """What the work's agents do on its cases."""
    notes = _Notes()
    agents = frozenset(work.agents)
    for case in sorted(work.cases):
        notes.take(case, material.cases[case], lambda event: agent_of(event) in agents, whole=case in material.created)
    reason = _reason(notes.agent_sets, notes.handovers(len(work.touched)), material)
    doings = sorted((_doing(action, notes, work, material, reason) for action in notes.by_action), key=lambda one: (-one.cases, one.action))
    decided = {one.action.removeprefix("set:") for one in doings if one.role is Role.DECIDES}
    targets = {
        one.action.removeprefix("set:"): _targets(one.action.removeprefix("set:"), notes, material)
        for one in doings
        if one.role is Role.ESCALATES and one.action.startswith("set:")
    }
    correction = _reason({a: s for a, s in notes.people_sets.items() if a not in decided and a not in HANDOVER}, notes.corrections(decided), material, MOSTLY)
    escalated = notes.escalated | {case for attribute in targets for case, _ in notes.agent_sets[attribute]}
    return Deeds(
        doings=tuple(doings),
        escalated=len(escalated),
        targets=targets,
        handover_reason=reason,
        handover_reasons=_coded(notes.reasons) if reason is None else Counter(notes.values(notes.agent_sets[reason])),
        correction_reason=correction,
        corrections=Counter(notes.values(notes.people_sets[correction])) if correction else Counter(),
        alone=len(notes.alone),
    )


class _Notes:
    """What is counted along the cases."""

    def __init__(self) -> None:
        self.by_action: dict[str, dict[str, set[CaseKey]]] = defaultdict(lambda: defaultdict(set))
        self.by_people: Counter[str] = Counter()
        self.agent_sets: dict[str, dict[Update, str | None]] = defaultdict(dict)
        self.people_sets: dict[str, dict[Update, str | None]] = defaultdict(dict)
        self.replacing: dict[str, set[Update]] = defaultdict(set)
        self.moves: dict[str, Counter[tuple[str, str]]] = defaultdict(Counter)
        self.sizes: dict[str, dict[str, dict[bool, list[float]]]] = defaultdict(lambda: defaultdict(lambda: {True: [], False: []}))
        self.escalated: set[CaseKey] = set()
        self.escalated_at: set[Update] = set()
        self.reasons: Counter[str] = Counter()
        self.alone: set[CaseKey] = set()

    def take(self, case: CaseKey, events: list[Event], own: Callable[[Event], bool], *, whole: bool) -> None:
        """Note one case; `whole`: its beginning was read, so that nothing was asked before."""
        asked: set[str] = set()
        standing: dict[str, str | None] = {}
        people = False
        for event in events:
            action = action_of(event)
            if event.attribute is not None and event.before is not None and event.after is not None and event.activity in CHANGES:
                self.moves[event.attribute][event.before, event.after] += 1
            if own(event):
                self._agent(case, event, action, asked, standing)
                if event.activity is Activity.CLOSED and not people:
                    self.alone.add(case)
                if action is not None and ACTION.fullmatch(action) and whole:
                    self._unasked(case, event, action, asked)
            elif event.actor_kind is ActorKind.OPERATOR:
                people = True
                self._person(case, event, action, standing)

    def _agent(self, case: CaseKey, event: Event, action: str | None, asked: set[str], standing: dict[str, str | None]) -> None:
        if event.activity is Activity.ESCALATED:
            self.escalated.add(case)
            self.escalated_at.add((case, event.occurred_at))
            self.reasons[str(event.detail.get("reason") or "unspecified")] += 1
        if action is None or not ACTION.fullmatch(action) or not (event.activity in ACTS or event.activity in _TRIES):
            return
        noted = self.by_action[action]
        if event.activity is Activity.APPROVAL_REQUESTED:
            asked.add(action)
        word = {Activity.APPROVAL_REQUESTED: "asked", Activity.RECOMMENDED: "proposed"}.get(event.activity, "acted")
        noted[word].add(case)
        if event.activity is Activity.EXECUTED:
            noted["executed"].add(case)
        if event.attribute is not None and event.activity in CHANGES:
            self.agent_sets[event.attribute][case, event.occurred_at] = event.after
            standing[event.attribute] = event.after
        elif action.startswith("set:"):
            standing.setdefault(action.removeprefix("set:"), event.detail.get("value"))

    def _unasked(self, case: CaseKey, event: Event, action: str, asked: set[str]) -> None:
        """Note what the agent does without asking, and the sizes of that and of what it asks for."""
        asks = event.activity is Activity.APPROVAL_REQUESTED
        if not asks and (event.activity not in ACTS or action in asked):
            return
        if not asks:
            self.by_action[action]["unasked"].add(case)
        for name, size in event.detail.items():
            if SIZE.fullmatch(name) and isinstance(size, int | float) and not isinstance(size, bool) and isfinite(size):
                self.sizes[action][name][asks].append(size)

    def _person(self, case: CaseKey, event: Event, action: str | None, standing: dict[str, str | None]) -> None:
        if action is not None:
            self.by_people[action] += 1
            if event.activity in SAYS and action in self.by_action:
                self.by_action[action]["said"].add(case)
        if event.attribute is not None and event.activity in CHANGES:
            at = (case, event.occurred_at)
            self.people_sets[event.attribute][at] = event.after
            if event.attribute in standing and standing.pop(event.attribute) != event.after:
                self.replacing[event.attribute].add(at)

    def handovers(self, touched: int) -> set[Update]:
        """The updates in which the agent handed over."""
        rare = [self.agent_sets[name] for name in HANDOVER if name in self.agent_sets and _hands_over(len(_cases(self.agent_sets[name])), touched)]
        return self.escalated_at.union(*rare)

    def corrections(self, decided: set[str]) -> set[Update]:
        """The updates in which people put other values in place of the agent's."""
        return set().union(*(self.replacing[attribute] for attribute in decided))

    @staticmethod
    def values(sets: dict[Update, str | None]) -> list[str]:
        """What was set, but for nothing."""
        return [value for value in sets.values() if value is not None]


def _doing(action: str, notes: _Notes, work: Work, material: Material, reason: str | None) -> Doing:
    noted = notes.by_action[action]
    cases = noted["acted"] | noted["asked"] | noted["proposed"]
    attribute = action.removeprefix("set:") if action.startswith("set:") else None
    sets = notes.values(notes.agent_sets[attribute]) if attribute in notes.agent_sets else []
    steps, onward = _steps(notes.moves[attribute]) if attribute is not None and attribute in material.classes else ((), False)
    return Doing(
        action=action,
        role=_role(action, notes, len(cases), len(work.touched), reason),
        cases=len(cases),
        acted=len(noted["acted"]),
        unasked=len(noted["unasked"]),
        asked=len(noted["asked"]),
        proposed=len(noted["proposed"]),
        said=len(noted["said"]),
        by_people=notes.by_people[action],
        replaced=len(_cases(notes.replacing[attribute])) if attribute is not None else 0,
        kind="text" if attribute in material.texts else "multi" if sets and all(value.startswith("[") for value in sets) else None,
        steps=steps,
        onward=onward,
        limit=_limit(notes.sizes[action]),
    )


def _role(action: str, notes: _Notes, cases: int, touched: int, reason: str | None) -> Role:
    """What an action is to the workflow."""
    noted = notes.by_action[action]
    tried = bool(noted["proposed"] or noted["asked"])
    attribute = action.removeprefix("set:") if action.startswith("set:") else None
    if attribute is None:
        judged = tried or bool(noted["executed"]) or action == "close"
    elif attribute == reason or (attribute in HANDOVER and not tried and _hands_over(cases, touched)):
        return Role.RARE if cases < LEAST else Role.EXPLAINS if attribute == reason else Role.ESCALATES
    else:
        judged = tried or (attribute != "status" and notes.by_people[action] > 0)
    return Role.RARE if cases < max(LEAST, RARE * touched) else Role.DECIDES if judged else Role.UNJUDGED


def _hands_over(cases: int, touched: int) -> bool:
    """Whether an attribute is changed so seldom that the change is no everyday work."""
    return share(cases, touched) < MOSTLY


def _reason(sets: dict[str, dict[Update, str | None]], explained: set[Update], material: Material, together: float = TOGETHER) -> str | None:
    """The attribute that is set where something needs explaining, and hardly anywhere else."""
    fitting = {
        attribute: len(explained & set(updates))
        for attribute, updates in sets.items()
        if attribute in material.classes
        and attribute not in (*HANDOVER, "status")
        and len(updates) >= LEAST
        and len(explained & set(updates)) >= together * len(updates)
    }
    return max(sorted(fitting), key=lambda attribute: fitting[attribute], default=None)


def _targets(attribute: str, notes: _Notes, material: Material) -> tuple[str, ...]:
    """Whom the agent hands over to, if these are few and none is a person: the attribute holds none, or each is called by a name that persons do not have."""
    values = set(notes.values(notes.agent_sets[attribute]))
    shown = attribute in material.classes or all(material.called(attribute, value) for value in values)
    return tuple(sorted(values)) if shown and len(values) <= FEW_TARGETS else ()


def _steps(moves: Counter[tuple[str, str]]) -> tuple[tuple[str, ...], bool]:
    """The order of an attribute's values where moves from each to the next show it, and whether moves between values go one way at all.

    Rare ends, to which few moves lead, are no steps.
    """
    total = moves.total()
    entered = Counter({before: 0 for before, _ in moves})
    for (_, after), count in moves.items():
        entered[after] += count
    values = [value for value, count in entered.items() if count >= SELDOM * total or any(before == value for before, _ in moves)]
    onward = {pair for pair in moves if share(moves[pair], moves[pair] + moves[pair[::-1]]) >= ONWARD}
    if total < LEAST_MOVES or len(values) < 3 or sum(moves[pair] for pair in onward) < ONWARD * total:
        return (), False
    ordered: list[str] = []
    while len(ordered) < len(values):
        first = sorted(value for value in values if value not in ordered and all(before in ordered for before, after in onward if after == value))
        if not first:
            return (), False
        ordered.append(first[0])
    return (tuple(ordered) if all(pair in onward for pair in pairwise(ordered)) else ()), True


def _limit(sizes: dict[str, dict[bool, list[float]]]) -> tuple[str, str] | None:
    """The number that tells what the agent does unasked from what it asks for."""
    for name, by_asking in sorted(sizes.items()):
        unasked, asked = by_asking[False], by_asking[True]
        if len(unasked) >= LEAST and len(asked) >= LEAST and max(unasked) < min(asked):
            return name, str(text_value(max(unasked)))
    return None


def _coded(reasons: Counter[str]) -> Counter[str]:
    """Reasons that look like codes, and all others as one: a text may name anybody."""
    coded: Counter[str] = Counter()
    for reason, count in reasons.items():
        coded[reason if count >= REPEATED and len(reason) <= LONGEST_VALUE and "@" not in reason else OTHER] += count
    return coded


def _cases(updates: set[Update] | dict[Update, str | None]) -> set[CaseKey]:
    return {case for case, _ in updates}
