"""One figure out of a database or a Prometheus, or a sentence that says why there is none."""

import json
import re
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from rollout_metrics.collect.harm_figures import of_expression, of_query
from rollout_metrics.collect.http import Api, Endpoint
from rollout_metrics.derive.harm import Figure
from rollout_metrics.domain.errors import ConfigurationError, PayloadError, RetryLater
from rollout_metrics.domain.time import DAY, SECOND, parse_instant
from sources.server import Reply, Request, serving

DEPLOYED = parse_instant("2026-03-02T09:00:00Z")
AT = DEPLOYED + 2 * DAY


@pytest.fixture
def shop(tmp_path: Path) -> str:
    connection = sqlite3.connect(tmp_path / "shop.db")
    connection.execute("CREATE TABLE orders (at TEXT, refunded INTEGER)")
    rows = [("2026-03-01T00:00:00Z", 1), ("2026-03-03T00:00:00Z", 1), ("2026-03-03T12:00:00Z", 0), ("2026-03-09T00:00:00Z", 1)]
    connection.executemany("INSERT INTO orders VALUES (?, ?)", rows)
    connection.commit()
    connection.close()
    return f"sqlite:///{tmp_path / 'shop.db'}"


def asked(url: str, sql: str, seconds: int = 30) -> Figure:
    return of_query(url, sql, deployed_at=DEPLOYED, at=AT, timeout=seconds * SECOND)


class TestQueries:
    def test_one_column_is_a_plain_number(self, shop: str) -> None:
        assert asked(shop, "SELECT count(*) * 1.5 FROM orders;") == Figure(AT, value=6.0)

    def test_two_columns_are_a_count_and_its_total_since_the_deployment(self, shop: str) -> None:
        sql = "SELECT sum(refunded), count(*) FROM orders WHERE at > :deployed_at AND at <= :at AND at <> '12:30'"

        assert asked(shop, sql) == Figure(AT, 1, 2)

    @pytest.mark.parametrize(
        ("sql", "error", "message"),
        [
            ("SELECT refunded FROM orders", PayloadError, "more than one row"),
            ("SELECT refunded FROM orders WHERE at = 'never'", PayloadError, "yields no row"),
            ("SELECT sum(refunded) FROM orders WHERE at = 'never'", PayloadError, "is no number"),
            ("SELECT 5, 4", PayloadError, "5 of 4 is no share"),
            ("SELECT 1, 2, 3", PayloadError, "3 columns"),
            ("SELECT 1 FROM nowhere", ConfigurationError, "no such table"),
            ("DELETE FROM orders RETURNING 1", RetryLater, "readonly"),
        ],
    )
    def test_what_cannot_be_judged_is_said(self, shop: str, sql: str, error: type[Exception], message: str) -> None:
        with pytest.raises(error, match=re.escape(message)):
            asked(shop, sql)

    def test_a_query_that_takes_too_long_is_ended(self, shop: str) -> None:
        endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"

        with pytest.raises(RetryLater, match="interrupted"):
            asked(shop, endless, 0)


def prometheus(data: dict[str, Any], expression: str = "up") -> tuple[Figure, Request]:
    with serving(lambda _: Reply(json.dumps({"status": "success", "data": data}).encode())) as server:
        api = Api(Endpoint(base_url=server.url, attempts=1))
        figure = of_expression(api, expression, deployed_at=DEPLOYED, at=AT)
        api.close()
        return figure, server.requests[0]


class TestExpressions:
    def test_one_sample_is_the_figure_at_the_instant_asked_for(self) -> None:
        data = {"resultType": "vector", "result": [{"metric": {}, "value": [1.0, "0.25"]}]}

        figure, request = prometheus(data, "increase(returns[$since])")

        assert figure == Figure(AT, value=0.25)
        assert request.query["query"] == ["increase(returns[172800s])"]
        assert float(request.query["time"][0]) == AT / SECOND

    def test_a_scalar_is_one_too(self) -> None:
        assert prometheus({"resultType": "scalar", "result": [1.0, "3"]})[0].value == 3

    @pytest.mark.parametrize(
        ("result", "message"),
        [([], "0 samples"), ([{"value": [0, "1"]}, {"value": [0, "2"]}], "2 samples"), ([{"value": [0, "NaN"]}], "not finite")],
    )
    def test_anything_else_is_no_figure(self, result: list[Any], message: str) -> None:
        with pytest.raises(PayloadError, match=message):
            prometheus({"resultType": "vector", "result": result})
