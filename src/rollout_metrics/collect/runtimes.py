"""What agents' runtimes tell by the attributes of their spans, whoever brings them: which acts, on whose cases, and which evaluations count."""

from collections.abc import Mapping
from typing import Any, Self

import msgspec
from pydantic import BaseModel, ConfigDict, model_validator

from rollout_metrics.collect.event_format import Problem, read_event
from rollout_metrics.collect.source import Rejected, Source
from rollout_metrics.collect.spans import Outcome, Said
from rollout_metrics.collect.traces import Attributes, Moment, Span
from rollout_metrics.domain.events import Activity, ActorKind, Event
from rollout_metrics.domain.time import moment as time_of

OURS = "rollout_metrics."
"""Attributes under this prefix are fields of our event format, or of its detail."""
OPERATION, TOOL, ERROR = "gen_ai.operation.name", "gen_ai.tool.name", "error.type"
EXECUTE_TOOL = "execute_tool"
RESULT = "gen_ai.evaluation.result"
EVALUATION, LABEL, SCORE = "gen_ai.evaluation.name", "gen_ai.evaluation.score.label", "gen_ai.evaluation.score.value"
ACTORS = ("gen_ai.agent.id", "gen_ai.agent.name", "service.name")
VERSIONS = (OURS + "version", "gen_ai.agent.version", "service.version")
ENVIRONMENTS = (OURS + "environment", "deployment.environment.name", "deployment.environment")
CONTEXT: Mapping[str, str] = {OURS + name: name for name in ("case_source", "case_id", "version", "environment", "url", "via")}
"""Ours that tell what a span is about, as runtimes set them on every span; alone they report nothing."""
READ = frozenset((OPERATION, TOOL, ERROR, EVALUATION, LABEL, SCORE, *ACTORS, *VERSIONS, *ENVIRONMENTS))
SAYS_NOTHING = READ | CONTEXT.keys()
"""What is no act by being there."""
FIELDS = frozenset(("case_source", "case_id", "activity", "attribute", "before", "after"))
"""Fields of our event format that a span may say; all else that it says is detail."""
ITS_OWN = frozenset(("source", "event_id", "revision", "occurred_at", "actor_id", "actor_kind", "detail"))
"""Fields that come from the span itself."""


_ENCODER = msgspec.json.Encoder()


class Passing(BaseModel):
    """When a result counts as passed; one of both options."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    labels: frozenset[str] = frozenset()
    """The labels that mean passed; every other one means failed."""
    at_least: float | None = None
    """The score from which on it has passed."""

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if bool(self.labels) == (self.at_least is not None):
            raise ValueError("say either by which labels a result has passed, or from which score on (at_least)")
        return self

    def passed(self, label: str | None, score: float | None) -> bool | None:
        """Whether it passed; None where the result lacks what tells it."""
        if self.at_least is not None:
            return None if score is None else score >= self.at_least
        return None if label is None else label in self.labels


class Runtime(Source):
    """A source that tells what agents' runtimes did on the cases of another."""

    case_source: str | None = None
    """The source whose cases it is about, such as the ticketing system's; default: the runtime's own."""
    case_attribute: str = OURS + "case_id"
    """The attribute that holds the case's id there; such as `gen_ai.conversation.id` where that is the ticket."""
    tools: Mapping[str, str] = {}
    """Tool -> action: its calls become `executed`. Leave out tools that change nothing."""
    refusals: frozenset[str] = frozenset()
    """Values of `error.type` that mean a guardrail or a missing permission: such calls become `blocked`, with the value as their reason."""
    evaluations: Mapping[str, Passing] = {}
    """Evaluation -> when it passed: its results become `evaluated`. Name those whose failure is to count against a gate."""

    def reads(self, attribute: str) -> bool:
        """Whether an attribute says something for us."""
        return attribute.startswith(OURS) or attribute in READ or attribute == self.case_attribute

    def read_span(self, span: Span, where: str) -> Said:
        """What a span says; it is taken as a whole or not at all. `where` names the request."""
        events: list[Event] = []
        problems: list[Problem] = []
        lost = False
        if not (span.trace_id and span.span_id):
            problems.append(Problem("", "has no valid trace_id and span_id"))
        for number, moment in enumerate((Moment("", span.ended_at, span.attributes), *span.events)):
            try:
                said = self._of_event(moment) if number else self._of_span(span)
            except ValueError as error:
                problems.append(Problem("", str(error)))
                continue
            if said is None:
                continue
            event_id = f"{span.trace_id}/{span.span_id}" + (f"/{number:03d}" if number else "")
            record = self.statement(said, span.attributes | moment.attributes if number else span.attributes)
            record |= {"event_id": event_id, "occurred_at": time_of(moment.at), "revision": span.revision}
            if "case_id" not in record and record.get("activity") != Activity.EVALUATED and not _ours(moment.attributes):
                lost = True
                continue
            if not ITS_OWN.isdisjoint(said):
                problems += [Problem(OURS + name, "comes from the span itself: leave it out") for name in sorted(ITS_OWN & said.keys())]
            read = read_event(_ENCODER.encode(record), self.name)
            if isinstance(read, Event):
                events.append(read)
            else:
                problems += (self._named(problem) for problem in read)
        if problems:
            payload = msgspec.json.encode(span)
            return Said(Outcome.REJECTED, (), Rejected("format", f"{where} span {span.span_id}", "; ".join(map(str, problems)), payload))
        if events:
            return Said(Outcome.MAPPED, tuple(events))
        return Said(Outcome.WITHOUT_CASE if lost else Outcome.PASSED_OVER)

    def speaks(self, span: Span) -> bool:
        """Whether a span says something, be it of which case or not."""
        return self._of_span(span) is not None

    def _named(self, problem: Problem) -> Problem:
        """A problem of a record by the attribute that says it."""
        field = problem.field.removeprefix("detail.")
        return Problem(self.case_attribute if field == "case_id" else field and OURS + field, problem.message)

    def _of_span(self, span: Span) -> Attributes | None:
        """What a span says by itself: what ours say, over what a tool's call means."""
        attributes = span.attributes
        own = _ours(attributes)
        if attributes.get(OPERATION) != EXECUTE_TOOL:
            return own or None
        error, action = _word(attributes, ERROR), self.tools.get(_word(attributes, TOOL))
        refused = error in self.refusals
        if (action is None and not own) or ((span.failed or error) and not refused and "activity" not in own):
            return None  # no action of ours, or one that did not happen
        meant = {"activity": Activity.BLOCKED, "reason": error} if refused else {"activity": Activity.EXECUTED}
        return meant | ({} if action is None else {"action": action}) | own

    def _of_event(self, moment: Moment) -> Attributes | None:
        """What an event within a span says. Raises `ValueError` for a result that does not say how it went."""
        attributes = moment.attributes
        own = _ours(attributes)
        evaluation = _word(attributes, EVALUATION)
        passing = self.evaluations.get(evaluation) if moment.name == RESULT else None
        if passing is None or ERROR in attributes:  # the evaluation itself may have gone wrong: it has no result then
            return own or None
        score = attributes.get(SCORE)
        passed = passing.passed(_word(attributes, LABEL) or None, score if isinstance(score, int | float) else None)
        if passed is None and "passed" not in own:
            missing = SCORE if passing.at_least is not None else LABEL
            raise ValueError(f"evaluation {evaluation!r} has no {missing}, by which evaluations.{evaluation} tells whether it passed")
        return {"activity": Activity.EVALUATED, "passed": passed} | own

    def statement(self, said: Attributes, attributes: Attributes) -> dict[str, Any]:
        """A record of our event format, but for its id and its time."""
        context = {name: attributes[key] for key, name in CONTEXT.items() if key in attributes}
        found = {
            "case_source": self.case_source,
            **context,
            **said,
            "case_id": _text(attributes.get(self.case_attribute, context.get("case_id"))),
            "version": _text(_first(attributes, VERSIONS)),
            "environment": _first(attributes, ENVIRONMENTS),
        }
        detail: dict[str, Any] = {}
        record = {"actor_kind": ActorKind.AGENT, "actor_id": _text(_first(attributes, ACTORS)), "detail": detail}
        for key, value in found.items():
            if value is not None and key not in ITS_OWN:
                (record if key in FIELDS else detail)[key] = value
        return record


def _ours(attributes: Attributes) -> Attributes:
    """What ours say of something done, without what they tell of the case and the version."""
    return {key[len(OURS) :]: value for key, value in attributes.items() if key not in SAYS_NOTHING and key.startswith(OURS)}


def _first(attributes: Attributes, names: tuple[str, ...]) -> Any:
    for name in names:
        value = attributes.get(name)
        if value is not None and value != "":
            return value
    return None


def _word(attributes: Attributes, name: str) -> str:
    """An attribute that the conventions have as text; empty where it is none."""
    value = attributes.get(name)
    return value if isinstance(value, str) else ""


def _text(value: Any) -> Any:
    """Numbers as text, where ids are meant."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value
