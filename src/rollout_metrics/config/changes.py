"""Change records in YAML files: what was changed about an agent, when, and what came of it."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, TypeAdapter, ValidationError, model_validator

from rollout_metrics.config.model import LevelName, Moment, Options, OrderedTexts, at, level_named
from rollout_metrics.config.problems import problems_of
from rollout_metrics.config.yaml import Document, read_yaml
from rollout_metrics.domain.changes import Change, ChangeKind, Incident, Intervention, InterventionKind
from rollout_metrics.domain.errors import ConfigurationError
from rollout_metrics.domain.time import instant


class IncidentOptions(Options):
    """An incident that this change caused."""

    id: str
    started_at: Moment
    ended_at: Moment | None = None
    url: str | None = None


class InterventionOptions(Options):
    """What was done against it."""

    kind: InterventionKind
    at: Moment
    in_force_at: Moment | None = None
    """When it took hold; default: `at`."""


class ChangeRecord(Options):
    """One change of an agent's behaviour or authority."""

    id: str = Field(min_length=1)
    workflow: str
    kind: ChangeKind
    title: str = ""
    version: str | None = None
    """The version that events of the changed agent carry."""
    environment: str = "production"
    risk_class: Literal["low", "medium", "high", "regulated"] = "medium"
    proposed_at: Moment
    reviewed_at: Moment | None = None
    approved_at: Moment | None = None
    """The last sign-off it needs."""
    deployed_at: Moment | None = None
    recovered_at: Moment | None = None
    level: LevelName | None = None
    """The level that a change of kind `level` moves to."""
    reworks: str | None = None
    """The id of the change that this one rolls back or hotfixes."""
    fixes: OrderedTexts = ()
    """Error categories that this change should end."""
    incidents: tuple[IncidentOptions, ...] = ()
    interventions: tuple[InterventionOptions, ...] = ()

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if (self.kind is ChangeKind.LEVEL) != (self.level is not None):
            raise ValueError("a change of kind level names its level, and no other change does")
        for name in ("reviewed_at", "approved_at", "deployed_at"):
            moment = getattr(self, name)
            if moment is not None and moment < self.proposed_at:
                raise ValueError(f"{name} lies before proposed_at: correct one of them")
        return self

    def change(self) -> Change:
        """The record as the core reads it."""
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
            approved_at=at(self.approved_at),
            deployed_at=at(self.deployed_at),
            recovered_at=at(self.recovered_at),
            level=None if self.level is None else int(level_named(self.level)),
            reworks=self.reworks,
            fixes=self.fixes,
            incidents=tuple(Incident(item.id, instant(item.started_at), at(item.ended_at), item.url) for item in self.incidents),
            interventions=tuple(Intervention(item.kind, instant(item.at), at(item.in_force_at or item.at)) for item in self.interventions),
        )


_RECORDS = TypeAdapter(tuple[ChangeRecord, ...])


def read_changes(paths: Iterable[Path], workflows: Iterable[str], environment: Mapping[str, str]) -> tuple[tuple[Change, ...], list[str]]:
    """All change records under the paths, and every problem found in them."""
    known = set(workflows)
    changes: list[Change] = []
    problems: list[str] = []
    seen: dict[str, str] = {}
    for file in _files(paths, problems):
        try:
            document = read_yaml(file, environment)
        except ConfigurationError as error:
            problems.extend(error.problems)
            continue
        problems.extend(document.problems)
        for record in _records(document, problems):
            where = f"{document.file}: {record.id}"
            if record.id in seen:
                problems.append(f"{where}: this id is taken in {seen[record.id]}: give every change its own")
            if record.workflow not in known:
                problems.append(f"{where}: there is no workflow {record.workflow!r}: known are {', '.join(sorted(known)) or 'none'}")
            seen.setdefault(record.id, document.file)
            changes.append(record.change())
    problems.extend(
        f"change {c.id}: reworks {c.reworks!r}, which no record names: correct the id" for c in changes if c.reworks is not None and c.reworks not in seen
    )
    return tuple(changes), problems


def _files(paths: Iterable[Path], problems: list[str]) -> Iterable[Path]:
    for path in paths:
        if path.is_dir():
            yield from sorted(file for file in path.rglob("*") if file.suffix in (".yaml", ".yml"))
        elif path.exists():
            yield path
        else:
            problems.append(f"{path}: there is no such file or directory of change records: correct changes.paths")


def _records(document: Document, problems: list[str]) -> tuple[ChangeRecord, ...]:
    single = not isinstance(document.value, list)
    raw = [document.value] if single else document.value
    if document.value is None:
        return ()
    if single:  # a file of one record: paths in messages start at the record
        document.lines |= {(0, *place): line for place, line in document.lines.items()}
    try:
        return _RECORDS.validate_python(raw)
    except ValidationError as error:
        problems.extend(problems_of(error, ChangeRecord, document))
        return ()
