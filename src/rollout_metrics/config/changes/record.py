"""A change record as it stands in YAML: what was changed about an agent, why it may be, and what came of it."""

from typing import Annotated, Literal, Self

import msgspec
from pydantic import BeforeValidator, Field, model_validator

from rollout_metrics.collect.source import Positive
from rollout_metrics.config.changes.parts import (
    ControlOptions,
    HarmOptions,
    HumanOptions,
    LinkOptions,
    ListOptions,
    RoleOptions,
    RollbackOptions,
    SignOffOptions,
    TraceOptions,
)
from rollout_metrics.config.values import LevelName, Moment, Options, OrderedTexts, at, level_named
from rollout_metrics.derive.completeness import approved_at, lacks
from rollout_metrics.domain.changes import Change, ChangeKind, Incident, Intervention, InterventionKind
from rollout_metrics.domain.records import Record
from rollout_metrics.domain.time import instant


class IncidentOptions(Options):
    """An incident that this change caused."""

    id: str
    """Its number."""
    started_at: Moment
    """When it began."""
    ended_at: Moment | None = None
    """When it was over."""
    url: str | None = None
    """Where it is described."""

    @model_validator(mode="after")
    def _forwards(self) -> Self:
        if self.ended_at is not None and self.ended_at < self.started_at:
            raise ValueError("ends before it starts: correct started_at or ended_at")
        return self


class InterventionOptions(Options):
    """What was done against it."""

    kind: InterventionKind
    """What it was."""
    at: Moment
    """When it was decided."""
    in_force_at: Moment | None = None
    """When it took hold; default: `at`."""


def _alone_or_many(value: object) -> object:
    return [value] if isinstance(value, dict) else value


Controls = Annotated[tuple[ControlOptions, ...], BeforeValidator(_alone_or_many, json_schema_input_type=ControlOptions | tuple[ControlOptions, ...])]


class ChangeRecord(Options):
    """One change of an agent's behaviour or authority. A record is complete, or lists what it lacks (`rollout-metrics changes check`)."""

    id: str = Field(min_length=1)
    """A number or name of its own."""
    workflow: str
    """The workflow whose agent changes."""
    owner: str | None = None
    """The team that owns the workflow."""
    kind: ChangeKind
    """What is altered."""
    title: str = ""
    """What it is, in a line."""
    version: str | None = None
    """The version that events of the changed agent carry."""
    level: LevelName | None = None
    """The level that a change of kind `level` moves to."""
    environment: str = "production"
    """Where it is deployed; figures count production only."""
    risk_class: Literal["low", "medium", "high", "regulated"] = "medium"
    """Decides who must sign: low one, medium three, high four, regulated all five."""
    roles: RoleOptions = RoleOptions()
    systems: OrderedTexts = ()
    """Systems that it touches."""
    audience: str | None = None
    """Who is exposed to it."""
    authority: ListOptions = ListOptions()
    harm: HarmOptions = HarmOptions()
    human_in_the_loop: HumanOptions = HumanOptions()
    traces: TraceOptions = TraceOptions()
    guardrails: Controls = ()
    """What stops the agent."""
    observability: Controls = ()
    """What shows how it does."""
    governance: Controls = ()
    """What holds people to it."""
    rollback: RollbackOptions = RollbackOptions()
    links: LinkOptions = LinkOptions()
    retention: Positive | None = None
    """How long this record and its evidence are kept."""
    sign_offs: SignOffOptions = SignOffOptions()
    proposed_at: Moment
    """When it was proposed: lead times begin here."""
    reviewed_at: Moment | None = None
    """When it was reviewed."""
    approved_at: Moment | None = None
    """When it was approved; default: the last sign-off it needs."""
    deployed_at: Moment | None = None
    """When it was deployed."""
    recovered_at: Moment | None = None
    """If it failed: when that was over."""
    reworks: str | None = None
    """The id of the change that this one rolls back or hotfixes."""
    fixes: OrderedTexts = ()
    """Error categories that this change should end."""
    incidents: tuple[IncidentOptions, ...] = ()
    """Incidents that it caused."""
    interventions: tuple[InterventionOptions, ...] = ()
    """What was done against it."""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.kind is ChangeKind.LEVEL and self.level is None:
            raise ValueError("a change of kind level needs `level`: say which level it moves to")
        if self.kind is not ChangeKind.LEVEL and self.level is not None:
            raise ValueError(f"a change of kind {self.kind} has no level: remove `level`, or make it kind level")
        for name in ("reviewed_at", "approved_at", "deployed_at"):
            moment = getattr(self, name)
            if moment is not None and moment < self.proposed_at:
                raise ValueError(f"{name} lies before proposed_at: correct one of them")
        for sign_off, signature in self.sign_offs.compiled().items():
            if signature.at is not None and signature.at < instant(self.proposed_at):
                raise ValueError(f"the sign-off {sign_off} lies before proposed_at: correct one of them")
        if self.recovered_at is not None and (self.deployed_at is None or self.recovered_at < self.deployed_at):
            raise ValueError("recovered_at needs an earlier deployed_at: correct one of them")
        return self

    def change(self) -> Change:
        """The part of the record that the numbers need."""
        return self.record().change

    def _change(self) -> Change:
        return Change(
            id=self.id,
            workflow=self.workflow,
            kind=self.kind,
            title=self.title,
            version=self.version,
            environment=self.environment,
            risk_class=self.risk_class,
            proposed_at=instant(self.proposed_at),
            reviewed_at=at(self.reviewed_at),
            approved_at=at(self.approved_at) if self.approved_at is not None else approved_at(self.risk_class, self.sign_offs.compiled()),
            deployed_at=at(self.deployed_at),
            recovered_at=at(self.recovered_at),
            level=None if self.level is None else int(level_named(self.level)),
            reworks=self.reworks,
            fixes=self.fixes,
            incidents=tuple(Incident(item.id, instant(item.started_at), at(item.ended_at), item.url) for item in self.incidents),
            interventions=tuple(Intervention(item.kind, instant(item.at), at(item.in_force_at or item.at)) for item in self.interventions),
            harm=self.harm.compiled(),
        )

    def record(self) -> Record:
        """All of it, as the core reads it."""
        record = Record(
            change=self._change(),
            owner=self.owner,
            roles=self.roles.compiled(),
            systems=self.systems,
            audience=self.audience,
            authority=self.authority.compiled(),
            harm=self.harm.compiled(),
            human_in_the_loop=self.human_in_the_loop.compiled(),
            traces=self.traces.compiled(),
            guardrails=tuple(item.compiled() for item in self.guardrails),
            observability=tuple(item.compiled() for item in self.observability),
            governance=tuple(item.compiled() for item in self.governance),
            rollback=self.rollback.compiled(),
            sign_offs=self.sign_offs.compiled(),
            links=self.links.compiled(),
            retention=self.retention,
            approval_given=at(self.approved_at),
        )
        return msgspec.structs.replace(record, change=msgspec.structs.replace(record.change, lacks=len(tuple(lacks(record)))))
