"""Images of the web become what mail clients show: formats, colors, sizes; what is refused."""

import io
import random
import struct
import subprocess
import sys
import zlib
from contextlib import suppress

import pytest
from PIL import Image, ImageCms

from newsletter.errors import PostError
from newsletter.posts.importing.images.prepare_image import PreparedImage, prepare_image

RANDOM = random.Random(20261130)
BICUBIC = Image.Resampling.BICUBIC
SVG = b'<svg xmlns="http://www.w3.org/2000/svg" width="30" height="20"><rect width="9"/></svg>'


def prepare(data: bytes, max_width: int = 100, max_bytes: int = 10_000_000) -> PreparedImage:
    prepared = prepare_image(data, max_width=max_width, max_bytes=max_bytes)
    assert prepare_image(data, max_width=max_width, max_bytes=max_bytes) == prepared
    return prepared


def save(image: Image.Image, kind: str, **options: object) -> bytes:
    output = io.BytesIO()
    image.save(output, kind, **options)
    return output.getvalue()


def make_noise(width: int, height: int) -> Image.Image:
    """Return an image of random gray pixels; Pillow takes ten times as long for one."""
    return Image.frombytes("L", (width, height), RANDOM.randbytes(width * height))


def make_photo(width: int, height: int, mode: str = "RGB") -> Image.Image:
    """Return an image with nearly as many colors as pixels."""
    bands = [make_noise(width // 4 + 1, height // 4 + 1) for _ in range(3)]
    return Image.merge("RGB", bands).resize((width, height), BICUBIC).convert(mode)


def make_graphic(width: int, height: int, mode: str = "RGB") -> Image.Image:
    """Return an image of two colors."""
    image = Image.new("RGB", (width, height), "#1f5f8b")
    image.paste("white", (0, 0, width // 2, height // 2))
    return image.convert(mode)


def make_frames(kind: str, count: int = 2, size: int = 20) -> bytes:
    frames = [make_noise(size, size) for _ in range(count)]
    return save(frames[0], kind, save_all=True, append_images=frames[1:], duration=100, loop=0)


def make_png(width: int, height: int, chunks: bytes = b"", rows: int | None = None) -> bytes:
    """Return a black PNG of one bit per pixel, without an image in memory."""
    pixels = zlib.compress(bytes((width + 7) // 8 + 1) * (height if rows is None else rows), 1)
    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + make_chunk(b"IHDR", header)
        + chunks
        + make_chunk(b"IDAT", pixels)
        + make_chunk(b"IEND", b"")
    )


def make_chunk(kind: bytes, content: bytes) -> bytes:
    checksum = struct.pack(">I", zlib.crc32(kind + content))
    return struct.pack(">I", len(content)) + kind + content + checksum


def make_display_p3() -> bytes:
    """Return a color profile with the primaries of Display P3 and a gamma of 2.2."""

    def tag(kind: bytes, *numbers: float) -> bytes:
        return kind + bytes(4) + b"".join(struct.pack(">i", round(n * 65536)) for n in numbers)

    curve = b"curv" + bytes(4) + struct.pack(">IH", 1, round(2.2 * 256)) + bytes(2)
    text = b"desc" + bytes(4) + struct.pack(">I", 3) + b"P3\0" + bytes(79)
    tags = {
        b"desc": text,
        b"wtpt": tag(b"XYZ ", 0.9642, 1.0, 0.8249),
        b"rXYZ": tag(b"XYZ ", 0.5151, 0.2412, -0.0011),
        b"gXYZ": tag(b"XYZ ", 0.2920, 0.6922, 0.0419),
        b"bXYZ": tag(b"XYZ ", 0.1571, 0.0666, 0.7841),
        **dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), curve),
    }
    table, body, start = struct.pack(">I", len(tags)), b"", 132 + 12 * len(tags)
    for kind, content in tags.items():
        padded = content + bytes(-len(content) % 4)
        table += kind + struct.pack(">II", start + len(body), len(content))
        body += padded
    head = struct.pack(">I4sI4s4s4s", start + len(body), b"", 0x02100000, b"mntr", b"RGB ", b"XYZ ")
    head += bytes(12) + b"acsp" + bytes(28) + struct.pack(">iii", 63190, 65536, 54061) + bytes(48)
    return head[:128].ljust(128, b"\0") + table + body


def get_color(image: Image.Image, x: int, y: int) -> tuple[int, ...]:
    return tuple(image.convert("RGB").crop((x, y, x + 1, y + 1)).tobytes())


def open_prepared(prepared: PreparedImage) -> Image.Image:
    image = Image.open(io.BytesIO(prepared.data))
    image.load()
    assert image.size == (prepared.width, prepared.height)
    return image


@pytest.mark.parametrize(
    ("source", "suffix", "mode"),
    [
        (save(make_photo(160, 90), "JPEG"), ".jpg", "RGB"),
        (save(make_photo(160, 90, "L"), "JPEG"), ".jpg", "L"),
        (save(make_photo(160, 90, "CMYK"), "JPEG"), ".jpg", "RGB"),
        (save(make_graphic(160, 90), "JPEG"), ".jpg", "RGB"),
        (save(make_photo(160, 90), "PNG"), ".jpg", "RGB"),
        (save(make_photo(160, 90, "L"), "PNG"), ".jpg", "L"),
        (save(make_photo(160, 90, "RGBA"), "PNG"), ".jpg", "RGB"),
        (save(make_photo(160, 90), "WEBP"), ".jpg", "RGB"),
        (save(make_photo(160, 90), "AVIF"), ".jpg", "RGB"),
        (save(make_photo(160, 90), "BMP"), ".jpg", "RGB"),
        (save(make_graphic(160, 90), "WEBP", lossless=True), ".png", "P"),
        (save(make_graphic(160, 90), "BMP"), ".png", "P"),
        (save(make_graphic(160, 90, "1"), "BMP"), ".png", "L"),
        (save(make_graphic(50, 40), "WEBP", lossless=True), ".png", "P"),
    ],
)
def test_format_suits_the_content(source: bytes, suffix: str, mode: str) -> None:
    width, height = Image.open(io.BytesIO(source)).size
    prepared = prepare(source)
    image = open_prepared(prepared)
    assert (prepared.suffix, image.mode) == (suffix, mode)
    assert image.size == ((100, 56) if width == 160 else (width, height))


@pytest.mark.parametrize(
    "source",
    [
        save(make_graphic(50, 40, "P"), "GIF"),
        save(make_graphic(50, 40), "PNG"),
        save(make_graphic(50, 40, "LA"), "PNG"),
        save(make_graphic(50, 40, "RGBA"), "PNG"),
        save(make_photo(50, 40), "JPEG", quality=30),
        save(make_graphic(1, 1), "PNG"),
        save(make_graphic(1, 1), "GIF"),
        save(make_photo(120, 80).quantize(2), "PNG"),  # too wide, but larger when scaled down
        make_frames("GIF", size=200),
        make_frames("PNG", size=200),
    ],
)
def test_image_that_is_fine_keeps_its_bytes(source: bytes) -> None:
    assert prepare(source).data == source


@pytest.mark.parametrize(
    ("image", "options", "opacity"),
    [
        (make_graphic(160, 90).quantize(2), {"transparency": 0}, None),
        (make_graphic(160, 90), {"transparency": (255, 255, 255)}, None),
        (make_graphic(160, 90, "L"), {"transparency": 255}, None),
        (Image.merge("LA", [Image.new("L", (160, 90), value) for value in (90, 128)]), {}, 128),
        (Image.new("RGBA", (160, 90), (200, 90, 10, 128)), {}, 128),
    ],
)
def test_transparency_stays(
    image: Image.Image, options: dict[str, object], opacity: int | None
) -> None:
    prepared = prepare(save(image, "PNG", **options), max_width=80)
    result = open_prepared(prepared)
    lowest, highest = result.convert("RGBA").getchannel("A").getextrema()
    assert prepared.suffix == ".png"
    assert (lowest, highest) == ((0, 255) if opacity is None else (opacity, opacity))


def test_sixteen_bits_become_eight() -> None:
    image = Image.new("I;16", (64, 4))
    for x in range(64):
        for y in range(4):
            image.putpixel((x, y), x * 1024)
    result = open_prepared(prepare(save(image, "PNG")))
    assert [result.convert("L").getpixel((x, 1)) for x in (0, 16, 32, 63)] == [0, 64, 128, 252]


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_image_is_upright(kind: str, orientation: int) -> None:
    # The same red corner, as each orientation stores it (EXIF 3.0, 4.6.5.1.6).
    upright = Image.new("RGB", (160, 80), "white")
    upright.paste("red", (0, 0, 80, 40))
    turns = (None, 0, 3, 1, 5, 2, 6, 4)  # the inverse operations
    turn = turns[orientation - 1]
    stored = upright if turn is None else upright.transpose(Image.Transpose(turn))
    exif = Image.Exif()
    exif[0x0112] = orientation
    result = open_prepared(prepare(save(stored, kind, exif=exif)))
    assert result.size == (100, 50)
    places = [(10, 10), (90, 10), (10, 40), (90, 40)]
    reddish = [get_color(result, *place)[1] < 99 for place in places]
    assert reddish == [True, False, False, False]


def test_wide_gamut_becomes_srgb() -> None:
    source = save(Image.new("RGB", (40, 40), (200, 60, 60)), "PNG", icc_profile=make_display_p3())
    result = open_prepared(prepare(source))
    red, green, blue = get_color(result, 5, 5)
    assert red > 212
    assert green < 50
    assert blue < 58
    assert "icc_profile" not in result.info


def test_profile_that_is_srgb_costs_no_quality() -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    tagged = save(make_photo(50, 40), "JPEG", quality=30, icc_profile=profile)
    prepared = prepare(tagged)
    assert b"ICC_PROFILE" not in prepared.data
    assert open_prepared(prepared).tobytes() == Image.open(io.BytesIO(tagged)).tobytes()


@pytest.mark.parametrize("profile", [b"broken", make_display_p3()[:200]])
def test_damaged_profile_is_ignored(profile: bytes) -> None:
    source = save(make_graphic(40, 40), "PNG", icc_profile=profile)
    assert get_color(open_prepared(prepare(source)), 30, 30) == (0x1F, 0x5F, 0x8B)


def test_damaged_metadata_is_ignored() -> None:
    damaged = make_chunk(b"zTXt", b"Author\0\0secret").replace(b"secret", b"broken")
    assert prepare(make_png(8, 8, damaged)).data == make_png(8, 8)


def make_exif(orientation: int = 1) -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = orientation
    exif[0x010F] = "secret camera"
    exif.get_ifd(0x8825)[2] = (60.0, 23.0, 11.0)
    return exif


@pytest.mark.parametrize("orientation", [1, 6])
@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("JPEG", {"comment": b"a secret", "xmp": b"<x>a secret</x>"}),
        ("PNG", {}),
        ("WEBP", {"xmp": b"<x>a secret</x>"}),
        ("AVIF", {}),
    ],
)
def test_metadata_is_dropped(kind: str, options: dict[str, object], orientation: int) -> None:
    source = save(make_photo(50, 40), kind, exif=make_exif(orientation), **options)
    source += b"a secret behind the image"
    prepared = prepare(source)
    assert b"secret" not in prepared.data
    assert b"Exif" not in prepared.data
    assert not open_prepared(prepared).getexif()


@pytest.mark.parametrize(
    "source",
    [
        save(make_graphic(50, 40, "P"), "GIF", comment=b"a secret") + b"secret",
        make_png(8, 8, make_chunk(b"tEXt", b"Author\0secret") + make_chunk(b"prVt", b"secret")),
        make_frames("GIF")[:-1] + b"\x21\xfe\x06secret\0;",
    ],
)
def test_comment_is_dropped(source: bytes) -> None:
    prepared = prepare(source)
    assert b"secret" not in prepared.data
    assert open_prepared(prepared).tobytes() == Image.open(io.BytesIO(source)).tobytes()


@pytest.mark.parametrize(
    ("source", "note"),
    [
        (make_frames("WEBP"), "only the first frame of an animated WebP"),
        (make_frames("AVIF"), "only the first frame of an animated AVIF"),
        (make_frames("GIF", 8, 400), "only the first frame of an animated GIF"),
        (make_frames("GIF", 3)[:-9], "only the first frame of an animated GIF"),
        (save(make_photo(9, 9, "CMYK"), "JPEG"), "converted from CMYK"),
        (SVG, "an SVG, which Gmail doesn't show"),
    ],
)
def test_editor_is_told_what_was_done(source: bytes, note: str) -> None:
    assert prepare(source).notes == (note,)


@pytest.mark.parametrize(
    "start", [b"", b"\xef\xbb\xbf", b'<?xml version="1.0"?>\n<!-- a boat -->\n']
)
def test_svg_stays(start: bytes) -> None:
    prepared = prepare(start + SVG)
    assert (prepared.data, prepared.suffix) == (start + SVG, ".svg")


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (b"", "it is empty"),
        (b"  <!doctype html><p>Sign in", "it is a web page, not an image"),
        (b"<html><body><svg></svg>", "it is a web page, not an image"),
        (b"<?xml version='1.0'?><rss/>", "it is XML, not an image"),
        (b'{"error": "not found"}', "it is text, not an image"),
        (b"Not found", "it is text, not an image"),
        (bytes(100), "it is not an image"),
        (b"\x89PNG", "it is not an image"),
        (save(make_photo(9, 9), "ICO"), "it is an icon, which email can't show"),
        (save(make_photo(9, 9), "TIFF"), "it is a TIFF image, which email can't show"),
        (save(make_photo(9, 9), "EPS"), "it is a PostScript file, which email can't show"),
        (save(make_photo(9, 9), "PDF"), "it is a PDF, which email can't show"),
        (b"8BPS\0\1" + bytes(50), "it is a Photoshop file, which email can't show"),
        (b"SIMPLE  =                    T", "it is a FITS file, which email can't show"),
        (b"\0\0\0\x18ftypheic\0\0\0\0", "it is a HEIC image, which email can't show"),
        (b"\0\0\0\x18ftypisom\0\0\0\0", "it is a video, which email can't show"),
        (save(make_photo(90, 90), "JPEG")[:900], "it is damaged or incomplete"),
        (save(make_photo(90, 90), "JPEG")[:30], "it is damaged or incomplete"),
        (save(make_photo(90, 90), "PNG")[:900], "it is damaged or incomplete"),
        (save(make_photo(90, 90), "PNG")[:40], "it is damaged or incomplete"),
        (save(make_photo(90, 90), "GIF")[:900], "it is damaged or incomplete"),
        (save(make_photo(90, 90), "WEBP")[:900], "it is damaged or incomplete"),
        (save(make_photo(90, 90), "AVIF")[:900], "it is damaged or incomplete"),
        (make_png(14_000, 14_000), "it is too large, 14,000 by 14,000 pixels"),
        (make_png(100_000, 100_000, rows=1), "it is too large, 100,000 by 100,000 pixels"),
        (make_png(0, 5), "it is damaged or incomplete"),
        (
            SVG.replace(b"<rect", b"<script/><rect"),
            "it is an SVG that can't be published: it holds a script",
        ),
    ],
)
def test_what_is_not_an_image_is_refused(
    source: bytes, message: str, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(PostError) as raised:
        prepare(source)
    assert raised.value.problems[0].message == message
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(("width", "height"), [(20_000, 10), (10, 20_000), (9_000, 700)])
def test_unusual_shape(width: int, height: int) -> None:
    prepared = prepare(save(make_photo(width, height), "JPEG"))
    assert (prepared.width, prepared.height) == (
        (100, max(round(height * 100 / width), 1)) if width > 100 else (width, height)
    )


def test_file_is_limited_before_and_after() -> None:
    source = save(make_photo(90, 90), "WEBP", quality=1)
    with pytest.raises(PostError, match=r"it has [\d,]+ bytes; the limit is 300"):
        prepare(source, max_bytes=300)
    with pytest.raises(PostError, match=r"it would have [\d,]+ bytes as a .jpg file; the limit"):
        prepare(source, max_bytes=len(source))


def test_heavy_image_is_compressed_until_no_check_warns_of_it() -> None:
    noise = Image.merge("RGB", [make_noise(1_000, 1_000) for _ in range(3)])
    source = save(noise, "JPEG", quality=82)
    assert len(source) > 500_000
    assert len(prepare(source, 1_000).data) < 500_000


def test_name_tells_the_content() -> None:
    first, second = (prepare(save(make_graphic(size, 9), "PNG")) for size in (9, 10))
    assert first.name != second.name
    assert first.name == prepare(first.data).name


def test_pillow_is_loaded_for_an_image_only() -> None:
    program = (
        "import sys, newsletter.posts.importing.images.copy_remote_images\n"
        "sys.exit('PIL' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "WEBP", "BMP"])
def test_damage_raises_no_other_error(kind: str) -> None:
    source = save(make_photo(12, 12), kind)
    for cut in range(0, len(source), 7):
        for damaged in (source[:cut], source[:cut] + b"\xff\x01" + source[cut + 2 :]):
            with suppress(PostError):
                prepare_image(damaged, max_width=100, max_bytes=10_000)
