"""An imported post refers to copies of its images, and to nothing else than before."""

from collections.abc import Mapping, Sequence

import pytest

from newsletter.errors import Problem
from newsletter.posts.html.sanitize import sanitize_html
from newsletter.posts.importing.images.copy_remote_images import CopiedImages, copy_remote_images
from newsletter.posts.importing.images.fetch_images import FetchedImages
from newsletter.posts.importing.images.prepare_image import PreparedImage
from newsletter.posts.importing.imported_post import ImportedPost, parse_imported_post

SENTENCE = (
    "The boats had been tied up since Tuesday, and nobody could say when the wind would stop."
)
BASE = "https://b.example/"


class FakeWeb:
    """The images of a site; those called ``gone`` are missing.

    Attributes:
        candidates: what was asked for.
    """

    def __init__(self) -> None:
        self.candidates: dict[str, list[str]] = {}

    def fetch(self, candidates: Mapping[str, Sequence[str]]) -> FetchedImages:
        self.candidates = {url: [*others] for url, others in candidates.items()}
        return FetchedImages(
            {url: make_image(url) for url in candidates if "gone" not in url},
            {url: Problem(f"could not fetch {url}") for url in candidates if "gone" in url},
        )


def make_image(url: str) -> PreparedImage:
    content = url.removeprefix(BASE).partition("?")[0]
    notes = ("converted from CMYK",) if "cmyk" in url else ()
    return PreparedImage(content.encode(), ".jpg", 1, 1, notes)


def make_name(url: str) -> str:
    return make_image(url).name


@pytest.fixture
def web() -> FakeWeb:
    return FakeWeb()


def parse(body: str, settings: str = "", suffix: str = "md") -> ImportedPost:
    text = f"---\ntitle: Boats\n{settings}---\n{body}\n\n"
    text += f"<p>{SENTENCE}</p>\n" if suffix == "html" else f"{SENTENCE}\n"
    return parse_imported_post(text, f"a.{suffix}", language="en")


def copy(web: FakeWeb, body: str, *, suffix: str = "md", source_html: str = "") -> CopiedImages:
    return copy_remote_images(parse(body, suffix=suffix), web.fetch, source_html=source_html)


A, B = make_name(f"{BASE}a.png"), make_name(f"{BASE}b.png")
C = make_name(f"{BASE}%C3%BC(1).png")


@pytest.mark.parametrize(
    ("body", "copied"),
    [
        ("![A](https://b.example/a.png)", f"![A]({A})"),
        ('![A [x]](  https://b.example/a.png "T")', f'![A [x]](  {A} "T")'),
        ("![A](<https://b.example/a.png>)", f"![A](<{A}>)"),
        ("![A](//b.example/a.png)", f"![A]({A})"),
        ("![A](https://b.example/ü(1).png?w=1&amp;h=2)", f"![A]({C})"),
        (
            "[![A](https://b.example/a.png)](https://b.example/a.png)",
            f"[![A]({A})](https://b.example/a.png)",
        ),
        ("![A][a]\n\n[a]: https://b.example/a.png 'T'", f"![A][a]\n\n[a]: {A} 'T'"),
        ("![A][]\n\n[A]: <https://b.example/a.png>", f"![A][]\n\n[A]: <{A}>"),
        (
            "![A](https://b.example/a.png) `![A](https://b.example/a.png)`",
            f"![A]({A}) `![A](https://b.example/a.png)`",
        ),
        (
            "![A](https://b.example/a.png)\n\n    <img src='https://b.example/a.png'>",
            f"![A]({A})\n\n    <img src='https://b.example/a.png'>",
        ),
        ("<img alt='A' src=https://b.example/a.png />", f"<img alt='A' src=\"{A}\" />"),
        (
            "<img src='https://b.example/a.png'\nsrcset='https://b.example/2.png 2x,\nx'\nalt=A>",
            f'<img src="{A}"\nalt=A>',
        ),
        (
            "<img src='data:x' class='lazy' data-src='https://b.example/a.png' alt=A>",
            f"<img src=\"{A}\" class='lazy' alt=A>",
        ),
        (
            "<picture>\n<source\nsrcset='x 1x'\ntype=a>\n<img src='https://b.example/a.png'>\n</picture>",
            f'<picture>\n<source\ntype=a>\n<img src="{A}">\n</picture>',
        ),
        (
            "<picture><source srcset='https://b.example/a.png 1x'><img alt=A></picture>",
            f'<picture><source><img src="{A}" alt=A></picture>',
        ),
        (
            "<video src='https://b.example/v.mp4' poster='https://b.example/a.png'></video>",
            f"<video src='https://b.example/v.mp4' poster=\"{A}\"></video>",
        ),
    ],
)  # fmt: skip
def test_image_becomes_the_copy(web: FakeWeb, body: str, copied: str) -> None:
    result = copy(web, body)
    assert result.imported_post.body.replace(SENTENCE, "").strip() == copied
    assert len(result.files) == 1
    assert result.imported_post.copied_urls.keys() == result.files.keys()
    assert not result.not_copied
    sanitized = sanitize_html(result.imported_post.body)
    assert "srcset" not in sanitized
    assert "data-src" not in sanitized


@pytest.mark.parametrize(
    "body",
    [
        "![A](a.png)",
        "![A](/a.png)",
        "[A](https://b.example/a.png)",
        r"\![A](https://b.example/a.png)",
        "`<img src='https://b.example/a.png'>`",
        "<!-- <img src='https://b.example/a.png'> -->",
        "![A](data:image/gif;base64,R0lGODlhAQABAAAAACw=)",
        "![A]({{ picture }})",
        "<img src='https://b.example/a.png' width=1 height='1px' alt=''>",
    ],
)
def test_nothing_is_fetched(web: FakeWeb, body: str) -> None:
    result = copy(web, body)
    assert not web.candidates
    assert not result.files
    assert result.imported_post == parse(body)
    assert not result.not_copied


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("![A](https://b.example/gone.png)", "could not fetch https://b.example/gone.png"),
        (
            "<img src='https://pixel.wp.com/b.gif?x=1'>",
            "the image https://pixel.wp.com/b.gif?x=1 counts openings, and was not copied",
        ),
        (
            "![A][a] and [a]\n\n[a]: https://b.example/a.png",
            "the image https://b.example/a.png was not copied",
        ),
    ],
)
def test_image_that_is_not_copied_stays_and_is_listed(
    web: FakeWeb, body: str, message: str
) -> None:
    result = copy(web, body)
    assert result.imported_post == parse(body)
    assert result.files == {}
    assert [problem.message for problem in result.not_copied] == [message]


def test_images_of_settings_are_copied(web: FakeWeb) -> None:
    settings = """\
hero: {src: 'https://b.example/a.png', alt: A}  # the red one
further: [{title: A, url: 'https://b.example/a.png', picture: {src: 'https://b.example/b.png'}}]
canonical_url: https://b.example/a.png
extra: {hero: 'https://b.example/c.png'}
"""
    post = copy_remote_images(parse("![A](https://b.example/a.png)", settings), web.fetch)
    front_matter = post.imported_post.front_matter
    assert front_matter["hero"] == {"src": A, "alt": "A"}
    assert front_matter["further"] == [
        {"title": "A", "url": "https://b.example/a.png", "picture": {"src": B}}
    ]
    assert front_matter["canonical_url"] == "https://b.example/a.png"
    assert front_matter["extra"] == {"hero": "https://b.example/c.png"}
    assert [*post.files] == [A, B]


def test_html_is_copied_and_its_other_sizes_are_tried(web: FakeWeb) -> None:
    source = (
        "<figure><a href='https://b.example/a.png'><img src='https://b.example/a.png' alt='A' "
        "srcset='https://b.example/s.png 300w, https://b.example/m.png 1300w'></a></figure>"
    )
    result = copy(web, source, suffix="html", source_html=source)
    assert f'<a href="https://b.example/a.png"><img src="{A}" alt="A">' in result.imported_post.body
    assert web.candidates == {
        "https://b.example/a.png": ["https://b.example/m.png", "https://b.example/s.png"]
    }


def test_same_image_is_one_file(web: FakeWeb) -> None:
    body = "![A](https://b.example/a.png?w=1)\n\n![B](https://b.example/a.png?w=12)"
    result = copy(web, body)
    assert [*result.files] == [A]
    assert result.imported_post.body.startswith(f"![A]({A})\n\n![B]({A})")


def test_editor_is_told_what_was_done_to_an_image(web: FakeWeb) -> None:
    result = copy(web, "![A](https://b.example/cmyk.png)")
    name = make_name(f"{BASE}cmyk.png")
    assert result.imported_post.setting_notes == (("image", f"{name}: converted from CMYK"),)
