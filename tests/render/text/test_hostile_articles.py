"""Whatever the sanitizer accepts, article and text part contain all of its words."""

import re
from collections.abc import Callable

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from newsletter.config.models import Config
from newsletter.posts.html.sanitize import sanitize_html
from newsletter.posts.issue import Issue
from newsletter.render.article.build import build_article
from newsletter.render.article.dom import get_visible_text, parse_fragment
from newsletter.render.text.article import render_article_text

WORD = re.compile(r"w\d+w")
BLOCKS = """
    article aside blockquote dd details div dl dt figcaption figure h1 h2 h3 h4 h5 h6 li ol p pre
    section summary table tbody td tfoot th thead tr ul caption
""".split()
PHRASES = "a abbr b code del em i kbd q rt ruby s small span strong sub sup u var".split()
CLASSES = """
    callout callout-title embed embed-title embed-host footnotes gallery figure caption
    twitter-tweet task-list-item left-out table-scroll gallery-cell
""".split()

numbers = st.integers(0, 10**6)
words = st.one_of(
    numbers.map(lambda number: f"w{number}w"),
    st.sampled_from(
        ["潮の満ち引き。", "「海」", "ـبحر", "☐", "\u00ad", "\u200b", "a\u00a0b", "-nl0h-", "\n"]
    ),
    st.text(max_size=6),
)
texts = st.lists(words, max_size=5).map(" ".join)
attributes = st.one_of(
    st.just(""),
    st.sampled_from(CLASSES).map(lambda name: f' class="{name}"'),
    numbers.map(lambda number: f' id="i{number % 5}"'),
    st.sampled_from(
        [' href="#i1"', ' href="/a b?c"', ' href="https://[x"', ' start="7"', ' colspan="9"']
    ),
    st.sampled_from(
        [' rowspan="3"', ' style="width:900px;text-align:right"', ' role="presentation"']
    ),
)
voids = st.sampled_from(
    [
        "<br>",
        "<hr>",
        "<wbr>",
        '<img src="a.png">',
        '<img src="https://x.example/a.png" alt="alt words" width="50%" height="-3">',
        '<iframe src="https://www.youtube.com/embed/abc"></iframe>',
        '<video poster="p.png"><source src="v.mp4"></video>',
        "<iframe></iframe>",
    ]
)


def element(content: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.builds(
        lambda tag, attribute, parts: f"<{tag}{attribute}>{''.join(parts)}</{tag}>",
        st.sampled_from(BLOCKS + PHRASES),
        attributes,
        st.lists(content, max_size=4),
    )


pages = st.recursive(st.one_of(texts, voids), element, max_leaves=25)


# The function-scoped fixtures are factories without state.
@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(html=pages, width=st.integers(20, 90), links=st.sampled_from(["numbered", "inline"]))
def test_every_word_is_kept_in_order(
    html: str,
    width: int,
    links: str,
    make_issue: Callable[..., Issue],
    make_config: Callable[..., Config],
) -> None:
    body = sanitize_html(html)
    article = build_article(make_issue(body), make_config())
    assert sorted(WORD.findall(re.sub(r' id="[^"]*"', "", article.html))) == sorted(
        WORD.findall(body)
    )

    text = render_article_text(article.html, width=width, links=links)  # type: ignore[arg-type]

    assert WORD.findall(text) == WORD.findall(get_visible_text(parse_fragment(article.html)))
    assert text.endswith("\n")
    for line in text.split("\n"):
        assert line == line.rstrip()
        assert "\u00ad" not in line
        assert "\u200b" not in line
