"""The systems that can be read, one module each: a module's name is the kind its configuration names."""

import difflib
import importlib
import inspect
import pkgutil
from importlib.metadata import entry_points

from rollout_metrics.collect.source import Source
from rollout_metrics.domain.errors import ConfigurationError

GROUP = "rollout_metrics.sources"
"""The entry-point group by which other packages add kinds: name = kind, value = the class."""


def kinds() -> tuple[str, ...]:
    """Every kind there is, sorted: our own modules, and what other packages registered."""
    own = {module.name for module in pkgutil.iter_modules(__path__) if not module.name.startswith("_")}
    return tuple(sorted(own | {entry.name for entry in entry_points(group=GROUP)}))


def find(kind: str) -> type[Source]:
    """The options model of a kind; raises `ConfigurationError`, with a suggestion where the kind looks misspelt."""
    if _ours(kind):
        return _found(kind)
    if kind not in kinds():
        near = difflib.get_close_matches(kind, kinds(), n=1)
        raise ConfigurationError(f"there is no kind of source {kind!r}" + (f": did you mean {near[0]!r}?" if near else f"; there are: {', '.join(kinds())}"))
    found = next(entry for entry in entry_points(group=GROUP) if entry.name == kind).load()
    if not (inspect.isclass(found) and issubclass(found, Source) and found.kind == kind):
        raise ConfigurationError(f"the package that registers the kind {kind!r} does not provide a Source of that kind: update or remove it")
    return found


def _found(kind: str) -> type[Source]:
    module = importlib.import_module(f"{__name__}.{kind}")
    for _, found in inspect.getmembers(module, inspect.isclass):
        if issubclass(found, Source) and found.__module__ == module.__name__ and getattr(found, "kind", None) == kind:
            return found
    raise ConfigurationError(f"the module of the kind {kind!r} defines no source")


def _ours(kind: str) -> bool:
    return any(module.name == kind and not kind.startswith("_") for module in pkgutil.iter_modules(__path__))
