"""Groups of commands whose list says what each does in a whole sentence, where click would cut it off."""

import re

import click


class Verbs(click.Group):
    """A group; those within it are of its kind."""

    group_class = type

    def add_command(self, cmd: click.Command, name: str | None = None) -> None:
        """Take a command up; it is listed with the first sentence of its help."""
        cmd.short_help = cmd.short_help or re.split(r"(?<=\.)\s", " ".join((cmd.help or "").split("\n\n")[0].split()), maxsplit=1)[0]
        super().add_command(cmd, name)
