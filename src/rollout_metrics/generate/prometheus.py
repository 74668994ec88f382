"""Questions to a Prometheus over its HTTP API: an expression now or over time, and the values of a label."""

from typing import Any

import msgspec

from rollout_metrics.collect.http import Answer, Api, Endpoint, decode
from rollout_metrics.domain.errors import PayloadError

ATTEMPTS = 2
"""A person is waiting: a second try, no more."""

_BAD_QUESTION = frozenset((400, 422))


class Sampled(msgspec.Struct, frozen=True):
    """A series: its labels, and its samples as `(unix seconds, value)`; one sample where it was asked for an instant."""

    labels: dict[str, str]
    samples: list[tuple[float, float]]


class _Reply(msgspec.Struct):
    status: str
    data: Any = None
    error: str = ""


_REPLY = msgspec.json.Decoder(_Reply)


class Prometheus:
    """One server. Raises `RetryLater`, `CredentialsError`, `PayloadError`; a question it does not understand is a `PayloadError` with its words."""

    def __init__(self, url: str) -> None:
        shown = frozenset(("query", "match[]", "time"))
        self._api = Api(
            Endpoint(base_url=url, attempts=ATTEMPTS, patience=5.0, read_timeout=60.0, shown=shown, then="see that it runs, and that the address is right")
        )

    def now(self, expression: str, at: float) -> list[Sampled]:
        """The vector of an expression at an instant; a scalar is one series without labels."""
        data = self._asked("api/v1/query", query=expression, time=f"{at:.3f}")
        if data["resultType"] == "scalar":
            return [Sampled({}, [_sample(data["result"])])]
        return [Sampled(item["metric"], [_sample(item["value"])]) for item in data["result"]]

    def over(self, expression: str, start: float, end: float, step: float) -> list[Sampled]:
        """The matrix of an expression over a stretch of time."""
        data = self._asked("api/v1/query_range", query=expression, start=f"{start:.3f}", end=f"{end:.3f}", step=f"{step:g}")
        return [Sampled(item["metric"], [_sample(pair) for pair in item["values"]]) for item in data["result"]]

    def label_values(self, selector: str, label: str, start: float, end: float) -> list[str]:
        """The values that a label has in the series of a selector, by alphabet."""
        found = self._asked(f"api/v1/label/{label}/values", **{"match[]": selector, "start": f"{start:.3f}", "end": f"{end:.3f}"})
        return sorted(str(value) for value in found)

    def close(self) -> None:
        """Give the connection back."""
        self._api.close()

    def _asked(self, path: str, **params: str) -> Any:
        answer: Answer = self._api.get(path, params, accept=_BAD_QUESTION)
        reply = decode(answer, _REPLY)
        if reply.status != "success":
            raise PayloadError(f"Prometheus does not understand {params.get('query') or params.get('match[]')}: {reply.error}")
        return reply.data


def _sample(pair: Any) -> tuple[float, float]:
    return float(pair[0]), float(pair[1])
