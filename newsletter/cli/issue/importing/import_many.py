"""Import posts of a feed, an export or a folder, and print what was done."""

import textwrap
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import nullcontext, suppress
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from newsletter.cli.issue.removed_lines import summarize_removed
from newsletter.cli.output import (
    WIDTH,
    echo,
    format_fields,
    isolate_bidi,
    print_json,
    print_problem,
)
from newsletter.cli.progress import progress_bar
from newsletter.errors import NewsletterError, Problem, display_path
from newsletter.wording import format_count

if TYPE_CHECKING:
    from newsletter.checks.import_collection import ComparedImport, FailedImport
    from newsletter.posts.importing.import_source_post import SourceImportOptions
    from newsletter.posts.importing.source_post import SourcePost, UnreadablePost
    from newsletter.posts.removed_line import RemovedLine
    from newsletter.project import Project

_STATE_WORDS = {
    "new": "imported",
    "updated": "updated",
    "unchanged": "imported before",
    "changed": "changed since",
    "repeated": "repeated with changes",
}

_TEASER = "it seems to be only the beginning; --full fetches the post's page"


@dataclass(frozen=True, slots=True)
class ImportedRow:
    """What is told about one post.

    Attributes:
        title: the post's title, or what else names it.
        state: ``new``, ``updated``, ``unchanged``, ``changed``, ``repeated`` or ``failed``.
        path: the issue's folder as the user would type it; empty if there is none.
        rows: labels and values below it.
        problems: why it was not imported.
        removed: what was left out on purpose.
        data: all of it, for JSON.
        post: the post as its source has it; ``None`` if it can't be read.
    """

    title: str
    state: str
    path: str
    rows: tuple[tuple[str, str], ...]
    problems: tuple[Problem, ...]
    removed: "tuple[RemovedLine, ...]"
    data: dict[str, Any]
    post: "SourcePost | None" = None


def import_chosen(
    project: "Project",
    posts: "Iterable[SourcePost | UnreadablePost]",
    options: "SourceImportOptions",
    total: int,
) -> Iterator[ImportedRow]:
    """Import posts with a progress bar; yield what is told about each.

    A single post has none: that of its pictures is shown.

    Args:
        project: the editor's folder.
        posts: the chosen posts.
        options: options of the import.
        total: their number, for the bar.
    """
    from newsletter.checks.import_collection import FailedImport, import_posts

    bar = progress_bar(total, "Importing") if total > 1 else nullcontext(lambda _: None)
    with bar as step:
        for outcome in import_posts(project, posts, options):
            step(1)
            yield (
                _describe_failure(outcome)
                if isinstance(outcome, FailedImport)
                else _describe_import(outcome)
            )


def print_imports(
    rows: Iterable[ImportedRow],
    summarize: Callable[[], dict[str, Any]],
    *,
    as_json: bool,
    if_none: str = "No post was chosen",
) -> Counter[str]:
    """Print what was imported, and return how many posts are in which state.

    What was imported before an interruption is printed, too.

    Args:
        rows: the posts.
        summarize: returns the source, and what of it was not chosen.
        as_json: whether one JSON object is printed.
        if_none: what is printed if there was no post.
    """
    done: list[ImportedRow] = []
    try:
        for row in rows:
            done.append(row)  # noqa: PERF402 - kept even if the next one is interrupted
    finally:
        counts = Counter(row.state for row in done)
        summary = summarize()
        if as_json:
            print_json({**summary, "counts": counts, "posts": [row.data for row in done]})
        else:
            _print_rows(done)
            _print_counts(counts, summary, if_none)
            imported = [row.post for row in done if row.state in {"new", "updated"} and row.post]
            print_damage(imported)
    return counts


def _print_rows(rows: list[ImportedRow]) -> None:
    for row in rows:
        if row.state in {"new", "updated"}:
            echo(row.path, color="green")
        elif row.state == "changed":
            echo(f"{row.path}: the post has changed since; --update imports it again")
        elif row.state == "repeated":
            echo(f"{row.path}: the source has this post twice; of the two, the first was imported")
        if row.rows:
            echo(format_fields(row.rows))
    removed = [entry._replace(line=0) for row in rows for entry in row.removed]
    if removed:
        echo("Left out on purpose (--json lists each place):")
        echo(format_fields(summarize_removed(removed)))
    for row in rows:
        for problem in row.problems:
            print_problem(f"Not imported: {isolate_bidi(row.title)}: ", problem)


def _print_counts(counts: Counter[str], summary: dict[str, Any], if_none: str) -> None:
    parts = [f"{counts[state]} {word}" for state, word in _STATE_WORDS.items() if counts[state]]
    if counts["failed"]:
        parts.append(f"{counts['failed']} not imported")
    color = "yellow" if counts["failed"] or counts["changed"] or counts["repeated"] else "green"
    echo(f"{', '.join(parts) or if_none}.", color=color)
    if left := describe_left_out(summary["not_chosen"], summary["other_items"]):
        echo(textwrap.fill(f"Not chosen: {left}.", WIDTH))


def print_damage(posts: "Iterable[SourcePost]") -> None:
    """Print how many posts are damaged in their source, if any are."""
    if count := sum(post.is_damaged for post in posts):
        text = f"Damaged in the export: {format_count(count, 'post')}, imported as far as possible."
        echo(
            textwrap.fill(f"{text} Compare with the blog; --json says what.", WIDTH), color="yellow"
        )


def describe_left_out(not_chosen: Mapping[str, int], other_items: Mapping[str, int]) -> str:
    """Return in words which posts were not chosen, and what else is in a source."""
    posts = [format_count(count, noun) for noun, count in not_chosen.items()]
    others = [f"{nouns} ({count:,})" for nouns, count in other_items.items()]
    return "; ".join(filter(None, (", ".join(posts), ", ".join(others))))


def _describe_failure(outcome: "FailedImport") -> ImportedRow:
    post = outcome.post
    return ImportedRow(
        outcome.title,
        "failed",
        "",
        (),
        outcome.problems,
        (),
        {
            "title": outcome.title,
            "state": "failed",
            "id": post.post_id if post else "",
            "url": post.url if post else "",
            "problems": [str(problem) for problem in outcome.problems],
        },
        post,
    )


def _describe_import(outcome: "ComparedImport") -> ImportedRow:
    from newsletter.posts.content_loss.describe import summarize_losses
    from newsletter.posts.importing.images.copy_remote_images import IMAGE_NOTE

    done, comparison = outcome.source_import, outcome.comparison
    post, result = done.post, done.result
    path = display_path(result.post_path if result else done.folder)
    data: dict[str, Any] = {
        "title": post.title,
        "state": done.state,
        "id": post.post_id,
        "url": post.url,
        "date": post.date.isoformat() if post.date else None,
        "issue": done.folder.name,
        "path": path,
    }
    if result is None:
        return ImportedRow(post.title, done.state, path, (), (), (), data, outcome.post)
    imported = result.imported_post
    removed = tuple(
        entry._replace(line=0) if done.post.is_page else entry
        for entry in (*imported.removed, *comparison.removed)
    )
    data |= {
        "pictures": result.image_names,
        "not_copied": [str(problem) for problem in result.not_copied],
        "settings": [note._asdict() for note in imported.setting_notes],
        "removed": [entry._asdict() for entry in removed],
        "set_aside": [entry._asdict() for entry in imported.set_aside],
        "is_teaser": post.is_teaser,
        "lost": [asdict(loss) for loss in comparison.losses],
        "problems": [str(problem) for problem in comparison.problems],
        "backups": result.backup_files,
    }
    is_outside = imported.prose_outside > imported.outline.word_count
    rows = (
        *((("teaser", _TEASER),) if post.is_teaser else ()),
        *((("check", format_outside(imported.prose_outside)),) if is_outside else ()),
        *(("lost", phrase) for phrase in summarize_losses(comparison.losses)),
        *(("problem", str(problem)) for problem in comparison.problems),
        *(("not copied", str(problem)) for problem in result.not_copied),
        *((note.key, note.text) for note in imported.setting_notes if note.key == IMAGE_NOTE),
        *(
            ("set aside", f"{isolate_bidi(text[:60])} ({why}); it is in set-aside.txt")
            for _line, text, why in imported.set_aside
        ),
        *(("kept", f"your version as {name}") for name in result.backup_files),
    )
    return ImportedRow(post.title, done.state, path, rows, (), removed, data, outcome.post)


def format_outside(word_count: int) -> str:
    """Return the question whether the right part of a page was taken."""
    words = format_count(word_count, "word")
    return f"is this the article? {words} of text on the page are not in it"


def count_posts(posts: "Iterable[SourcePost | UnreadablePost]") -> int:
    """Return the number of posts; 0 if the source can't be read to its end."""
    with suppress(NewsletterError):
        return sum(1 for _ in posts)
    return 0
