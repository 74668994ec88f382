"""What was planted: for every case what a perfect observer would say of it at any instant. Written by the stories, never derived."""

import msgspec

from rollout_metrics.domain.time import Instant, Span

Case = tuple[str, str]
"""`(system, id there)`, the id as the vendor has it."""


class Decision(msgspec.Struct):
    """A recommendation and its fate: `states` are (since when, outcome, how), in order."""

    case: Case
    workflow: str
    action: str
    value: str | None
    opened_at: Instant
    mode: str
    acted: bool
    settle_after: Span
    version: str | None = None
    category: str | None = None
    states: list[tuple[Instant, str, str]] = []

    def becomes(self, at: Instant, outcome: str, how: str) -> None:
        """From `at` on, until something else happens to it."""
        self.states.append((at, outcome, how))

    @property
    def undecided(self) -> bool:
        """Whether nothing has happened to it in what was written so far."""
        return not self.states

    def at(self, as_of: Instant) -> tuple[str, str | None]:
        """Outcome and how, as of an instant at or after its opening."""
        held = [state for state in self.states if state[0] <= as_of]
        if held:
            return held[-1][1:]
        if as_of >= self.opened_at + self.settle_after:
            return ("unreviewed" if self.acted else "ignored"), "timeout"
        return "pending", None


class Handled(msgspec.Struct):
    """How an eligible case was handled: `states` are (since when, handling). `unassisted` still has to ask whether the agent was there at all."""

    case: Case
    workflow: str
    scoped_at: Instant
    at: Instant
    states: list[tuple[Instant, str]]

    def kind(self, as_of: Instant) -> str | None:
        """The handling as of an instant; None before it was handled."""
        held = [kind for since, kind in self.states if since <= as_of]
        return held[-1] if held else None


class Handover(msgspec.Struct):
    """An escalation."""

    case: Case
    workflow: str
    raised_at: Instant
    reason: str
    acknowledged_at: Instant | None = None
    resolved_at: Instant | None = None
    ended_at: Instant | None = None

    def state(self, as_of: Instant) -> str:
        """Where it stands as of an instant."""
        if self.ended_at is not None and self.ended_at <= as_of:
            return "ended"
        if self.resolved_at is not None and self.resolved_at <= as_of:
            return "resolved"
        if self.acknowledged_at is not None and self.acknowledged_at <= as_of:
            return "acknowledged"
        return "waiting"


class Breach(msgspec.Struct, frozen=True, order=True):
    """An act outside the agent's authority."""

    case: Case
    workflow: str
    kind: str
    action: str
    at: Instant


class Plans(msgspec.Struct):
    """Everything planted on one case."""

    decisions: list[Decision] = []
    handled: Handled | None = None
    handovers: list[Handover] = []
    breaches: list[Breach] = []
    blocked: list[tuple[Instant, str]] = []
