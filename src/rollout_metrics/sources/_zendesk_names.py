"""What people call Zendesk's groups, forms and custom fields."""

from collections.abc import Iterator, Mapping

import msgspec

from rollout_metrics.collect.http import Api, decode
from rollout_metrics.collect.source import Named

LISTED: Mapping[str, str] = {"groups": "group", "ticket_forms": "form", "ticket_fields": ""}
"""Listings, and the attribute whose values they name; fields name attributes."""
MISSING = frozenset((403, 404))
"""Plans without several forms have no listing of them."""


class _Titled(msgspec.Struct, gc=False):
    id: int
    name: str = ""
    title: str = ""


class _Titles(msgspec.Struct):
    groups: list[_Titled] = []
    ticket_forms: list[_Titled] = []
    ticket_fields: list[_Titled] = []


_TITLES = msgspec.json.Decoder(_Titles)


def names(api: Api, fields: Mapping[str, str]) -> Iterator[Named]:
    """The first hundred of each. `fields`: custom field id -> the attribute it is."""
    for listing, attribute in LISTED.items():
        answer = api.get(f"/api/v2/{listing}.json", {"per_page": 100}, accept=MISSING)
        for one in getattr(decode(answer, _TITLES), listing) if answer.status == 200 else ():
            number = str(one.id)
            field = fields.get(number, f"custom:{number}")
            yield Named(attribute or field, number if attribute else None, one.name or one.title)
