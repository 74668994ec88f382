"""What no single option can show: names that must agree, scopes that hide each other, files that must be there; and what is probably not meant."""

from collections.abc import Iterator, Mapping
from ipaddress import ip_address
from itertools import product
from pathlib import Path
from typing import Any

from rollout_metrics.collect.received import Bounded
from rollout_metrics.collect.runtimes import Runtime
from rollout_metrics.collect.source import Source
from rollout_metrics.config.model import Settings
from rollout_metrics.config.problems import suggestion
from rollout_metrics.config.workflow import WorkflowOptions
from rollout_metrics.config.yaml import Document, Place
from rollout_metrics.domain.errors import ConfigurationError

MOST_COMBINATIONS = 1000
"""Of a scope's values, looked through for one that no earlier scope takes away."""


def names(raw: Mapping[str, Any]) -> list[str]:
    """The names of the workflows as they stand in the file, whatever else is wrong with them."""
    return [name for _, name in _named(raw)]


def checked(settings: Settings, sources: Mapping[str, Source], raw: Mapping[str, Any], document: Document) -> None:
    """Note what is wrong between options. `settings` may lack what is wrong in itself; `raw` has all."""
    _check_names(raw, document)
    _check_scopes(settings, document)
    for name, source in sources.items():
        if isinstance(source, Bounded):
            _check_tokens(name, source, names(raw), document)
        if isinstance(source, Runtime) and source.case_source is not None:
            known = sorted(raw["sources"])
            if source.case_source not in known:
                document.problem(("sources", name, "case_source"), f"there is no source {source.case_source!r}{suggestion(source.case_source, known)}")
    for name in sorted(set(settings.review.hourly_rates) - set(names(raw))):
        document.problem(("review", "hourly_rates", name), f"there is no workflow {name!r}{suggestion(name, names(raw))}")
    if settings.listen.metrics == settings.listen.web and not settings.listen.web.endswith(":0"):
        document.problem(("listen", "web"), f"{settings.listen.web} is the metrics listener's address too: give each its own")
    if settings.store.password_file is not None:
        _check_readable(settings.store.password_file, ("store", "password_file"), document)
    for name in ("metrics_web_config", "web_web_config"):
        file = getattr(settings.listen, name)
        if file is not None:
            _check_web_config(file, ("listen", name), document)


def _named(raw: Mapping[str, Any]) -> list[tuple[int, str]]:
    workflows = raw.get("workflows")
    found = enumerate(workflows) if isinstance(workflows, list) else ()
    return [(number, item["name"]) for number, item in found if isinstance(item, Mapping) and isinstance(item.get("name"), str)]


def _check_names(raw: Mapping[str, Any], document: Document) -> None:
    first: dict[str, int] = {}
    for number, name in _named(raw):
        place: Place = ("workflows", number, "name")
        if name in first:
            document.problem(
                place, f"workflow {name!r} stands twice (first in line {document.line(('workflows', first[name], 'name'))}): give each its own name"
            )
        first.setdefault(name, number)
    known = list(raw["sources"]) if isinstance(raw.get("sources"), Mapping) else []
    workflows = raw.get("workflows")
    for number, item in enumerate(workflows if isinstance(workflows, list) else ()):
        given = item.get("sources") if isinstance(item, Mapping) else None
        for position, source in enumerate(given if isinstance(given, list) else [given]):
            if isinstance(source, str) and source not in known:
                document.problem(("workflows", number, "sources", position), f"there is no source {source!r}{suggestion(source, known)}")
        incidents = item.get("incident_sources") if isinstance(item, Mapping) else None
        for source in incidents if isinstance(incidents, Mapping) else ():
            if source not in known:
                document.problem(("workflows", number, "incident_sources", source), f"there is no source {source!r}{suggestion(source, known)}")


def _places(settings: Settings, document: Document) -> list[tuple[Place, WorkflowOptions]]:
    """Each workflow with where it stands; those with problems of their own are not among the settings."""
    places = {name: number for number, name in reversed(_named(document.value))} if isinstance(document.value, Mapping) else {}
    return [(("workflows", places[workflow.name]), workflow) for workflow in settings.workflows]


def _check_scopes(settings: Settings, document: Document) -> None:
    seen: list[WorkflowOptions] = []
    for place, workflow in _places(settings, document):
        hiding = _hiding(workflow, seen)
        if hiding and workflow.name not in [earlier.name for earlier in seen]:
            before = " or ".join(repr(earlier.name) for earlier in hiding)
            stand = "which stands" if len(hiding) == 1 else "which stand"
            document.problem((*place, "scope"), f"can never match: every case of it belongs to {before}, {stand} before it; put the narrower workflow first")
        seen.append(workflow)


def _hiding(workflow: WorkflowOptions, earlier: list[WorkflowOptions]) -> list[WorkflowOptions]:
    """The earlier workflows that take every case of this one; none where some case is left."""
    attributes = sorted(workflow.scope)
    taking = [other for other in earlier if set(other.scope) <= set(attributes)]
    count = len(workflow.sources)
    for attribute in attributes:
        count *= len(workflow.scope[attribute])
    if count > MOST_COMBINATIONS:
        taking = [other for other in taking if all(workflow.scope[attribute] <= values for attribute, values in other.scope.items())]
        return taking[:1] if taking and any(set(workflow.sources) <= set(other.sources) for other in taking) else []
    hiding: list[WorkflowOptions] = []
    for source, *values in product(workflow.sources, *(sorted(workflow.scope[attribute]) for attribute in attributes)):
        case = dict(zip(attributes, values, strict=True))
        taker = next((other for other in taking if source in other.sources and all(case[a] in allowed for a, allowed in other.scope.items())), None)
        if taker is None:
            return []
        if taker not in hiding:
            hiding.append(taker)
    return hiding


def _check_tokens(name: str, source: Bounded, known: list[str], document: Document) -> None:
    for number, token in enumerate(source.tokens):
        for workflow in sorted(token.workflows.difference(known)):
            document.problem(("sources", name, "tokens", number, "workflows"), f"there is no workflow {workflow!r}{suggestion(workflow, known)}")


def _check_readable(file: Path, place: Place, document: Document) -> None:
    try:
        file.read_bytes()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "it is no path"
        document.problem(place, f"{file} cannot be read ({reason}): check the path and its permissions")


def _check_web_config(file: Path, place: Place, document: Document) -> None:
    from rollout_metrics.publish.web_config import read_web_config, tls_context  # brings bcrypt and more

    try:
        tls_context(read_web_config(file), file)
    except (ConfigurationError, ValueError) as error:
        for problem in getattr(error, "problems", ("it is no path",)):
            document.problem(place, problem)


def warnings(settings: Settings, document: Document) -> Iterator[str]:
    """What will work but is probably not meant."""
    if not settings.workflows:
        remedy = "describe the work the agent takes part in, or let `rollout-metrics discover` draft it"
        yield f"{document.where(('workflows',))}: there are none, so that nothing is judged: {remedy}"
    read = {source for workflow in settings.workflows for source in (*workflow.sources, *workflow.incident_sources)}
    for source in settings.sources:
        if settings.workflows and source not in read:
            yield f"{document.where(('sources', source))}: no workflow reads it: name it in the sources of one"
    host = settings.listen.web.rpartition(":")[0].strip("[]")
    if not _loopback(host) and settings.listen.web_web_config is None and settings.web.proxy_header is None:
        remedy = "name users in listen.web_web_config, or a proxy that authenticates in web.proxy_header"
        yield f"{document.where(('listen', 'web'))}: whoever reaches {host} sees the pages and the cases on them: {remedy}"
    for number, later in enumerate(settings.workflows):
        where = document.where(("workflows", number))
        for earlier in settings.workflows[:number]:
            shared = set(earlier.scope) & set(later.scope)
            apart = any(earlier.scope[attribute].isdisjoint(later.scope[attribute]) for attribute in shared)
            if set(later.sources) & set(earlier.sources) and not apart:
                scope = document.where(("workflows", number, "scope"))
                yield f"{scope}: overlaps with {earlier.name!r}; cases that match both belong to {earlier.name!r}, which stands first"
        handing_over = sorted(later.escalation.attributes & {item.action.removeprefix("set:") for item in later.decides})
        if handing_over and later.escalation.to is None:
            attributes = document.where(("workflows", number, "escalation", "attributes"))
            remedy = "take it out of escalation.attributes, or name the values that mean people in escalation.to"
            yield f"{attributes}: the agent decides {', '.join(handing_over)}, so that each such decision counts as an escalation: {remedy}"
        if not later.decides:
            yield f"{where}: decides nothing, so that no recommendation will ever be seen: name the actions the agent decides"
        if not later.levels:
            yield f"{where}: has no levels, so that it is off until a change record says otherwise: name its autonomy level"


def _loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
