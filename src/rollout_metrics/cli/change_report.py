"""What a check of change records found: what each lacks, how its permissions differ, what was taken away, what is no record at all."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from rollout_metrics.cli.ladder_text import assessment_values
from rollout_metrics.cli.revisions import Base
from rollout_metrics.config.changes import Recorded, record_files, records_in
from rollout_metrics.config.yaml import Document, parse_yaml, read_yaml, written
from rollout_metrics.derive.completeness import Lack, lacks, missing, required
from rollout_metrics.derive.permissions import Difference, difference, in_words
from rollout_metrics.domain.errors import ConfigurationError
from rollout_metrics.domain.records import Lists, Record, SignOff
from rollout_metrics.domain.time import Instant, format_instant
from rollout_metrics.figures.at_hand import Evidence, Rate

COMPLETE, LACKING, UNREADABLE = 0, 1, 2
"""Exit codes, the worst of them counts."""


class Permissions(msgspec.Struct, frozen=True):
    """How the authority lists differ from those of the record `against`; None: no deployed record of the workflow states any, so all are new.

    `stated`: the record itself states all three, else there is nothing to compare. `rewritten`: `against` is this record as it was deployed.
    """

    stated: bool
    against: str | None
    differences: tuple[Difference, ...] = ()
    rewritten: bool = False


class Checked(msgspec.Struct, frozen=True):
    """A record that was looked at: where it stands, and what it lacks with the lines."""

    record: Record
    file: str
    line: int
    lacks: tuple[tuple[int, Lack], ...]
    required: tuple[SignOff, ...]
    missing: tuple[SignOff, ...]
    permissions: Permissions


class Report(msgspec.Struct, frozen=True):
    """All of it. `removed`: ids of deployed records that are gone; `others`: how many records were not looked at, since they are as they were."""

    checked: tuple[Checked, ...]
    removed: tuple[str, ...]
    problems: tuple[str, ...]
    others: int
    evidence: Mapping[str, Evidence] | None = None

    @property
    def exit_code(self) -> int:
        """The exit code it stands for."""
        if self.problems:
            return UNREADABLE
        return LACKING if self.removed or any(item.lacks for item in self.checked) else COMPLETE


class _Records(msgspec.Struct, frozen=True):
    """Records by id, in order, and the problems found with them."""

    recorded: tuple[Recorded, ...]
    problems: tuple[str, ...]

    @property
    def by_id(self) -> dict[str, Recorded]:
        """The first of each id."""
        return {item.record.id: item for item in reversed(self.recorded)}


def check(paths: Sequence[Path], *, workflows: Iterable[str] | None, revision: str | None, now: Instant) -> Report:
    """Look at the records under the paths; with a `revision`, only at those that differ from the point where HEAD left it."""
    missed: list[str] = []
    known = None if workflows is None else frozenset(workflows)
    if revision is None:
        current = _read(record_files(paths, None, missed), known)
        return _report(current, None, now, missed)
    present = next((folder for path in paths for folder in (path, *path.absolute().parents) if folder.is_dir()), Path())
    base = Base(revision, present)
    there = [path for path in paths if path.exists()]
    named = dict.fromkeys(name for path in paths for name in base.files(path) if name.endswith((".yaml", ".yml")))
    missed += [f"{path}: there is no such file or directory of change records" for path in paths if path not in there and not named]
    current = _read(record_files(there, None, missed), known, base)
    files = {base.name(file): str(file) for file in record_files(there, None, []) if base.inside(file)}
    changed = set().union(*(base.changed(path) for path in paths))
    texts = {files.get(name, name): base.text(name) if name in changed else None for name in named}
    return _report(current, _read_texts(texts, known), now, missed)


def _report(current: _Records, before: _Records | None, now: Instant, missed: Sequence[str]) -> Report:
    former = {} if before is None else before.by_id
    deployed = _deployed((current if before is None else before).recorded, now)
    looked_at = [item for item in current.recorded if item.record.id not in former or item.record != former[item.record.id].record]
    problems = [problem for problem in current.problems if before is None or problem not in before.problems]
    gone = sorted(id_ for id_ in {record.change.id for record in deployed} - current.by_id.keys() if before is not None)
    return Report(
        checked=tuple(_checked(item, former.get(item.record.id), deployed) for item in looked_at),
        removed=() if problems else tuple(gone),
        problems=(*missed, *problems),
        others=len(current.recorded) - len(looked_at),
    )


def _checked(item: Recorded, former: Recorded | None, deployed: Sequence[Record]) -> Checked:
    record = item.record.record()
    lines = sorted(((item.line(lack.place), lack) for lack in lacks(record)), key=lambda found: found[0])
    return Checked(
        record=record,
        file=item.document.file,
        line=item.line(),
        lacks=tuple(lines),
        required=required(record),
        missing=missing(record),
        permissions=_permissions(record, None if former is None else former.record.record(), deployed),
    )


def _permissions(record: Record, former: Record | None, deployed: Sequence[Record]) -> Permissions:
    own = record.change
    if not record.authority.stated:
        return Permissions(stated=False, against=None)
    if former is not None and former in deployed and former.authority.stated and difference(former.authority, record.authority):
        return Permissions(stated=True, against=own.id, differences=difference(former.authority, record.authority), rewritten=True)
    until = own.deployed_at
    earlier = [
        other
        for other in deployed
        if other.change.id != own.id
        and (other.change.workflow, other.change.environment) == (own.workflow, own.environment)
        and other.authority.stated
        and (until is None or _order(other) < (until, own.id))
    ]
    last = max(earlier, key=_order, default=None)
    return Permissions(
        stated=True,
        against=None if last is None else last.change.id,
        differences=difference(Lists() if last is None else last.authority, record.authority),
    )


def _deployed(recorded: Iterable[Recorded], now: Instant) -> list[Record]:
    records = (item.record.record() for item in recorded)
    return [record for record in records if record.change.deployed_at is not None and record.change.deployed_at <= now]


def _order(record: Record) -> tuple[Instant, str]:
    return record.change.deployed_at or 0, record.change.id


def _read(files: Iterable[Path], workflows: frozenset[str] | None, base: Base | None = None) -> _Records:
    """Files as they are. In a repository, links that lead out of it are refused: whoever proposes a record must not have other files read."""
    problems: list[str] = []

    def document(file: Path) -> Document:
        if base is not None and not base.inside(file):
            raise ConfigurationError(f"{file}: is a link out of the repository: put the record itself there")
        return read_yaml(file, None)

    return _gathered([partial(document, file) for file in files], workflows, problems)


def _read_texts(texts: Mapping[str, str | None], workflows: frozenset[str] | None) -> _Records:
    """Files as they were; None: as they are."""

    def document(file: str, text: str | None) -> Document:
        return read_yaml(Path(file), None) if text is None else parse_yaml(text, file, None)

    return _gathered([partial(document, file, text) for file, text in sorted(texts.items())], workflows, [])


def _gathered(reading: Iterable[Callable[[], Document]], workflows: frozenset[str] | None, problems: list[str]) -> _Records:
    documents: list[Document] = []
    for read in reading:
        try:
            documents.append(read())
        except ConfigurationError as error:
            problems.extend(error.problems)
    recorded, found = records_in(documents, workflows)
    return _Records(tuple(recorded), (*problems, *found))


def as_values(report: Report) -> dict[str, Any]:
    """The report as JSON has it."""
    return {
        "exit_code": report.exit_code,
        "records": [_record_values(item) for item in report.checked],
        "removed": list(report.removed),
        "problems": list(report.problems),
        "unchanged_records": report.others,
        "evidence": None if report.evidence is None else {name: _evidence_values(item) for name, item in sorted(report.evidence.items())},
    }


def _record_values(item: Checked) -> dict[str, Any]:
    change, permissions = item.record.change, item.permissions
    return {
        "id": change.id,
        "workflow": change.workflow,
        "kind": change.kind.value,
        "title": change.title,
        "risk_class": change.risk_class,
        "file": item.file,
        "line": item.line,
        "complete": not item.lacks,
        "lacks": [{"line": line, "place": written(lack.place), "message": lack.message} for line, lack in item.lacks],
        "sign_offs": {"required": [name.value for name in item.required], "missing": [name.value for name in item.missing]},
        "approved_at": None if change.approved_at is None else format_instant(change.approved_at),
        "permissions": {
            "stated": permissions.stated,
            "against": permissions.against,
            "rewritten": permissions.rewritten,
            "differences": [
                {
                    "action": found.action,
                    "list": found.list.value,
                    "shift": found.shift.value,
                    "widens": found.widens,
                    "before": in_words(found.before) if found.before else None,
                    "after": in_words(found.after) if found.after else None,
                }
                for found in permissions.differences
            ],
        },
    }


def _evidence_values(item: Evidence) -> dict[str, Any]:
    return {
        "level": item.level.name.lower(),
        "mode": item.mode.value,
        "version": item.version,
        "since": None if item.since is None else format_instant(item.since),
        "as_of": format_instant(item.as_of),
        "rates": {rate.metric: _rate_values(rate) for rate in item.rates},
        "gates": assessment_values(item.assessment),
    }


def _rate_values(rate: Rate) -> dict[str, Any] | None:
    if rate.lower is None:
        return None
    return {"count": rate.count, "n": rate.total, "ratio": rate.count / rate.total, "lower": rate.lower, "upper": rate.upper}
