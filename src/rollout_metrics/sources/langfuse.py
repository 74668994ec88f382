"""Langfuse: what agents' runtimes did by its observations, and what people and evaluators said of it by its scores."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, ClassVar

import msgspec
from pydantic import Field, SecretStr

from rollout_metrics.collect.event_format import read_event
from rollout_metrics.collect.http import Api, Endpoint, ShapeError, basic
from rollout_metrics.collect.records import told
from rollout_metrics.collect.runtimes import ACTORS, CONTEXT, ENVIRONMENTS, ERROR, EXECUTE_TOOL, OPERATION, OURS, TOOL, VERSIONS, Passing, Runtime
from rollout_metrics.collect.source import Duration, HttpSource, Page, Rejected, Told, Window
from rollout_metrics.collect.traces import Attributes, Span
from rollout_metrics.domain.events import Activity, ActorKind, Event
from rollout_metrics.domain.time import DAY, HOUR, MINUTE, format_instant, parse_instant
from rollout_metrics.sources._langfuse_pages import (
    KEPT,
    OBSERVATION,
    OBSERVATIONS,
    SCORE,
    SCORES,
    Known,
    Observation,
    Scored,
    Trace,
    Traces,
    kept,
    numbered,
    observations,
    record_of,
)

LONGEST = 7 * DAY
"""Small projects may ask 30 times a minute only, so that days would be dear."""
LONG = ("value", "before", "after")
"""Ours that may be longer than the 200 characters at which metadata is cut."""
NESTED = ("resourceAttributes", "attributes")
"""Where Langfuse keeps what came by OpenTelemetry, within the metadata."""
TOOL_TYPE, EVENT_TYPE, FAILED = "TOOL", "EVENT", "ERROR"
SESSION = "session.id"
PEOPLE = "ANNOTATION"
"""The origin of scores that people gave in Langfuse."""
ABOUT = frozenset((*ACTORS, *VERSIONS, *ENVIRONMENTS))
BOOLEANS = {"true": True, "false": False}
Read = Span | Scored | Rejected


class Langfuse(HttpSource, Runtime):
    """Langfuse, cloud or self-hosted. Tools are told by the name of an observation of type TOOL, evaluations by the name of a score.

    What `case_attribute` names is looked for in the metadata of the observation, then of its trace; `session.id` is the session.
    """

    kind: ClassVar[str] = "langfuse"
    hold_back: ClassVar[int] = 10 * MINUTE

    base_url: str = Field(default="https://cloud.langfuse.com", pattern=r"^https?://[^?#]+$")
    """Its address: of a region, or your own."""
    public_key: str
    """The project's public key, `pk-lf-...`."""
    token: SecretStr
    """The project's secret key, `sk-lf-...`."""
    case_tag: str | None = None
    """How tags begin that name the case, such as `ticket:`; what follows is its id. They count where the attribute is missing."""
    approvals: Mapping[str, Passing] = {}
    """Score -> when it approves what it scores: people's (annotations with an author) become `approved` and `rejected`."""
    ratings: Mapping[str, Passing] = {}
    """Score -> when it is good: feedback of customers, which becomes `rated`."""
    lookback: Duration = HOUR
    """How far behind the watermark each sweep reads again: what takes longer than this from its start to its end is missed."""

    def endpoint(self) -> Endpoint:
        """Basic authentication by the project's keys."""
        return Endpoint(base_url=self.base_url, authorization=basic(self.public_key, self.token), **self.connection())

    def pages(self, api: Api, window: Window) -> Iterator[Page]:
        """Weeks, oldest first; within each the newest comes first, so one counts as read at its end."""
        start = window.start
        while start < window.end:
            end = min(start + LONGEST, window.end)
            traces = Traces(api, self._known)
            for answer, raws in observations(api, start, end, self._expanded()):
                yield Page([read for raw, where in raws for read in self._observed(raw, where, traces)], answer.where)
            between = {"fromTimestamp": format_instant(start), "toTimestamp": format_instant(end)}
            for answer, raws in numbered(api, SCORES, between) if self._judged() else ():
                yield Page([read for raw, where in raws for read in self._scored(raw, where, traces)], answer.where)
            yield Page([], f"{OBSERVATIONS} to {format_instant(end)}", end)
            start = end

    def events(self, page: Page) -> Iterator[Told]:
        """What each observation and score says."""

        def tell(read: Span | Scored) -> Iterable[Event | Rejected]:
            return self.read_span(read, page.where).records() if isinstance(read, Span) else self._said(read, page.where)

        return told(page, tell, lambda read: read.span_id if isinstance(read, Span) else read.score.id)

    def page_of(self, payload: bytes, where: str) -> Page:
        """A page of one observation or score as it was kept."""
        problem = ""
        for decoder in KEPT:
            try:
                return Page([decoder.decode(payload)], where)
            except msgspec.ValidationError as error:
                problem = str(error)
        return Page([Rejected("malformed", where, problem, payload)], where)

    def lacking(self, api: Api) -> Iterator[str]:
        """Scores beside observations, where they count."""
        answer = api.get(SCORES, {"limit": 1}, accept=frozenset((403, 404))) if self._judged() else None
        if answer is not None and answer.status != 200:
            yield f"scores cannot be read ({answer.status}): use the keys of the project; without scores there are no approvals, evaluations and ratings"

    def _judged(self) -> frozenset[str]:
        """The scores that count."""
        return frozenset((*self.evaluations, *self.approvals, *self.ratings))

    def _expanded(self) -> str:
        """Keys of the metadata that must not be cut at 200 characters."""
        return ",".join((*NESTED, self.case_attribute, *(OURS + name for name in LONG)))

    def _observed(self, raw: msgspec.Raw, where: str, traces: "Traces") -> Iterator[Read]:
        """An observation as a span, if it has ended; its trace is asked for where that alone can tell the case."""
        observation = record_of(raw, where, OBSERVATION)
        if isinstance(observation, Rejected):
            yield observation
            return
        try:
            ended_at = parse_instant(observation.end_time or (observation.start_time if observation.type == EVENT_TYPE else ""))
            revision = parse_instant(observation.updated_at) if observation.updated_at else 0
        except ValueError:
            if observation.end_time or observation.type == EVENT_TYPE:
                yield Rejected("malformed", where, "has no time that can be read", kept(raw))
            return
        attributes = self._attributes(observation, observation.trace_name)
        if observation.type == TOOL_TYPE:
            attributes = {OPERATION: EXECUTE_TOOL, TOOL: observation.name or "", **attributes}
        failed = observation.level == FAILED
        if failed and observation.status_message in self.refusals:
            attributes.setdefault(ERROR, observation.status_message)
        if observation.environment not in (None, "default"):
            attributes.setdefault("deployment.environment.name", observation.environment)
        if observation.project_id and observation.trace_id:
            page = f"{self.base_url.rstrip('/')}/project/{observation.project_id}/traces/{observation.trace_id}"
            attributes.setdefault(OURS + "url", f"{page}?observation={observation.id}")
        span = Span(observation.trace_id or "", observation.id, ended_at, failed, attributes, revision=revision)
        if self.speaks(span) and (self.case_attribute not in attributes or attributes.keys().isdisjoint(ACTORS)):
            try:
                span = msgspec.structs.replace(span, attributes=traces(observation.trace_id).attributes | attributes)
            except ShapeError as error:
                yield Rejected("malformed", where, str(error), kept(raw))
                return
        yield span

    def _scored(self, raw: msgspec.Raw, where: str, traces: "Traces") -> Iterator[Read]:
        """A score that counts, with what its trace says."""
        score = record_of(raw, where, SCORE)
        if isinstance(score, Rejected):
            yield score
        elif score.name in self._judged():
            try:
                trace = traces(score.trace_id)
            except ShapeError as error:
                yield Rejected("malformed", where, str(error), kept(raw))
            else:
                yield Scored(score, trace.attributes, trace.user)

    def _said(self, read: Scored, where: str) -> Iterator[Event | Rejected]:
        """The event of a score."""
        score = read.score
        value = score.value if isinstance(score.value, int | float) else None
        label = score.string_value if score.string_value is not None else score.value if isinstance(score.value, str) else None
        by_people = score.source == PEOPLE and score.author_user_id is not None  # programs may send annotations too, but under nobody's name
        for table, made, word in ((self.evaluations, _evaluated, "score"), (self.approvals, _approved, "approval"), (self.ratings, _rated, "rating")):
            passing = table.get(score.name)
            if passing is None or (made is _approved and not by_people):
                continue
            record = self.statement({}, read.attributes)
            if "case_id" not in record and made is not _evaluated:
                continue
            passed = passing.passed(label, value)
            if passed is None:
                missing = "number" if passing.at_least is not None else "label"
                message = f"score {score.name!r} has no {missing}, by which it is judged"
                yield Rejected("format", f"{where} score {score.id}", message, msgspec.json.encode(read))
                continue
            fields, detail = made(read, passed)
            record |= {"event_id": f"{word}:{score.id}", "occurred_at": score.timestamp, **fields}
            record["detail"] |= detail
            record["revision"] = parse_instant(score.updated_at) if score.updated_at else 0
            event = read_event(msgspec.json.encode(record), self.name)
            if isinstance(event, Event):
                yield event
            else:
                yield Rejected("format", f"{where} score {score.id}", "; ".join(map(str, event)), msgspec.json.encode(read))

    def _known(self, trace: Trace) -> Known:
        """What a trace tells of case, agent and version; nothing of what was done."""
        found = self._attributes(trace, trace.name)
        return Known({key: value for key, value in found.items() if key == self.case_attribute or key in CONTEXT or key in ABOUT}, trace.user_id)

    def _attributes(self, item: Observation | Trace, agent: str | None) -> Attributes:
        """What an observation or a trace says in our and OpenTelemetry's words."""
        found: Attributes = {}
        metadata = _mapping(item.metadata)
        for part in (*(_mapping(metadata.get(name)) for name in NESTED), metadata):
            found.update({key: value for key, value in part.items() if self.reads(key)})
        passed = found.get(OURS + "passed")
        if isinstance(passed, str):
            found[OURS + "passed"] = BOOLEANS.get(passed.lower(), passed)
        said = {SESSION: item.session_id, "service.name": agent, "service.version": item.version or item.release}
        tag = next((tag for tag in item.tags or () if self.case_tag and tag.startswith(self.case_tag)), None)
        known = {key: value for key, value in said.items() if value and self.reads(key)} | found
        if tag is not None and self.case_tag is not None:
            known.setdefault(self.case_attribute, tag.removeprefix(self.case_tag))
        return known


Made = Callable[[Scored, bool], tuple[dict[str, Any], dict[str, Any]]]
"""Fields and detail of a score's event."""


def _evaluated(_: Scored, passed: bool) -> tuple[dict[str, Any], dict[str, Any]]:
    return {"activity": Activity.EVALUATED}, {"passed": passed}


def _approved(read: Scored, passed: bool) -> tuple[dict[str, Any], dict[str, Any]]:
    about = {"recommendation": f"{read.score.trace_id}/{read.score.observation_id}"} if read.score.observation_id else {}
    who = {"actor_kind": ActorKind.OPERATOR, "actor_id": read.score.author_user_id}
    return {"activity": Activity.APPROVED if passed else Activity.REJECTED, **who}, about


def _rated(read: Scored, passed: bool) -> tuple[dict[str, Any], dict[str, Any]]:
    return {"activity": Activity.RATED, "actor_kind": ActorKind.CUSTOMER, "actor_id": read.user}, {"score": "good" if passed else "bad"}


def _mapping(value: Any) -> Mapping[str, Any]:
    """A JSON object, which some versions hand out as text."""
    if isinstance(value, str) and value.startswith("{"):
        try:
            value = msgspec.json.decode(value)
        except msgspec.DecodeError:
            return {}
    return value if isinstance(value, dict) else {}
