"""``newsletter import``: make an issue from a post."""

import datetime
from typing import TYPE_CHECKING, Any

import click

from newsletter.cli.output import echo, format_fields, isolate_bidi, print_json
from newsletter.errors import PostError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from newsletter.config.models import Config
    from newsletter.errors import Problem
    from newsletter.posts.content_loss.compare import ContentLoss
    from newsletter.posts.importing.import_post import ImportResult
    from newsletter.posts.removed_line import RemovedLine

_MAX_LINES = 8  # line numbers shown of one kind of removed line
_MAX_QUOTE_LENGTH = 40  # characters shown of a removed line


@click.command("import", short_help="Make an issue from a post.")
@click.argument("source")
@click.option("--slug", default="", help="The issue's name; made from the title if not given.")
@click.option(
    "--date",
    metavar="YYYY-MM-DD",
    callback=lambda _context, _option, text: _parse_date(text),
    help="The issue's date, if not the post's own.",
)
@click.option("--update", is_flag=True, help="Overwrite an issue that exists already.")
@click.option(
    "--keep",
    metavar="LINE",
    type=click.IntRange(min=1),
    multiple=True,
    help="Keep a line that was removed or set aside; may be repeated.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead.")
def import_post_command(source: str, *, as_json: bool, **options: Any) -> None:
    """Make issues/<date>-<slug>/ from a post in Markdown, HTML or plain text.

    SOURCE is a file, or - for standard input. Pictures beside the post are copied
    too. The boilerplate of a blog's page is removed, what looks like spam or comments
    is set aside, and both are listed. Importing the same post again changes nothing.

    \b
    Examples:
      newsletter import building-trust.txt
      newsletter import page.html --slug spring --date 2026-11-22
    """  # noqa: D301 - \b is click's marker: don't rewrap
    from zoneinfo import ZoneInfo

    from newsletter.posts.importing import import_post
    from newsletter.project import list_issue_folders, open_project

    project = open_project()
    today = datetime.datetime.now(ZoneInfo(project.config.timezone)).date()
    result = import_post.import_post(
        project, source, import_post.ImportOptions(today=today, **options)
    )
    losses, problems = _compare_with_source(result, source, project.config)
    if as_json:
        _print_json(result, losses, problems)
    else:
        name = _shorten_name(result, list_issue_folders(project))
        _print_result(result, name, losses, problems)


def _compare_with_source(
    result: "ImportResult", source: str, config: "Config"
) -> "tuple[tuple[ContentLoss, ...], tuple[Problem, ...]]":
    """Return what the source holds and the email won't, and why it can't be built yet."""
    from newsletter.posts.importing.source_inventory import take_source_inventory
    from newsletter.posts.read_issue import read_issue
    from newsletter.posts.removed_line import RemovedLine
    from newsletter.render.article.build import build_article
    from newsletter.render.lost_content import find_lost_content

    if result.state == "unchanged":
        return (), ()
    try:
        issue = read_issue(result.post_path.parent, config)
    except PostError as error:
        return (), tuple(error.problems)
    post = result.imported_post
    set_aside = (RemovedLine(*entry) for entry in post.set_aside)
    inventory = take_source_inventory(result.source_text, source)
    removed = (*post.removed, *set_aside)
    article = build_article(issue, config)
    return find_lost_content(inventory, issue, article, removed=removed), ()


def _shorten_name(result: "ImportResult", folders: "list[Path]") -> str:
    """Return the issue's name without its date if no other issue's name contains that."""
    name = result.post_path.parent.name
    slug = name[11:]
    return slug if sum(slug in folder.name for folder in folders) == 1 else name


def _parse_date(text: str | None) -> datetime.date | None:
    if text is None:
        return None
    try:
        return datetime.date.fromisoformat(text)
    except ValueError:
        raise UsageError(
            f"--date '{text}' is not a valid date",
            remedy="Write year, month and day: --date 2026-11-22",
        ) from None


def _print_result(
    result: "ImportResult",
    name: str,
    losses: "tuple[ContentLoss, ...]",
    problems: "tuple[Problem, ...]",
) -> None:
    from newsletter.posts.content_loss.describe import summarize_losses
    from newsletter.project import display_path

    path = display_path(result.post_path)
    echo(path, color=None if result.state == "unchanged" else "green")
    echo(
        format_fields(
            _unchanged_rows(result) if result.state == "unchanged" else _imported_rows(result)
        )
    )
    if losses:
        echo("Not in the issue, though the post holds it:", color="yellow")
        echo(format_fields(("lost", phrase) for phrase in summarize_losses(losses)))
    if problems:
        echo("The issue can't be built before this is mended:", color="yellow")
        echo(format_fields(("problem", str(problem)) for problem in problems))
    echo(f"Next: newsletter build {name}")


def _unchanged_rows(result: "ImportResult") -> "Iterator[tuple[str, str]]":
    yield "unchanged", "this post was imported before"
    for name in result.edited_files:
        yield "edited", f"{name} is as you left it; --update would replace it and keep a copy"


def _imported_rows(result: "ImportResult") -> "Iterator[tuple[str, str]]":
    post = result.imported_post
    outline = post.outline
    yield "title", post.title
    counts = (
        (outline.paragraph_count, "paragraph"),
        (outline.word_count, "word"),
        (outline.reading_minutes, "minute"),
    )
    yield "read", ", ".join(_format_count(number, noun) for number, noun in counts)
    yield from ((note.key, isolate_bidi(note.text)) for note in post.setting_notes)
    if result.image_names:
        yield "pictures", ", ".join(result.image_names)
    yield from _summarize_removed(post.removed)
    yield from (
        ("set aside", f"line {line}: {_quote(text)} {why}; keep it with --keep {line}")
        for line, text, why in post.set_aside
    )
    yield from (("kept", f"your version as {name}") for name in result.backup_files)


def _summarize_removed(entries: "tuple[RemovedLine, ...]") -> "Iterator[tuple[str, str]]":
    """Yield a row for each reason: the first removed line, and how many more there are."""
    for reason in dict.fromkeys(entry.why for entry in entries):
        first, *more = (entry for entry in entries if entry.why == reason)
        lines = list(dict.fromkeys(str(entry.line) for entry in (first, *more)))
        shown_lines = ", ".join(lines[:_MAX_LINES]) + (", …" if len(lines) > _MAX_LINES else "")
        more_lines = f" and {_format_count(len(more), 'more line')}" if more else ""
        plural = "s" if len(lines) > 1 else ""
        label = "converted" if ", now " in reason else "removed"
        yield label, f"{_quote(first.text)}{more_lines} ({reason}, line{plural} {shown_lines})"


def _quote(text: str) -> str:
    clipped = (
        text if len(text) <= _MAX_QUOTE_LENGTH else f"{text[: _MAX_QUOTE_LENGTH - 1].rstrip()}…"
    )
    return isolate_bidi(f"'{clipped}'")


def _format_count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _print_json(
    result: "ImportResult", losses: "tuple[ContentLoss, ...]", problems: "tuple[Problem, ...]"
) -> None:
    from dataclasses import asdict

    from newsletter.project import display_path

    post = result.imported_post
    outline = post.outline
    print_json(
        {
            "issue": result.post_path.parent.name,
            "path": display_path(result.post_path),
            "state": result.state,
            "title": post.title,
            "paragraphs": outline.paragraph_count,
            "words": outline.word_count,
            "minutes": outline.reading_minutes,
            "settings": [note._asdict() for note in post.setting_notes],
            "pictures": result.image_names,
            "removed": [entry._asdict() for entry in post.removed],
            "set_aside": [entry._asdict() for entry in post.set_aside],
            "lost": [asdict(loss) for loss in losses],
            "problems": [str(problem) for problem in problems],
            "edited": result.edited_files,
            "backups": result.backup_files,
        }
    )
