"""Faults befall the requests they are meant for, the same ones every time."""

import msgspec
import pytest
import requests
from flask import Flask, Response

from rollout_metrics.collect.http import Api
from rollout_metrics.collect.source import Window
from rollout_metrics.domain.errors import PayloadError
from rollout_metrics.domain.events import Event
from rollout_metrics.domain.time import DAY
from rollout_metrics.simulate import zendesk
from rollout_metrics.simulate.faults import Fault, FaultKind, Faults
from rollout_metrics.simulate.server import Server
from rollout_metrics.simulate.world import World
from rollout_metrics.sources.zendesk import Zendesk
from simulate.companies import NOW


def application() -> Flask:
    app = Flask(__name__)
    count = iter(range(1000))

    @app.get("/<path:_>")
    def page(_: str) -> Response:
        body = {"results": [next(count), 0], "paging": {"next": {"after": "2"}}}
        return Response(msgspec.json.encode(body), mimetype="application/json")

    return app


def served(kind: FaultKind, **options: int | str) -> list[requests.Response | None]:
    """Four answers of a server with a fault on every second request; None where the connection broke."""
    answers: list[requests.Response | None] = []
    with Server(Faults(application(), [Fault(kind, every=2, **options)])) as server, requests.Session() as session:  # type: ignore[arg-type]
        for _ in range(4):
            try:
                answers.append(session.get(server.url + "/page", timeout=5))
            except (requests.ConnectionError, requests.exceptions.ChunkedEncodingError):
                answers.append(None)
    return answers


@pytest.mark.parametrize(("kind", "status"), [(FaultKind.THROTTLE, 429), (FaultKind.UNAVAILABLE, 503), (FaultKind.BROKEN, 500), (FaultKind.HTML, 200)])
def test_every_second_request_is_refused(kind: FaultKind, status: int) -> None:
    answers = served(kind)

    assert [answer is not None and answer.status_code for answer in answers] == [200, status, 200, status]


def test_throttling_says_for_how_long() -> None:
    answers = served(FaultKind.THROTTLE, retry_after="7")

    assert answers[1] is not None
    assert answers[1].headers["Retry-After"] == "7"


def test_a_truncated_answer_is_no_json() -> None:
    answers = served(FaultKind.TRUNCATE)

    assert answers[1] is not None
    with pytest.raises(requests.exceptions.JSONDecodeError):
        answers[1].json()


def test_a_dropped_connection_is_noticed() -> None:
    assert [answer is None for answer in served(FaultKind.DROP)] == [False, True, False, True]


def test_a_repeated_page_is_the_one_before() -> None:
    bodies = [answer.json()["results"][0] for answer in served(FaultKind.REPEAT) if answer is not None]

    assert bodies == [0, 0, 2, 2]


def test_a_cut_page_does_not_say_that_anything_is_missing() -> None:
    answers = served(FaultKind.CUT)

    assert answers[1] is not None
    assert answers[1].json() == {"results": [1]}


def test_a_fault_stops_after_its_times() -> None:
    assert [answer is not None and answer.status_code for answer in served(FaultKind.BROKEN, times=1)] == [200, 500, 200, 200]


def ids(world: World, *faults: Fault) -> set[str]:
    """The ids of the events that the real source reads of ten days, whatever happens on the way."""
    app = Faults(zendesk.application(world, lambda: NOW, limits=zendesk.GENEROUS, page=60), faults)
    with Server(app) as server:
        source = Zendesk(name="zendesk", base_url=server.url, email=zendesk.ADMIN_EMAIL, token=zendesk.TOKEN, incremental_per_minute=1000)
        api = Api(source.endpoint(), sleep=lambda _: None)
        found = {item.event_id for page in source.pages(api, Window(NOW - 10 * DAY, NOW)) for item in source.events(page) if isinstance(item, Event)}
        api.close()
    assert {fault.kind for fault in faults} == set(app.met)
    return found


def test_the_real_source_loses_nothing_to_faults_that_pass(world: World) -> None:
    passing = [Fault(FaultKind.THROTTLE, every=4), Fault(FaultKind.DROP, every=5), Fault(FaultKind.BROKEN, every=3), Fault(FaultKind.UNAVAILABLE, every=7)]

    assert ids(world, *passing) == ids(world)


@pytest.mark.parametrize("kind", [FaultKind.HTML, FaultKind.TRUNCATE])
def test_the_real_source_names_a_page_that_is_none(world: World, kind: FaultKind) -> None:
    with pytest.raises(PayloadError, match="ticket_events"):
        ids(world, Fault(kind, every=2, within="ticket_events"))
