"""Import from a source that may hold several posts: choose, import, print."""

import datetime
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from newsletter.cli.issue.import_many import count_posts, import_chosen, print_imports
from newsletter.cli.issue.list_source import print_source_list
from newsletter.cli.issue.web_content import (
    make_downloader,
    make_full_text_fetcher,
    make_image_copier,
)
from newsletter.cli.output import echo, echo_err
from newsletter.errors import NothingToDoError, UsageError
from newsletter.wording import format_count

if TYPE_CHECKING:
    from newsletter.posts.importing.choose_posts import PostChooser, PostSelection
    from newsletter.posts.importing.import_source_post import SourceImportOptions
    from newsletter.posts.importing.source_post import (
        PostCollection,
        SourceSettings,
    )
    from newsletter.project import Project


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportRequest:
    """What the user typed; see the command's options."""

    sources: tuple[str, ...]
    today: datetime.date
    list_only: bool = False
    every: bool = False
    new_only: bool = False
    latest: bool = False
    since: datetime.date | None = None
    names: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    statuses: tuple[Any, ...] = ()
    kinds: tuple[str, ...] = ()
    accept_flood: bool = False
    full: bool = False
    hotlink: bool = False
    base_url: str = ""
    slug: str = ""
    date: datetime.date | None = None
    update: bool = False
    keep: tuple[int, ...] = ()
    images: tuple[Path, ...] = ()
    as_json: bool = False

    @property
    def source_name(self) -> str:
        """The source as the user typed it."""
        return self.sources[0] if len(self.sources) == 1 else f"{self.sources[0]} and others"

    def refuse_choices(self) -> None:
        """Refuse options that choose among several posts, for a source that is one post.

        Raises:
            UsageError: one of them was given.
        """
        given = {
            "--list": self.list_only, "--all": self.every, "--new": self.new_only,
            "--latest": self.latest, "--since": self.since, "--post": self.names,
            "--tag": self.tags, "--status": self.statuses, "--kind": self.kinds,
            "--accept-flood": self.accept_flood, "--full": self.full,
        }  # fmt: skip
        for option, value in given.items():
            if value:
                raise UsageError(
                    f"{option} chooses among several posts; {self.source_name} is one post",
                    remedy=f"Leave {option} out.",
                )

    def refuse_single_options(self, description: str) -> None:
        """Refuse options for one post, for a source of several.

        Raises:
            UsageError: one of them was given.
        """
        given = {"--slug": self.slug, "--date": self.date, "--keep": self.keep}
        for option, value in given.items():
            if value:
                raise UsageError(
                    f"{option} is for one post; {self.source_name} is a {description}",
                    remedy=f"Leave {option} out, and change the issue after its import.",
                )

    @property
    def has_choice(self) -> bool:
        """Whether an option says which posts are imported."""
        return bool(
            self.every or self.latest or self.since or self.names or self.tags or self.new_only
        )


def import_source(project: "Project", request: ImportRequest) -> int | None:
    """Import the chosen posts of a source and print what was done.

    Args:
        project: the editor's folder.
        request: what the user typed.

    Returns:
        The exit code; ``None`` if the source is one post, which is imported on its own.

    Raises:
        NewsletterError: the source can't be read, or the options don't fit it.
    """
    from newsletter.cli.issue.import_url import import_url, is_url
    from newsletter.posts.importing.open_source import open_source

    if is_url(request.sources[0]):
        return import_url(project, request)
    collection = open_source(request.sources, get_source_settings(project, request.base_url))
    if collection is None:
        return None
    request.refuse_single_options(collection.description)
    return import_collection(project, collection, request)


def get_source_settings(project: "Project", base_url: str = "") -> "SourceSettings":
    """Return the settings that readers of sources need."""
    from newsletter.posts.importing.source_post import SourceSettings

    config = project.config
    return SourceSettings(
        timezone=ZoneInfo(config.timezone),
        language=config.language,
        max_post_bytes=config.limits.post_bytes,
        base_url=base_url.rstrip("/"),
        permalink=config.blog.permalink or "",
    )


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
    rows = import_chosen(project, posts, make_import_options(project, request), total)
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


def make_import_options(project: "Project", request: ImportRequest) -> "SourceImportOptions":
    """Return the options of an import of several posts."""
    from newsletter.cli.issue.import_url import is_url
    from newsletter.posts.importing.import_source_post import SourceImportOptions

    downloader = make_downloader(project)
    source_url = request.source_name if is_url(request.source_name) else ""
    copies_images = project.config.blog.images == "copy" and not request.hotlink
    return SourceImportOptions(
        request.source_name,
        request.today,
        ZoneInfo(project.config.timezone),
        request.update,
        request.images,
        copy_images=make_image_copier(project, downloader, source_url) if copies_images else None,
        fetch_full=make_full_text_fetcher(project, downloader, source_url)
        if request.full
        else None,
    )


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


def make_selection(request: ImportRequest) -> "PostSelection":
    """Return which posts of a source are chosen."""
    from newsletter.posts.importing.choose_posts import PostSelection

    return PostSelection(
        request.names,
        request.since,
        request.tags,
        request.statuses or ("published",),
        request.kinds or ("post",),
    )
