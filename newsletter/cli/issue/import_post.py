"""``newsletter import``: make issues from posts."""

import datetime
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from newsletter.cli.issue.importing.import_many import format_outside
from newsletter.cli.issue.removed_lines import quote_removed, summarize_removed
from newsletter.cli.output import echo, format_fields, isolate_bidi, print_json
from newsletter.errors import UsageError
from newsletter.wording import format_count

if TYPE_CHECKING:
    from newsletter.checks.import_comparison import ImportComparison
    from newsletter.cli.issue.importing.import_request import ImportRequest
    from newsletter.posts.importing.issue_folder.write_issue import ImportResult
    from newsletter.project import Project


@click.command("import", short_help="Make issues from posts.")
@click.argument("sources", metavar="SOURCE...", nargs=-1, required=True)
@click.option("--list", "list_only", is_flag=True, help="List the posts of SOURCE; import nothing.")
@click.option("--all", "every", is_flag=True, help="Import every published post.")
@click.option(
    "--new", "new_only", is_flag=True, help="Import what is new in a feed since last time."
)
@click.option("--latest", is_flag=True, help="Import the newest post.")
@click.option(
    "--since",
    metavar="YYYY-MM-DD",
    callback=lambda _context, option, text: _parse_date(text, f"--{option.name}"),
    help="Import the posts since a day.",
)
@click.option(
    "--post",
    "names",
    metavar="NAME",
    multiple=True,
    help="Import the post of this title, slug, id or URL; may be repeated.",
)
@click.option(
    "--tag", "tags", metavar="TAG", multiple=True, help="Only posts with one of the tags."
)
@click.option(
    "--status",
    "statuses",
    type=click.Choice(["published", "draft", "scheduled", "private"]),
    multiple=True,
    help="Posts of another status than published; may be repeated.",
)
@click.option(
    "--kind",
    "kinds",
    metavar="KIND",
    multiple=True,
    help="Items of another kind than post, such as page; may be repeated.",
)
@click.option(
    "--accept-flood", is_flag=True, help="With --new: import them even if they are far too many."
)
@click.option("--full", is_flag=True, help="Fetch the whole post where a feed has its beginning.")
@click.option("--hotlink", is_flag=True, help="Leave pictures on the web where they are.")
@click.option(
    "--base-url", metavar="URL", default="", help="The blog's URL, if an export doesn't have it."
)
@click.option("--slug", default="", help="The issue's name; made from the title if not given.")
@click.option(
    "--date",
    metavar="YYYY-MM-DD",
    callback=lambda _context, option, text: _parse_date(text, f"--{option.name}"),
    help="The issue's date, if not the post's own.",
)
@click.option("--update", is_flag=True, help="Overwrite issues that exist already.")
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
def import_post_command(sources: tuple[str, ...], **options: Any) -> int:
    """Make issues/<date>-<slug>/ from a post, or from the posts of a blog.

    SOURCE is a post (Markdown, HTML or plain text; - for standard input), the URL of a page or
    a feed (RSS, Atom, JSON Feed), an export (WordPress, Ghost, Substack, Medium, beehiiv,
    Buttondown) or a content folder (Jekyll, Hugo, Zola, Eleventy, Astro). Of several posts, say
    which: --list shows them.

    Pictures in the post's folder or below it are copied; those of a page, feed, export or
    folder that are on the web are fetched and resized for email. The boilerplate of a blog's
    page is removed, what looks like spam or comments is set aside, and both are listed.
    Importing the same post again changes nothing.

    \b
    Examples:
      newsletter import building-trust.txt
      newsletter import page.html --slug spring --date 2026-11-22
      newsletter import blog/_posts/2026-11-22-spring.md --images blog
      newsletter import https://harbournotes.example/feed.xml --new
      newsletter import export.xml --since 2026-01-01
    """
    from zoneinfo import ZoneInfo

    from newsletter.cli.issue.importing.import_request import ImportRequest
    from newsletter.cli.issue.importing.import_source import import_source
    from newsletter.project import open_project

    project = open_project()
    timezone = ZoneInfo(project.config.timezone)
    request = ImportRequest(
        sources=sources, today=datetime.datetime.now(timezone).date(), **options
    )
    exit_code = import_source(project, request)
    if exit_code is None:
        _import_single(project, request)
        return 0
    return exit_code


def _import_single(project: "Project", request: "ImportRequest") -> None:
    from newsletter.checks.import_comparison import compare_import
    from newsletter.posts.importing import import_post
    from newsletter.posts.importing.images.copy_remote_images import list_remote_images
    from newsletter.project import list_issue_folders

    request.refuse_choices()
    (source,) = request.sources
    result = import_post.import_post(
        project,
        source,
        import_post.ImportOptions(
            request.today,
            request.slug,
            request.date,
            request.keep,
            request.update,
            request.images,
        ),
    )
    comparison = compare_import(result, source, project.config)
    remote_images = list_remote_images(result.imported_post)
    if request.as_json:
        _print_json(result, comparison, remote_images)
        return
    is_wanted = request.hotlink or project.config.blog.images == "hotlink"
    name = _shorten_name(result, list_issue_folders(project))
    _print_result(result, name, comparison, 0 if is_wanted else len(remote_images))


def _shorten_name(result: "ImportResult", folders: list[Path]) -> str:
    """Return the issue's name without its date if no other issue's name contains that."""
    name = result.post_path.parent.name
    slug = name[11:]
    return slug if sum(slug in folder.name for folder in folders) == 1 else name


def _parse_date(text: str | None, option: str) -> datetime.date | None:
    if text is None:
        return None
    try:
        return datetime.date.fromisoformat(text)
    except ValueError:
        raise UsageError(
            f"{option} '{text}' is not a valid date",
            remedy=f"Write year, month and day: {option} 2026-11-22",
        ) from None


def _print_result(
    result: "ImportResult", name: str, comparison: "ImportComparison", remote_count: int
) -> None:
    from newsletter.posts.content_loss.describe import summarize_losses
    from newsletter.project import display_path

    path = display_path(result.post_path)
    echo(path, color=None if result.state == "unchanged" else "green")
    echo(
        format_fields(
            _unchanged_rows(result)
            if result.state == "unchanged"
            else _imported_rows(result, comparison, remote_count)
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
    result: "ImportResult", comparison: "ImportComparison", remote_count: int
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
    if remote_count:
        stay, them = ("stays", "it") if remote_count == 1 else ("stay", "them")
        remedy = f"to copy {them}, import the post's URL or its folder"
        yield "pictures", f"{remote_count} {stay} on the web; {remedy}"
    yield from (("not copied", str(problem)) for problem in result.not_copied)
    if post.prose_outside > outline.word_count:
        yield "check", format_outside(post.prose_outside)
    yield from summarize_removed((*post.removed, *comparison.removed))
    yield from (
        ("set aside", f"line {line}: {quote_removed(text)} {why}; keep it with --keep {line}")
        for line, text, why in post.set_aside
    )
    yield from (("kept", f"your version as {name}") for name in result.backup_files)
    for name in result.same_file_issues:
        yield "check", f"{name} is from a file of this name too; if it is this post, delete one"


def _print_json(
    result: "ImportResult", comparison: "ImportComparison", remote_images: list[str]
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
            "words_outside": post.prose_outside,
            "minutes": outline.reading_minutes,
            "settings": [note._asdict() for note in post.setting_notes],
            "pictures": result.image_names,
            "on_the_web": remote_images,
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
