"""Nothing of a post vanishes unlisted, whatever markup swallows it."""

import html
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from newsletter.config.models import Config, SenderSettings
from newsletter.errors import PostError
from newsletter.posts.content_loss.inventory import Syntax, take_inventory
from newsletter.posts.html.markdown import render_markdown
from newsletter.posts.html.sanitize import sanitize_html
from newsletter.posts.issue import CallToAction, Issue
from newsletter.posts.removed_line import RemovedLine
from newsletter.render.article.build import build_article
from newsletter.render.issue import render_issue
from newsletter.render.lost_content import find_lost_content
from newsletter.render.template.loader import load_templates

MakeIssue = Callable[..., Issue]

ROOT = Path(__file__).parents[2]
CONFIG = Config(
    name="Harbour Notes",
    sender=SenderSettings(name="Ingrid", address="ingrid@harbournotes.example"),
    site_url="https://harbournotes.example",
    public_url="https://mail.harbournotes.example",
)
# Each "@" is a word that a reader could see. Some pieces never close what they open.
MARKDOWN = (
    "@ @", "**@**@", "- @", "1. @", "> @", "# @", "| @ | @ |", "|---|---|", "```\n@\n```\n",
    "```\n", "`@`", "`", "[@](/x)", "[@][r]", "[r]: /y\n", "![@](/i.png)", "[^1] @", "[^1]: @",
    "\n", "{% include x %}", "{% call %}@{% end %}", "{: .lead }", "{#id}", "    @", "~~@~~",
    "@\n===", "@\n---", "***", "&amp;@;", "\\@", "https://x.net/a @", ":::note\n@\n:::",
)  # fmt: skip
HTML = (
    "<p>@</p>", "<div>@", "</div>", "<video src=/v.mp4 controls />", "<video src='/v.mp4'>",
    "<iframe src='https://x.net/e' />", "<iframe src=https://x.net/e></iframe>", "<!-- x -->",
    "<!--", "<script>", "<script>x()</script>", "<style>a{}</style>", "<noscript>@</noscript>",
    "<details><summary>@</summary>@</details>", "<table><tr><td>@<td>@</table>", "<td>@</td>",
    "<ul><li>@<li>@</ul>", "<pre>@\n@</pre>", "<code>@</code>", "<a href=/q>@</a>", "<a href='/q",
    "<b>@", "</b>", "<x-card>@</x-card>", "<x-card/>@", "<form>@</form>", "<button>@</button>",
    "<textarea>@</textarea>", "<select><option>@</select>", "<template>@</template>", "<br/>@",
    "<svg><text>x</text></svg>", "<math><mn>1</mn></math>", "<img src=/i.png alt='@'>", "<hr>",
    "<picture><source srcset=/i.webp><img src=/i.png alt=@></picture>", "<h2>@</h2>",
    "<object>@</object>", "<p hidden>@</p>", "<title>@</title>", "<plaintext>", "<xmp>@</xmp>",
    "<![CDATA[@]]>", "<? @ ?>", "<audio src=/a.mp3>", "<noframes>@</noframes>", "<body>@",
    "<dialog>@</dialog>", "<marquee>@</marquee>", "<frameset>", "<head>", "<html>",
)  # fmt: skip


_INFO_STRING = re.compile(r"^[^\w\n`]*`{3,}([^`\n]*)$", re.MULTILINE)


def documents(pieces: tuple[str, ...]) -> st.SearchStrategy[str]:
    """Return texts made of these pieces, in any order."""
    parts = st.tuples(st.sampled_from(pieces), st.sampled_from(["\n\n", "\n", " ", ""]))
    return st.lists(parts, min_size=1, max_size=9).map(lambda chosen: "".join(map("".join, chosen)))


def assert_nothing_vanishes(make_issue: MakeIssue, text: str, syntax: Syntax) -> None:
    """Assert that each word is in the article, or told as lost or as removed.

    The info string of a fenced code block is for programs; no reader sees it.
    """
    words = [f"wq{number}z" for number in range(text.count("@"))]
    for word in words:
        text = text.replace("@", word, 1)
    try:
        body = sanitize_html(render_markdown(text) if syntax == "markdown" else text)
    except PostError:
        return
    issue = make_issue(body)
    article = build_article(issue, CONFIG)
    losses = find_lost_content(take_inventory(text, syntax), issue, article)
    told = " ".join([*(loss.text for loss in losses), *_INFO_STRING.findall(text)])
    assert [word for word in words if word not in article.html and word not in told] == []


@settings(max_examples=300)
@example("``` @ @\n\n")
@example("<select><option>@</select>\n::: @ @\n\n")
@given(documents(MARKDOWN + HTML))
def test_no_word_of_markdown_vanishes_unlisted(make_issue: MakeIssue, text: str) -> None:
    assert_nothing_vanishes(make_issue, text, "markdown")


@settings(max_examples=300)
@given(documents(HTML))
def test_no_word_of_html_vanishes_unlisted(make_issue: MakeIssue, text: str) -> None:
    assert_nothing_vanishes(make_issue, text, "html")


def test_what_the_issue_lists_as_removed_is_not_lost(make_issue: MakeIssue) -> None:
    source = take_inventory("Here.\n\n<form>Sign up</form>\n", "markdown")
    issue = make_issue("<p>Here.</p>")
    article = build_article(issue, CONFIG)
    assert [loss.line for loss in find_lost_content(source, issue, article)] == [3]
    listed = make_issue("<p>Here.</p>", post={"removed": (RemovedLine(3, "Sign up", "form"),)})
    assert find_lost_content(source, listed, article) == ()


@pytest.mark.parametrize(
    ("part", "gone", "line"),
    [("html", "never lands", 1), ("html", "Evening", 3), ("text", "never rests", 5)],
)
def test_a_word_lost_between_article_and_email_is_told(
    make_issue: MakeIssue, part: str, gone: str, line: int
) -> None:
    issue = make_issue(
        "<p>The gull never lands here.</p><h2>Evening</h2><p>It never rests at night.</p>"
    )
    text = "The gull never lands here.\n\n## Evening\n\nIt never rests at night.\n"
    article = build_article(issue, CONFIG)
    email = render_issue(issue, load_templates(ROOT / "templates"), CONFIG)
    source = take_inventory(text, "markdown")
    assert find_lost_content(source, issue, article, email=email) == ()
    damaged = replace(email, **{part: getattr(email, part).replace(gone, "")})
    losses = find_lost_content(source, issue, article, email=damaged)
    assert [(loss.text, loss.line) for loss in losses] == [(gone, line)]


def test_an_attribute_that_names_the_mark_is_no_mark() -> None:
    text = "<p>wq0z</p>\n<a href='/q\n\n<svg><text>x</text></svg>\n\n<a href='/q\n\n"
    assert "wq0z" in sanitize_html(render_markdown(text))


@pytest.mark.parametrize("part", ["html", "text"])
def test_the_title_in_the_template_makes_up_for_no_lost_word(
    make_issue: MakeIssue, part: str
) -> None:
    text = "The gull never lands here, not even at night.\n\nIt rests on the tide now.\n"
    issue = make_issue("".join(f"<p>{block}</p>" for block in text.strip().split("\n\n")))
    article = build_article(issue, CONFIG)
    email = render_issue(issue, load_templates(ROOT / "templates"), CONFIG)
    damaged = replace(
        email, **{part: getattr(email, part).replace("on the tide now", "on the now")}
    )
    losses = find_lost_content(take_inventory(text, "markdown"), issue, article, email=damaged)
    assert [(loss.text, loss.line) for loss in losses] == [("tide", 3)]


@pytest.mark.parametrize("title", ["Call the_tide_now()", "A 5 & 6 <b> of tide", "Low-water: why?"])
def test_a_heading_that_became_the_title_is_no_loss(make_issue: MakeIssue, title: str) -> None:
    issue = make_issue("<p>Low water.</p>", post={"title": title})
    source = take_inventory(f"<h1>{html.escape(title)}</h1><p>Low water.</p>", "html")
    assert find_lost_content(source, issue, build_article(issue, CONFIG)) == ()


@pytest.mark.parametrize(
    ("source", "copied_urls", "lost"),
    [
        ("https://b.example/a.png", {"82cd.png": ["https://b.example/a.png"]}, False),
        ("/a.png", {"82cd.png": ["https://b.example/b.png", "https://b.example/a.png"]}, False),
        ("https://b.example/a.png", {"82cd.png": ["https://b.example/b.png"]}, True),
        ("https://b.example/a.png", {}, True),
    ],
)
def test_image_with_the_name_of_its_copy_is_no_loss(
    make_issue: MakeIssue, source: str, copied_urls: dict[str, list[str]], *, lost: bool
) -> None:
    issue = make_issue('<p>Low water.</p><p><img src="82cd.png" alt=""></p>')
    inventory = take_inventory(f'<p>Low water.</p><img src="{source}">', "html")
    article = build_article(issue, CONFIG)
    losses = find_lost_content(inventory, issue, article, copied_urls=copied_urls)
    assert bool(losses) == lost


def test_what_the_text_part_writes_otherwise_is_no_loss(make_issue: MakeIssue) -> None:
    text = "- [x] Nets mended\n- [ ] Sails sewn\n\nAll was well.[^a]\n\n[^a]: Nearly.\n"
    issue = make_issue(sanitize_html(render_markdown(text)))
    email = render_issue(issue, load_templates(ROOT / "templates"), CONFIG)
    source = take_inventory(text, "markdown")
    article = build_article(issue, CONFIG)
    assert find_lost_content(source, issue, article, email=email) == ()


@pytest.mark.parametrize(
    "text",
    [
        "```sh\ncurl -s 'http://localhost:8080/a?x=1&utm_source=b' | jq\n```\n",
        "```sh\ncurl http://localhost:8080/a?x=1&utm_source=b | jq '.'\n```\n",
        "```js\nfetch(`https://tides.net/${id}/a?b=1`)\n```\n",
        "<iframe src='https://bandcamp.com/a=1/' data-href='https://f.bandcamp.com/b'></iframe>\n",
        "![https://tides.net/a.jpg](https://tides.net/a.jpg)\n",
        "![Fog at https://tides.net/fog](https://tides.net/a.jpg)\n",
        "[Fog at https://tides.net/fog](https://tides.net/a)\n",
        "[![https://tides.net/fog](https://tides.net/a.jpg)](https://tides.net/b)\n",
        "![Fog at https://tides.net/fog][r] [a https://tides.net/b][r]\n\n[r]: https://tides.net/a.jpg\n",
    ],
)
def test_what_looks_otherwise_in_the_email_is_no_loss(make_issue: MakeIssue, text: str) -> None:
    text = f"The gull never lands here.\n\n{text}"
    issue = make_issue(sanitize_html(render_markdown(text)))
    email = render_issue(issue, load_templates(ROOT / "templates"), CONFIG)
    source = take_inventory(text, "markdown")
    assert find_lost_content(source, issue, build_article(issue, CONFIG), email=email) == ()


@pytest.mark.parametrize(
    "html",
    [
        '<p>See <a href="https://b.example/x">https://b.example/<b>a</b>/<i>nest</i></a> here.</p>',
        '<pre>see <a href="https://b.example">https://b</a>.example/gulls/nests\\</pre>',
        "<pre><code>note: see #87 &lt;https://b.example/gulls/nests/87&gt; for more</code></pre>",
        '<p>up](https://b.example/<a href="https://c.example">Kari Moe</a>/x?type=view), which</p>',
        "<p><code>https://b.example/</code>gulls and www.b.example/<em>nests</em></p>",
        "<p>https://b.example/[@Kari][]/nests and more</p>",
    ],
)
def test_words_of_an_address_in_the_text_part_are_no_loss(make_issue: MakeIssue, html: str) -> None:
    issue = make_issue(html)
    email = render_issue(issue, load_templates(ROOT / "templates"), CONFIG)
    article = build_article(issue, CONFIG)
    source = take_inventory(html, "html")
    assert find_lost_content(source, issue, article, email=email) == ()


def test_a_word_in_the_address_of_a_link_makes_up_for_no_lost_word(make_issue: MakeIssue) -> None:
    html = '<p>The <a href="https://b.example/gulls">nest</a> of gulls is high.</p>'
    issue = make_issue(html)
    email = render_issue(issue, load_templates(ROOT / "templates"), CONFIG)
    damaged = replace(email, text=email.text.replace("of gulls", "of"))
    article = build_article(issue, CONFIG)
    losses = find_lost_content(take_inventory(html, "html"), issue, article, email=damaged)
    assert [loss.text for loss in losses] == ["gulls"]


def test_a_table_of_few_words_at_the_end_is_whole_in_the_text_part(make_issue: MakeIssue) -> None:
    header = "| |" + "".join(f" A long heading of column number {column} |" for column in range(6))
    rows = "".join(f"| Row number {row} of all | a | b | c | d | e | f |\n" for row in range(9))
    text = (
        "This is the first line of a post with a table.\n\n"
        f"{header}\n{'|---' * 7}|\n{rows}| The last of all rows | a | b | c | d | e | UB |\n"
    )
    issue = make_issue(sanitize_html(render_markdown(text)))
    email = render_issue(issue, load_templates(ROOT / "templates"), CONFIG)
    source = take_inventory(text, "markdown")
    assert find_lost_content(source, issue, build_article(issue, CONFIG), email=email) == ()


@pytest.mark.parametrize(
    "notes", [("Most of them.",), ("See it.", "Nearly all."), ("A longer note about the boats.",)]
)
@pytest.mark.parametrize("template", ["issue", "plain", "magazine"])
def test_short_footnotes_below_a_button_are_no_loss(
    make_issue: MakeIssue, notes: tuple[str, ...], template: str
) -> None:
    marks = "".join(f"[^{number}]" for number, _ in enumerate(notes))
    text = f"The gull never lands here{marks}, not even on most of them.\n\n" + "\n\n".join(
        f"[^{number}]: {note}" for number, note in enumerate(notes)
    )
    button = CallToAction("Read the log of the harbour master", "https://b.example/log")
    issue = make_issue(sanitize_html(render_markdown(text)), button=button, template=template)
    email = render_issue(issue, load_templates(ROOT / "templates"), CONFIG)
    article, source = build_article(issue, CONFIG), take_inventory(text, "markdown")
    assert find_lost_content(source, issue, article, email=email) == ()
    damaged = replace(email, html=email.html.replace(notes[-1][:-1], ""))
    assert damaged != email
    assert find_lost_content(source, issue, article, email=damaged) != ()
