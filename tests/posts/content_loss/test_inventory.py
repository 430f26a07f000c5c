"""What a text holds: words, links, images and code, whatever the markup around them."""

import pytest

from newsletter.posts.content_loss.inventory import Syntax, take_inventory


def words(text: str, syntax: Syntax = "markdown") -> str:
    return " ".join(take_inventory(text, syntax).words)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Low *tide* at `noon`", "low tide at noon"),
        ("un**believ**able snake_case", "unbelievable snakecase"),
        ("[the pier](/pier \"A title\") and [more][x]\n\n[x]: /more 'Title'", "the pier and more"),
        ("![A gull](/gull.jpg) [![Two](/2.png)](/big)", "a gull two"),
        ("a note.[^1]\n\n[^1]: The note.", "a note the note"),
        ("1. One\n2. [x] Two\n- [ ] Three", "one two three"),
        ("## Tides {#tides .big}\n{: .lead }", "tides"),
        ("{% include a.html %}{% call %}Stay{% endcall %}", "stay"),
        ('{{< figure src="/a.png" caption="Two boats" >}}', "two boats"),
        ('[caption id="a" width="3"]A gull[/caption] [sic] [1]', "a gull sic 1"),
        ("> [!TIP]\n> Row early.\n\n:::caution\nFog.\n:::", "row early fog"),
        ("see https://x.net/a/b?c=d and www.y.net.", "see and"),
        ("```js title=\"a.js\"\nlet a = '<b>';\n```", "a js let a b"),
        ("```js {1,3} subtitle=x showLineNumbers\nlet a\n```", "let a"),
        ("`<b>` and <b>bold</b>", "b and bold"),
        ("Bo &amp; Ada&#8217;s pr&eacute;s&nbsp;now", "bo ada s prés now"),
        ("soft\u00adhyphen zero\u200bwidth", "softhyphen zerowidth"),
        ("山田\n花子", "山 田 花 子"),
        (":wave: at 10:30:45 :https://x.net", "at 10 30 45"),
        ("a\\*b ½ ﬁne", "ab 1 2 fine"),
        ("x <!-- gone --> y", "x y"),
        ("x <!-- swallowed", "x swallowed"),
        ("<script>var a</script>x<script>swallowed", "x swallowed"),
        ("<video src=a><a href=b>old browser</a></video>x", "x"),
        ("<video src=a />swallowed", "swallowed"),
        ("<pre>a `b` [c]</pre> `d`", "a b c d"),
        ("a < b and c > d, <3", "a b and c d 3"),
        ("`not closed and <b>x</b>", "not closed and x"),
    ],
)
def test_the_words_of_markdown(text: str, expected: str) -> None:
    assert words(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("<p>One<p>Two</p>", "one two"),
        ("<td>1</td><td>2</td>", "1 2"),
        ("<b>un</b>happy<wbr>ness<br>now", "unhappyness now"),
        ('<img src="a.png" alt="A &quot;gull&quot;">', "a gull"),
        ("<img alt=Gull src=a.png data-x='>'>x", "gull x"),
        ("<head><title>Tab</title></head><body>Text", "text"),
        ("<head><title>Tab</title><body>Text", "text"),
        ("<head><meta name=a content=b><style>p { top: 0 }</style></head><body>Text", "text"),
        # A form begins the body.
        ("<head><title>Tab</title><form>Shown</form><body>Text", "shown text"),
        ("<head><title>Tab</title><form>Shown</form></head><body>Text", "shown text"),
        ('<x:code lang="a">Text</x:code> <a href=/b">and</a>', "text and"),
        ('<b id="a"">Text</b> <b title="">and</b> more', "text and more"),
        ("<style>a{}</style><svg><text>No</text></svg>Yes", "yes"),
        ("<!DOCTYPE html><?xml version='1'?>Yes<![CDATA[too]]>", "yes cdata too"),
        ("**stars** [brackets](are text)", "stars brackets are text"),
        ("{{ subscriber.name }} dear", "dear"),
        ("<a href='/x", "a href x"),
        ("<div><a href='#b' class='a footnote-number'>12</a><p>Tide <a>12</a>", "tide 12"),
        ("<g:plusone size=tall></g:plusone><fb:like/>Like <https://x.net/a>", "like"),
        ('<p class="ad"">Tide</p><p id=\'a>Low</p>', "tide low"),
        ("&copy 2009 Bj&oumlrn &nbsp&#8217s &unknown AT&T", "2009 björn s unknown at t"),
    ],
)
def test_the_words_of_html(text: str, expected: str) -> None:
    assert words(text, "html") == expected


def test_the_words_of_an_email_and_of_plain_text() -> None:
    assert words("<code>{{ subscriber.name }}</code>", "email") == "subscriber name"
    assert words("Write <b> & [x](y) &amp; https://x.net", "text") == "write b x y amp"


@pytest.mark.parametrize(
    ("text", "kind", "urls"),
    [
        ('[a](/b(c)d?e=f#g "T")', "link", [("/b(c)d?e=f#g",)]),
        ("[a](<b c>) <https://d.net/e>", "link", [("b c",), ("https://d.net/e",)]),
        ("[a][X] [b]\n\n[x]: /1\n[b]: /2\n[unused]: /3\n[x]: /4", "link", [("/1",), ("/2",)]),
        ("(see https://x.net/a_(b), or www.y.net.)", "link",
         [("https://x.net/a_(b)",), ("www.y.net",)]),
        ('<a class=x href="/a?b&amp;c">x</a>', "link", [("/a?b&c",)]),
        ("`[a](/b)` [c]({{ url }}) [](/empty)", "link", []),
        ("![a](b.png) text [![c](d.png)](/e)", "image", [("b.png",), ("d.png",)]),
        ('<img src="data:x" data-lazy-src="/a.jpg" data-srcset="/b.jpg 2x, /c.jpg 3x">', "image",
         [("data:x", "/a.jpg", "/b.jpg", "/c.jpg")]),
        ('<img src="/pixel.gif" width="1" height="1">', "image", []),
        ('<iframe data-src="/a" src="about:blank"></iframe>', "embed", [("about:blank", "/a")]),
        (r'    "<img src=\"/a.png\">"', "image", []),
        ("<video poster=/p.jpg><source src=/v.mp4></video>", "embed", [("/p.jpg", "/v.mp4")]),
    ],
)  # fmt: skip
def test_links_images_and_embeds(text: str, kind: str, urls: list[tuple[str, ...]]) -> None:
    references = take_inventory(text, "markdown").references
    assert [entry.urls for entry in references if entry.kind == kind] == urls


def test_lines_of_code_of_fences_and_pre() -> None:
    text = "```\nlet a;\n\n  });\n```\n<pre><code>x <b>y</b>\n&lt;z&gt;</code></pre>\n"
    lines = [code.strip() for _, code in take_inventory(text, "markdown").code_lines]
    assert lines == ["let a;", "});", "x y", "<z>"]


def test_blocks_have_kinds_and_lines_of_the_file() -> None:
    text = "# Tides\nText\nof two lines\n\n- one\n- two\n\n| a | b |\n|---|---|\n```\ncode\n```\n"
    inventory = take_inventory(text, "markdown", first_line=5)
    blocks = [
        (inventory.get_line(inventory.spans[block.first_word][0]), block.kind, block.word_count)
        for block in inventory.blocks
    ]
    assert blocks == [
        (5, "heading", 1),
        (6, "paragraph", 4),
        (9, "list item", 1),
        (10, "list item", 1),
        (12, "table cell", 1),
        (12, "table cell", 1),
        (15, "code line", 1),
    ]


@pytest.mark.parametrize(
    "unit",
    ["<!--", "<a ", '<a "', "[", "![", "](", "[a](", "][", "` `` ``` ", "```\n", "{{", "{%", "{:",
     "[a b=", "[/a", ":a", "[a]:", "[^", "> ", "> ```\n", "<pre>", "<script>", "<iframe>", "&", "http://("],
)  # fmt: skip
@pytest.mark.parametrize("syntax", ["markdown", "html"])
def test_hostile_text_keeps_its_length(unit: str, syntax: Syntax) -> None:
    text = unit * (200_000 // len(unit))
    assert len(take_inventory(text, syntax).text) == len(text)
