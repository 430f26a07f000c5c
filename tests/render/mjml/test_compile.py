import pytest

from newsletter.errors import Location, RenderError, TemplateError
from newsletter.render.mjml.compile import Locator, compile_mjml, insert_article
from newsletter.render.personalization import ARTICLE_MARKER


def page(inside: str, head: str = "") -> str:
    return (
        f"\n <mjml><mj-head>{head}</mj-head><mj-body><mj-section><mj-column>{inside}"
        f"<mj-text>{ARTICLE_MARKER}</mj-text></mj-column></mj-section></mj-body></mjml>\n"
    )


def compiled(text: str) -> str:
    def locator() -> Locator:
        return lambda offset: Location("a.mjml", text.encode()[:offset].count(b"\n") + 1)

    return compile_mjml(text, locator)


def complaint(text: str) -> str:
    with pytest.raises(TemplateError) as caught:
        compiled(text)
    return "\n".join(map(str, caught.value.problems))


def test_the_article_is_put_where_the_marker_was_and_never_seen_by_mrml() -> None:
    article = "<p>a<br>b <P>c & d</p>\n<pre>\n  x\n\n  y</pre>"
    html = insert_article(compiled(page("")), ARTICLE_MARKER, article)
    assert article in html
    assert ARTICLE_MARKER not in html


@pytest.mark.parametrize("html", ["<p></p>", f"{ARTICLE_MARKER}{ARTICLE_MARKER}"])
def test_an_article_without_one_place_is_an_error(html: str) -> None:
    with pytest.raises(RenderError, match="place was lost"):
        insert_article(html, ARTICLE_MARKER, "x")


def test_no_web_font_is_asked_of_a_third_party() -> None:
    html = compiled(page('<mj-text font-family="Roboto, Open Sans">x</mj-text>'))
    assert "fonts.googleapis" not in html
    assert "@import" not in html


def test_the_same_text_gives_the_same_bytes_even_where_mrml_needs_ids() -> None:
    text = page(
        '<mj-navbar hamburger="hamburger"><mj-navbar-link href="/a">x</mj-navbar-link></mj-navbar>'
        '<mj-carousel><mj-carousel-image src="a" /><mj-carousel-image src="b" /></mj-carousel>'
    )
    assert compiled(text) == compiled(text)


def test_two_words_on_two_lines_do_not_run_together() -> None:
    html = compiled(page("<mj-text>\n<b>one</b>\n<i>two</i>\n</mj-text>"))
    assert "<b>one</b> <i>two</i>" in html


@pytest.mark.parametrize("space", ["", " ", "\n", "  \n\t ", "\n\n"])
def test_white_space_between_components_is_of_no_matter(space: str) -> None:
    head = (
        f"{space}<mj-title>t</mj-title>{space}<mj-attributes>{space}<mj-all padding='0' />{space}"
    )
    text = page(f"{space}<mj-spacer />{space}", f"{head}</mj-attributes>{space}")
    tight = "<mj-title>t</mj-title><mj-attributes><mj-all padding='0' /></mj-attributes>"
    assert compiled(text) == compiled(page("<mj-spacer />", tight))


def test_conditional_comments_for_outlook_survive() -> None:
    text = (
        "<!--[if mso]><table><tr><td><![endif]--><p>x</p>"
        "<!--[if mso]></td></tr></table><![endif]-->"
        "<!--[if !mso]><!--><b>y</b><!--<![endif]-->"
    )
    assert text in compiled(page(f"<mj-raw>{text}</mj-raw>"))


def test_a_conditional_comment_that_is_not_closed_is_an_error() -> None:
    message = complaint(page("<mj-raw><!--[if mso]> --></mj-raw>"))
    assert message.startswith("a.mjml: a conditional comment is not closed")


def test_faults_are_told_with_their_lines_all_at_once() -> None:
    message = complaint(page('<mj-buton />\n\n<mj-text colour="red">x</mj-text>'))
    assert message.split("\n") == [
        "a.mjml:2: <mj-buton> is no MJML component. Did you mean <mj-button>?",
        "a.mjml:4: <mj-text> has no attribute colour. Did you mean color?",
    ]


def test_the_byte_offsets_of_mrml_become_lines() -> None:
    message = complaint(
        page("<mj-text>å</mj-text>\n<mj-raw>\n<!--[if mso]></td><![endif]--></mj-raw>")
    )
    assert message == "a.mjml:4: MJML can't be rendered here (unexpected token)"


def test_an_error_of_mrml_without_an_offset_names_the_file() -> None:
    message = complaint(page("<mj-raw><!--[if mso]><td><![endif]--></mj-raw>"))
    assert message.startswith("a.mjml: MJML can't be rendered here (unexpected end of stream).")
