"""Cards of both editors and of the rendered HTML become the same blocks."""

import pytest

from newsletter.errors import PostError
from newsletter.posts.html.sanitize import sanitize_html
from newsletter.posts.importing.sources.ghost.cards import CardRenderer, Payload
from newsletter.posts.importing.sources.ghost.html_cards import rewrite_html_cards
from newsletter.posts.importing.sources.ghost.lexical import render_lexical
from newsletter.posts.importing.sources.ghost.mobiledoc import render_mobiledoc

CALLOUT = '<div class="callout callout-tip"><p>\U0001f4a1 Bring <b>rope</b>.</p></div>'
TOGGLE = "<details><summary>Why?</summary><p>Nobody <b>knows</b>.</p></details>"
BOOKMARK = (
    '<iframe src="https://tides.example/a" title="Tides" poster="https://tides.example/a.jpg">'
    '</iframe><p>All of them.</p><p class="small">The Harbour \u00b7 Ada</p><p>Read it.</p>'
)
GALLERY = (
    '<figure class="gallery"><img src="/1.jpg" alt="High"><a href="https://x.example"><img '
    'src="/2.jpg" alt=""></a><figcaption>Two <b>tides</b></figcaption></figure>'
)
BUTTON = '<p><a class="button" href="https://tides.example">Open</a></p>'
PRODUCT = (
    '<figure><img src="/rope.jpg" alt="Rope"></figure><h4>Rope</h4><p>\u2605\u2605\u2605\u2606'
    '\u2606</p><p>By the fathom.</p><p><a class="button" href="https://ropes.example">Buy</a></p>'
)
SPONSOR = (
    '<div class="sponsor"><figure><a href="https://ropes.example"><img src="/r.png" alt=""></a>'
    '</figure><p>Spliced.</p><p><a class="button" href="https://ropes.example">See</a></p></div>'
)
CARDS: list[tuple[str, Payload, str, str]] = [
    (
        "callout",
        {"calloutText": "Bring <b>rope</b>.", "calloutEmoji": "\U0001f4a1"},
        (
            '<div class="kg-card kg-callout-card '
            'kg-callout-card-blue"><div class="kg-callout-emoji">'
            '\U0001f4a1</div><div class="kg-callout-text">Bring <b>rope</b>.</div></div>'
        ),
        CALLOUT,
    ),
    (
        "toggle",
        {"heading": "Why?", "content": "<p>Nobody <b>knows</b>.</p>"},
        (
            '<div class="kg-card kg-toggle-card" data-kg-toggle-state="close"><div class='
            '"kg-toggle-heading"><h4 class="kg-toggle-heading-text">Why?</h4><button class='
            '"kg-toggle-card-icon"><svg><path d="M0"></path></svg></button></div><div class='
            '"kg-toggle-content"><p>Nobody <b>knows</b>.</p></div></div>'
        ),
        TOGGLE,
    ),
    (
        "bookmark",
        {
            "url": "https://tides.example/a",
            "metadata": {
                "title": "Tides",
                "description": "All of them.",
                "publisher": "The Harbour",
                "author": "Ada",
                "thumbnail": "https://tides.example/a.jpg",
                "icon": "",
            },
            "caption": "Read it.",
        },
        (
            '<figure class="kg-card kg-bookmark-card"><a class="kg-bookmark-container" href='
            '"https://tides.example/a"><div class="kg-bookmark-content"><div class='
            '"kg-bookmark-title">Tides</div><div class="kg-bookmark-description">All of them.</div>'
            '<div class="kg-bookmark-metadata"><span class="kg-bookmark-author">The Harbour</span>'
            '<span class="kg-bookmark-publisher">Ada</span></div></div><div class='
            '"kg-bookmark-thumbnail"><img src="https://tides.example/a.jpg" alt=""></div></a>'
            "<figcaption>Read it.</figcaption></figure>"
        ),
        BOOKMARK,
    ),
    (
        "gallery",
        {
            "images": [
                {"src": "/1.jpg", "alt": "High", "row": 0},
                {"src": "/2.jpg", "href": "https://x.example"},
            ],
            "caption": "Two <b>tides</b>",
        },
        (
            '<figure class="kg-card kg-gallery-card '
            'kg-width-wide"><div class="kg-gallery-container">'
            '<div class="kg-gallery-row"><div '
            'class="kg-gallery-image"><img src="/1.jpg" alt="High">'
            '</div><div class="kg-gallery-image"><a href="https://x.example"><img src="/2.jpg"></a>'
            "</div></div></div><figcaption>Two <b>tides</b></figcaption></figure>"
        ),
        GALLERY,
    ),
    (
        "button",
        {"buttonText": "Open", "buttonUrl": "https://tides.example"},
        (
            '<div class="kg-card kg-button-card kg-align-center"><a href="https://tides.example" '
            'class="kg-btn kg-btn-accent">Open</a></div>'
        ),
        BUTTON,
    ),
    (
        "product",
        {
            "productImageSrc": "/rope.jpg",
            "productTitle": "Rope",
            "productRatingEnabled": True,
            "productStarRating": 3,
            "productDescription": "<p>By the fathom.</p>",
            "productButtonEnabled": True,
            "productButton": "Buy",
            "productUrl": "https://ropes.example",
        },
        '<div class="kg-card kg-product-card"><div class="kg-product-card-container"><img '
        'src="/rope.jpg" class="kg-product-card-image"><div class="kg-product-card-title-container'
        '"><h4 class="kg-product-card-title">Rope</h4></div><div class="kg-product-card-rating">'
        + '<span class="kg-product-card-rating-active kg-product-card-rating-star"></span>' * 3
        + '<span class="kg-product-card-rating-star"></span>' * 2
        + '</div><div class="kg-product-card-description"><p>By the fathom.</p></div><a href='
        '"https://ropes.example" class="kg-product-card-button"><span>Buy</span></a></div></div>',
        PRODUCT,
    ),
    (
        "call-to-action",
        {
            "imageUrl": "/r.png",
            "textValue": "<p>Spliced.</p>",
            "buttonText": "See",
            "buttonUrl": "https://ropes.example",
            "sponsorLabel": "<p><span>SPONSORED</span></p>",
        },
        (
            '<div class="kg-card kg-cta-card"><div class="kg-cta-sponsor-label-wrapper"><div class='
            '"kg-cta-sponsor-label"><span>SPONSORED</span></div></div><div class="kg-cta-content">'
            '<div class="kg-cta-image-container"><img src="/r.png"></div><div class='
            '"kg-cta-content-inner"><div class="kg-cta-text"><p>Spliced.</p></div><a href='
            '"https://ropes.example" class="kg-cta-button">See</a></div></div></div>'
        ),
        SPONSOR,
    ),
    (
        "audio",
        {"src": "/a.mp3", "title": "Fog"},
        (
            '<div class="kg-card kg-audio-card"><div class="kg-audio-player-container"><audio src='
            '"/a.mp3" preload="metadata"></audio><div class="kg-audio-title">Fog</div><div class='
            '"kg-audio-player"><span class="kg-audio-current-time">0:00</span></div></div></div>'
        ),
        '<figure><audio src="/a.mp3" title="Fog" controls></audio></figure>',
    ),
    (
        "video",
        {"src": "/v.mp4", "thumbnailSrc": "/v.jpg", "caption": "The <b>lock</b>"},
        (
            '<figure class="kg-card kg-video-card" data-kg-thumbnail="/v.jpg"><div class='
            '"kg-video-container"><video src="/v.mp4" poster="https://img.spacergif.org/v1/1x1/"></video'
            "><div "
            'class="kg-video-overlay"><button>Play</button></div></div><figcaption>The <b>lock'
            "</b></figcaption></figure>"
        ),
        (
            '<figure><video src="/v.mp4" poster="/v.jpg" '
            "controls></video><figcaption>The <b>lock</b>"
            "</figcaption></figure>"
        ),
    ),
    (
        "file",
        {"src": "/t.pdf", "fileTitle": "Tides", "fileName": "t.pdf", "fileSize": 2_100_000},
        (
            '<div class="kg-card kg-file-card"><a '
            'class="kg-file-card-container" href="/t.pdf" title='
            '"Download"><div class="kg-file-card-contents"><div '
            'class="kg-file-card-title">Tides</div>'
            '<div class="kg-file-card-metadata"><div class="kg-file-card-filename">t.pdf</div><div '
            'class="kg-file-card-filesize">2.1 MB</div></div></div></a></div>'
        ),
        '<p><a href="/t.pdf"><strong>Tides</strong></a><br>t.pdf, 2.1 MB</p>',
    ),
    (
        "header",
        {
            "header": "Spring",
            "subheader": "At last",
            "buttonEnabled": True,
            "buttonText": "Open",
            "buttonUrl": "https://tides.example",
        },
        (
            '<div class="kg-card kg-header-card"><h2 class="kg-header-card-header">Spring</h2><h3 '
            'class="kg-header-card-subheader">At last</h3><a class="kg-header-card-button" href='
            '"https://tides.example">Open</a></div>'
        ),
        f"<h2>Spring</h2><p>At last</p>{BUTTON}",
    ),
]


@pytest.mark.parametrize(("name", "payload", "source", "expected"), CARDS)
def test_card_becomes_a_block(name: str, payload: Payload, source: str, expected: str) -> None:
    lexical = {"root": {"children": [{"type": name, "version": 1, **payload}]}}
    mobiledoc = {"version": "0.3.1", "cards": [[name, payload]], "sections": [[10, 0]]}
    for rendered in (
        render_lexical(lexical, CardRenderer()),
        render_mobiledoc(mobiledoc, CardRenderer()),
        rewrite_html_cards(f"<p>Before.</p>{source}<p>After.</p>", CardRenderer())
        .removeprefix("<p>Before.</p>")
        .removesuffix("<p>After.</p>"),
    ):
        assert sanitize_html(rendered) == sanitize_html(expected)


@pytest.mark.parametrize(
    ("name", "payload", "expected"),
    [
        (
            "image",
            {"src": "/a.jpg", "alt": "A & B", "caption": "The <b>quay</b>", "href": "/b"},
            (
                '<figure><a href="/b"><img src="/a.jpg" alt="A &amp; '
                'B"></a><figcaption>The <b>quay</b>'
                "</figcaption></figure>"
            ),
        ),
        (
            "codeblock",
            {"code": "a < b\n", "language": "c++", "caption": ""},
            '<pre><code class="language-c++">a &lt; b\n</code></pre>',
        ),
        ("hr", {}, "<hr>"),
        ("horizontalrule", {}, "<hr>"),
        ("html", {"html": "<p>Own</p>"}, "<p>Own</p>"),
        ("card-markdown", {"markdown": "**Old**"}, "<p><strong>Old</strong></p>\n"),
        ("email", {"html": "<p>Hello</p>"}, "<p>Hello</p>"),
        (
            "email-cta",
            {"html": "<p>Hi</p>", "showButton": True, "buttonText": "Go", "buttonUrl": "/go"},
            '<p>Hi</p><p><a class="button" href="/go">Go</a></p>',
        ),
        (
            "embed",
            {"html": "<iframe src='/v'></iframe>"},
            "<figure><iframe src='/v'></iframe></figure>",
        ),
        (
            "embed",
            {"url": "https://x.example", "metadata": {"title": "X"}},
            '<iframe src="https://x.example" title="X"></iframe>',
        ),
        ("paywall", {}, ""),
    ],
)
def test_card_is_rendered(name: str, payload: Payload, expected: str) -> None:
    assert CardRenderer().render(name, payload) == expected


def test_what_is_left_out_of_cards_is_listed() -> None:
    cards = CardRenderer()
    cards.render("signup", {"header": "Join <b>us</b>", "disclaimer": "No spam."})
    cards.render("bookmark", {"url": "https://a.example", "icon": "https://a.example/i.ico"})
    cards.render("transistor", {})
    assert [(entry.text, entry.why) for entry in cards.removed] == [
        ("Join us No spam.", "sign-up form of the site"),
        ("https://a.example/i.ico", "icon of a linked site"),
        ("Transistor", "player of a members' podcast"),
    ]
    rewrite_html_cards('<div class="kg-signup-card"><h2>Join</h2><form>x</form></div>', cards)
    assert cards.removed[-1].text == "Join x"
    cards.render("paywall", {})
    rewrite_html_cards("<p>a</p><!--members-only--><p>b</p>", cards)
    cards.render("email", {"html": 'Hi {first_name, "there"}', "segment": "status:free"})
    assert [note.key for note in cards.notes] == ["paywall", "segment", "email"]


def test_unknown_card_keeps_its_words() -> None:
    cards = CardRenderer()
    payload = {
        "heading": "Poll",
        "color": "red",
        "options": [{"label": "Yes"}, {"label": "<i>No</i>"}],
        "url": "https://p.example",
        "imageSrc": "https://p.example/p.png",
    }
    assert cards.render("poll", payload) == (
        '<p>Poll</p><p>Yes</p><i>No</i><p><a href="https://p.example">https://p.example</a></p>'
        '<figure><img src="https://p.example/p.png" alt=""></figure>'
    )
    assert "'poll'" in cards.notes[0].text


def test_card_without_a_pattern_stays() -> None:
    source = '<div class="kg-card kg-callout-card">Only this</div><figure class="kg-card">'
    assert rewrite_html_cards(source, CardRenderer()) == source


def lexical(*children: object) -> dict[str, object]:
    return {"root": {"type": "root", "children": list(children)}}


def text(words: str, bits: int = 0) -> dict[str, object]:
    return {"type": "extended-text", "text": words, "format": bits}


def paragraph(*children: object) -> dict[str, object]:
    return {"type": "paragraph", "children": list(children)}


def item(*children: object, **values: object) -> dict[str, object]:
    return {"type": "listitem", "children": list(children), **values}


def bullets(*items: object, **values: object) -> dict[str, object]:
    return {"type": "list", "listType": "bullet", "children": list(items), **values}


@pytest.mark.parametrize(
    ("node", "expected"),
    [
        (
            paragraph(text("a < b", 1 | 2), {"type": "linebreak"}, text("c")),
            "<p><em><strong>a &lt; b</strong></em><br>c</p>",
        ),
        (
            paragraph(*(text(word, 1 << bit) for bit, word in enumerate("bsuicdmh"))),
            (
                "<p><strong>b</strong><em>s</em><s>u</s><u>i</u><code>c</code><sub>d</sub><sup>m</sup>"
                "<mark>h</mark></p>"
            ),
        ),
        (
            {"type": "extended-heading", "tag": "h3", "children": [text("Knots")]},
            "<h3>Knots</h3>",
        ),
        ({"type": "heading", "tag": "script", "children": [text("x")]}, "<h2>x</h2>"),
        ({"type": "extended-quote", "children": [text("q")]}, "<blockquote>q</blockquote>"),
        ({"type": "aside", "children": [text("q")]}, "<blockquote>q</blockquote>"),
        (
            paragraph(
                {"type": "link", "url": "https://a.example/?b&c", "children": [text("link")]}
            ),
            '<p><a href="https://a.example/?b&amp;c">link</a></p>',
        ),
        (
            bullets(item(text("a")), item(bullets(item(text("b")))), item(text("c"))),
            "<ul><li>a<ul><li>b</li></ul></li><li>c</li></ul>",
        ),
        (
            bullets(item(text("a")), listType="number", start=3),
            '<ol start="3"><li>a</li></ol>',
        ),
        (
            bullets(
                item(text("a"), checked=True),
                item(text("b"), checked=False),
                listType="check",
            ),
            "<ul><li>\u2611 a</li><li>\u2610 b</li></ul>",
        ),
        (paragraph({"type": "emoji", "text": "\U0001f980"}), "<p>\U0001f980</p>"),
        ({"type": "box", "children": [paragraph(text("in"))]}, "<p>in</p>"),
    ],
)
def test_lexical(node: object, expected: str) -> None:
    assert render_lexical(lexical(node), CardRenderer()) == expected


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        (
            {
                "atoms": [["soft-return", "", {}], ["mention", "@ada", {}]],
                "markups": [["strong"], ["a", ["href", "https://a.example"]], ["script"]],
                "sections": [
                    [1, "p", [[0, [0], 0, "a"], [0, [1], 2, "b"], [1, [], 0, 0], [1, [], 0, 1]]],
                    [1, "H2", [[0, [2], 1, "<i>"]]],
                    [1, "p", []],
                ],
            },
            '<p><strong>a<a href="https://a.example">b</a></strong><br>@ada</p><h2>&lt;i&gt;</h2>',
        ),
        (
            {"sections": [[3, "ol", [[[0, [], 0, "a"]], [[0, [], 0, "b"]]]], [2, "/a.jpg"]]},
            '<ol><li>a</li><li>b</li></ol><figure><img src="/a.jpg" alt=""></figure>',
        ),
        (
            {"markups": [["em"]], "sections": [[1, "pull-quote", [[0, [0], 0, "a"]]]]},
            "<blockquote><em>a</em></blockquote>",
        ),
        (
            {"sections": [[10, 7], [1, "p", [[0, [9], 5, "a"], [1, [], 0, -1]]], "x", [99]]},
            "<p>a</p>",
        ),
    ],
)
def test_mobiledoc(document: object, expected: str) -> None:
    assert render_mobiledoc(document, CardRenderer()) == expected


@pytest.mark.parametrize("state", [None, [], {}, {"root": []}, {"sections": {}}])
def test_other_formats_are_refused(state: object) -> None:
    for render in (render_lexical, render_mobiledoc):
        with pytest.raises(PostError, match="not in the format"):
            render(state, CardRenderer())


def test_deep_nesting_is_refused() -> None:
    node: dict[str, object] = text("deep")
    for _ in range(200):
        node = {"type": "box", "children": [node]}
    with pytest.raises(PostError, match="nests too deeply"):
        render_lexical(lexical(node), CardRenderer())
