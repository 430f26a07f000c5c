"""Where an article is in the source of its page."""

import lxml.html
import pytest

from newsletter.posts.html.page.article_place import (
    find_article_place,
    find_article_range,
    number_start_tags,
    remove_tag_numbers,
)
from newsletter.posts.html.page_parts import remove_page_parts


def find_range(page: str, path: str, source: str | None = None) -> str | None:
    """Return the part of a source, or of the page, that is the article of the page."""
    root = lxml.html.document_fromstring(number_start_tags(page))
    place = find_article_place(page, root.find(f".//{path}"))
    assert place is not None
    found = find_article_range(page if source is None else source, place)
    return None if found is None else (source or page)[found.offsets.start : found.offsets.stop]


@pytest.mark.parametrize(
    ("page", "path", "text"),
    [
        ("<nav>Home</nav><article><p>Tide</p></article><footer>Shop", "article", "<p>Tide</p>"),
        # Elements of its name in it, beside it, and in comments and scripts.
        ("<div>a</div><DIV id=x>b<div>c</div>d</DIV><div>e", "div[@id='x']", "b<div>c</div>d"),
        ("<!-- <main> --><script>'<main>'</script><main>b<!--</main>-->c</main>d", "main",
         "b<!--</main>-->c"),
        # Without an end tag all of the source counts, since parsers differ in where it ends.
        ("<div>a</div><article>b<div>c</div>", "article", "b<div>c</div>"),
        # One too many: the part that the parser has in the article is still compared.
        ("<main><table><tr><td>b</main>c<td><div>d</div></table></main>e", "main",
         "<table><tr><td>b</main>c<td><div>d"),
    ],
)  # fmt: skip
def test_article_ends_where_its_element_does(page: str, path: str, text: str) -> None:
    assert find_range(page, path) == text


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("<title>[box]</title><article class=a>Low<p>tide</article>", "Low<p>tide"),
        ("<div></div><article class=a>Low tide</article>", None),
        ("<article class=b>Low tide</article>", None),
    ],
)
def test_source_with_other_tags_has_no_place(source: str, found: str | None) -> None:
    assert find_range("<article class=a>Low tide</article>", "article", source) == found


@pytest.mark.parametrize(
    ("page", "gaps"),
    [
        ("<main>a<nav>b<div>c</div></nav>d<nav>e</nav></main>", ["<nav>b<div>c</div>", "<nav>e"]),
        # Without an end tag, a parser may find its end elsewhere.
        ("<main><div><nav>b</div><p>c</p></main>", []),
        ("<main><div><nav>b</div><p>c<div>d</div></nav></main>", []),
    ],
)
def test_removed_parts_are_gaps_where_their_tags_agree(page: str, gaps: list[str]) -> None:
    root = lxml.html.document_fromstring(number_start_tags(page))
    article = root.find(".//main")
    place = find_article_place(page, article)
    assert place is not None
    parts = remove_page_parts(article, {"nav"}, ())
    removed = tuple((*part.numbers, part.entry) for part in parts if part.numbers)
    found = find_article_range(page, place._replace(removed=removed))
    assert found is not None
    assert [page[gap.start : gap.stop] for gap in found.gaps] == gaps
    assert len(found.removed) == len(gaps)


def test_numbers_are_removed() -> None:
    page = "<article class=a><div>b</div></article>"
    root = lxml.html.fragment_fromstring(number_start_tags(page))
    remove_tag_numbers(root)
    assert lxml.html.tostring(root, encoding="unicode") == page.replace("=a", '="a"')
    assert find_article_place(page, root) is None
