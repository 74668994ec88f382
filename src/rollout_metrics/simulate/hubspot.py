"""HubSpot CRM as it answers over HTTP: search with its ceiling, batch reads with property history, pipelines, owners."""

import time
from collections.abc import Callable
from typing import Any

import msgspec
from flask import Flask, Response, request

from rollout_metrics.domain.time import SECOND
from rollout_metrics.simulate import hubspot_shapes as shapes
from rollout_metrics.simulate.cast import OWNER_OF
from rollout_metrics.simulate.hubspot_search import BadSearch, Search, matches
from rollout_metrics.simulate.wire import Clock, Limit, answer, milliseconds_text
from rollout_metrics.simulate.world import World

TOKEN = "hubspot-demo-token"  # noqa: S105
OBJECTS = ("leads", "deals", "tickets", "contacts", "companies")
"""Object types that exist; this company only uses leads."""


class Limits(msgspec.Struct, frozen=True):
    """Requests per ten seconds and searches per second, as a Professional account has them; `ceiling`: results a query can reach."""

    ten_seconds: int = 190
    searches: int = 5
    ceiling: int = 10_000
    index_seconds: int = 3
    """How long a change takes until a search finds it."""


GENEROUS = Limits(ten_seconds=100_000, searches=100_000)


def application(world: World, clock: Clock, *, limits: Limits = Limits(), monotonic: Callable[[], float] = time.monotonic) -> Flask:  # noqa: B008
    """The CRM as of the clock."""
    app = Flask(__name__)
    crm = _Crm(world, clock, limits)
    rolling, searches = Limit(limits.ten_seconds, 10, monotonic), Limit(limits.searches, 1, monotonic)

    @app.before_request
    def guard() -> Response | None:
        if request.headers.get("Authorization") != f"Bearer {TOKEN}":
            return _error("INVALID_AUTHENTICATION", "Authentication credentials not found or not valid.", 401)
        searching = request.path.endswith("/search")
        if (searches if searching else rolling).wait() is not None:
            policy, span = ("SECONDLY", "secondly") if searching else ("TEN_SECONDLY_ROLLING", "ten_secondly_rolling")
            body = {
                "status": "error",
                "message": f"You have reached your {span} limit.",
                "errorType": "RATE_LIMIT",
                "correlationId": "00000000-0000-0000-0000-000000000000",
                "policyName": policy,
            }
            return answer(body, 429)
        return None

    @app.after_request
    def allowance(response: Response) -> Response:
        if not request.path.endswith("/search"):
            response.headers["X-HubSpot-RateLimit-Interval-Milliseconds"] = "10000"
            response.headers["X-HubSpot-RateLimit-Max"] = str(limits.ten_seconds)
        return response

    @app.errorhandler(404)
    def missing(_: Exception) -> Response:
        return _error("OBJECT_NOT_FOUND", "resource not found", 404)

    app.add_url_rule("/crm/v3/objects/<kind>/search", view_func=crm.search, methods=["POST"])
    app.add_url_rule("/crm/v3/objects/<kind>/batch/read", view_func=crm.batch_read, methods=["POST"])
    app.add_url_rule("/crm/v3/objects/<kind>", view_func=crm.listing)
    app.add_url_rule("/crm/v3/pipelines/<kind>", view_func=crm.pipelines)
    app.add_url_rule("/crm/v3/properties/<kind>", view_func=crm.properties)
    app.add_url_rule("/crm/v3/owners", view_func=crm.owners)
    app.add_url_rule("/crm/v3/owners/", "owners_slash", crm.owners)
    app.add_url_rule("/account-info/v3/details", view_func=crm.account)
    return app


def _error(category: str, message: str, status: int) -> Response:
    body = {"status": "error", "message": message, "correlationId": "00000000-0000-0000-0000-000000000000", "category": category}
    return answer(body, status)


class _BatchRead(msgspec.Struct):
    inputs: list[dict[str, str]]
    properties: list[str] = []
    propertiesWithHistory: list[str] = []  # noqa: N815


class _Crm:
    """The views, as of now."""

    def __init__(self, world: World, clock: Clock, limits: Limits) -> None:
        self._world, self._clock, self._limits = world, clock, limits
        self._records = shapes.Records(world)

    def search(self, kind: str) -> Response:
        """Live objects by filters, in an order, in pages; results past the ceiling are refused."""
        if kind not in OBJECTS:
            return _error("VALIDATION_ERROR", f"Unable to infer object type from: {kind}", 400)
        raw = request.get_data()
        if len(raw) > 3000:
            return _error("VALIDATION_ERROR", "request body is too long", 400)
        try:
            query = msgspec.json.decode(raw, type=Search)
            query.check()
            start = int(query.after or 0)
        except (msgspec.DecodeError, BadSearch, ValueError) as error:
            return _error("VALIDATION_ERROR", f"Invalid input JSON: {error}", 400)
        if start + query.limit > self._limits.ceiling:
            return _error("VALIDATION_ERROR", f"The maximum number of results that can be paged through is {self._limits.ceiling}", 400)
        now = self._clock() - self._limits.index_seconds * SECOND
        found = [record for record in self._records.indexed(kind, now) if matches(record.properties, query)]
        name, descending = query.order()
        found.sort(key=lambda record: _sortable(record.properties.get(name)), reverse=descending)
        page = found[start : start + query.limit]
        body: dict[str, Any] = {"total": len(found), "results": [record.body(query.properties) for record in page]}
        if start + query.limit < len(found):
            body["paging"] = {"next": {"after": str(start + query.limit), "link": "?after=…"}}
        return answer(body)

    def batch_read(self, kind: str) -> Response:
        """Objects by id; what is not found is a partial failure, and a merged id answers with its survivor."""
        if kind not in OBJECTS:
            return _error("VALIDATION_ERROR", f"Unable to infer object type from: {kind}", 400)
        try:
            query = msgspec.json.decode(request.get_data(), type=_BatchRead)
            wanted = [item["id"] for item in query.inputs]
        except (msgspec.DecodeError, KeyError) as error:
            return _error("VALIDATION_ERROR", f"Invalid input JSON: {error}", 400)
        most = 50 if query.propertiesWithHistory else 100
        if len(wanted) > most:
            return _error("VALIDATION_ERROR", f"The maximum number of inputs supported in a batch request is {most}", 400)
        now = self._clock()
        archived = request.args.get("archived") == "true"
        found, missing = {}, []
        for number in wanted:
            record = self._records.get(kind, number, now)
            if record is None or record.archived != archived:
                missing.append(number)
            else:
                found[record.id] = record.body(query.properties, history=query.propertiesWithHistory)
        body: dict[str, Any] = {
            "status": "COMPLETE",
            "results": list(found.values()),
            "completedAt": milliseconds_text(now),
        }
        if not missing:
            return answer(body)
        problem = {"status": "error", "category": "OBJECT_NOT_FOUND", "message": "Could not get some objects, they may be deleted or not exist."}
        return answer(body | {"numErrors": 1, "errors": [problem | {"context": {"ids": missing}}]}, 207)

    def listing(self, kind: str) -> Response:
        """All objects by id, a hundred a page, fifty with history; archived ones on request."""
        if kind not in OBJECTS:
            return _error("VALIDATION_ERROR", f"Unable to infer object type from: {kind}", 400)
        history = [name for item in request.args.getlist("propertiesWithHistory") for name in item.split(",")]
        wanted = [name for item in request.args.getlist("properties") for name in item.split(",")]
        size = min(request.args.get("limit", 10, int), 50 if history else 100)
        after = request.args.get("after", "")
        now = self._clock()
        records = self._records.archived(kind, now) if request.args.get("archived") == "true" else self._records.live(kind, now)
        rest = sorted((record for record in records if not after or int(record.id) >= int(after)), key=lambda record: int(record.id))
        body: dict[str, Any] = {"results": [record.body(wanted, history=history) for record in rest[:size]]}
        if len(rest) > size:
            body["paging"] = {"next": {"after": rest[size].id, "link": "?after=…"}}
        return answer(body)

    def pipelines(self, kind: str) -> Response:
        """The pipelines of an object type with their stages; which of them are closed is in the metadata."""
        return answer({"results": shapes.pipelines() if kind == "leads" else []})

    def properties(self, kind: str) -> Response:
        """What properties an object type has."""
        known = shapes.PROPERTIES if kind in OBJECTS else ()
        return answer(
            {
                "results": [
                    {
                        "name": name,
                        "label": name.replace("_", " ").capitalize(),
                        "type": "string",
                        "hubspotDefined": name.startswith(("hs_", "hubspot_")),
                        "archived": False,
                    }
                    for name in known
                ]
            }
        )

    def owners(self) -> Response:
        """Owners with their user ids, which differ."""
        people = [] if request.args.get("archived") == "true" else sorted(OWNER_OF.items())
        size, after = request.args.get("limit", 100, int), request.args.get("after", 0, int)
        page = [
            {"id": str(owner), "userId": user, "email": f"person-{user}@demo.example", "firstName": "Person", "lastName": str(user), "archived": False}
            for user, owner in people[after : after + size]
        ]
        body: dict[str, Any] = {"results": page}
        if after + size < len(people):
            body["paging"] = {"next": {"after": str(after + size)}}
        return answer(body)

    def account(self) -> Response:
        """Whose account it is."""
        return answer({"portalId": 4711, "timeZone": "UTC", "accountType": "STANDARD", "currency": "EUR"})


def _sortable(value: str | None) -> tuple[int, float, str]:
    """Numbers and times before words, missing values first."""
    if value is None:
        return (0, 0.0, "")
    number = shapes.number_of(value)
    return (1, number, "") if number is not None else (2, 0.0, value)
