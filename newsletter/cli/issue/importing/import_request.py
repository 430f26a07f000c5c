"""What the user of ``newsletter import`` has typed, as options."""

import datetime
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from newsletter.cli.issue.importing.web_content import (
    make_downloader,
    make_full_text_fetcher,
    make_image_copier,
)
from newsletter.errors import UsageError

if TYPE_CHECKING:
    from newsletter.posts.importing.choose_posts import PostSelection
    from newsletter.posts.importing.import_source_post import SourceImportOptions
    from newsletter.posts.importing.source_post import SourceSettings
    from newsletter.project import Project

_URL = re.compile(r"https?://", re.IGNORECASE)


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
        """The source as the user typed it, without the secrets of a URL."""
        from newsletter.url_secrets import mask_url_secrets

        source = self.sources[0]
        name = mask_url_secrets(source) if is_url(source) else source
        return name if len(self.sources) == 1 else f"{name} and others"

    def refuse_choices(self) -> None:
        """Refuse options that choose among several posts, for a source that is one post.

        A path that leads to no file is left to the reader of posts, who says so.

        Raises:
            UsageError: one of them was given.
        """
        if self.source_name != "-" and not Path(self.source_name).is_file():
            return
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

    def refuse_choices_beside_new(self) -> None:
        """Refuse options that choose other posts than ``--new``.

        Raises:
            UsageError: one of them was given.
        """
        given = {
            "--list": self.list_only, "--all": self.every, "--latest": self.latest,
            "--since": self.since, "--post": self.names, "--tag": self.tags,
            "--status": self.statuses, "--kind": self.kinds,
        }  # fmt: skip
        for option, value in given.items():
            if value:
                raise UsageError(
                    f"--new imports every new post, and can't be combined with {option}",
                    remedy=f"Leave --new or {option} out.",
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


def is_url(source: str) -> bool:
    """Return whether a source is the URL of a page or a feed."""
    return _URL.match(source) is not None


def get_source_settings(
    project: "Project", base_url: str = "", *, lists_only: bool = False
) -> "SourceSettings":
    """Return the settings that readers of sources need."""
    from newsletter.posts.importing.source_post import SourceSettings

    config = project.config
    return SourceSettings(
        timezone=ZoneInfo(config.timezone),
        language=config.language,
        max_post_bytes=config.limits.post_bytes,
        base_url=base_url.rstrip("/"),
        permalink=config.blog.permalink or "",
        lists_only=lists_only,
    )


def make_import_options(project: "Project", request: ImportRequest) -> "SourceImportOptions":
    """Return the options of an import of several posts."""
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
