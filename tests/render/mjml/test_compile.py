import pytest

from newsletter.errors import Location, RenderError, TemplateError
from newsletter.render.mjml.compile import Locator, compile_mjml, insert_article
from newsletter.render.personalization import ARTICLE_MARKER


def make_page(content: str, head: str = "") -> str:
    return (
        f"\n <mjml><mj-head>{head}</mj-head><mj-body><mj-section><mj-column>{content}"
        f"<mj-text>{ARTICLE_MARKER}</mj-text></mj-column></mj-section></mj-body></mjml>\n"
    )


def compile_text(text: str) -> str:
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
