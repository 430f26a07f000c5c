"""The mail as the page's frame shows it: the final bytes, with pictures from the folder. Pure."""

import html
import re
from collections.abc import Mapping
from urllib.parse import quote

from newsletter.config.urls import build_image_url
from newsletter.preview.rendered_issues import Rendering

_IMG_SOURCE = re.compile(
    r"""(<img\b[^>]*?\s)(?:src|srcset)=(?:"[^"]*"|'[^']*')""", re.IGNORECASE | re.DOTALL
)
_BACKGROUND_ATTRIBUTE = re.compile(r"""\sbackground=(?:"[^"]*"|'[^']*')""", re.IGNORECASE)
_CSS_URL = re.compile(r"url\([^)]*\)", re.IGNORECASE)
# An image that can't be had: browsers then show its alternative text in its place.
_EMPTY_SOURCE = 'src="data:,"'


def use_local_images(document: str, rendering: Rendering, versions: Mapping[str, int]) -> str:
    """Take the issue's own pictures from its folder: they may not be published yet.

    Args:
        document: the mail's HTML.
        rendering: what it was rendered from.
        versions: picture -> a number that changes with the file, so that browsers may keep it.
    """
    names = {image.name for image in rendering.issue.post.images.values()}
    published = {
        html.escape(build_image_url(rendering.config, rendering.issue.slug, name)): (
            f"file/{quote(rendering.issue.name)}/{quote(name)}?v={versions.get(name, 0)}"
        )
        for name in names
    }
    # The longest first: one's address may be the beginning of another's.
    for url in sorted(published, key=len, reverse=True):
        document = document.replace(url, published[url])
    return document


def block_images(document: str) -> str:
    """As where the reader has not asked for images yet."""
    document = _IMG_SOURCE.sub(lambda found: found[1] + _EMPTY_SOURCE, document)
    return _CSS_URL.sub("none", _BACKGROUND_ATTRIBUTE.sub("", document))
