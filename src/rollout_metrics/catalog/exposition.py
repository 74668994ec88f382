"""Metric families with their samples: what figures hand over and publishing renders."""

from enum import StrEnum

import msgspec

Labels = tuple[tuple[str, str], ...]
"""`(label, value)` pairs in the order in which they are written."""

Sample = tuple[str, Labels, float]
"""`(suffix, labels, value)`: the suffix is `""`, `_total`, `_info`, `_bucket`, `_sum` or `_count`."""


class MetricType(StrEnum):
    """What a series is to Prometheus."""

    GAUGE = "gauge"
    COUNTER = "counter"
    HISTOGRAM = "histogram"
    INFO = "info"


class Family(msgspec.Struct, frozen=True, gc=False):
    """One metric's samples. `name` goes without its samples' suffixes: a counter's without `_total`, an info's without `_info`."""

    name: str
    type: MetricType
    help: str
    unit: str
    samples: list[Sample]
