"""Fetch what an imported post refers to: its images, and its whole text."""

from dataclasses import replace
from typing import TYPE_CHECKING

from newsletter import __version__
from newsletter.cli.progress import progress_bar

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from newsletter.fetch.download import Downloader
    from newsletter.posts.importing.images.copy_remote_images import CopiedImages
    from newsletter.posts.importing.imported_post import ImportedPost
    from newsletter.posts.importing.source_post import SourcePost
    from newsletter.project import Project


def make_downloader(project: "Project") -> "Downloader":
    """Return a downloader for what an editor has typed; that may be on this machine."""
    from newsletter.fetch.download import Downloader

    user_agent = f"newsletter/{__version__} (import for {project.config.site_url})"
    return Downloader(user_agent, allow_loopback=True)


def make_image_copier(
    project: "Project", downloader: "Downloader", source_url: str
) -> "Callable[[ImportedPost, SourcePost], CopiedImages]":
    """Return a function that copies a post's images on the web, resized for email.

    Args:
        project: the editor's folder.
        downloader: fetches the images.
        source_url: the feed or page that the posts are from; empty for a file.
    """
    from newsletter.posts.importing.images.copy_remote_images import copy_remote_images
    from newsletter.posts.importing.images.fetch_images import (
        IMAGE_ACCEPT,
        FetchedImages,
        ImageLimits,
        fetch_images,
    )
    from newsletter.posts.importing.images.prepare_image import PIXEL_RATIO
    from newsletter.posts.importing.images.silent_hosts import skip_silent_hosts

    limits = ImageLimits(
        PIXEL_RATIO * project.config.theme.width, project.config.limits.image_bytes
    )

    # Not the post's own URL: what a file says must not lead to this machine.
    found_on = source_url or project.config.site_url

    @skip_silent_hosts
    def download(url: str) -> bytes:
        return downloader.download(
            url, max_bytes=limits.max_bytes, accept=IMAGE_ACCEPT, found_on=found_on
        ).body

    def fetch(candidates: "Mapping[str, Sequence[str]]") -> FetchedImages:
        with progress_bar(len(candidates), "Fetching pictures") as step:
            return fetch_images(candidates, download, limits, on_progress=step)

    def copy(imported_post: "ImportedPost", post: "SourcePost") -> "CopiedImages":
        source_html = post.original or post.content
        return copy_remote_images(
            imported_post, fetch, source_html=source_html if post.content_format == "html" else ""
        )

    return copy


def make_full_text_fetcher(
    project: "Project", downloader: "Downloader", source_url: str
) -> "Callable[[SourcePost], SourcePost]":
    """Return a function that gets the whole text of a post, of which a feed has the beginning.

    Args:
        project: the editor's folder.
        downloader: fetches the post's page.
        source_url: the feed that the posts are from; empty for a file.
    """
    from newsletter.posts.importing.sources.web_page import parse_page_download

    def fetch(post: "SourcePost") -> "SourcePost":
        download = downloader.download(
            post.url,
            max_bytes=project.config.limits.post_bytes,
            found_on=source_url or project.config.site_url,
        )
        page = parse_page_download(download, project.config.blog.article or "")
        return replace(
            post,
            content=page.content,
            content_format="html",
            original="",
            hero=post.hero or page.hero,
            hero_alt=post.hero_alt or page.hero_alt,
            is_teaser=False,
            is_page=True,
        )

    return fetch
