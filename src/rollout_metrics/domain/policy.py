"""What configuration says about each workflow, compiled for the core: instants and spans as integers, ids as stored.

`config` builds these from YAML (where every default lives); nothing here has a default of its own.
Actor ids and the values of person-valued attributes are in the stored, keyed-hash form.
"""

import re
from collections.abc import Callable, Mapping
from datetime import date
from enum import IntEnum, StrEnum
from functools import cached_property

import msgspec

from rollout_metrics.domain.changes import PRODUCTION, Change
from rollout_metrics.domain.choices import choices
from rollout_metrics.domain.events import Activity, ActorKind, Event
from rollout_metrics.domain.gates import ErrorCosts, Ladder
from rollout_metrics.domain.time import Instant, Span

_SET = "set:"


@choices
class AttributeType(StrEnum):
    """How two values of an attribute are compared."""

    SINGLE = "single"
    MULTI = "multi"
    TEXT = "text"


@choices
class Level(IntEnum):
    """Autonomy levels (definitions, section 2)."""

    OFF = 0
    SHADOW = 1
    ASSISTED = 2
    LOW_RISK_AUTONOMOUS = 3
    BROAD_AUTONOMOUS = 4
    HIGH_RISK = 5


class Decides(msgspec.Struct, frozen=True, kw_only=True):
    """One action a workflow's agent decides, with the parameters that judge it."""

    action: str
    type: AttributeType
    progress: tuple[tuple[str, ...], ...]
    reversible: bool
    edit_similarity: float
    settle_after: Span
    settle_after_approval: Span
    expire_after: Span
    reversal_window: Span

    @property
    def attribute(self) -> str | None:
        """The attribute a `set:` action sets, else None."""
        return self.action[len(_SET) :] if self.action.startswith(_SET) else None


class Condition(msgspec.Struct, frozen=True):
    """`attribute operator operand`: operator one of `=  !=  <  <=  >  >=  in`; operand text (sizes: a number as text), for `in` a tuple."""

    attribute: str
    operator: str
    operands: tuple[str, ...]


class Grant(msgspec.Struct, frozen=True):
    """An action on an authority list, under conditions that must all hold."""

    action: str
    when: tuple[Condition, ...]


class Authority(msgspec.Struct, frozen=True):
    """The three lists in force from `since` (None: from the beginning) until the next."""

    since: Instant | None
    automatic: tuple[Grant, ...]
    approval: tuple[Grant, ...]
    forbidden: tuple[Grant, ...]


class LevelFrom(msgspec.Struct, frozen=True):
    """The configured level from `since` on; None: undated."""

    since: Instant | None
    level: Level


class Pause(msgspec.Struct, frozen=True):
    """The half-open stretch [start, end) in which the agent was switched off or down; `end` None: still is."""

    start: Instant
    end: Instant | None


class Calendar(msgspec.Struct, frozen=True, dict=True):
    """Working time. `hours[weekday]` (Monday 0) are half-open stretches in minutes of the local day; all day is `((0, 1440),)`."""

    time_zone: str
    hours: tuple[tuple[tuple[int, int], ...], ...]
    holidays: frozenset[date]
    first_month: int

    @cached_property
    def always_open(self) -> bool:
        """Whether working time is all time."""
        return not self.holidays and all(stretches == ((0, 1440),) for stretches in self.hours)


class EscalationPath(msgspec.Struct, frozen=True):
    """Where escalations of one reason go; None or `""` where the configuration does not say."""

    reason: str
    owner: str | None
    target: Span | None
    next_step: str | None


class Escalation(msgspec.Struct, frozen=True):
    """How the agent hands over. `to` None: any non-null value that is no agent. `target` is working time."""

    attributes: frozenset[str]
    to: frozenset[str] | None
    reason_attribute: str | None
    owner_attribute: str
    target: Span
    paths: Mapping[str, EscalationPath]
    catch_all: frozenset[str] = frozenset()
    """Reasons that say nothing, as `plain_reason` writes them."""


def plain_reason(reason: str) -> str:
    """A reason without regard to case, and to how its words are joined: `Edge_Case` is `edge case`."""
    return " ".join(reason.casefold().replace("_", " ").replace("-", " ").split())


class Bypass(msgspec.Struct, frozen=True):
    """What makes a case bypassed. `marker_values` and `side_channels`: attribute -> the values that count."""

    marker_values: Mapping[str, frozenset[str]]
    marker_via: frozenset[str]
    side_channels: Mapping[str, frozenset[str]]
    agent_silence: Span
    agent_grace: Span
    redo_actions: int


class Complaints(msgspec.Struct, frozen=True):
    """Complaint markers besides bad ratings: attribute -> values, and members of `detail.via`."""

    marker_values: Mapping[str, frozenset[str]]
    marker_via: frozenset[str]


class Workflow(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """One bounded piece of work and everything that judges it. `scope`: attribute -> allowed values, all must match (multi-valued: any)."""

    name: str
    index: int
    workflow_type: str
    risk_tier: str
    owner: str
    sources: frozenset[str]
    scope: Mapping[str, frozenset[str]]
    agents: frozenset[str]
    agent_markers: frozenset[str]
    decides: Mapping[str, Decides]
    attribute_types: Mapping[str, AttributeType]
    authority: tuple[Authority, ...]
    levels: tuple[LevelFrom, ...]
    pauses: tuple[Pause, ...]
    calendar: Calendar
    escalation: Escalation
    bypass: Bypass
    complaints: Complaints
    reason_attribute: str | None
    categories: frozenset[str]
    """Configured error categories; others are published as `other`."""
    block_reasons: frozenset[str] = frozenset()
    """Configured reasons of blocked actions; others are published as `other`."""
    should_escalate_attribute: str | None
    edit_similarity: float
    """That of actions which the workflow does not decide; a decided one has its own."""
    words: Callable[[str], str]
    """The stored form of a free text (`Pseudonyms.words`)."""
    cohort_age: Span
    spike_age: Span
    idle_cap: Span
    touch: Span
    glance: Span
    drop_after: Span
    baseline_seconds: float | None
    observation_window: Span
    incident_sources: Mapping[str, Mapping[str, frozenset[str]]] = {}
    """Source -> attribute -> values: which of its cases are incidents of this workflow."""
    incident_link: str = "change"
    """Attribute of an incident that names the change which caused it."""
    windows: tuple[Span, ...]
    ladder: Ladder
    """The gates of each level."""
    error_costs: ErrorCosts
    """What the agent's errors in shadow cost."""
    changes: tuple[Change, ...]
    """The workflow's change records, in order of `(deployed_at or proposed_at, id)`."""

    def type_of(self, attribute: str) -> AttributeType:
        """The configured type of an attribute."""
        return self.attribute_types.get(attribute, AttributeType.SINGLE)

    @cached_property
    def fixed_since(self) -> Mapping[str, Instant]:
        """By error category, when the first change that fixes it was deployed to production."""
        found: dict[str, Instant] = {}
        for change in self.changes:
            if change.deployed_at is not None and change.environment == PRODUCTION:
                found.update((category, min(change.deployed_at, found.get(category, change.deployed_at))) for category in change.fixes)
        return found


class Company(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """All workflows in file order, and who is an agent or a system whatever the source said."""

    workflows: tuple[Workflow, ...]
    agents: frozenset[str]
    agent_markers: frozenset[str]
    systems: frozenset[str]
    system_markers: frozenset[str]
    min_operators: int
    operator_figures: bool
    agent_names: frozenset[str] = frozenset()
    """The agents' ids as people wrote them: attributes that hold no persons (a group, a queue) name an agent so."""

    @cached_property
    def by_name(self) -> Mapping[str, Workflow]:
        """Every workflow by its name, in file order."""
        return {workflow.name: workflow for workflow in self.workflows}

    @cached_property
    def known_actors(self) -> Mapping[str | None, ActorKind]:
        """Whom configuration names, whatever the source says of them: agents before systems."""
        return {**dict.fromkeys(self.systems, ActorKind.SYSTEM), **dict.fromkeys(self.agents, ActorKind.AGENT)}

    @cached_property
    def agents_as_written(self) -> frozenset[str]:
        """Every agent as an attribute may name it: by the stored id, or as people wrote it."""
        return self.agents | self.agent_names

    @cached_property
    def marked(self) -> bool:
        """Whether what an event came by can tell who acted."""
        return bool(self.agent_markers or self.system_markers)

    def kind_of(self, event: Event) -> ActorKind:
        """Who acted: configured agents and markers, then systems, then what the source said."""
        via = event.detail.get("via", ())
        if event.actor_id in self.agents or (via and not self.agent_markers.isdisjoint(via)):
            return ActorKind.AGENT
        if event.actor_id in self.systems or (via and not self.system_markers.isdisjoint(via)):
            return ActorKind.SYSTEM
        return event.actor_kind

    def workflows_of_agent(self, event: Event) -> tuple[Workflow, ...]:
        """The workflows of an agent's event: those that name it or its marker, else those that read its source or case source."""
        via = event.detail.get("via", ())
        named = tuple(w for w in self.workflows if event.actor_id in w.agents or (via and not w.agent_markers.isdisjoint(via)))
        return named or tuple(w for w in self.workflows if event.source in w.sources or event.case_source in w.sources)


ACTION = re.compile(r"set:\S.*|comment:(public|internal)|(?!set:|comment:)[a-zA-Z_][\w:.-]*")
"""What an action may be called in a configuration."""
ACTION_OF: Mapping[Activity, str] = {
    Activity.CREATED: "create",
    Activity.CLOSED: "close",
    Activity.REOPENED: "reopen",
    Activity.ABSORBED: "absorb",
    Activity.DELETED: "delete",
    Activity.ESCALATED: "escalate",
    Activity.APPROVED: "approve",
    Activity.REJECTED: "reject",
}
"""The action of an activity that names no attribute."""


_COMMENTED = Activity.COMMENTED


def action_of(event: Event) -> str | None:
    """The one action an event maps to: `detail.action`, else by activity and attribute; None where it does nothing."""
    named = event.detail.get("action")
    if named is not None:
        return str(named)
    if event.activity is _COMMENTED:
        return "comment:public" if event.detail.get("public") else "comment:internal"
    action = ACTION_OF.get(event.activity)
    if action is None and event.attribute is not None:
        return _SET + event.attribute
    return action
