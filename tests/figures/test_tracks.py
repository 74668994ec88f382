"""Counts taken in by series, against the same counts taken in row by row."""

from collections.abc import Iterable, Iterator
from itertools import groupby
from operator import itemgetter
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from builders import T0, after, change, company
from rollout_metrics.domain.time import DAY, HOUR, MINUTE
from rollout_metrics.figures.since import Since
from rollout_metrics.figures.trail import Trail
from rollout_metrics.figures.windows import Track, Windows
from rollout_metrics.rollup import Contribution

COMPANY = company({"cohort_age": "90m"}, {"name": "v"}, changes=[change(deployed_at=T0 + 7 * HOUR + 25 * MINUTE)])
SPANS = {"w": (HOUR, DAY), "v": (DAY,)}
SERIES = [("w", "acts"), ("w", "decisions", "live", "accepted", "kept"), ("v", "acts"), ("gone", "acts"), ("w", "operators", "somebody")]
BASE = T0 // MINUTE
NOW = {"w": after("9h"), "v": after("7h40m")}


def tracks(rows: Iterable[Contribution], parts: int) -> Iterator[Track]:
    """By series, as if read in parts."""
    for part in range(parts):
        for series, found in groupby(sorted([*rows][part::parts]), itemgetter(0)):
            minutes, amounts = zip(*(row[1:] for row in found), strict=True)
            yield series, np.array(minutes, np.int64), np.array(amounts, np.int64)


def content(windows: Windows, since: Since, trail: Trail) -> list[Any]:
    tallies = [(workflow, tally) for workflow in NOW for tally in ("acts", "decisions", "operators")]
    return [
        [dict(windows.sums(workflow, span, tally)) for workflow, tally in tallies for span in SPANS[workflow]],
        [dict(since.sums(*each)) for each in tallies],
        [list(trail.hours(*each, trail.begins(each[0]), NOW[each[0]])) for each in tallies if each[1] != "operators"],
    ]


@settings(max_examples=100, deadline=None)
@given(st.dictionaries(st.tuples(st.sampled_from(SERIES), st.integers(BASE - 120, BASE + 700)), st.integers(-3, 5).filter(bool)), st.integers(1, 3))
def test_tracks_come_to_the_same_as_their_rows(counts: dict[Any, int], parts: int) -> None:
    rows = [(series, minute, amount) for (series, minute), amount in counts.items()]
    by_rows, by_tracks = ((Windows(SPANS), Since(COMPANY.workflows), Trail(COMPANY.workflows, past=8 * HOUR)) for _ in range(2))
    began = {"w": T0 + HOUR, "v": None}

    for (windows, since, trail), given_rows in ((by_rows, rows), (by_tracks, [])):
        windows.load(NOW, given_rows)
        since.load(NOW, began, given_rows)
        trail.load(NOW, given_rows)
    for track in tracks(rows, parts):
        for each in by_tracks:
            each.take_track(track)

    assert content(*by_tracks) == content(*by_rows)
