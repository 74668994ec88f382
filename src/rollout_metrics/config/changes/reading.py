"""Change records out of YAML files, with every problem found in them."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec
from pydantic import ValidationError

from rollout_metrics.config.changes.record import ChangeRecord
from rollout_metrics.config.prepare import prepared
from rollout_metrics.config.problems import note_problems, suggestion
from rollout_metrics.config.yaml import Document, Place, read_yaml
from rollout_metrics.domain.changes import Change
from rollout_metrics.domain.errors import ConfigurationError
from rollout_metrics.domain.records import Record

SUFFIXES = (".yaml", ".yml")


class Recorded(msgspec.Struct, frozen=True):
    """A record and where it stands: the document, and its number in there."""

    record: ChangeRecord
    document: Document
    number: int

    def line(self, place: Place = ()) -> int:
        """The line of a place within the record."""
        return self.document.line((self.number, *place))


def read_changes(
    paths: Iterable[Path], workflows: Iterable[str], environment: Mapping[str, str], named_in: Document | None = None
) -> tuple[tuple[Change, ...], list[str]]:
    """Of `read_records`, the part that the numbers need. Nothing in a record comes from the `environment`: they are proposed by people who must not read it."""
    del environment
    records, problems = read_records(paths, workflows, named_in)
    return tuple(record.change for record in records), problems


def read_records(paths: Iterable[Path], workflows: Iterable[str], named_in: Document | None = None) -> tuple[tuple[Record, ...], list[str]]:
    """All change records under the paths, and every problem found in them; paths that are not there are noted in the document that names them."""
    problems: list[str] = []
    recorded, found = records_in(_documents(record_files(paths, named_in, problems), problems), workflows)
    return tuple({item.record.id: item.record.record() for item in reversed(recorded)}.values())[::-1], problems + found


def records_in(documents: Iterable[Document], workflows: Iterable[str] | None) -> tuple[list[Recorded], list[str]]:
    """The records of documents in their order, and every problem found. Without `workflows`, nobody knows which there are."""
    known = None if workflows is None else set(workflows)
    documents = list(documents)
    recorded: list[Recorded] = []
    first: dict[str, str] = {}
    ids: set[str] = set()
    for document in documents:
        ids.update(_ids(document.value))
        for item in _records(document):
            record, number = item.record, item.number
            if record.id in first:
                document.problem((number, "id"), f"{record.id!r} is taken by {first[record.id]}: give every change an id of its own")
            if known is not None and record.workflow not in known:
                document.problem((number, "workflow"), f"there is no workflow {record.workflow!r}{suggestion(record.workflow, known)}")
            first.setdefault(record.id, f"{document.file}:{item.line(('id',))}")
            recorded.append(item)
    for item in recorded:
        reworked = item.record.reworks
        if reworked is not None and reworked not in ids:
            item.document.problem((item.number, "reworks"), f"there is no change {reworked!r}{suggestion(reworked, ids)}")
    return recorded, [problem for document in documents for problem in document.problems]


def record_files(paths: Iterable[Path], named_in: Document | None, problems: list[str]) -> Iterator[Path]:
    """The files under the paths; what is hidden (as mounted ConfigMaps keep their copies) is left out."""
    for number, path in enumerate(paths):
        if path.is_dir():
            yield from sorted(file for file in path.rglob("*") if file.suffix in SUFFIXES and not any(_hidden(part) for part in file.relative_to(path).parts))
        elif path.exists():
            yield path
        elif named_in is None:
            problems.append(f"{path}: there is no such file or directory of change records")
        else:
            named_in.problem(("changes", "paths", number), f"there is no file or directory {path}: correct the path")


def _hidden(part: str) -> bool:
    return part.startswith(".")


def _documents(files: Iterable[Path], problems: list[str]) -> Iterator[Document]:
    for file in files:
        try:
            yield read_yaml(file, None)
        except ConfigurationError as error:
            problems.extend(error.problems)


def _ids(raw: Any) -> set[str]:
    """The ids that stand in a file, whatever else is wrong with their records."""
    return {item["id"] for item in (raw if isinstance(raw, list) else [raw]) if isinstance(item, Mapping) and isinstance(item.get("id"), str)}


def _records(document: Document) -> Iterator[Recorded]:
    """The records of a file, a list or a single one; those with problems are noted and left out."""
    raw = document.value
    if raw is None:
        return
    if not isinstance(raw, list):  # paths in messages start at the record
        document.lines |= {(0, *place): line for place, line in document.lines.items()}
        raw = [raw]
    for number, item in enumerate(raw):
        try:
            yield Recorded(ChangeRecord.model_validate(prepared(item, ChangeRecord, document, (number,))), document, number)
        except ValidationError as error:
            note_problems(error, ChangeRecord, document, (number,))
