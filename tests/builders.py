"""Short ways for tests to say events, workflows and companies; the values are what configuration and sources would make of them."""

from collections.abc import Iterable, Mapping
from typing import Any

from rollout_metrics.config.model import Settings
from rollout_metrics.config.policy import company as compile_company
from rollout_metrics.derive.history import History, read
from rollout_metrics.domain.changes import Change, ChangeKind
from rollout_metrics.domain.events import Activity, ActorKind, CaseKey, Event, text_value
from rollout_metrics.domain.policy import Company, Workflow
from rollout_metrics.domain.pseudonyms import Pseudonyms
from rollout_metrics.domain.records import Record
from rollout_metrics.domain.time import DAY, HOUR, MINUTE, SECOND, Instant, parse_instant, parse_span

T0 = parse_instant("2026-03-02T09:00:00Z")
"""A Monday morning: the instant that test offsets count from."""

AGENT, OPERATOR, CUSTOMER, SYSTEM = "bot", "op-1", "customer-1", "rule-1"
_KINDS = {"bot": ActorKind.AGENT, "other-bot": ActorKind.AGENT, "op": ActorKind.OPERATOR, "customer": ActorKind.CUSTOMER, "rule": ActorKind.SYSTEM}


class Plain(Pseudonyms):
    """Ids and values as they are, so that tests read well."""

    def __init__(self) -> None:
        super().__init__(b"test", frozenset(), frozenset())

    def actor(self, actor_id: str) -> str:
        return actor_id


def after(offset: str | int) -> Instant:
    """An instant: T0 plus a span such as `1h30m`, or microseconds."""
    return T0 + (offset if isinstance(offset, int) else parse_span(offset))


_counter = iter(range(10**9))


def ev(
    offset: str | int,
    actor: str | None,
    activity: str,
    attribute: str | None = None,
    value: Any = None,
    *,
    before: Any = None,
    id: str | None = None,
    case: str = "1",
    source: str = "desk",
    case_source: str | None = None,
    kind: str | None = None,
    revision: int = 0,
    **detail: Any,
) -> Event:
    """An event `offset` after T0. `actor` decides the kind: `bot`, `op-1`, `customer-1`, `rule-1` (or `kind=`).

    With `attribute`, `value` is its new value; without, `value` becomes `detail.value` where given.
    """
    if attribute is None and value is not None:
        detail["value"] = text_value(value)
    return Event(
        source=source,
        case_source=case_source or source,
        case_id=case,
        event_id=id or f"e{next(_counter):08d}",
        occurred_at=after(offset),
        activity=Activity(activity),
        actor_kind=ActorKind(kind) if kind else _KINDS[(actor or "rule").split("-")[0] if actor != "other-bot" else "other-bot"],
        actor_id=actor,
        attribute=attribute,
        before=text_value(before),
        after=text_value(value) if attribute is not None else None,
        detail=detail,
        revision=revision,
    )


def company(*workflows: Mapping[str, Any], changes: Iterable[Change] = (), pseudonyms: Pseudonyms | None = None, **settings: Any) -> Company:
    """A compiled company from workflow options as in YAML; without any, one workflow `w` as `workflow_options()` gives it."""
    options = Settings.model_validate({"workflows": [workflow_options(**item) for item in (workflows or ({},))], **settings})
    return compile_company(options, (), (Record(change=item) for item in changes), pseudonyms or Plain())


def workflow(changes: Iterable[Change] = (), **options: Any) -> Workflow:
    """One compiled workflow."""
    return company(options, changes=changes).workflows[0]


def change(**options: Any) -> Change:
    """A change record of workflow `w`: to level 3, deployed a day after T0; overridden by `options`."""
    given: dict[str, Any] = {
        "id": "c1",
        "workflow": "w",
        "kind": ChangeKind.LEVEL,
        "title": "",
        "version": None,
        "environment": "production",
        "risk_class": "low",
        "proposed_at": after(0),
        "reviewed_at": None,
        "approved_at": None,
        "deployed_at": after("1d"),
        "recovered_at": None,
        "level": 3,
        "reworks": None,
        "fixes": (),
        "incidents": (),
        "interventions": (),
    }
    return Change(**(given | options))


def workflow_options(**options: Any) -> dict[str, Any]:
    """Workflow `w`: reads `desk`, agent `bot`, assisted since long before T0, decides `set:priority`; overridden by `options`."""
    return {
        "name": "w",
        "sources": ["desk"],
        "agents": ["bot"],
        "decides": ["set:priority"],
        "levels": [{"level": "assisted", "since": "2026-01-01"}],
        **options,
    }


class Around:
    """Surroundings answered from plain events of all cases, as of T."""

    def __init__(self, events: Iterable[Event], company: Company, as_of: Instant) -> None:
        self._company = company
        self._histories = [read(case, company, everywhere(company, as_of)) for case in by_case(events).values()]
        self._events = [event for event in events if event.occurred_at <= as_of]

    def first_agent_at(self, workflow: Workflow) -> Instant | None:
        """See `Surroundings`."""
        return min(
            (
                step.at
                for history in self._histories
                if history.workflow is not None and history.workflow.name == workflow.name and history.scoped_at is not None
                for step in history.steps
                if step.kind is ActorKind.AGENT and step.at >= history.scoped_at
            ),
            default=None,
        )

    def agent_seen(self, workflow: Workflow, start: Instant, end: Instant) -> bool:
        """See `Surroundings`."""
        return any(
            start <= event.occurred_at <= end and self._company.kind_of(event) is ActorKind.AGENT and workflow in self._company.workflows_of_agent(event)
            for event in self._events
        )


def by_case(events: Iterable[Event]) -> dict[CaseKey, list[Event]]:
    """Events grouped by case."""
    cases: dict[CaseKey, list[Event]] = {}
    for event in events:
        cases.setdefault(event.case, []).append(event)
    return cases


def everywhere(company: Company, as_of: Instant) -> dict[str, Instant]:
    """The same T for every workflow and for cases of none."""
    return {"": as_of} | {workflow.name: as_of for workflow in company.workflows}


def history(*events: Event, company: Company, as_of: str | int = "30d") -> History:
    """One case's history as of T0 + `as_of`."""
    return read(list(events), company, everywhere(company, after(as_of)))


__all__ = [
    "AGENT",
    "CUSTOMER",
    "DAY",
    "HOUR",
    "MINUTE",
    "OPERATOR",
    "SECOND",
    "SYSTEM",
    "T0",
    "Around",
    "after",
    "by_case",
    "change",
    "company",
    "ev",
    "everywhere",
    "history",
    "workflow",
    "workflow_options",
]
