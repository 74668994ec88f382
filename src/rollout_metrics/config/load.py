"""The configuration as a whole: file and environment to settings, sources and changes, with every problem reported at once."""

from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import msgspec
from pydantic import ValidationError

from rollout_metrics import sources
from rollout_metrics.collect.source import Source
from rollout_metrics.config.changes import read_changes
from rollout_metrics.config.model import Settings, WorkflowOptions
from rollout_metrics.config.policy import company, text_attributes
from rollout_metrics.config.prepare import prepared
from rollout_metrics.config.problems import plain_secrets, problems_of
from rollout_metrics.config.yaml import Document, Place, parse_yaml, read_yaml
from rollout_metrics.domain.changes import Change
from rollout_metrics.domain.errors import ConfigurationError
from rollout_metrics.domain.policy import Company
from rollout_metrics.domain.pseudonyms import Pseudonyms


class Configuration(msgspec.Struct, frozen=True):
    """Everything a run needs to know; `warnings` are things that will work but are probably not meant."""

    settings: Settings
    sources: dict[str, Source]
    changes: tuple[Change, ...]
    warnings: tuple[str, ...]

    def pseudonyms(self, key: bytes) -> Pseudonyms:
        """The hashes of persons and words under a key."""
        return Pseudonyms(key, self.settings.privacy.person_attributes, text_attributes(self.settings))

    def company(self, pseudonyms: Pseudonyms) -> Company:
        """The compiled policies, with ids in their stored form."""
        return company(self.settings, self.sources.values(), self.changes, pseudonyms)


def load(file: Path, environment: Mapping[str, str]) -> Configuration:
    """Read and check a configuration file. Raises `ConfigurationError` with all problems."""
    return _checked(read_yaml(file, environment), environment)


def loads(text: str, environment: Mapping[str, str], *, file: str = "rollout-metrics.yaml") -> Configuration:
    """The same from text; `file` names it in messages and is what relative paths are relative to."""
    return _checked(parse_yaml(text, file, environment), environment)


def _checked(document: Document, environment: Mapping[str, str]) -> Configuration:
    raw = document.value if document.value is not None else {}
    if not isinstance(raw, Mapping):
        raise ConfigurationError(f"{document.file}:1: the file must be a mapping with keys such as sources and workflows")
    problems: list[str] = []
    read_sources = _sources(raw.get("sources"), document, problems)
    try:
        settings = Settings.model_validate(prepared(raw, Settings, document, ()))
    except ValidationError as error:
        raise ConfigurationError(*document.problems, *problems_of(error, Settings, document), *problems) from None
    problems.extend(plain_secrets(settings, document, ()))
    problems.extend(_cross_checks(settings, document))
    changes, change_problems = read_changes(settings.changes.paths, (workflow.name for workflow in settings.workflows), environment)
    problems = [*document.problems, *problems, *change_problems]
    if problems:
        raise ConfigurationError(*problems)
    return Configuration(settings, read_sources, changes, tuple(_warnings(settings, document)))


def _sources(raw: Any, document: Document, problems: list[str]) -> dict[str, Source]:
    if raw is None or not isinstance(raw, Mapping):
        if raw is not None:
            problems.append(f"{document.where(('sources',))}: must be a mapping from a source's name to its options")
        return {}
    found: dict[str, Source] = {}
    for name, options in raw.items():
        place: Place = ("sources", name)
        if not isinstance(options, Mapping) or "kind" not in options:
            problems.append(f"{document.where(place)}: needs a kind, one of {', '.join(sources.kinds())}")
            continue
        try:
            kind = sources.find(str(options["kind"]))
        except ConfigurationError as error:
            problems.append(f"{document.where((*place, 'kind'))}: {error}")
            continue
        given = {key: value for key, value in options.items() if key != "kind"}
        try:
            source = kind.model_validate(prepared(given, kind, document, place) | {"name": str(name)})
        except ValidationError as error:
            problems.extend(problems_of(error, kind, document, place))
            continue
        problems.extend(plain_secrets(source, document, place))
        found[str(name)] = source
    return found


def _cross_checks(settings: Settings, document: Document) -> Iterator[str]:
    names = [workflow.name for workflow in settings.workflows]
    for number, workflow in enumerate(settings.workflows):
        place: Place = ("workflows", number)
        if workflow.name in names[:number]:
            yield f"{document.where((*place, 'name'))}: workflow {workflow.name!r} stands twice: give every workflow its own name"
        for position, source in enumerate(workflow.sources):
            if source not in settings.sources:
                near = get_close_matches(source, list(settings.sources), 1)
                yield f"{document.where((*place, 'sources', position))}: there is no source {source!r}" + (f"; did you mean {near[0]!r}?" if near else "")
        for attribute, values in workflow.scope.items():
            if not values:
                yield f"{document.where((*place, 'scope', attribute))}: lists no value, so that no case can ever match: name the allowed values"
        for earlier in settings.workflows[:number]:
            if _covers(earlier, workflow):
                remedy = "put the narrower workflow first"
                yield f"{document.where((*place, 'scope'))}: can never match: every case of it belongs to {earlier.name!r}, which stands before it; {remedy}"


def _covers(earlier: WorkflowOptions, later: WorkflowOptions) -> bool:
    """Whether every case that matches the later workflow matches the earlier one already."""
    return set(later.sources) <= set(earlier.sources) and all(
        attribute in later.scope and later.scope[attribute] <= values for attribute, values in earlier.scope.items()
    )


def _warnings(settings: Settings, document: Document) -> Iterator[str]:
    for number, later in enumerate(settings.workflows):
        for earlier in settings.workflows[:number]:
            shared = set(earlier.scope) & set(later.scope)
            apart = any(earlier.scope[attribute].isdisjoint(later.scope[attribute]) for attribute in shared)
            if set(later.sources) & set(earlier.sources) and not apart:
                where = document.where(("workflows", number, "scope"))
                yield f"{where}: overlaps with {earlier.name!r}; cases that match both belong to {earlier.name!r}, which stands first"
        if not later.decides:
            where = document.where(("workflows", number))
            yield f"{where}: decides nothing, so that no recommendation will ever be seen: name the actions the agent decides"
        if not later.levels:
            where = document.where(("workflows", number))
            yield f"{where}: has no levels, so that it is off until a change record says otherwise: name its autonomy level"
