"""Click group that imports a command only when it is used.

``newsletter --help`` imports none of them, so it is fast. ``COMMAND --help`` and completion in the
shell import the command's module. It therefore imports at its top only what this module and click
have loaded anyway; what brings more with it (``newsletter.project``, sqlalchemy) is imported where
it is used.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import click


class LazyCommand(NamedTuple):
    """Reference to a command that has not been imported yet.

    Attributes:
        import_path: ``module:object``; the module is imported when the command is run or when its
            own help is shown.
        summary: the command's line in the group's help; equal to its ``short_help``.
    """

    import_path: str
    summary: str


class LazyGroup(click.Group):
    """A group whose commands come from a table, listed in the table's order.

    Args:
        lazy: command name to command reference.
        sections: heading to the names of its commands, for the help; all commands have one heading
            if it is empty.
    """

    def __init__(
        self,
        *args: Any,
        lazy: Mapping[str, LazyCommand],
        sections: Mapping[str, Sequence[str]] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self.lazy = lazy
        self.sections = sections or {"Commands": tuple(lazy)}

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """Return the command names in the table's order."""
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
        """Write the list of commands without importing any."""
        width = max(map(len, self.lazy))
        for heading, names in self.sections.items():
            with formatter.section(heading):
                formatter.write_dl(
                    [(f"{name:<{width}}", self.lazy[name].summary) for name in names]
                )

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Resolve a command as click does, but suggest the closest name for an unknown one."""
        name = args[0] if args else ""
        if name and not name.startswith("-") and name not in self.lazy:
            from difflib import get_close_matches

            close_matches = get_close_matches(name, self.lazy, n=1)
            hint = f" Did you mean '{close_matches[0]}'?" if close_matches else ""
            ctx.fail(f"no such command '{name}'.{hint}")
        return super().resolve_command(ctx, args)
