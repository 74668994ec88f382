"""What a system's own listings call the ids that stand in events."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeVar

import msgspec

from rollout_metrics.collect.http import Api, decode
from rollout_metrics.collect.source import Named

T = TypeVar("T")

REFUSED = frozenset((400, 403, 404))
"""How a listing is answered that is not for us, or that this system or this version of it does not have. Names are a comfort: such a listing has none."""

_LIST: msgspec.json.Decoder[Any] = msgspec.json.Decoder(list[dict[str, Any]])
_OBJECT: msgspec.json.Decoder[Any] = msgspec.json.Decoder(dict[str, Any])


def given(
    api: Api, path: str, decoder: msgspec.json.Decoder[T], *, params: Mapping[str, Any] | None = None, headers: Mapping[str, str] | None = None
) -> T | None:
    """What is answered; None where it is refused."""
    answer = api.get(path, params, accept=REFUSED, headers=headers)
    return decode(answer, decoder) if answer.status == 200 else None


def listing(
    api: Api, path: str, *, key: str = "", number: str = "id", params: Mapping[str, Any] | None = None, headers: Mapping[str, str] | None = None
) -> Iterator[dict[str, Any]]:
    """The records of a listing's first page that have a `number`, `key` holding them; none where there is no such listing, or not for us."""
    told = given(api, path, _OBJECT if key else _LIST, params=params, headers=headers)
    found = told.get(key) if told and key else told
    yield from (one for one in found or () if isinstance(one, dict) and one.get(number) is not None)


def named(
    api: Api, path: str, attribute: str, *, key: str = "", number: str = "id", name: str = "name", params: Mapping[str, Any] | None = None
) -> Iterator[Named]:
    """What the values of an attribute are called there; `number` and `name`: where a record says which and how."""
    return (Named(attribute, str(one[number]), str(one.get(name) or "")) for one in listing(api, path, key=key, number=number, params=params))


def together(told: Mapping[str, Iterable[Named]]) -> Iterator[Named]:
    """The names that several places tell (tables, systems); what is called differently in them by every name, each with its places."""
    names: dict[tuple[str, str | None], dict[str, list[str]]] = defaultdict(dict)
    for place, those in told.items():
        for one in those:
            if not one.name:
                continue
            places = names[one.attribute, one.value].setdefault(one.name, [])
            if place not in places:
                places.append(place)
    for (attribute, value), found in names.items():
        said = found if len(found) == 1 else (f"{name} in {' and '.join(places)}" for name, places in found.items())
        yield Named(attribute, value, ", ".join(said))
