"""Convert an opened image for email: mode, size, orientation, colors. Pure."""

import io
from functools import lru_cache
from typing import NamedTuple

from PIL import Image, ImageChops, ImageCms

_ORIENTATION_TAG = 0x0112
# What to do to an image to see it upright (EXIF 3.0, 4.6.5.1.6).
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_FIRST_SIDEWAYS = 5  # these swap width and height
_PROFILE_MODES = {"GRAY": "L", "RGB ": "RGB", "CMYK": "CMYK"}
_MAX_UNSEEN_DIFFERENCE = 2  # of 255: what rounding makes of a profile that is sRGB, too

# Only a large and noisy photograph needs the lower ones.
_JPEG_QUALITIES = (82, 72, 60)
MAX_USUAL_BYTES = 500_000  # newsletter check warns of images of more than 600 KB
# Diagrams and screenshots have few colors; a photograph has almost as many as pixels.
_MAX_GRAPHIC_COLORS = 32_768
_PIXELS_PER_GRAPHIC_COLOR = 8
_PALETTE_COLORS = 256
# JPEG smudges the edges of a graphic; but a gray photograph has few colors, too, and is several
# times larger as PNG.
_MAX_PNG_PER_JPEG = 2


class ConvertedImage(NamedTuple):
    """An encoded image."""

    data: bytes
    suffix: str
    width: int
    height: int


def load_image(image: Image.Image, max_width: int) -> None:
    """Decode an image; a JPEG only as large as its conversion needs it.

    JPEG's decoder scales by 1/2, 1/4 or 1/8 on its way: to decode and resize a photograph of 4000
    by 3000 pixels for a width of 1240 took 77 ms in place of 174.
    """
    scale = min(max_width / _get_upright_size(image)[0], 1)
    width, height = (max(round(side * scale), 1) for side in image.size)
    image.draft(None, (width, height))
    image.load()


def needs_conversion(image: Image.Image) -> bool:
    """Return whether mail clients would show a loaded image turned, or in wrong colors."""
    return (
        image.mode == "CMYK"
        or image.mode[0] in "IF"
        or _get_orientation(image) in _TURNS
        or _build_srgb_transform(image) is not None
    )


def convert_image(image: Image.Image, max_width: int, *, is_photo: bool) -> ConvertedImage:
    """Return a loaded image upright, in sRGB, at most ``max_width`` wide, without metadata.

    It is a PNG if it is transparent or has few colors, else a JPEG.

    Args:
        image: the image with its metadata; of an animation, at its first frame.
        max_width: in pixels.
        is_photo: whether it was compressed as JPEG before: its colors are not counted.
    """
    orientation, transform = _get_orientation(image), _build_srgb_transform(image)
    width, height = _get_upright_size(image)
    image = _convert_mode(image)
    color_count = 0 if is_photo else _count_colors(image)
    if width > max_width:
        size = (max_width, max(round(height * max_width / width), 1))
        image = image.resize(
            size[::-1] if orientation >= _FIRST_SIDEWAYS else size, Image.Resampling.LANCZOS
        )
    if orientation in _TURNS:
        image = image.transpose(_TURNS[orientation])
    image = _apply_transform(image, transform)
    image.info = {}  # Pillow would write comments and profiles that it finds there
    return ConvertedImage(*_encode(image, color_count), *image.size)


def _get_upright_size(image: Image.Image) -> tuple[int, int]:
    width, height = image.size
    return (height, width) if _get_orientation(image) >= _FIRST_SIDEWAYS else (width, height)


def _get_orientation(image: Image.Image) -> int:
    """Return the EXIF orientation, 1 to 8; 1 if its data is damaged: browsers show the image."""
    exif = Image.Exif()
    try:
        exif.load(image.info.get("exif") or b"")
        orientation = exif.get(_ORIENTATION_TAG, 1)
    except Exception:  # noqa: BLE001 - it fails in many ways
        return 1
    return orientation if orientation in _TURNS else 1


def _build_srgb_transform(image: Image.Image) -> ImageCms.ImageCmsTransform | None:
    """Return the transform from the image's color profile to sRGB; ``None`` if none is needed.

    A profile that is damaged, or is for another kind of image, is ignored, as by browsers.
    """
    profile_data = image.info.get("icc_profile")
    if not profile_data:
        return None
    try:
        profile = ImageCms.ImageCmsProfile(io.BytesIO(profile_data))
        mode = _PROFILE_MODES.get(profile.profile.xcolor_space, "")
        if not mode or (mode == "CMYK") != (image.mode == "CMYK"):
            return None
        transform = ImageCms.buildTransform(profile, ImageCms.createProfile("sRGB"), mode, "RGB")
    except (ImageCms.PyCMSError, OSError, ValueError):
        return None
    return None if _changes_nothing(transform, mode) else transform


def _changes_nothing(transform: ImageCms.ImageCmsTransform, mode: str) -> bool:
    """Return whether a profile is sRGB under some name: it changes no color visibly."""
    if mode == "CMYK":
        return False
    colors = _make_color_grid().convert(mode)
    difference = ImageChops.difference(colors.convert("RGB"), transform.apply(colors))
    return max(difference.tobytes()) <= _MAX_UNSEEN_DIFFERENCE


@lru_cache(maxsize=1)
def _make_color_grid() -> Image.Image:
    steps = range(0, 256, 51)
    colors = bytes(
        value for red in steps for green in steps for blue in steps for value in (red, green, blue)
    )
    return Image.frombytes("RGB", (len(colors) // 3, 1), colors)


def _convert_mode(image: Image.Image) -> Image.Image:
    """Return an image as L, RGB, RGBA or CMYK; as RGBA only if something is transparent."""
    if image.has_transparency_data:
        image = image.convert("RGBA")
        lowest, _ = image.getchannel("A").getextrema()
        return image.convert("RGB") if lowest == 255 else image  # noqa: PLR2004 - opaque
    if image.mode[0] in "IF":  # 16 bits per pixel, of which convert("L") would clip most
        return image.convert("I").point(lambda value: value * (1 / 256)).convert("L")
    if image.mode in {"1", "L"}:
        return image.convert("L")
    return image if image.mode == "CMYK" else image.convert("RGB")


def _apply_transform(
    image: Image.Image, transform: ImageCms.ImageCmsTransform | None
) -> Image.Image:
    if transform is None:
        return image.convert("RGB") if image.mode == "CMYK" else image
    converted = transform.apply(image.convert(transform.input_mode))
    if image.mode == "L":
        return converted.convert("L")
    if image.mode == "RGBA":
        converted.putalpha(image.getchannel("A"))
    return converted


def _count_colors(image: Image.Image) -> int:
    """Return how many colors a graphic has; 0 if it has as many as a photograph."""
    limit = image.width * image.height // _PIXELS_PER_GRAPHIC_COLOR
    limit = min(max(limit, _PALETTE_COLORS), _MAX_GRAPHIC_COLORS)
    return len(image.getcolors(limit) or ())


def _encode(image: Image.Image, color_count: int) -> tuple[bytes, str]:
    """Return a file and its suffix.

    Args:
        image: in mode L, RGB or RGBA.
        color_count: how many colors it had before it was scaled down, see ``_count_colors``.
    """
    if image.mode == "RGBA":
        return _save_png(image), ".png"
    jpeg = _save_jpeg(image)
    if color_count:
        if image.mode == "RGB" and color_count <= _PALETTE_COLORS:
            image = image.quantize(
                _PALETTE_COLORS, Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE
            )
        png = _save_png(image)
        if len(png) <= _MAX_PNG_PER_JPEG * len(jpeg):
            return png, ".png"
    return jpeg, ".jpg"


def _save_jpeg(image: Image.Image) -> bytes:
    data = b""
    for quality in _JPEG_QUALITIES:
        output = io.BytesIO()
        image.save(output, "JPEG", quality=quality, progressive=True, optimize=True)
        data = output.getvalue()
        if len(data) <= MAX_USUAL_BYTES:
            break
    return data


def _save_png(image: Image.Image) -> bytes:
    output = io.BytesIO()
    # Not optimize=True: for a twentieth less of 1240 by 700 pixels it takes ten times as long, 2 s.
    image.save(output, "PNG")
    return output.getvalue()
