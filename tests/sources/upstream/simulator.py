"""A vendor's API over HTTP, out of tables: routes to what the world holds, and the ways vendors cut lists into pages."""

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from rollout_metrics.domain.time import Instant, Span
from sources.server import Reply, Request
from sources.upstream.world import Case, Change, World

T = TypeVar("T")

Handler = Callable[["Simulator", re.Match[str], Request], Any]
"""Answers a request: a `Reply`, or what the body is to be."""


END: Instant = 2**62
"""No end."""
LATEST = 1000
"""So many of those listed may change while they are read."""
SLOW_DOWN = Reply({"message": "slow down"}, 429, {"Retry-After": "1"})


@dataclass(frozen=True, repr=False)
class Profile:
    """What is particular to a vendor. `routes`: method and path (a regular expression) -> handler."""

    kind: str
    routes: Mapping[str, Handler]
    options: Mapping[str, Any] = field(default_factory=dict)
    throttled: Reply = SLOW_DOWN
    forgets: bool = False
    """Deleted cases vanish without a trace: only a reconciliation finds out."""
    tells: bool = False
    """The end of a case is in its trail: deletions, and where there are such, mergers."""
    case_id: Callable[[int], str] = str
    """The id of a case, as events have it."""
    per_case: int = 1
    """Most requests that one changed case costs, beside what is fixed, where pages hold ten."""
    fixed: int = 12
    """Most requests that a sweep costs of itself."""
    per_known: float = 0.1
    """Most requests that a reconciliation costs for each case that is known: usually they are looked up a page at a time."""


class Simulator:
    """Serves one world. Counts what it is asked, and throttles when told to."""

    def __init__(self, profile: Profile, world: World, size: int = 3) -> None:
        self.profile, self.world, self.size = profile, world, size
        self.requests: Counter[str] = Counter()
        self.throttle: set[int] = set()
        """Numbers of requests, from the first, that are turned away."""
        self.stir: set[int] = set()
        """Numbers of requests before which something changes upstream: best what was just listed, so that lists shift while they are read."""
        self._listed: Sequence[Case] = ()
        self.lag: Span = 0
        """How long a change takes to show in searches and lists."""
        self._routes = [(re.compile(route), handler) for route, handler in profile.routes.items()]

    def __call__(self, request: Request) -> Reply:
        """Answer a request."""
        number = self.requests.total()
        self.requests[request.line] += 1
        if number in self.stir:
            listed = [case for case in self._listed[-LATEST:] if not case.deleted]
            self.world.step(self.world.random.choice(listed) if listed else None)
        if number in self.throttle:
            return self.profile.throttled
        for route, handler in self._routes:
            if match := route.fullmatch(request.line):
                answer = handler(self, match, request)
                return answer if isinstance(answer, Reply) else Reply(answer)
        return Reply({"message": f"no such route: {request.line}"}, 404)

    def changed(self, start: Instant, end: Instant = END, *, when: Callable[[Case], Instant] = lambda case: case.updated_at) -> Sequence[Case]:
        """What a search for changes in [start, end) finds, oldest change first; the newest may not show yet. `when`: what this system counts as one."""
        self._listed = self.world.changed(start, min(end, self.world.now - self.lag + 1), when)
        return self._listed

    def trail(self, start: Instant, end: Instant = END, *what: str) -> Sequence[tuple[Case, Change]]:
        """What a feed of changes in [start, end) holds, or of those of some kinds, in order; the newest may not show yet."""
        found = self.world.trail(start, min(end, self.world.now - self.lag + 1))
        return [one for one in found if one[1].what in what] if what else found


def given(request: Request, name: str, otherwise: str = "") -> str:
    """A query parameter."""
    return request.query.get(name, [otherwise])[0]


def slice_at(records: Sequence[T], start: int, size: int) -> tuple[list[T], int | None]:
    """A page from a place, and where the next one begins, if there is one."""
    page = list(records[start : start + size])
    following = start + len(page)
    return page, following if following < len(records) else None


def linked(simulator: Simulator, request: Request, records: Sequence[T], shown: Callable[[T], Any] = lambda record: record) -> Reply:
    """A page by number, with `Link` and `X-Next-Page` headers as GitHub and GitLab send them; `shown`: a record as they show it."""
    number = int(given(request, "page", "1"))
    page, following = slice_at(records, (number - 1) * simulator.size, simulator.size)
    headers = {"X-Next-Page": str(number + 1) if following is not None else ""}
    if following is not None:
        query = "&".join(f"{name}={value}" for name, values in request.query.items() if name != "page" for value in values)
        headers["Link"] = f'<http://{request.headers["Host"]}{request.path}?{query}&page={number + 1}>; rel="next", <http://x/?page=1>; rel="first"'
    return Reply([shown(one) for one in page], 200, headers)
