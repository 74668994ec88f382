"""What is asked of the ladder: each workflow's gates, the history of its levels, its comparison in shadow."""

import msgspec

from rollout_metrics.derive.gates import Assessment, Promotion
from rollout_metrics.derive.shadow import Comparison, compare
from rollout_metrics.derive.standing import LevelStep, level_steps
from rollout_metrics.domain.time import Instant, Span
from rollout_metrics.pipeline.engine import Pipeline
from rollout_metrics.pipeline.freezing import assessment_as_of
from rollout_metrics.pipeline.freshness import NOTHING, as_of_all


class History(msgspec.Struct, frozen=True):
    """A workflow's steps, the level changes frozen, and its gates now (None: not read yet)."""

    workflow: str
    steps: list[LevelStep]
    promotions: tuple[Promotion, ...]
    assessment: Assessment | None


def assessments(pipeline: Pipeline, at: Instant | None = None) -> list[Assessment]:
    """In file order, at each workflow's live T, or as of an instant; workflows that have not been read are left out."""
    if at is not None:
        then = [assessment_as_of(pipeline.store, pipeline.company, workflow, at) for workflow in pipeline.company.workflows]
        return [assessment for assessment, read in then if read]
    found = pipeline.assessed()
    return [found[workflow.name] for workflow in pipeline.company.workflows if workflow.name in found]


def histories(pipeline: Pipeline) -> list[History]:
    """In file order."""
    now = {item.workflow: item for item in assessments(pipeline)}
    as_of = as_of_all(pipeline.company, pipeline.readings())
    around, frozen = pipeline.store.surroundings(as_of), pipeline.store.promotions()
    return [
        History(w.name, level_steps(w, as_of[w.name], around), tuple(p for p in frozen.get(w.name, ()) if p.deployed_at <= as_of[w.name]), now.get(w.name))
        for w in pipeline.company.workflows
    ]


def comparison(pipeline: Pipeline, name: str, window: Span) -> Comparison | None:
    """The comparison of the window that ends at T; None where the workflow has not been read."""
    pipeline.assessed()  # derives what is due
    at = as_of_all(pipeline.company, pipeline.readings())[name]
    workflow = pipeline.company.by_name[name]
    return None if at == NOTHING else compare(workflow, pipeline.store.facts_between(name, at - window, at), at - window, at)
