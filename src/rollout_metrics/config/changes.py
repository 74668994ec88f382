"""Change records in YAML files: what was changed about an agent, when, and what came of it."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, ValidationError, model_validator

from rollout_metrics.config.problems import note_problems, suggestion
from rollout_metrics.config.values import LevelName, Moment, Options, OrderedTexts, at, level_named
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

    @model_validator(mode="after")
    def _forwards(self) -> Self:
        if self.ended_at is not None and self.ended_at < self.started_at:
            raise ValueError("ends before it starts: correct started_at or ended_at")
        return self


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
        if self.kind is ChangeKind.LEVEL and self.level is None:
            raise ValueError("a change of kind level needs `level`: say which level it moves to")
        if self.kind is not ChangeKind.LEVEL and self.level is not None:
            raise ValueError(f"a change of kind {self.kind} has no level: remove `level`, or make it kind level")
        for name in ("reviewed_at", "approved_at", "deployed_at"):
            moment = getattr(self, name)
            if moment is not None and moment < self.proposed_at:
                raise ValueError(f"{name} lies before proposed_at: correct one of them")
        if self.recovered_at is not None and (self.deployed_at is None or self.recovered_at < self.deployed_at):
            raise ValueError("recovered_at needs an earlier deployed_at: correct one of them")
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


def read_changes(
    paths: Iterable[Path], workflows: Iterable[str], environment: Mapping[str, str], named_in: Document | None = None
) -> tuple[tuple[Change, ...], list[str]]:
    """All change records under the paths, and every problem found in them; paths that are not there are noted in the document that names them."""
    known = set(workflows)
    changes: dict[str, Change] = {}
    problems: list[str] = []
    first: dict[str, str] = {}
    reworks: list[tuple[Document, int, str]] = []
    documents: list[Document] = []
    ids: set[str] = set()
    for file in _files(paths, named_in, problems):
        try:
            document = read_yaml(file, environment)
        except ConfigurationError as error:
            problems.extend(error.problems)
            continue
        documents.append(document)
        ids.update(_ids(document.value))
        for number, record in _records(document):
            if record.id in first:
                document.problem((number, "id"), f"{record.id!r} is taken by {first[record.id]}: give every change an id of its own")
            if record.workflow not in known:
                document.problem((number, "workflow"), f"there is no workflow {record.workflow!r}{suggestion(record.workflow, known)}")
            if record.reworks is not None:
                reworks.append((document, number, record.reworks))
            first.setdefault(record.id, f"{document.file}:{document.line((number, 'id'))}")
            changes.setdefault(record.id, record.change())
    for document, number, reworked in reworks:
        if reworked not in ids:
            document.problem((number, "reworks"), f"there is no change {reworked!r}{suggestion(reworked, ids)}")
    problems.extend(problem for document in documents for problem in document.problems)
    return tuple(changes.values()), problems


def _files(paths: Iterable[Path], named_in: Document | None, problems: list[str]) -> Iterator[Path]:
    for number, path in enumerate(paths):
        if path.is_dir():
            yield from sorted(file for file in path.rglob("*") if file.suffix in (".yaml", ".yml"))
        elif path.exists():
            yield path
        elif named_in is None:
            problems.append(f"{path}: there is no such file or directory of change records")
        else:
            named_in.problem(("changes", "paths", number), f"there is no file or directory {path}: correct the path")


def _ids(raw: Any) -> set[str]:
    """The ids that stand in a file, whatever else is wrong with their records."""
    return {item["id"] for item in (raw if isinstance(raw, list) else [raw]) if isinstance(item, Mapping) and isinstance(item.get("id"), str)}


def _records(document: Document) -> Iterator[tuple[int, ChangeRecord]]:
    """The records of a file, a list or a single one, with their numbers; those with problems are noted and left out."""
    raw = document.value
    if raw is None:
        return
    if not isinstance(raw, list):  # paths in messages start at the record
        document.lines |= {(0, *place): line for place, line in document.lines.items()}
        raw = [raw]
    for number, item in enumerate(raw):
        try:
            yield number, ChangeRecord.model_validate(item)
        except ValidationError as error:
            note_problems(error, ChangeRecord, document, (number,))
