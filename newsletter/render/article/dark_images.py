"""Show the dark twin of an image where the reader's system is dark.

``curve.dark.png`` beside ``curve.png`` is such a twin. Mail clients that don't know ``<picture>``
(Outlook, Gmail) show the image itself. Pure.
"""

import html
import re
from collections.abc import Mapping

from newsletter.config import Config
from newsletter.config.urls import build_image_url
from newsletter.posts.issue import Issue

# A template's own <picture> is left alone. In rendered HTML every ">" in an attribute is escaped.
_IMAGE = re.compile(r"<picture\b.*?</picture>|<img\b[^>]*>", re.DOTALL)
_SOURCE = re.compile(r'\ssrc="([^"]*)"')


def build_dark_urls(issue: Issue, config: Config) -> dict[str, str]:
    """Return the published URL of each image that has a dark twin -> the twin's."""
    return {
        build_image_url(config, issue.slug, image.name): build_image_url(
            config, issue.slug, image.dark_name
        )
        for image in issue.post.images.values()
        if image.dark_name
    }


def add_dark_images(document: str, dark_urls: Mapping[str, str]) -> str:
    """Return HTML in which images have their dark twins.

    The last step: parsers in between don't know that ``<source>`` has no end tag.

    Args:
        document: the HTML.
        dark_urls: URL of an image -> URL of its dark twin.
    """
    if not dark_urls:
        return document

    def wrap(image: re.Match[str]) -> str:
        source = _SOURCE.search(image[0]) if image[0].startswith("<img") else None
        dark_url = dark_urls.get(html.unescape(source[1])) if source else None
        if dark_url is None:
            return image[0]
        srcset = html.escape(dark_url)
        return (
            f'<picture><source media="(prefers-color-scheme: dark)" srcset="{srcset}">{image[0]}'
            "</picture>"
        )

    return _IMAGE.sub(wrap, document)
