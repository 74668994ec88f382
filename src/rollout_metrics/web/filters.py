"""How values are written in templates."""

from collections.abc import Callable, Mapping
from typing import Any

from rollout_metrics.overview import SourceState, written
from rollout_metrics.overview.foreign import isolated, marked, plain, seconds_stamp, shortened, stamp
from rollout_metrics.overview.trend import sparkline


def understood(source: SourceState) -> str:
    """The share of a source's records that were understood."""
    read = source.events + source.quarantined
    return written.ratio(source.events / read) if read else written.NONE


FILTERS: Mapping[str, Callable[..., Any]] = {
    "stamp": stamp,
    "seconds_stamp": seconds_stamp,
    "shortened": shortened,
    "isolated": isolated,
    "plain": plain,
    "marked": marked,
    "number": written.count,
    "ratio": written.ratio,
    "duration": written.duration,
    "words": written.name,
    "understood": understood,
    "sparkline": sparkline,
}
