import html
import re

import pytest
from lxml import etree

from newsletter.errors import Location, RenderError, TemplateError
from newsletter.render.css.html_attributes import HtmlAttribute
from newsletter.render.mjml.compile import CompiledMjml, Locator, compile_mjml, insert_article
from newsletter.render.personalization import ARTICLE_MARKER

SECTION = "<mj-section><mj-column><mj-text>x</mj-text></mj-column></mj-section>"
RAW = "<mj-raw>\n<!-- rope -->\n<p>Mooring</p></mj-raw>"


def make_page(content: str, head: str = "") -> str:
    return (
        f"\n <mjml><mj-head>{head}</mj-head><mj-body><mj-section><mj-column>{content}"
        f"<mj-text>{ARTICLE_MARKER}</mj-text></mj-column></mj-section></mj-body></mjml>\n"
    )


def compile_text(text: str) -> str:
    return compile_whole(text).html


def compile_whole(text: str) -> CompiledMjml:
    def locator() -> Locator:
        return lambda offset: Location("a.mjml", text.encode()[:offset].count(b"\n") + 1)

    return compile_mjml(text, locator)


def get_problems(text: str) -> str:
    with pytest.raises(TemplateError) as caught:
        compile_text(text)
    return "\n".join(map(str, caught.value.problems))


def test_article_replaces_the_marker_unchanged() -> None:
    article = "<p>a<br>b <P>c & d</p>\n<pre>\n  x\n\n  y</pre>"
    html = insert_article(compile_text(make_page("")), ARTICLE_MARKER, article)
    assert article in html
    assert ARTICLE_MARKER not in html


@pytest.mark.parametrize("html", ["<p></p>", f"{ARTICLE_MARKER}{ARTICLE_MARKER}"])
def test_missing_or_duplicate_marker_is_an_error(html: str) -> None:
    with pytest.raises(RenderError, match="place of the article was lost"):
        insert_article(html, ARTICLE_MARKER, "x")


def test_no_web_font_is_linked() -> None:
    html = compile_text(make_page('<mj-text font-family="Roboto, Open Sans">x</mj-text>'))
    assert "fonts.googleapis" not in html
    assert "@import" not in html


def test_compilation_is_deterministic_even_with_generated_ids() -> None:
    text = make_page(
        '<mj-navbar hamburger="hamburger"><mj-navbar-link href="/a">x</mj-navbar-link></mj-navbar>'
        '<mj-carousel><mj-carousel-image src="a" /><mj-carousel-image src="b" /></mj-carousel>'
    )
    assert compile_text(text) == compile_text(text)


def test_words_on_two_lines_stay_separate() -> None:
    html = compile_text(make_page("<mj-text>\n<b>one</b>\n<i>two</i>\n</mj-text>"))
    assert "<b>one</b> <i>two</i>" in html


@pytest.mark.parametrize("space", ["", " ", "\n", "  \n\t ", "\n\n"])
def test_white_space_between_components_has_no_effect(space: str) -> None:
    head = (
        f"{space}<mj-title>t</mj-title>{space}<mj-attributes>{space}<mj-all padding='0' />{space}"
    )
    text = make_page(f"{space}<mj-spacer />{space}", f"{head}</mj-attributes>{space}")
    tight = "<mj-title>t</mj-title><mj-attributes><mj-all padding='0' /></mj-attributes>"
    assert compile_text(text) == compile_text(make_page("<mj-spacer />", tight))


def test_outlook_comments_are_kept() -> None:
    text = (
        "<!--[if mso]><table><tr><td><![endif]--><p>x</p>"
        "<!--[if mso]></td></tr></table><![endif]-->"
        "<!--[if !mso]><!--><b>y</b><!--<![endif]-->"
    )
    assert text in compile_text(make_page(f"<mj-raw>{text}</mj-raw>"))


def test_unclosed_conditional_comment_is_an_error() -> None:
    message = get_problems(make_page("<mj-raw><!--[if mso]> --></mj-raw>"))
    assert message.startswith("a.mjml: a conditional comment is not closed")


def test_all_problems_are_reported_with_their_lines() -> None:
    message = get_problems(make_page('<mj-buton />\n\n<mj-text colour="red">x</mj-text>'))
    assert message.split("\n") == [
        "a.mjml:2: <mj-buton> is not an MJML component. Did you mean <mj-button>?",
        "a.mjml:4: <mj-text> has no attribute colour. Did you mean color?",
    ]


def test_byte_offsets_of_mrml_become_lines() -> None:
    message = get_problems(
        make_page("<mj-text>å</mj-text>\n<mj-raw>\n<!--[if mso]></td><![endif]--></mj-raw>")
    )
    assert message == "a.mjml:4: MJML can't be compiled (unexpected token)"


def test_mrml_error_without_an_offset_names_the_file() -> None:
    message = get_problems(make_page("<mj-raw><!--[if mso]><td><![endif]--></mj-raw>"))
    assert message.startswith("a.mjml: MJML can't be compiled (unexpected end of stream).")


def get_outlook_widths(section: str, head: str = "") -> list[str]:
    """Return the widths in Outlook of a section, its column and a divider in it, in px."""
    text = (
        f'<mjml><mj-head>{head}</mj-head><mj-body width="620px"><mj-section {section}><mj-column>'
        f'<mj-divider padding="0" /><mj-text>{ARTICLE_MARKER}</mj-text></mj-column></mj-section>'
        "</mj-body></mjml>"
    )
    return re.findall(r"(?<![-\w])width:(\d+)px", compile_text(text))


@pytest.mark.parametrize(
    ("section", "head", "content_width"),
    [
        ('padding="26px 32px 0px"', "", "556"),
        ('padding="26px 32px 0"', "", "556"),
        ('padding="0 32px"', "", "556"),
        ('padding="0 32px 0 32px"', "", "556"),
        ('padding="0 32px" padding-left="0"', "", "588"),
        ('padding="32px" border="0"', "", "556"),
        ('border="3px solid red" border-left="0"', "", "617"),
        ("", '<mj-attributes><mj-section padding="0 32px" /></mj-attributes>', "556"),
        ("", '<mj-attributes><mj-all padding="0 32px" /></mj-attributes>', "556"),
        (
            'mj-class="a"',
            '<mj-attributes><mj-class name="a" padding="0 32px"/></mj-attributes>',
            "556",
        ),
    ],
)
def test_outlook_gets_the_width_less_the_padding(
    section: str, head: str, content_width: str
) -> None:
    """The widths are those of npm's mjml 5.4.1."""
    widths = get_outlook_widths(section, head)
    assert widths[:2] == ["620", content_width]


def test_the_cell_of_a_wrapper_is_as_wide_as_its_section() -> None:
    section = f"<mj-section><mj-column><mj-text>{ARTICLE_MARKER}</mj-text></mj-column></mj-section>"
    text = (
        f'<mjml><mj-body width="620px"><mj-wrapper padding="0 30px">{section}</mj-wrapper>'
        "</mj-body></mjml>"
    )
    assert re.findall(r'<td width="(\d+)px"', compile_text(text)) == ["560"]


def test_inline_rules_and_attributes_are_taken_out() -> None:
    head = (
        "<mj-style inline='inline'>a > b { content: '&' }</mj-style>"
        "<mj-style>c { margin: 0 }</mj-style>"
        '<mj-style inline="inline">d { margin: 0 }</mj-style>'
        '<mj-html-attributes><mj-selector path=".x > a"><mj-html-attribute name="data-a">1 &amp; 2'
        '</mj-html-attribute><mj-html-attribute name="role">none</mj-html-attribute></mj-selector>'
        '<mj-selector path="i"><mj-html-attribute name="id"></mj-html-attribute></mj-selector>'
        "</mj-html-attributes>"
    )
    compiled = compile_whole(make_page("", head))
    assert compiled.inline_css == "a > b { content: '&' }\nd { margin: 0 }"
    assert compiled.html_attributes == (
        HtmlAttribute(".x > a", "data-a", "1 & 2"),
        HtmlAttribute(".x > a", "role", "none"),
        HtmlAttribute("i", "id", ""),
    )
    assert "c { margin: 0 }" in compiled.html
    assert "d { margin: 0 }" not in compiled.html


@pytest.mark.parametrize(
    "text",
    [
        make_page("<!-- a -- b --><mj-image src='?a=1&b=2' />"),
        make_page("<mj-text>a<br>b & c < d<hr></mj-text>"),
        make_page(
            "<mj-carousel><!-- a --><mj-carousel-image src='a'><!-- b --></mj-carousel-image>"
            "</mj-carousel>"
        ),
        make_page("<mj-image src='a' width='100'></mj-image><mj-spacer><!-- x --></mj-spacer>"),
        make_page(
            "<mj-accordion><!-- a --><mj-accordion-element><!-- a --><mj-accordion-title><!-- -->x"
            "</mj-accordion-title></mj-accordion-element></mj-accordion>"
        ),
        make_page("", "<mj-attributes><!-- a --><mj-all padding='0' /></mj-attributes>"),
        make_page("", "<mj-title><!-- a -->x</mj-title><mj-preview>a & b<!-- c --></mj-preview>"),
        make_page("", "<mj-style><!-- a{} --></mj-style>"),
        make_page("", "<mj-font name='Roboto' href='https://fonts.example/css?a=1&b=2' />"),
        make_page("").replace("<mjml>", "<mjml><mj-raw position='file-start'><!-- a --></mj-raw>"),
        f"<?xml version='1.0'?><!-- a --><!DOCTYPE mjml>{make_page('')}<!-- b -->",
        make_page("").upper().replace(ARTICLE_MARKER.upper(), ARTICLE_MARKER),
    ],
)
def test_mjml_as_people_write_it_compiles(text: str) -> None:
    assert ARTICLE_MARKER in compile_text(text)


def test_lines_of_problems_are_right_after_rewriting() -> None:
    message = get_problems(
        make_page(
            f"<mj-text>a<br>é {'& ' * 40}b\n<br></mj-text>\n<mj-image src='?a&b' hreff='x' />"
            "\n\n\n\n\n"
        )
    )
    assert message == "a.mjml:4: <mj-image> has no attribute hreff. Did you mean href?"


def test_plain_ampersands_in_style_sheets_reach_the_email_unescaped() -> None:
    html = compile_text(make_page("", "<mj-style>.a { &:hover { color: red } }</mj-style>"))
    assert "&amp;:hover" in html  # inlining unescapes it


@pytest.mark.parametrize(
    "content",
    [
        f"{RAW}{SECTION}",
        f"{SECTION}{RAW}{SECTION}",
        f"{SECTION}{RAW}",
        f"{RAW}{RAW}{SECTION}",
        RAW,
        f"{SECTION}<mj-raw></mj-raw><mj-raw/>{RAW}",
    ],
)
@pytest.mark.parametrize("is_full_width", [False, True])
def test_raw_html_between_the_sections_of_a_wrapper_is_shown_in_every_client(
    content: str, *, is_full_width: bool
) -> None:
    attributes = ' full-width="full-width"' if is_full_width else ""
    wrapper = f"<mj-wrapper{attributes}>{content}</mj-wrapper>"
    html = compile_text(make_page("").replace("<mj-body>", f"<mj-body>{wrapper}"))
    shown = re.sub(r"<!--\[if (?!!).*?<!\[endif\]-->", "", html, flags=re.DOTALL)
    assert shown.count("<p>Mooring</p>") == content.count("Mooring")
    assert shown.count("<!-- rope -->") == content.count("rope")
    assert "\ufdd4" not in html
    assert "\ufdd5" not in html


@pytest.mark.parametrize("component", ["mj-text", "mj-raw", "mj-button", "mj-table", ""])
@pytest.mark.parametrize(
    "written",
    [
        "a\u00a0b",
        "a\\b",
        "\U0001f468\u200d\U0001f469",
        "cafe\u0301",
        "\u0939\u093f",
        "a\u00adb",
        "é漢",
        "a&quot;b",
    ],
)
def test_attributes_are_shown_as_they_are_written(component: str, written: str) -> None:
    image = f'<img alt="{written}" src="a" />'
    content = f"<{component}>{image}</{component}>"
    if not component:
        content = image.replace("<img", "<mj-image")
    tree = etree.fromstring(compile_text(make_page(content)), etree.HTMLParser())
    alts = [image.get("alt") for image in tree.iter("img")]
    assert alts == [html.unescape(written)]


def test_a_line_break_in_an_attribute_is_a_space() -> None:
    text = compile_text(
        make_page('<mj-text><p style="\n  color: red;\n\tmargin: 0">x</p></mj-text>')
    )
    assert '<p style="   color: red;  margin: 0">' in text
