"""Writing one case: steps are played in the order of time, each save remembers what changed, and the story notes what it planted."""

from collections.abc import Callable, Mapping
from heapq import heappop, heappush
from random import Random
from typing import Any

import msgspec

from rollout_metrics.domain.events import text_value
from rollout_metrics.domain.time import DAY, SECOND, Instant, Span
from rollout_metrics.simulate.truth import Breach, Decision, Handled, Handover, Plans

Value = str | int | tuple[str, ...] | None


class Field(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """One field of a case, changed."""

    name: str | int
    before: Value
    after: Value
    by_rule: bool = False


class Save(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """One update of a case by one actor at one instant. `via`: the vendor's channel; `ending`: `deleted`, or `merged:<id of the survivor>`."""

    at: Instant
    actor: int
    via: str
    fields: tuple[Field, ...] = ()
    comment: str | None = None
    public: bool = False
    score: str | None = None
    ending: str | None = None
    created: bool = False


class Report(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """One event that another system than the ticketing one reports: an agent's runtime or the approval desk."""

    at: Instant
    source: str
    activity: str
    actor: str
    actor_kind: str
    detail: dict[str, Any]


class Case(msgspec.Struct, frozen=True):
    """A written case: `kind` is the vendor's object type, `workflow` None for what is in none."""

    id: int
    system: str
    kind: str
    workflow: str | None
    saves: tuple[Save, ...]
    reports: tuple[Report, ...]
    plans: Plans


class Draft:
    """A case being written. Every method that adds something returns the instant at which it really happened: never two steps within a second."""

    def __init__(self, number: int, system: str, kind: str, random: Random, *, staff: frozenset[int], neighbour: int | None) -> None:
        self.number = number
        self.system = system
        self.kind = kind
        self.random = random
        self.neighbour = neighbour
        """The number of an earlier case of the same day and system that lasts: where this one may be merged into."""
        self.workflow: str | None = None
        self.scoped_at: Instant = 0
        self.values: dict[str | int, Value] = {}
        self.plans = Plans()
        self.closed = False
        self.closed_at: Instant = 0
        self.over = False
        self._staff = staff
        self._saves: list[Save] = []
        self._reports: list[Report] = []
        self._last: Instant = 0
        self._steps: list[tuple[Instant, int, Callable[[Instant], object]]] = []
        self._count = 0

    def chance(self, share: float) -> bool:
        """True in `share` of all cases."""
        return self.random.random() < share

    def seconds(self, least: float, most: float) -> Span:
        """A span of whole seconds."""
        return round(self.random.uniform(least, most)) * SECOND

    def then(self, at: Instant, step: Callable[[Instant], object]) -> None:
        """Play `step` at `at`, after everything that comes earlier; not at all once the case has ended."""
        self._count += 1
        heappush(self._steps, (at, self._count, step))

    def finish(self) -> Case:
        """Play all steps; the case."""
        while self._steps:
            at, _, step = heappop(self._steps)
            if not self.over:
                step(self._tick(at))
        return Case(self.number, self.system, self.kind, self.workflow, tuple(self._saves), tuple(self._reports), self.plans)

    def create(self, at: Instant, actor: int, via: str, values: Mapping[str | int, Value], *, comment: str | None = None) -> Instant:
        """The first save: initial values instead of changes."""
        at = self._tick(at)
        self.values.update(values)
        fields = tuple(Field(name, None, value) for name, value in values.items())
        self._add(Save(at=at, actor=actor, via=via, fields=fields, comment=comment, public=True, created=True))
        self.scoped_at = at
        return at

    def save(
        self,
        at: Instant,
        actor: int,
        values: Mapping[str | int, Value] | None = None,
        *,
        via: str = "web",
        rules: Mapping[str | int, Value] | None = None,
        **more: Any,
    ) -> Instant:
        """An update; `rules` are fields that a trigger sets in the same save. Values that are in place already are not recorded."""
        at = self._tick(at)
        fields = []
        for by_rule, changes in ((False, values), (True, rules)):
            for name, value in (changes or {}).items():
                before = self.values.get(name)
                if before != value:
                    fields.append(Field(name, before, value, by_rule))
                    self.values[name] = value
        save = Save(at=at, actor=actor, via=via, fields=tuple(fields), **more)
        if save.fields or save.comment or save.score or save.ending:
            self._add(save)
        self.over = save.ending is not None
        if self.over:
            for handover in self._open_handovers():
                handover.ended_at = at
        elif actor in self._staff and via != "rule":
            self.acknowledge(at)
        return at

    def report(self, at: Instant, source: str, activity: str, actor: str, kind: str, **detail: Any) -> Instant:
        """An event of another system about this case."""
        at = self._tick(at)
        self._reports.append(
            Report(at=at, source=source, activity=activity, actor=actor, actor_kind=kind, detail={k: v for k, v in detail.items() if v is not None})
        )
        if kind == "operator":
            self.acknowledge(at)
        return at

    def recommends(
        self, action: str, at: Instant, *, value: Value = None, acted: bool, mode: str = "live", days: int = 7, version: str | None = None
    ) -> Decision:
        """Note that the agent opened a recommendation at `at`."""
        assert self.workflow is not None
        decision = Decision(self.key, self.workflow, action, text_value(value), at, mode, acted, days * DAY, version)
        self.plans.decisions.append(decision)
        return decision

    def handled(self, at: Instant, kind: str) -> None:
        """Note how the case was handled, or that it is seen otherwise from `at` on."""
        assert self.workflow is not None
        if self.plans.handled is None:
            self.plans.handled = Handled(self.key, self.workflow, self.scoped_at, at, [])
        self.plans.handled.states.append((at, kind))

    def escalates(self, at: Instant, reason: str | None) -> None:
        """Note that the agent handed over: whatever is undecided is `escalated`."""
        assert self.workflow is not None
        self.decide_rest(at, "escalated", "escalated")
        self.plans.handovers.append(Handover(self.key, self.workflow, at, reason or "unspecified"))

    def breaches(self, at: Instant, kind: str, action: str, *, workflow: str | None = None) -> None:
        """Note an act outside authority."""
        self.plans.breaches.append(Breach(self.key, workflow or self.workflow or "none", kind, action, at))

    def closes(self, at: Instant) -> None:
        """Note that the case closed."""
        self.closed, self.closed_at = True, at
        for handover in self._open_handovers():
            handover.resolved_at = at

    def reopens(self) -> None:
        """Note that the case is open again."""
        self.closed = False

    def acknowledge(self, at: Instant) -> None:
        """An operator touched the case."""
        for handover in self._open_handovers():
            if handover.acknowledged_at is None and at > handover.raised_at:
                handover.acknowledged_at = at

    def decide_rest(self, at: Instant, outcome: str, how: str, *, but: str | None = None) -> None:
        """Everything undecided, except the action `but`, becomes this."""
        for decision in self.plans.decisions:
            if decision.undecided and decision.action != but:
                decision.becomes(at, outcome, how)

    @property
    def key(self) -> tuple[str, str]:
        """The case's name."""
        return self.system, str(self.number)

    def _open_handovers(self) -> list[Handover]:
        return [item for item in self.plans.handovers if item.resolved_at is None and item.ended_at is None]

    def _tick(self, at: Instant) -> Instant:
        self._last = max(at, self._last + SECOND)
        return self._last

    def _add(self, save: Save) -> None:
        self._saves.append(save)
