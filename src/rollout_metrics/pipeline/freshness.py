"""How far each workflow's figures can be trusted: its live T, and which of its sources are stale (definitions, section 2)."""

from collections.abc import Iterable, Mapping

import msgspec

from rollout_metrics.collect.missed import Missed, Missing
from rollout_metrics.collect.received import Received
from rollout_metrics.collect.source import Source
from rollout_metrics.config.model import Settings
from rollout_metrics.domain.policy import Company, Workflow
from rollout_metrics.domain.time import Instant, Span, floor_minute
from rollout_metrics.store import Store

NOTHING: Instant = 0
"""The T of a workflow none of whose sources has been read: no event is that old."""


class Reading(msgspec.Struct, frozen=True):
    """How far a source has been read: its watermark, whether its history is still being read, whether it is stale, and from which age on it is.

    `refused`: the parts that it refuses while it gives the rest. What was missed of one that is given again is history that is still being read.
    """

    watermark: Instant | None
    partial: bool
    stale: bool
    stale_after: Span
    refused: Missing = {}


def _reading(source: Source, progress: Mapping[str, object] | None, now: Instant, *, heartbeat: Span, stale_after: Span) -> Reading:
    """What a source's saved progress says; `stale_after`: of sources that have none of their own.

    A push source is read up to now while its last accepted request is at most its own `heartbeat`, or this one, old; else up to that request.
    """
    progress, limit = progress or {}, source.stale_after or stale_after
    if source.pulled:
        watermark = progress.get("watermark")
        partial = bool(progress.get("partial", not progress))
    else:
        heard = progress.get("heard_at")
        patience = (source.heartbeat if isinstance(source, Received) else None) or heartbeat
        watermark = now if isinstance(heard, int) and now - heard <= patience else heard
        partial = False
    missing = msgspec.convert(progress.get("missing", {}), dict[str, Missed])
    refused = {part: one for part, one in missing.items() if not one.given}
    partial = partial or len(refused) < len(missing)
    if not isinstance(watermark, int):
        return Reading(None, partial, True, limit, refused)
    return Reading(min(watermark, now), partial, now - watermark > limit, limit, refused)


def readings_of(sources: Mapping[str, Source], settings: Settings, store: Store, now: Instant) -> dict[str, Reading]:
    """How far each source has been read, as the store has it."""
    heartbeat, stale_after = settings.schedule.heartbeat, settings.alerts.stale_after
    return {name: _reading(source, store.progress(name), now, heartbeat=heartbeat, stale_after=stale_after) for name, source in sources.items()}


def live_as_of(workflow: Workflow, readings: Mapping[str, Reading]) -> Instant:
    """The workflow's T: the least watermark of its sources, at a whole minute; `NOTHING` while one of them has none."""
    watermarks = [readings[name].watermark if name in readings else None for name in workflow.sources]
    known = [watermark for watermark in watermarks if watermark is not None]
    return floor_minute(min(known)) if known and len(known) == len(watermarks) else NOTHING


def as_of_all(company: Company, readings: Mapping[str, Reading]) -> dict[str, Instant]:
    """Every workflow's T, and under `""` that of cases of no workflow: the least of all."""
    each = {workflow.name: live_as_of(workflow, readings) for workflow in company.workflows}
    return each | {"": min(each.values(), default=NOTHING)}


def stale_sources(workflow: Workflow, readings: Mapping[str, Reading]) -> Iterable[str]:
    """Names of the workflow's sources that are stale."""
    return sorted(name for name in workflow.sources if name not in readings or readings[name].stale)
