"""Which acts of the agent an operator approved beforehand: one approval, one act (SIGNALS section 7, `unapproved`)."""

from collections.abc import Sequence

import msgspec

from rollout_metrics.derive.history import History, Step
from rollout_metrics.domain.events import Activity, ActorKind, text_value
from rollout_metrics.domain.facts import Outcome, Recommendation

Given = tuple[str | None, ...]
"""A value: `()` where none was given, which agrees with any; `(None,)` where the attribute is unset."""


class Approval(msgspec.Struct, frozen=True):
    """An operator's approval: where in the history, of which action, with which value."""

    place: int
    action: str
    value: Given


class _Opened(msgspec.Struct, frozen=True):
    """A recommendation at its opening's place in the history."""

    place: int
    asked_approval: bool
    item: Recommendation


class Approvals:
    """The approvals on one case and what they mean."""

    def __init__(self, history: History, recommendations: Sequence[Recommendation]) -> None:
        self._history = history
        opened = {item.opened: item for item in recommendations}
        self._opened = [
            _Opened(step.place, step.event.activity is Activity.APPROVAL_REQUESTED, opened[step.event.ref])
            for step in history.steps
            if step.kind is ActorKind.AGENT and step.event.ref in opened
        ]
        self._approvals = [
            approval
            for step in history.steps
            if step.kind is ActorKind.OPERATOR and step.event.activity is Activity.APPROVED and (approval := self._meant(step)) is not None
        ]

    def cover(self, act: Step, previous_act: int) -> bool:
        """Whether an approval of this action with this value lies before the act, after the opening of the recommendation that the act continues and after
        the place of the previous act of the action by any agent (-1: none)."""
        value = value_of(act)
        after = previous_act
        continued = self._latest(act.action, value, act.place)
        if continued is not None and not any(opened.place == act.place for opened in self._opened):
            after = max(after, continued.place)
        return any(after < approval.place < act.place and approval.action == act.action and agree(approval.value, value) for approval in self._approvals)

    def _latest(self, action: str | None, value: Given, before: int) -> _Opened | None:
        """The latest recommendation of the action, with an agreeing value, that was opened before a place."""
        return next(
            (o for o in reversed(self._opened) if o.place < before and o.item.action == action and agree(_recommended(o.item), value)),
            None,
        )

    def _meant(self, step: Step) -> Approval | None:
        """The action and value that an operator's approval means; None where it means nothing.

        As for outcomes: it names an event of the agent, else an action or attribute, else it means the oldest open recommendation that asked for
        approval, else the newest open one. The named event may be of an action that the workflow does not decide.
        """
        event = step.event
        named = event.detail.get("recommendation")
        given = _stated(event.detail.get("value"))
        if named is not None:
            for other in self._history.steps[: step.place]:
                if other.kind is ActorKind.AGENT and other.event.event_id == named and other.action is not None:
                    return self._approval(step, other.action, given or value_of(other))
        action = event.detail.get("action")
        if action is None and event.attribute is not None:
            action = f"set:{event.attribute}"
            given = given or _stated(event.after)
        if action is not None:
            return self._approval(step, str(action), given)
        if named is not None:
            return None
        pending = [opened for opened in self._opened if opened.place < step.place and _open_at(opened.item, step)]
        meant = next((opened for opened in pending if opened.asked_approval), pending[-1] if pending else None)
        return None if meant is None else Approval(step.place, meant.item.action, given or _recommended(meant.item))

    def _approval(self, step: Step, action: str, given: Given) -> Approval:
        if not given:
            meant = self._latest(action, (), step.place)
            given = () if meant is None else _recommended(meant.item)
        return Approval(step.place, action, given)


def agree(one: Given, other: Given) -> bool:
    """Whether two values are the same, or either was not given."""
    return not one or not other or one == other


def value_of(step: Step) -> Given:
    """What an agent's event sets or says: the `after` of an attribute it names (null: unset), else `detail.value`."""
    event = step.event
    if event.attribute is not None and step.action is not None and step.action.startswith("set:"):
        return (event.after,)
    return _stated(event.detail.get("value"))


def _stated(value: object) -> Given:
    text = text_value(value)
    return () if text is None else (text,)


def _recommended(item: Recommendation) -> Given:
    return (item.value,) if item.value is not None or item.action.startswith("set:") else ()


def _open_at(item: Recommendation, step: Step) -> bool:
    """Whether a recommendation was still open when an operator's event came, which may be the one that decided it."""
    if item.outcome is Outcome.PENDING or item.provisional:
        return True
    ends = [at for at in (item.first_decided_at, item.decided_at, item.ended_at) if at is not None]
    end = min(ends, default=None)
    return end is None or step.at < end or (step.at == end and step.event.ref in (item.deciding, *item.evidence))
