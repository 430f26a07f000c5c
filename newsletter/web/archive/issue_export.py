"""Export one issue, also before it is sent: its images and its page."""

import datetime
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from newsletter.config import Config
from newsletter.errors import Location, SendRefusedError, UsageError, display_path
from newsletter.posts.read_issue import read_issue
from newsletter.posts.stills import list_drawn_stills
from newsletter.render.words import read_own_words
from newsletter.web.archive.archived_issue import ArchivedIssue, make_archived_issue
from newsletter.web.archive.images import list_issue_images, read_issue_image
from newsletter.web.archive.issue_cache import ArchiveRepository
from newsletter.web.archive.pages import render_issue_page
from newsletter.web.archive.static_export import locate_export, write_if_changed
from newsletter.web.site_context import Site

_DEFAULT_PATH = "issues/{slug}/{file}"


class ExportedIssue(NamedTuple):
    """The result of exporting one issue.

    Attributes:
        issue: the issue's name.
        image_count: how many images it has.
        page_url: the URL of its page; empty if it has none.
        files: how many files were exported.
        changed: the paths of the files that were new or different.
    """

    issue: str
    image_count: int
    page_url: str
    files: int
    changed: tuple[str, ...]


def find_base_url(config: Config) -> str | None:
    """Return the URL at which an exported folder must be published to match the emails' images.

    ``None`` if the settings give images no address, or one that no folder can have.
    """
    if not config.image_url:
        return config.public_url
    base = config.image_url.partition("{")[0].rpartition("/")[0].removesuffix("/issues")
    return base if urlsplit(base).netloc else None


def write_issue(site: Site, source: Path, folder: Path, base_url: str) -> ExportedIssue:
    """Write an issue's images, with the names that its email uses, and its page.

    Before the issue is sent, its page is in no index or feed and marked ``noindex``. The same issue
    gives the same files; no file is deleted.

    Args:
        site: the newsletter's site.
        source: the issue's folder.
        folder: the target folder, created if missing.
        base_url: the URL that the target folder will be published at.

    Raises:
        SendRefusedError: the issue is a draft.
        UsageError: ``image_url`` is not below ``base_url``.
        PostError: the issue can't be read.
    """
    config = site.config
    pattern = _get_image_pattern(config, base_url)
    issue = read_issue(source, config)
    if issue.draft:
        raise SendRefusedError(
            "this issue is a draft",
            where=Location(display_path(issue.source_path), issue.front_matter_lines.get("draft")),
            remedy="Remove 'draft: true' when it is ready.",
        )
    files = {
        pattern.replace("{slug}", issue.slug).replace("{file}", name): data
        for name in (*list_issue_images(source), *list_drawn_stills(issue.post.images))
        if (data := read_issue_image(source, name)) is not None
    }
    image_count, page_url = len(files), ""
    location, exported_site = locate_export(site, base_url)
    issues, archived = _find_archived_issue(exported_site, source)
    # The page shows images at the default path only.
    if pattern == _DEFAULT_PATH and archived.listing != "private":
        path = f"issues/{issue.slug}/index.html"
        page = render_issue_page(exported_site, location, issues, archived)
        files |= {path: bytes(page.body), "assets/style.css": exported_site.pages.stylesheet}
        page_url = archived.address
    changed = tuple(path for path, data in files.items() if write_if_changed(folder / path, data))
    return ExportedIssue(issue.name, image_count, page_url, len(files), changed)


def _find_archived_issue(site: Site, source: Path) -> tuple[list[ArchivedIssue], ArchivedIssue]:
    """Return all issues that have a page, and this one.

    If it was not sent, it is not among them; it is unlisted, and dated by its folder's name.
    """
    sent = ArchiveRepository(site.project, site.engine).list_public_issues(site.clock())
    for archived in sent:
        if archived.name == source.name:
            return sent, archived
    issue = read_issue(source, site.config)
    day = datetime.date.fromisoformat(issue.name[:10])
    at = datetime.datetime.combine(day, datetime.time(), datetime.UTC)
    own_words = read_own_words(site.project.templates_dir)
    archived = make_archived_issue(issue, at, site.config, own_words)
    if archived.listing != "private":
        archived = replace(archived, listing="unlisted")
    return sent, archived


def _get_image_pattern(config: Config, base_url: str) -> str:
    """Return the path of an image below the base URL, with ``{slug}`` and ``{file}``."""
    url = config.image_url or f"{base_url}/{_DEFAULT_PATH}"
    path = url.removeprefix(f"{base_url}/")
    if path == url or any(char in path for char in "?#") or ".." in path.split("/"):
        raise UsageError(
            f"emails have images at {url}, which is not a path below {base_url}",
            remedy=f"Set image_url to {base_url}/{_DEFAULT_PATH}",
        )
    return path


def iter_address_notes(config: Config, base_url: str) -> Iterator[str]:
    """Yield what the settings lack for emails to use the exported files."""
    if not config.image_url and config.public_url != base_url:
        yield f"Emails don't use these images yet: set image_url to {base_url}/{_DEFAULT_PATH}"
    if not config.issue_url and not config.public_url:
        yield f"Emails have no 'View online' link: set issue_url to {base_url}/issues/{{slug}}/"
