"""Rules on images, without fetching them: alt text, size, file type."""

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import PurePosixPath
from urllib.parse import unquote, urlsplit

from newsletter.checks.analysis.client_support import FEATURES
from newsletter.checks.check_context import CheckContext
from newsletter.checks.rule import Match, Topic
from newsletter.checks.rules.clients import (
    MIN_HINT_SHARE,
    describe_clients,
    get_client_share,
    sort_by_share,
)
from newsletter.checks.source_map import CONFIG_FILE_NAME
from newsletter.config.urls import FALLBACK_PUBLIC_URL, build_image_url
from newsletter.errors import Location
from newsletter.posts.post import LocalImage
from newsletter.posts.stills import get_file_name
from newsletter.render.article.dom import Element, get_visible_text

rule = Topic("Images").rule

_MAX_FILE_BYTES = 600_000
_MAX_PIXEL_RATIO = 2.0  # pixels of the image per CSS pixel: more is never seen
_PIXEL_RATIO_TOLERANCE = 1.25
_MIN_SHOWN_WIDTH = 200  # CSS pixels: below that a larger file does no harm
# As cameras, phones, messengers and operating systems name files; behind that a date and a time.
_FILE_NAME = re.compile(
    r".*\.(?:jpe?g|png|gif|webp|svg|avif|heic|bmp|tiff?)"
    r"|(?:img|dsc[nf]?|pxl|mvimg|image|photo|untitled|unnamed|screen ?shot|screencast"
    r"|bildschirmfoto|capture d[\u2019']écran|captura de (?:pantalla|tela|ecrã)|schermafbeelding"
    r"|schermata|skärmavbild|skærmbillede|skjermbilde|zrzut ekranu|снимок экрана"
    r"|スクリーンショット|屏幕截图|截屏|whatsapp (?:image|bild)|signal)"
    r"(?>(?:[\d\s._():-]|(?<=-)wa(?=\d)"
    r"|(?<!\w)(?:at|um|à|a las|às|alle|om|kl|o|в|[ap]m|kopie|copy)(?!\w))*)",
    re.IGNORECASE,
)
_FEATURE_BY_SUFFIX = {
    ".svg": "svg", ".webp": "webp", ".avif": "avif", ".heic": "heif", ".heif": "heif",
    ".bmp": "bmp", ".tif": "tiff", ".tiff": "tiff", ".ico": "ico", ".apng": "apng", ".mp4": "mp4",
}  # fmt: skip
_IMAGE_SETTINGS = ("hero", "author", "further", "digest")
_MIN_WORDS = 25
_MIN_WORDS_PER_IMAGE = 30


@rule(
    "no-alt",
    "warning",
    meaning="Blind readers, and readers with images off, get nothing in its place.",
    remedy="Say in a few words what it shows, between the brackets of ![…], or as alt: in the "
    "front matter.",
)
def no_alt(context: CheckContext) -> Iterator[Match]:
    """An image without an alternative text and without a caption."""
    for image in context.images:
        if (
            not (image.get("alt") or "").strip()
            and not _is_decorative(image)
            and not _is_linked(image)
            and not _has_caption(image)
        ):
            yield Match(
                f"{_get_file_name(image)} has no alternative text", *_locate_image(context, image)
            )


@rule(
    "file-name-alt",
    "warning",
    meaning="A blind reader hears the name of a file.",
    remedy="Say what the image shows.",
)
def file_name_alt(context: CheckContext) -> Iterator[Match]:
    """An alternative text that is the name of a file."""
    for image in context.images:
        alt = (image.get("alt") or "").strip()
        stem = PurePosixPath(_get_file_name(image)).stem
        if alt and (_FILE_NAME.fullmatch(alt) or (alt == stem and re.search(r"[\d_-]", alt))):
            yield Match(
                f"'{alt}' doesn't describe {_get_file_name(image)}", *_locate_image(context, image)
            )


@rule(
    "no-image-size",
    "warning",
    meaning="Text jumps while images load, and Outlook shows them in their full size.",
    remedy="Put the image beside the post, where it is measured, or give it width and height.",
)
def no_image_size(context: CheckContext) -> Iterator[Match]:
    """An image without width or height."""
    for image in context.images:
        missing = [name for name in ("width", "height") if not image.get(name)]
        if missing and not _has_styled_size(image):
            yield Match(
                f"{_get_file_name(image)} has no {' and no '.join(missing)}",
                *_locate_image(context, image),
            )


@rule(
    "unreachable-image",
    "error",
    meaning="Readers see an empty frame; a send is refused.",
    remedy="Set public_url and run newsletter serve; or set image_url to a static host and put the "
    "images there with newsletter archive --issue SLUG --publish; or use images with an https "
    "address.",
)
def unreachable_image(context: CheckContext) -> Iterator[Match]:
    """An image beside the post, while the settings give it no public address."""
    for url, image in _get_local_images(context).items():
        if url.startswith(FALLBACK_PUBLIC_URL) and any(
            element.get("src") == url for element in context.images
        ):
            where = context.source_map.locate_url(image.name, *_IMAGE_SETTINGS)
            yield Match(f"{image.name} has no public address", where, url)


@rule(
    "unsafe-svg",
    "error",
    meaning="It is neither served nor exported: readers see an empty frame, on the web, too.",
    remedy="Export it again as a plain SVG without scripts, links to other files and entities; or "
    "save it as PNG.",
)
def unsafe_svg(context: CheckContext) -> Iterator[Match]:
    """An SVG beside the post that is more than a drawing, such as one with a script."""
    for image in context.issue.post.images.values():
        if image.svg_problem:
            where = context.source_map.locate_url(image.name, *_IMAGE_SETTINGS)
            yield Match(f"{image.name} is not published: {image.svg_problem}", where, image.name)


@rule(
    "image-on-this-machine",
    "warning",
    meaning="Only this machine can open them: readers see empty frames.",
    remedy="Set image_url, or public_url, to an https address on the internet.",
)
def image_on_this_machine(context: CheckContext) -> Iterator[Match]:
    """An image beside the post, while the settings publish images on this machine only."""
    url = context.config.image_url or context.config.public_url or ""
    if context.issue.post.images and url.startswith("http://"):
        setting = "image_url" if context.config.image_url else "public_url"
        yield Match(f"{setting} is {url}", Location(CONFIG_FILE_NAME), url)


@rule(
    "heavy-image",
    "warning",
    meaning="On a phone's connection it loads slowly, and it costs the reader money.",
    remedy="Save it smaller: 1,300 pixels wide, as JPEG of quality 80.",
)
def heavy_image(context: CheckContext) -> Iterator[Match]:
    """An image of more than 600 KB."""
    by_name = {image.name: image for image in _get_local_images(context).values()}
    for image in by_name.values():
        if image.byte_size > _MAX_FILE_BYTES:
            message = f"{image.name} has {image.byte_size / 1000:,.0f} KB"
            yield Match(
                message, context.source_map.locate_url(image.name, *_IMAGE_SETTINGS), image.name
            )


@rule(
    "oversized-image",
    "hint",
    meaning="Readers wait for pixels that their screens can't show.",
    remedy="Save it at twice the width at which it is shown.",
)
def oversized_image(context: CheckContext) -> Iterator[Match]:
    """An image more than twice as wide, in pixels, as it is shown."""
    local = _get_local_images(context)
    for element in context.images:
        image = local.get(element.get("src") or "")
        shown = _parse_pixels(element.get("width"))
        if (
            image
            and shown >= _MIN_SHOWN_WIDTH
            and image.width > shown * _MAX_PIXEL_RATIO * _PIXEL_RATIO_TOLERANCE
        ):
            message = f"{image.name} is {image.width} pixels wide and shown at {shown}"
            yield Match(message, *_locate_image(context, element))


@rule(
    "dark-image-size",
    "warning",
    meaning="It is shown at the size of the other, and stretched where that has other proportions.",
    remedy="Save both with the same width and height.",
)
def dark_image_size(context: CheckContext) -> Iterator[Match]:
    """An image for dark mode that has another size than its twin."""
    local = {image.name: image for image in context.issue.post.images.values()}
    for image in local.values():
        dark = local.get(image.dark_name)
        if dark and (dark.width, dark.height) != (image.width, image.height):
            yield Match(
                f"{dark.name} has {dark.width:,} by {dark.height:,} pixels, {image.name} "
                f"{image.width:,} by {image.height:,}",
                context.source_map.locate_url(image.name, *_IMAGE_SETTINGS),
                dark.name,
            )


@rule(
    "unsupported-image",
    "warning",
    meaning="Readers with these programs see nothing, or a broken image.",
    remedy="Save it as JPEG or PNG.",
)
def unsupported_image(context: CheckContext) -> Iterator[Match]:
    """An image of a type that the mail clients of 1 % of the readers or more don't show."""
    for image in context.images:
        is_inline = (image.get("src") or "").startswith("data:")
        kind = (
            "base64"
            if is_inline
            else _FEATURE_BY_SUFFIX.get(PurePosixPath(_get_file_name(image)).suffix.lower())
        )
        unsupporting = FEATURES[f"image-{kind}"].unsupported_by if kind else ()
        if get_client_share(context, unsupporting) >= MIN_HINT_SHARE:
            described = describe_clients(context, sort_by_share(context, unsupporting))
            name = "an image in the HTML itself" if is_inline else _get_file_name(image)
            yield Match(f"{name} isn't shown by {described}", *_locate_image(context, image))


@rule(
    "all-image",
    "warning",
    meaning="With images off nothing is left; filters take an email of one image for spam.",
    remedy="Write what the image says as text.",
)
def all_image(context: CheckContext) -> Iterator[Match]:
    """A post of images with hardly any text."""
    count = _count_body_images(context)
    if count and context.word_count < _MIN_WORDS:
        images = "one image" if count == 1 else f"{count} images"
        yield Match(f"{context.word_count} words and {images}", context.source_map.file)


@rule(
    "few-words",
    "hint",
    meaning="Filters, and readers with images off, go by the text alone.",
    remedy="Leave some images out, or say more about them.",
)
def few_words(context: CheckContext) -> Iterator[Match]:
    """A post with fewer than 30 words for each image."""
    count = _count_body_images(context)
    if count > 1 and _MIN_WORDS <= context.word_count < count * _MIN_WORDS_PER_IMAGE:
        yield Match(f"{context.word_count} words for {count} images", context.source_map.file)


def _count_body_images(context: CheckContext) -> int:
    return sum(1 for _ in context.body_tree.iter("img"))


def _get_local_images(context: CheckContext) -> dict[str, LocalImage]:
    """Return published URL -> the file beside the post."""
    return {
        build_image_url(context.config, context.issue.slug, image.name): replace(
            image, name=get_file_name(image.name)
        )
        for image in context.issue.post.images.values()
    }


def _get_file_name(image: Element) -> str:
    try:
        path = urlsplit(image.get("src") or "").path
    except ValueError:
        path = ""
    return get_file_name(unquote(path.rpartition("/")[2])) or "an image"


def _locate_image(context: CheckContext, image: Element) -> tuple[Location, str]:
    src = image.get("src") or ""
    return context.source_map.locate_url(src, *_IMAGE_SETTINGS), src


def _is_decorative(image: Element) -> bool:
    presentation = image.get("role") in {"presentation", "none"} or image.get("aria-hidden")
    return bool(presentation) or _parse_pixels(image.get("width")) == 1


def _is_linked(image: Element) -> bool:
    return next(image.iterancestors("a"), None) is not None


def _has_caption(image: Element) -> bool:
    """Return whether the figure around an image, a ``div`` by now, has a caption."""
    figures = (div for div in image.iterancestors("div") if div.get("class") == "figure")
    captions = (
        div
        for figure in figures
        for div in figure.iter("div")
        if (div.get("class") or "").startswith("caption")
    )
    return any(get_visible_text(caption).strip() for caption in captions)


def _has_styled_size(image: Element) -> bool:
    """Return whether an inlined height:auto replaces the height, as for a logo."""
    return bool(image.get("width")) and "height:auto" in (image.get("style") or "").replace(" ", "")


def _parse_pixels(value: str | None) -> int:
    digits = (value or "").removesuffix("px")
    return int(digits) if digits.isdecimal() else 0
