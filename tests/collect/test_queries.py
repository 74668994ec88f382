from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy

from rollout_metrics.collect.queries import Query, Reached, rows_of
from rollout_metrics.domain.errors import ConfigurationError, CredentialsError, RetryLater
from rollout_metrics.domain.time import MINUTE
from servers import Postgres, postgres, postgres_programs

SQL = "SELECT id, changed, amount, tags, payload, 100 % 7 AS rest, '10:30'::text AS clock, active FROM audit"
COLUMNS = frozenset({"id", "changed", "amount", "tags", "payload", "rest", "clock", "active"})


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    if postgres_programs() is None:
        pytest.skip("PostgreSQL 15 or later is not installed")
    with postgres() as running:
        yield running


@pytest.fixture
def url(server: Postgres) -> str:
    found = server.new_database()
    execute(found, "CREATE TABLE audit (id INTEGER, changed TIMESTAMPTZ, amount NUMERIC(9, 2), tags TEXT[], payload JSONB, active BOOLEAN)")
    insert(found, 1, "2026-03-02T09:00:00Z")
    insert(found, 2, "2026-03-02T10:00:00Z")
    return found


def execute(url: str, *statements: str) -> None:
    engine = sqlalchemy.create_engine(url.replace("postgresql:", "postgresql+psycopg:"))
    with engine.begin() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)
    engine.dispose()


def insert(url: str, number: int, changed: str) -> None:
    execute(url, f"""INSERT INTO audit VALUES ({number}, '{changed}', 12.50, '{{b,a}}', '{{"b": 1, "a": null}}', TRUE)""")


def query(url: str, **options: Any) -> Query:
    given = {"url": url, "sql": SQL, "watermark": "changed", "case": None, "columns": COLUMNS, "nulls": frozenset({""}), **options}
    return Query(**given)


def read(found: Query, reached: Reached | None = None, lookback: int = 0) -> tuple[list[str | None], Reached | None]:
    ids = []
    for row, further in rows_of(found, reached, lookback):
        ids.append(row.values["id"])
        reached = further
    return ids, reached


def test_typed_values_of_postgresql_become_canonical_text(url: str) -> None:
    row, _ = next(iter(rows_of(query(url, sql=SQL + ";"), None, 0)))

    assert {name: value for name, value in row.values.items() if name != "changed"} == {
        "id": "1",
        "amount": "12.5",
        "tags": '["a","b"]',
        "payload": '{"a":null,"b":1}',
        "rest": "2",
        "clock": "10:30",
        "active": "true",
    }
    assert row.where.endswith(": row 1")


def test_a_time_is_looked_back_from(url: str) -> None:
    ids, reached = read(query(url))
    insert(url, 3, "2026-03-02T09:55:00Z")
    insert(url, 4, "2026-03-02T10:05:00Z")

    assert ids == ["1", "2"]
    assert read(query(url), reached, 10 * MINUTE)[0] == ["3", "2", "4"]
    assert read(query(url), reached)[0] == ["2", "4"]


def test_whole_cases_are_read_where_one_of_their_rows_is_new(url: str) -> None:
    _, reached = read(query(url))
    insert(url, 1, "2026-03-02T11:00:00Z")

    assert sorted(str(number) for number in read(query(url, case="id"), reached)[0]) == ["1", "1", "2"]


def test_reading_cannot_write(url: str) -> None:
    execute(url, "CREATE FUNCTION spoil() RETURNS INTEGER LANGUAGE sql AS 'DELETE FROM audit; SELECT 1'")

    with pytest.raises(ConfigurationError, match="read-only transaction"):
        read(query(url, sql="SELECT 1 AS id, spoil() AS changed", columns=frozenset({"id"})))


def test_a_refusal_names_the_remedy_and_no_secret(server: Postgres, url: str) -> None:
    execute(url, "CREATE ROLE nobody_here LOGIN")
    stranger = url.replace("rollout@", "nobody_here:hidden@")

    with pytest.raises(CredentialsError, match="check user, password and permissions") as error:
        read(query(stranger))
    assert "hidden" not in str(error.value)
    with pytest.raises(CredentialsError, match="the database refuses us"):
        read(query(url.replace("rollout@", "unknown:hidden@")))
    with pytest.raises(RetryLater, match="does not answer"):
        read(query(url.replace(str(server.port), "1")))
    with pytest.raises(ConfigurationError, match="check the query"):
        read(query(url, sql="SELEC"))
