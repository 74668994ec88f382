"""The verbs of the ladder: the gates, how each agent came to its level, and the comparison in shadow."""

from pathlib import Path

import click

from rollout_metrics.cli import ladder_text
from rollout_metrics.cli.answerable import known_workflows, read_until, unread
from rollout_metrics.cli.parameters import Span, as_of_option, config_option, json_option, workflows_option
from rollout_metrics.cli.session import opened, read_configuration
from rollout_metrics.cli.talk import as_json, say, table
from rollout_metrics.domain.time import Instant, floor_minute
from rollout_metrics.pipeline.ladder import assessments, comparison, histories


@click.command()
@config_option
@workflows_option
@as_of_option
@json_option
def gates(file: Path, workflows: tuple[str, ...], as_of: Instant | None, as_json_: bool) -> int:
    """The gates to the next level, with verdicts and what is missing. Exit code 1 if any fails."""
    with opened(read_configuration(file)) as pipeline:
        known_workflows(pipeline, workflows)
        if as_of is not None:
            read_until(pipeline, workflows, floor_minute(as_of))
        found = [item for item in assessments(pipeline, None if as_of is None else floor_minute(as_of)) if not workflows or item.workflow in workflows]
        missing = unread(pipeline, workflows)
    if as_json_:
        as_json([ladder_text.assessment_values(item) for item in found])
    else:
        ladder_text.show_gates(found)
        for sentence in missing:
            say(sentence)
    return 1 if any(ladder_text.failed(item) for item in found) else 0


@click.command()
@config_option
@workflows_option
@json_option
def ladder(file: Path, workflows: tuple[str, ...], as_json_: bool) -> None:
    """How each agent came to its level: every step, promotions forced against their gates, and what is proposed."""
    with opened(read_configuration(file)) as pipeline:
        known_workflows(pipeline, workflows)
        found = [item for item in histories(pipeline) if not workflows or item.workflow in workflows]
    if as_json_:
        as_json([ladder_text.ladder_values(item.assessment, item.workflow, item.steps, item.promotions) for item in found])
        return
    table(
        ladder_text.LADDER_COLUMNS,
        [row for item in found for row in ladder_text.ladder_rows(item.workflow, item.steps, item.promotions)],
        ladder_text.LADDER_LAYOUT,
    )
    for item in found:
        say(f"{item.workflow}: " + ("not read yet" if item.assessment is None else f"{item.assessment.proposal.value}: {item.assessment.why}"))


@click.command()
@config_option
@click.option("--workflow", required=True, help="The workflow.")
@click.option("--window", type=Span(), default="28d", show_default=True, help="The window that ends at the workflow's T.")
@json_option
def shadow(file: Path, workflow: str, window: int, as_json_: bool) -> None:
    """What an agent in shadow proposed against what people did: agreement, confusion, and what its errors would have cost."""
    with opened(read_configuration(file)) as pipeline:
        known_workflows(pipeline, (workflow,))
        found = comparison(pipeline, workflow, window)
        missing = unread(pipeline, (workflow,))
    if found is None:
        for sentence in missing:
            say(sentence)
    elif as_json_:
        as_json(ladder_text.comparison_values(found))
    else:
        ladder_text.show_comparison(found)


COMMANDS = (gates, ladder, shadow)
