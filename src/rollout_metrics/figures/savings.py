"""Time saved: what assisted cases cost operators against what cases cost before the agent (definitions, section 4)."""

from collections.abc import Iterator

from rollout_metrics.catalog.tallies import ASSUMED, ESTIMATED, MEASURED
from rollout_metrics.domain.policy import Workflow
from rollout_metrics.domain.time import DAY, SECOND, Instant, Span
from rollout_metrics.figures.lasting import Estimated
from rollout_metrics.figures.ordered import Numbers
from rollout_metrics.figures.samples import Samples
from rollout_metrics.stats.trimmed import Trimmed, time_saved, trimmed

BASELINE_STRETCH = 90 * DAY
BASELINE_CASES = 30
"""The fewest cases that make a baseline."""

_BASES = (MEASURED, ESTIMATED)


def savings(workflow: Workflow, span: Span, samples: Samples, assisted_since: Instant | None) -> Iterator[tuple[str, Estimated]]:
    """Seconds saved over the assisted cases closed in (T - span, T], by the basis of the baseline.

    An assumed baseline is compared with every assisted case, whatever its effort rests on; a measured or estimated one only with its like.
    """
    efforts = {basis: samples.complete((workflow.name, "effort", basis), span) for basis in _BASES}
    if workflow.baseline_seconds is not None:
        both = trimmed([effort / SECOND for numbers in efforts.values() for effort in numbers.tolist()])
        if both is not None:
            yield ASSUMED, _estimated(workflow.baseline_seconds, both)
    elif assisted_since is not None:
        for basis, numbers in efforts.items():
            before = samples.stretch((workflow.name, "baseline", basis), assisted_since - BASELINE_STRETCH, assisted_since)
            baseline, now = _seconds(before), _seconds(numbers)
            if baseline is not None and baseline.cases >= BASELINE_CASES and now is not None:
                yield basis, _estimated(baseline, now)


def _seconds(numbers: Numbers) -> Trimmed | None:
    return trimmed(numbers / SECOND)


def _estimated(baseline: Trimmed | float, efforts: Trimmed) -> Estimated:
    saved = time_saved(baseline, efforts)
    return Estimated(saved.value, saved.lower, saved.upper, efforts.cases)
