"""What a system's own listings call the ids that stand in events."""

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from rollout_metrics.collect.http import Api, decode
from rollout_metrics.collect.source import Named

REFUSED = frozenset((403, 404))

_LIST = msgspec.json.Decoder(list[dict[str, Any]])
_OBJECT = msgspec.json.Decoder(dict[str, Any])


def listing(api: Api, path: str, *, key: str = "", params: Mapping[str, Any] | None = None) -> Iterator[dict[str, Any]]:
    """The records of a listing's first page, `key` holding them; none where there is no such listing, or not for us."""
    answer = api.get(path, params, accept=REFUSED)
    if answer.status == 200:
        found = decode(answer, _OBJECT).get(key) if key else decode(answer, _LIST)
        yield from (one for one in found or () if isinstance(one, dict) and "id" in one)


def named(api: Api, path: str, attribute: str, *, key: str = "", name: str = "name", params: Mapping[str, Any] | None = None) -> Iterator[Named]:
    """What the values of an attribute are called there."""
    return (Named(attribute, str(one["id"]), str(one.get(name) or "")) for one in listing(api, path, key=key, params=params))
