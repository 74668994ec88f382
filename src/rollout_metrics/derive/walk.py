"""The walk through a history: which events open, continue, decide or reverse a recommendation (definitions, section 3)."""

import msgspec

from rollout_metrics.derive.escalations import raising
from rollout_metrics.derive.history import History, Step
from rollout_metrics.derive.kept import kept
from rollout_metrics.derive.outcomes import DOES, OPENS, REVERSIBLE, RULES_FOR, SAYS, Course, RulesFor, named_action, spoken, undoes
from rollout_metrics.derive.terms import Terms, decided_terms
from rollout_metrics.domain.events import Activity, ActorKind
from rollout_metrics.domain.facts import DECIDED, Outcome
from rollout_metrics.domain.time import Instant

REOPENERS = (ActorKind.OPERATOR, ActorKind.CUSTOMER)
"""Whose reopening takes back what the agent closed."""

# Looked up once: an enum's attribute costs more than what is done with it here.
_AGENT, _OPERATOR = ActorKind.AGENT, ActorKind.OPERATOR
_ESCALATED, _REOPENED, _REJECTED = Activity.ESCALATED, Activity.REOPENED, Activity.REJECTED
_NEVER: Instant = 2**63


class Walk(msgspec.Struct, frozen=True):
    """The courses that a case's recommendations took, in order of opening.

    `of`: place of an own agent's event -> the course it opened or continued. `meant`: place of an operator's `approved` or `rejected` -> the courses it means.
    """

    courses: list[Course]
    of: dict[int, Course]
    meant: dict[int, "Meant"]


class Meant(msgspec.Struct, frozen=True):
    """The courses that an operator's word means: those of one action from the `first` to the `newest`."""

    first: Course
    newest: Course

    def __contains__(self, course: Course) -> bool:
        return course.action == self.newest.action and self.first.opened.place <= course.opened.place <= self.newest.opened.place


@kept
def walk(history: History) -> Walk:
    """Walk through a history of a workflow."""
    assert history.workflow is not None
    terms = decided_terms(history.workflow)
    for step in history.since(history.by[_AGENT]):
        if step.own and step.action in terms and step.activity in OPENS:
            return _Walker(history, terms).go(step.place)
    return Walk([], {}, {})


class _Walker:
    """What is known so far while a history is walked."""

    def __init__(self, history: History, terms: dict[str, Terms]) -> None:
        self.courses: list[Course] = []
        self.of: dict[int, Course] = {}
        self.meant: dict[int, Meant] = {}
        self._history = history
        self._terms = terms
        self._open: list[Course] = []
        self._expires_at: Instant = _NEVER
        self._of_action: dict[str | None, list[Course]] = {}
        self._named: dict[str, Course] = {}
        self._last_decided: dict[str, Course] = {}

    def go(self, first: int) -> Walk:
        """Take every event from the place of the first that proposes on, in order: first what it proposes, then the rows on what else is open."""
        terms, of_action, raised = self._terms, self._of_action, raising(self._history)
        for step in self._history.steps[first:]:
            action = step.action
            if step.at > self._expires_at:
                self._expire(step.at)
            if step.own and action in terms and step.activity in OPENS:
                self._propose(step, terms[action])
            rules = RULES_FOR.get((step.kind, _ESCALATED if step.place in raised else step.activity))
            if rules is not None and (action in of_action or not rules.about_one):  # most of what happens is about something else
                self._judge(step, rules)
        return Walk(self.courses, self.of, self.meant)

    def _expire(self, now: Instant) -> None:
        """Close what a final timeout ended before `now`; an event exactly at the deadline beats it."""
        self._open = [course for course in self._open if course.expires_at >= now]
        self._expires_at = min((course.expires_at for course in self._open), default=_NEVER)

    def _propose(self, step: Step, terms: Terms) -> None:
        """Take in an own agent's event that opens or continues a recommendation."""
        value = terms.value(step.event)
        earlier = self._of_action.get(terms.action)
        course = None if earlier is None else self._continued(earlier, terms, value, step.at)
        if course is not None:
            course.go_on(step)
        else:
            course = Course.begin(step, terms, value)
            if earlier is None:
                self._of_action[terms.action] = [course]
            else:
                self._supersede(terms, step)
                earlier.append(course)
            self.courses.append(course)
            self._open.append(course)
            self._expires_at = min(self._expires_at, course.expires_at)
        self.of[step.place] = self._named[step.event.event_id] = course

    def _supersede(self, terms: Terms, step: Step) -> None:
        """A newer recommendation for the action leaves the one that is still open."""
        for older in self._open:
            if older.terms is terms:
                older.decide(step, Outcome.SUPERSEDED, "newer")
                self._open.remove(older)
                return

    def _continued(self, earlier: list[Course], terms: Terms, value: str | None, at: Instant) -> Course | None:
        """The recommendation for the action that goes on with this value, if one does."""
        # It can only be the last one, while it is open, or the one decided last: a case can have thousands.
        for course in (earlier[-1], self._last_decided.get(terms.action)):
            if course is not None and terms.same(course.value, value) and self._continues(course, at):
                return course
        return None

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
        """Try the rows on every open recommendation, and look whether the event reverses one that was decided before it."""
        meant: Meant | None = None
        about: tuple[Course, ...] = ()
        says = step.activity in SAYS
        if says:
            meant = self._means(step)
            if meant is not None:
                self.meant[step.place] = meant
                about = (meant.newest,)
        elif step.kind in REOPENERS:
            about = self._newest(step)
        reversing = [course for course in about if course.decided is not None and self._reverses(course, step)] if about else about
        if self._open:
            self._try(step, rules, meant, says=says)
        for course in reversing:
            course.reversed, course.outcome, course.how = step, Outcome.OVERRIDDEN, "reversed"
            self._last_decided[course.action] = course

    def _try(self, step: Step, rules: RulesFor, meant: Meant | None, *, says: bool) -> None:
        """Decide every open recommendation to which a row applies, by the first that does. `meant`: those that an approval or rejection means."""
        still_open = []
        for course in self._open:
            if course.opened is step:
                still_open.append(course)
                continue
            concerned = (meant is not None and course in meant) if says else course.action == step.action
            given = spoken(course.terms, step) if concerned else None
            for rule in rules.concerned if concerned else rules.others:
                if rule.applies(course, step, given, self._history):
                    course.decide(step, rule.outcome, rule.how, rule.row, given)
                    if rule.outcome in DECIDED:
                        self._last_decided[course.action] = course
                    break
            else:
                still_open.append(course)
        self._open = still_open

    def _means(self, step: Step) -> Meant | None:
        """The recommendations that an operator's `approved` or `rejected` means.

        A `detail.recommendation` that names none of this case's so far leaves it to the action, and where none is named it means nothing.
        """
        named = step.event.detail.get("recommendation")
        if named is not None and str(named) in self._named:
            course = self._named[str(named)]
            return Meant(course, course)
        action = named_action(step.event)
        if action is not None:
            courses = self._of_action.get(action)
            return Meant(courses[0], courses[-1]) if courses else None
        if named is not None or not self._open:
            return None
        course = next((course for course in self._open if course.asked_approval), self._open[-1])
        return Meant(course, course)

    def _newest(self, step: Step) -> tuple[Course, ...]:
        """The newest recommendations that an event other than a word could reverse: the one for its action, and the one to close where it reopens."""
        courses = self._of_action.get(step.action) if step.kind is _OPERATOR and step.activity in DOES else None
        found = () if courses is None else (courses[-1],)
        if step.activity is _REOPENED and step.kind in REOPENERS and step.action != "close":
            closing = self._of_action.get("close")
            found = found if closing is None else (*found, closing[-1])
        return found

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
        if step.activity is _REJECTED:
            return True
        if undoes(course, step):
            return True
        return step.kind is _OPERATOR and step.activity in DOES and step.action == terms.action and terms.replaces(course.standing, terms.value(step.event))
