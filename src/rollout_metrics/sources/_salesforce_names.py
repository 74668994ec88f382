"""What Salesforce calls the ids, API names and fields that stand in events."""

from collections.abc import Iterator, Mapping

import msgspec

from rollout_metrics.collect.http import Api
from rollout_metrics.collect.names import given, named, together
from rollout_metrics.collect.source import Named

QUEUES = "SELECT Id, Name FROM Group WHERE Type = 'Queue' ORDER BY Name"
CHOICES = frozenset(("picklist", "multipicklist"))
CUSTOM = "__c"


class _Choice(msgspec.Struct):
    value: str
    label: str | None = None


class _Field(msgspec.Struct, rename="camel"):
    name: str
    label: str | None = None
    type: str | None = None
    picklist_values: list[_Choice] = []


class _RecordType(msgspec.Struct, rename="camel"):
    record_type_id: str
    name: str | None = None


class _Described(msgspec.Struct, rename="camel"):
    fields: list[_Field]
    record_type_infos: list[_RecordType] = []


_DESCRIBED = msgspec.json.Decoder(_Described)


def own(field: str) -> str:
    """The attribute of a field that has no name of ours."""
    return f"custom:{field.removesuffix(CUSTOM)}" if field.endswith(CUSTOM) else field


def names(api: Api, root: str, objects: Mapping[str, Mapping[str, str]]) -> Iterator[Named]:
    """A request for the queues and one for each object. `objects`: name -> field -> attribute."""
    yield from named(api, f"{root}/query", "owner", key="records", number="Id", name="Name", params={"q": QUEUES})
    yield from together({name: list(_described(api, f"{root}/sobjects/{name}/describe", attributes)) for name, attributes in objects.items()})


def _described(api: Api, path: str, attributes: Mapping[str, str]) -> Iterator[Named]:
    told = given(api, path, _DESCRIBED)
    if told is None:
        return
    yield from (Named(attributes["RecordTypeId"], one.record_type_id, one.name or "") for one in told.record_type_infos)
    for field in told.fields:
        attribute = attributes.get(field.name, own(field.name))
        if field.type in CHOICES and field.name.endswith(CUSTOM):
            yield Named(attribute, None, field.label or "")
        if field.name in attributes:
            yield from (Named(attribute, one.value, one.label or "") for one in field.picklist_values if one.label != one.value)
