import html
import operator
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import css_inline
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import html as lxml_html

from newsletter.errors import RenderError
from newsletter.render.css.html_attributes import HtmlAttribute
from newsletter.render.css.inline import inline_css


def page(body: str, head: str = "") -> str:
    return f"<!doctype html><html><head>{head}</head><body>{body}</body></html>"


class Listener(ThreadingHTTPServer):
    """A web server that counts its requests."""

    request_count: int = 0


class Counting(BaseHTTPRequestHandler):
    server: Listener

    def do_GET(self) -> None:
        self.server.request_count += 1
        body = b"p { color: red }"
        self.send_response(200)
        self.send_header("Content-Type", "text/css")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """No-op."""


@pytest.fixture
def listener() -> Iterator[Listener]:
    with Listener(("127.0.0.1", 0), Counting) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("place", ["css", "style", "media", "link"])
def test_no_stylesheet_is_fetched(listener: Listener, place: str) -> None:
    url = f"http://127.0.0.1:{listener.server_port}/{place}.css"
    rule = f'@import url("{url}");'
    head = {
        "css": "",
        "style": f"<style>{rule}</style>",
        "media": f'<style media="screen">{rule}</style>',
        "link": f'<link rel="stylesheet" href="{url}">',
    }[place]
    inlined = inline_css(page("<p>x</p>", head), rule if place == "css" else "p { margin: 0 }")
    assert listener.request_count == 0
    assert "red" not in inlined


def test_no_file_is_read(tmp_path: Path) -> None:
    secret = tmp_path / "secret.css"
    secret.write_text("p { color: #5ec4e7 }")
    for url in (secret.as_uri(), str(secret)):
        inlined = inline_css(
            page("<p>x</p>"), f'@import "{url}"; @import url({url}); p {{ margin: 0 }}'
        )
        assert "5ec4e7" not in inlined
        assert 'style="margin:0"' in inlined


def test_rules_in_style_blocks_are_not_inlined() -> None:
    head = "<style>p { color: red }</style><style media='screen'>p { top: 1px }</style>"
    inlined = inline_css(page("<p>x</p>", head), "p { margin: 0 }")
    assert '<p style="margin:0">x</p>' in inlined
    assert "<style>p { color: red }</style>" in inlined
    assert '<style media="screen">p { top: 1px }</style>' in inlined
    assert "data-premailer" not in inlined


@pytest.mark.parametrize(
    "rule",
    [
        "@media (prefers-color-scheme: dark) { p { color: #fff !important; } }",
        "@media only screen and (max-width:480px) { .x { width: 100% !important; } }",
        "@font-face { font-family: A; src: url(a.woff2); }",
        "@supports (display: grid) { p { display: grid; } }",
        "[data-ogsc] .nobody { color: #fff !important; }",
        "a:hover { color: red; }",
        ".a > .b { color: red; }",
    ],
)
def test_rules_in_style_blocks_stay_unchanged(rule: str) -> None:
    style = f"<style>{rule}</style>"
    assert style in inline_css(page("<p class='x'>x</p>", style), "p { margin: 0 }")


def test_quotes_escaped_by_jinja_are_unescaped_in_style() -> None:
    head = "<style>p { font-family: &#39;Segoe UI&#39;, &#34;A&#34; } a &gt; b { top: 0 }</style>"
    inlined = inline_css(page("<p>x</p>", head), "")
    assert """<style>p { font-family: 'Segoe UI', "A" } a > b { top: 0 }</style>""" in inlined


def test_rules_that_cannot_be_inlined_go_to_the_head() -> None:
    css = "p { margin: 0 } a:hover { color: red } @media print { p { color: #111 } }"
    inlined = inline_css(page("<p><a>x</a></p>"), css)
    head = inlined.partition("</head>")[0]
    assert "a:hover {color:red !important}" in head
    assert re.search(r"@media print \{\s*p \{\s*color: #111 !important", head)
    assert '<p style="margin:0">' in inlined


def test_doctype_is_in_capitals() -> None:
    assert inline_css(page("<p>x</p>"), "").startswith("<!DOCTYPE html>\n<html>")


def test_size_attributes_are_kept() -> None:
    body = (
        '<img src="a" width="640" height="9">'
        '<table width="600" align="center"><tr><td>x</td></tr></table>'
    )
    css = (
        "img { width: 100%; height: auto } table { width: 50%; text-align: right; "
        "background-color: #fff } td { vertical-align: top }"
    )
    inlined = inline_css(page(body), css)
    assert '<img src="a" width="640" height="9" style="width:100%; height:auto">' in inlined
    assert '<table width="600" align="center" style=' in inlined
    assert "bgcolor" not in inlined
    assert "valign" not in inlined


def test_floating_image_gets_no_align_attribute() -> None:
    assert " align=" not in inline_css(page('<img src="a">'), "img { float: right }")


def test_important_is_kept() -> None:
    inlined = inline_css(page("<p>x</p>"), "p { color: red !important }")
    assert '<p style="color:red !important">' in inlined


def test_existing_style_wins() -> None:
    inlined = inline_css(
        page('<p style="color:blue;mso-hide:all">x</p>'), "p { color: red; margin: 0 }"
    )
    assert '<p style="color:blue; margin:0; mso-hide:all">' in inlined


MSO = (
    "<!--[if mso | IE]><table><tr><td><![endif]--><p>x</p><!--[if mso | IE]></td></tr></table>"
    "<![endif]--><!--[if !mso]><!--><b>y</b><!--<![endif]-->"
)


def test_outlook_comments_are_kept_unchanged() -> None:
    assert MSO in inline_css(page(MSO), "b { margin: 0 }").replace(' style="margin:0"', "")


def test_lost_outlook_comment_is_an_error() -> None:
    with pytest.raises(RenderError, match="Outlook"):
        inline_css(page("<p>x</p>", "<title><!--[if mso]>a<![endif]--></title>"), "")


@pytest.mark.parametrize("depth", [98, 99, 255, 5_000])
def test_deep_nesting_is_kept_or_rejected(depth: int) -> None:
    deep = page("<div>" * (depth - 2) + "treasure" + "</div>" * (depth - 2))
    if depth <= 100:
        assert "treasure" in inline_css(deep, "div { margin: 0 }")
    else:
        with pytest.raises(RenderError, match="nested more than 100 deep"):
            inline_css(deep, "div { margin: 0 }")


@pytest.mark.parametrize("href", ["-nl0u-", "https://a.example/?n=-nl0u-&amp;b=1", "[weblink]"])
def test_placeholders_in_urls_are_kept(href: str) -> None:
    assert f'<a href="{href}">' in inline_css(page(f'<a href="{href}">x</a>'), "p { margin: 0 }")


def test_line_breaks_of_code_are_kept() -> None:
    code = "<pre>a\n\n  b\n<b>c</b>\n<i>d</i>\n\n</pre>"
    assert code in inline_css(page(code), "p { margin: 0 }")


def test_text_of_every_script_is_kept() -> None:
    text = "é 大潮 صباح 👩‍👩‍👧 &lt; &amp;"
    assert f"<p>{text}</p>" in inline_css(page(f"<p>{text}</p>"), "")


def test_inlining_is_thread_safe() -> None:
    jobs = [(page(f"<p class='c{n}'>x</p>"), f".c{n} {{ margin: {n}px }}") for n in range(40)]
    sequential = [inline_css(*job) for job in jobs]
    with ThreadPoolExecutor(8) as pool:
        parallel = list(pool.map(lambda job: inline_css(*job), jobs))
    assert parallel == sequential


def test_premailer_cache_is_enabled() -> None:
    program = (
        "from newsletter.render.css.inline import inline_css;"
        "inline_css('<p>x</p>', 'p { margin: 0 }');"
        "from premailer import cache; print(type(cache.cache).__name__, cache.cache.maxsize)"
    )
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PREMAILER")}
    process = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True
    )
    assert process.stdout == "LRUCache 4096\n"


TAGS = st.sampled_from(["p", "div", "b", "td"])
CLASSES = st.sampled_from(["a", "b", "c"])
RULES = st.lists(
    st.tuples(
        st.one_of(
            TAGS,
            CLASSES.map(".{}".format),
            st.tuples(TAGS, CLASSES).map(".".join),
            st.tuples(TAGS, CLASSES).map("{0[0]} .{0[1]}".format),
        ),
        st.sampled_from(["color", "margin-top", "font-size", "line-height"]),
        st.integers(1, 9),
    ),
    max_size=8,
)
LEAF = st.tuples(TAGS, CLASSES).map('<{0[0]} class="{0[1]}">x</{0[0]}>'.format)
TREE = st.recursive(
    LEAF,
    lambda inner: st.lists(inner, max_size=3).map(lambda parts: f"<div>{''.join(parts)}</div>"),
)


@settings(deadline=None)  # other processes share the machine
@given(TREE, RULES)
def test_inlined_properties_match_css_inline(body: str, rules: list[tuple[str, str, int]]) -> None:
    css = "\n".join(f"{selector} {{ {name}: {value}px }}" for selector, name, value in rules)
    document = page(body.replace("<td", "<div").replace("</td", "</div"))
    oracle = css_inline.CSSInliner(keep_style_tags=False, load_remote_stylesheets=False)
    expected = oracle.inline(document.replace("<head>", f"<head><style>{css}</style>"))
    assert styles(inline_css(document, css)) == styles(expected)


PARTS = operator.methodcaller("partition", ":")


def styles(text: str) -> list[dict[str, str]]:
    tree = lxml_html.document_fromstring(html.unescape(text))
    return [
        {
            name.strip(): value.strip()
            for name, colon, value in map(PARTS, (element.get("style") or "").split(";"))
            if colon
        }
        for element in tree.iter("p", "div", "b")
    ]


def test_attributes_are_set_before_the_rules_are_inlined() -> None:
    attributes = (HtmlAttribute("div > p", "class", "x"), HtmlAttribute("b", "title", "a & b"))
    inlined = inline_css(page("<div><p>1</p></div><p><b>2</b></p>"), ".x { margin: 0 }", attributes)
    assert '<p class="x" style="margin:0">1</p>' in inlined
    assert '<p><b title="a &amp; b">2</b></p>' in inlined


def test_escaped_rules_in_a_style_element_are_plain() -> None:
    head = "<style>a &gt; b { content: &#39;&lt;&#39; } .c { &amp;:hover { color: red } }</style>"
    inlined = inline_css(page("<p>x</p>", head), "")
    assert "<style>a > b { content: '<' } .c { &:hover { color: red } }</style>" in inlined
