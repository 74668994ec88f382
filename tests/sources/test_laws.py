"""Laws over simulated systems: however changes upstream, sweeps, kills, repetitions and throttling interleave, all ends as one clean reading would have it."""

import itertools
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from random import Random
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

from rollout_metrics import sources
from rollout_metrics.collect.http import Api
from rollout_metrics.collect.reconcile import Living, Reconciled
from rollout_metrics.collect.source import HttpSource, Rejected
from rollout_metrics.collect.sweep import run
from rollout_metrics.domain.events import Activity, Event, canonical_bytes, precedence
from rollout_metrics.domain.time import DAY, HOUR, SECOND
from sources.server import Reply, Server, serving
from sources.upstream import profiles
from sources.upstream.simulator import Profile, Simulator
from sources.upstream.world import World

PROFILES = profiles()


@pytest.fixture(scope="module", params=sorted(PROFILES))
def profile(request: pytest.FixtureRequest) -> Profile:
    return PROFILES[str(request.param)]


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with serving(lambda _: pytest.fail("nothing is served yet"), packed=False) as made:
        yield made


class Killed(Exception):  # noqa: N818
    """The process ends here."""


class Reader:
    """A source at work on a simulator, and all that it has landed: what is stored and how far it has come are stored together."""

    def __init__(self, profile: Profile, simulator: Simulator, server: Server) -> None:
        self.simulator = simulator
        options = {"token": SecretStr("secret"), "depth": 9 * DAY, **profile.options}
        source = sources.find(profile.kind).model_validate({"base_url": server.url, "name": "upstream", **options})
        assert isinstance(source, HttpSource)
        self.source = source
        self.landed: dict[str, Event] = {}
        self.rejected: list[Rejected] = []
        self.progress: Any = None

    def sweep(self, *, die_after: int | None = None) -> None:
        """One sweep; it may die instead of landing a page."""
        pages = itertools.count()

        def land(events: list[Event], rejected: list[Rejected], progress: Any) -> None:
            if next(pages) == die_after:
                raise Killed
            for event in events:
                held = self.landed.get(event.event_id)
                if held is None or precedence(event) > precedence(held):
                    self.landed[event.event_id] = event
            self.rejected += rejected
            self.progress = progress

        now = self.simulator.world.now
        api = self._api()
        try:
            run(self.source, api, self.progress, lambda: now, land, roll=self.roll)
        except Killed:
            pass
        finally:
            api.close()

    def reconcile(self) -> None:
        """A reconciliation, if this source has such; what it reads is not landed."""
        if isinstance(self.source, Reconciled):
            for page in self.source.reconcile(self._api(), self.roll):
                list(self.source.events(page))

    def _api(self) -> Api:
        endpoint, now = self.source.endpoint(), self.simulator.world.now
        assert endpoint is not None
        return Api(endpoint, now=lambda: now / 1e6, monotonic=lambda: 0.0, sleep=lambda _: None, random=lambda: 0.0)

    def roll(self) -> Iterator[Living]:
        """The cases that have not ended."""
        cases: dict[str, list[Event]] = {}
        for event in self.landed.values():
            cases.setdefault(event.case_id, []).append(event)
        for case_id, events in sorted(cases.items()):
            if not any(event.activity in (Activity.DELETED, Activity.ABSORBED) for event in events):
                yield case_id, max(event.occurred_at for event in events)

    def told(self, *without: str) -> dict[str, bytes]:
        """Everything that is stored, but for some cases."""
        return {name: canonical_bytes(event) for name, event in sorted(self.landed.items()) if event.case_id not in without}


def difference(one: dict[str, bytes], other: dict[str, bytes]) -> list[str]:
    """What either has and the other has not."""
    return sorted(
        f"{sign} {told[name].decode()}" for sign, told, rest in (("-", one, other), ("+", other, one)) for name in told if rest.get(name) != told[name]
    )


@contextmanager
def reading(profile: Profile, server: Server, world: World) -> Iterator[Reader]:
    simulator = Simulator(profile, world)
    server.requests.clear()
    server.answer = simulator
    yield Reader(profile, simulator, server)


@settings(max_examples=6, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_any_interleaving_ends_as_one_clean_reading(profile: Profile, server: Server, seed: int) -> None:
    random = Random(seed)
    world = World(random)
    with reading(profile, server, world) as worn:
        earlier: list[Any] = [None]
        for _ in range(random.randrange(3, 9)):
            for _ in range(random.randrange(0, 8)):
                world.step()
            if (profile.forgets or profile.tells) and random.random() < 0.15:
                world.delete()
            first = worn.simulator.requests.total()
            worn.simulator.throttle = {first + random.randrange(12) for _ in range(random.randrange(3))}
            worn.simulator.stir = {first + random.randrange(12) for _ in range(random.randrange(6))}
            worn.simulator.lag = random.choice((0, 0, 400 * SECOND))
            earlier.append(worn.progress)
            worn.sweep(die_after=random.choice((None, None, 0, 1, 2, 3)))
            if random.random() < 0.2:
                worn.progress = random.choice(earlier)  # as from a backup of the database: everything since is read again
        worn.simulator.stir, worn.simulator.lag = set(), 0
        for _ in range(2):  # a source that was just connected has nothing to reconcile
            world.now += DAY + HOUR
            worn.sweep()
    with reading(profile, server, world) as clean:
        clean.sweep()

    gone = [profile.case_id(case.number) for case in world.cases.values() if case.deleted]
    assert worn.rejected == clean.rejected == []
    assert difference(worn.told(*gone), clean.told(*gone)) == []
    shown = world.living() if profile.forgets else world.cases.values()
    assert {event.case_id for event in clean.landed.values()} == {profile.case_id(case.number) for case in shown}
    for case_id in gone:
        seen = [event for event in worn.landed.values() if event.case_id == case_id]
        assert not seen or any(event.activity in (Activity.DELETED, Activity.ABSORBED) for event in seen)


BESIDE = {
    "freshdesk": "time_entries|satisfaction_ratings",
    "hubspot": "conversations|objects/(notes|calls|feedback_submissions)",
    "servicenow": "sysapproval_approver|sn_aia_execution_plan|asmt_metric_result|task_time_worked",
    "zendesk": "side_conversations",
}
"""What each of them may refuse while it gives the rest, as its requests name it."""


@settings(max_examples=3, deadline=None)
@given(seed=st.integers(0, 2**32))
@pytest.mark.parametrize("kind", sorted(BESIDE))
def test_what_is_refused_beside_the_cases_is_missed_until_it_is_given(server: Server, kind: str, seed: int) -> None:
    profile, random = PROFILES[kind], Random(seed)
    world = World(random)
    with reading(profile, server, world) as reader:
        refused = re.compile(BESIDE[kind])
        server.answer = lambda request: Reply({"message": "no"}, 403) if refused is not None and refused.search(request.line) else reader.simulator(request)
        for _ in range(2):
            for _ in range(8):
                world.step()
            world.now += DAY + HOUR
            reader.sweep()
        without, missing = len(reader.landed), set(reader.progress["missing"])
        refused = None
        for _ in range(2):
            world.now += DAY + HOUR
            reader.sweep()
    with reading(profile, server, world) as clean:
        clean.sweep()

    assert missing
    assert reader.progress.get("missing", {}) == {}
    assert without <= len(reader.landed)
    assert difference(reader.told(), clean.told()) == []


def test_requests_follow_what_changed_and_not_the_million_cases_there_are(profile: Profile, server: Server) -> None:
    thousand = dict(_asked(profile, server, settled=1000, changes=(0, 1, 10)))
    million = dict(_asked(profile, server, settled=1_000_000, changes=(0, 1, 10, 100)))

    for changed, counts in thousand.items():
        assert counts.sweep == million[changed].sweep
    for changed, counts in million.items():
        assert counts.known >= changed // 10  # what is not read costs nothing
        assert counts.sweep <= profile.fixed + profile.per_case * changed, (changed, counts)
        assert counts.reconciliation <= profile.fixed + profile.per_known * counts.known, (changed, counts)


class Asked(NamedTuple):
    """Requests of a sweep, and of the reconciliation of so many known cases."""

    sweep: int
    reconciliation: int
    known: int


def _asked(profile: Profile, server: Server, *, settled: int, changes: Sequence[int]) -> Iterator[tuple[int, Asked]]:
    """What it costs when so many of the first thousand cases change."""
    world = World(Random(7), settled)
    with reading(profile, server, world) as reader:
        reader.simulator.size = 10

        def asked(work: Callable[[], None]) -> int:
            before = reader.simulator.requests.total()
            work()
            return reader.simulator.requests.total() - before

        reader.sweep()
        for changed in changes:
            world.now += HOUR
            reader.sweep()  # what the lookback repeats is not a change
            world.now += HOUR
            for number in world.random.sample(range(1, 1001), changed):
                world.step(world.cases[number])
            world.now += HOUR
            yield changed, Asked(asked(reader.sweep), asked(reader.reconcile), len(list(reader.roll())))


def test_more_changes_in_one_second_than_a_page_holds_are_all_read(profile: Profile, server: Server) -> None:
    world = World(Random(5))
    while len(world.cases) < 8:
        world.step()
    with reading(profile, server, world) as reader:
        world.now += HOUR
        reader.sweep()
        for case in world.living():
            world.step(case, at_once=True)
        for _ in range(2):
            world.now += DAY + HOUR
            reader.sweep()
    with reading(profile, server, world) as clean:
        clean.sweep()

    assert difference(reader.told(), clean.told()) == []


def test_every_system_that_is_read_over_http_is_under_these_laws() -> None:
    pulled = {kind for kind in sources.kinds() if issubclass(sources.find(kind), HttpSource) and sources.find(kind).pulled}

    assert pulled == {profile.kind for profile in PROFILES.values()}


def test_a_system_that_forgets_is_read_by_a_source_that_reconciles(profile: Profile) -> None:
    assert issubclass(sources.find(profile.kind), Reconciled) or not profile.forgets


@pytest.mark.parametrize("profile", sorted(name for name, profile in PROFILES.items() if profile.forgets), indirect=True)
def test_cases_that_vanish_all_at_once_are_taken_for_a_lost_permission(profile: Profile, server: Server) -> None:
    world = World(Random(3))
    while len(world.cases) < 30:
        world.step()
    with reading(profile, server, world) as reader:
        reader.sweep()
        before = reader.told()
        for case in world.living():
            case.deleted = True
        world.now += DAY + HOUR
        with pytest.raises(Exception, match=r"(\d+) of \1 known cases are gone .* check what the token may read"):
            reader.sweep()

    assert reader.told() == before
