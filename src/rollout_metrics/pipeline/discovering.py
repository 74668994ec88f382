"""A first guess at workflows from a bounded sample of sources: read, looked through, and tried out on the sample itself by the rules of the definitions."""

from collections.abc import Iterable
from secrets import token_bytes

from rollout_metrics.collect.names import together
from rollout_metrics.collect.sample import Sample
from rollout_metrics.config.load import Configuration
from rollout_metrics.config.policy import ALWAYS_TEXT, company
from rollout_metrics.discover import Findings, Material, Measured, Reading, discovered, measured
from rollout_metrics.domain.events import Event, resolve
from rollout_metrics.domain.time import MINUTE, Span, minute_of


def discover(configuration: Configuration, samples: Iterable[Sample], *, depth: Span) -> tuple[Findings, dict[str, Measured]]:
    """What the samples tell, and what the drafted workflows yield on them by name; `depth`: how far back they were to reach. Nothing is stored."""
    samples = tuple(samples)
    findings = discovered(_material(configuration, samples, depth), [workflow.name for workflow in configuration.settings.workflows])
    return findings, _tried(configuration, findings)


def _material(configuration: Configuration, samples: tuple[Sample, ...], depth: Span) -> Material:
    sources = [configuration.sources[sample.source] for sample in samples]
    workflows = configuration.settings.workflows
    return Material(
        events=sorted(resolve([event for sample in samples for event in sample.events]), key=_order),
        readings=tuple(Reading(one.source, len(one.events), one.pages, one.rejected.total(), one.coverage, one.lacking, one.cut) for one in samples),
        names={(named.attribute, named.value): named.name for named in together({sample.source: sample.names for sample in samples})},
        agents=frozenset().union(*(source.agents for source in sources), *(workflow.agents for workflow in workflows)),
        markers=frozenset().union(*(source.agent_markers for source in sources), *(workflow.agent_markers for workflow in workflows)),
        systems=frozenset().union(*(source.systems for source in sources)),
        persons=configuration.settings.privacy.person_attributes,
        texts=ALWAYS_TEXT,
        depth=depth,
    )


def _tried(configuration: Configuration, findings: Findings) -> dict[str, Measured]:
    """The drafted workflows, compiled as they would be from the file and derived over the sample as it would be stored."""
    settings = type(configuration.settings).model_validate({"privacy": configuration.settings.privacy, "workflows": findings.to_measure()})
    pseudonyms = Configuration(settings, configuration.sources, (), ()).pseudonyms(token_bytes())
    compiled = company(settings, configuration.sources.values(), (), pseudonyms)
    cases = {case: [pseudonyms.event(event) for event in events] for case, events in findings.material.cases.items()}
    return measured(cases, compiled, minute_of(findings.material.until) * MINUTE)


def _order(event: Event) -> tuple[int, str, str]:
    return event.occurred_at, event.source, event.event_id
