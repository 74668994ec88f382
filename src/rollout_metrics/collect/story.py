"""The events of one record, as a source tells them: what all of them share is said once."""

from collections.abc import Mapping
from typing import Any

from rollout_metrics.domain.events import Activity, ActorKind, Event
from rollout_metrics.domain.time import Instant

Who = tuple[ActorKind, str | None]
"""Kind and id of an actor."""
Change = tuple[str | None, str | None, str | None]
"""Attribute, before, after."""
UNCHANGED: Change = (None, None, None)


class Story:
    """One case's events: `name` of the source, `case_id`, and `link`, which every event's details begin with."""

    name: str
    case_id: str
    link: Mapping[str, Any] = {}

    def _event(
        self,
        number: str,
        at: Instant,
        activity: Activity,
        who: Who,
        detail: Mapping[str, Any] | None = None,
        *,
        change: Change = UNCHANGED,
        revision: int = 0,
    ) -> Event:
        name, case_id, (kind, actor), (attribute, before, after) = self.name, self.case_id, who, change
        said = {**self.link, **detail} if detail else {**self.link}
        return Event(name, name, case_id, f"{case_id}/{number}", at, activity, kind, actor, attribute, before, after, said, revision)
