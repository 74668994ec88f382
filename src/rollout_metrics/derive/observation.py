"""How long a deployment is watched before it is judged, and which ones are watched together (definitions, section 8)."""

from collections.abc import Callable, Iterable, Mapping

import msgspec

from rollout_metrics.domain.changes import PRODUCTION, Change
from rollout_metrics.domain.policy import Workflow
from rollout_metrics.domain.time import Instant, Span

LEAST = 20
"""Recommendations that one deployment must have had to be judged apart from the next."""

Opened = Callable[[Instant, Instant], int | None]
"""How many recommendations were opened in (after, up_to]; None where that is not known any more."""


class Watch(msgspec.Struct, frozen=True):
    """How long what was deployed at one instant is watched: (deployed, `own_end`] for what points at one deployment.

    Deployments with too few recommendations are pooled with the next: the rates of all of them in (`begun`, `end`] are judged together.
    """

    own_end: Instant
    begun: Instant
    end: Instant


def deployed(workflow: Workflow, as_of: Instant) -> list[tuple[Instant, Change]]:
    """The workflow's deployments to production up to T, in order of `(deployed_at, id)`."""
    found = [
        (change.deployed_at, change)
        for change in workflow.changes
        if change.environment == PRODUCTION and change.deployed_at is not None and change.deployed_at <= as_of
    ]
    return sorted(found, key=lambda item: (item[0], item[1].id))


def watches(workflow: Workflow, deployments: Iterable[tuple[Instant, Change]], opened: Opened) -> Mapping[Instant, Watch]:
    """By the instant of deployment, how long it is watched: for the record's window, or the workflow's, but not beyond the next deployment.

    Where the next comes first and fewer than `LEAST` recommendations were opened until then, both are watched together until the next one's time is up.
    """
    spans: dict[Instant, Span] = {}
    for at, change in deployments:
        spans[at] = max(change.harm.window or workflow.observation_window, spans.get(at, 0))
    instants = sorted(spans)
    found: dict[Instant, Watch] = {}
    pool: list[tuple[Instant, Instant]] = []
    for at, following in zip(instants, (*instants, None)[1:], strict=True):
        own_end = at + spans[at] if following is None else min(at + spans[at], following)
        pool.append((at, own_end))
        begun = pool[0][0]
        if following is None or following > at + spans[at] or not _few(opened(begun, following)):
            found |= {member: Watch(end, begun, own_end) for member, end in pool}
            pool = []
    return found


def _few(number: int | None) -> bool:
    return number is not None and number < LEAST
