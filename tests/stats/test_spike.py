import importlib.util
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from rollout_metrics.stats.spike import Basis, DayCount, HourCount, estimate, score, spike

TODAY = 20_000
NOW = TODAY * 24


@pytest.fixture(scope="module")
def study():
    """The benchmark, whose simulation and vectorised test are held against the shipped function here."""
    spec = importlib.util.spec_from_file_location("spikes_study", Path(__file__).parents[2] / "benchmarks" / "spikes.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules[spec.name]


def hours(first, last, count, total):
    """The same every hour from `first` to the one before `last`."""
    return [HourCount(hour, count, total) for hour in range(first, last)]


def days(first, last, counts=(9, 10, 11, 10), total=200):
    """Days that vary a little around their mean."""
    return [DayCount(day, counts[day % len(counts)], total) for day in range(first, last)]


def stream(first=NOW - 28 * 24, last=NOW, every=20, total=8):
    """One event in every so many decisions, evenly; 8 an hour by default."""
    rows, seen = [], 0
    for hour in range(first, last):
        before, seen = seen, seen + total
        rows.append(HourCount(hour, seen // every - before // every, total))
    return rows


def midpoint(distribution, count):
    """The normal score of the chance of more, and half that of as many."""
    return scipy.stats.norm.isf(distribution.sf(count) + distribution.pmf(count) / 2)


@pytest.mark.parametrize(
    ("distribution", "counts"),
    [
        (scipy.stats.poisson(2), (4, 7, 11)),
        (scipy.stats.poisson(60), (70, 90)),
        (scipy.stats.binom(200, 0.05), (12, 22, 27)),
        (scipy.stats.binom(40, 0.5), (25, 32)),
        (scipy.stats.nbinom(4, 4 / 14), (15, 30, 45)),
        (scipy.stats.nbinom(1, 1 / 11), (40, 80)),
    ],
)
def test_the_score_is_the_exact_chance_of_binomial_poisson_and_negative_binomial_counts(distribution, counts):
    for count in counts:
        assert score(count, distribution.mean(), distribution.var()) == pytest.approx(midpoint(distribution, count), abs=0.06)


@pytest.mark.parametrize(("total", "alpha", "beta", "count"), [(200, 4.95, 94.05, 30), (200, 60.5, 1440.5, 20), (25, 60.5, 1440.5, 5), (1000, 20, 80, 330)])
def test_the_score_is_close_to_the_chance_of_a_beta_binomial_count(total, alpha, beta, count):
    distribution = scipy.stats.betabinom(total, alpha, beta)

    assert score(count, distribution.mean(), distribution.var()) == pytest.approx(midpoint(distribution, count), abs=0.12)


@given(st.floats(0.5, 500), st.floats(0.7, 5), st.integers(0, 200))
@settings(max_examples=100, deadline=None)
def test_the_score_grows_with_the_count(mean, crowding, count):
    more = mean * (1 + np.array([count, count + 1]) / 20)

    first, second = score(more, np.asarray(mean), np.asarray(mean * max(crowding, 1)))

    assert second > first - 1e-9


def test_days_that_differ_by_no_more_than_chance_are_independent():
    totals = np.full(56, 200.0)
    counts = np.resize([7.0, 13, 10, 9, 11, 12, 8, 10], 56)

    found = estimate(counts, totals, np.arange(56) % 7)

    assert found.correlation == 0
    assert found.rates == pytest.approx(0.05, rel=0.02)


def test_days_that_differ_by_more_are_correlated():
    draw = np.random.default_rng(1)
    totals = np.full((200, 56), 200.0)
    counts = draw.binomial(200, draw.beta(0.05 * 99, 0.95 * 99, totals.shape)).astype(float)

    found = estimate(counts, totals, np.broadcast_to(np.arange(56) % 7, totals.shape))

    assert 0.009 < float(np.median(found.correlation)) < 0.02  # the margin for its own uncertainty included


def test_a_month_with_one_decision_a_day_says_nothing_of_how_alike_those_of_a_day_are():
    totals = np.concatenate([np.full(28, 1.0), np.full(28, 200.0)])
    counts = np.concatenate([np.resize([1.0, 0, 0], 28), np.resize([7.0, 13, 10, 9, 11, 12, 8, 10], 28)])

    assert estimate(counts, totals, np.arange(56) % 7).correlation == 0


def test_a_weekday_of_its_own_keeps_its_rate_and_the_others_share_theirs():
    totals = np.full(56, 200.0)
    weekdays = np.arange(56) % 7
    counts = np.where(weekdays == 3, 40.0, np.resize([9.0, 10, 11, 10], 56))

    found = estimate(counts, totals, weekdays)

    assert found.rates[3] == pytest.approx(0.2, rel=0.05)
    assert np.delete(found.rates, 3) == pytest.approx(0.05, rel=0.1)


def test_a_baseline_without_any_event_expects_one_all_the_same():
    found = estimate(np.zeros(56), np.full(56, 20.0), np.arange(56) % 7)

    mean, variance = found.expected(np.full(7, 10.0), np.asarray(700.0))

    assert mean == 1
    assert 1 <= variance < 1.5


def test_where_nothing_ever_happened_one_event_is_no_spike_and_ten_are():
    def look(events):
        return spike(days(TODAY - 90, TODAY - 28, counts=(0,)), [*hours(NOW - 28 * 24, NOW - 1, 0, 8), HourCount(NOW - 1, events, 10)], until=NOW)

    assert not look(1).alarm
    assert look(10).alarm


def test_a_steady_rate_is_no_spike():
    look = spike(days(TODAY - 90, TODAY - 28), stream(), until=NOW)

    assert look.basis == Basis.BASELINE
    assert look.statistic < 0.5
    assert not look.alarm


def test_a_tripled_day_is_a_spike_since_that_day():
    risen = stream(last=NOW - 24) + [HourCount(hour, 1 + hour % 2, 8) for hour in range(NOW - 24, NOW)]

    look = spike(days(TODAY - 90, TODAY - 28), risen, until=NOW)

    assert look.alarm
    assert (look.since, look.until, look.count, look.total) == (NOW - 24, NOW, 36, 192)
    assert look.expected == pytest.approx(9.6, rel=0.05)
    assert look.rate == pytest.approx(0.05, rel=0.05)
    assert (look.days, look.total_before) == (28, 27 * 192 + 200)


def test_the_same_day_is_no_spike_where_days_always_differed_as_much():
    wild = days(TODAY - 90, TODAY - 28, counts=(1, 30, 3, 6, 2, 25, 4, 9))
    recent = [HourCount(hour, [0, 1, 0, 0, 0, 1, 0, 0, 2][(hour // 24) % 9], 8) for hour in range(NOW - 28 * 24, NOW - 24)]
    risen = [*recent, *(HourCount(hour, 1 + hour % 2, 8) for hour in range(NOW - 24, NOW))]

    look = spike(wild, risen, until=NOW)

    assert look.correlation > 0.01
    assert not look.alarm


def test_small_volumes_are_judged_by_weeks():
    quiet = [HourCount(hour, int(hour % 480 == 0), int(hour % 5 == 0)) for hour in range(NOW - 28 * 24, NOW - 7 * 24)]
    risen = [HourCount(hour, int(hour % 10 == 0), int(hour % 5 == 0)) for hour in range(NOW - 7 * 24, NOW)]

    look = spike(days(TODAY - 90, TODAY - 28, counts=(0, 0, 1, 0), total=5), quiet + risen, until=NOW)

    assert look.alarm
    assert look.until - look.since in (7 * 24, 28 * 24)


def test_without_a_baseline_the_limit_takes_its_place():
    begun = NOW - 3 * 24
    look = spike([], hours(begun, NOW, 4, 8), until=NOW, limit=0.1)

    assert look.basis == Basis.LIMIT
    assert look.alarm
    assert look.since >= begun
    assert look.rate == pytest.approx(0.1)
    assert not spike([], hours(begun, NOW, 1, 12), until=NOW, limit=0.1).alarm


def test_with_neither_there_is_no_statistic():
    assert spike([], [], until=NOW, limit=0.1).statistic is None
    assert spike([], hours(NOW - 48, NOW, 4, 8), until=NOW).basis == Basis.NONE
    assert spike(days(TODAY - 90, TODAY - 28), hours(NOW - 28 * 24, NOW - 28 * 24 + 19, 0, 1), until=NOW).statistic is None


def test_thirteen_days_are_no_baseline_and_fourteen_are():
    def basis(first):
        return spike([], stream(first=first), until=NOW, limit=0.5).basis

    assert basis(NOW - 14 * 24) == Basis.LIMIT
    assert basis(NOW - 15 * 24) == Basis.BASELINE


def test_a_window_never_reaches_before_the_stream():
    look = spike([], stream(first=NOW - 15 * 24), until=NOW)

    assert look.until - look.since == 24


def test_how_it_is_cut_into_days_and_hours_and_put_in_order_changes_nothing():
    draw = np.random.default_rng(4)
    rows = [HourCount(hour, int(draw.binomial(8, 0.07)), 8) for hour in range(NOW - 90 * 24, NOW - 5)]

    def cut(day):
        early = [row for row in rows if row.hour < day * 24]
        late = [row for row in rows if row.hour >= day * 24]
        by_day = {d: [row for row in early if row.hour // 24 == d] for d in range(TODAY - 90, day)}
        whole = [DayCount(d, sum(row.count for row in of_day), sum(row.total for row in of_day)) for d, of_day in by_day.items()]
        return spike(whole, late[::-1], until=NOW - 5)

    assert cut(TODAY - 29) == cut(TODAY - 40) == cut(TODAY - 90)


def test_what_comes_later_and_what_is_long_past_is_not_looked_at():
    known = spike(days(TODAY - 85, TODAY - 28), stream(), until=NOW - 30)

    assert spike(days(TODAY - 85, TODAY - 28), stream(last=NOW - 30), until=NOW - 30) == known
    assert spike([DayCount(3, 200, 200), *days(TODAY - 120, TODAY - 28)], stream(), until=NOW) == spike(days(TODAY - 85, TODAY - 28), stream(), until=NOW)


@given(st.integers(0, 23), st.integers(1, 7))
@settings(max_examples=25, deadline=None)
def test_more_events_in_the_last_day_never_lower_the_statistic(back, more):
    rows = stream()
    place = len(rows) - 1 - back
    worse = [*rows[:place], replace(rows[place], count=min(rows[place].count + more, 8)), *rows[place + 1 :]]
    before = days(TODAY - 90, TODAY - 28)

    assert spike(before, worse, until=NOW).statistic >= spike(before, rows, until=NOW).statistic


def test_nonsense_is_refused():
    with pytest.raises(ValueError, match="between 0 and its total"):
        spike([], [HourCount(NOW - 1, 3, 2)], until=NOW)
    with pytest.raises(ValueError, match="before the day of its stream"):
        spike(days(TODAY - 3, TODAY), stream(), until=NOW)


@pytest.mark.parametrize(("volume", "weekdays"), [(200, False), (50, True), (10, False)])
def test_the_study_measures_what_ships(study, volume, weekdays):
    world = study.World(volume, 0.05, 0.01, weekdays=weekdays)
    data, _ = study.simulate(np.random.default_rng(8), world, 2, 10)
    statistic = study.ours(data, world)

    for look in range(0, data.ends.size, 37):
        rows = [HourCount(hour, int(data.counts[1, hour]), int(data.totals[1, hour])) for hour in range(data.ends[look])]
        found = spike([], rows, until=int(data.ends[look])).statistic
        assert (found or -np.inf) == pytest.approx(statistic[1, look], rel=1e-9)


def test_alarms_a_day_apart_are_two_and_nearer_ones_are_one(study):
    statistic = np.zeros((1, 100))
    statistic[0, [3, 4, 27, 60]] = 1

    assert study.alarms(statistic) == 2


def test_a_delay_is_counted_from_the_rise_to_the_first_alarm_after_it(study):
    data = study.Data(np.zeros((2, 40)), np.zeros((2, 40)), 10)
    statistic = np.zeros((2, data.ends.size))
    statistic[0, [1, 12]] = 1

    assert study.delays(statistic, data, np.array([15, 15])).tolist() == [7, study.NEVER]


def test_false_alarms_are_few_and_a_tripling_is_found(study):
    draw = np.random.default_rng(11)
    quiet, _ = study.simulate(draw, study.World(200, 0.05, 0.01), 40, study.QUARTER)
    risen, begins = study.simulate(draw, study.World(200, 0.05, 0), 40, study.AFTER, 3.0)

    statistic = study.ours(quiet, study.World(200, 0.05, 0.01))
    late = study.delays(study.ours(risen, study.World(200, 0.05, 0)), risen, begins)

    assert study.alarms(statistic) <= 15  # 5 expected at the most that is allowed
    assert (late <= 72).mean() >= 0.95
    assert (late <= 24).mean() >= 0.6
