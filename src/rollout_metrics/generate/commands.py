"""`docs/cli.md`: every command with its arguments and options, read off the click commands."""

from collections.abc import Iterator

import click

from rollout_metrics.generate.markdown import code, generated, table

PROGRAM = "rollout-metrics"
COMPLETE = "_ROLLOUT_METRICS_COMPLETE"
"""The variable by which click's programs write their completion (click, shell completion)."""


def commands_document(command: click.Command) -> str:
    """The document of a command and all below it."""
    intro = "\nData goes to stdout, talk to stderr. Exit codes: 0 done, 1 failed, 2 usage or configuration, 130 interrupted.\n"
    intro += f'Words complete in the shell after `eval "$({COMPLETE}=bash_source {PROGRAM})"`, or `zsh_source`, `fish_source`.\n'
    return generated("Command line", "the commands") + intro + "".join(_section(path, found) for path, found in _all(command, (PROGRAM,)))


def _all(command: click.Command, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    if command.hidden:
        return
    yield path, command
    if isinstance(command, click.Group):
        for name in sorted(command.commands):
            yield from _all(command.commands[name], (*path, name))


def _section(path: tuple[str, ...], command: click.Command) -> str:
    context = click.Context(command, info_name=path[-1])
    usage = " ".join((*path, *command.collect_usage_pieces(context)))
    said = [text for parameter in command.params if (text := _parameter(parameter, context))]
    parts = [f"\n## {' '.join(path)}\n\n```\n{usage}\n```\n"]
    if command.help:
        parts.append("\n" + "\n\n".join(" ".join(block.split()) for block in command.help.replace("\b", "").split("\n\n")) + "\n")
    if isinstance(command, click.Group):
        rows = [(code(name), found.get_short_help_str()) for name, found in sorted(command.commands.items()) if not found.hidden]
        parts.append("\n" + table(("command", "does"), rows))
    if said:
        parts.append("\n" + table(("option", "meaning"), said))
    return "".join(parts)


def _parameter(parameter: click.Parameter, context: click.Context) -> tuple[str, str] | None:
    if not isinstance(parameter, click.Option):
        return None
    record = parameter.get_help_record(context)
    return None if record is None else (code(record[0]), record[1])
