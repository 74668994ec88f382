"""Redmine: issues with their journals, which are their audit trail, and the time booked on them."""

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any, ClassVar

import msgspec
from pydantic import Field, SecretStr

from rollout_metrics.collect.http import Api, Endpoint, basic
from rollout_metrics.collect.names import listing, named
from rollout_metrics.collect.reconcile import Reconciled, Roll, batches
from rollout_metrics.collect.records import told
from rollout_metrics.collect.source import Coverage, Named, Page, Told, Window
from rollout_metrics.domain.time import MINUTE, Span
from rollout_metrics.sources._redmine_pages import KEPT, LISTED, Kept, booked, closing_statuses, updated, whole
from rollout_metrics.sources._redmine_story import Account, kept_told

LOOKED_UP = 100
"""Issues looked up by id at once."""
GONE = frozenset((403, 404))


class Redmine(Reconciled):
    """Redmine 5 or newer, with its REST web service switched on. The key's user sees what its roles let it see."""

    kind: ClassVar[str] = "redmine"
    record: ClassVar[msgspec.json.Decoder[Any]] = KEPT
    hold_back: ClassVar[Span] = MINUTE

    base_url: str = Field(pattern=r"^https?://[^?#]+[^?#/]$")
    """The address of Redmine."""
    token: SecretStr
    """The API access key of the reading user."""
    fields: Mapping[str, str] = {}
    """Custom field id -> attribute name, instead of `custom:<id>`."""
    customers: frozenset[str] = frozenset()
    """User ids of customers; everyone else is staff."""
    time_entries: bool = True
    """Read booked time; needs the permission to view it."""

    def names(self, api: Api) -> Iterator[Named]:
        """Names of statuses, trackers, priorities and projects; to an administrator also of custom fields."""
        yield from named(api, "/issue_statuses.json", "status", key="issue_statuses")
        yield from named(api, "/trackers.json", "tracker", key="trackers")
        yield from named(api, "/enumerations/issue_priorities.json", "priority", key="issue_priorities")
        yield from named(api, "/projects.json", "project", key="projects", params={"limit": 100})
        for field in listing(api, "/custom_fields.json", key="custom_fields"):
            if field.get("customized_type") == "issue":
                yield Named(self._account().attribute(str(field["id"])), None, str(field.get("name") or ""))

    def endpoint(self) -> Endpoint:
        """Basic authentication with the key for a name, as Redmine allows."""
        return Endpoint(base_url=self.base_url, authorization=basic(self.token.get_secret_value(), SecretStr("-")), **self.connection())

    def pages(self, api: Api, window: Window) -> Iterator[Page]:
        """Booked time of the window's days, then the issues updated in it, oldest first, each whole: there is no feed of journals."""
        closing = closing_statuses(api)
        if self.time_entries:
            for entries, answer in booked(api, window):
                yield Page([Kept(entry=raw) for raw in entries], answer.where)
        for fresh, found in updated(api, window):
            answers = [api.get(f"/issues/{one.id}.json", {"include": "journals"}, accept=GONE) for one, _ in fresh]
            issues = [Kept(whole(answer), closing) for answer in answers if answer.status not in GONE]
            if fresh or found.rejected:
                seen = [Coverage("history", len(issues), len(fresh))] if fresh else []
                yield Page([*found.rejected, *seen, *issues], found.answer.where, fresh[-1][1] if fresh else None)

    def events(self, page: Page) -> Iterator[Told]:
        """For each issue `created` and an event for each detail and note of its journals; one for each booking of time."""
        return told(page, partial(kept_told, self._account()), lambda kept: kept.name)

    def reconcile(self, api: Api, roll: Roll) -> Iterator[Page]:
        """Look every known issue up by id: a deleted one leaves nothing."""
        for batch in batches(roll(), LOOKED_UP):
            ids = ",".join(case_id for case_id, _ in batch)
            answer = api.get("/issues.json", {"status_id": "*", "issue_id": ids, "limit": LOOKED_UP})
            present = {str(one.id) for one in LISTED.read(answer)[0].issues}
            yield Page(self.gone(batch, present), f"{answer.where} of {len(batch)}")

    def _account(self) -> Account:
        return Account(self.name, self.base_url, self.fields, self.customers)
