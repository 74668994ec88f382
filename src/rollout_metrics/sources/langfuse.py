"""Langfuse: what agents' runtimes did by its observations, and what people and evaluators said of it by its scores."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, ClassVar, TypeVar
from urllib.parse import quote

import msgspec
from pydantic import Field, SecretStr

from rollout_metrics.collect.event_format import read_event
from rollout_metrics.collect.http import Answer, Api, Endpoint, ShapeError, basic, decode
from rollout_metrics.collect.paging import LoopGuard, whole
from rollout_metrics.collect.records import told
from rollout_metrics.collect.runtimes import ACTORS, CONTEXT, ENVIRONMENTS, ERROR, EXECUTE_TOOL, OPERATION, OURS, TOOL, VERSIONS, Passing, Runtime
from rollout_metrics.collect.source import Duration, HttpSource, Page, Rejected, Told, Window
from rollout_metrics.collect.traces import Attributes, Span
from rollout_metrics.domain.events import Activity, ActorKind, Event
from rollout_metrics.domain.time import DAY, HOUR, MINUTE, Instant, format_instant, parse_instant

OBSERVATIONS, OLDER_OBSERVATIONS = "/api/public/v2/observations", "/api/public/observations"
SCORES, TRACE = "/api/public/v2/scores", "/api/public/traces/{}"
NOT_THERE = frozenset((404, 501))
"""How servers answer that have no second version of the observations."""
AT_ONCE = {OBSERVATIONS: 500, OLDER_OBSERVATIONS: 100, SCORES: 100}
LONGEST = 7 * DAY
"""Small projects may ask 30 times a minute only, so that days would be dear."""
GROUPS = "core,basic,time,metadata,trace_context"
LONG = ("value", "before", "after")
"""Ours that may be longer than the 200 characters at which metadata is cut."""
NESTED = ("resourceAttributes", "attributes")
"""Where Langfuse keeps what came by OpenTelemetry, within the metadata."""
TOOL_TYPE, EVENT_TYPE, FAILED = "TOOL", "EVENT", "ERROR"
SESSION = "session.id"
PEOPLE = "ANNOTATION"
"""The origin of scores that people gave in Langfuse."""
ABOUT = frozenset((*ACTORS, *VERSIONS, *ENVIRONMENTS))
SAID = frozenset(("input", "output", "comment"))
"""What people and models said."""
BOOLEANS = {"true": True, "false": False}


class _Trace(msgspec.Struct, rename="camel", gc=False):
    id: str
    name: str | None = None
    session_id: str | None = None
    user_id: str | None = None
    version: str | None = None
    release: str | None = None
    metadata: Any = None
    tags: list[str] | None = None


class _Observation(msgspec.Struct, rename="camel", gc=False):
    id: str
    type: str
    start_time: str
    trace_id: str | None = None
    end_time: str | None = None
    updated_at: str | None = None
    project_id: str | None = None
    name: str | None = None
    level: str | None = None
    status_message: str | None = None
    environment: str | None = None
    version: str | None = None
    release: str | None = None
    session_id: str | None = None
    trace_name: str | None = None
    metadata: Any = None
    tags: list[str] | None = None


class _Score(msgspec.Struct, rename="camel", gc=False):
    id: str
    name: str
    timestamp: str
    source: str
    value: float | str | bool | None = None
    string_value: str | None = None
    updated_at: str | None = None
    trace_id: str | None = None
    observation_id: str | None = None
    author_user_id: str | None = None


class _Scored(msgspec.Struct, gc=False):
    """A score with what its trace says of the case."""

    score: _Score
    attributes: Attributes
    user: str | None = None


class _Known(msgspec.Struct, frozen=True, gc=False):
    """What is kept of a trace."""

    attributes: Attributes = {}
    user: str | None = None


class _Meta(msgspec.Struct, rename="camel"):
    cursor: str | None = None
    total_pages: int | None = None
    total_items: int | None = None


class _List(msgspec.Struct):
    data: list[msgspec.Raw]
    meta: _Meta


_LIST = msgspec.json.Decoder(_List)
_TRACE = msgspec.json.Decoder(_Trace)
_OBSERVATION = msgspec.json.Decoder(_Observation)
_SCORE = msgspec.json.Decoder(_Score)
_KEPT = (msgspec.json.Decoder(Span), msgspec.json.Decoder(_Scored))

T = TypeVar("T")
Read = Span | _Scored | Rejected


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
            traces = _Traces(api, self._known)
            for answer, raws in _observations(api, start, end, self._expanded()):
                yield Page([read for raw, where in raws for read in self._observed(raw, where, traces)], answer.where)
            between = {"fromTimestamp": format_instant(start), "toTimestamp": format_instant(end)}
            for answer, raws in _numbered(api, SCORES, between) if self._judged() else ():
                yield Page([read for raw, where in raws for read in self._scored(raw, where, traces)], answer.where)
            yield Page([], f"{OBSERVATIONS} to {format_instant(end)}", end)
            start = end

    def events(self, page: Page) -> Iterator[Told]:
        """What each observation and score says."""

        def tell(read: Span | _Scored) -> Iterable[Event | Rejected]:
            return self.read_span(read, page.where).records() if isinstance(read, Span) else self._said(read, page.where)

        return told(page, tell, lambda read: read.span_id if isinstance(read, Span) else read.score.id)

    def page_of(self, payload: bytes, where: str) -> Page:
        """A page of one observation or score as it was kept."""
        problem = ""
        for decoder in _KEPT:
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

    def _observed(self, raw: msgspec.Raw, where: str, traces: "_Traces") -> Iterator[Read]:
        """An observation as a span, if it has ended; its trace is asked for where that alone can tell the case."""
        observation = _decoded(raw, where, _OBSERVATION)
        if isinstance(observation, Rejected):
            yield observation
            return
        try:
            ended_at = parse_instant(observation.end_time or (observation.start_time if observation.type == EVENT_TYPE else ""))
            revision = parse_instant(observation.updated_at) if observation.updated_at else 0
        except ValueError:
            if observation.end_time or observation.type == EVENT_TYPE:
                yield Rejected("malformed", where, "has no time that can be read", _kept(raw))
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
                yield Rejected("malformed", where, str(error), _kept(raw))
                return
        yield span

    def _scored(self, raw: msgspec.Raw, where: str, traces: "_Traces") -> Iterator[Read]:
        """A score that counts, with what its trace says."""
        score = _decoded(raw, where, _SCORE)
        if isinstance(score, Rejected):
            yield score
        elif score.name in self._judged():
            try:
                trace = traces(score.trace_id)
            except ShapeError as error:
                yield Rejected("malformed", where, str(error), _kept(raw))
            else:
                yield _Scored(score, trace.attributes, trace.user)

    def _said(self, read: _Scored, where: str) -> Iterator[Event | Rejected]:
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

    def _known(self, trace: _Trace) -> _Known:
        """What a trace tells of case, agent and version; nothing of what was done."""
        found = self._attributes(trace, trace.name)
        return _Known({key: value for key, value in found.items() if key == self.case_attribute or key in CONTEXT or key in ABOUT}, trace.user_id)

    def _attributes(self, item: _Observation | _Trace, agent: str | None) -> Attributes:
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


class _Traces:
    """What traces tell, each asked for once; nothing of one that is gone, or not there yet. Raises `ShapeError` for one that is none."""

    def __init__(self, api: Api, read: Callable[[_Trace], _Known]) -> None:
        self._api, self._read = api, read
        self._known: dict[str, _Known] = {}

    def __call__(self, trace_id: str | None) -> _Known:
        if not trace_id:
            return _Known()
        if trace_id not in self._known:
            answer = self._api.get(TRACE.format(quote(trace_id, safe="")), {"fields": "core,io"}, accept=frozenset((404,)))
            self._known[trace_id] = _Known() if answer.status == 404 else self._read(decode(answer, _TRACE))
        return self._known[trace_id]


Made = Callable[[_Scored, bool], tuple[dict[str, Any], dict[str, Any]]]
"""Fields and detail of a score's event."""


def _evaluated(_: _Scored, passed: bool) -> tuple[dict[str, Any], dict[str, Any]]:
    return {"activity": Activity.EVALUATED}, {"passed": passed}


def _approved(read: _Scored, passed: bool) -> tuple[dict[str, Any], dict[str, Any]]:
    about = {"recommendation": f"{read.score.trace_id}/{read.score.observation_id}"} if read.score.observation_id else {}
    who = {"actor_kind": ActorKind.OPERATOR, "actor_id": read.score.author_user_id}
    return {"activity": Activity.APPROVED if passed else Activity.REJECTED, **who}, about


def _rated(read: _Scored, passed: bool) -> tuple[dict[str, Any], dict[str, Any]]:
    return {"activity": Activity.RATED, "actor_kind": ActorKind.CUSTOMER, "actor_id": read.user}, {"score": "good" if passed else "bad"}


def _observations(api: Api, start: Instant, end: Instant, expanded: str) -> Iterator[tuple[Answer, list[tuple[msgspec.Raw, str]]]]:
    """Pages of the observations that began in [start, end): of the second version by cursor where there is one, else of the first."""
    params = {"fromStartTime": format_instant(start), "toStartTime": format_instant(end)}
    asked = {**params, "limit": AT_ONCE[OBSERVATIONS], "fields": GROUPS, "expandMetadata": expanded}
    guard, cursor = LoopGuard(), None
    while True:
        answer = api.get(OBSERVATIONS, {**asked, "cursor": cursor} if cursor else asked, accept=NOT_THERE if cursor is None else frozenset())
        if answer.status in NOT_THERE:
            yield from _numbered(api, OLDER_OBSERVATIONS, params)
            return
        page = decode(answer, _LIST)
        guard.check(cursor, answer, records=len(page.data))
        yield answer, _placed(page, answer)
        cursor = page.meta.cursor
        if not cursor:
            return


def _numbered(api: Api, path: str, params: Mapping[str, Any]) -> Iterator[tuple[Answer, list[tuple[msgspec.Raw, str]]]]:
    """Pages by number, newest first. What comes in meanwhile shifts records to later pages: some come twice, and only those that were there count."""
    guard, number, seen, total = LoopGuard(), 1, set[int](), None
    while True:
        answer = api.get(path, {**params, "limit": AT_ONCE[path], "page": number})
        page = decode(answer, _LIST)
        if page.meta.total_pages is None:
            raise ShapeError(f"{answer.where} is not of the documented shape: it has no totalPages")
        guard.check(number, answer, records=len(page.data))
        seen.update(hash(bytes(raw)) for raw in page.data)
        yield answer, _placed(page, answer)
        items = page.meta.total_items
        total = items if total is None or items is None else min(total, items)
        if number >= page.meta.total_pages:
            whole(len(seen), total, answer.where)
            return
        number += 1


def _placed(page: _List, answer: Answer) -> list[tuple[msgspec.Raw, str]]:
    return [(raw, f"{answer.where} record {number}") for number, raw in enumerate(page.data)]


def _decoded(raw: msgspec.Raw, where: str, decoder: msgspec.json.Decoder[T]) -> T | Rejected:
    try:
        return decoder.decode(raw)
    except msgspec.ValidationError as error:
        return Rejected("malformed", where, str(error), _kept(raw))


def _kept(raw: msgspec.Raw) -> bytes:
    """What is set aside of a record: without what people and models said, which older servers hand out unasked."""
    record = msgspec.json.decode(raw)
    return msgspec.json.encode({key: value for key, value in record.items() if key not in SAID} if isinstance(record, dict) else record)


def _mapping(value: Any) -> Mapping[str, Any]:
    """A JSON object, which some versions hand out as text."""
    if isinstance(value, str) and value.startswith("{"):
        try:
            value = msgspec.json.decode(value)
        except msgspec.DecodeError:
            return {}
    return value if isinstance(value, dict) else {}
