"""The archive as files that any web server can hand out."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from newsletter.project import Project
from newsletter.web.archive import feeds
from newsletter.web.archive.archived_issue import ArchivedIssue
from newsletter.web.archive.images import find_issue_image, list_issue_images
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
    """What a run came to.

    Attributes:
        issues: how many have a page.
        files: how many files the archive has.
        changed: the paths of those that were new or different.
    """

    issues: int
    files: int
    changed: tuple[str, ...]


def write_archive(site: Site, folder: Path, base_url: str | None) -> ExportedArchive:
    """Write the archive; what is there already and the same is left alone, what is other's too.

    Args:
        site: the newsletter's.
        folder: made if it isn't there.
        base_url: where the files will be published; ``public_url`` if not given.
    """
    place = get_served_location(site)._replace(is_searchable=False)
    if base_url is not None:
        here = site.config.public_url
        place = ArchiveLocation(
            urlsplit(base_url).path, f"{here}/subscribe" if here else "", is_searchable=False
        )
        site = _with_base_url(site, base_url)
    issues = ArchiveRepository(site.project, site.engine).list_public_issues(site.clock())
    made = dict(_iter_files(site, place, issues))
    changed = tuple(path for path, data in made.items() if _write_if_changed(folder / path, data))
    return ExportedArchive(len(issues), len(made), changed)


def _with_base_url(site: Site, base_url: str) -> Site:
    elsewhere = {"public_url": base_url, "issue_url": None, "image_url": None}
    config = site.config.model_copy(update=elsewhere)
    project = Project(site.project.root, config)
    return replace(site, project=project, pages=PageRenderer(project))


def _iter_files(
    site: Site, location: ArchiveLocation, issues: list[ArchivedIssue]
) -> Iterator[tuple[str, bytes]]:
    """Every file: its path below the folder, its content."""
    open_ones = filter_listed_issues(issues)
    for number in range(1, count_index_pages(open_ones) + 1):
        path = f"{page_path(number)}/index.html".lstrip("/")
        yield path, bytes(render_index_page(site, location, open_ones, number).body)
    for issue in issues:
        below = f"issues/{issue.slug}"
        yield f"{below}/index.html", bytes(render_issue_page(site, location, issues, issue).body)
        source = site.project.issues_dir / issue.name
        for name in list_issue_images(source):
            if file := find_issue_image(source, name):
                yield f"{below}/{name}", file.read_bytes()
    for path, (made, _) in FEEDS.items():
        yield path.lstrip("/"), made(site.config, open_ones)
    yield "robots.txt", feeds.build_robots_txt(site.config)
    yield "assets/style.css", site.pages.stylesheet


def _write_if_changed(path: Path, data: bytes) -> bool:
    """Write aside, then rename; returns whether anything had to be written."""
    if path.is_file() and path.read_bytes() == data:
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.new")
    try:
        aside.write_bytes(data)
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)
    return True
