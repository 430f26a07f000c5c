"""Tags as the HTML Standard's tokenizer reads them."""

import time

import pytest

from newsletter.posts.html.normalize.tags import iter_html_tags, unescape_attribute


@pytest.mark.parametrize(
    ("html", "self_closed"),
    [
        ('<video src="a.mp4" controls />', True),
        ("<div/>", True),
        ("<div / >", True),
        ("<x y='1'z/>", True),
        ("<div>", False),
        ("<a href=https://a.example/>", False),
        ('<p title="/">', False),
        ("<p title='a/>b'>", False),
        ("<div / x>", False),
        ("</div/>", False),
    ],
)
def test_self_closed_tag_ends_with_a_slash_of_its_own(html: str, *, self_closed: bool) -> None:
    (tag,) = iter_html_tags(html)
    assert tag.is_self_closed is self_closed


@pytest.mark.parametrize(
    ("html", "names"),
    [
        ("<!-- <p/> --><i>", ["i"]),
        ("<script>'<p/>'</script><i>", ["script", "script", "i"]),
        ("<script/><i>", ["script", "i"]),
        ("<textarea><p></textarea><b>", ["textarea", "textarea", "b"]),
        ("a < b, 1 <2, <- and <", []),
        ("<!doctype html><P>", ["p"]),
        ("<p", []),
    ],
)
def test_tags_in_comments_and_scripts_are_not_tags(html: str, names: list[str]) -> None:
    assert [tag.name for tag in iter_html_tags(html)] == names


def test_attributes_are_unescaped_and_the_first_of_each_counts() -> None:
    (tag,) = iter_html_tags("<a HREF='/?a&amp;b' b=c d href=x e = 'f'>")
    assert tag.attributes == {"href": "/?a&b", "b": "c", "d": "", "e": "f"}


@pytest.mark.parametrize("piece", ['<a "', "<", "<a b='", "<p a=", "<!--", "<a/", "<script>"])
def test_hostile_text_takes_linear_time(piece: str) -> None:
    start = time.process_time()
    list(iter_html_tags(piece * 50_000))
    assert time.process_time() - start < 10


@pytest.mark.parametrize(
    ("value", "decoded"),
    [
        ("?a=1&amp;b=2", "?a=1&b=2"),
        ("?a=1&copy=2&sectionId=3&ordinal", "?a=1&copy=2&sectionId=3&ordinal"),
        ("&lt;&#x41;&#66;&#67", "<ABC"),
        ("&copy;&copy &copy", "\u00a9\u00a9 \u00a9"),
        ("&nosuch; & &;", "&nosuch; & &;"),
    ],
)
def test_references_in_an_attribute(value: str, decoded: str) -> None:
    assert unescape_attribute(value) == decoded
