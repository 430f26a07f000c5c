"""Draw a play sign on the still of a video. Pure.

Mail clients play no video: readers know its still by the sign. The same image gives the same bytes.
"""

import io
from typing import Final

import imagesize
from PIL import Image, ImageDraw, ImageOps

MAX_STILL_PIXELS: Final = 40_000_000  # more than a phone's camera has; decoded, 120 MB

_FORMATS = ("JPEG", "PNG", "WEBP")
_DIAMETER = 0.3  # of the still's shorter side
_MIN_DIAMETER = 32  # pixels
_OVERSAMPLING = 4
_DISC_COLOR = (0, 0, 0, 165)
_SIGN_COLOR = (255, 255, 255, 240)
_EDGE = 0.03  # of the diameter; seen on a dark still, where the disc isn't
_TRIANGLE_RADIUS = 0.27  # of the diameter, of the circle around it
_JPEG_QUALITY = 85


class UndrawableStillError(ValueError):
    """An image is broken, too large, or of a type on which no sign is drawn."""


def draw_play_sign(data: bytes) -> bytes:
    """Return a JPEG, PNG or WebP image with a play sign in its middle.

    The result has the same format and size; a WebP image becomes a JPEG one, since Outlook for
    Windows doesn't show WebP. It has no metadata but the color profile: the picture is turned as
    its EXIF data says.

    Raises:
        UndrawableStillError: why there is no sign, for the editor.
    """
    width, height = imagesize.get(io.BytesIO(data))
    _check_size(width, height)
    try:
        with Image.open(io.BytesIO(data), formats=_FORMATS) as source:
            _check_size(*source.size)
            return _draw(source)
    except UndrawableStillError:
        raise
    except Exception as error:
        raise UndrawableStillError("it is not a complete JPEG, PNG or WebP image") from error


def _check_size(width: int, height: int) -> None:
    """Reject a decompression bomb before it is decoded; imagesize says -1 if it is no image."""
    if width * height > MAX_STILL_PIXELS:
        raise UndrawableStillError(f"it is too large, {width:,} by {height:,} pixels")


def _draw(source: Image.Image) -> bytes:
    if source.mode[0] in "IF":
        raise UndrawableStillError("it has more than 8 bits per color")
    still = ImageOps.exif_transpose(source)
    is_png = source.format == "PNG"
    profile = source.info.get("icc_profile") if still.mode in {"RGB", "RGBA"} else None
    picture = still.convert("RGBA")
    diameter = min(max(round(min(picture.size) * _DIAMETER), _MIN_DIAMETER), *picture.size)
    corner = ((picture.width - diameter) // 2, (picture.height - diameter) // 2)
    picture.alpha_composite(_make_sign(diameter), corner)
    output = io.BytesIO()
    if is_png:
        has_alpha = still.has_transparency_data
        picture.convert("RGBA" if has_alpha else "RGB").save(output, "PNG", icc_profile=profile)
    else:
        paper = Image.new("RGBA", picture.size, "white")
        paper.alpha_composite(picture)
        paper.convert("RGB").save(output, "JPEG", quality=_JPEG_QUALITY, icc_profile=profile)
    return output.getvalue()


def _make_sign(diameter: int) -> Image.Image:
    """Return a translucent dark disc with a light edge and a white triangle."""
    size = diameter * _OVERSAMPLING
    center, edge, radius = size / 2, size * _EDGE, size * _TRIANGLE_RADIUS
    sign = Image.new("RGBA", (size, size), (0, 0, 0, 0))
    draw = ImageDraw.Draw(sign)
    draw.ellipse((0, 0, size - 1, size - 1), fill=_SIGN_COLOR)
    draw.ellipse((edge, edge, size - 1 - edge, size - 1 - edge), fill=_DISC_COLOR)
    half = radius * 3**0.5 / 2
    left = center - radius / 2
    draw.polygon(
        ((center + radius, center), (left, center - half), (left, center + half)), fill=_SIGN_COLOR
    )
    return sign.resize((diameter, diameter), Image.Resampling.BOX)
