"""Prepare an image of the web for email: its format, size, colors. Pure.

Mail clients show JPEG, PNG and GIF; WebP and AVIF are missing in Outlook for Windows and some
others (caniemail.com, image formats). The same bytes in give the same bytes out.
"""

import hashlib
import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from newsletter.errors import PostError
from newsletter.posts.importing.images.image_format import ImageFormat, detect_image_format
from newsletter.posts.importing.images.strip_metadata import strip_metadata
from newsletter.posts.svg import SVG_REMEDY, find_svg_problem

if TYPE_CHECKING:  # Pillow takes 50 ms to import
    from PIL import Image

MAX_PIXELS: Final = 40_000_000  # more than a phone's camera has; decoded, 160 MB
PIXEL_RATIO: Final = 2
"""Pixels of an image for each pixel of the email's width: what a sharp display shows."""
MAX_ANIMATION_BYTES: Final = 1_000_000

_SUFFIXES: dict[ImageFormat, str] = {"JPEG": ".jpg", "PNG": ".png", "GIF": ".gif"}
_ANIMATED_FORMATS = {"GIF": "GIF", "PNG": "PNG", "WEBP": "WebP", "AVIF": "AVIF"}
_HASH_LENGTH = 12
_SIZE_REMEDY = "Make it smaller, or raise limits.image_bytes in newsletter.yml."


@dataclass(frozen=True, slots=True)
class PreparedImage:
    """An image that email can show.

    Attributes:
        data: the file.
        suffix: ``.jpg``, ``.png``, ``.gif`` or ``.svg``.
        width: in pixels; 0 if it is not known of an SVG.
        height: likewise.
        notes: what was done to it that an editor should know: ``"converted from CMYK"``.
    """

    data: bytes
    suffix: str
    width: int
    height: int
    notes: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """A file name made of the content, so that a second import writes no second file."""
        return hashlib.sha256(self.data).hexdigest()[:_HASH_LENGTH] + self.suffix


def prepare_image(data: bytes, *, max_width: int, max_bytes: int) -> PreparedImage:
    """Return an image upright, in sRGB, without metadata, at most ``max_width`` wide.

    A file that is fine keeps its pixels and only loses its metadata. Of the others, photographs
    become JPEG, images with transparency or few colors PNG. An animated GIF or PNG stays as it is
    up to 1 MB; of every other animation the first frame is left.

    Args:
        data: a JPEG, PNG, GIF, WebP, AVIF, BMP or SVG file.
        max_width: in pixels; a smaller image is never enlarged.
        max_bytes: size limit of a file, before and after.

    Raises:
        PostError: it is not an image, damaged, or too large; the message begins with ``it``.
    """
    if len(data) > max_bytes:
        raise PostError(
            f"it has {len(data):,} bytes; the limit is {max_bytes:,}", remedy=_SIZE_REMEDY
        )
    image_format = detect_image_format(data)
    if image_format == "SVG":
        return _prepare_svg(data)
    if image_format != "BMP":  # imagesize misreads those of OS/2
        # Not by Pillow, which warns of a large image on standard error as it opens it.
        _check_pixels(*_measure(data))
    try:
        prepared = _open_and_prepare(data, image_format, max_width)
    except PostError:
        stripped = _strip(data, image_format)
        if not stripped or stripped == data:
            raise
        # Browsers show an image whose metadata is damaged.
        prepared = _open_and_prepare(stripped, image_format, max_width)
    if len(prepared.data) > max_bytes:
        raise PostError(
            f"it would have {len(prepared.data):,} bytes as a {prepared.suffix} file; "
            f"the limit is {max_bytes:,}",
            remedy=_SIZE_REMEDY,
        )
    return prepared


def _measure(data: bytes) -> tuple[int, int]:
    import imagesize  # late: it imports Python's HTTP client, which takes 10 ms

    width, height = imagesize.get(io.BytesIO(data))
    return max(int(width), 0), max(int(height), 0)


def _check_pixels(width: int, height: int) -> None:
    """Reject a decompression bomb before its pixels are decoded."""
    if width * height > MAX_PIXELS:
        raise PostError(
            f"it is too large, {width:,} by {height:,} pixels",
            remedy=f"Scale it down; the limit is {MAX_PIXELS // 1_000_000} megapixels.",
        )


def _prepare_svg(data: bytes) -> PreparedImage:
    if problem := find_svg_problem(data):
        raise PostError(f"it is an SVG that can't be published: {problem}", remedy=SVG_REMEDY)
    width, height = _measure(data)
    return PreparedImage(data, ".svg", width, height, ("an SVG, which Gmail doesn't show",))


def _open_and_prepare(data: bytes, image_format: ImageFormat, max_width: int) -> PreparedImage:
    from PIL import Image

    try:
        with Image.open(io.BytesIO(data), formats=[image_format]) as image:
            _check_pixels(*image.size)
            return _prepare(image, data, image_format, max_width)
    except PostError:
        raise
    # Decoders fail at damaged files in dozens of ways.
    except Exception as error:
        raise PostError("it is damaged or incomplete") from error


def _prepare(
    image: "Image.Image", data: bytes, image_format: ImageFormat, max_width: int
) -> PreparedImage:
    from newsletter.posts.importing.images import convert_image

    width, height = image.size
    notes: tuple[str, ...] = ("converted from CMYK",) if image.mode == "CMYK" else ()
    # Pillow also calls two pictures in one JPEG file an animation.
    is_animated = image_format in _ANIMATED_FORMATS and getattr(image, "is_animated", False)
    suffix = _SUFFIXES.get(image_format, "")
    convert_image.load_image(image, max_width)
    kept_data = _strip(data, image_format)
    if is_animated:
        if kept_data and len(data) <= MAX_ANIMATION_BYTES:
            return PreparedImage(kept_data, suffix, width, height)
        kept_data = b""
        notes = (f"only the first frame of an animated {_ANIMATED_FORMATS[image_format]}",)
    elif convert_image.needs_conversion(image):
        kept_data = b""
    elif kept_data and width <= max_width and len(kept_data) <= convert_image.MAX_USUAL_BYTES:
        return PreparedImage(kept_data, suffix, width, height)
    converted = convert_image.convert_image(image, max_width, is_photo=image_format == "JPEG")
    # A diagram is mostly larger once it was scaled down.
    if kept_data and len(kept_data) <= len(converted.data):
        return PreparedImage(kept_data, suffix, width, height)
    return PreparedImage(*converted, notes)


def _strip(data: bytes, image_format: ImageFormat) -> bytes:
    """Return a file without its metadata; nothing if its structure is damaged."""
    try:
        return strip_metadata(data, image_format) if image_format in _SUFFIXES else b""
    except ValueError:
        return b""
