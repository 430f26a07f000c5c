"""Remove the metadata of a JPEG, PNG or GIF without decoding it. Pure.

What a camera writes beside an image is for nobody else: the place, the owner, a thumbnail of what
was cut away. It also stands behind the image, where no decoder looks.
"""

import re
from collections.abc import Callable, Mapping
from struct import error as struct_error
from struct import unpack_from

# APP0 (JFIF) and APP14 (Adobe) tell how colors are stored; the other APPn and COM are metadata.
_JPEG_METADATA = frozenset({*range(0xE1, 0xEE), 0xEF, 0xFE})
_START_OF_IMAGE, _START_OF_SCAN, _END_OF_IMAGE = 0xD8, 0xDA, 0xD9
_JPEG_MARKERS_WITHOUT_LENGTH = frozenset({0x01, *range(0xD0, 0xD8)})
# Neither a stuffed zero nor a restart marker ends the data of a scan (ITU-T T.81, B.1.1.5).
_JPEG_MARKER = re.compile(rb"\xff[\x01-\xcf\xd8-\xfe]")
# What decides on the pixels (PNG, third edition, 11): palette, transparency, color space, frames.
_PNG_CHUNKS = frozenset({
    b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND", b"gAMA", b"cHRM", b"sRGB", b"cICP",
    b"acTL", b"fcTL", b"fdAT",
})  # fmt: skip
_PNG_SIGNATURE_SIZE, _PNG_CHUNK_OVERHEAD = 8, 12
_GIF_HEADER_SIZE, _GIF_IMAGE_SIZE, _GIF_APPLICATION_SIZE = 13, 10, 14
_GIF_EXTENSION, _GIF_IMAGE, _GIF_TRAILER = 0x21, 0x2C, 0x3B
_GIF_GRAPHIC_CONTROL, _GIF_APPLICATION = 0xF9, 0xFF
_GIF_LOOPS = (b"NETSCAPE2.0", b"ANIMEXTS1.0")  # how often an animation is repeated


def strip_metadata(data: bytes, image_format: str) -> bytes:
    """Return an image with the same pixels and without metadata, nor anything behind it.

    A color profile and an orientation are metadata, too: the image must not need them.

    Args:
        data: the file.
        image_format: ``JPEG``, ``PNG`` or ``GIF``.

    Raises:
        ValueError: it ends too early, or is not built as its format says.
    """
    try:
        return _STRIPPERS[image_format](data)
    except (IndexError, struct_error) as error:
        raise ValueError("it ends too early") from error


def _strip_jpeg(data: bytes) -> bytes:
    parts = [data[:2]]
    position = 2
    while True:
        if data[position] != 0xFF:  # noqa: PLR2004 - what each marker begins with
            raise ValueError("a JPEG marker is missing")
        marker = data[position + 1]
        if marker == 0xFF:  # noqa: PLR2004 - a fill byte
            position += 1
            continue
        if marker == _END_OF_IMAGE:
            return b"".join((*parts, b"\xff\xd9"))
        if marker in _JPEG_MARKERS_WITHOUT_LENGTH:
            position += 2
            continue
        end = position + 2 + unpack_from(">H", data, position + 2)[0]
        if marker == _START_OF_SCAN:
            found = _JPEG_MARKER.search(data, end)
            if found is None:
                raise ValueError("it has no end")
            end = found.start()
        if marker not in _JPEG_METADATA:
            parts.append(data[position:end])
        position = end


def _strip_png(data: bytes) -> bytes:
    parts = [data[:_PNG_SIGNATURE_SIZE]]
    position = _PNG_SIGNATURE_SIZE
    while True:
        length, kind = unpack_from(">I4s", data, position)
        end = position + length + _PNG_CHUNK_OVERHEAD
        if end > len(data):
            raise ValueError("it ends too early")
        if kind in _PNG_CHUNKS:
            parts.append(data[position:end])
        if kind == b"IEND":
            return b"".join(parts)
        position = end


def _strip_gif(data: bytes) -> bytes:
    position = _GIF_HEADER_SIZE + _get_gif_table_size(data[10])
    parts = [data[:position]]
    while data[position] != _GIF_TRAILER:
        start, kind = position, data[position]
        if kind == _GIF_IMAGE:
            position += _GIF_IMAGE_SIZE + _get_gif_table_size(data[position + 9]) + 1
        elif kind == _GIF_EXTENSION:
            position += 2
        else:
            raise ValueError("a GIF block is missing")
        while size := data[position]:
            position += size + 1
        position += 1
        is_kept = (
            kind == _GIF_IMAGE
            or data[start + 1] == _GIF_GRAPHIC_CONTROL
            or (
                data[start + 1] == _GIF_APPLICATION
                and data[start + 3 : start + _GIF_APPLICATION_SIZE] in _GIF_LOOPS
            )
        )
        if is_kept:
            parts.append(data[start:position])
    return b"".join((*parts, b";"))


def _get_gif_table_size(flags: int) -> int:
    """Return the bytes of the color table that follows these flags."""
    return 3 << ((flags & 7) + 1) if flags & 0x80 else 0


_STRIPPERS: Mapping[str, Callable[[bytes], bytes]] = {
    "JPEG": _strip_jpeg,
    "PNG": _strip_png,
    "GIF": _strip_gif,
}
