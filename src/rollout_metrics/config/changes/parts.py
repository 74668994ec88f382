"""The sections of a change record: what it is meant to do, who answers for it, who signed it. What is left empty, the record lacks."""

import re
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from rollout_metrics.catalog import METRICS
from rollout_metrics.catalog.metric import Ratio as RatioOf
from rollout_metrics.collect.queries import check_url
from rollout_metrics.collect.source import Positive
from rollout_metrics.config.conditions import condition
from rollout_metrics.config.problems import suggestion
from rollout_metrics.config.values import Moment, Name, Options, OrderedTexts, at
from rollout_metrics.config.workflow import GrantOptions, Grants
from rollout_metrics.domain.changes import Harm, HarmMetric
from rollout_metrics.domain.policy import Grant
from rollout_metrics.domain.records import (
    Control,
    HumanInTheLoop,
    Links,
    Lists,
    Roles,
    Rollback,
    Signature,
    SignOff,
    Traces,
)

RATES = frozenset(key for key, metric in METRICS.items() if isinstance(metric.obtained, RatioOf))
"""Our own figures that a harm metric can name: those with an n."""


class RoleOptions(Options):
    """Whose work changes; `[]` says that nobody's does."""

    gain_work: OrderedTexts | None = None
    """Roles that get more work."""
    lose_work: OrderedTexts | None = None
    """Roles that get less."""

    def compiled(self) -> Roles:
        """As the core reads it."""
        return Roles(self.gain_work, self.lose_work)


class ListOptions(Options):
    """What the agent may do once the change is deployed: all three lists in full; `[]` says that nothing is on one."""

    automatic: Grants | None = None
    """Allowed without asking. An action, or `{action: ..., when: [...]}` with conditions such as `amount <= 50`, `regulated = no`."""
    approval: Grants | None = None
    """Allowed once an operator approved it on the case."""
    forbidden: Grants | None = None
    """Never allowed."""

    def compiled(self) -> Lists:
        """As the core reads it; values stay as they are written."""
        return Lists(_grants(self.automatic), _grants(self.approval), _grants(self.forbidden))


def _grants(grants: tuple[GrantOptions, ...] | None) -> tuple[Grant, ...] | None:
    return None if grants is None else tuple(Grant(item.action, tuple(condition(text) for text in item.when)) for item in grants)


def _rate(name: str) -> str:
    if name not in RATES:
        raise ValueError(f"there is no rate {name!r}{suggestion(name, RATES)}")
    return name


def _database(name: str) -> str:
    if "://" in name:
        check_url(name)
    return name


class HarmMetricOptions(Options):
    """A figure that must not cross its limit: a rate of ours, or what PromQL or SQL yields."""

    name: Name | None = None
    """What to call it; a rate of ours has its name."""
    metric: Annotated[str, AfterValidator(_rate)] | None = None
    """A rate of ours, such as `override_ratio` or `complaint_ratio`."""
    promql: str | None = None
    """An expression that yields one figure; `$since` in it is the time since the deployment, as a range."""
    sql: str | None = None
    """A query that yields one number, or a count and its total; it may use `:deployed_at` and `:at`, ISO 8601 in UTC."""
    database: Annotated[str, AfterValidator(_database)] | None = None
    """Where the query runs: a name under `harm.databases` of the configuration, or an SQLAlchemy URL without a password."""
    at_most: float | None = None
    """The limit, where more is harm."""
    at_least: float | None = None
    """The limit, where less is harm."""

    @model_validator(mode="after")
    def _one_of_each(self) -> Self:
        if sum(value is not None for value in (self.metric, self.promql, self.sql)) > 1:
            raise ValueError("names more than one figure: keep one of metric, promql and sql")
        if self.database is not None and self.sql is None:
            raise ValueError("has a database but no sql: remove one or write the other")
        if self.at_most is not None and self.at_least is not None:
            raise ValueError("has two limits: keep one of at_most and at_least")
        return self


class HarmOptions(Options):
    """What would show that the change does harm."""

    window: Positive | None = None
    """How long after the deployment it is watched for."""
    metrics: tuple[HarmMetricOptions, ...] = ()
    """Figures with their limits."""

    def compiled(self) -> Harm:
        """As the core reads it."""
        return Harm(self.window, tuple(HarmMetric(**item.model_dump()) for item in self.metrics))


class HumanOptions(Options):
    """The human in the loop."""

    reviewer: str | None = None
    """The role that reviews what the agent does."""
    review_surface: str | None = None
    """Where it is reviewed."""
    override_power: str | None = None
    """What a reviewer can stop, change or undo, and until when."""
    correction_capture: str | None = None
    """Where corrections and their reasons are recorded."""
    stops_asking: str | None = None
    """The rule for when the agent stops asking."""

    def compiled(self) -> HumanInTheLoop:
        """As the core reads it."""
        return HumanInTheLoop(**self.model_dump())


class TraceOptions(Options):
    """The traces that prove behaviour."""

    proof: OrderedTexts = ()
    """Which they are, and where."""
    kept_for: Positive | None = None
    """How long they are kept."""

    def compiled(self) -> Traces:
        """As the core reads it."""
        return Traces(self.proof, self.kept_for)


class ControlOptions(Options):
    """A guardrail, a way to see what happens, or a control of governance."""

    name: str | None = None
    """What it is."""
    owner: str | None = None
    """Who answers for it."""
    system: str | None = None
    """The system it runs in."""
    threshold: str | None = None
    """At which point it acts."""
    audit_trail: str | None = None
    """Where it leaves its trail."""

    def compiled(self) -> Control:
        """As the core reads it."""
        return Control(**self.model_dump())


class RollbackOptions(Options):
    """How to go back."""

    owner: str | None = None
    """Who does it."""
    plan: str | None = None
    """How."""
    last_rehearsed_at: Moment | None = None
    """When that was last tried."""

    def compiled(self) -> Rollback:
        """As the core reads it."""
        return Rollback(self.owner, self.plan, at(self.last_rehearsed_at))


class SignatureOptions(Options):
    """A sign-off: who gave it, and when."""

    by: str | None = None
    """The person who signs."""
    at: Moment | None = None
    """When they did."""

    def compiled(self) -> Signature:
        """As the core reads it."""
        return Signature(self.by, at(self.at))


class SignOffOptions(Options):
    """Who has signed it off. Each that the risk class requires is by another person."""

    semantics: SignatureOptions | None = None
    """That it does the right thing: the workflow's owner."""
    authority: SignatureOptions | None = None
    """That it may do no more than it should: security."""
    runtime: SignatureOptions | None = None
    """That it runs: engineering."""
    incident_path: SignatureOptions | None = None
    """That somebody comes when it fails: operations."""
    legal: SignatureOptions | None = None
    """That it is lawful, where that is regulated."""

    def compiled(self) -> dict[SignOff, Signature]:
        """As the core reads it: those of which something is given."""
        given = {name: getattr(self, name) for name in SignOff}
        return {name: signature.compiled() for name, signature in given.items() if signature is not None}


_LINK = re.compile(r"https?://[^\s<>\"]+|(?![\w+.-]*:)[^\s<>\"]+")


def _link(text: Any) -> Any:
    if isinstance(text, str) and not _LINK.fullmatch(text):
        raise ValueError(f"{text!r} is no link: write an address that begins with https://, or a path in the repository")
    return text


Link = Annotated[str, BeforeValidator(_link, json_schema_input_type=str), Field(min_length=1)]
"""An address, or a path in the repository."""


class LinkOptions(Options):
    """Where the evidence is: addresses, or paths in the repository."""

    pull_request: Link | None = None
    """The change itself."""
    evaluation_report: Link | None = None
    """What evaluation found."""
    trace_sample: Link | None = None
    """A sample of traces."""
    permission_difference: Link | None = None
    """What the agent may do that it might not before: what `rollout-metrics changes check` prints."""

    def compiled(self) -> Links:
        """As the core reads it."""
        return Links(**self.model_dump())
