"""Whether what is asked for can be answered: by workflows that there are, from sources that have been read."""

from collections.abc import Mapping

from rollout_metrics.domain.errors import ConfigurationError
from rollout_metrics.domain.time import Instant, format_instant
from rollout_metrics.pipeline import Pipeline
from rollout_metrics.pipeline.freshness import as_of_all


def known_workflows(pipeline: Pipeline, names: tuple[str, ...]) -> None:
    """Raise `ConfigurationError` for names that no workflow has."""
    known = [workflow.name for workflow in pipeline.company.workflows]
    unknown = [name for name in names if name not in known]
    if unknown:
        raise ConfigurationError(*(f"there is no workflow {name!r}: known are {', '.join(known) or 'none'}" for name in unknown))


def unread(pipeline: Pipeline, names: tuple[str, ...] = ()) -> list[str]:
    """What to say of those of the workflows named, or of all, whose sources have not been read yet: they have no figures."""
    return _unread(_reached(pipeline, names))


def read_until(pipeline: Pipeline, names: tuple[str, ...], at: Instant) -> None:
    """Raise `ConfigurationError` where these workflows, or any, have not been read up to `at`: figures would look final and be wrong."""
    reached = _reached(pipeline, names)
    if missing := _unread(reached):
        raise ConfigurationError(*missing)
    short = [
        f"workflow {name!r} has been read up to {format_instant(until)} only:"
        f" {format_instant(at)} lies after that; name an earlier instant, collect first, or ask for other workflows with --workflow"
        for name, until in reached.items()
        if until < at
    ]
    if short:
        raise ConfigurationError(*short)


def _reached(pipeline: Pipeline, names: tuple[str, ...]) -> dict[str, Instant]:
    """Up to when each of the workflows named, or of all, has been read."""
    reached = as_of_all(pipeline.company, pipeline.readings())
    return {workflow.name: reached[workflow.name] for workflow in pipeline.company.workflows if not names or workflow.name in names}


def _unread(reached: Mapping[str, Instant]) -> list[str]:
    return [f"{name}: its sources have not been read yet: run `rollout-metrics collect`" for name, until in reached.items() if not until]
