"""Change records that systems hold, beside those in YAML files: checked by the same schema, one record for each number, and what is wrong with them."""

from collections.abc import Iterable, Iterator

from pydantic import ValidationError

from rollout_metrics.config.changes.record import ChangeRecord
from rollout_metrics.config.problems import suggestion
from rollout_metrics.domain.records import ChangeReading, Record


def with_collected(
    written: tuple[Record, ...], readings: Iterable[tuple[str, ChangeReading]], workflows: Iterable[str]
) -> tuple[tuple[Record, ...], tuple[str, ...]]:
    """The records of files and, where no file has their number, those of systems; and a sentence for each that is left out or names what is not there.

    `readings`: source and reading. Of two systems with the same number the one whose source has the lesser name holds.
    """
    known, problems = set(workflows), list[str]()
    found = {record.change.id: record for record in written}
    held_by = dict.fromkeys(found, "a file")
    collected: list[tuple[str, Record]] = []
    for source, reading in sorted(readings, key=lambda item: (item[0], item[1].change_id)):
        where = f"change record {(reading.record or {}).get('id', reading.change_id)} of source {source}"
        try:
            record = ChangeRecord.model_validate(reading.record)
        except ValidationError as error:
            problems += (f"{where}: {said}" for said in _said(error))
            continue
        if record.id in held_by:
            problems.append(f"{where}: {held_by[record.id]} has it too and holds; keep it in one place")
        elif record.workflow not in known:
            problems.append(f"{where}: there is no workflow {record.workflow!r}{suggestion(record.workflow, known)}")
        else:
            held_by[record.id] = f"source {source}"
            found[record.id] = record.record()
            collected.append((where, found[record.id]))
    for where, one in collected:
        if one.change.reworks is not None and one.change.reworks not in found:
            problems.append(f"{where}: reworks: there is no change {one.change.reworks!r}{suggestion(one.change.reworks, found)}")
    return tuple(found.values()), tuple(problems)


def _said(error: ValidationError) -> Iterator[str]:
    """What is wrong and where, without a word of what stands there."""
    for item in error.errors():
        place = ".".join(str(part) for part in item["loc"])
        message = str(item["msg"]).removeprefix("Value error, ") if item["type"] == "value_error" and not place else str(item["msg"])
        yield f"{place}: {message}; correct the field, or the source's changes.fields and changes.values" if place else message
