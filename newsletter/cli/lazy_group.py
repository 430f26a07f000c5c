"""A group of commands, each imported only when it is needed, so that --help is instant."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import click


class LazyCommand(NamedTuple):
    """A command that isn't imported yet.

    Attributes:
        import_path: ``module:object``; the module is imported when the command is run or its help
            asked.
        summary: its line in the group's help; the same as its own short help.
    """

    import_path: str
    summary: str


class LazyGroup(click.Group):
    """A group whose commands are a table, shown in its order.

    Args:
        lazy: name -> the command.
    """

    def __init__(self, *args: Any, lazy: Mapping[str, LazyCommand], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.lazy = lazy

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """The commands in the table's order."""
        return list(self.lazy)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import and return one command."""
        import importlib

        if cmd_name not in self.lazy:
            return super().get_command(ctx, cmd_name)
        module, name = self.lazy[cmd_name].import_path.split(":")
        command: click.Command = getattr(importlib.import_module(module), name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """List the commands without importing any."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, command.summary) for name, command in self.lazy.items()])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Like click's own, with the nearest right name where the command is unknown."""
        name = args[0] if args else ""
        if name and not name.startswith("-") and name not in self.lazy:
            from difflib import get_close_matches

            near = get_close_matches(name, self.lazy, n=1)
            hint = f" Did you mean '{near[0]}'?" if near else ""
            ctx.fail(f"no command '{name}'.{hint}")
        return super().resolve_command(ctx, args)
