"""A record whose time of change cannot be read stops no sweep of a list by such times: it is read all the same, or set aside, and the others are read."""

import re
from random import Random
from typing import Any

import pytest

from rollout_metrics.domain.time import HOUR
from sources.server import Reply, Request, serving
from sources.test_laws import Reader
from sources.upstream import profiles
from sources.upstream.simulator import Simulator
from sources.upstream.world import World

LISTS = {
    "freshdesk": r"GET /api/v2/tickets",
    "github": r"GET /repos/[^/]+/[^/]+/issues",
    "gitlab": r"GET /api/v4/projects/[^/]+/issues",
    "jira": r"POST /rest/api/3/search/jql",
    "redmine": r"GET /issues.json",
    "servicenow": r"GET /api/now/table/incident",
}
STAMPS = ("updated_at", "updated_on", "updated", "sys_updated_on")


def odd(record: Any) -> Any:
    """The record with a time that is none."""
    return {name: "soon" if name in STAMPS else odd(value) if name == "fields" else value for name, value in record.items()}


def damaged(body: Any) -> Any:
    """A page whose second record has such a time."""
    if isinstance(body, dict):
        return {name: damaged(value) if name in ("issues", "result") else value for name, value in body.items()}
    return [odd(record) if place == 1 else record for place, record in enumerate(body)]


@pytest.mark.parametrize("kind", LISTS)
def test_the_sweep_goes_on_and_the_others_are_told(kind: str) -> None:
    profile, world = profiles()[kind], World(Random(11))
    while len(world.cases) < 30:
        world.step()
    world.now += HOUR
    simulator = Simulator(profile, world)

    def answer(request: Request) -> Reply:
        reply = simulator(request)
        return Reply(damaged(reply.body), reply.status, reply.headers) if re.fullmatch(LISTS[kind], request.line) and reply.status == 200 else reply

    with serving(simulator) as server:
        clean = Reader(profile, simulator, server)
        clean.sweep()
        server.answer = answer
        reader = Reader(profile, simulator, server)
        reader.sweep()

    missed = {event.case_id for event in clean.landed.values()} - {event.case_id for event in reader.landed.values()}
    assert len(missed) <= len({one.payload for one in reader.rejected})
    assert len({event.case_id for event in reader.landed.values()}) > 1
