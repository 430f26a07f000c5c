"""The archive as files that any web server can hand out."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from newsletter.project import Project
from newsletter.web.archive import feeds
from newsletter.web.archive.archived_issue import Archived
from newsletter.web.archive.images import find_image, images
from newsletter.web.archive.issue_cache import Shelf, listed
from newsletter.web.archive.pages import Place, index_page, issue_page, page_path, pages, served
from newsletter.web.archive.routes import FEEDS
from newsletter.web.page_templates import Pages
from newsletter.web.site_context import Site


class Written(NamedTuple):
    """What a run came to.

    Attributes:
        issues: how many have a page.
        files: how many files the archive has.
        changed: the paths of those that were new or different.
    """

    issues: int
    files: int
    changed: tuple[str, ...]


def write_archive(site: Site, folder: Path, base_url: str | None) -> Written:
    """Write the archive; what is there already and the same is left alone, what is other's too.

    Args:
        site: the newsletter's.
        folder: made if it isn't there.
        base_url: where the files will be published; ``public_url`` if not given.
    """
    place = served(site)._replace(search=False)
    if base_url is not None:
        here = site.config.public_url
        place = Place(urlsplit(base_url).path, f"{here}/subscribe" if here else "", search=False)
        site = _published_at(site, base_url)
    issues = Shelf(site.project, site.engine).public(site.clock())
    made = dict(_files(site, place, issues))
    changed = tuple(path for path, data in made.items() if _write(folder / path, data))
    return Written(len(issues), len(made), changed)


def _published_at(site: Site, base_url: str) -> Site:
    elsewhere = {"public_url": base_url, "issue_url": None, "image_url": None}
    config = site.config.model_copy(update=elsewhere)
    project = Project(site.project.root, config)
    return replace(site, project=project, pages=Pages(project))


def _files(site: Site, place: Place, issues: list[Archived]) -> Iterator[tuple[str, bytes]]:
    """Every file: its path below the folder, its content."""
    open_ones = listed(issues)
    for number in range(1, pages(open_ones) + 1):
        path = f"{page_path(number)}/index.html".lstrip("/")
        yield path, bytes(index_page(site, place, open_ones, number).body)
    for issue in issues:
        below = f"issues/{issue.slug}"
        yield f"{below}/index.html", bytes(issue_page(site, place, issues, issue).body)
        source = site.project.issues_dir / issue.name
        for name in images(source):
            if file := find_image(source, name):
                yield f"{below}/{name}", file.read_bytes()
    for path, (made, _) in FEEDS.items():
        yield path.lstrip("/"), made(site.config, open_ones)
    yield "robots.txt", feeds.robots(site.config)
    yield "assets/style.css", site.pages.style


def _write(path: Path, data: bytes) -> bool:
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
