"""``newsletter import``: make an issue from a post."""

import datetime
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from newsletter.cli.issue.removed_lines import quote_removed, summarize_removed
from newsletter.cli.output import echo, format_fields, isolate_bidi, print_json
from newsletter.errors import UsageError
from newsletter.wording import format_count

if TYPE_CHECKING:
    from newsletter.checks.import_comparison import ImportComparison
    from newsletter.posts.importing.issue_folder.write_issue import ImportResult


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
@click.option(
    "--images",
    metavar="DIR",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    multiple=True,
    help="Copy pictures from this folder, too, where /a.png is DIR/a.png; may be repeated.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead.")
def import_post_command(source: str, *, as_json: bool, **options: Any) -> None:
    """Make issues/<date>-<slug>/ from a post in Markdown, HTML or plain text.

    SOURCE is a file, or - for standard input. Pictures in the post's folder or below
    it are copied too, and from no other folder but those named with --images. The
    boilerplate of a blog's page is removed, what looks like spam or comments is set
    aside, and both are listed. Importing the same post again changes nothing.

    \b
    Examples:
      newsletter import building-trust.txt
      newsletter import page.html --slug spring --date 2026-11-22
      newsletter import blog/_posts/2026-11-22-spring.md --images blog
    """
    from zoneinfo import ZoneInfo

    from newsletter.checks.import_comparison import compare_import
    from newsletter.posts.importing import import_post
    from newsletter.project import list_issue_folders, open_project

    project = open_project()
    today = datetime.datetime.now(ZoneInfo(project.config.timezone)).date()
    result = import_post.import_post(
        project, source, import_post.ImportOptions(today=today, **options)
    )
    comparison = compare_import(result, source, project.config)
    if as_json:
        _print_json(result, comparison)
    else:
        name = _shorten_name(result, list_issue_folders(project))
        _print_result(result, name, comparison)


def _shorten_name(result: "ImportResult", folders: list[Path]) -> str:
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


def _print_result(result: "ImportResult", name: str, comparison: "ImportComparison") -> None:
    from newsletter.posts.content_loss.describe import summarize_losses
    from newsletter.project import display_path

    path = display_path(result.post_path)
    echo(path, color=None if result.state == "unchanged" else "green")
    echo(
        format_fields(
            _unchanged_rows(result)
            if result.state == "unchanged"
            else _imported_rows(result, comparison)
        )
    )
    if comparison.losses:
        echo("Not in the issue, though the post holds it:", color="yellow")
        echo(format_fields(("lost", phrase) for phrase in summarize_losses(comparison.losses)))
    if comparison.problems:
        echo("The issue can't be built before this is fixed:", color="yellow")
        echo(format_fields(("problem", str(problem)) for problem in comparison.problems))
    echo(f"Next: newsletter preview {name}")


def _unchanged_rows(result: "ImportResult") -> Iterator[tuple[str, str]]:
    yield "unchanged", "this post was imported before"
    for name in result.edited_files:
        yield "edited", f"{name} is as you left it; --update would replace it and keep a copy"


def _imported_rows(
    result: "ImportResult", comparison: "ImportComparison"
) -> Iterator[tuple[str, str]]:
    post = result.imported_post
    outline = post.outline
    yield "title", post.title
    counts = (
        (outline.paragraph_count, "paragraph"),
        (outline.word_count, "word"),
        (outline.reading_minutes, "minute"),
    )
    yield "read", ", ".join(format_count(number, noun) for number, noun in counts)
    yield from ((note.key, isolate_bidi(note.text)) for note in post.setting_notes)
    if result.image_names:
        yield "pictures", ", ".join(result.image_names)
    yield from (("not copied", str(problem)) for problem in result.not_copied)
    if post.prose_outside > outline.word_count:
        outside = format_count(post.prose_outside, "word")
        yield "check", f"is this the article? {outside} of text on the page are not in it"
    yield from summarize_removed((*post.removed, *comparison.removed))
    yield from (
        ("set aside", f"line {line}: {quote_removed(text)} {why}; keep it with --keep {line}")
        for line, text, why in post.set_aside
    )
    yield from (("kept", f"your version as {name}") for name in result.backup_files)
    for name in result.same_file_issues:
        yield "check", f"{name} is from a file of this name too; if it is this post, delete one"


def _print_json(result: "ImportResult", comparison: "ImportComparison") -> None:
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
            "words_outside": post.prose_outside,
            "minutes": outline.reading_minutes,
            "settings": [note._asdict() for note in post.setting_notes],
            "pictures": result.image_names,
            "not_copied": [str(problem) for problem in result.not_copied],
            "removed": [entry._asdict() for entry in (*post.removed, *comparison.removed)],
            "set_aside": [entry._asdict() for entry in post.set_aside],
            "lost": [asdict(loss) for loss in comparison.losses],
            "problems": [str(problem) for problem in comparison.problems],
            "edited": result.edited_files,
            "backups": result.backup_files,
            "same_file_issues": result.same_file_issues,
        }
    )
