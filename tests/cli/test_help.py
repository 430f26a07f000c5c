import subprocess
import sys
from collections.abc import Iterator

import click
import pytest

from newsletter.cli.lazy_group import LazyGroup
from newsletter.cli.main import COMMANDS, SECTIONS, cli
from newsletter.cli.subscribers import subscribers_group

STDLIB = sys.stdlib_module_names
CODE = """
import sys
before = set(sys.modules)
from newsletter.cli.main import run_cli
assert run_cli(["--help"]) == 0
print(*(set(sys.modules) - before), file=sys.stderr)
"""


def iter_help(command: click.Command, context: click.Context) -> Iterator[tuple[str, str]]:
    """Yield the path and help text of ``command`` and of all its subcommands."""
    yield context.command_path, command.get_help(context)
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            child = command.get_command(context, name)
            assert child is not None
            yield from iter_help(child, click.Context(child, info_name=name, parent=context))


def test_help_imports_only_click_and_few_own_modules() -> None:
    run = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True)
    modules = {name for name in run.stderr.split() if name.partition(".")[0] not in STDLIB}
    assert {name for name in modules if name.partition(".")[0] != "click"} == {
        "newsletter",
        "newsletter.errors",
        "newsletter.cli",
        "newsletter.cli.lazy_group",
        "newsletter.cli.main",
        "newsletter.cli.output",
    }


def test_every_command_is_below_one_heading() -> None:
    below = [name for names in SECTIONS.values() for name in names]
    assert sorted(below) == sorted(COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_help_fits_80_columns_and_has_an_example(name: str) -> None:
    top = click.Context(cli, info_name="newsletter", terminal_width=80, **cli.context_settings)
    command = cli.get_command(top, name)
    assert command is not None
    for path, text in iter_help(command, click.Context(command, info_name=name, parent=top)):
        assert [line for line in text.splitlines() if len(line) > 80] == [], path
        assert "-h, --help" in text, path
        example = text.partition("\n")[2]  # below the usage line
        assert path in example, path


def test_command_overview_fits_80_columns() -> None:
    text = cli.get_help(
        click.Context(cli, info_name="newsletter", terminal_width=80, **cli.context_settings)
    )
    assert max(map(len, text.splitlines())) <= 80


@pytest.mark.parametrize("group", [cli, subscribers_group])
def test_overview_lines_equal_the_commands_short_help(group: LazyGroup) -> None:
    context = click.Context(group)
    for name, (_, summary) in group.lazy.items():
        command = group.get_command(context, name)
        assert command is not None
        assert command.get_short_help_str(limit=80) == summary
