"""``newsletter archive``: export issues as static web pages; publish them."""

from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from newsletter.cli.options import json_option
from newsletter.cli.output import echo, echo_err, escape_controls, isolate_bidi, print_json
from newsletter.cli.project_database import open_project_database
from newsletter.cli.signals import interrupt_on_stop_signals
from newsletter.errors import ConfigError, Location, UsageError, display_path
from newsletter.wording import format_count

if TYPE_CHECKING:
    from collections.abc import Sequence

    from newsletter.config import Config
    from newsletter.project import Project
    from newsletter.web.archive.corrections import Correction
    from newsletter.web.archive.issue_export import ExportedIssue
    from newsletter.web.archive.static_export import ExportedArchive

MAX_CORRECTIONS = 5  # shown of each issue
MAX_QUOTE_LENGTH = 60


@click.command("archive", short_help="Write issues as web pages, and publish them.")
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="The folder to write to; its other files are kept. build/archive if not given.",
)
@click.option(
    "--issue",
    metavar="ISSUE",
    help="Only this issue's images and page; it may not be sent yet.",
)
@click.option(
    "--base-url",
    metavar="URL",
    help="Where the folder will be published; by image_url or public_url if not given.",
)
@click.option("--publish", is_flag=True, help="Then run publish.command of newsletter.yml.")
@json_option
def archive_command(
    out: Path | None, issue: str | None, base_url: str | None, *, publish: bool, as_json: bool
) -> None:
    """Write index, articles, images and feeds of the sent issues as plain files.

    They are the pages that newsletter serve shows, without the search box. Files that
    have not changed are not written again, and nothing is deleted.

    With --issue, write the images of one issue, with the names that its email uses, and its
    page. Do it before you send: mail clients fetch images as soon as an email arrives. Until
    the issue is sent, no index and no feed links to its page.

    A page shows the issue's folder as it is now. If you have corrected an issue since it was
    sent, the changed passages are listed; the email that was sent stays as it is, and nobody is
    emailed again.

    With --publish, publish.command of newsletter.yml then puts the folder on your web host.

    \b
    Examples:
      newsletter archive --out public
      newsletter archive --out public --base-url https://example.org/letters
      newsletter archive --issue building-trust --publish
    """
    from newsletter.project import find_issue, open_project
    from newsletter.sending.ledger.find_sends import open_ledger
    from newsletter.web.archive.corrections import find_corrections
    from newsletter.web.archive.issue_export import write_issue
    from newsletter.web.archive.static_export import write_archive
    from newsletter.web.site_context import open_site

    project = open_project()
    if publish:
        _require_command(project.config)
    folder = out or project.build_dir / "archive"
    explicit = _parse_base_url(base_url)
    base = explicit or _get_base_url(project.config, for_issue=issue is not None)
    written: ExportedIssue | ExportedArchive
    with open_project_database(project) as engine:
        site = open_site(project, engine)
        name = find_issue(project, issue).name if issue is not None else None
        if name is not None:
            written = write_issue(site, project.issues_dir / name, folder, base)
        else:
            is_served = base == project.config.public_url and not explicit
            written = write_archive(site, folder, None if is_served else base)
        corrections = list(find_corrections(project, open_ledger(engine, project.config), name))
    data = {
        "folder": str(folder),
        "base_url": base,
        **written._asdict(),
        "corrections": [correction._asdict() for correction in corrections],
        "published": publish,
    }
    if not as_json:
        _print_written(folder, data)
        _print_corrections(corrections)
    if publish:
        _publish(project, folder)
    if as_json:
        print_json(data)
    elif issue is not None:
        _print_addresses(project.config, data)


def _require_command(config: "Config") -> None:
    if not config.publish.command:
        raise ConfigError(
            "publish.command is not set",
            where=Location("newsletter.yml"),
            remedy="Set it to the command that copies a folder to your web host, such as [rsync, "
            '--archive, "{folder}/", "me@host:www/"].',
        )


def _parse_base_url(text: str | None) -> str | None:
    from newsletter.config import value_types

    try:
        return value_types.parse_base_url(text) if text else None
    except ValueError as error:
        raise UsageError(f"--base-url: {error}") from None


def _get_base_url(config: "Config", *, for_issue: bool) -> str:
    """Return where the settings say that the folder will be published."""
    from newsletter.web.archive.issue_export import find_base_url

    implied = find_base_url(config)
    base = implied if for_issue else config.public_url or implied
    if base is None:
        raise UsageError(
            "links and feeds need the URL at which the pages will be published",
            remedy="Use --base-url https://…, or set image_url or public_url in newsletter.yml.",
        )
    return base


def _publish(project: "Project", folder: Path) -> None:
    from newsletter.web.archive.publish_command import run_publish_command

    settings = project.config.publish
    # The command has a session of its own, which no signal to this one reaches.
    interrupt_on_stop_signals()
    run_publish_command(
        settings.command,
        folder,
        project.root,
        settings.timeout,
        lambda line: echo_err(f"  {escape_controls(line)}"),
    )


def _print_written(folder: Path, data: dict[str, Any]) -> None:
    counted = (
        format_count(data["image_count"], "image")
        if "issue" in data
        else format_count(data["issues"], "issue")
    )
    echo(
        f"{display_path(folder)}: {counted}, {format_count(data['files'], 'file')}, "
        f"{len(data['changed']):,} of them new."
    )
    if data.get("issues") == 0:
        echo("Nothing has been sent yet. Send an issue with: newsletter send", color="yellow")


def _print_corrections(corrections: "Sequence[Correction]") -> None:
    """Print what the pages say otherwise than the emails that were sent."""
    for name, group in groupby(corrections, lambda correction: correction.issue):
        found = list(group)
        echo(f"{name[11:]} was changed after it was sent; its page shows it as it is now:")
        for correction in found[:MAX_CORRECTIONS]:
            echo(_format_correction(correction))
        if len(found) > MAX_CORRECTIONS:
            echo(f"  and {len(found) - MAX_CORRECTIONS:,} more; all of them with --json")
    if corrections:
        echo("The emails stay as they were sent; nobody is emailed again.")


def _format_correction(correction: "Correction") -> str:
    line = f":{correction.line}" if correction.line else ""
    before, after = (_quote(text) for text in (correction.before, correction.after))
    change = (
        f"{after} instead of {before}"
        if correction.before and correction.after
        else f"{after} was added"
        if correction.after
        else f"{before} was removed"
    )
    return f"  {correction.file}{line}: {change}"


def _quote(text: str) -> str:
    if len(text) > MAX_QUOTE_LENGTH:
        text = f"{text[: MAX_QUOTE_LENGTH - 1].rstrip()}\u2026"
    return isolate_bidi(f"'{text}'")


def _print_addresses(config: "Config", data: dict[str, Any]) -> None:
    from newsletter.web.archive.issue_export import iter_address_notes

    if data["page_url"]:
        echo(f"Its page: {data['page_url']}")
    for note in iter_address_notes(config, data["base_url"]):
        echo_err(note, color="yellow")
    if data["published"]:
        echo(f"Published at {data['base_url']}", color="green")
        echo_err(f"Next: newsletter send {data['issue'][11:]}")
    else:
        echo_err(f"Put the folder at {data['base_url']}; newsletter send checks the images there.")
