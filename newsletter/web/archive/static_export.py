"""Export the archive as static files for any web server."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from newsletter.project import Project
from newsletter.public_files import write_public_file
from newsletter.web.archive import feeds
from newsletter.web.archive.archived_issue import ArchivedIssue
from newsletter.web.archive.images import list_issue_images, read_issue_image
from newsletter.web.archive.issue_cache import ArchiveRepository, filter_listed_issues
from newsletter.web.archive.pages import (
    ArchiveLocation,
    count_index_pages,
    get_served_location,
    page_path,
    render_index_page,
    render_issue_page,
)
from newsletter.web.archive.routes import FEEDS
from newsletter.web.page_templates import PageRenderer
from newsletter.web.site_context import Site


class ExportedArchive(NamedTuple):
    """The result of an export.

    Attributes:
        issues: how many issues have a page.
        files: how many files the archive consists of.
        changed: the paths of the files that were new or different.
    """

    issues: int
    files: int
    changed: tuple[str, ...]


def write_archive(site: Site, folder: Path, base_url: str | None) -> ExportedArchive:
    """Write the archive; files that haven't changed or don't belong to it are left alone.

    Args:
        site: the newsletter's site.
        folder: the target folder, created if missing.
        base_url: the URL that the files will be published at; ``public_url`` if not given.
    """
    location = get_served_location(site)._replace(is_searchable=False)
    if base_url is not None:
        location, site = locate_export(site, base_url)
    issues = ArchiveRepository(site.project, site.engine).list_public_issues(site.clock())
    files = dict(_iter_files(site, location, issues))
    changed = tuple(path for path, data in files.items() if write_if_changed(folder / path, data))
    return ExportedArchive(len(issues), len(files), changed)


def locate_export(site: Site, base_url: str) -> tuple[ArchiveLocation, Site]:
    """Return the location of files that are published at a URL, and the site as it is there."""
    public_url = site.config.public_url
    location = ArchiveLocation(
        urlsplit(base_url).path,
        f"{public_url}/subscribe" if public_url else "",
        is_searchable=False,
        has_signup_form=False,
    )
    overrides = {"public_url": base_url, "issue_url": None, "image_url": None}
    config = site.config.model_copy(update=overrides)
    project = Project(site.project.root, config)
    return location, replace(site, project=project, pages=PageRenderer(project))


def _iter_files(
    site: Site, location: ArchiveLocation, issues: list[ArchivedIssue]
) -> Iterator[tuple[str, bytes]]:
    """Yield every file's path, relative to the folder, and its content."""
    listed = filter_listed_issues(issues)
    for number in range(1, count_index_pages(listed) + 1):
        path = f"{page_path(number)}/index.html".lstrip("/")
        yield path, bytes(render_index_page(site, location, listed, number).body)
    for issue in issues:
        issue_folder = f"issues/{issue.slug}"
        yield (
            f"{issue_folder}/index.html",
            bytes(render_issue_page(site, location, issues, issue).body),
        )
        source = site.project.issues_dir / issue.name
        for name in (*list_issue_images(source), *issue.stills):
            if (data := read_issue_image(source, name)) is not None:
                yield f"{issue_folder}/{name}", data
    for path, (build_feed, _) in FEEDS.items():
        yield path.lstrip("/"), build_feed(site.config, listed)
    yield "robots.txt", feeds.build_robots_txt(site.config)
    yield "assets/style.css", site.pages.stylesheet


def write_if_changed(path: Path, data: bytes) -> bool:
    """Replace a file's content atomically; return whether it had changed."""
    if path.is_file() and path.read_bytes() == data:
        return False
    write_public_file(path, data, make_folders=True)
    return True
