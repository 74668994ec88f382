"""The text for back-filling: every sample of every instant, in the order that OpenMetrics wants, read back by its own parser."""

import re
import tempfile

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse

from rollout_metrics.catalog import METRICS, Family, MetricType
from rollout_metrics.publish.history import History

SAMPLE = re.compile(r"^(\w+)\{(.*)\} (\S+) (\S+)$", re.MULTILINE)
LABEL = re.compile(r'(\w+)="([^"]*)"')
NUMBERS = st.floats(allow_nan=False, allow_infinity=False, width=32)
SHARES = st.dictionaries(st.tuples(st.sampled_from(("refunds", "triage")), st.sampled_from(("1d", "7d"))), NUMBERS, max_size=4)
INSTANTS = st.lists(st.tuples(SHARES, st.dictionaries(st.sampled_from(("refunds", "triage")), st.integers(0, 1000))), max_size=9)


def families(shares, counts):
    """A gauge over windows, a counter, a histogram, an info."""
    ratio, settled = METRICS["bypass_ratio"], METRICS["decisions_settled_total"]
    latency, info = METRICS["review_latency_seconds"], METRICS["workflow_info"]
    histogram = [
        (suffix, (("workflow", name), *extra), count)
        for name, count in counts.items()
        for suffix, extra in (("_bucket", (("le", "1.0"),)), ("_bucket", (("le", "+Inf"),)), ("_sum", ()), ("_count", ()))
    ]
    return [
        ratio.collect([ratio.sample(value, *labels) for labels, value in shares.items()]),
        settled.collect([settled.sample(count, name, "accepted") for name, count in counts.items()]),
        latency.collect(histogram),
        info.collect([info.sample(1, name, "support", "low", "team", str(count)) for name, count in counts.items()]),
    ]


@given(INSTANTS, st.integers(1, 4))
def test_every_sample_comes_back_with_its_instant_whatever_fits_into_memory(given_, block):
    wanted = {}
    with tempfile.TemporaryFile() as spool:
        history = History(spool, block)
        for place, (shares, counts) in enumerate(given_):
            made = families(shares, counts)
            history.add(place * 60_000_000, made)
            for family in made:
                for suffix, labels, value in family.samples:
                    wanted[family.name + suffix, frozenset(labels), place * 60] = value
        text = "".join(history.lines())

    # prometheus-client's parser loses buckets of a histogram from its second instant on, so it is shown the rest
    plain = "".join(line for line in text.splitlines(keepends=True) if "review_latency" not in line)
    parsed = {(sample.name, frozenset(sample.labels.items()), float(sample.timestamp)): sample.value for family in parse(plain) for sample in family.samples}
    read = {(found[1], frozenset(LABEL.findall(found[2])), float(found[4])): float(found[3]) for found in SAMPLE.finditer(text)}
    groups = [(found[1].rpartition("_")[0], found[2].partition(',le="')[0], float(found[4])) for found in SAMPLE.finditer(text) if "latency" in found[1]]

    assert read == wanted
    assert parsed == {key: value for key, value in wanted.items() if "review_latency" not in key[0]}
    assert groups == sorted(groups, key=lambda group: [name for _, name, _ in groups].index(group[1]))
    assert text.endswith("# EOF\n")


def test_a_family_without_samples_is_not_named():
    with tempfile.TemporaryFile() as spool:
        history = History(spool)
        history.add(0, [Family("agent_rollout_nothing", MetricType.GAUGE, "Nothing.", "", [])])

        assert "".join(history.lines()) == "# EOF\n"
