"""What a source holds and its email doesn't."""

import html

import pytest

from newsletter.posts.content_loss.compare import ContentLoss, find_losses
from newsletter.posts.content_loss.describe import describe_loss, summarize_losses
from newsletter.posts.content_loss.inventory import take_inventory
from newsletter.posts.html.markdown import render_markdown
from newsletter.posts.removed_line import RemovedLine

POST = """\
First paragraph, which stays.

## A heading

- out at four
- back at nine

| tide | time |
|------|------|
| high | noon |

```
haul();
});
```

[The pier](https://fjord.example/pier) and ![a gull](gull.jpg)
<iframe src="https://player.example/v/aBcDeF"></iframe>
"""
EMAIL = """\
<p>First paragraph, which stays.</p><h2>A heading</h2>
<ul><li>out at four</li><li>back at nine</li></ul>
<table><tr><th>tide</th><th>time</th></tr><tr><td>high</td><td>noon</td></tr></table>
<pre>haul();
});</pre>
<p><a href="https://fjord.example/pier?utm_source=x">The pier</a> and
<img src="https://mail.example/i/gull.jpg" alt="a gull"></p>
<p><a href="https://player.example/v/aBcDeF">player.example</a></p>
"""


def losses(
    source: str, email: str, removed: tuple[RemovedLine, ...] = ()
) -> list[tuple[str, int, str]]:
    found = find_losses(take_inventory(source, "markdown"), take_inventory(email, "email"), removed)
    return [(loss.kind, loss.line, loss.text) for loss in found]


def test_nothing_is_lost() -> None:
    assert losses(POST, EMAIL) == []


@pytest.mark.parametrize(
    ("gone", "kind", "line", "text"),
    [
        ("<p>First paragraph, which stays.</p>", "paragraph", 1, "First paragraph, which stays"),
        ("paragraph, ", "words", 1, "paragraph"),
        ("<h2>A heading</h2>", "heading", 3, "A heading"),
        ("<li>back at nine</li>", "list item", 6, "back at nine"),
        ("<td>noon</td>", "table cell", 10, "noon"),
        ("haul();\n", "code line", 13, "haul"),
        ("});", "code line", 14, "});"),
        ('<a href="https://fjord.example/pier?utm_source=x">', "link", 17,
         "https://fjord.example/pier"),
        ('<img src="https://mail.example/i/gull.jpg" alt="a gull">', "image", 17, "gull.jpg"),
        ('<a href="https://player.example/v/aBcDeF">', "embed", 18,
         "https://player.example/v/aBcDeF"),
    ],
)  # fmt: skip
def test_each_kind_is_found_with_its_line(gone: str, kind: str, line: int, text: str) -> None:
    assert gone in EMAIL
    assert (kind, line, text) in losses(POST, EMAIL.replace(gone, ""))


@pytest.mark.parametrize(
    ("source", "email"),
    [
        ("A co-operation", "<p>A coope<wbr>ration</p>"),
        ("two words", "<p>twowords</p>"),
        ("[a](/b/c.html)", "<a href='https://x.net/b/c.html?utm_source=y'>a</a>"),
        ("[a](../c/?d=e#f)", "<a href='https://x.net/c/?d=e&amp;utm_source=y#f'>a</a>"),
        ("[a](http://www.x.net/B%20c/)", "<a href='https://x.net/b c'>a</a>"),
        ('<a href=http://x.net/b">a</a>', "<a href='http://x.net/b%22'>a</a>"),
        ("[a](www.x.net/b)", "<a href='https://y.net/c/www.x.net/b'>a</a>"),
        ("[a](%20www.x.net/b)", "<a href='https://y.net/%20www.x.net/b'>a</a>"),
        ("[a](%20https://x.net/b)", "<a href='https://y.net/%20https://x.net/b'>a</a>"),
        ("[a]([https://x.net/b](/c))", "<a href='https://y.net/%5Bhttps:/x.net/b%5D(/c)'>a</a>"),
        ("[a](https://x.net/?b&section=c)", "<a href='https://x.net/?b&amp;section=c'>a</a>"),
        ("[a][]\n\n[a]: /?b&copy=c&amp;d", "<a href='/?b&amp;copy=c&amp;d'>a</a>"),
        ("[a [b [c](/1) d](/2) e", "<a href='/1'>c</a> a b d](/2) e <a href='/2'>"),
        ("1. a\n2.\n3. b\n10)", "<ol><li>a</li><li></li><li>b</li></ol>"),
        ("> 1. a\n> 2.\n", "<ol><li>a</li><li></li></ol>"),
        ("two boats and[four](/4)", "<p>two boats</p> [1] <p>andfour</p> [2] <a href='/4'>x</a>"),
        ("{% highlight html %}\n<a href='/x'>a</a>\n{%- endhighlight %}", "<pre>a href x a</pre>"),
        ("```\n\ufeffa;\n```", "<pre>a;</pre>"),
        (
            "<code><a href='mailto:{x'>a</a></code>",
            "<code>&lt;a href=&quot;mailto:{x&quot;&gt;a&lt;/a&gt;</code>",
        ),
        ("[a](#here) [b](?page=2) [c](javascript:x)", "<p>a b c</p>"),
        ("![](a/my%20gull.jpeg)", "<img src='https://m.net/my gull-2.jpg'>"),
        ('<img src="blank.gif" data-src="/a/real.jpg">', "<img src='https://x.net/a/real.jpg'>"),
        ('<img src="https://s.w.org/1f6a2.png" alt="🚢">', "<p>🚢</p>"),
        (
            "<iframe src='//www.youtube.com/embed/aBcDeF?rel=0'></iframe>",
            "<a href='https://www.youtube.com/watch?v=aBcDeF'>x</a>",
        ),
        (
            "https://xn--i-7iq.example/ [a](https://❤.example/a)",
            "<a href='https://xn--qei.example/a'>a</a><a href='https://xn--i-7iq.example'></a>",
        ),
    ],
)
def test_another_form_of_the_same_is_no_loss(source: str, email: str) -> None:
    assert losses(source, email) == []


def test_words_are_counted_not_only_looked_up() -> None:
    rows = "| Yes |\n|---|\n" + "| Yes |\n" * 20
    email = "<table>" + "<tr><td>Yes</td></tr>" * 18 + "</table>"
    assert [kind for kind, _, _ in losses(rows, email)] == ["table cell"] * 3


def test_a_lost_block_is_found_among_its_repeated_words() -> None:
    source = "The cat sat there.\n\nThe dog sat there.\n\nThe cat ran.\n"
    email = "<p>The cat sat there.</p><p>The cat ran.</p>"
    assert losses(source, email) == [("paragraph", 3, "The dog sat there")]


def test_what_was_removed_on_purpose_is_no_loss() -> None:
    source = "Read this.\n\nShare this post https://x.net/share\n\nShare this post\n"
    email = "<p>Read this.</p>"
    removed = RemovedLine(3, "Share this post https://x.net/share", "share bar")
    assert losses(source, email, (removed,)) == [("paragraph", 5, "Share this post")]


def test_thousands_of_lost_words_are_all_found() -> None:
    source = "\n\n".join(f"word{number} here" for number in range(3_000))
    assert len(losses(source, "<p>here</p>")) == 3_000


@pytest.mark.parametrize(
    ("loss", "phrase"),
    [
        (ContentLoss("words", 3, "gone", 1), "a word is not in the email: 'gone'"),
        (ContentLoss("words", 3, "all gone", 2), "2 words are not in the email: 'all gone'"),
        (ContentLoss("image", 3, "a.png"), "an image is not in the email: 'a.png'"),
        (
            ContentLoss("list item", 3, "x" * 99, 1),
            f"a list item is not in the email: '{'x' * 59}…'",
        ),
    ],
)
def test_a_loss_in_words(loss: ContentLoss, phrase: str) -> None:
    assert describe_loss(loss) == phrase


def test_many_losses_are_summed_up_by_kind() -> None:
    many = [ContentLoss("paragraph", line, "All gone", 2) for line in (3, 5, 7, 9)]
    assert list(summarize_losses([*many, ContentLoss("link", 4, "/a")])) == [
        "4 paragraphs (8 words): 'All gone' (lines 3, 5, 7 and 1 more)",
        "1 link: '/a' (line 4)",
    ]


def test_a_summary_names_no_lines_if_none_is_known() -> None:
    losses = [ContentLoss("link", 0, "/a"), ContentLoss("link", 0, "/b")]
    assert list(summarize_losses(losses)) == ["2 links: '/a'"]
    assert list(summarize_losses([*losses, ContentLoss("link", 4, "/c")])) == [
        "3 links: '/a' (line 4)"
    ]


@pytest.mark.parametrize(
    "source",
    [
        "<!--[if gt IE 8]><!--><p>Fog</p><!--<![endif]-->",
        "<![if !IE]><p>Fog</p><![endif]>",
        "<script>document.write('<script src=\"a.js\"><' + '/scr');</script><p>Fog</p>",
        "<p>Fog</p><a href='/share'><i class='icon'></i> </a>",
        "<p>Fog</p><a href='/share'><svg viewbox='0 0 1 1'><path d='M0 0'/></svg></a>",
        "<p>Fog</p><a href='/share'><div role='img'><!----><div><svg></svg></div></div></a>",
        "<p>Fog</p><a href='/share'><div><div></div></div></a>",
        "<p>Fog</p><a href='/share'><p><!-- <b>icon</b> --></p></a>",
        "<p>Fog</p><a href='/share'><span><img class='lazy'>\n<img class='lazy' alt=''></span></a>",
        "<p>Fog</p><a href='/share'><figure><figcaption></figcaption></figure></a>",
        "<p>Fog</p><a href='/share'><picture><source></picture></a>",
        "<p>Fog</p><a href='/share'><button type='button'><i></i></button></a>",
        "<p>Fog</p><a href='/share'><iconify-icon icon='x'></iconify-icon></a>",
        "<p>Fog</p><a href='/share'><h3></h3></a>",
        "<p>Fog</p><div><a href='/share'> </div><div><a href='/share'> </div>\n<a name='end'></a>",
        "<p>Fog</p><a href='/share'>&nbsp;<br/></a>",
        "<p>Fog</p><a href='/share'>\u200b&#8203;&zwnj;&#xFEFF;</a>",
        "<p>Fog</p><a href='/share'><svg/><span title='a > b'></span></a>",
        "<p>Fog</p><a href='/share'><div data-v-1><svg/></div></a>",
    ],
)
def test_what_shows_nothing_is_no_loss(source: str) -> None:
    email = take_inventory("<p>Fog</p>", "email")
    assert find_losses(take_inventory(source, "html"), email) == ()


@pytest.mark.parametrize(
    "text",
    [
        "![By https://b.example/kari](/a.png)",
        "![By\nwww.b.example/kari now](/a.png)",
        "[![By https://b.example/kari/](/a.png)](https://c.example)",
        "![By https://b.example/kari][a]\n\n[a]: /a.png",
    ],
)
def test_an_address_in_an_alternative_text_is_no_link(text: str) -> None:
    email = take_inventory(render_markdown(text), "email")
    assert find_losses(take_inventory(text, "markdown"), email) == ()


@pytest.mark.parametrize(
    "address",
    [
        r"https://b.example/a\_b",
        r"https://b.example/a\_b\_c?d\=e\&f",
        r"https://b.example/a.html\#1.2.9",
        r"https://b.example/\~kari/a\*b",
        r"https://b.example/a\-b\.html",
        "https://b.example/?a=1&amp;b=2",
        r"www.b.example/a\_b",
    ],
)
@pytest.mark.parametrize("form", ["[{0}]({0})", "See {0} now.", "- {0}", "> {0}", "**{0}**"])
def test_an_address_with_escapes_is_the_address_without(address: str, form: str) -> None:
    text = form.format(address)
    email = take_inventory(render_markdown(text), "email")
    assert find_losses(take_inventory(text, "markdown"), email) == ()


@pytest.mark.parametrize(
    ("text", "gone"),
    [
        # U+2028 ends no line of code.
        ("```\nlet a = '\u2028';\nlet b;\n```", "let b;"),
        # The end of a quotation ends its fence, a line that begins a fence ends a paragraph.
        ("> ```\n> tide(1);\n\nHigh [water](/w) at noon.\n\n```\nebb()\n```", "High"),
        ("> ```\n> tide(1);\n> ```\n> ebb(2);\n\n## Low water", "Low water"),
        ("Row `a` or a `.\n```sql\nselect 1\n```\nNow `b` [c](/d).", "select"),
        ("Row at `noon\n- by `boat` and\n- by `bus`", "boat"),
        # A backtick behind a backslash begins no code span.
        (r"Here <code>\`I am ${</code> begins and <code>}\`</code> ends.", "begins"),
        (r"A \\`<b>` tag.", "tag"),
        ("[Try it](https://x.example/?q=(1*(f(g('%s'))))&r=(2)) now", "now"),
        ("[https://x.example/?a&GT1=2&lt=3](https://x.example/?a&GT1=2&lt=3) now", "now"),
        ("Drop the *www.* and *https://*, **now**", "now"),
        ("Tide\n: 1. High\n: 2. Low", "High"),
        # In a paragraph, a blank line ends the code of <pre>, not in a block of HTML.
        ("<div>\n<pre>a\n\n\\[b\\] *c*\n</pre></div>", "*c*"),
        ("Low <pre>a\n\n\\[b\\] *c*\n</pre>", "c"),
        ("<pre>a\n\n\\[b\\] *c*\n</pre>", "*c*"),
        ("``` title='https://x.example/1.2'\nlet a;\n```", "let a;"),
    ],
)
def test_markdown_is_read_as_it_is_rendered(text: str, gone: str) -> None:
    source = take_inventory(text, "markdown")
    shown = render_markdown(text)
    assert find_losses(source, take_inventory(shown, "email")) == ()
    assert gone in shown
    found = find_losses(source, take_inventory(shown.replace(gone, ""), "email"))
    assert any(loss.text in gone or gone in loss.text for loss in found)


@pytest.mark.parametrize(
    "content",
    [
        "<img src='/a.png'>",
        "<img data-src='/a.png' alt=''>",
        "<picture><source srcset='/a.png'><img></picture>",
        "<div><video src='/a.mp4'></video></div>",
        "<div><iframe src='https://a.example'></iframe></div>",
        "<div><p>.</p></div>",
        "<span data-url='/a.mp4'></span>",
        "<div>&#8594;</div>",
        "<!-- never closed",
    ],
)
def test_a_link_that_shows_something_is_a_loss(content: str) -> None:
    source = take_inventory(f"<p>Fog</p><a href='/share'>{content}</a>", "html")
    found = find_losses(source, take_inventory("<p>Fog</p>", "email"))
    assert "/share" in [loss.text for loss in found if loss.kind == "link"]


def test_urls_of_a_removed_line_are_no_words_of_it() -> None:
    source = take_inventory("<p>Fog</p><p><a href='/tag/boats'>More</a></p><p>boats</p>", "html")
    removed = (RemovedLine(1, "More /tag/boats", "hidden text"),)
    found = find_losses(source, take_inventory("<p>Fog</p>", "email"), removed)
    assert [(loss.kind, loss.text) for loss in found] == [("paragraph", "boats")]


def test_a_definition_is_listed_once_for_all_its_links() -> None:
    source = "[a][x] and [b][x]\n\n[x]: @/x.md\n"
    email = "<a href='https://y.net/x'>a</a> and <a href='https://y.net/x'>b</a>"
    listed = (RemovedLine(3, "@/x.md", "link to another post"),)
    assert losses(source, email, listed) == []
    assert [kind for kind, _, _ in losses(source, email)] == ["link", "link"]
    assert len(losses(f"{source}\n[c](@/x.md)", f"{email} c", listed)) == 1


@pytest.mark.parametrize(
    ("source", "email", "expected"),
    [
        ("[a](/x) b c [d](/x)", "<a href='/x'>a</a> b c d", [("link", 1, "/x")]),
        ("![](a.png)\n\nb\n\n![](a.png)", "<img src='a.png'><p>b</p>", [("image", 5, "a.png")]),
        ("![a][1]\n\n[1]: /x.png", "<img src='/x.png' alt='a'>", []),
        ("```\na = (b);\n```", "<pre>a = b;</pre>", [("code line", 2, "a = (b);")]),
        ('<map><area href="/pier" alt="Pier"></map>', "<p></p>", [("link", 1, "/pier")]),
        ("| a |\n|---|\n| \u2705 |", "<td>a</td><td></td>", [("table cell", 3, "\u2705")]),
        ("[a](https://x.net/{{ id }})", "<p>a</p>", []),
    ],
)
def test_repeated_references_code_and_symbols_are_counted(
    source: str, email: str, expected: list[tuple[str, int, str]]
) -> None:
    assert losses(source, email) == expected


@pytest.mark.parametrize(
    ("source", "email", "expected"),
    [
        # A number that ends a sentence or stands in one is a word.
        ("The year was 1998. Then it was 3.", "<p>The year was. Then it was</p>",
         [("words", 1, "1998"), ("words", 1, "3")]),
        ("{% highlight html %}\n<a href='/x'>a</a>\n", "<p>a</p>", [("link", 2, "/x")]),
        ("{% highlight x %}\n{% endhighlight %}\n[a](/x)", "<p>a</p>", [("link", 3, "/x")]),
        ("[a](https://x.net/b&amp;c)", "<a href='https://x.net/b'>a</a>",
         [("link", 1, "https://x.net/b&c")]),
        ("Oars and rope and[six](/6)", "<p>Oars rope andsix</p><a href='/6'>x</a>",
         [("words", 1, "and")]),
        ("a note for[us](/4) now", "<p>a note us</p><a href='/4'>now</a>", [("words", 1, "for")]),
    ],
)  # fmt: skip
def test_what_is_near_an_innocent_form_is_lost_all_the_same(
    source: str, email: str, expected: list[tuple[str, int, str]]
) -> None:
    assert losses(source, email) == expected


def test_a_hidden_passage_is_found_without_its_line_and_its_style() -> None:
    source = "Fog.\n\n<template>\nShadow boats\n<style>a { b: c }</style>\n</template>\n"
    removed = RemovedLine(0, "Shadow boats a { b: c }", "hidden text")
    assert losses(source, "<p>Fog.</p>", (removed,)) == []
    other = RemovedLine(0, "Other boats a { b: c }", "hidden text")
    assert losses(source, "<p>Fog.</p>", (other,)) == [("paragraph", 4, "Shadow boats")]


def test_a_listed_passage_that_the_email_has_hides_no_other_loss() -> None:
    source = 'Two boats left.\n\n{{< figure src="/a.png" caption="Two boats" >}}\n'
    listed = RemovedLine(3, '{{< figure src="/a.png" caption="Two boats" >}}', "shortcode")
    email = "<figcaption>Two boats</figcaption>"
    assert losses(source, email, (listed,)) == [("words", 1, "boats left")]
    assert losses(source, "<p>Two boats left.</p>", (listed,)) == []


@pytest.mark.parametrize(
    "block", ["A red boat at the pier", "A boat"], ids=["a long block", "a short one"]
)
def test_the_second_copy_of_a_removed_passage_is_no_loss(block: str) -> None:
    source = f"Boats:\n\n{block}\n\n{block}\n\nThe end."
    listed = (RemovedLine(3, block, "second copy of a picture"),)
    assert losses(source, f"<p>Boats:</p><p>{block}</p><p>The end.</p>", listed) == []
    found = losses(source, "<p>Boats:</p><p>The end.</p>", listed)
    assert found == [("paragraph", 5, block)]


def test_shortcodes_without_a_line_are_found_with_their_end_tags() -> None:
    source = take_inventory(
        '<p>[sea port="Lee"]High.[/sea]</p>\n[caption width="640"]<img src="a.png"> A caption'
        '[/caption]\n[caption width="640"]<img src="b.png"> Two[/caption]',
        "html",
    )
    email = "<p>High.</p><img src='a.png'><p>A caption</p><img src='b.png'><p>Two</p>"
    listed = (
        '[sea port="Lee"]',
        "[/sea]",
        '[caption width="640"] [/caption]',
        '[caption width="640"] [/caption]',
    )
    removed = tuple(RemovedLine(0, text, "shortcode") for text in listed)
    assert find_losses(source, take_inventory(email, "email"), removed) == ()
    lost = find_losses(source, take_inventory(email, "email"), removed[:3])
    assert {loss.text for loss in lost} == {'caption width="640', "caption"}


@pytest.mark.parametrize("url", ["https://a.example/v2?x=1&y=2", "www.a.example", "http://a/b\\_c"])
def test_a_url_in_code_is_compared(url: str) -> None:
    source = f"The address is:\n\n`{url}`\n\n`https://` is a scheme.\n"
    email = render_markdown(source)
    assert losses(source, email) == []
    without_url = email.replace(f"<p><code>{html.escape(url)}</code></p>", "")
    assert losses(source, without_url) == [("link", 3, url)]
