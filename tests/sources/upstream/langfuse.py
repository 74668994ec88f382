"""Langfuse: observations newest first, by cursor or by page, scores by page, and traces by id."""

import re
from typing import Any

from rollout_metrics.domain.time import Instant, format_instant, parse_instant
from sources.server import Request
from sources.upstream.simulator import Profile, Simulator, given, slice_at
from sources.upstream.world import Case, Change

PROJECT = "cmprj0000"
AS_SCORES = {"comment": "thumbs", "label": "regression"}
"""What the world calls a comment or a label comes as feedback and as an evaluation here."""


def _observation(case: Case, number: int, at: Instant, kind: str, told: dict[str, Any]) -> dict[str, Any]:
    """Every other one says its case itself; of the others the trace tells it."""
    metadata = {**told, **({"rollout_metrics.case_id": str(case.number)} if number % 2 else {})}
    when = _time(at)
    core = {"id": f"o{number:06d}", "traceId": f"t{case.number}", "startTime": when, "endTime": when, "projectId": PROJECT, "parentObservationId": None}
    basic = {"type": kind, "name": "issue_refund", "level": "DEFAULT", "statusMessage": None, "version": None, "environment": "default"}
    times = {"completionStartTime": None, "createdAt": when, "updatedAt": when}
    return {**core, **basic, **times, "metadata": metadata}


def _time(at: Instant) -> str:
    return format_instant(at).replace("Z", ".000Z")


OF_THE_SECOND = {"isRootObservation": False, "bookmarked": False, "public": False, "userId": None, "sessionId": None, "tags": [], "release": None}
OF_THE_FIRST = {
    "input": {"words": "of a customer"},
    "output": None,
    **dict.fromkeys(("model", "modelParameters", "promptId", "promptName", "promptVersion", "modelId", "timeToFirstToken")),
    **dict.fromkeys(("inputPrice", "outputPrice", "totalPrice", "calculatedInputCost", "calculatedOutputCost", "calculatedTotalCost"), 0.001),
    "latency": 0.1,
    "usage": {"input": 10, "output": 20, "total": 30, "unit": "TOKENS"},
    "usageDetails": {"input": 10, "output": 20},
    "costDetails": {},
}
"""What observations hold besides, by version of the API; the first gives all that there is."""


def _of(case: Case, change: Change) -> dict[str, Any]:
    if change.what in ("status", "priority"):
        said = {"rollout_metrics.activity": "recommended", "rollout_metrics.action": f"set:{change.what}", "rollout_metrics.value": change.after}
        return _observation(case, change.number, change.at, "SPAN", said)
    return _observation(case, change.number, change.at, "GENERATION" if change.what == "work" else "TOOL", {})


def _stretch(request: Request, start: str, end: str) -> tuple[Instant, Instant]:
    return parse_instant(given(request, start, "1970-01-01T00:00:00Z")), parse_instant(given(request, end, "2100-01-01T00:00:00Z"))


def _found(simulator: Simulator, request: Request) -> list[dict[str, Any]]:
    told = simulator.trail(*_stretch(request, "fromStartTime", "toStartTime"))
    return [_of(case, change) for case, change in reversed(told) if change.what not in AS_SCORES]


def _observations(simulator: Simulator, _: re.Match[str], request: Request) -> Any:
    """The cursor is a place in time, so that what comes in meanwhile shifts nothing."""
    found = [{**one, "traceName": "runtime", **OF_THE_SECOND} for one in _found(simulator, request)]
    after = given(request, "cursor")
    rest = [one for one in found if not after or (one["startTime"], one["id"]) < tuple(after.split("|"))]
    page, following = slice_at(rest, 0, simulator.size)
    return {"data": page, "meta": {} if following is None else {"cursor": f"{page[-1]['startTime']}|{page[-1]['id']}"}}


def _page(simulator: Simulator, request: Request, found: list[dict[str, Any]]) -> Any:
    number = int(given(request, "page", "1"))
    page, _ = slice_at(found, (number - 1) * simulator.size, simulator.size)
    return {"data": page, "meta": {"page": number, "limit": simulator.size, "totalItems": len(found), "totalPages": -(-len(found) // simulator.size)}}


def _older_observations(simulator: Simulator, _: re.Match[str], request: Request) -> Any:
    return _page(simulator, request, [{**one, **OF_THE_FIRST} for one in _found(simulator, request)])


def _score(case: Case, change: Change) -> dict[str, Any]:
    when = _time(change.at)
    score = {
        "id": f"s{change.number:06d}",
        "projectId": PROJECT,
        "name": AS_SCORES[change.what],
        "timestamp": when,
        "createdAt": when,
        "updatedAt": when,
        "source": "API",
    }
    value = {"dataType": "CATEGORICAL", "value": 0, "stringValue": "pass" if change.number % 3 else "fail"}
    about = {"traceId": f"t{case.number}", **dict.fromkeys(("observationId", "sessionId", "datasetRunId", "authorUserId", "configId", "queueId"))}
    trace = {"userId": "customer", "tags": [], "environment": "default", "sessionId": None}
    return {**score, **value, **about, "comment": "free words", "metadata": {}, "environment": "default", "trace": trace}


def _scores(simulator: Simulator, _: re.Match[str], request: Request) -> Any:
    found = simulator.trail(*_stretch(request, "fromTimestamp", "toTimestamp"), *AS_SCORES)
    return _page(simulator, request, [_score(case, change) for case, change in reversed(found)])


def _trace(simulator: Simulator, match: re.Match[str], _: Request) -> Any:
    case = simulator.world.cases[int(match[1])]
    known = {"id": f"t{case.number}", "timestamp": format_instant(case.created_at), "name": "runtime", "userId": "customer", "sessionId": None}
    return {**known, "metadata": {}, "tags": ["vip", f"ticket:{case.number}"], "input": "words", "observations": [], "scores": []}


PASSING = {"labels": ["pass"]}
OPTIONS = {
    "public_key": "pk-lf-1",
    "tools": {"issue_refund": "refund"},
    "case_tag": "ticket:",
    "evaluations": {"regression": PASSING},
    "ratings": {"thumbs": PASSING},
}
ROUTES = {r"GET /api/public/v2/scores": _scores, r"GET /api/public/traces/t(\d+)": _trace}
PROFILE = Profile(kind="langfuse", routes={**ROUTES, r"GET /api/public/v2/observations": _observations}, options=OPTIONS)
OTHERS = {"older": Profile(kind="langfuse", routes={**ROUTES, r"GET /api/public/observations": _older_observations}, options=OPTIONS)}
"""Servers without the second version answer it with a 404."""
