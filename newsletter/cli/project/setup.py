"""``newsletter setup``: ask for the settings, and write newsletter.yml."""

import os
import textwrap
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import click

from newsletter.cli.output import (
    WIDTH,
    echo,
    echo_err,
    escape_controls,
    format_fields,
    isolate_bidi,
    prompt_for_answer,
)
from newsletter.cli.project.config_file import edit_settings, save_settings
from newsletter.errors import NothingToDoError, Problem, UsageError, display_path

if TYPE_CHECKING:
    from newsletter.project.setup import PresentSettings
    from newsletter.project.setup_questions import Answer, Question


@click.command("setup", short_help="Fill in newsletter.yml, question by question.")
@click.option("--name", metavar="TEXT", help="The newsletter's name.")
@click.option("--sender-name", metavar="TEXT", help="The sender's name; the newsletter's at first.")
@click.option("--sender", metavar="ADDRESS", help="The address that issues come from.")
@click.option("--reply-to", metavar="ADDRESS", help="The address for replies; '' removes it.")
@click.option(
    "--postal-address", metavar="TEXT", help=r"Shown in the footer; \n separates its lines."
)
@click.option("--site", metavar="URL", help="Your website.")
@click.option("--pages", metavar="KIND", help="Where the web pages are: server, static or none.")
@click.option("--pages-url", metavar="URL", help="The address of the pages, if there are any.")
@click.option(
    "--unsubscribe-group", metavar="N", help="SendGrid's unsubscribe group; '' removes it."
)
@click.option("--time-zone", metavar="ZONE", help="The time zone, such as Europe/Oslo.")
@click.option("--language", metavar="TAG", help="The language of your issues, such as en-GB.")
@click.option("--yes", is_flag=True, help="Ask nothing: keep what is set and not given here.")
def setup_command(*, yes: bool, **flags: str | None) -> None:
    """Fill in newsletter.yml, question by question, and check the result.

    Enter keeps the value in brackets. What is given as an option isn't asked. Comments and all
    other settings stay as they are; nothing is saved before the last answer, and you can run it
    again at any time. The SendGrid key isn't asked for: it belongs in SENDGRID_API_KEY.

    \b
    Examples:
      newsletter setup
      newsletter setup --time-zone Europe/Oslo --yes
    """
    from newsletter.cli.project.doctor import print_local_checks
    from newsletter.config.load import check_config, decode_config, read_config_bytes
    from newsletter.project import CONFIG_NAME, Project, find_root, list_issue_folders
    from newsletter.project.setup import keep_answers, plan_changes, read_present_settings

    path = find_root(Path.cwd()) / CONFIG_NAME
    shown_path = display_path(path)
    data = read_config_bytes(path)
    text = decode_config(data, shown_path)
    present = read_present_settings(check_config(text, shown_path, {}))
    given = _parse_flags({name.replace("_", "-"): flag for name, flag in flags.items()})
    if yes:
        answers, missing = keep_answers(given, present)
        if missing:
            remedy = f"Give {_format_options(missing)}."
            raise UsageError("some settings have no value yet", remedy=remedy)
    else:
        try:
            answers = _interview(given, present)
        except click.Abort:
            echo_err(f"\n{shown_path} is unchanged.")
            raise
    changes = plan_changes(answers, present)
    if not changes:
        raise NothingToDoError(
            f"nothing to change in {shown_path}", remedy="Check it with: newsletter doctor"
        )
    new_text, config = edit_settings(text, changes, shown_path, "newsletter setup")
    save_settings(path, data, new_text, "newsletter setup")
    echo(f"Saved {shown_path}:", color="green")
    rows = ((".".join(key_path), _format_value(value)) for key_path, value in changes.items())
    echo(format_fields(rows))
    echo()
    if print_local_checks():
        echo("Fix what failed before you send; you can write and preview issues now.")
    folders = list_issue_folders(Project(path.parent, config))
    echo(f"Next: newsletter {f'preview {folders[-1].name[11:]}' if folders else 'import POST'}")


def _parse_flags(flags: Mapping[str, str | None]) -> "dict[str, Answer]":
    from newsletter.project.setup_questions import QUESTIONS, parse_answer

    answers = {}
    for question in QUESTIONS:
        flag = flags[question.name]
        if flag is not None:
            try:
                answers[question.name] = parse_answer(question, flag)
            except ValueError as error:
                raise click.BadParameter(str(error), param_hint=f"--{question.name}") from None
    return answers


def _interview(given: "Mapping[str, Answer]", present: "PresentSettings") -> "dict[str, Answer]":
    from newsletter.project.setup import collect_answers, keep_answers
    from newsletter.project.setup_questions import QUESTIONS

    def ask(question: "Question", default: "Answer") -> "Answer":
        if question.name == "time-zone" and question.name not in present.answers:
            default = _find_machine_zone() or default
        try:
            return _ask(question, default, present.rejected.get(question.name))
        except EOFError:
            _, missing = keep_answers(given, present)
            options = _format_options([*missing, "yes"])
            remedy = f"In a script, give {options}."
            raise UsageError("cannot ask: no terminal", remedy=remedy) from None

    if len(given) < len(QUESTIONS):
        echo_err("Enter keeps the value in brackets. Ctrl-C stops and saves nothing.\n")
    answers = collect_answers(given, present, ask)
    echo_err("")
    return answers


def _ask(question: "Question", default: "Answer", mistake: Problem | None) -> "Answer":
    """Ask until the answer is valid.

    Raises:
        EOFError: the input has ended, and it is not a terminal.
        click.Abort: Ctrl-C.
    """
    from newsletter.project.setup_questions import parse_answer

    if question.explanation:
        echo_err("")
    for line in question.explanation.splitlines():
        echo_err(textwrap.fill(line, WIDTH, break_on_hyphens=False))
    if mistake:
        _print_mistake(f"{mistake.where}: {mistake.message}")
    prompt = escape_controls(_format_prompt(question, default))
    while True:
        try:
            typed = prompt_for_answer(prompt)
            if typed is None:
                echo_err("")  # ends the prompt's line
                raise EOFError
            if not typed.strip() and (default is not None or question.is_optional):
                return default
            return parse_answer(question, typed)
        except UnicodeDecodeError:
            _print_mistake("This is not valid UTF-8")
        except ValueError as error:
            _print_mistake(f"{str(error)[:1].upper()}{str(error)[1:]}")


def _format_prompt(question: "Question", default: "Answer") -> str:
    from newsletter.project.setup_questions import REMOVE, format_answer

    if default is None:
        return f"{question.text}{' (optional)' if question.is_optional else ''}"
    remove = f" ({REMOVE} removes it)" if question.is_optional else ""
    return f"{question.text}{remove} [{isolate_bidi(format_answer(default))}]"


def _format_value(value: "Answer") -> str:
    if value is None:
        return "removed"
    return "\n".join(isolate_bidi(line) for line in str(value).split("\n"))


def _format_options(names: Sequence[str]) -> str:
    *others, last = [f"--{name}" for name in names]
    return f"{', '.join(others)} and {last}" if others else last


def _print_mistake(message: str) -> None:
    stop = "" if message.endswith(("?", ".")) else "."
    text = escape_controls(f"{message}{stop}")
    echo_err(
        textwrap.fill(text, WIDTH, break_long_words=False, break_on_hyphens=False), color="yellow"
    )


def _find_machine_zone() -> str | None:
    """Return the IANA name of the machine's time zone, if it can be found."""
    from newsletter.config.value_types import parse_timezone

    local = Path("/etc/localtime").resolve().as_posix().partition("/zoneinfo/")[2]
    for name in (os.environ.get("TZ", "").removeprefix(":"), local):
        with suppress(ValueError):
            if name:
                return "UTC" if name == "Etc/UTC" else parse_timezone(name)
    return None
