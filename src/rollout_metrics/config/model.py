"""What a person writes: every option with its type, default and meaning. Defaults live here and nowhere else."""

from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, field_validator, model_validator

from rollout_metrics.collect.source import Duration
from rollout_metrics.config.conditions import condition
from rollout_metrics.domain.policy import AttributeType, Level
from rollout_metrics.domain.time import DAY, HOUR, MINUTE, SECOND, Instant, instant


class Options(BaseModel):
    """Strict, frozen options whose docstrings become the documentation."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, validate_default=True)


def _aware(value: Any) -> Any:
    """YAML reads `2026-03-01` as a date: midnight UTC."""
    if isinstance(value, str) and len(value) == len("2026-03-01"):
        value = date.fromisoformat(value)
    if isinstance(value, date) and not isinstance(value, datetime):
        return datetime.combine(value, time(), UTC)
    if isinstance(value, datetime) and value.tzinfo is None:
        return value.replace(tzinfo=UTC)
    return value


Moment = Annotated[AwareDatetime, BeforeValidator(_aware, json_schema_input_type=str)]
"""A date (midnight UTC) or a time with an offset."""

Ratio = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[Duration, Field(gt=0)]


def _strings(value: Any) -> Any:
    """YAML's numbers and booleans as the text that attributes have; a single value is a list of one."""
    if not isinstance(value, list | tuple | set | frozenset):
        value = [value]
    return [("true" if item is True else "false" if item is False else str(item)) for item in value]


_Written = str | float | bool
Texts = Annotated[frozenset[str], BeforeValidator(_strings, json_schema_input_type=_Written | list[_Written])]
"""One text or a list of them."""

OrderedTexts = Annotated[tuple[str, ...], BeforeValidator(_strings, json_schema_input_type=_Written | list[_Written])]


def _level(value: Any) -> Any:
    if isinstance(value, bool):
        return "off" if value is False else value  # YAML 1.1 reads a bare `off` as false
    return value


LevelName = Annotated[Literal["off", "shadow", "assisted", "low_risk_autonomous", "broad_autonomous", "high_risk"], BeforeValidator(_level)]


def level_named(name: str) -> Level:
    """The level of that name."""
    return Level[name.upper()]


class DecidesOptions(Options):
    """One action the agent decides, with parameters of its own."""

    action: str = Field(pattern=r"^(set:.+|comment:(public|internal)|[a-z_][\w:.-]*)$")
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

    action: str
    """Written as in `decides`."""
    when: Annotated[OrderedTexts, AfterValidator(_conditions)] = ()
    """Conditions that must all hold: `amount <= 50`, `regulated = no`, `environment in test, staging`."""


def _grants(value: Any) -> Any:
    return [{"action": item} if isinstance(item, str) else item for item in value] if isinstance(value, list) else value


Grants = Annotated[tuple[GrantOptions, ...], BeforeValidator(_grants, json_schema_input_type=tuple[str | GrantOptions, ...])]


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
            raise ValueError("the end of a pause must lie after its start")
        return self


DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


def _zone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (ZoneInfoNotFoundError, ValueError):
        raise ValueError(f"{value!r} is no time zone name such as Europe/Berlin") from None
    return value


class CalendarOptions(Options):
    """Working time; always open by default."""

    time_zone: Annotated[str, AfterValidator(_zone)] = "UTC"
    """A time zone name such as `Europe/Berlin`."""
    hours: dict[str, OrderedTexts] = {}
    """Weekday -> stretches such as `09:00-17:30`; weekdays that are not named are closed. Empty: always open. `weekdays` and `weekend` name several."""
    holidays: frozenset[date] = frozenset()
    """Days without working time."""
    first_month: Annotated[int, Field(ge=1, le=12)] = 1
    """First month of the year; quarters follow it."""

    @field_validator("hours")
    @classmethod
    def _stretches(cls, hours: dict[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
        for day, stretches in hours.items():
            if day not in (*DAYS, "weekdays", "weekend"):
                raise ValueError(f"{day!r} is no weekday: use {', '.join(DAYS)}, weekdays or weekend")
            for stretch in stretches:
                minutes_of(stretch)
        return hours


def minutes_of(stretch: str) -> tuple[int, int]:
    """The minutes of the day of a stretch such as `09:00-17:30`; `24:00` ends the day."""
    try:
        start, end = ((int(hour) * 60 + int(minute)) for hour, minute in (part.strip().split(":") for part in stretch.split("-")))
    except ValueError:
        raise ValueError(f"{stretch!r} is no stretch such as 09:00-17:30") from None
    if not 0 <= start < end <= 24 * 60:
        raise ValueError(f"{stretch!r} must run forwards within one day (00:00 to 24:00)")
    return start, end


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
    paths: dict[str, PathOptions] = {}
    """Reason -> where it goes."""


class BypassOptions(Options):
    """What counts as working around the agent."""

    markers: dict[str, Texts] = {}
    """Attribute -> values by which operators mark a case as taken away from the agent; `via` for tags, apps and labels."""
    side_channels: dict[str, Texts] = {}
    """Attribute (`channel`) -> values that are side channels."""
    agent_silence: Duration = HOUR
    """An agent without any event for this long before a case came in was absent: the case is no bypass."""
    agent_grace: Duration = 10 * MINUTE
    """Time the agent has before an operator's first act counts as bypass."""
    redo_actions: Annotated[int, Field(ge=1)] = 2
    """From this many of the agent's acts on a case undone by operators, the case may count as redone."""


class ComplaintOptions(Options):
    """Complaint markers besides bad ratings."""

    markers: dict[str, Texts] = {}
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


class WorkflowOptions(Parameters):
    """One bounded piece of work in which an agent takes part."""

    name: str = Field(pattern=r"^[a-zA-Z][\w-]*$")
    """Becomes the label `workflow`."""
    workflow_type: str = "unspecified"
    """A kind of work to group by, such as `support` or `sales`."""
    risk_tier: Literal["low", "medium", "high"] = "medium"
    """What is at stake when the agent is wrong."""
    owner: str = "unspecified"
    """The team that answers for the workflow."""
    sources: Annotated[tuple[str, ...], Field(min_length=1)]
    """Names of the sources that are read for it."""
    scope: dict[str, Texts] = {}
    """Attribute -> allowed values; all must match. A case belongs to the first workflow, in file order, whose scope it matches."""
    agents: Texts = frozenset()
    """Actor ids of this workflow's AI agents."""
    agent_markers: Texts = frozenset()
    """Tags, apps or labels that mark an event as this workflow's agent's."""
    decides: Annotated[
        tuple[DecidesOptions, ...],
        BeforeValidator(
            lambda v: [{"action": i} if isinstance(i, str) else i for i in v] if isinstance(v, list) else v,
            json_schema_input_type=tuple[str | DecidesOptions, ...],
        ),
    ] = ()
    """The actions the agent decides."""
    attribute_types: dict[str, AttributeType] = {}
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
    reason_attribute: str | None = None
    """Attribute in which operators say why they changed the agent's work."""
    error_categories: Texts = frozenset()
    """Values of it that are published by name; all others are `other`."""
    should_escalate_attribute: str | None = None
    """Attribute in which operators say whether the agent should have escalated (`true`/`yes`/`1`)."""
    baseline_seconds: Annotated[float, Field(gt=0)] | None = None
    """Assumed working time of a case without the agent; default: measured on cases before it came."""
    windows: tuple[Positive, ...] = (DAY, 7 * DAY, 28 * DAY, 90 * DAY)
    """Windows of the figures."""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        decided = {item.action[4:] for item in self.decides if item.action.startswith("set:")}
        remedy = "a case would change its workflow by the agent's own act; scope by another attribute"
        problems = [f"scope names {attribute!r}, which the agent also decides: {remedy}" for attribute in sorted(decided & set(self.scope))]
        actions = [item.action for item in self.decides]
        problems += [f"decides names {action!r} twice" for action in sorted({action for action in actions if actions.count(action) > 1})]
        undated = [item for item in self.levels if item.since is None]
        if len(undated) > 1 or (undated and len(self.levels) > 1):
            problems.append("levels: give every level a `since`, or only one level without")
        since = [item.since for item in self.authority]
        if len(since) != len(set(since)):
            problems.append("authority: two lists have the same `since`")
        if self.settle_after > self.expire_after:
            problems.append("settle_after must not be longer than expire_after")
        if problems:
            raise ValueError("; ".join(problems))
        return self


class RetentionOptions(Options):
    """How long what is kept."""

    events: Positive = 400 * DAY
    """Events of cases older than this are dropped; counts stay."""
    persons: Positive = 180 * DAY
    """Person references older than this are dropped."""


class StoreOptions(Options):
    """Where events, facts and counts are kept."""

    url: str = "sqlite:///rollout-metrics.db"
    """SQLAlchemy URL: `sqlite:///PATH` or `postgresql+psycopg://USER@HOST/DATABASE`."""
    password_file: Path | None = None
    """File that holds the database password, so that the URL need not."""
    migrate: bool = True
    """Bring the schema up to date at start; false: `rollout-metrics db upgrade` does it."""
    retention: RetentionOptions = RetentionOptions()


class PrivacyOptions(Options):
    """What is kept of persons."""

    key: SecretStr | None = None
    """Key of the hashes of persons and words; default: a random one, kept in the database."""
    key_file: Path | None = None
    """File that holds the key."""
    min_operators: Annotated[int, Field(ge=1)] = 5
    """Figures on operators' behaviour need at least this many of them."""
    operator_figures: bool = True
    """False: no figures on operators' behaviour at all."""
    person_attributes: Texts = frozenset({"assignee", "owner", "requester", "submitter", "reviewer", "collaborators", "followers", "approver"})
    """Attributes whose values are persons: stored as keyed hashes."""


def _address(value: str) -> str:
    host, colon, port = value.rpartition(":")
    if not colon or not host or not port.isdigit() or not 0 <= int(port) < 65536:
        raise ValueError(f"{value!r} is no address such as 127.0.0.1:10877")
    return value


Address = Annotated[str, AfterValidator(_address)]


class ListenOptions(Options):
    """The two listeners; loopback unless told otherwise."""

    metrics: Address = "127.0.0.1:10877"
    """`/metrics`, `/healthz`, `/readyz` and a landing page."""
    web: Address = "127.0.0.1:10878"
    """The push endpoint and, later, the pages for people."""
    metrics_web_config: Path | None = None
    """TLS and basic authentication of the metrics listener, in the format of Prometheus' web configuration."""
    web_web_config: Path | None = None
    """The same for the other listener."""


class ScheduleOptions(Options):
    """When passes run."""

    grace: Duration = 10 * SECOND
    """How long a stop waits for a running sweep."""
    heartbeat: Positive = 15 * MINUTE
    """A push source is read up to now while its last request is at most this old."""


class ChangesOptions(Options):
    """Where change records are."""

    paths: tuple[Path, ...] = ()
    """YAML files, or directories of them."""


class LogOptions(Options):
    """The log on stderr."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    """The least that is logged."""
    format: Literal["logfmt", "json"] = "logfmt"
    """How a line is written."""


class AlertOptions(Options):
    """Thresholds of the shipped alerts; dashboards draw the same lines."""

    override_limit: Ratio = 0.25
    """Override spike: the lower bound of the 1 d override ratio is beyond this."""
    bypass_limit: Ratio = 0.25
    """Bypass spike: the same for the bypass ratio."""
    minimum_cases: Annotated[int, Field(ge=1)] = 20
    """Below this many cases no behaviour alert fires."""
    stale_after: Positive = HOUR
    """A source whose watermark is older than this is stale."""
    runbooks_url: str = "http://localhost:3000/public/runbooks"
    """Where the runbooks of `docs/runbooks` can be read; the shipped Grafana serves them there."""
    grafana_url: str = "http://localhost:3000"
    """Where people reach Grafana: alerts link to its dashboards."""


class Settings(Options):
    """The whole configuration file."""

    sources: dict[str, Any] = {}
    """Name -> options of a source; `kind` says which."""
    workflows: tuple[WorkflowOptions, ...] = ()
    changes: ChangesOptions = ChangesOptions()
    store: StoreOptions = StoreOptions()
    privacy: PrivacyOptions = PrivacyOptions()
    listen: ListenOptions = ListenOptions()
    schedule: ScheduleOptions = ScheduleOptions()
    alerts: AlertOptions = AlertOptions()
    log: LogOptions = LogOptions()


def at(value: datetime | None) -> Instant | None:
    """The instant of a moment in the configuration."""
    return None if value is None else instant(value)
