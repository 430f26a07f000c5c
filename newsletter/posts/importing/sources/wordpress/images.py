"""Show the images of a WordPress post in full size."""

import re

from newsletter.posts.importing.sources.wordpress.export_index import ExportIndex

_IMAGE = re.compile(r"<img\b[^<>]{0,4000}>", re.IGNORECASE)
_SOURCE = re.compile(r"""(?<=\ssrc=)(["'])([^"'<>]+)\1""", re.IGNORECASE)
_NUMBER = re.compile(r"\bwp-image-(\d{1,12})\b")
# A path on the blog; "../wp-content/" is what an old editor made of one, whatever the post's URL.
_ROOT_PATH = re.compile(
    r"""(<(?:a|img|source|video|audio|iframe)\b(?:[^<>]{0,1000}\s)?(?:href|src|poster)=["'])
    (?:/(?!/)|(?:\.\./){1,9}(?=wp-(?:content|includes)/))""",
    re.IGNORECASE | re.VERBOSE,
)


def enlarge_images(text: str, index: ExportIndex) -> str:
    """Return HTML with the URLs of images in full size instead of those of their thumbnails.

    Args:
        text: a post's content.
        index: what the export has.
    """

    def replace_source(image: re.Match[str]) -> str:
        number = _NUMBER.search(image[0])

        def find(source: re.Match[str]) -> str:
            full = index.find_full_url(source[2], number[1] if number else "")
            return f"{source[1]}{full or source[2]}{source[1]}"

        return _SOURCE.sub(find, image[0], count=1)

    return _IMAGE.sub(replace_source, text)


def complete_urls(text: str, base_url: str) -> str:
    """Return HTML in which no URL begins with the path on the blog.

    Args:
        text: a post's content.
        base_url: the blog's address without a slash at its end, or empty.
    """
    if not base_url.startswith("http"):
        return text
    return _ROOT_PATH.sub(lambda found: f"{found[1]}{base_url}/", text)
