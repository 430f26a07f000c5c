"""The place of a page's article: its own elements, the settings' selector, its text."""

import pytest

from newsletter.errors import PostError
from newsletter.posts.html.extract_article import extract_article

LONG = "The tide turns at four, and the boats that went out in the fog come home one by one."
MENU = "<ul>" + "".join(f'<li><a href="/{n}">Older post {n}</a></li>' for n in range(9)) + "</ul>"
OTHER = "At the end of the quay an old man mends his nets, and says that it will rain soon."
CONTENT = (
    f"<p>{LONG}</p><ol><li>Cast off <kbd>c</kbd></li><li>Row<ul><li>hard</li></ul></li></ol>"
    f"<figure><img src='a.png' alt='Quay'><figcaption>The quay</figcaption></figure><p>{LONG}</p>"
    f"<pre><code>tide = 4</code></pre><p>The harbour is <b>calm</b> again. {LONG}</p>"
)


@pytest.mark.parametrize(
    ("body", "article"),
    [
        # The one with the h1, though another is longer; a teaser with an h1 is still a teaser.
        (f"<article><h1>a</h1><p>{LONG}</p></article><article>{CONTENT}</article>", "<h1>a</h1>"),
        (f"<article><h1>a</h1>b</article><article>{CONTENT}</article>", f"<p>{LONG}</p><ol>"),
        # No single one has it: the longest.
        (
            f"<article><h1>a</h1><p>{LONG}</p></article><article><h1>b</h1>{CONTENT}</article>",
            "<h1>b</h1>",
        ),
    ],
)
def test_article_with_the_main_heading_comes_first(body: str, article: str) -> None:
    assert extract_article(f"<body>{body}</body>", "p").html.startswith(article)


@pytest.mark.parametrize(
    ("selector", "article"),
    [
        ("main .post", f"<p>{LONG}</p>"),
        (".post", "<p>b</p>"),
        ("#x > DIV, .none", "<p>b</p>"),
    ],
)
def test_selector_of_the_settings_comes_before_all(selector: str, article: str) -> None:
    body = (
        f"<article>{CONTENT}</article><main><div class=post><p>{LONG}</p></div></main>"
        "<div id=x><div class='post a'><p>b</p></div></div>"
    )
    if selector == ".post":  # the one with the most text
        article = f"<p>{LONG}</p>"
    page = extract_article(f"<body>{body}</body>", "p", selector=selector)
    assert page.html == article
    assert any("The quay" in entry.text for entry in page.removed)


@pytest.mark.parametrize(
    ("selector", "words"),
    [
        ("main .story", "blog.article: nothing on the page matches 'main .story'. Change it"),
        ("main >", "blog.article: 'main >' is not a CSS selector that can be used"),
        ("p:hover::before", "blog.article: 'p:hover::before' is not a CSS selector"),
    ],
)
def test_selector_that_finds_nothing_is_named(selector: str, words: str) -> None:
    with pytest.raises(PostError) as caught:
        extract_article(f"<body><main>{CONTENT}</main></body>", "p", selector=selector)
    assert str(caught.value).startswith(f"newsletter.yml: {words}")


@pytest.mark.parametrize(
    ("body", "article"),
    [
        (
            (
                f"<div class=top>{MENU}</div><div id=wrap><div class=entry>{CONTENT}</div>"
                f"<div class=side>{MENU}</div></div><div>Powered by Harbour</div>"
            ),
            CONTENT,
        ),
        # With the heading above it, if there is hardly more.
        (
            f"{MENU}<div><h1>Tide</h1><div class=by>Ada</div><div>{CONTENT}</div></div>{MENU}",
            f"<h1>Tide</h1><div class=by>Ada</div><div>{CONTENT}</div>",
        ),
        # In several parts, with a menu between them.
        (
            f"{MENU}<div><div>{CONTENT}</div><p>{OTHER}</p>{MENU}</div><div>{MENU}</div>",
            f"<div>{CONTENT}</div><p>{OTHER}</p>{MENU}",
        ),
        # One list is never a whole article, and in the body there is no place to choose.
        (f"{MENU}{CONTENT}", None),
        ("<div><p>A short note.</p></div><div>b</div>", None),
    ],
)
def test_unmarked_article_is_found_by_its_text(body: str, article: str | None) -> None:
    page = extract_article(f"<html><body>{body}</body></html>", "p", search=True)
    expected = extract_article(f"<main>{article or body}</main><body>", "p").html
    assert page.html == expected
    if article:
        assert "Older post 8" in " ".join(entry.text for entry in page.removed)


def test_nothing_is_searched_for_unless_asked() -> None:
    body = f"<div>{MENU}</div><div>{CONTENT}</div>"
    assert "Older post" in extract_article(f"<html><body>{body}</body></html>", "p").html
