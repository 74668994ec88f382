"""Options of a workflow: whose work is judged, and by which numbers."""

from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo, field_validator, model_validator

from rollout_metrics.collect.source import Duration, Positive
from rollout_metrics.config.conditions import condition
from rollout_metrics.config.gates import GatesOptions, ShadowOptions
from rollout_metrics.config.values import Action, LevelName, Moment, Name, Options, OrderedTexts, Ratio, Texts, one_or_many
from rollout_metrics.config.working_time import CalendarOptions
from rollout_metrics.domain.policy import AttributeType
from rollout_metrics.domain.time import DAY, HOUR, MINUTE, SECOND, format_span


def _actions(value: Any) -> Any:
    """An action alone stands for options that say no more than it; one of them for a list of one."""
    value = one_or_many(value)
    return [{"action": item} if isinstance(item, str) else item for item in value] if isinstance(value, list | tuple) else value


class DecidesOptions(Options):
    """One action the agent decides, with parameters of its own."""

    action: Action
    """`set:<attribute>`, `comment:public`, `comment:internal`, `create`, `close`, `reopen`, `absorb`, `delete`, `escalate`, `approve`, `reject`,
    or a name of your own."""
    type: AttributeType | None = None
    """How values are compared: `single`, `multi` or `text`. Default: the attribute's type; `text` for comments."""
    progress: tuple[OrderedTexts, ...] = ()
    """Lists in which a later value is progress from an earlier one (a deal's stages), never a correction."""
    reversible: bool = True
    """False for actions whose values move on by nature: no reversal is looked for."""
    edit_similarity: Ratio | None = None
    """Instead of the workflow's, for this action."""
    settle_after: Positive | None = None
    """Instead of the workflow's, for this action."""
    settle_after_approval: Positive | None = None
    """Instead of the workflow's, for this action."""
    expire_after: Positive | None = None
    """Instead of the workflow's, for this action."""
    reversal_window: Duration | None = None
    """Instead of the workflow's, for this action."""

    @field_validator("progress", mode="before", json_schema_input_type=tuple[str, ...] | tuple[tuple[str, ...], ...])
    @classmethod
    def _one_list(cls, value: Any) -> Any:
        return [value] if isinstance(value, list) and value and not isinstance(value[0], list) else value


def _conditions(texts: tuple[str, ...]) -> tuple[str, ...]:
    for text in texts:
        condition(text)
    return texts


class GrantOptions(Options):
    """An action on an authority list, when conditions hold."""

    action: Action
    """Written as in `decides`."""
    when: Annotated[OrderedTexts, AfterValidator(_conditions)] = ()
    """Conditions that must all hold: `amount <= 50`, `regulated = no`, `environment in test, staging`."""


Grants = Annotated[tuple[GrantOptions, ...], BeforeValidator(_actions, json_schema_input_type=str | tuple[str | GrantOptions, ...])]


class AuthorityOptions(Options):
    """What the agent may do, from a date on."""

    since: Moment | None = None
    """From when the lists are in force; without it, from the beginning."""
    automatic: Grants = ()
    """Allowed without asking."""
    approval: Grants = ()
    """Allowed once an operator approved it on the case."""
    forbidden: Grants = ()
    """Never allowed."""


class LevelOptions(Options):
    """The autonomy level from a date on."""

    level: LevelName
    """What the agent may do on its own, from nothing to everything."""
    since: Moment | None = None
    """From when; only a single level may stand without."""


class PauseOptions(Options):
    """A stretch in which the agent was switched off or down."""

    start: Moment
    """From when, inclusive."""
    end: Moment | None = None
    """Until when, exclusive; without it, until further notice."""

    @model_validator(mode="after")
    def _forwards(self) -> Self:
        if self.end is not None and self.end <= self.start:
            raise ValueError("ends before it starts: correct start or end")
        return self


class PathOptions(Options):
    """Where escalations of one reason go."""

    owner: str | None = None
    """The team that owns them."""
    target: Positive | None = None
    """Working time to acknowledge; default: the workflow's."""
    next_step: str | None = None
    """What the owner does with them."""


class EscalationOptions(Options):
    """How the agent hands over to people."""

    attributes: Texts = frozenset({"assignee", "group"})
    """Attributes whose change by the agent hands the case over."""
    to: Texts | None = None
    """Values that mean people; default: any that is no agent."""
    reason_attribute: str | None = None
    """Attribute that says why, where the event itself does not."""
    owner_attribute: str = "assignee"
    """Attribute that says whose the case is; agents are nobody."""
    target: Positive = 4 * HOUR
    """Working time in which an escalation should be acknowledged."""
    paths: dict[str, PathOptions] = Field(default={})
    """Reason -> where it goes."""
    catch_all: Texts = frozenset({"other", "edge case", "misc", "unspecified"})
    """Reasons that say nothing: a warning sign where most escalations give one of them."""


class BypassOptions(Options):
    """What counts as working around the agent."""

    markers: dict[str, Texts] = Field(default={})
    """Attribute -> values by which operators mark a case as taken away from the agent; `via` for tags, apps and labels."""
    side_channels: dict[str, Texts] = Field(default={})
    """Attribute (`channel`) -> values that are side channels."""
    agent_silence: Duration = HOUR
    """An agent without any event for this long before a case came in was absent: the case is no bypass."""
    agent_grace: Duration = 10 * MINUTE
    """Time the agent has before an operator's first act counts as bypass."""
    redo_actions: Annotated[int, Field(ge=1)] = 2
    """From this many of the agent's acts on a case undone by operators, the case may count as redone."""


class ComplaintOptions(Options):
    """Complaint markers besides bad ratings."""

    markers: dict[str, Texts] = Field(default={})
    """Attribute -> values; `via` for tags, apps and labels."""


class Parameters(Options):
    """Numbers in brackets of the definitions; a workflow may set its own."""

    settle_after: Positive = 7 * DAY
    """After this an undecided recommendation counts provisionally as unreviewed or ignored."""
    settle_after_approval: Positive = 30 * DAY
    """The same for those that asked for approval."""
    expire_after: Positive = 90 * DAY
    """After this it does so finally."""
    reversal_window: Duration = 14 * DAY
    """How long an operator's later change still reverses an accepted decision."""
    edit_similarity: Ratio = 0.6
    """From this similarity on another value is an edit, below an override."""
    cohort_age: Positive = 3 * DAY
    """The age at which cohort rates judge."""
    spike_age: Positive = 6 * HOUR
    """The age at which spikes judge: the longer, the surer and the later."""
    idle_cap: Positive = 300 * SECOND
    """Longest gap between an operator's events that counts as work."""
    touch_seconds: Duration = 30 * SECOND
    """Work counted for an operator's first event on a case."""
    glance_seconds: Duration = 5 * SECOND
    """Approvals faster than this are rubber stamps."""
    drop_after: Positive = 3 * DAY
    """A case nobody touched for this long was dropped."""
    observation_window: Positive = 7 * DAY
    """How long a deployment is watched before it is judged."""

    @field_validator("expire_after")
    @classmethod
    def _expires_last(cls, expires: int, info: ValidationInfo) -> int:
        for name in ("settle_after", "settle_after_approval"):
            settles = info.data.get(name, 0)
            if settles > expires:
                raise ValueError(f"{format_span(expires)} is shorter than {name} ({format_span(settles)}): lengthen it")
        return expires


def _some(values: frozenset[str]) -> frozenset[str]:
    if not values:
        raise ValueError("lists no value, so that no case can ever match: name the allowed values")
    return values


class WorkflowOptions(Parameters):
    """One bounded piece of work in which an agent takes part."""

    name: Name
    """Becomes the label `workflow`."""
    workflow_type: str = "unspecified"
    """A kind of work to group by, such as `support` or `sales`."""
    risk_tier: Literal["low", "medium", "high"] = "medium"
    """What is at stake when the agent is wrong."""
    owner: str = "unspecified"
    """The team that answers for the workflow."""
    sources: Annotated[OrderedTexts, Field(min_length=1)]
    """Names of the sources that are read for it."""
    scope: dict[str, Annotated[Texts, AfterValidator(_some)]] = Field(default={})
    """Attribute -> allowed values; all must match. A case belongs to the first workflow, in file order, whose scope it matches."""
    agents: Texts = frozenset()
    """Actor ids of this workflow's AI agents."""
    agent_markers: Texts = frozenset()
    """Tags, apps or labels that mark an event as this workflow's agent's."""
    decides: Annotated[tuple[DecidesOptions, ...], BeforeValidator(_actions, json_schema_input_type=str | tuple[str | DecidesOptions, ...])] = ()
    """The actions the agent decides."""
    attribute_types: dict[str, AttributeType] = Field(default={})
    """Attributes that are not `single`."""
    authority: tuple[AuthorityOptions, ...] = ()
    """Dated lists of what the agent may do."""
    levels: tuple[LevelOptions, ...] = ()
    """Dated autonomy levels; deployed change records of kind `level` come first."""
    pauses: tuple[PauseOptions, ...] = ()
    calendar: CalendarOptions = CalendarOptions()
    escalation: EscalationOptions = EscalationOptions()
    bypass: BypassOptions = BypassOptions()
    complaints: ComplaintOptions = ComplaintOptions()
    incident_sources: dict[str, dict[str, Annotated[Texts, AfterValidator(_some)]]] = Field(default={})
    """Source -> attribute -> values: which of its cases are incidents of this workflow; `{}` means all of them. A case starts when it is created and ends
    when it is closed."""
    incident_link: str = "change"
    """Attribute of an incident that names the id of the change which caused it."""
    reason_attribute: str | None = None
    """Attribute in which operators say why they changed the agent's work."""
    error_categories: Texts = frozenset()
    """Values of it that are published by name; all others are `other`."""
    block_reasons: Texts = frozenset()
    """Reasons of blocked actions that are published by name; all others are `other`."""
    should_escalate_attribute: str | None = None
    """Attribute in which operators say whether the agent should have escalated (`true`/`yes`/`1`)."""
    baseline_seconds: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    """Assumed working time of a case without the agent; default: measured on cases before it came."""
    gates: GatesOptions = GatesOptions()
    shadow: ShadowOptions = ShadowOptions()
    windows: Annotated[tuple[Positive, ...], BeforeValidator(one_or_many, json_schema_input_type=Duration | tuple[Duration, ...])] = (
        DAY,
        7 * DAY,
        28 * DAY,
        90 * DAY,
    )
    """Windows of the figures."""

    @field_validator("decides")
    @classmethod
    def _decided_once(cls, decides: tuple[DecidesOptions, ...], info: ValidationInfo) -> tuple[DecidesOptions, ...]:
        actions = [item.action for item in decides]
        problems = [f"names {action!r} twice: keep one" for action in sorted({action for action in actions if actions.count(action) > 1})]
        scope = set(info.data.get("scope", ()))
        problems += [
            f"{action!r} is also in the scope, so that a case would change its workflow by the agent's own act: scope by another attribute"
            for action in sorted(set(actions))
            if action.startswith("set:") and action[4:] in scope
        ]
        for item in decides:
            settles, expires = (getattr(item, name) or info.data.get(name) for name in ("settle_after", "expire_after"))
            if (item.settle_after or item.expire_after) and settles and expires and settles > expires:
                problems.append(f"{item.action!r} settles after {format_span(settles)}, later than it expires ({format_span(expires)}): lengthen expire_after")
        if problems:
            raise ValueError("; ".join(problems))
        return decides

    @field_validator("levels")
    @classmethod
    def _dated(cls, levels: tuple[LevelOptions, ...]) -> tuple[LevelOptions, ...]:
        since = [item.since for item in levels]
        if len(levels) > 1 and None in since:
            raise ValueError("give every level a `since`, or keep only one level without")
        if len(since) > len(set(since)):
            raise ValueError("two levels have the same `since`: keep one")
        return levels

    @field_validator("authority")
    @classmethod
    def _one_at_a_time(cls, authority: tuple[AuthorityOptions, ...]) -> tuple[AuthorityOptions, ...]:
        since = [item.since for item in authority]
        if since.count(None) > 1:
            raise ValueError("two lists have no `since`: say from when the later one is in force")
        if len(since) > len(set(since)):
            raise ValueError("two lists have the same `since`: make them one")
        return authority

    @field_validator("windows")
    @classmethod
    def _whole_minutes(cls, windows: tuple[int, ...]) -> tuple[int, ...]:
        for window in windows:
            if window % MINUTE:
                raise ValueError(f"{format_span(window)} is no whole number of minutes: figures are as of whole minutes")
        if not windows:
            raise ValueError("is empty: name at least one")
        return tuple(sorted(set(windows)))
