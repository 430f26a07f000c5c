"""``newsletter templates``: list the designs, choose one, make one."""

from typing import TYPE_CHECKING, Any

import click

from newsletter.cli.lazy_group import LazyCommand, LazyGroup
from newsletter.cli.options import json_option
from newsletter.cli.output import echo, format_fields, print_json
from newsletter.errors import NothingToDoError, UsageError, display_path

if TYPE_CHECKING:
    from newsletter.project import Project
    from newsletter.project.yaml_edit import SettingPath, YamlScalar
    from newsletter.render.template.designs import Design
    from newsletter.render.template.loader import Templates

COMMANDS = {
    "list": LazyCommand(
        f"{__name__}:list_designs_command", "List the designs, and which one is used."
    ),
    "use": LazyCommand(f"{__name__}:use_design_command", "Use a design for all issues."),
    "new": LazyCommand(
        f"{__name__}:new_design_command", "Make a design of your own from another one."
    ),
}
_STATES = {
    "built-in": "built in",
    "edited": "built in, changed here",
    "missing": "built in, not in your templates folder",
    "own": "your own",
}


@click.group("templates", cls=LazyGroup, lazy=COMMANDS, short_help="List, choose and copy designs.")
def templates_group() -> None:
    """List the designs of your emails, choose one, or make one of your own.

    A design is a file of templates/ with the same name and .mjml. An issue can have another
    one: template: in its front matter.

    \b
    Examples:
      newsletter templates list
      newsletter templates use magazine
      newsletter templates new letter --from plain
    """


@click.command("list", short_help="List the designs, and which one is used.")
@json_option
def list_designs_command(*, as_json: bool) -> None:
    """List the designs, what each looks like, and which one newsletter.yml names.

    The first line of a design's file says what it looks like: {#- … -#}.

    \b
    Example:
      newsletter templates list
    """
    project, templates, designs = _load_designs()
    used = project.config.theme.template
    if as_json:
        print_json({"designs": [_describe_design(design, used, templates) for design in designs]})
        return
    rows = []
    for design in designs:
        state = f"{_STATES[design.state]}{', used' if design.name == used else ''}"
        rows.append((design.name, "\n".join(filter(None, (state, design.description)))))
    echo(format_fields(rows))


@click.command("use", short_help="Use a design for all issues.")
@click.argument("name")
@json_option
def use_design_command(name: str, *, as_json: bool) -> None:
    """Use a design for all issues: write theme.template in newsletter.yml.

    Issues with template: in their front matter keep theirs. Exits with 3 if the design is used
    already.

    \b
    Example:
      newsletter templates use magazine
    """
    from newsletter.cli.project.config_file import edit_settings, save_settings
    from newsletter.config.load import decode_config, read_config_bytes
    from newsletter.project import CONFIG_NAME

    project, _, designs = _load_designs()
    design = _find_design(name, designs)
    if design.state == "missing":
        raise UsageError(
            f"{name} is not in your templates folder",
            remedy=f"Put it there with: newsletter templates new {name} --from {name}",
        )
    path = project.root / CONFIG_NAME
    shown_path = display_path(path)
    data = read_config_bytes(path)
    if project.config.theme.template == name:
        raise NothingToDoError(f"{shown_path} names {name} already")
    command = f"newsletter templates use {name}"
    changes: dict[SettingPath, YamlScalar | None] = {("theme", "template"): name}
    text, _ = edit_settings(decode_config(data, shown_path), changes, shown_path, command)
    save_settings(path, data, text, command)
    if as_json:
        print_json({"used": name, "before": project.config.theme.template})
        return
    echo(f"Saved {shown_path}: theme.template is {name}.", color="green")
    echo("Next: newsletter preview")


@click.command("new", short_help="Make a design of your own from another one.")
@click.argument("name")
@click.option(
    "--from", "original", metavar="DESIGN", help="Which one to copy; the one in use if not given."
)
@json_option
def new_design_command(name: str, original: str | None, *, as_json: bool) -> None:
    """Make a design of your own: copy the template and the CSS of another one.

    The parts that it includes (templates/partials/, digest.mjml) stay shared: a change to one
    of them changes all designs. Nothing is overwritten.

    \b
    Examples:
      newsletter templates new letter
      newsletter templates new letter --from plain
    """
    import re

    from newsletter.posts.front_matter.field_types import TEMPLATE_NAME_PATTERN
    from newsletter.project import default_templates_dir
    from newsletter.public_files import write_public_file
    from newsletter.render.template.designs import make_new_design
    from newsletter.render.template.loader import load_templates

    project, templates, designs = _load_designs()
    if not re.fullmatch(TEMPLATE_NAME_PATTERN, name):
        raise UsageError(
            f"'{name}' is not a valid name of a design",
            remedy="Use lowercase letters, digits, hyphens and underscores, such as: letter",
        )
    original = original or project.config.theme.template
    source = _find_design(original, designs)
    shipped = load_templates(default_templates_dir())
    reserved = {file for file in shipped.files if "/" not in file} if name != source.name else set()
    files = make_new_design(name, source.name, templates, shipped)
    for file in (f"{name}.mjml", f"{name}.css"):
        if file in reserved or (project.templates_dir / file).exists():
            raise UsageError(
                f"{display_path(project.templates_dir / file)} is taken; nothing was written",
                remedy=f"Choose another name: newsletter templates new my-{name} --from {original}",
            )
    paths = {project.templates_dir / file: text for file, text in files.items()}
    for path, text in paths.items():
        write_public_file(path, text.encode(), make_folders=True)
    if as_json:
        shown = [display_path(path) for path in paths]
        print_json({"name": name, "from": source.name, "files": shown})
        return
    for path in paths:
        echo(display_path(path), color="green")
    echo(f"A copy of {source.name}; the parts that it includes are shared with other designs.")
    echo(f"Next: newsletter preview (choose {name} under This mail), then")
    echo(f"      newsletter templates use {name}")


def _load_designs() -> "tuple[Project, Templates, list[Design]]":
    from newsletter.project import default_templates_dir, open_project
    from newsletter.render.template.designs import list_project_designs
    from newsletter.render.template.loader import load_templates

    project = open_project()
    templates = load_templates(project.templates_dir)
    return (
        project,
        templates,
        list_project_designs(templates, load_templates(default_templates_dir())),
    )


def _find_design(name: str, designs: "list[Design]") -> "Design":
    from difflib import get_close_matches

    from newsletter.wording import format_suggestion

    by_name = {design.name: design for design in designs}
    if name in by_name:
        return by_name[name]
    near = format_suggestion(get_close_matches(name, by_name, n=2))
    raise UsageError(
        f"there is no design '{name}'", remedy=near or f"There are: {', '.join(by_name)}."
    )


def _describe_design(design: "Design", used: str, templates: "Templates") -> dict[str, Any]:
    file = f"{design.name}.mjml"
    return {
        "name": design.name,
        "state": design.state,
        "used": design.name == used,
        "description": design.description,
        "file": str(templates.locate(file)) if file in templates.files else None,
    }
