"""Play signs on the stills of videos: pictures in, pictures out; names; broken files."""

import io
import subprocess
import sys
from collections.abc import Callable

import pytest
from PIL import Image

from newsletter.posts.play_sign import MAX_STILL_PIXELS, UndrawableStillError, draw_play_sign
from newsletter.posts.stills import find_still_name, get_file_name, make_drawn_name

from .conftest import MakeIssue, ReadPost

POST = "---\ntitle: Film\n---\nSee:\n\n{}\n"
VIDEO = POST.format('<video src="/v.mp4" poster="{}"></video>')
FRAME = POST.format('<iframe src="https://youtu.be/x" poster="{}"></iframe>')


def make_picture(kind: str, mode: str = "RGB", color: str | int = "white") -> bytes:
    output = io.BytesIO()
    Image.new(mode, (160, 90), color).save(output, kind)
    return output.getvalue()


@pytest.mark.parametrize("color", ["white", "black", "#777"])
def test_sign_is_a_light_triangle_in_a_disc_that_differs_from_the_still(color: str) -> None:
    drawn = Image.open(io.BytesIO(draw_play_sign(make_picture("PNG", color=color))))
    gray = drawn.convert("L").tobytes()

    def pixel(x: int, y: int) -> int:
        return gray[160 * y + x]

    still, disc, edge = pixel(2, 2), pixel(80, 56), max(pixel(80, y) for y in range(28, 33))
    assert pixel(80, 45) > disc + 100
    assert max(abs(still - disc), abs(still - edge)) > 60
    assert [pixel(x, y) for x, y in ((2, 2), (80, 20), (40, 45), (157, 87))] == [still] * 4


@pytest.mark.parametrize(
    ("kind", "mode", "drawn_kind", "drawn_mode"),
    [
        ("JPEG", "RGB", "JPEG", "RGB"),
        ("JPEG", "L", "JPEG", "RGB"),
        ("JPEG", "CMYK", "JPEG", "RGB"),
        ("PNG", "RGB", "PNG", "RGB"),
        ("PNG", "RGBA", "PNG", "RGBA"),
        ("PNG", "P", "PNG", "RGB"),
        ("PNG", "1", "PNG", "RGB"),
        ("WEBP", "RGB", "JPEG", "RGB"),
        ("WEBP", "RGBA", "JPEG", "RGB"),
    ],
)
def test_format_and_size_stay(kind: str, mode: str, drawn_kind: str, drawn_mode: str) -> None:
    data = make_picture(kind, mode, 0)
    drawn = draw_play_sign(data)

    image = Image.open(io.BytesIO(drawn))
    assert (image.format, image.mode, image.size) == (drawn_kind, drawn_mode, (160, 90))
    assert draw_play_sign(data) == drawn


def test_still_is_turned_as_its_camera_says_and_its_place_is_left_out() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by 90 degrees
    exif[0x010E] = "a secret place"
    output = io.BytesIO()
    Image.new("RGB", (160, 90)).save(output, "JPEG", exif=exif)
    drawn = draw_play_sign(output.getvalue())

    assert Image.open(io.BytesIO(drawn)).size == (90, 160)
    assert b"secret" not in drawn


def test_smallest_still_has_room_for_the_sign() -> None:
    output = io.BytesIO()
    Image.new("RGB", (3, 1)).save(output, "PNG")
    assert Image.open(io.BytesIO(draw_play_sign(output.getvalue()))).size == (3, 1)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "not a complete"),
        (b"<svg/>", "not a complete"),
        (make_picture("GIF"), "not a complete"),
        (make_picture("PNG")[:-30], "not a complete"),
        (make_picture("JPEG")[:-40], "not a complete"),
        (make_picture("PNG", "I;16", 0), "8 bits"),
    ],
)
def test_undrawable_still_is_refused_with_the_reason(data: bytes, reason: str) -> None:
    with pytest.raises(UndrawableStillError, match=reason):
        draw_play_sign(data)


def test_decompression_bomb_is_refused_before_it_is_decoded(
    png: Callable[[int, int], bytes],
) -> None:
    header = png(1, 1)
    for width, height in ((MAX_STILL_PIXELS + 1, 1), (2**31 - 1, 2**31 - 1)):
        bomb = header[:16] + width.to_bytes(4, "big") + height.to_bytes(4, "big") + header[24:]
        with pytest.raises(UndrawableStillError, match="too large"):
            draw_play_sign(bomb)


@pytest.mark.parametrize(
    ("name", "drawn"),
    [
        ("a.jpg", "a.jpg.play.jpg"),
        ("img/A.JPEG", "img/A.JPEG.play.jpg"),
        ("a.png", "a.png.play.png"),
        ("a.webp", "a.webp.play.jpg"),
        ("a.gif", ""),
        ("a", ""),
    ],
)
def test_name_tells_the_still(name: str, drawn: str) -> None:
    assert make_drawn_name(name) == drawn
    assert get_file_name(drawn or name) == name


@pytest.mark.parametrize("name", ["a.play.jpg", "a.gif.play.jpg", "a.jpg.play.png", ".play.jpg"])
def test_other_names_are_those_of_files(name: str) -> None:
    assert get_file_name(name) == name


def test_file_of_that_name_is_not_drawn(make_issue: MakeIssue) -> None:
    folder = make_issue("x", {"b.jpg.play.jpg": b"x"})
    assert find_still_name(folder, "a.jpg.play.jpg") == "a.jpg"
    assert find_still_name(folder, "b.jpg.play.jpg") == ""
    assert find_still_name(folder, f"{'a' * 5_000}.jpg.play.jpg")


@pytest.mark.parametrize("post", [VIDEO, FRAME])
def test_still_of_a_video_is_among_the_images(read_post: ReadPost, post: str) -> None:
    images = read_post(post.format("my%20film.png"), {"my film.png": make_picture("PNG")})
    still, drawn = images.post.images.values()
    assert (still.name, still.still_problem) == ("my film.png", "")
    assert (drawn.name, drawn.width, drawn.height) == ("my film.png.play.png", 160, 90)


def test_dark_twin_is_not_shown_in_place_of_the_sign(read_post: ReadPost) -> None:
    files = {"a.png": make_picture("PNG"), "a.dark.png": make_picture("PNG")}
    images = read_post(VIDEO.format("a.png"), files).post.images
    assert images["a.png"].dark_name == "a.dark.png"
    assert images["a.png.play.png"].dark_name == ""


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "JPEG"])
def test_turned_still_has_the_size_that_is_drawn(read_post: ReadPost, kind: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by 90 degrees
    output = io.BytesIO()
    Image.new("RGB", (160, 90)).save(output, kind, exif=exif)
    name = f"a.{kind.lower()}"
    images = read_post(VIDEO.format(name), {name: output.getvalue()}).post.images
    drawn = images[make_drawn_name(name)]
    assert (drawn.width, drawn.height) == (90, 160)


def test_no_sign_is_drawn_if_a_file_has_its_name(read_post: ReadPost) -> None:
    files = {"a.png": make_picture("PNG"), "a.png.play.png": make_picture("PNG")}
    images = read_post(f"{VIDEO.format('a.png')}![b](a.png.play.png)\n", files).post.images
    assert images["a.png"].still_problem == "there is a file called a.png.play.png, too"
    assert images["a.png.play.png"].byte_size == len(files["a.png.play.png"])


@pytest.mark.parametrize("name", ["film.gif", "film.jpg"])
def test_still_without_a_sign_has_the_reason(read_post: ReadPost, name: str) -> None:
    (still,) = read_post(VIDEO.format(name), {name: b"broken"}).post.images.values()
    assert still.name == name
    assert still.still_problem.startswith("it is not a")


def test_pillow_is_imported_for_a_still_only() -> None:
    code = "import newsletter.posts.read_issue, newsletter.render.issue, sys; print(*sys.modules)"
    modules = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()
    assert "newsletter.posts.stills" in modules
    assert "PIL" not in modules
