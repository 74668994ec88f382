"""The walk through a history: which events open, continue, decide or reverse a recommendation (SIGNALS section 3)."""

import msgspec

from rollout_metrics.derive.history import History, Step
from rollout_metrics.derive.outcomes import DOES, OPENS, REVERSIBLE, RULES_FOR, SAYS, Course, RulesFor, named_action, undoes
from rollout_metrics.derive.terms import Terms, decided_terms
from rollout_metrics.domain.events import Activity, ActorKind
from rollout_metrics.domain.facts import DECIDED, Outcome
from rollout_metrics.domain.time import Instant


class Walk(msgspec.Struct, frozen=True):
    """The courses that a case's recommendations took, in order of opening.

    `of`: place of an own agent's event -> the course it opened or continued. `meant`: place of an operator's `approved` or `rejected` -> the courses it means.
    """

    courses: list[Course]
    of: dict[int, Course]
    meant: dict[int, tuple[Course, ...]]


def walk(history: History) -> Walk:
    """Walk through a history; done once and kept with it."""
    done: Walk | None = history.__dict__.get("_walk")
    if done is None:
        done = history.__dict__["_walk"] = _Walker(history).go()
    return done


class _Walker:
    """What is known so far while a history is walked."""

    def __init__(self, history: History) -> None:
        self.courses: list[Course] = []
        self.of: dict[int, Course] = {}
        self.meant: dict[int, tuple[Course, ...]] = {}
        self._history = history
        self._open: list[Course] = []
        self._of_action: dict[str, list[Course]] = {}
        self._named: dict[str, Course] = {}
        self._last_decided: dict[str, Course] = {}

    def go(self) -> Walk:
        """Take every event of the workflow in order: first what it proposes, then the rows on what else is open."""
        history = self._history
        terms = {} if history.workflow is None else decided_terms(history.workflow)
        for step in history.steps[history.start :]:
            if step.own and step.action in terms and step.activity in OPENS:
                self._expire(step.at)
                self._propose(step, terms[step.action])
            if self.courses:
                rules = RULES_FOR.get((step.kind, step.activity))
                if rules is not None:
                    self._expire(step.at)
                    self._judge(step, rules)
        return Walk(self.courses, self.of, self.meant)

    def _expire(self, now: Instant) -> None:
        """Close what a final timeout ended before `now`; an event exactly at the deadline beats it."""
        for course in self._open:
            if course.expires_at < now:
                self._open = [course for course in self._open if course.expires_at >= now]
                return

    def _propose(self, step: Step, terms: Terms) -> None:
        """Take in an own agent's event that opens or continues a recommendation."""
        value = terms.value(step.event)
        earlier = self._of_action.setdefault(terms.action, [])
        course = next((course for course in reversed(earlier) if terms.same(course.value, value) and self._continues(course, step.at)), None)
        if course is not None:
            course.take(step)
        else:
            for older in self._open:
                if older.terms is terms:
                    older.decide(step, Outcome.SUPERSEDED, "newer")
                    self._open.remove(older)
                    break
            course = Course(step, terms, value)
            earlier.append(course)
            self.courses.append(course)
            self._open.append(course)
        self.of[step.place] = self._named[step.event.event_id] = course

    def _continues(self, course: Course, at: Instant) -> bool:
        """Open, or accepted by rows 2 or 4 not too long ago with nothing about the action decided since."""
        if course.decided is None:
            return course in self._open
        return (
            course.outcome is Outcome.ACCEPTED
            and course.row in (2, 4)
            and at - course.decided.at <= course.decides.reversal_window
            and self._last_decided.get(course.action) is course
        )

    def _judge(self, step: Step, rules: RulesFor) -> None:
        """Try the rows on every open recommendation, then look whether the event reverses what was decided before it."""
        meant: tuple[Course, ...] = ()
        if step.activity in SAYS:
            meant = self.meant[step.place] = self._means(step)
            reversible = meant
        else:
            reversible = tuple(self._newest(step))
        reversible = tuple(course for course in reversible if course.decided is not None and self._reverses(course, step))
        decided = False
        for course in self._open:
            if course.opened is step:
                continue
            concerned = course in meant if step.activity in SAYS else course.action == step.action
            for rule in rules.concerned if concerned else rules.others:
                if rule.applies(course, step, self._history):
                    course.decide(step, rule.outcome, rule.how, rule.row)
                    decided = True
                    if rule.outcome in DECIDED:
                        self._last_decided[course.action] = course
                    break
        if decided:
            self._open = [course for course in self._open if course.decided is None]
        for course in reversible:
            course.reversed, course.outcome, course.how = step, Outcome.OVERRIDDEN, "reversed"
            self._last_decided[course.action] = course

    def _means(self, step: Step) -> tuple[Course, ...]:
        """The recommendations that an operator's `approved` or `rejected` means.

        A `detail.recommendation` that names none of this case's so far leaves it to the action, and where none is named it means nothing.
        """
        named = step.event.detail.get("recommendation")
        if named is not None and str(named) in self._named:
            return (self._named[str(named)],)
        action = named_action(step.event)
        if action is not None:
            return tuple(self._of_action.get(action, ()))
        if named is not None or not self._open:
            return ()
        return (next((course for course in self._open if course.asked_approval), self._open[-1]),)

    def _newest(self, step: Step) -> set[Course]:
        """The newest recommendations that an event other than a word could reverse: those for its action, and for closing where it reopens."""
        found = [self._of_action.get(step.action or "")] if step.kind is ActorKind.OPERATOR and step.activity in DOES else []
        if step.activity is Activity.REOPENED and step.kind in (ActorKind.OPERATOR, ActorKind.CUSTOMER):
            found.append(self._of_action.get("close"))
        return {courses[-1] for courses in found if courses}

    def _reverses(self, course: Course, step: Step) -> bool:
        """Whether an operator's event that is about the course (a customer's, where it reopens) takes back what was decided."""
        assert course.decided is not None
        terms = course.terms
        if (
            course.outcome not in REVERSIBLE
            or not terms.reversible
            or step.at > course.decided.at + course.decides.reversal_window
            or self._of_action[terms.action][-1] is not course
        ):
            return False
        if step.activity is Activity.REJECTED:
            return True
        if undoes(course, step, self._history):
            return True
        return (
            step.kind is ActorKind.OPERATOR
            and step.activity in DOES
            and step.action == terms.action
            and terms.replaces(course.standing, terms.value(step.event))
        )
