# ruff: noqa: E501 - a table reads best with one case a line
"""Hidden text, second copies and buttons: left out and listed, or kept."""

import pytest

from newsletter.posts.html.markdown import render_markdown
from newsletter.posts.html.sanitize import sanitize_article


@pytest.mark.parametrize(
    ("html", "clean", "removed"),
    [
        ('<p>a</p><p style="color:red; display : none">x y</p>', "<p>a</p>", "hidden text: x y"),
        ('<div style="visibility:hidden">x</div>', "", "hidden text: x"),
        ("<div hidden><p>x</p><div>y</div></div><p>a</p>", "<p>a</p>", "hidden text: x y"),
        ("<p hidden>x<p>a", "<p>a</p>", "hidden text: x"),
        ("<template><p>x</p></template>a", "a", "hidden text: x"),
        ("<dialog>x</dialog>a", "a", "hidden text: x"),
        ("<dialog open>a</dialog>", "<div>a</div>", ""),
        ("<details><summary>a</summary>b</details>", None, ""),
        ('<p style="display:inline">a</p>', "<p>a</p>", ""),
        ('<p class="hidden-treasure">a</p>', None, ""),
        ('<a href="/x">a<span class="sr-only"> (new tab)</span></a>', '<a href="/x">a</a>', "for screen readers only: (new tab)"),
        ('<a href="/x"><span class="sr-only">a</span></a>', None, ""),
        ('<a href="/x"><img src="i.png"><span class="sr-only">x</span></a>', '<a href="/x"><img src="i.png"></a>', "for screen readers only: x"),
        ('<p><span aria-hidden="true">x y</span>a</p>', "<p>a</p>", "hidden from screen readers: x y"),
        ('<p><span aria-hidden="true">⚓ →</span> a</p>', "<p><span>⚓ →</span> a</p>", ""),
        ('<p aria-hidden="false">a</p>', "<p>a</p>", ""),
        ('<div aria-hidden="true">x<img src="a.png"></div>', '<div>x<img src="a.png"></div>', ""),
        ('<h2>a <a href="#a" aria-hidden="true">#</a></h2>', "<h2>a </h2>", "hidden from screen readers: # #a"),
        ('<p><span class="sr-only">Tide</span><span aria-hidden="true"><b>T</b>ide</span></p>', "<p><span><b>T</b>ide</span></p>", "for screen readers only: Tide"),
        ('<p><i class="material-icons">home</i> a</p>', "<p> a</p>", "name of an icon: home"),
        ('<p hidden>x <a href="/y">z</a></p>', "", "hidden text: x z /y"),
        ('<p>a</p><div class="sharedaddy sd-block"><h3>Teilen mit:</h3><a href="/?share=x">X</a></div>', "<p>a</p>", "share bar: Teilen mit: X /?share=x"),
        ('<p>a</p><div id="jp" class="jp-relatedposts"><h3>Ähnliche Beiträge</h3></div>', "<p>a</p>", "related posts: Ähnliche Beiträge"),
        ('<p class="share">a</p>', None, ""),
        ("<p>a</p>", None, ""),
    ],
)  # fmt: skip
def test_text_that_readers_do_not_see(html: str, clean: str | None, removed: str) -> None:
    result = sanitize_article(html)
    assert result.html == (html if clean is None else clean)
    assert "; ".join(f"{entry.why}: {entry.text}" for entry in result.removed) == removed


MATHML = "<math><mi>y</mi><annotation encoding='application/x-tex'>y</annotation></math>"
VISUAL = '<span aria-hidden="true"><span>y</span></span>'


@pytest.mark.parametrize(
    "html",
    [
        (
            f'<span class="katex"><span class="katex-mathml">{MATHML}</span>'
            '<span class="katex-html" aria-hidden="true"><b>y</b></span></span>'
        ),
        (
            '<mjx-container><mjx-math aria-hidden="true"><mjx-mi>y</mjx-mi></mjx-math>'
            f"<mjx-assistive-mml>{MATHML}</mjx-assistive-mml></mjx-container>"
        ),
        (
            f'<span class="MathJax_Preview">y</span><span class="MathJax">{VISUAL}'
            f'<span class="MJX_Assistive_MathML">{MATHML}</span></span>'
            '<script type="math/tex">y</script>'
        ),
        (
            f'<span><span class="mwe-math-mathml-inline" style="display: none">{MATHML}</span>'
            '<img class="mwe-math-fallback-image-inline" src="y.svg" alt="y"></span>'
        ),
    ],
    ids=["KaTeX", "MathJax 3", "MathJax 2", "MediaWiki"],
)
def test_formula_is_there_once(html: str) -> None:
    clean = sanitize_article(f"<p>If {html} then.</p>").html
    assert clean.count("y") == 1
    assert '<span class="math">y</span>' in clean
    assert "<img" not in clean


@pytest.mark.parametrize(
    "html",
    [
        '<span class="katex"><span class="katex-html">y</span></span>',
        '<p><span class="MathJax">y</span> and <span class="MathJax">z</span></p>',
    ],
)
def test_formula_without_another_copy_stays(html: str) -> None:
    assert sanitize_article(html).html == html


@pytest.mark.parametrize(
    ("html", "is_kept"),
    [
        ('<p class="button-wrapper"><a href="https://a.example/subscribe?">Join</a></p>', False),
        ('<p class="button-wrapper"><a href="https://a.example/p/x?action=share">S</a></p>', False),
        ('<p class="button-wrapper"><a href="https://a.example/p/x/comments">Say</a></p>', False),
        ('<div class="post-ufi"><a class="post-ufi-button">Like</a></div>', False),
        ('<a class="post-ufi-button"><span>Like</span><span>12</span></a>', False),
        ('<p class="button-wrapper"><a href="https://shop.example/">Get the book</a></p>', True),
        ("<p>Share</p>", True),
    ],
)
def test_buttons_of_the_platform_are_left_out_and_the_author_s_stay(
    html: str, *, is_kept: bool
) -> None:
    result = sanitize_article(f"<p>a</p>{html}")
    assert (result.html == f"<p>a</p>{html}") is is_kept
    assert bool(result.removed) is not is_kept


def test_lines_of_html_in_markdown_are_those_of_the_source() -> None:
    text = "One\ntwo <span hidden>x</span>\nthree\n\n<div>\n<p hidden>y</p>\n</div>\n\n> <p hidden>z</p>"
    removed = sanitize_article(render_markdown(text, first_line=11)).removed
    assert [(entry.line, entry.text) for entry in removed] == [(12, "x"), (16, "y"), (19, "z")]


def test_kept_lines_are_shown() -> None:
    html = '<p hidden>a</p>\n<p class="sr-only">b</p>\n<p hidden>c</p>'
    result = sanitize_article(html, keep={1, 2})
    assert result.html.split() == ["<p>a</p>", "<p>b</p>"]
    assert [entry.line for entry in result.removed] == [3]
