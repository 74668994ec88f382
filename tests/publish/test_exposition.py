"""Our renderer says what prometheus-client's parsers read back."""

import math

from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.exposition import generate_latest
from prometheus_client.openmetrics import parser as openmetrics
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics
from prometheus_client.parser import text_string_to_metric_families as text_families

from rollout_metrics.catalog import Family, MetricType
from rollout_metrics.publish.exposition import Renderer

VALUES = st.one_of(st.integers(-(10**12), 10**12), st.floats(allow_nan=True, allow_infinity=True))
LABEL_TEXT = st.text(st.characters(codec="utf-8", exclude_categories=("Cs",), exclude_characters="\r"), max_size=12)
LABELS = st.tuples(LABEL_TEXT, LABEL_TEXT).map(lambda pair: (("workflow", pair[0]), ("window", pair[1])))
SAMPLES = st.dictionaries(LABELS, VALUES, max_size=6)


def same(left: float, right: float) -> bool:
    return left == right or (math.isnan(left) and math.isnan(right))


@settings(max_examples=100)
@given(gauges=SAMPLES, counters=st.dictionaries(LABELS, st.integers(0, 10**12), max_size=6), words=LABEL_TEXT)
def test_what_is_rendered_is_what_the_parsers_read(gauges: dict, counters: dict, words: str) -> None:
    families = [
        Family("agent_rollout_x_ratio", MetricType.GAUGE, f"Help {words!s} end.", "ratio", [("", labels, value) for labels, value in gauges.items()]),
        Family("agent_rollout_y", MetricType.COUNTER, "Counted.", "", [("_total", labels, value) for labels, value in counters.items()]),
    ]

    text, metrics = Renderer().render(families)

    for parsed in (list(text_families(text.decode())), list(openmetrics.text_string_to_metric_families(metrics.decode()))):
        read = {(s.name, tuple(s.labels.items())): s.value for family in parsed for s in family.samples}
        assert {key for key in read if key[0].endswith("_ratio")} == {("agent_rollout_x_ratio", labels) for labels in gauges}
        assert all(same(read["agent_rollout_x_ratio", labels], value) for labels, value in gauges.items())
        assert all(read["agent_rollout_y_total", labels] == value for labels, value in counters.items())
        assert parsed[0].documentation == f"Help {words!s} end."


def test_the_bytes_are_those_of_prometheus_client_for_floats() -> None:
    ours = [
        Family("a_seconds", MetricType.GAUGE, 'With "quotes" and \\ and\nlines.', "", [("", (("w", 'x"\\\n'),), 0.25), ("", (("w", "y"),), 1e-7)]),
        Family("b", MetricType.COUNTER, "Counted.", "", [("_total", (("w", "x"),), 2.5)]),
    ]

    class Collector:
        def collect(self):
            gauge = GaugeMetricFamily("a_seconds", ours[0].help, labels=["w"])
            gauge.add_metric(['x"\\\n'], 0.25)
            gauge.add_metric(["y"], 1e-7)
            counter = CounterMetricFamily("b", "Counted.", labels=["w"])
            counter.add_metric(["x"], 2.5)
            return [gauge, counter]

    text, metrics = Renderer().render(ours)

    assert text == generate_latest(Collector())
    assert metrics == generate_openmetrics(Collector())


def test_rendering_twice_gives_the_same_bytes() -> None:
    renderer = Renderer()
    families = [Family("a", MetricType.GAUGE, "A.", "", [("", (("w", "1"),), 1)])]

    assert renderer.render(families) == renderer.render(families) == Renderer().render(families)
