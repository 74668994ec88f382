"""Samples moved step by step, against samples loaded at once."""

from collections import Counter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rollout_metrics.domain.time import DAY, HOUR
from rollout_metrics.figures.samples import Samples, Waiting
from rollout_metrics.rollup import Sample

SPANS = {"w": (DAY, 7 * DAY), "v": (DAY,)}
KINDS = [("w", "decision_wait"), ("w", "turnaround", "other"), ("v", "decision_wait"), ("w", "baseline", "measured"), ("w", "acknowledge_target")]
T = 100 * DAY

_SAMPLES = st.builds(
    Sample,
    st.sampled_from(KINDS),
    st.integers(T - 12 * DAY, T + 12 * DAY) | st.sampled_from((T, T - DAY, T - 7 * DAY, T + DAY)),
    st.none() | st.integers(0, 9 * DAY),
    st.booleans(),
).map(lambda sample: Sample(*_shaped(sample)))


def _shaped(sample: Sample) -> tuple[Any, ...]:
    """Unfinished samples are not complete; shares that are unfinished know their target; what was before the agent is over and done."""
    if sample.series[1] == "baseline":
        until = sample.at + 5 * DAY if (sample.duration or 0) % 3 == 1 else 0
        return sample.series, sample.at, sample.duration or 0, True, 0, 0, until
    if sample.duration is not None:
        return sample.series, sample.at, sample.duration, sample.complete
    share = sample.series[1] == "acknowledge_target"
    return sample.series, sample.at, None, False, HOUR if share else 0, sample.at + HOUR if share else 0


def so_far(waiting: Waiting) -> int:
    return waiting[0] % 1000


def content(samples: Samples) -> dict[Any, Any]:
    found: dict[Any, Any] = {}
    for series in KINDS:
        found[series] = samples.oldest(series)
        for span in SPANS[series[0]]:
            for name, lasting in (("lasting", samples.lasting(series, span)), ("shares", samples.shares(series, span, so_far))):
                found[series, span, name] = (lasting.complete.tolist(), lasting.censored.tolist())
    found["stretch"] = samples.stretch(("w", "baseline", "measured"), T - 8 * DAY, T - 2 * DAY).tolist()
    return found


_STEPS = st.lists(st.tuples(st.lists(_SAMPLES, max_size=5), st.data()) | st.integers(0, 15 * DAY), max_size=6)


@settings(max_examples=150, deadline=None)
@given(st.lists(_SAMPLES, max_size=12), _STEPS)
def test_samples_moved_step_by_step_equal_samples_loaded_at_once(begin: list[Sample], steps: list[Any]) -> None:
    held = Counter(begin)
    samples = Samples(SPANS)
    now = {"w": T, "v": T}
    samples.load(now, begin)
    for step in steps:
        if isinstance(step, int):
            now = {"w": now["w"] + step, "v": now["v"] + step // 2}
            samples.advance(now)
        else:
            come, data = step
            present = list(held.elements())
            gone = data.draw(st.lists(st.sampled_from(present), max_size=4)) if present else []
            gone = list((Counter(gone) & held).elements())
            samples.apply(gone, come)
            held = held - Counter(gone) + Counter(come)

        at_once = Samples(SPANS)
        at_once.load(now, held.elements())
        assert content(samples) == content(at_once)


def test_what_is_unfinished_has_lasted_until_t() -> None:
    samples = Samples(SPANS)
    samples.load({"w": T}, [Sample(("w", "decision_wait"), T - at, None, complete=False) for at in (3, 1, DAY)])

    samples.advance({"w": T + 1})

    assert samples.lasting(("w", "decision_wait"), DAY).censored.tolist() == [2, 4]
    assert samples.oldest(("w", "decision_wait")) == T - DAY


def test_a_sample_leaves_the_window_that_no_longer_holds_it() -> None:
    samples = Samples(SPANS)
    samples.load({"w": T}, [Sample(("w", "turnaround", "other"), T - DAY + 1, 5, complete=True)])

    before = samples.complete(("w", "turnaround", "other"), DAY).tolist()
    samples.advance({"w": T + 1})

    assert (before, samples.complete(("w", "turnaround", "other"), DAY).tolist()) == ([5], [])
    assert samples.complete(("w", "turnaround", "other"), 7 * DAY).tolist() == [5]


def test_t_does_not_go_back() -> None:
    samples = Samples(SPANS)
    samples.load({"w": T}, ())

    with pytest.raises(ValueError, match="load the figures again"):
        samples.advance({"w": T - 1})


def test_a_sample_that_is_not_there_cannot_go() -> None:
    samples = Samples(SPANS)
    samples.load({"w": T}, ())

    with pytest.raises(LookupError, match="load the figures again"):
        samples.apply([Sample(("w", "turnaround", "other"), T, 5, complete=True)], [])
