"""The command line: verbs and exit codes. Standard output is data, standard error is talk; 0 done, 1 failed, 2 usage or configuration."""

import logging
import sys
from collections.abc import Sequence

import click

from rollout_metrics.domain.errors import RolloutMetricsError
from rollout_metrics.pipeline.garbage import leave_alone, quiet_collector

INTERRUPTED = 130

log = logging.getLogger(__name__)


def main(args: Sequence[str] | None = None) -> int:
    """Run a command line; returns its exit code. The only place that catches everything."""
    if args is None:
        quiet_collector()
    code = _run(args)
    if args is None:
        leave_alone()
        sys.exit(code)
    return code


def _run(args: Sequence[str] | None) -> int:
    from rollout_metrics.cli.commands import program  # imports nearly everything, which the collector is not to look through
    from rollout_metrics.cli.talk import say

    if args is None:
        leave_alone()
    try:
        result = program.main(args=None if args is None else list(args), prog_name="rollout-metrics", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        if isinstance(error, click.NoSuchOption) and error.ctx is not None and error.ctx.command is program:
            say(f"Options stand after the command, as `rollout-metrics status {error.option_name} ...`.")
        return error.exit_code
    except RolloutMetricsError as error:
        for line in str(error).splitlines():
            say(f"rollout-metrics: {line}")
        return error.exit_code
    except (KeyboardInterrupt, click.Abort):
        say("interrupted: what was stored so far is kept")
        return INTERRUPTED
    except BrokenPipeError:
        sys.stderr.close()
        return 1
    except Exception:
        log.exception("this is a defect of rollout-metrics; please report it with the lines below")
        return 1
    return int(result) if isinstance(result, int) else 0
