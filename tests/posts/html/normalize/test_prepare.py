# ruff: noqa: E501 - a table reads best with one case a line
"""HTML of other tools: nothing is swallowed, the real sources are found, components are plain."""

import pytest

from newsletter.posts.html.markdown import render_markdown
from newsletter.posts.html.normalize.prepare import prepare_html
from newsletter.posts.html.sanitize import sanitize_article, sanitize_html

GIF = "data:image/gif;base64,R0lGODlhAQABAAAAACw="


@pytest.mark.parametrize(
    "tag",
    [
        '<video src="https://a.example/f.mp4" controls />',
        '<iframe src="https://a.example/f"/>',
        '<audio src="a.mp3"/>',
        "<div/>",
        "<textarea/>",
        "<script src='a.js' />",
        "<style/>",
        "<noscript/>",
        "<title/>",
        "<object/>",
        "<select/>",
        "<template/>",
        '<Callout kind="tip" />',
        "<my-chart data='3'/>",
        '<a name="tide"/>',
        "<svg/>",
        "<math/>",
    ],
)
@pytest.mark.parametrize("is_markdown", [True, False])
def test_self_closed_tag_swallows_nothing(tag: str, *, is_markdown: bool) -> None:
    text = f"Before.\n\n{tag}\n\nAfter {tag} it.\n\n## A heading"
    html = sanitize_html(render_markdown(text) if is_markdown else text)
    for words in ("Before.", "After", "it.", "A heading"):
        assert words in html
    assert is_markdown is ("<h2>A heading</h2>" in html)


@pytest.mark.parametrize(
    "html",
    [
        "<p>a<br/>b<hr/>c</p>",
        "<pre><code>&lt;div/&gt;</code></pre>",
        "<p>2 < 3 /> 1</p>",
        "<a href=https://a.example/>x</a>",
        "<svg><path d='M0'/></svg>".replace("<svg>", '<svg data-source-line="1">'),
        "<p>Hidden words, data-driven, display: none.</p>",
    ],
)
def test_plain_html_is_left_alone(html: str) -> None:
    assert prepare_html(html) == html


@pytest.mark.parametrize(
    ("html", "src"),
    [
        ('<img src="/img/blank.gif" data-lazy-src="a.jpg">', "a.jpg"),
        (f'<img src="{GIF}" data-src="a.jpg">', "a.jpg"),
        ('<img data-original="a.jpg">', "a.jpg"),
        ('<img src="s.jpg" class="lazyload" data-src="a.jpg">', "a.jpg"),
        ('<img data-srcset="a-400.jpg 400w, a-900.jpg 900w">', "a-900.jpg"),
        ('<img srcset="a-1.jpg 1x, a-2.jpg 2x, a-4.jpg 4x">', "a-2.jpg"),
        ('<img src="p.gif" srcset="a-1300.jpg 1300w,a-2600.jpg 2600w,a-300.jpg 300w">', "p.gif"),
        (f'<img src="{GIF}" srcset="a-1300.jpg 1300w,a-2600.jpg 2600w">', "a-1300.jpg"),
        (f'<img src="{GIF}" srcset="{GIF} 1w, /a,b.jpg 2w">', "/a,b.jpg"),
        ('<picture><source srcset="a.jpg 2x"><img src="data:,"></picture>', "a.jpg"),
        ('<picture><source srcset="b.jpg"><img src="a.jpg"></picture>', "a.jpg"),
        ('<img src="https://a.example/a.jpg?w=20" data-src="https://a.example/a.jpg">', None),
        ('<img src="/a.jpg" data-src="{json}" class="lazy">', "/a.jpg"),
        ('<amp-img src="a.jpg" width="6" height="3"></amp-img>', "a.jpg"),
        ('<iframe data-src="https://a.example/e" src="about:blank"></iframe>', None),
        ('<iframe data-lazy-src="https://a.example/e"></iframe>', None),
        ('<video data-src="https://a.example/e"></video>', None),
        ('<object data="https://a.example/e"><embed src="https://a.example/e"></object>', None),
        ('<embed src="https://a.example/e">', None),
        ('<spotify-audio src="https://a.example/e"></spotify-audio>', None),
    ],
)
def test_the_real_source_is_found(html: str, src: str | None) -> None:
    clean = sanitize_html(f"<p>a</p>{html}<p>b</p>")
    expected = src or ("https://a.example/a.jpg" if "a.jpg" in html else "https://a.example/e")
    assert f'src="{expected}"' in clean
    assert clean.count("src=") == 1
    assert clean.endswith("<p>b</p>")


@pytest.mark.parametrize(
    ("html", "clean"),
    [
        ("<noscript><p>Words.</p></noscript>", "<p>Words.</p>"),
        ('<noscript><img src="a.jpg"></noscript>', '<img src="a.jpg">'),
        (f'<img src="{GIF}"><noscript><img src="a.jpg"></noscript>', '<img src="a.jpg">'),
        ('<img src="a.jpg"> <noscript><img src="a.jpg"></noscript>', '<img src="a.jpg"> '),
        (
            '<img class="lazy" data-src="/i/a-300x200.jpg"><noscript><img src="/i/a.jpg"></noscript>',
            '<img class="lazy" src="/i/a-300x200.jpg">',
        ),
        ('<noscript><img src="a.jpg"></noscript><img data-src="a.jpg">', '<img src="a.jpg">'),
        (
            '<img src="a.jpg"><noscript><img src="b.jpg"></noscript>',
            '<img src="a.jpg"><img src="b.jpg">',
        ),
        (
            '<img src="a.jpg"><p>A.</p><noscript><img src="a.jpg"></noscript>',
            '<img src="a.jpg"><p>A.</p><img src="a.jpg">',
        ),
        ("<noscript>Please enable JavaScript.</noscript>", ""),
        ("<noscript><p>Open", "<p>Open</p>"),
    ],
)
def test_noscript_is_the_content_but_no_second_copy(html: str, clean: str) -> None:
    assert sanitize_html(html) == clean


@pytest.mark.parametrize(
    ("html", "clean"),
    [
        (
            '<lite-youtube videoid="Ab_1" playlabel="Play: Waves"></lite-youtube>',
            '<iframe src="https://www.youtube.com/embed/Ab_1" title="Waves"></iframe>',
        ),
        (
            '<amp-youtube data-videoid="Ab_1" layout="responsive"></amp-youtube>',
            '<iframe src="https://www.youtube.com/embed/Ab_1"></iframe>',
        ),
        (
            '<lite-vimeo videoid="12"><a>Film</a></lite-vimeo>',
            '<iframe src="https://player.vimeo.com/video/12"></iframe><a>Film</a>',
        ),
        (
            '<script src="https://gist.github.com/ada/0af.js"></script>',
            '<iframe src="https://gist.github.com/ada/0af" title="gist.github.com/ada/0af"></iframe>',
        ),
        (
            '<script src="https://gist.github.com/ada/0af.js?file=a.py"></script>',
            '<iframe src="https://gist.github.com/ada/0af" title="a.py"></iframe>',
        ),
        (
            '<script type="math/tex; mode=display">a < b</script>',
            '<span class="math">a &lt; b</span>',
        ),
        (
            '<script class="speakerdeck-embed" data-id="0af" src="//speakerdeck.com/assets/embed.js"></script>',
            '<iframe src="https://speakerdeck.com/player/0af"></iframe>',
        ),
        ("<my-note>Words <b>here</b>.</my-note>", "Words <b>here</b>."),
        (
            '<iframe src="https://a.example/p"><a href="https://b.example/">Rain</a></iframe>',
            '<iframe src="https://a.example/p" data-href="https://b.example/" title="Rain"></iframe>',
        ),
        (
            '<video controls><source src="a.mp4">Get <a href="a.mp4">the film</a></video>',
            '<video controls="" src="a.mp4" title="Get the film"></video>',
        ),
        ('<img class="emoji" src="https://s.w.org/x.png" alt="🚢">', "🚢"),
        ('<img class="wp-smiley" src="https://a.example/x.png" alt=":)">', ":)"),
        (
            '<img class="emoji" src="https://a.example/x.png" alt=":parrot:">',
            '<img class="emoji" src="https://a.example/x.png" alt=":parrot:" width="20" height="20">',
        ),
        ('<img src="https://a.example/x.png" alt="🚢">', None),
        ('<td bgcolor="#222">x</td>', "x"),
    ],
)
def test_components_become_plain_html(html: str, clean: str | None) -> None:
    assert sanitize_html(html) == (html if clean is None else clean)


@pytest.mark.parametrize(
    ("html", "removed"),
    [
        ("<p>a</p>\n<script>let tide;</script>", [(2, "let tide;", "script")]),
        ("<script src='/a.js'></script>", [(1, "/a.js", "script")]),
        ("\n\n<form><label>Name</label><button>Join</button></form>", [(3, "Name Join", "form")]),
        ("<form><p>a</p><p>b</p></form>", []),
        ("<select><option>Low<option>High</select>", [(1, "Low High", "form field")]),
        ("<textarea>Words</textarea>", [(1, "Words", "form field")]),
        (
            "<noscript>Please enable JavaScript.</noscript>",
            [(1, "Please enable JavaScript.", "notice about JavaScript")],
        ),
        (
            '<img src="a.jpg"><noscript><img src="a.jpg"></noscript>',
            [(1, "a.jpg", "second copy of a picture")],
        ),
        (
            "<audio src='a.mp3'>Your browser can't play it.</audio>",
            [(1, "Your browser can't play it.", "text for browsers without players")],
        ),
        ("<svg><text>Low water</text></svg>", [(1, "Low water", "text in a drawing")]),
        (
            "<svg><a class='x' href='/a?b&amp;c'><text>Low</text></a><use href='#d'/></svg>",
            [(1, "Low /a?b&c", "text in a drawing")],
        ),
    ],
)
def test_what_is_left_out_is_listed_with_its_line(
    html: str, removed: list[tuple[int, str, str]]
) -> None:
    assert list(sanitize_article(html).removed) == removed


def test_content_of_a_component_that_browsers_show_stays() -> None:
    card = '<x-card><template shadowrootmode="open"><p>Shown</p></template></x-card>'
    assert sanitize_article(card).html == "<div><p>Shown</p></div>"
    assert sanitize_article("<template><p>Unused</p></template>").removed[0].text == "Unused"


def test_player_that_is_never_closed_swallows_no_text() -> None:
    html = sanitize_article("<p>a <video> b</p><p>c <audio src='a.mp3'> d</p>").html
    assert " b</p>" in html
    assert " d</p>" in html
