"""``newsletter init``: create the folder of a new newsletter."""

from collections.abc import Callable
from pathlib import Path

import click

from newsletter.cli.output import echo


@click.command("init", short_help="Make a new newsletter's folder.")
@click.argument(
    "folder", metavar="[DIR]", default=".", type=click.Path(file_okay=False, path_type=Path)
)
@click.option("--name", help="The newsletter's name; made from DIR if not given.")
@click.option("--sender", metavar="ADDRESS", help="The address that issues come from.")
@click.option("--sample", is_flag=True, help="Add a sample issue that shows every block.")
def init_command(folder: Path, name: str | None, sender: str | None, *, sample: bool) -> None:
    """Make the folder of a new newsletter: newsletter.yml, issues/, templates/.

    DIR is created if missing; without DIR, the working folder is used. Existing
    files are never overwritten. The sample issue shows every block and how each
    is written; it is a draft, so it can't be sent to the list.

    \b
    Examples:
      newsletter init harbour-notes --sender editor@harbournotes.example
      newsletter init harbour-notes --sample
    """
    import shlex

    from newsletter.config import value_types
    from newsletter.project import create_project, display_path

    create_project(
        folder,
        _validate_option(value_types.parse_line, name, "--name") or _default_name(folder),
        _validate_option(value_types.parse_sender_address, sender, "--sender"),
        with_sample=sample,
    )
    is_cwd = folder.resolve() == Path.cwd()
    path = display_path(folder)
    echo(
        f"Created {'' if is_cwd else f'{path}/ with '}newsletter.yml, issues/, templates/.",
        color="green",
    )
    echo(f"Next: {'' if is_cwd else f'cd {shlex.quote(path)} && '}newsletter setup")
    if sample:
        echo("Sample issue: newsletter preview every-block")


def _validate_option(validate: Callable[[str], str], value: str | None, option: str) -> str | None:
    try:
        return validate(value) if value is not None else None
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint=option) from None


def _default_name(folder: Path) -> str:
    """Derive the newsletter's name from its folder: ``harbour-notes`` as ``Harbour Notes``."""
    printable = "".join(char if char.isprintable() else " " for char in folder.resolve().name)
    return " ".join(printable.replace("-", " ").replace("_", " ").split()).title() or "Newsletter"
