"""Harm metrics that stand elsewhere: one figure out of a database or a Prometheus."""

from math import isfinite
from typing import Any

import msgspec

from rollout_metrics.collect.http import Api, decode
from rollout_metrics.collect.queries import check_url, one_row
from rollout_metrics.derive.harm import Figure
from rollout_metrics.domain.errors import PayloadError
from rollout_metrics.domain.time import SECOND, Instant, Span, format_instant

SINCE = "$since"
"""In an expression: the time since the deployment, as a range (`86400s`)."""


def of_query(url: str, sql: str, *, deployed_at: Instant, at: Instant, timeout: Span) -> Figure:
    """What a query yields: one number, or a count and its total. `:deployed_at` and `:at` are known to it, as ISO 8601 in UTC."""
    row = one_row(url, sql, {"deployed_at": format_instant(deployed_at), "at": format_instant(at)}, timeout=timeout)
    shown = check_url(url)
    if len(row) == 1:
        return Figure(at, value=_number(row[0], shown))
    if len(row) == 2:
        count, total = (_number(value, shown) for value in row)
        if not (count.is_integer() and total.is_integer() and 0 <= count <= total):
            raise PayloadError(f"{shown}: {count:g} of {total:g} is no share: let the query yield a count and the total it is part of")
        return Figure(at, int(count), int(total))
    raise PayloadError(f"{shown}: the query yields {len(row)} columns: one number, or a count and its total, is what can be judged")


class _Data(msgspec.Struct):
    resultType: str  # noqa: N815
    result: Any


class _Response(msgspec.Struct):
    data: _Data


_RESPONSE = msgspec.json.Decoder(_Response)


def of_expression(api: Api, expression: str, *, deployed_at: Instant, at: Instant) -> Figure:
    """What an expression yields at an instant: a scalar, or a vector of one sample. `$since` in it is the time since the deployment."""
    asked = expression.replace(SINCE, f"{max(1, (at - deployed_at) // SECOND)}s")
    answer = api.get("api/v1/query", {"query": asked, "time": at / SECOND})
    data = decode(answer, _RESPONSE).data
    samples = [data.result] if data.resultType == "scalar" else [item["value"] for item in data.result] if data.resultType == "vector" else []
    if len(samples) != 1:
        raise PayloadError(f"{answer.where}: the expression yields {len(samples)} samples: aggregate it to one")
    return Figure(at, value=_number(samples[0][1], answer.where))


def _number(value: object, where: str) -> float:
    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        raise PayloadError(f"{where}: what it yields is no number") from None
    if not isfinite(number):
        raise PayloadError(f"{where}: what it yields is not finite")
    return number
