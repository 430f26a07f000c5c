"""Import chosen posts of a feed, an export or a folder."""

import sys
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from newsletter.cli.issue.importing.import_many import count_posts, import_chosen, print_imports
from newsletter.cli.issue.importing.import_request import (
    ImportRequest,
    make_import_options,
    make_selection,
)
from newsletter.cli.issue.importing.list_source import print_source_list
from newsletter.cli.output import echo, echo_err
from newsletter.errors import NothingToDoError, UsageError
from newsletter.wording import format_count

if TYPE_CHECKING:
    from newsletter.posts.importing.choose_posts import PostChooser
    from newsletter.posts.importing.source_post import PostCollection
    from newsletter.project import Project


def import_collection(
    project: "Project", collection: "PostCollection", request: ImportRequest
) -> int:
    """Import the chosen posts of a collection, print what was done, and return the exit code."""
    from newsletter.posts.importing.choose_posts import PostChooser, find_latest

    timezone = ZoneInfo(project.config.timezone)
    chooser = PostChooser(make_selection(request), timezone)
    if request.list_only:
        print_source_list(project, collection, chooser, as_json=request.as_json)
        return 0
    # Counting takes a pass of its own; it is for the progress bar, and to ask which of several.
    total = 0
    if sys.stderr.isatty() or not request.has_choice:
        counted = PostChooser(chooser.selection, timezone)
        total = count_posts(counted.iter_chosen(collection.iter_posts()))
    if not request.has_choice and total > 1:
        raise UsageError(
            f"{request.source_name} is a {collection.description} with "
            f"{format_count(total, 'post')}; say which to import",
            remedy="--list shows them. Choose with --post NAME, --latest or --since DATE, or "
            "import them with --all.",
        )
    posts = chooser.iter_chosen(collection.iter_posts())
    if request.latest:
        latest = find_latest(posts)
        posts, total = iter([latest] if latest else []), 1
    options = replace(make_import_options(project, request), is_durable=False)
    rows = import_chosen(project, posts, options, total)
    counts = print_imports(
        rows, lambda: summarize_source(request, collection, chooser), as_json=request.as_json
    )
    return finish_import(request, chooser, counts)


def finish_import(request: ImportRequest, chooser: "PostChooser", counts: Counter[str]) -> int:
    """Tell what is left to do, and return the exit code of an import."""
    unknown = [name for name in chooser.selection.names if name not in chooser.found_names]
    for name in unknown:
        echo_err(f"Not found: no post is called '{name}'; --list shows them.")
    if unknown or counts["failed"]:
        return 1
    if not counts["new"] and not counts["updated"]:
        return NothingToDoError.exit_code
    if not request.as_json:
        echo("Next: newsletter issues")
    return 0


def summarize_source(
    request: ImportRequest, collection: "PostCollection", chooser: "PostChooser"
) -> dict[str, Any]:
    """Return the source, and what of it was not chosen."""
    return {
        "source": request.source_name,
        "kind": collection.description,
        "not_chosen": dict(chooser.not_chosen),
        "other_items": dict(collection.list_other_items()),
    }
