from html.parser import HTMLParser

import pytest

from newsletter.posts.importing.blocks import outline_html


@pytest.mark.parametrize(
    ("html", "texts"),
    [
        ("<p>One</p><p>two", ["One", "two"]),
        ("<p>One</p>two <a href='x", ["One", "two"]),
        ("<p>One</p></p", ["One"]),
        ("<p>One</p><!-- two", ["One"]),
        ("<p>One</p>1 <2, and 3 < 4", ["One", "1 <2, and 3 < 4"]),
        ("<a <a <a", []),
        ("One", ["One"]),
        ("", []),
    ],
)
def test_a_tag_that_the_html_ends_in_is_no_text(html: str, texts: list[str]) -> None:
    assert [block.text for block in outline_html(html).blocks] == texts


@pytest.mark.parametrize("piece", ["<a ", "<td", "<img src='", "</", "<!--", "<?"])
def test_an_unfinished_tag_is_read_once(piece: str, monkeypatch: pytest.MonkeyPatch) -> None:
    fed: list[str] = []
    feed = HTMLParser.feed

    def record(parser: HTMLParser, text: str) -> None:
        fed.append(text)
        feed(parser, text)

    monkeypatch.setattr(HTMLParser, "feed", record)
    outline_html(f"<p>One</p>{piece * 20_000}")
    assert fed == ["<p>One</p>"]
