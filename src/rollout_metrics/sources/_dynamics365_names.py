"""What Dynamics 365 calls the ids, numbers of choices and columns that stand in events."""

from collections.abc import Callable, Iterator, Mapping, Sequence

import msgspec

from rollout_metrics.collect.http import Api
from rollout_metrics.collect.names import given, listing, together
from rollout_metrics.collect.source import Named

API = "/api/data/v9.2/"
LARGEST = {"Prefer": "odata.maxpagesize=5000"}
CHOICES: Mapping[str, str] = {
    "Picklist": "OptionSet($select=Options),GlobalOptionSet($select=Options)",
    "State": "OptionSet($select=Options)",
    "Status": "OptionSet($select=Options)",
}
"""Types of columns of choices -> what to expand for their labels."""


class _Listed(msgspec.Struct, frozen=True):
    """A table of what a column's ids stand for. Of owners only teams: the others are persons, and so are the queues that bear their names."""

    column: str
    table: str
    number: str
    name: str
    only: str | None = None


LISTED = (
    _Listed("ownerid", "teams", "teamid", "name", "teamtype ne 1"),  # teams of access to one row are many, and own nothing
    _Listed("subjectid", "subjects", "subjectid", "title"),
    _Listed("productid", "products", "productid", "name"),
    _Listed("stageid", "processstages", "processstageid", "stagename"),
)


class _Text(msgspec.Struct):
    label: str | None = msgspec.field(name="Label", default=None)


class _Label(msgspec.Struct):
    """A text in the reader's language, where that is known, and in all."""

    mine: _Text | None = msgspec.field(name="UserLocalizedLabel", default=None)
    all: list[_Text] = msgspec.field(name="LocalizedLabels", default_factory=list)

    def text(self) -> str:
        return next((one.label for one in (self.mine, *self.all) if one is not None and one.label), "")


class _Option(msgspec.Struct, rename="pascal"):
    value: int
    label: _Label = msgspec.field(default_factory=_Label)


class _Options(msgspec.Struct, rename="pascal"):
    options: list[_Option] = []


class _Column(msgspec.Struct, rename="pascal"):
    logical_name: str
    display_name: _Label | None = None
    is_custom_attribute: bool = False
    option_set: _Options | None = None
    global_option_set: _Options | None = None


class _Columns(msgspec.Struct):
    value: list[_Column]


_COLUMNS = msgspec.json.Decoder(_Columns)


def names(api: Api, tables: Sequence[str], attribute: Callable[[str], str]) -> Iterator[Named]:
    """A request for each listing, and three for each table. `attribute`: what a column is called in events."""
    for each in LISTED:
        asked = {"$select": f"{each.number},{each.name}", **({"$filter": each.only} if each.only else {})}
        for row in listing(api, API + each.table, key="value", number=each.number, params=asked, headers=LARGEST):
            yield Named(attribute(each.column), str(row[each.number]).lower(), str(row.get(each.name) or ""))
    yield from together({table: list(_choices(api, table, attribute)) for table in tables})


def _choices(api: Api, table: str, attribute: Callable[[str], str]) -> Iterator[Named]:
    for kind, expanded in CHOICES.items():
        path = f"{API}EntityDefinitions(LogicalName='{table}')/Attributes/Microsoft.Dynamics.CRM.{kind}AttributeMetadata"
        told = given(api, path, _COLUMNS, params={"$select": "LogicalName,DisplayName,IsCustomAttribute", "$expand": expanded})
        for column in told.value if told is not None else ():
            name = attribute(column.logical_name)
            if column.is_custom_attribute and column.display_name is not None:
                yield Named(name, None, column.display_name.text())
            options = column.option_set or column.global_option_set or _Options()
            yield from (Named(name, str(option.value), option.label.text()) for option in options.options)
