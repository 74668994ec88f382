"""Spans of agents' runtimes by OTLP: what their attributes say of cases. The endpoint itself is `web.otlp`."""

from collections.abc import Iterator
from typing import Any, ClassVar

import msgspec

from rollout_metrics.collect.event_format import Problem, read_event
from rollout_metrics.collect.otlp import Attributes, Moment, Span
from rollout_metrics.collect.received import Bounded
from rollout_metrics.collect.runtimes import Runtime
from rollout_metrics.collect.source import Page, Rejected
from rollout_metrics.collect.spans import Outcome, Told
from rollout_metrics.domain.events import Activity, ActorKind, Event
from rollout_metrics.domain.time import format_instant

OURS = "rollout_metrics."
"""Attributes under this prefix are fields of our event format, or of its detail."""
OPERATION, TOOL, ERROR = "gen_ai.operation.name", "gen_ai.tool.name", "error.type"
EXECUTE_TOOL = "execute_tool"
RESULT = "gen_ai.evaluation.result"
EVALUATION, LABEL, SCORE = "gen_ai.evaluation.name", "gen_ai.evaluation.score.label", "gen_ai.evaluation.score.value"
ACTORS = ("gen_ai.agent.id", "gen_ai.agent.name", "service.name")
VERSIONS = (OURS + "version", "gen_ai.agent.version", "service.version")
ENVIRONMENTS = (OURS + "environment", "deployment.environment.name", "deployment.environment")
CONTEXT = frozenset(OURS + name for name in ("case_source", "case_id", "version", "environment", "url", "via"))
"""Ours that tell what a span is about, as runtimes set them on every span; alone they report nothing."""
READ = frozenset((OPERATION, TOOL, ERROR, EVALUATION, LABEL, SCORE, *ACTORS, *VERSIONS, *ENVIRONMENTS))
FIELDS = frozenset(("case_source", "case_id", "activity", "attribute", "before", "after"))
"""Fields of our event format that a span may say; all else that it says is detail."""
ITS_OWN = frozenset(("source", "event_id", "revision", "occurred_at", "actor_id", "actor_kind", "detail"))
"""Fields that come from the span itself."""


class Otlp(Bounded, Runtime):
    """Spans of agents' runtimes by OpenTelemetry's protocol (OTLP/HTTP), sent to `POST /v1/traces` in protobuf or JSON.

    A span may name the case's source itself, by `rollout_metrics.case_source`; tools are told by `gen_ai.tool.name`, evaluations by `gen_ai.evaluation.name`.
    """

    kind: ClassVar[str] = "otlp"

    case_attribute: str = OURS + "case_id"
    """The attribute that holds the case's id there; such as `gen_ai.conversation.id` where that is the ticket."""
    refusals: frozenset[str] = frozenset()
    """Values of `error.type` that mean a guardrail or a missing permission: such calls become `blocked`, with the value as their reason."""

    def reads(self, attribute: str) -> bool:
        """Whether an attribute says something for us."""
        return attribute.startswith(OURS) or attribute in READ or attribute == self.case_attribute

    def told(self, span: Span, where: str) -> Told:
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
            record = self._record(said, span.attributes | moment.attributes, event_id, format_instant(moment.at))
            if "case_id" not in record and record.get("activity") != Activity.EVALUATED and not _ours(moment.attributes):
                lost = True
                continue
            problems += [Problem(OURS + name, "comes from the span itself: leave it out") for name in sorted(ITS_OWN & said.keys())]
            read = read_event(msgspec.json.encode(record), self.name)
            if isinstance(read, Event):
                events.append(read)
            else:
                problems += (self._named(problem) for problem in read)
        if problems:
            payload = msgspec.json.encode(span)
            return Told(Outcome.REJECTED, (), Rejected("format", f"{where} span {span.span_id}", "; ".join(map(str, problems)), payload))
        if events:
            return Told(Outcome.MAPPED, tuple(events))
        return Told(Outcome.WITHOUT_CASE if lost else Outcome.PASSED_OVER)

    def events(self, page: Page) -> Iterator[Event | Rejected]:
        """What the spans of a request say."""
        for span in page.body:
            told = self.told(span, page.where)
            yield from told.events
            if told.rejected is not None:
                yield told.rejected

    def page_of(self, payload: bytes, where: str) -> Page:
        """Nothing: what a span's sender may say is judged at the door, so one that was set aside is only there to be looked at."""
        return Page((), where)

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

    def _record(self, said: Attributes, attributes: Attributes, event_id: str, occurred_at: str) -> dict[str, Any]:
        """A record of our event format."""
        context = {key.removeprefix(OURS): value for key, value in attributes.items() if key in CONTEXT}
        found = {
            "case_source": self.case_source,
            **context,
            **said,
            "case_id": _text(attributes.get(self.case_attribute, context.get("case_id"))),
            "version": _text(_first(attributes, VERSIONS)),
            "environment": _first(attributes, ENVIRONMENTS),
        }
        known = {key: value for key, value in found.items() if value is not None and key not in ITS_OWN}
        return {
            **{key: value for key, value in known.items() if key in FIELDS},
            "event_id": event_id,
            "occurred_at": occurred_at,
            "actor_kind": ActorKind.AGENT,
            "actor_id": _text(_first(attributes, ACTORS)),
            "detail": {key: value for key, value in known.items() if key not in FIELDS},
        }


def _ours(attributes: Attributes) -> Attributes:
    """What ours say of something done, without what they tell of the case and the version."""
    return {key.removeprefix(OURS): value for key, value in attributes.items() if key.startswith(OURS) and key not in CONTEXT}


def _first(attributes: Attributes, names: tuple[str, ...]) -> Any:
    return next((attributes[name] for name in names if attributes.get(name) not in (None, "")), None)


def _word(attributes: Attributes, name: str) -> str:
    """An attribute that the conventions have as text; empty where it is none."""
    value = attributes.get(name)
    return value if isinstance(value, str) else ""


def _text(value: Any) -> Any:
    """Numbers as text, where ids are meant."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value
