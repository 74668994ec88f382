"""The table of outcomes: which event decides an open recommendation, and how (definitions, section 3).

`RULES` is the table, row by row; `RULES_FOR` is the same table looked up by who did what. Whatever an agent's event is by which it escalates is looked up
as `escalated`.
"""

from collections.abc import Callable, Iterable

import msgspec

from rollout_metrics.derive.history import ACTS, ENDINGS, History, Step
from rollout_metrics.derive.terms import Terms
from rollout_metrics.domain.events import Activity, ActorKind, Event, EventRef, text_value
from rollout_metrics.domain.facts import Outcome
from rollout_metrics.domain.policy import Decides
from rollout_metrics.domain.time import Instant

OPENS = ACTS | {Activity.RECOMMENDED, Activity.APPROVAL_REQUESTED}
"""What an own agent's event must be to open a recommendation for its action."""

DOES = ACTS - {Activity.APPROVED, Activity.REJECTED} | {Activity.ESCALATED}
"""What an operator's event must be to do its action."""

SAYS = frozenset((Activity.APPROVED, Activity.REJECTED))
"""An operator's word on a recommendation, which may name the one it means."""


# Looked up once: an enum's attribute costs more than what is done with it here.
_APPROVED, _APPROVAL_REQUESTED, _CLOSED, _REOPENED = Activity.APPROVED, Activity.APPROVAL_REQUESTED, Activity.CLOSED, Activity.REOPENED
_OPERATOR = ActorKind.OPERATOR

REVERSIBLE = frozenset((Outcome.ACCEPTED, Outcome.EDITED, Outcome.UNREVIEWED))
"""Outcomes that settle only when the reversal window ends."""


class Course(msgspec.Struct, eq=False, gc=False):
    """One recommendation while its history is walked. `action` and `decides` are those of its `terms`; `refs` the agent's events that open or continue it."""

    opened: Step
    terms: Terms
    action: str
    decides: Decides
    value: str | None
    standing: str | None
    expires_at: Instant
    acted_at: Instant | None
    asked_approval: bool
    refs: list[EventRef]
    outcome: Outcome | None = None
    how: str | None = None
    row: int = 0
    decided: Step | None = None
    reversed: Step | None = None

    @classmethod
    def begin(cls, step: Step, terms: Terms, value: str | None) -> "Course":
        """The recommendation that an agent's event opens."""
        decides, acted_at = terms.decides, step.at if step.activity in ACTS else None
        assert decides is not None
        expires_at = step.at + decides.expire_after
        return cls(step, terms, terms.action, decides, value, value, expires_at, acted_at, step.activity is _APPROVAL_REQUESTED, [step.ref])

    def go_on(self, step: Step) -> None:
        """Take in the agent's event that continues it."""
        self.refs.append(step.ref)
        if self.acted_at is None and step.activity in ACTS:
            self.acted_at = step.at
        self.asked_approval = self.asked_approval or step.activity is _APPROVAL_REQUESTED

    def decide(self, step: Step, outcome: Outcome, how: str, row: int = 0, given: str | None = None) -> None:
        """Record the event that decides it, by a row of the table with the value that the event gives."""
        self.decided, self.outcome, self.how, self.row = step, outcome, how, row
        if row in (5, 6):
            self.standing = given


def spoken(terms: Terms, step: Step) -> str | None:
    """The value an operator's event gives for the action; an approval that carries neither `after` nor `detail.value` gives none."""
    return approved_value(step.event, terms) if step.activity is _APPROVED else terms.value(step.event)


def approved_value(event: Event, terms: Terms) -> str | None:
    """The value an operator's `approved` gives for an action, None for none: an approval unsets nothing, and what it changes elsewhere is no value of it."""
    if event.after is not None and event.attribute == terms.attribute:
        return event.after
    return text_value(event.detail.get("value"))


def named_action(event: Event) -> str | None:
    """The action that an approval or rejection names, by `detail.action` or its attribute."""
    action = event.detail.get("action")
    if action is not None:
        return str(action)
    return None if event.attribute is None else f"set:{event.attribute}"


Applies = Callable[[Course, Step, "str | None", History], bool]
"""Whether a row applies to a recommendation, given the event, the value it gives where it concerns the recommendation, and the history."""


class Rule(msgspec.Struct, frozen=True):
    """One row (or a part of it): whose events, what they do, and the rest of the condition.

    `concerned`: the event must concern the recommendation: `approved` and `rejected` by meaning it, anything else by doing its action.
    """

    row: int
    kinds: frozenset[ActorKind]
    activities: frozenset[Activity]
    concerned: bool
    applies: Applies
    outcome: Outcome
    how: str


def _always(_course: Course, _step: Step, _given: str | None, _history: History) -> bool:
    return True


def _says_no_other(course: Course, _step: Step, given: str | None, _history: History) -> bool:
    return given is None or course.terms.same(course.value, given)


def undoes(course: Course, step: Step, _given: str | None = None, _history: History | None = None) -> bool:
    """Row 3: the case is reopened after the agent closed it."""
    return course.action == "close" and course.acted_at is not None and step.activity is _REOPENED


def _answers(course: Course) -> bool:
    """An operator's comment answers a proposed one only: once the agent has posted its own, the next comment is just the next."""
    return not (course.terms.comment and course.acted_at is not None)


def _applies_it(course: Course, step: Step, given: str | None, history: History) -> bool:
    return course.terms.same(course.value, given) and _answers(course) and not _in_place(course, step, history)


def _in_place(course: Course, step: Step, history: History) -> bool:
    """Whether what was recommended was so already before the event. Only attributes and being closed can tell; anything else is never in place."""
    attribute = course.terms.attribute
    if attribute is not None:
        return course.terms.same(course.value, history.value_before(attribute, step))
    if course.action in ("close", "reopen"):
        for earlier in reversed(history.steps[: step.place]):
            if earlier.activity in (_CLOSED, _REOPENED):
                return (earlier.activity is _CLOSED) == (course.action == "close")
    return False


def _progresses(course: Course, _step: Step, given: str | None, _history: History) -> bool:
    return course.terms.advances(course.value, given) and _answers(course)


def _edits(course: Course, step: Step, given: str | None, history: History) -> bool:
    return course.terms.alike(course.value, given) and _differs(course, step, given, history)


def _differs(course: Course, step: Step, given: str | None, _history: History) -> bool:
    if given is None and step.activity is _APPROVED:
        return False
    return not course.terms.same(course.value, given) and _answers(course)


def _matches(course: Course, step: Step, history: History) -> bool:
    """Whether the attribute stands at `value` once the closing event is in."""
    attribute = course.terms.attribute
    return attribute is not None and course.terms.same(course.value, history.value_at(attribute, step))


def _kept(course: Course, step: Step, _given: str | None, history: History) -> bool:
    return course.action != "close" and course.acted_at is not None and (course.terms.attribute is None or _matches(course, step, history))


def _matched(course: Course, step: Step, _given: str | None, history: History) -> bool:
    return course.action != "close" and course.acted_at is None and _matches(course, step, history)


def _mismatched(course: Course, step: Step, _given: str | None, history: History) -> bool:
    attribute = course.terms.attribute
    if attribute is None or course.action == "close" or _matches(course, step, history):
        return False
    setter = history.last_change(attribute, step)
    return setter is not None and setter.kind is _OPERATOR


def _left(course: Course, _step: Step, _given: str | None, _history: History) -> bool:
    """Rows 9 to 13 leave recommendations to close alone: rows 3 and 4 see to them."""
    return course.action != "close"


def _left_acted(course: Course, _step: Step, _given: str | None, _history: History) -> bool:
    return course.action != "close" and course.acted_at is not None


_OPERATORS = frozenset((ActorKind.OPERATOR,))
_AGENTS = frozenset((ActorKind.AGENT,))
_OTHERS = frozenset(ActorKind) - _OPERATORS
_REOPENS = frozenset((Activity.REOPENED,))
_CLOSES = frozenset((Activity.CLOSED,))
_APPROVES = frozenset((Activity.APPROVED,))
_REJECTS = frozenset((Activity.REJECTED,))
_ESCALATES = frozenset((Activity.ESCALATED,))

RULES = (
    Rule(1, _OPERATORS, _REJECTS, True, _always, Outcome.OVERRIDDEN, "rejected"),
    Rule(2, _OPERATORS, _APPROVES, True, _says_no_other, Outcome.ACCEPTED, "approved"),
    Rule(3, _OPERATORS | {ActorKind.CUSTOMER}, _REOPENS, False, undoes, Outcome.OVERRIDDEN, "undone"),
    Rule(4, _OPERATORS, DOES, True, _applies_it, Outcome.ACCEPTED, "applied"),
    Rule(5, _OPERATORS, DOES, True, _progresses, Outcome.ACCEPTED, "progressed"),
    Rule(6, _OPERATORS, DOES | _APPROVES, True, _edits, Outcome.EDITED, "edited"),
    Rule(7, _OPERATORS, DOES | _APPROVES, True, _differs, Outcome.OVERRIDDEN, "changed"),
    Rule(8, _AGENTS, _ESCALATES, False, _always, Outcome.ESCALATED, "escalated"),
    Rule(9, _OPERATORS, _CLOSES, False, _kept, Outcome.ACCEPTED, "kept"),
    Rule(10, _OPERATORS, _CLOSES, False, _matched, Outcome.ACCEPTED, "matched"),
    Rule(11, _OPERATORS, _CLOSES, False, _mismatched, Outcome.OVERRIDDEN, "mismatch"),
    Rule(12, _OPERATORS, _CLOSES, False, _left, Outcome.IGNORED, "ignored"),
    Rule(13, _OTHERS, _CLOSES, False, _left_acted, Outcome.UNREVIEWED, "closed"),
    Rule(13, _OTHERS, _CLOSES, False, _left, Outcome.IGNORED, "closed"),
    Rule(14, frozenset(ActorKind), ENDINGS, False, _always, Outcome.VOID, "void"),
)


class RulesFor(msgspec.Struct, frozen=True):
    """The rules to try, in order, where the event concerns the recommendation and where it does not.

    `about_one`: they ask about the recommendations for the event's own action only.
    """

    concerned: tuple[Rule, ...]
    others: tuple[Rule, ...]
    about_one: bool


def _lookup(rules: Iterable[Rule]) -> dict[tuple[ActorKind, Activity], RulesFor]:
    table = {}
    for kind in ActorKind:
        for activity in Activity:
            these = tuple(rule for rule in rules if kind in rule.kinds and activity in rule.activities)
            if these:
                others = tuple(rule for rule in these if not rule.concerned)
                table[kind, activity] = RulesFor(these, others, about_one=not others and activity not in SAYS)
    return table


RULES_FOR = _lookup(RULES)
