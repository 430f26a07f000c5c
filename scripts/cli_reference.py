"""Print docs/reference/cli.md: every command with its help text."""

import os
import sys

import click

os.environ["COLUMNS"] = "80"


def main() -> None:
    """Print the reference."""
    sys.stdout.write(reference())


def reference() -> str:
    """Return the reference as Markdown."""
    from newsletter.cli.main import cli

    head = (
        "# Commands\nGenerated from the commands' own help by `make reference`. How they end: "
        "[exit codes](exit-codes.md).\n"
    )
    return head + "".join(_section(cli, ["newsletter"], None))


def _section(command: click.Command, words: list[str], parent: click.Context | None) -> list[str]:
    context = click.Context(
        command,
        info_name=words[-1],
        parent=parent,
        max_content_width=80,
        **command.context_settings,
    )
    text = command.get_help(context)
    parts = [f"\n## {' '.join(words)}\n```text\n{text}\n```\n"]
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            child = command.get_command(context, name)
            assert child is not None
            parts += _section(child, [*words, name], context)
    return parts


if __name__ == "__main__":
    main()
