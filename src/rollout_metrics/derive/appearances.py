"""Which attributes and values that configuration names appear on a case: what stops appearing has drifted (definitions, section 9)."""

from collections.abc import Iterable, Iterator, Mapping

import msgspec

from rollout_metrics.derive.history import History
from rollout_metrics.derive.kept import kept
from rollout_metrics.domain.events import Activity, members_of
from rollout_metrics.domain.policy import AttributeType, Workflow
from rollout_metrics.domain.time import Instant

_CREATED = Activity.CREATED

VALUE_OF = "="
"""What stands between an attribute and its value in a name; an attribute alone is its own name."""


class Watched(msgspec.Struct, frozen=True):
    """What configuration names of one attribute: itself under `name`, and its values, each with its name."""

    name: str
    values: Mapping[str, str]


@kept
def watched(workflow: Workflow) -> Mapping[str, Watched]:
    """By attribute, what a workflow's configuration relies on. What marks a bypass or a complaint may well stop: it is not among it."""
    named: dict[str, set[str]] = {}
    for attribute, values in _named(workflow):
        named.setdefault(attribute, set()).update(values)
    return {attribute: Watched(attribute, {value: f"{attribute}{VALUE_OF}{value}" for value in sorted(values)}) for attribute, values in sorted(named.items())}


def names(workflow: Workflow) -> Iterator[str]:
    """Every name that is watched for."""
    for item in watched(workflow).values():
        yield item.name
        yield from item.values.values()


def appeared(history: History, workflow: Workflow, until: Instant) -> tuple[str, ...]:
    """The names that appeared on the case up to an instant, sorted."""
    looked_for = watched(workflow)
    found: set[str] = set()
    for step in history.of.get(_CREATED, ()):
        if step.at <= until:
            for attribute, value in step.event.detail.get("attributes", {}).items():
                if value is not None and attribute in looked_for:
                    _found(looked_for[attribute], value, found)
    changes, steps = history.values.changes, history.steps
    for attribute, item in looked_for.items():
        if attribute in changes:
            for place in changes[attribute]:
                step = steps[place]
                if step.at > until:
                    break
                found.add(item.name)
                if not item.values:
                    break
                _found(item, step.event.before, found)
                _found(item, step.event.after, found)
    return tuple(sorted(found))


def _found(item: Watched, value: str | None, found: set[str]) -> None:
    found.add(item.name)
    if value is None:
        return
    if value in item.values:
        found.add(item.values[value])
    elif value.startswith("["):
        found.update(item.values[member] for member in members_of(value) if member in item.values)


def _named(workflow: Workflow) -> Iterator[tuple[str, Iterable[str]]]:
    escalation = workflow.escalation
    for decides in workflow.decides.values():
        if decides.attribute is not None:
            text = decides.type is AttributeType.TEXT
            yield decides.attribute, () if text else {value for values in decides.progress for value in values}
    yield from workflow.scope.items()
    for attribute in escalation.attributes:
        yield attribute, escalation.to or ()
    yield from workflow.bypass.side_channels.items()
    for alone in (escalation.reason_attribute, workflow.reason_attribute, workflow.should_escalate_attribute):
        if alone is not None:
            yield alone, ()
