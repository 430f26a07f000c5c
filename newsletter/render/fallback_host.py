"""Reject emails with the host that stands in for a missing public_url.

One guard for everything that is sent: issues, test emails, transactional emails. Pure.
"""

import html
import re
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import unquote

from newsletter.config.urls import FALLBACK_PUBLIC_URL
from newsletter.errors import Location, Problem
from newsletter.posts.issue import Issue
from newsletter.posts.stills import get_file_name
from newsletter.render.email import Email

_SHOWN_IMAGES = 3
_FALLBACK_URL = re.compile(rf"{re.escape(FALLBACK_PUBLIC_URL)}[^\s\"'<>)]*", re.IGNORECASE)
_IMAGE_PATH = re.compile(rf"{re.escape(FALLBACK_PUBLIC_URL)}/issues/(?P<slug>[^/]+)/(?P<file>.+)")


class FallbackUrls(NamedTuple):
    """The URLs of an email that lead nowhere, each once, in order.

    Attributes:
        images: path in the issue's folder of each image without a public address.
        links: all other URLs.
    """

    images: tuple[str, ...]
    links: tuple[str, ...]


def find_fallback_urls(email: Email, headers: Mapping[str, str] | None = None) -> FallbackUrls:
    """Return the URLs of ``FALLBACK_PUBLIC_URL`` in an email.

    Args:
        email: as rendered.
        headers: the recipient's own headers, besides the email's.
    """
    header_values = (*(value for _, value in email.headers), *(headers or {}).values())
    parts = (
        email.subject,
        email.preheader,
        html.unescape(email.html),
        email.text,
        *header_values,
        email.view_online_url,
    )
    urls = dict.fromkeys(match[0] for part in parts for match in _FALLBACK_URL.finditer(part))
    images = [match["file"] for url in urls if (match := _IMAGE_PATH.fullmatch(url))]
    links = (url for url in urls if not _IMAGE_PATH.fullmatch(url))
    return FallbackUrls(tuple(map(unquote, images)), tuple(links))


def find_unpublished_images(email: Email, issue: Issue) -> tuple[str, ...]:
    """Return the path in the issue's folder of each image that has no public address, sorted."""
    names = {image.name for image in issue.post.images.values()}
    return tuple(sorted(names.intersection(find_fallback_urls(email).images)))


def find_fallback_problems(
    email: Email, headers: Mapping[str, str] | None = None
) -> tuple[Problem, ...]:
    """Return why an email can't be sent without a public address; empty if it can.

    Args:
        email: as rendered.
        headers: the recipient's own headers, besides the email's.
    """
    found = find_fallback_urls(email, headers)
    image_problems = (missing_image_address(found.images, email.issue),) if found.images else ()
    link_problems = (
        Problem(
            f"the email contains {url}, which stands in for your own address",
            Location("newsletter.yml"),
            "Set public_url to the public address of newsletter serve.",
        )
        for url in found.links[:1]
    )
    return (*image_problems, *link_problems)


def missing_image_address(names: tuple[str, ...], issue: str) -> Problem:
    """Return the problem that local images have no public address, with the ways to give them one.

    Args:
        names: the images' paths in the issue's folder; at least one.
        issue: the issue's name.
    """
    shown = ", ".join(map(get_file_name, names[:_SHOWN_IMAGES]))
    more = f" and {len(names) - _SHOWN_IMAGES:,} more" if len(names) > _SHOWN_IMAGES else ""
    slug = issue[11:]
    return Problem(
        f"readers could not see {shown}{more}: images beside the post have no public address",
        Location("newsletter.yml"),
        "Set public_url and run newsletter serve; or set image_url to a static host and put them "
        f"there with newsletter archive --issue {slug} --publish; or use images with an https "
        "address in the post.",
    )
