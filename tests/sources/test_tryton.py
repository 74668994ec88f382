"""What is particular to Tryton: the fewest looks into the past, deletions that history dates, notes nobody announces, what stands in the way."""

from itertools import combinations, pairwise
from random import Random
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

from rollout_metrics.collect.http import Api
from rollout_metrics.collect.source import Rejected, Window
from rollout_metrics.domain.events import Activity, Event, resolve
from rollout_metrics.domain.time import DAY
from rollout_metrics.sources._tryton_pages import FOREVER, looks
from rollout_metrics.sources.tryton import ATTRIBUTES, Tryton
from sources.server import Reply, Request, serving
from sources.upstream.simulator import Simulator
from sources.upstream.tryton import PROFILE, last_saved
from sources.upstream.world import World

LISTING = "/crm/rest/model/sale.opportunity"
HISTORIES = st.dictionaries(st.integers(1, 4), st.lists(st.integers(0, 9), unique=True, max_size=4).map(sorted), max_size=4)


def stretches(revisions: dict[int, list[int]]) -> list[tuple[int, int, int]]:
    return [(number, begin, end) for number, instants in revisions.items() for begin, end in pairwise((*instants, FOREVER))]


@given(HISTORIES)
def test_every_state_is_looked_at_once_and_while_it_stands(revisions: dict[int, list[int]]) -> None:
    seen = [(number, max(instant for instant in revisions[number] if instant <= at)) for at, numbers in looks(revisions) for number in numbers]

    assert sorted(seen) == sorted((number, begin) for number, begin, _ in stretches(revisions))


@given(HISTORIES)
def test_no_fewer_looks_would_do(revisions: dict[int, list[int]]) -> None:
    found = [at for at, _ in looks(revisions)]
    needed = stretches(revisions)

    assert found == sorted(found)
    for fewer in combinations(range(10), len(found) - 1) if found else ():
        assert any(not any(begin <= at < end for at in fewer) for _, begin, end in needed)


def tryton(url: str = "https://crm.example", **options: Any) -> Tryton:
    return Tryton(name="crm", base_url=url, database="crm", token=SecretStr("t"), **options)


def api(source: Tryton) -> Api:
    return Api(source.endpoint(), sleep=lambda _: None)


def test_a_deletion_is_dated_by_history_and_notes_are_found_though_nothing_changed() -> None:
    world = World(Random(1))
    while len(world.cases) < 6:
        world.step()
    gone = world.cases[1]
    gone.deleted = True
    noted = {f"n{change.number}" for case in world.living() for change in case.of("comment")}
    roll: Any = lambda: iter([(str(number), 7) for number in world.cases])  # noqa: E731
    with serving(Simulator(PROFILE, world)) as server:
        source = tryton(server.url)
        found = [event for page in source.reconcile(api(source), roll) for event in source.events(page) if isinstance(event, Event)]

    assert [(event.case_id, event.occurred_at) for event in found if event.activity is Activity.DELETED] == [("1", last_saved(gone))]
    assert noted
    assert {event.event_id for event in found if event.activity is not Activity.DELETED} == noted


@settings(max_examples=5, deadline=None)
@given(st.integers(0, 2**32), st.sampled_from([None, "yesterday", {"year": 2026, "month": 13, "day": 1}, {"year": 9999, "month": 1, "day": 1}]))
def test_a_time_of_change_that_cannot_be_read_loses_no_record(seed: int, spoilt: Any) -> None:
    random = Random(seed)
    world = World(random)
    while len(world.cases) < 12:
        world.step()
    world.now += DAY
    simulator = Simulator(PROFILE, world)

    def spoiling(request: Request) -> Reply:
        reply = simulator(request)
        if request.line == f"GET {LISTING}" and "last_modified_at" in request.query["f"] and isinstance(reply.body, list):
            for row in reply.body[1:] if random.random() < 0.5 else reply.body[:-1]:
                row["last_modified_at"] = spoilt
        return reply

    with serving(spoiling) as server:
        source = tryton(server.url)
        found = [one for page in source.pages(api(source), Window(0, world.now)) for one in source.events(page)]

    assert not [one for one in found if isinstance(one, Rejected)]
    assert {one.case_id for one in found if isinstance(one, Event)} == {str(case.number) for case in world.living()}


def answers(there: set[str], rows: list[dict[str, Any]]) -> Any:
    def answer(request: Request) -> Reply:
        if request.path.endswith("fields_get"):
            return Reply({name: {} for name in request.body["fields_names"] if name in there})
        return Reply(rows)

    return answer


SHOWN = {"id": 1, "notes": [], **dict.fromkeys(ATTRIBUTES)}


@pytest.mark.parametrize(
    ("there", "rows", "words"),
    [
        ({*ATTRIBUTES, "x_score"}, [{**SHOWN, "x_score": None}], []),
        ({*ATTRIBUTES}, [SHOWN], ["sale.opportunity has no field x_score: correct `fields`"]),
        ({*ATTRIBUTES, "x_score"}, [], ["no sale.opportunity is shown: if there are any, let the token's user belong to their company"]),
        (
            {*ATTRIBUTES, "x_score"},
            [{name: value for name, value in SHOWN.items() if name not in ("amount", "notes")}],
            ["amount, notes, x_score of sale.opportunity cannot be read: change the access to these fields for the token's user"],
        ),
    ],
    ids=["nothing", "misspelt", "another company", "hidden fields"],
)
def test_what_is_lacking_is_told_with_its_remedy(there: set[str], rows: list[dict[str, Any]], words: list[str]) -> None:
    with serving(answers(there, rows)) as server:
        source = tryton(server.url, fields={"x_score": "score"})

        assert list(source.lacking(api(source))) == words


def state(minute: int, **fields: Any) -> dict[str, Any]:
    """What was saved so many minutes after the beginning."""
    made, who = {"year": 2026, "month": 1, "day": 15, "hour": 9}, {"login": "ada"}
    saved = {"write_date": {**made, "minute": minute}, "write_uid": who} if minute else {}
    return {"id": 1, "create_date": made, "create_uid": who, **saved, **fields}


@given(st.lists(st.sampled_from(["a", "b", "c"]), min_size=2, max_size=5), st.integers(1, 4))
def test_a_reading_from_the_beginning_holds_against_one_that_was_shown_less(values: list[str], hidden: int) -> None:
    states = [state(minute, reference=value) for minute, value in enumerate(values)]

    def told(shown: list[dict[str, Any]]) -> list[Event]:
        source = tryton()
        page = source.page_of(msgspec.json.encode({"id": 1, "states": shown, "revisions": len(states)}), "here")
        return [event for event in source.events(page) if isinstance(event, Event)]

    whole, less = told(states), told(states[hidden:])
    held = {event.event_id: event for event in resolve([*whole, *less])}

    assert held == {event.event_id: event for event in whole}
