"""Recognize the format of an image by its first bytes. Pure."""

import re
from typing import Literal

from newsletter.errors import PostError

ImageFormat = Literal["JPEG", "PNG", "GIF", "WEBP", "AVIF", "BMP", "SVG"]

# The formats that browsers show on every system, and so those that a blog's images have.
_RASTER_FORMATS: tuple[tuple[re.Pattern[bytes], ImageFormat], ...] = (
    (re.compile(rb"\xff\xd8\xff"), "JPEG"),
    (re.compile(rb"\x89PNG\r\n\x1a\n"), "PNG"),
    (re.compile(rb"GIF8[79]a"), "GIF"),
    (re.compile(rb"RIFF....WEBP", re.DOTALL), "WEBP"),
    (re.compile(rb"....ftyp.{4,64}avi[fs]|....ftypavi[fs]", re.DOTALL), "AVIF"),
    (re.compile(rb"BM.{12}[\x0c\x28\x34\x38\x40\x6c\x7c]\0\0\0", re.DOTALL), "BMP"),
)
# Each is named, so that the editor knows what to export it from.
_OTHER_FORMATS = (
    (re.compile(rb"II\*\0|MM\0\*|II\+\0|MM\0\+"), "a TIFF image"),
    (re.compile(rb"\0\0[\1\2]\0"), "an icon"),
    (re.compile(rb"8BPS"), "a Photoshop file"),
    (re.compile(rb"%!PS|\xc5\xd0\xd3\xc6"), "a PostScript file"),
    (re.compile(rb"%PDF"), "a PDF"),
    (re.compile(rb"....ftyp(?:hei|hev|mif1|msf1)", re.DOTALL), "a HEIC image"),
    (re.compile(rb"\xff\x0a|\0\0\0\x0cJXL "), "a JPEG XL image"),
    (re.compile(rb"\0\0\0\x0cjP  |\xff\x4f\xff\x51"), "a JPEG 2000 image"),
    (re.compile(rb"....ftyp", re.DOTALL), "a video"),
    (re.compile(rb"\x1a\x45\xdf\xa3"), "a video"),
    (re.compile(rb"SIMPLE  ="), "a FITS file"),
)
_HTML = re.compile(rb"<(?:!doctype\s+html|html|head|body|title|script|meta)\b", re.IGNORECASE)
_SVG = re.compile(rb"<(?:\w+:)?svg[\s>]", re.IGNORECASE)
_TEXT = re.compile(rb"[\t\n\f\r -~]{1,512}")
_MARKUP_BYTES = 4_096  # a licence or the settings of an editor may stand before <svg>


def detect_image_format(data: bytes) -> ImageFormat:
    """Return the format of an image that a browser shows.

    Args:
        data: the file; its first kilobytes are enough.

    Raises:
        PostError: it is something else; the message says what.
    """
    if not data:
        raise PostError("it is empty")
    for pattern, image_format in _RASTER_FORMATS:
        if pattern.match(data):
            return image_format
    start = data[:_MARKUP_BYTES].removeprefix(b"\xef\xbb\xbf").lstrip()
    if start.startswith(b"<"):
        svg = _SVG.search(start)
        if svg and not _HTML.search(start, 0, svg.start()):
            return "SVG"
        if _HTML.search(start):
            raise PostError(
                "it is a web page, not an image",
                remedy="Open its URL in a browser: it may have moved, or need a login.",
            )
        raise PostError("it is XML, not an image")
    name = next((name for pattern, name in _OTHER_FORMATS if pattern.match(data)), "")
    if not name:
        kind = "text, not an image" if _TEXT.fullmatch(data[:512]) else "not an image"
        raise PostError(f"it is {kind}")
    raise PostError(
        f"it is {name}, which email can't show", remedy="Save the image as JPEG or PNG."
    )
