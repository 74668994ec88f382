"""Salesforce's records of one object, read with all that belongs to them."""

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from rollout_metrics.collect.http import Answer, Api
from rollout_metrics.domain.time import Instant
from rollout_metrics.sources._salesforce_pages import AT_ONCE, KINDS, READ, USER, Bundle, Child, History, among, between, parent_of, rows, select, soql


class Reading(msgspec.Struct):
    """How the records of an object are read. `selected`: their fields; `closing` and `labels` of their statuses, as in `Bundle`."""

    api: Api
    root: str
    name: str
    selected: list[str]
    closing: list[str]
    labels: dict[str, str]
    children: Mapping[str, Child]
    """What belongs to them, of what may be read."""
    tracked: bool
    users: dict[str, str]
    """What kind of user each is who was met in this sweep."""

    def touched(self, start: Instant, end: Instant) -> list[str]:
        """Records whose children changed."""
        prefix = KINDS[self.name].prefix
        asked = [(child.changed(name, start, end), child.parent) for name, child in self.children.items()]
        found = {parent_of(row, path) for query, path in asked for row in rows(self.api, self.root, query)}
        return sorted(case_id for case_id in found if case_id is not None and case_id.startswith(prefix))

    def of(self, ids: list[str]) -> Iterator[tuple[list[Bundle], Answer]]:
        """These records."""
        for start in range(0, len(ids), AT_ONCE):
            yield from self._found(among("Id", ids[start : start + AT_ONCE]))

    def changed(self, start: Instant, end: Instant) -> Iterator[tuple[list[Bundle], Answer]]:
        """What changed itself, in that order."""
        return self._found(between(start, end))

    def _found(self, condition: str) -> Iterator[tuple[list[Bundle], Answer]]:
        query = select(self.selected, self.name, condition, order="SystemModstamp, Id")
        for records, answer in soql(self.api, self.root, query, deleted=True):
            for start in range(0, len(records), AT_ONCE):
                yield self._complete(records[start : start + AT_ONCE]), answer

    def _complete(self, records: list[dict[str, Any]]) -> list[Bundle]:
        kind, root, api = KINDS[self.name], self.root, self.api
        bundles = {str(record.get("Id")): Bundle(self.name, record, self.closing, labels=self.labels, tracked=self.tracked) for record in records}
        ids = sorted(bundles)
        if self.tracked:
            columns = ("Id", kind.parent, "Field", "DataType", "OldValue", "NewValue", "CreatedById", "CreatedDate")
            asked = select(columns, kind.history, among(kind.parent, ids), order="CreatedDate, Id")
            for row in rows(api, root, asked, deleted=True):
                if (bundle := bundles.get(str(row.get(kind.parent)))) is not None:
                    try:
                        bundle.histories.append(msgspec.convert(row, History))
                    except msgspec.ValidationError:
                        bundle.odd.append(row)
        for name, child in self.children.items():
            for row in rows(api, root, child.of(name, ids), deleted=True):
                if (bundle := bundles.get(parent_of(row, child.parent) or "")) is not None:
                    bundle.children.append({**row, "object": name})
        people = {case_id: _people(bundle) for case_id, bundle in bundles.items()}
        self._look_up({one for found in people.values() for one in found})
        for case_id, each in bundles.items():
            each.users = {one: self.users[one] for one in sorted(people[case_id]) if one in self.users}
        return [bundles[str(record.get("Id"))] for record in records]

    def _look_up(self, people: set[str]) -> None:
        """What kind of user each is, asked once a sweep."""
        unknown = sorted(people - set(self.users))
        for start in range(0, len(unknown), READ):
            batch = unknown[start : start + READ]
            self.users.update(dict.fromkeys(batch, ""))
            for row in rows(self.api, self.root, select(("Id", "UserType"), "User", among("Id", batch))):
                self.users[str(row["Id"])] = str(row.get("UserType") or "")


def _people(bundle: Bundle) -> set[str]:
    """Everyone who had to do with a record."""
    rows_of = [bundle.record, *bundle.children, *(row.get("ApprovalSubmission") or {} for row in bundle.children)]
    found = {row.get(name) for row in rows_of for name in ("CreatedById", "LastModifiedById", "ActorId", "OriginalActorId")}
    return {one for one in found | {row.by for row in bundle.histories} if isinstance(one, str) and one.startswith(USER)}
