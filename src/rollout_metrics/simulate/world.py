"""The simulated company as a whole: a pure function of seed and start day, written day by day as far as it is asked for."""

from bisect import bisect_right
from collections.abc import Callable, Iterator
from random import Random
from threading import RLock

from rollout_metrics.domain.time import DAY, Instant, moment
from rollout_metrics.simulate.cast import HUBSPOT, SALES, ZENDESK, ZENDESK_STAFF, Plot, whole
from rollout_metrics.simulate.deployments import Versions
from rollout_metrics.simulate.draft import Case, Draft, Report, Save
from rollout_metrics.simulate.stories.contracts import contract
from rollout_metrics.simulate.stories.leads import lead
from rollout_metrics.simulate.stories.refunds import refund
from rollout_metrics.simulate.stories.triage import general, other

Story = Callable[[Draft, Instant, Plot, Versions], None]

_STORIES: tuple[tuple[Story, str, str, float], ...] = (
    (refund, ZENDESK, "tickets", 36),
    (general, ZENDESK, "tickets", 44),
    (contract, ZENDESK, "tickets", 10),
    (other, ZENDESK, "tickets", 5),
    (lead, HUBSPOT, "leads", 34),
)
"""Story, system, object type, cases per working day."""

_WEEKEND = 0.35
FIRST_NUMBER = 100_000
NUMBERS_PER_DAY = 10_000

Line = tuple[Instant, int, int]
"""One save in order of time: when, the case's number, its place in the case."""


class World:
    """All cases that arrive by a given instant, and their saves in order of time. Asking for later instants writes more days; nothing written ever changes."""

    def __init__(self, seed: int, start: Instant, *, scale: float = 1.0) -> None:
        self.seed = seed
        self.start = start - start % DAY
        self.plot = Plot(self.start)
        self._scale = scale
        self._versions = Versions(self.plot)
        self._days = 0
        self._cases: dict[int, Case] = {}
        self._lines: dict[str, list[Line]] = {ZENDESK: [], HUBSPOT: []}
        self._reports: list[tuple[Instant, int, int]] = []
        self._lock = RLock()

    def until(self, now: Instant) -> "World":
        """This world, with every case that has arrived by `now`."""
        wanted = (now - self.start) // DAY + 1
        if wanted > self._days:
            with self._lock:
                for day in range(self._days, wanted):
                    self._write(day)
                if wanted > self._days:
                    for lines in self._lines.values():
                        lines.sort()
                    self._reports.sort()
                    self._days = wanted
        return self

    def case(self, number: int) -> Case | None:
        """A case by its number, whether or not it has arrived yet."""
        return self._cases.get(number)

    def cases(self, now: Instant, *, system: str | None = None) -> Iterator[Case]:
        """The cases that have arrived by `now`, oldest first."""
        self.until(now)
        for case in list(self._cases.values()):
            if case.saves[0].at <= now and system in (None, case.system):
                yield case

    def lines(self, system: str, now: Instant) -> list[Line]:
        """All saves of a system's cases in order of time, some of them later than `now`."""
        self.until(now)
        return self._lines[system]

    def save(self, line: Line) -> tuple[Case, Save]:
        """The save a line stands for."""
        case = self._cases[line[1]]
        return case, case.saves[line[2]]

    def reports(self, after: Instant, up_to: Instant) -> Iterator[tuple[Case, int, Report]]:
        """What runtimes and the approval desk report in (after, up_to], in order of time, each with its place in its case."""
        self.until(up_to)
        first = bisect_right(self._reports, after, key=_at)
        last = bisect_right(self._reports, up_to, key=_at)
        for _, number, place in self._reports[first:last]:
            case = self._cases[number]
            yield case, place, case.reports[place]

    def _write(self, day: int) -> None:
        random = Random(f"{self.seed}/{day}")  # noqa: S311
        midnight = self.start + day * DAY
        weekend = moment(midnight).weekday() >= 5
        arrivals = []
        for place, (_, _, _, rate) in enumerate(_STORIES):
            expected = rate * self._scale * (_WEEKEND if weekend else 1.0)
            count = max(0, round(random.gauss(expected, expected**0.5)))
            arrivals += [(midnight + whole(random.triangular(0, 1, 0.55) * DAY), place) for _ in range(count)]
        neighbours: dict[str, int] = {}
        for count, (at, place) in enumerate(sorted(arrivals), start=1):
            story, system, kind, _ = _STORIES[place]
            number = FIRST_NUMBER + day * NUMBERS_PER_DAY + count
            draft = Draft(number, system, kind, Random(f"{self.seed}/{number}"), staff=_STAFF, neighbour=neighbours.get(system))  # noqa: S311
            story(draft, at, self.plot, self._versions)
            self._keep(draft.finish())
            if not draft.over:
                neighbours[system] = number

    def _keep(self, case: Case) -> None:
        self._cases[case.id] = case
        self._lines[case.system].extend((save.at, case.id, place) for place, save in enumerate(case.saves))
        self._reports.extend((report.at, case.id, place) for place, report in enumerate(case.reports))


_STAFF = ZENDESK_STAFF | frozenset(SALES)


def _at(line: Line) -> Instant:
    return line[0]
