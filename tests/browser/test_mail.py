"""Sample emails in a browser: widths, colour schemes, images, contrast."""

from pathlib import Path
from typing import Any, Protocol

import pytest
from axe_playwright_python.sync_playwright import Axe
from designs import DESIGNS
from playwright.sync_api import Page

pytestmark = pytest.mark.browser

HERE = Path(__file__).parent
SAMPLES = HERE.parents[1] / "issues"
ISSUES = sorted(folder.name for folder in SAMPLES.iterdir() if folder.is_dir())
NEWEST = ISSUES[-1]
ARABIC = "2026-11-08-risala-min-al-mina"
CONTRAST = (HERE / "contrast.js").read_text()
OTHER_DESIGNS = [design for design in DESIGNS if design != "issue"]
OUTLOOK_DARK = "for (const on of ['ogsc', 'ogsb']) document.documentElement.dataset[on] = ''"
# The arrow back from a footnote is told from the text by its shape, not by its color alone.
AXE_CONTEXT = {"exclude": [".footnote-backref"]}
AXE_OPTIONS = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]}
BODY_SIZE = """() => Math.min(...[...document.querySelectorAll('.article p, .article li')]
    .filter(e => !e.closest('.footnotes, table, figure, small'))
    .map(e => parseFloat(getComputedStyle(e).fontSize)))"""
ALTERNATIVES = """() => [...document.images].filter(e => e.alt).map(e => {
    const box = e.getBoundingClientRect();
    return [e.alt, box.width > 40 && box.height >= parseFloat(getComputedStyle(e).fontSize)];
})"""
STARTS_RIGHT = """() => [...document.querySelectorAll(".article p, .article h2, .title h1")]
    .map(e => {
        const style = getComputedStyle(e);
        return style.direction === 'rtl' && ['start', 'right'].includes(style.textAlign);
    })"""


CUT_OFF = """() => [...document.querySelectorAll('body *')].filter(e => {
    const box = e.getBoundingClientRect();
    return e.checkVisibility() && (box.left < 0 || box.right > innerWidth + 0.5);
}).map(e => e.outerHTML.slice(0, 80))"""

# WCAG 2.2, 2.5.8: 24 by 24 CSS pixels; links within a sentence are exempt.
SMALL_TARGETS = """() => [...document.querySelectorAll('.links a, .button a')]
    .map(e => [e, e.getBoundingClientRect(), e.matches('.button a') ? 44 : 24])
    .filter(([e, box, least]) => box.height < least || box.width < least)
    .map(([e, box]) => [e.textContent, box.width, box.height])"""
CLOSE_TARGETS = """() => {
    const boxes = [...document.querySelectorAll('.links a')].map(e => e.getBoundingClientRect());
    return boxes.flatMap((a, i) => boxes.slice(i + 1).filter(b =>
        a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom));
}"""
BLACK = """() => [...document.querySelectorAll('body *')].flatMap(e => {
    if (!e.checkVisibility()) return [];
    const own = [...e.childNodes].some(n => n.nodeType === 3 && n.data.trim());
    const styles = own || e.tagName === 'IMG' ? [getComputedStyle(e)] : [];
    return e.tagName === 'LI' ? [...styles, getComputedStyle(e, '::marker')] : styles;
}).filter(style => [style.color, style.backgroundColor].includes('rgb(0, 0, 0)')).length"""
HANGING = """() => [...document.querySelectorAll('.article pre .line')].map(e => {
    const style = getComputedStyle(e);
    return [style.display, parseFloat(style.textIndent) + parseFloat(style.paddingLeft)];
})"""


class OpenedEmail(Protocol):
    """What the fixture returns: a page, and its network requests."""

    page: Page
    images: list[str]
    other: list[str]


class EmailOpener(Protocol):
    """The fixture itself."""

    def __call__(self, name: str, **options: Any) -> OpenedEmail: ...


@pytest.mark.parametrize("images", [True, False], ids=["images", "no-images"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", ISSUES)
def test_nothing_is_wider_than_the_screen(
    open_email: EmailOpener, name: str, scheme: str, *, images: bool
) -> None:
    page = open_email(name, scheme=scheme, images=images).page
    for width in (320, 375, 700, 1280):
        page.set_viewport_size({"width": width, "height": 900})
        assert page.evaluate("innerWidth") == width
        assert page.evaluate("document.scrollingElement.scrollWidth") <= width
        assert page.evaluate(CUT_OFF) == [], width


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", ISSUES)
def test_text_has_sufficient_contrast(open_email: EmailOpener, name: str, scheme: str) -> None:
    texts = open_email(name, scheme=scheme).page.evaluate(CONTRAST)
    assert texts["findings"] == []
    assert texts["seen"] > 20


@pytest.mark.parametrize("name", ISSUES)
def test_outlooks_own_dark_mode_is_readable(open_email: EmailOpener, name: str) -> None:
    page = open_email(name).page
    page.evaluate(OUTLOOK_DARK)
    assert page.evaluate(CONTRAST)["findings"] == []


@pytest.mark.parametrize("name", ISSUES)
def test_dark_scheme_has_no_bright_areas(open_email: EmailOpener, name: str) -> None:
    page = open_email(name, scheme="dark").page
    assert page.evaluate(CONTRAST)["brightest"] < 0.05


@pytest.mark.parametrize("name", ISSUES)
def test_text_is_at_least_16_pixels_on_a_phone(open_email: EmailOpener, name: str) -> None:
    assert open_email(name, width=320).page.evaluate(BODY_SIZE) >= 16


@pytest.mark.parametrize("name", ISSUES)
def test_without_images_title_text_and_alternative_texts_are_visible(
    open_email: EmailOpener, name: str
) -> None:
    page = open_email(name, images=False).page
    assert page.locator("h1").first.is_visible()
    assert page.locator(".article p").first.is_visible()
    alternatives = page.evaluate(ALTERNATIVES)
    assert alternatives
    assert [alt for alt, shown in alternatives if not shown] == []
    assert page.evaluate(CONTRAST)["findings"] == []
    page.emulate_media(color_scheme="dark")
    assert page.evaluate(CONTRAST)["findings"] == []


@pytest.mark.parametrize("name", ISSUES)
def test_all_images_load(open_email: EmailOpener, name: str) -> None:
    page = open_email(name).page
    page.wait_for_function("[...document.images].every(image => image.complete)")
    missing = page.evaluate(
        "[...document.images].filter(image => !image.naturalWidth).map(image => image.src)"
    )
    assert missing == []


@pytest.mark.parametrize("name", ISSUES)
def test_only_images_are_requested(open_email: EmailOpener, name: str) -> None:
    opened = open_email(name)
    assert opened.other == []
    assert opened.images
    assert all(url.startswith("https://harbournotes.example/") for url in opened.images)


@pytest.mark.parametrize("width", [375, 700])
def test_right_to_left_issue_is_aligned_to_the_right(open_email: EmailOpener, width: int) -> None:
    page = open_email(ARABIC, width=width).page
    assert page.locator("html").get_attribute("dir") == "rtl"
    assert page.locator("html").get_attribute("lang") == "ar"
    starts = page.evaluate(STARTS_RIGHT)
    assert starts
    assert all(starts)


def test_text_column_is_at_most_600_pixels_wide(open_email: EmailOpener) -> None:
    page = open_email(NEWEST, width=1280).page
    assert page.locator(".article p").first.evaluate("e => e.clientWidth") <= 600


@pytest.mark.parametrize("width", [320, 700])
@pytest.mark.parametrize("name", [ARABIC, NEWEST])
def test_buttons_and_footer_links_are_large_enough_to_tap(
    open_email: EmailOpener, name: str, width: int
) -> None:
    page = open_email(name, width=width).page
    assert page.locator(".links a").count() >= 2
    assert page.evaluate(SMALL_TARGETS) == []
    assert page.evaluate(CLOSE_TARGETS) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", ISSUES)
def test_nothing_is_pure_black(open_email: EmailOpener, name: str, scheme: str) -> None:
    page = open_email(name, scheme=scheme).page
    assert page.evaluate(BLACK) == 0


@pytest.mark.parametrize(("width", "display"), [(320, "block"), (700, "inline")])
def test_wrapped_code_is_indented_on_phones(
    open_email: EmailOpener, width: int, display: str
) -> None:
    lines = open_email(NEWEST, width=width).page.evaluate(HANGING)
    assert lines
    assert [line for line in lines if line != [display, 0]] == []


def test_button_comes_before_the_footnotes(open_email: EmailOpener) -> None:
    page = open_email(NEWEST).page
    button, notes = (page.locator(s).bounding_box() for s in (".button a", ".footnotes"))
    assert button is not None
    assert notes is not None
    assert button["y"] + button["height"] <= notes["y"]


@pytest.mark.parametrize("name", [ARABIC, NEWEST])
@pytest.mark.parametrize("design", OTHER_DESIGNS)
def test_other_designs_are_as_readable(open_email: EmailOpener, name: str, design: str) -> None:
    page = open_email(name, design=design).page
    assert page.evaluate(BODY_SIZE) >= 16
    assert page.evaluate(CONTRAST)["findings"] == []
    assert page.evaluate(BLACK) == 0
    page.emulate_media(color_scheme="dark")
    contrast = page.evaluate(CONTRAST)
    assert contrast["findings"] == []
    assert contrast["brightest"] < 0.05
    assert page.evaluate(BLACK) == 0
    page.emulate_media(color_scheme="light")
    page.evaluate(OUTLOOK_DARK)
    assert page.evaluate(CONTRAST)["findings"] == []
    bare = open_email(name, design=design, images=False).page
    assert [alt for alt, shown in bare.evaluate(ALTERNATIVES) if not shown] == []
    assert bare.evaluate(CONTRAST)["findings"] == []
    bare.emulate_media(color_scheme="dark")
    assert bare.evaluate(CONTRAST)["findings"] == []
    for width in (320, 375, 700, 1280):
        for sized in (page, bare):
            sized.set_viewport_size({"width": width, "height": 900})
            assert sized.evaluate("document.scrollingElement.scrollWidth") <= width
            assert sized.evaluate(CUT_OFF) == [], width
        assert page.evaluate(SMALL_TARGETS) == []
        assert page.evaluate(CLOSE_TARGETS) == []
    if name == ARABIC:
        assert all(page.evaluate(STARTS_RIGHT)[1:])  # the title may be centered
    violations = Axe().run(page, AXE_CONTEXT, AXE_OPTIONS).response["violations"]
    assert [(rule["id"], rule["nodes"][0]["html"]) for rule in violations] == []


def test_cards_of_a_magazine_stand_side_by_side_and_stack_on_a_phone(
    open_email: EmailOpener,
) -> None:
    page = open_email(NEWEST, design="magazine", width=700).page
    stills = page.locator(".card img")
    for width, side_by_side in ((700, True), (479, False), (320, False)):
        page.set_viewport_size({"width": width, "height": 900})
        first, second = (stills.nth(i).bounding_box() for i in range(2))
        assert first is not None
        assert second is not None
        assert (first["y"] == second["y"]) is side_by_side
        assert first["width"] == second["width"] >= (266 if side_by_side else width - 40)
