"""The configuration as a whole: file and environment to settings, sources and changes, with every problem reported at once."""

import re
from collections.abc import Iterable, Mapping
from hashlib import blake2b
from pathlib import Path
from typing import Any

import msgspec
from pydantic import BaseModel, ValidationError

from rollout_metrics import sources
from rollout_metrics.collect.source import Source
from rollout_metrics.config.checks import checked, names, warnings
from rollout_metrics.config.model import DEFAULT_URL, Settings
from rollout_metrics.config.policy import action_texts, company, text_attributes
from rollout_metrics.config.prepare import database_url, prepared
from rollout_metrics.config.problems import note_problems
from rollout_metrics.config.yaml import Document, Place, parse_yaml, read_yaml
from rollout_metrics.domain.changes import Change
from rollout_metrics.domain.errors import ConfigurationError
from rollout_metrics.domain.policy import Company
from rollout_metrics.domain.pseudonyms import Pseudonyms
from rollout_metrics.domain.records import ChangeReading, Record

SOURCE_NAME = re.compile(r"[a-zA-Z0-9_][\w.-]*", re.ASCII)


class Configuration(msgspec.Struct, frozen=True):
    """Everything a run needs to know; `warnings` are things that will work but are probably not meant."""

    settings: Settings
    sources: dict[str, Source]
    records: tuple[Record, ...]
    warnings: tuple[str, ...]

    @property
    def changes(self) -> tuple[Change, ...]:
        """Of the change records, the part that the numbers need."""
        return tuple(record.change for record in self.records)

    def pseudonyms(self, key: bytes) -> Pseudonyms:
        """The hashes of persons and words under a key."""
        return Pseudonyms(key, self.settings.privacy.person_attributes, text_attributes(self.settings), action_texts(self.settings))

    def fingerprint(self) -> str:
        """What facts of cases depend on; a change of it means deriving all cases again. Of change records that is what they deploy, fix and allow."""
        judging = [self.settings.workflows, self.settings.privacy, [(s.agents, s.agent_markers, s.systems, s.system_markers) for s in self.sources.values()]]
        changes = sorted((c.workflow, c.id, c.kind, c.level or 0, c.version or "", c.environment, c.deployed_at or 0, c.fixes) for c in self.changes)
        lists = sorted((r.change.workflow, r.change.id, repr(r.authority)) for r in self.records if r.authority.stated)
        return blake2b(repr((_stable(judging), changes, lists)).encode(), digest_size=12).hexdigest()

    def with_changes_of(self, readings: Iterable[tuple[str, ChangeReading]]) -> "tuple[Configuration, tuple[str, ...]]":
        """The configuration with the change records that its sources hold, and what is wrong with those."""
        mine = [(source, reading) for source, reading in readings if source in self.sources]
        if not mine:
            return self, ()
        from rollout_metrics.config.changes import with_collected  # many models, needed only where there are records

        records, problems = with_collected(self.records, mine, [workflow.name for workflow in self.settings.workflows])
        return msgspec.structs.replace(self, records=records), problems

    def company(self, pseudonyms: Pseudonyms) -> Company:
        """The compiled policies, with ids in their stored form."""
        return company(self.settings, self.sources.values(), self.records, pseudonyms)


def _stable(value: Any) -> Any:
    """The value with sets in order, so that equal settings print alike."""
    if isinstance(value, BaseModel):
        return {name: _stable(getattr(value, name)) for name in type(value).model_fields}
    if isinstance(value, Mapping):
        return {key: _stable(item) for key, item in value.items()}
    if isinstance(value, frozenset):
        return sorted(map(str, value))
    if isinstance(value, list | tuple):
        return [_stable(item) for item in value]
    return value


def load(file: Path, environment: Mapping[str, str]) -> Configuration:
    """Read and check a configuration file. Raises `ConfigurationError` with all problems."""
    return _checked(read_yaml(file, environment), environment)


def loads(text: str, environment: Mapping[str, str], *, file: str = "rollout-metrics.yaml") -> Configuration:
    """The same from text; `file` names it in messages and is what relative paths are relative to."""
    return _checked(parse_yaml(text, file, environment), environment)


def _checked(document: Document, environment: Mapping[str, str]) -> Configuration:
    raw = document.value if document.value is not None else {}
    if not isinstance(raw, Mapping):
        raise ConfigurationError(f"{document.where(())}: must be a mapping with keys such as sources and workflows")
    read_sources = _sources(raw.get("sources"), document)
    settings = _settings(prepared(raw, Settings, document, ()), document)
    checked(settings, read_sources, raw, document)
    records, problems = _records(settings, names(raw), document)
    problems = [*document.problems, *problems]
    if problems:
        raise ConfigurationError(*problems)
    return Configuration(settings, read_sources, records, tuple(warnings(settings, document)))


def _records(settings: Settings, workflows: list[str], document: Document) -> tuple[tuple[Record, ...], list[str]]:
    if not settings.changes.paths:
        return (), []
    from rollout_metrics.config.changes import read_records  # many models, needed only where there are records

    return read_records(settings.changes.paths, workflows, document)


def _settings(raw: Mapping[str, Any], document: Document) -> Settings:
    """The settings; where some have problems, those are noted and the rest is returned, so that it can be checked further."""
    store = raw.get("store", {})
    if isinstance(store, Mapping):
        raw = {**raw, "store": {"url": database_url(DEFAULT_URL, document), **store}}
    try:
        return Settings.model_validate(raw)
    except ValidationError as error:
        note_problems(error, Settings, document)
        bad = {item["loc"][:2] for item in error.errors()}
    return Settings.model_validate({key: _without(bad, key, value) for key, value in raw.items() if (key,) not in bad})


def _without(bad: set[tuple[int | str, ...]], section: str, value: Any) -> Any:
    """A section less those of its members that are bad."""
    if isinstance(value, Mapping):
        return {key: item for key, item in value.items() if (section, key) not in bad}
    if isinstance(value, list):
        return [item for number, item in enumerate(value) if (section, number) not in bad]
    return value


def _sources(raw: Any, document: Document) -> dict[str, Source]:
    if not isinstance(raw, Mapping):  # the settings say so
        return {}
    found: dict[str, Source] = {}
    for name, options in raw.items():
        place: Place = ("sources", name)
        if not SOURCE_NAME.fullmatch(name):
            document.problem(place, f"{name!r} is no name: use letters, digits, `_`, `.` and `-`")
        if not isinstance(options, Mapping) or not options.get("kind"):
            document.problem(place, f"needs a kind, one of {', '.join(sources.kinds())}")
            continue
        try:
            kind = sources.find(str(options["kind"]))
        except ConfigurationError as error:
            document.problem((*place, "kind"), str(error))
            continue
        if "name" in options:
            document.problem((*place, "name"), "the source's name is the key above: remove this line")
        given = prepared({key: value for key, value in options.items() if key not in ("kind", "name")}, kind, document, place)
        try:
            found[name] = kind.model_validate(given | {"name": name})
        except ValidationError as error:
            note_problems(error, kind, document, place)
    return found
