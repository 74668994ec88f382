"""Which cases an agent's work is: agents that share cases belong together, and the attribute that best tells their cases from others is the scope."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from itertools import combinations

import msgspec

from rollout_metrics.discover.material import Material, share
from rollout_metrics.domain.events import CaseKey, Event
from rollout_metrics.domain.policy import action_of

SHARED = 0.3
"""Two agents with this share of the smaller one's cases in common do one piece of work."""
PREFERRED = ("form", "pipeline", "project", "queue", "type", "tracker", "category", "service", "brand", "repository", "channel")
"""Of attributes that tell cases apart equally well, the one people think in."""
STEADY = 0.05
"""An attribute that changes on more cases than this is no scope: cases join once, for good."""
TOUCHED = 0.25
"""A value belongs to the scope if the agent came to this share of its cases."""
BETTER = 0.05
"""A scope must tell the agent's cases this much better than none."""
MOST_IN_SCOPE = 10
STRAY = 0.05


class Split(msgspec.Struct, frozen=True):
    """How an attribute splits the cases: value -> cases, of them with the agent. `score`: F1 of `within` for the agent's cases."""

    attribute: str
    rows: dict[str | None, tuple[int, int]]
    within: tuple[str, ...]
    score: float


class Work(msgspec.Struct, frozen=True):
    """The agents of one piece of work, the cases they came to, and all cases of it. `scope` None: every case of the sources.

    `systems`: the sources that the cases are of; `seen`: these, and the others whose events stand on them.
    """

    agents: tuple[str, ...]
    touched: frozenset[CaseKey]
    cases: frozenset[CaseKey]
    scope: Split | None
    systems: tuple[str, ...]
    seen: tuple[str, ...]


def works(material: Material, agent_of: Callable[[Event], str | None]) -> list[Work]:
    """Every piece of work that an agent has a part in, those with a scope before those without, the busiest first."""
    touched: dict[str, set[CaseKey]] = defaultdict(set)
    sets: dict[str, set[str]] = defaultdict(set)
    for case, events in material.cases.items():
        for event in events:
            agent = agent_of(event)
            if agent is not None:
                touched[agent].add(case)
                sets[agent].add((action_of(event) or "").removeprefix("set:"))
                sets[agent].add(event.attribute or "")
    found = [_work(material, agents, touched, sets) for agents in _groups(touched)]
    while (pair := next(((a, b) for a, b in combinations(found, 2) if _meet(a, b)), None)) is not None:
        both = _work(material, [*pair[0].agents, *pair[1].agents], touched, sets)
        found = [both, *(work for work in found if work not in pair)]
    return sorted(found, key=lambda work: (work.scope is None, -len(work.touched), work.agents))


def _meet(one: Work, other: Work) -> bool:
    """Whether the scopes of two could not tell their cases apart."""
    if set(one.systems).isdisjoint(other.seen) and set(other.systems).isdisjoint(one.seen):
        return False
    if one.scope is None or other.scope is None:
        return one.scope is other.scope
    return one.scope.attribute == other.scope.attribute and not set(one.scope.within).isdisjoint(other.scope.within)


def _groups(touched: dict[str, set[CaseKey]]) -> Iterable[list[str]]:
    """Agents that share cases, directly or through others."""
    groups: list[list[str]] = []
    for agent in sorted(touched, key=lambda name: (-len(touched[name]), name)):
        joined = [group for group in groups if any(_share_cases(touched[agent], touched[other]) for other in group)]
        groups = [group for group in groups if group not in joined] + [[*(name for group in joined for name in group), agent]]
    return groups


def _share_cases(one: set[CaseKey], other: set[CaseKey]) -> bool:
    return len(one & other) >= SHARED * min(len(one), len(other))


def _work(material: Material, agents: list[str], touched: dict[str, set[CaseKey]], sets: dict[str, set[str]]) -> Work:
    mine = frozenset().union(*(touched[agent] for agent in agents))
    own = frozenset().union(*(sets[agent] for agent in agents))
    systems = _mostly(Counter(case[0] for case in mine))
    around = frozenset(case for case in material.cases if case[0] in systems)
    scope = best_split(material, mine, around, own)
    cases = around if scope is None else frozenset(case for case in around if _initial(material, case).get(scope.attribute) in scope.within) | mine
    seen = _mostly(Counter(source for case in mine if case[0] in systems for source in {event.source for event in material.cases[case]}))
    of = tuple(sorted(systems))
    return Work(tuple(agents), mine, cases, scope, of, (*of, *sorted(seen - systems)))


def _mostly(counted: Counter[str]) -> set[str]:
    """What is on more than a stray few of the cases."""
    most = max(counted.values(), default=0)
    return {name for name, count in counted.items() if count > STRAY * most}


def best_split(material: Material, touched: frozenset[CaseKey], around: frozenset[CaseKey], own: frozenset[str] | set[str]) -> Split | None:
    """The attribute whose values best tell the touched cases from the others; None where no one does it better than taking all. `own`: what agents set."""
    known = [case for case in sorted(around) if case in material.created]
    if not known:
        return None
    changing: Counter[str] = Counter()
    for case in known:
        changing.update({event.attribute for event in material.cases[case][1:] if event.attribute is not None})
    without = _f1(sum(case in touched for case in known), len(known), sum(case in touched for case in known))
    splits = []
    for attribute in sorted(material.classes - own - {"status"}):
        if changing[attribute] <= STEADY * len(known):
            split = _split(material, attribute, known, touched)
            if split.within and split.score > without + BETTER:
                splits.append(split)
    return max(splits, key=lambda one: (round(one.score, 2), -_place(one.attribute), -len(one.within), one.attribute), default=None)


def _split(material: Material, attribute: str, known: list[CaseKey], touched: frozenset[CaseKey]) -> Split:
    of: Counter[str | None] = Counter()
    hit: Counter[str | None] = Counter()
    for case in known:
        value = _initial(material, case).get(attribute)
        of[value] += 1
        hit[value] += case in touched
    within = tuple(sorted(value for value in of if value is not None and hit[value] >= TOUCHED * of[value]))
    score = _f1(sum(hit[value] for value in within), sum(of[value] for value in within), hit.total())
    rows = {value: (count, hit[value]) for value, count in of.most_common()}
    return Split(attribute, rows, within if len(within) <= MOST_IN_SCOPE else (), score)


def _initial(material: Material, case: CaseKey) -> dict[str, str | None]:
    return dict(material.cases[case][0].detail.get("attributes") or {})


def _f1(right: int, taken: int, wanted: int) -> float:
    return share(2 * right, taken + wanted)


def _place(attribute: str) -> int:
    return PREFERRED.index(attribute) if attribute in PREFERRED else len(PREFERRED)
