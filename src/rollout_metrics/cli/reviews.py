"""The quarterly review at the command line: `review QUARTER` writes it, `review sign QUARTER` freezes it."""

import sys
from collections.abc import Callable
from pathlib import Path

import click

from rollout_metrics.cli.answerable import known_workflows
from rollout_metrics.cli.parameters import OUTPUT, config_option, workflows_option
from rollout_metrics.cli.session import opened, read_configuration
from rollout_metrics.cli.talk import bars, say, writing
from rollout_metrics.cli.verbs import Verbs
from rollout_metrics.domain.errors import ConfigurationError


class Quarters(Verbs):
    """A group whose first word may be a quarter: then it is shown."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Anything but a verb or a plea for help is for `show`."""
        if args and args[0] not in self.commands and args[0] not in ctx.help_option_names:
            args = ["show", *args]
        return super().parse_args(ctx, args)


@click.group(cls=Quarters)
def review() -> None:
    """The quarterly review: what the change board decides on, with the receipts. `review 2026Q3` is short for `review show 2026Q3`."""


@review.command()
@config_option
@click.argument("quarter")
@workflows_option
@click.option("--format", "format_", type=click.Choice(("html", "md", "json", "pdf")), default="html", show_default=True)
@click.option("--output", type=OUTPUT, help="The file to write; default: standard output.")
def show(file: Path, quarter: str, workflows: tuple[str, ...], format_: str, output: Path | None) -> None:
    """Write the review of a quarter such as 2026Q3, each workflow's by its own calendar. A signed one is as it was, with what would be different now."""
    from rollout_metrics.pipeline.signing import shown  # templates and charts: only the verbs that need them wait for their import
    from rollout_metrics.review import page, paper

    if format_ == "pdf" and output is None and sys.stdout.isatty():
        raise ConfigurationError("a PDF is nothing for a terminal: name a file with --output, or pipe it")
    with opened(read_configuration(file)) as pipeline, bars() as watch:
        known_workflows(pipeline, workflows)
        found = shown(pipeline, quarter, watch=watch)
    if workflows:
        found = found.only(frozenset(workflows))
    writers: dict[str, Callable[[], bytes]] = {
        "html": lambda: page.html(found).encode(),
        "md": lambda: page.markdown(found).encode(),
        "json": lambda: page.as_json(found) + b"\n",
        "pdf": lambda: paper.pdf(page.html(found, themed=False)),
    }
    made = writers[format_]()
    if output is None:
        click.echo(made, nl=False)
    else:
        with writing(output):
            output.write_bytes(made)
        say(f"{output}: {len(made):,} bytes")


@review.command()
@config_option
@click.argument("quarter")
@click.option("--by", required=True, help="Who signs.")
def sign(file: Path, quarter: str, by: str) -> None:
    """Freeze the review of a quarter that is over, with its figures, for good. Later corrections show as differences beside it."""
    from rollout_metrics.pipeline.signing import sign as sign_review

    if not by.strip():
        raise ConfigurationError("--by: say who signs")
    with opened(read_configuration(file)) as pipeline, bars() as watch:
        made = sign_review(pipeline, quarter, by.strip(), watch=watch)
    say(f"{made.quarter} is signed: {len(made.findings)} workflows, kept as they are now")
