"""Load an email's images from the issue's folder, or block them.

Pure. Apart from its images, the email is shown as it will be sent, byte for byte.
"""

import html
import re
from collections.abc import Mapping
from urllib.parse import quote

from newsletter.config.urls import build_image_url
from newsletter.preview.rendered_issues import Rendering

_IMG_SOURCE = re.compile(
    r"""(<(?:img|source)\b[^>]*?\s)(?:src|srcset)=(?:"[^"]*"|'[^']*')""", re.IGNORECASE | re.DOTALL
)
_BACKGROUND_ATTRIBUTE = re.compile(r"""\sbackground=(?:"[^"]*"|'[^']*')""", re.IGNORECASE)
_CSS_URL = re.compile(r"url\([^)]*\)", re.IGNORECASE)
# An image that can't be loaded: browsers show its alternative text instead.
_EMPTY_SOURCE = 'src="data:,"'


def use_local_images(document: str, rendering: Rendering, versions: Mapping[str, int]) -> str:
    """Load the issue's own images from its folder: they may not be published yet.

    Args:
        document: the email's HTML.
        rendering: what it was rendered from.
        versions: image -> a number that changes with the file, so that browsers may cache it.
    """
    names = {image.name for image in rendering.issue.post.images.values()}
    published = {
        html.escape(build_image_url(rendering.config, rendering.issue.slug, name)): (
            f"file/{quote(rendering.issue.name)}/{quote(name)}?v={versions.get(name, 0)}"
        )
        for name in names
    }
    # The longest first: one URL may be a prefix of another.
    for url in sorted(published, key=len, reverse=True):
        document = document.replace(url, published[url])
    return document


def block_images(document: str) -> str:
    """Return the email as clients show it before its recipient has allowed images."""
    document = _IMG_SOURCE.sub(lambda match: match[1] + _EMPTY_SOURCE, document)
    return _CSS_URL.sub("none", _BACKGROUND_ATTRIBUTE.sub("", document))
