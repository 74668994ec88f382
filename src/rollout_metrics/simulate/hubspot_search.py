"""HubSpot's search language: groups of filters, of which one group must hold, and a single order."""

from collections.abc import Callable, Mapping

import msgspec

from rollout_metrics.simulate.hubspot_shapes import number_of


class BadSearch(ValueError):  # noqa: N818
    """A query that HubSpot refuses."""


class Filter(msgspec.Struct, rename="camel"):
    """One comparison; times are epoch milliseconds as text."""

    property_name: str
    operator: str
    value: str | None = None
    high_value: str | None = None
    values: list[str] = []


class FilterGroup(msgspec.Struct):
    """Filters that must all hold."""

    filters: list[Filter]


class Order(msgspec.Struct, rename="camel"):
    """Sort by a property."""

    property_name: str
    direction: str = "ASCENDING"


class Search(msgspec.Struct, rename="camel"):
    """A query."""

    filter_groups: list[FilterGroup] = []
    sorts: list[str | Order] = []
    properties: list[str] = []
    limit: int = 10
    after: str | int | None = None
    query: str | None = None

    def check(self) -> None:
        """Raises `BadSearch` beyond what HubSpot documents."""
        if len(self.filter_groups) > 5 or any(len(group.filters) > 6 for group in self.filter_groups):
            raise BadSearch("at most 5 filter groups of 6 filters")
        if sum(len(group.filters) for group in self.filter_groups) > 18:
            raise BadSearch("at most 18 filters")
        if len(self.sorts) > 1:
            raise BadSearch("at most one sort")
        if not 1 <= self.limit <= 200:
            raise BadSearch("limit must lie between 1 and 200")
        for group in self.filter_groups:
            for item in group.filters:
                if item.operator not in _TESTS:
                    raise BadSearch(f"{item.operator} is no operator")

    def order(self) -> tuple[str, bool]:
        """Property, and whether descending."""
        if not self.sorts:
            return "hs_object_id", False
        first = self.sorts[0]
        if isinstance(first, Order):
            return first.property_name, first.direction == "DESCENDING"
        return first.lstrip("-"), first.startswith("-")


def matches(properties: Mapping[str, str | None], query: Search) -> bool:
    """Whether an object is found."""
    return not query.filter_groups or any(all(_holds(properties, item) for item in group.filters) for group in query.filter_groups)


def _holds(properties: Mapping[str, str | None], item: Filter) -> bool:
    return _TESTS[item.operator](properties.get(item.property_name), item)


def _compared(compare: Callable[[float, float], bool]) -> Callable[[str | None, Filter], bool]:
    def test(value: str | None, item: Filter) -> bool:
        left = None if value is None else number_of(value)
        right = None if item.value is None else number_of(item.value)
        return left is not None and right is not None and compare(left, right)

    return test


def _between(value: str | None, item: Filter) -> bool:
    found = None if value is None else number_of(value)
    low, high = number_of(item.value or ""), number_of(item.high_value or "")
    return found is not None and low is not None and high is not None and low <= found <= high


_TESTS: dict[str, Callable[[str | None, Filter], bool]] = {
    "EQ": lambda value, item: value == item.value or _compared(lambda left, right: left == right)(value, item),
    "NEQ": lambda value, item: value != item.value,
    "GT": _compared(lambda left, right: left > right),
    "GTE": _compared(lambda left, right: left >= right),
    "LT": _compared(lambda left, right: left < right),
    "LTE": _compared(lambda left, right: left <= right),
    "BETWEEN": _between,
    "IN": lambda value, item: value in item.values,
    "NOT_IN": lambda value, item: value not in item.values,
    "HAS_PROPERTY": lambda value, _: value is not None,
    "NOT_HAS_PROPERTY": lambda value, _: value is None,
}
