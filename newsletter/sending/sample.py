"""The sample recipient of test emails and previews; the requests of tests."""

import html
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import PurePosixPath

from newsletter.config.models import Config
from newsletter.config.urls import build_image_url
from newsletter.posts.images import IMAGE_TYPES
from newsletter.posts.merge_tags.tags import PREFERENCES_TAG, UNSUBSCRIBE_TAG, TokenTarget
from newsletter.render.email import Email
from newsletter.sending.providers.prepared_email import (
    InlineImage,
    PreparedRequest,
    split_into_batches,
)
from newsletter.sending.providers.provider import RequestId
from newsletter.sending.providers.registry import get_provider
from newsletter.subscribers import Recipient

TEST_SUBJECT_PREFIX = "[TEST]"
# In place of a subscriber's token; no subscriber can have it, so its links change nobody.
SAMPLE_TOKEN = "sample"  # noqa: S105 - the opposite of a secret
SAMPLE_NAME = "Sample Reader"
SAMPLE_ADDRESS = "reader@example.com"  # reserved for examples by RFC 2606
_TARGETS: tuple[TokenTarget, ...] = ("html", "text", "url")


def make_sample_recipient(address: str, config: Config, number: int = 0) -> Recipient:
    """Return a recipient at ``address`` with a name, and every other attribute at its default.

    Args:
        address: the address to send to, or to show.
        config: the newsletter's settings; its attributes are used.
        number: the recipient's id, unique within a request.
    """
    attributes = {**config.attributes, "name": SAMPLE_NAME, "email": address}
    return Recipient(number, address, address.casefold(), SAMPLE_TOKEN, attributes)


def embed_images(
    email: Email, config: Config, slug: str, files: Mapping[str, bytes]
) -> tuple[Email, tuple[InlineImage, ...]]:
    """Return the email with images inside it instead of at a URL, and these images.

    Args:
        email: as rendered.
        config: the newsletter's settings.
        slug: the issue's slug.
        files: path in the issue's folder -> the image's bytes.
    """
    document, images = email.html, list[InlineImage]()
    # The longest first: one URL may be a prefix of another.
    for name in sorted(files, key=lambda name: (-len(name), name)):
        path, content_id = PurePosixPath(name), f"image-{len(images) + 1}"
        media_type = IMAGE_TYPES.get(path.suffix.lower(), "application/octet-stream")
        images.append(InlineImage(path.name, media_type, content_id, files[name]))
        url = html.escape(build_image_url(config, slug, name))
        document = document.replace(url, f"cid:{content_id}")
    return replace(email, html=document), tuple(images)


def replace_personal_links(email: Email, url: str) -> Email:
    """Return the email with ``url`` in place of the reader's own links, which have no address."""
    document, text = email.html, email.text
    for tag in (UNSUBSCRIBE_TAG, PREFERENCES_TAG):
        for target in _TARGETS:
            document = document.replace(tag.token(target), html.escape(url))
            text = text.replace(tag.token(target), url)
    tags = tuple(tag for tag in email.merge_tags if tag not in {UNSUBSCRIBE_TAG, PREFERENCES_TAG})
    return replace(email, html=document, text=text, merge_tags=tags)


def build_test_requests(
    email: Email,
    config: Config,
    addresses: Sequence[str],
    inline_images: Sequence[InlineImage] = (),
) -> Iterator[PreparedRequest]:
    """Yield the requests that send test emails, with a marked subject; nothing is recorded.

    Args:
        email: as rendered.
        config: the newsletter's settings.
        addresses: the addresses to send to.
        inline_images: the images inside the email itself.

    Raises:
        SendRefusedError: the provider would refuse the email, whoever it is for.
    """
    marked = replace(email, subject=f"{TEST_SUBJECT_PREFIX} {email.subject}")
    provider = get_provider(config)
    prepared_email = provider.prepare_email(marked, inline_images=inline_images)
    recipients = [
        make_sample_recipient(address, config, number)
        for number, address in enumerate(addresses, 1)
    ]
    for number, batch in enumerate(split_into_batches(prepared_email, recipients), 1):
        yield provider.build_request(prepared_email, batch, RequestId("test", str(number), "1"))
