"""Rules on images, as far as they can be judged without fetching them."""

import re
from collections.abc import Iterator
from pathlib import PurePosixPath
from urllib.parse import unquote, urlsplit

from newsletter.checks.analysis.client_support import FACTS
from newsletter.checks.check_context import Mail
from newsletter.checks.rule import Hit, Topic
from newsletter.checks.rules.clients import FEW, by_use, reach, told
from newsletter.config.urls import image_url
from newsletter.errors import Location
from newsletter.posts.post import Image
from newsletter.render.article.dom import Element

rule = Topic("Images").rule

_HEAVY = 600_000
_SHARP = 2.0  # pixels of the image for one of the mail: more is never seen
_SLACK = 1.25
_SMALLEST = 200  # pixels: below that nobody waits for a larger file
_FILE_NAME = re.compile(
    r".*\.(?:jpe?g|png|gif|webp|svg|avif|heic|bmp|tiff?)|(?:img|dsc|dscn|pxl|image|photo|screenshot"
    r"|screen shot|untitled)[\s_-]*[\d\s._-]*",
    re.IGNORECASE,
)
_TYPES = {
    ".svg": "svg", ".webp": "webp", ".avif": "avif", ".heic": "heif", ".heif": "heif",
    ".bmp": "bmp", ".tif": "tiff", ".tiff": "tiff", ".ico": "ico", ".apng": "apng", ".mp4": "mp4",
}  # fmt: skip
_PICTURED = ("hero", "author", "further")
_FEW_WORDS = 25
_WORDS_AN_IMAGE = 30


@rule(
    "no-alt", "warning",
    meaning="Where images are off, or to a blind reader, there is nothing.",
    remedy="Say in a few words what it shows, between the brackets of ![…], or as alt: in the "
    "front matter.",
)  # fmt: skip
def no_alt(mail: Mail) -> Iterator[Hit]:
    """An image without an alternative text."""
    for image in mail.images:
        if not (image.get("alt") or "").strip() and not _decoration(image) and not _linked(image):
            yield Hit(f"{_name(image)} has no alternative text", *_place(mail, image))


@rule(
    "file-name-alt", "warning",
    meaning="A blind reader hears the name of a file.",
    remedy="Say what the image shows.",
)  # fmt: skip
def file_name_alt(mail: Mail) -> Iterator[Hit]:
    """An alternative text that is the name of a file."""
    for image in mail.images:
        alt = (image.get("alt") or "").strip()
        stem = PurePosixPath(_name(image)).stem
        if alt and (_FILE_NAME.fullmatch(alt) or (alt == stem and re.search(r"[\d_-]", alt))):
            yield Hit(f"'{alt}' says nothing of {_name(image)}", *_place(mail, image))


@rule(
    "no-image-size", "warning",
    meaning="Text jumps while images load, and Outlook shows them as large as they are.",
    remedy="Put the image beside the post, where it is measured, or give it width and height.",
)  # fmt: skip
def no_image_size(mail: Mail) -> Iterator[Hit]:
    """An image without width or height."""
    for image in mail.images:
        missing = [name for name in ("width", "height") if not image.get(name)]
        if missing and not _styled(image):
            yield Hit(f"{_name(image)} has no {' and no '.join(missing)}", *_place(mail, image))


@rule(
    "heavy-image", "warning",
    meaning="On a phone's connection it comes late, and it costs the reader.",
    remedy="Save it smaller: 1,300 pixels wide, JPEG of quality 80.",
)  # fmt: skip
def heavy_image(mail: Mail) -> Iterator[Hit]:
    """An image of more than 600 KB."""
    for image in _local(mail).values():
        if image.size > _HEAVY:
            message = f"{image.name} has {image.size / 1000:,.0f} KB"
            yield Hit(message, mail.places.url(image.name, *_PICTURED), image.name)


@rule(
    "oversized-image", "hint",
    meaning="Readers wait for pixels that no screen of theirs shows.",
    remedy="Save it at twice the width that it is shown in.",
)  # fmt: skip
def oversized_image(mail: Mail) -> Iterator[Hit]:
    """An image with more than twice the pixels that are shown."""
    local = _local(mail)
    for element in mail.images:
        image = local.get(element.get("src") or "")
        shown = _number(element.get("width"))
        if image and shown >= _SMALLEST and image.width > shown * _SHARP * _SLACK:
            message = f"{image.name} is {image.width} pixels wide and shown at {shown}"
            yield Hit(message, *_place(mail, element))


@rule(
    "unsupported-image", "warning",
    meaning="Readers with these programs see nothing, or a broken image.",
    remedy="Save it as JPEG or PNG.",
)  # fmt: skip
def unsupported_image(mail: Mail) -> Iterator[Hit]:
    """An image of a type that the mail programs of 1 % of the readers or more don't show."""
    for image in mail.images:
        inside = (image.get("src") or "").startswith("data:")
        kind = "base64" if inside else _TYPES.get(PurePosixPath(_name(image)).suffix.lower())
        fails = FACTS[f"image-{kind}"].fails if kind else ()
        if reach(mail, fails) >= FEW:
            shown = told(mail, by_use(mail, fails))
            name = "an image in the HTML itself" if inside else _name(image)
            yield Hit(f"{name} isn't shown by {shown}", *_place(mail, image))


@rule(
    "all-image", "warning",
    meaning="With images off nothing is left; filters take mails of one image for spam.",
    remedy="Write what the image says.",
)  # fmt: skip
def all_image(mail: Mail) -> Iterator[Hit]:
    """A post of images with hardly a word."""
    if _own_images(mail) and mail.words < _FEW_WORDS:
        yield Hit(f"{mail.words} words and {_own_images(mail)} images", mail.places.file)


@rule(
    "few-words", "hint",
    meaning="Filters and readers with images off weigh the words alone.",
    remedy="Leave some images out, or say more about them.",
)  # fmt: skip
def few_words(mail: Mail) -> Iterator[Hit]:
    """A post with fewer than 30 words for each image."""
    count = _own_images(mail)
    if count > 1 and _FEW_WORDS <= mail.words < count * _WORDS_AN_IMAGE:
        yield Hit(f"{mail.words} words for {count} images", mail.places.file)


def _own_images(mail: Mail) -> int:
    return sum(1 for _ in mail.body_tree.iter("img"))


def _local(mail: Mail) -> dict[str, Image]:
    """Published address -> the file beside the post."""
    return {
        image_url(mail.config, mail.issue.slug, image.name): image
        for image in mail.issue.post.images.values()
    }


def _name(image: Element) -> str:
    try:
        path = urlsplit(image.get("src") or "").path
    except ValueError:
        path = ""
    return unquote(path.rpartition("/")[2]) or "an image"


def _place(mail: Mail, image: Element) -> tuple[Location, str]:
    src = image.get("src") or ""
    return mail.places.url(src, *_PICTURED), src


def _decoration(image: Element) -> bool:
    presentation = image.get("role") in {"presentation", "none"} or image.get("aria-hidden")
    return bool(presentation) or _number(image.get("width")) == 1


def _linked(image: Element) -> bool:
    return next(image.iterancestors("a"), None) is not None


def _styled(image: Element) -> bool:
    """Whether an inlined width stands in; a logo's height follows from it."""
    return bool(image.get("width")) and "height:auto" in (image.get("style") or "").replace(" ", "")


def _number(value: str | None) -> int:
    digits = (value or "").removesuffix("px")
    return int(digits) if digits.isdecimal() else 0
