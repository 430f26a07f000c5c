"""Edges of the rules on images: what fires, and what looks like it but stays quiet."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest

from newsletter.checks.analysis.client_support import ClientShares
from newsletter.checks.registry import RULES

CheckEdge = Callable[..., None]
GetMessages = Callable[..., list[str]]

ONLINE = "https://tides.example/boats/"
PUBLISHED = {"public_url": "https://news.harbournotes.example"}


def image(name: str, alt: str = "A tern", **attributes: object) -> str:
    more = "".join(f' {key.rstrip("_")}="{value}"' for key, value in attributes.items())
    return f'<p><img src="{ONLINE}{name}" alt="{alt}"{more}></p>\n\n'


FIRES: list[tuple[str, str, str]] = [
    ("no-alt", f"![]({ONLINE}a.png)", "a.png has no alternative text"),
    ("no-alt", image("a.png", " "), "a.png has no alternative text"),
    ("no-alt", f'<img src="{ONLINE}a%20b.png">', "a b.png has no alternative text"),
    ("no-alt", f'<img src="{ONLINE}">', "an image has no alternative text"),
    ("no-alt", f'<img src="{ONLINE}blurred">', "blurred has no alternative text"),
    ("no-alt", f'<figure><img src="{ONLINE}a.png"><figcaption> </figcaption></figure>', "a.png"),
    ("no-alt", f'<figure><img src="{ONLINE}a.png"></figure><p>A tern</p>', "a.png has no"),
    *[
        ("file-name-alt", image("a.png", alt), f"'{alt}' doesn't describe")
        for alt in ("Bildschirmfoto 2024-05-01 um 10.33.12", "Screenshot 2024-05-01 at 10.33.12",
                    "Capture d\u2019\u00e9cran 2024-05-01 \u00e0 10.33.12",
                    "unnamed", "unnamed (1)",
                    "WhatsApp Image 2024-05-01 at 10.33.12",
                    "Screen Shot 2024-05-01 at 9.41.00 AM",
                    "IMG_1234", "DSC0001", "DSCF0001", "IMG-20240501-WA0001",
                    "Captura de pantalla 2024-05-01 a las 10.33.12",
                    "Skjermbilde 2024-05-01 kl. 10.33.12")
    ],
    ("file-name-alt", image("a.png", "boat.png"), "'boat.png' doesn't describe a.png"),
    ("file-name-alt", image("a.png", "BOAT.JPEG"), "doesn't describe"),
    *[
        ("file-name-alt", image("a.png", f"boat.{suffix}"), "doesn't describe")
        for suffix in ("jpg", "gif", "webp", "svg", "avif", "heic", "bmp", "tif", "tiff")
    ],
    *[
        ("file-name-alt", image("a.png", alt), f"'{alt}' doesn't describe")
        for alt in ("IMG_2041", "DSC 0012", "dscn12", "PXL-20261122", "image", "Image 1", "photo",
                    "Screenshot 2026-11-22", "screen shot 2026.11", "untitled", "Untitled-3")
    ],
    ("file-name-alt", image("boat-2.png", "boat-2"), "'boat-2' doesn't describe boat-2.png"),
    ("file-name-alt", image("old_boat.png", "old_boat"), "doesn't describe"),
    ("file-name-alt", image("boat2", "boat2"), "'boat2' doesn't describe boat2"),
    ("no-image-size", image("a.png"), "a.png has no width and no height"),
    ("no-image-size", image("a.png", height=90), "a.png has no width"),
    ("no-image-size", image("a.png", height=90, style="height:auto"), "a.png has no width"),
    ("no-image-size", image("blurred"), "blurred has no width and no height"),
    *[
        ("unsupported-image", image(f"a.{suffix}"), f"a.{suffix} isn't shown by")
        for suffix in ("svg", "webp", "WEBP", "avif", "heic", "heif", "tif", "tiff", "mp4")
    ],
    ("unsupported-image", image("a.webp?w=90"), "a.webp isn't shown by"),
    ("all-image", image("a.png"), "20 words and one image"),
]  # fmt: skip

QUIET: list[tuple[str, str]] = [
    ("no-alt", image("a.png")),
    ("no-alt", image("a.png", "", width=1, height=1)),
    ("no-alt", f"[![]({ONLINE}a.png)](https://tides.example) x"),
    ("file-name-alt", image("a.png", "")),
    ("file-name-alt", image("boat.png", "boat")),
    ("file-name-alt", image("a-2.png", "boat-2")),
    ("file-name-alt", image("a.png", "boat.png in a folder")),
    ("file-name-alt", image("a.png", "boat.pngs")),
    ("file-name-alt", image("a.png", "The boat.com logo")),
    ("file-name-alt", image("a.png", "Photo of a tern")),
    ("file-name-alt", image("a.png", "imagery 2")),
    ("file-name-alt", image("a.png", "Imagination")),
    ("file-name-alt", image("a.png", "2026")),
    *[
        ("file-name-alt", image("a.png", alt))
        for alt in ("Screenshot of the harbour", "Bildschirmfoto des Hafens", "Unnamed road, 2024",
                    "A WhatsApp image", "Photo at 10.33 of 3 boats",
                    "Capture d\u2019\u00e9cran du port",
                    "DSC boat", "Signal at noon", "IMG festival 2024")
    ],
    ("no-alt", f'<figure><img src="{ONLINE}a.png"><figcaption>A tern</figcaption></figure>'),
    ("no-image-size", image("a.png", width=90, height=60)),
    ("no-image-size", image("a.png", width=90)),
    *[
        ("unsupported-image", image(name))
        for name in ("a.png", "a.jpg", "a.jpeg", "a.gif", "a", "blurred", "a.webp.png",
                     "webp", "a.php", "photo-12?fm=webp", "")
    ],
]  # fmt: skip


@pytest.mark.parametrize("edge", [*FIRES, *QUIET])
def test_edges(check_edge: CheckEdge, edge: tuple[str, ...]) -> None:
    check_edge(*edge)


@pytest.mark.parametrize(
    ("old", "new", "rule", "count"),
    [
        ('alt="A tern"', 'alt="" role="presentation"', "no-alt", 0),
        ('alt="A tern"', 'alt="" role="none"', "no-alt", 0),
        ('alt="A tern"', 'alt="" aria-hidden="true"', "no-alt", 0),
        ('alt="A tern"', 'alt="" role="img"', "no-alt", 1),
        ('alt="A tern"', 'alt="" width="1px"', "no-alt", 0),
        ('alt="A tern"', 'alt="" width="2"', "no-alt", 1),
        ('alt="A tern"', 'alt="A" width="9" style="height: auto"', "no-image-size", 0),
        ('alt="A tern"', 'alt="A" width="9" style="height:9px"', "no-image-size", 1),
        (f'src="{ONLINE}a.png"', 'src="https://[tides/a.png"', "no-image-size", 1),
        (f'src="{ONLINE}a.png"', 'src="data:image/png;base64,AAAA"', "unsupported-image", 1),
    ],
)
def test_image_of_a_template(make_context: Any, old: str, new: str, rule: str, count: int) -> None:
    context = make_context()
    html = f'<img src="{ONLINE}a.png" alt="A tern">'.replace(old, new)
    email = replace(context.email, html=context.email.html.replace("</body>", f"{html}</body>"))
    found = next(each for each in RULES if each.id == rule).find(replace(context, email=email))
    assert len(found) == count


LOCAL: list[tuple[str, tuple[int, ...], Mapping[str, Any], str, str]] = [
    ("heavy-image", (9, 9, 600_001), PUBLISHED, "![A tern](a.png)", "a.png has 600 KB"),
    ("heavy-image", (9, 9, 600_000), PUBLISHED, "![A tern](a.png)", ""),
    ("oversized-image", (1391, 9), PUBLISHED, "![A tern](a.png)", "1391 pixels wide and shown"),
    ("oversized-image", (1390, 9), PUBLISHED, "![A tern](a.png)", ""),
    ("oversized-image", (501, 9), PUBLISHED, '<img src="a.png" width="200">', "shown at 200"),
    ("oversized-image", (500, 9), PUBLISHED, '<img src="a.png" alt="A" width="200">', ""),
    ("oversized-image", (900, 9), PUBLISHED, '<img src="a.png" alt="A" width="199">', ""),
    ("unreachable-image", (9, 9), {}, "![A tern](a.png)", "a.png has no public address"),
    ("unreachable-image", (9, 9), PUBLISHED, "![A tern](a.png)", ""),
    ("unreachable-image", (9, 9), {}, "[A tern](a.png)", ""),
    ("unreachable-image", (9, 9), {}, f"[A tern](a.png) ![B]({ONLINE}b.png)", ""),
    ("image-on-this-machine", (9, 9), {"public_url": "http://localhost:8000"}, "![A tern](a.png)",
     "public_url is http://localhost:8000"),
    ("image-on-this-machine", (9, 9), {**PUBLISHED, "image_url": "http://localhost:8/{slug}/{file}"},
     "![A tern](a.png)", "image_url is http://localhost:8/"),
    ("image-on-this-machine", (9, 9), PUBLISHED, "![A tern](a.png)", ""),
    ("image-on-this-machine", (9, 9), {}, "![A tern](a.png)", ""),
    ("image-on-this-machine", (), {"public_url": "http://localhost:8000"}, "No image.", ""),
    ("no-image-size", (9, 9), PUBLISHED, "![A tern](a.png)", ""),
]  # fmt: skip


@pytest.mark.parametrize(("rule", "size", "settings", "body", "message"), LOCAL)
def test_image_beside_the_post(
    get_messages: GetMessages,
    make_png: Callable[..., bytes],
    rule: str,
    size: tuple[int, ...],
    settings: Mapping[str, Any],
    body: str,
    message: str,
) -> None:
    files = {"a.png": make_png(*size)} if size else {}
    found = get_messages(rule, body, files=files, settings=settings)
    assert len(found) == bool(message)
    assert not message or message in found[0]


def words(count: int) -> str:
    """The post that ``get_messages`` begins has 20 words."""
    return " ".join(["tern"] * (count - 20)) + "\n\n"


@pytest.mark.parametrize(
    ("rule", "body", "message"),
    [
        ("all-image", words(24) + image("a.png"), "24 words and one image"),
        ("all-image", words(24) + 2 * image("a.png"), "24 words and 2 images"),
        ("all-image", words(25) + image("a.png"), ""),
        ("all-image", words(24), ""),
        ("few-words", words(59) + 2 * image("a.png"), "59 words for 2 images"),
        ("few-words", words(60) + 2 * image("a.png"), ""),
        ("few-words", words(25) + 2 * image("a.png"), "25 words for 2 images"),
        ("few-words", words(24) + 2 * image("a.png"), ""),
        ("few-words", words(29) + image("a.png"), ""),
        ("few-words", words(89) + 3 * image("a.png"), "89 words for 3 images"),
    ],
)
def test_words_beside_images(get_messages: GetMessages, rule: str, body: str, message: str) -> None:
    assert get_messages(rule, body) == ([message] if message else [])


@pytest.mark.parametrize(("share", "count"), [(0.011, 1), (0.01, 1), (0.009, 0)])
def test_unsupported_image_needs_one_reader_in_a_hundred(
    get_messages: GetMessages, share: float, count: int
) -> None:
    shares = ClientShares({"gmail": share, "apple_mail": 1 - share})
    assert len(get_messages("unsupported-image", image("a.svg"), client_shares=shares)) == count


@pytest.mark.parametrize(
    ("name", "inside", "message"),
    [
        ("a.svg", "<script>alert(1)</script>", "a.svg is not published: it holds a script"),
        ("A.SVG", "<rect onclick='a()'/>", "A.SVG is not published: it holds a script"),
        ("a.svg", "</svg>", "a.svg is not published: it is not well-formed"),
        ("a.svg", "<rect/>", ""),
        ("a.png", "<script>alert(1)</script>", ""),
    ],
)
def test_svg_that_is_not_published_is_an_error(
    get_messages: GetMessages, name: str, inside: str, message: str
) -> None:
    drawing = f"<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'>{inside}</svg>"
    found = get_messages(
        "unsafe-svg", f"![A tern]({name})", files={name: drawing.encode()}, settings=PUBLISHED
    )
    assert len(found) == bool(message)
    assert all(text.startswith(message) for text in found)
