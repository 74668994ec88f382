"""Which acts of the agent an operator approved beforehand: one approval, one act (definitions, section 7: `unapproved`)."""

from bisect import bisect_left, bisect_right
from operator import attrgetter

import msgspec

from rollout_metrics.derive.history import History, Step
from rollout_metrics.derive.kept import kept
from rollout_metrics.derive.outcomes import approved_value, named_action
from rollout_metrics.derive.terms import AllTerms, Terms, terms_of
from rollout_metrics.derive.walk import walk
from rollout_metrics.domain.events import Activity, ActorKind


class Approval(msgspec.Struct, frozen=True):
    """An operator's approval: where in the history, of which action, with which value; `any_value` where neither it nor what it means gave one."""

    place: int
    action: str
    value: str | None
    any_value: bool


@kept
def approvals(history: History) -> "Approvals":
    """The approvals on a case of a workflow."""
    assert history.workflow is not None
    return Approvals(history, terms_of(history.workflow))


_place = attrgetter("place")


class Approvals:
    """The approvals on one case of a workflow, and what they mean."""

    def __init__(self, history: History, terms: AllTerms) -> None:
        self._terms = terms
        self._walked = walk(history)
        self._agents: dict[str, Step] = {}
        self._given: dict[str, list[Approval]] = {}
        for step in history.steps:
            if step.kind is ActorKind.OPERATOR and step.activity is Activity.APPROVED:
                approval = self._meant(step)
                if approval is not None:
                    self._given.setdefault(approval.action, []).append(approval)
            elif step.own:  # another workflow's agent recommends nothing here
                self._agents.setdefault(step.event.event_id, step)

    def cover(self, act: Step, previous_act: int) -> bool:
        """Whether an approval of this action with this value lies before the act, after the opening of the recommendation that the act continues and after
        the place of the previous act of the action by any agent (-1: none)."""
        if act.action is None:
            return False
        terms = self._terms[act.action]
        course = self._walked.of.get(act.place)
        after = previous_act if course is None or course.opened is act else max(previous_act, course.opened.place)
        value = terms.value(act.event)
        given = self._given.get(act.action, [])
        between = given[bisect_right(given, after, key=_place) : bisect_left(given, act.place, key=_place)]
        return any(approval.any_value or terms.same(approval.value, value) for approval in between)

    def _meant(self, step: Step) -> Approval | None:
        """What an operator's approval means, None for nothing: as for outcomes, but the action or event that it names may be one that the workflow does
        not decide. Where it gives no value, it means that of the recommendation (by action: the newest)."""
        event = step.event
        named = event.detail.get("recommendation")
        other = None if named is None else self._agents.get(str(named))
        if other is not None and other.action is not None:
            course = self._walked.of.get(other.place)
            terms = self._terms[other.action]
            return _approval(step, terms, terms.value(other.event) if course is None else course.value, known=True)
        meant = self._walked.meant.get(step.place)
        action = named_action(event)
        if action is not None:
            return _approval(step, self._terms[action], None if meant is None else meant.newest.value, known=meant is not None)
        return None if meant is None else _approval(step, meant.newest.terms, meant.newest.value, known=True)


def _approval(step: Step, terms: Terms, recommended: str | None, *, known: bool) -> Approval:
    """`known`: there is a recommendation, whose null is a value of its own where the action sets an attribute."""
    given = approved_value(step.event, terms)
    value = recommended if given is None else given
    return Approval(step.place, terms.action, value, any_value=value is None and not (known and terms.attribute is not None))
