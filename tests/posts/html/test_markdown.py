import re

import lxml.html
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml.html import HtmlElement

from newsletter.config.theme import LIGHT
from newsletter.posts.html.highlight import _STYLE_BY_TOKEN_TYPE
from newsletter.posts.html.markdown import iter_unclosed_blocks, render_markdown
from newsletter.posts.html.sanitize import sanitize_html


def render_tree(text: str, language: str = "en") -> HtmlElement:
    return lxml.html.fragment_fromstring(
        render_markdown(text, language=language), create_parent="div"
    )


def get_text(element: HtmlElement) -> str:
    return " ".join(str(element.text_content()).split())


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("a ~~b~~", "<p>a <s>b</s></p>"),
        ("Term\n: What it is", "<dl>\n<dt>Term</dt>\n<dd>What it is</dd>\n</dl>"),
        ("[a](b){.button}", '<p><a href="b" class="button">a</a></p>'),
        ("[bonjour]{lang=fr}", '<p><span lang="fr">bonjour</span></p>'),
        ("{#quay .wide}\n## A", '<h2 id="quay" class="wide">A</h2>'),
        ("<kbd>Esc</kbd>", "<p><kbd>Esc</kbd></p>"),
        (
            r"https://a.example/b\_c\#d",
            '<p><a href="https://a.example/b_c#d">https://a.example/b_c#d</a></p>',
        ),
        (
            "https://a.example/?b=1&amp;c=2",
            '<p><a href="https://a.example/?b=1&amp;c=2">https://a.example/?b=1&amp;c=2</a></p>',
        ),
        (
            r"www.a.example/b\_c",
            '<p><a href="http://www.a.example/b_c">www.a.example/b_c</a></p>',
        ),
        (
            "https://a.example/?b=1",
            '<p><a href="https://a.example/?b=1">https://a.example/?b=1</a></p>',
        ),
        ("(a) (b) (c)", "<p>(a) (b) (c)</p>"),
        ("a  \nb\\\nc", "<p>a<br>\nb<br>\nc</p>"),
        (
            "::: gallery\n![a](b)\n:::",
            '<div class="gallery">\n<p><img src="b" alt="a"></p>\n</div>',
        ),
        (
            ":::: Sponsor *A* & B\n::: pullquote\nb\n:::\n::::\nc",
            (
                '<div class="sponsor">\n<p class="sponsor-name"><em>A</em> &amp; B</p>\n'
                '<blockquote class="pullquote">\n<p>b</p>\n</blockquote>\n</div>\n<p>c</p>'
            ),
        ),
        (
            "::: reply Which knot?\n:::\n\n:::reply",
            (
                '<div class="reply-invitation">\n<p>Which knot?</p>\n</div>\n'
                '<div class="reply-invitation"></div>'
            ),
        ),
        ("::: replies\nb\n:::", "<p>::: replies\nb\n:::</p>"),
    ],
)
def test_extensions_are_rendered(text: str, html: str) -> None:
    assert render_markdown(text).strip() == html


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("{% include a.html b=1 %}", "<p>{% include a.html b=1 %}</p>"),
        ("{% note %}words{% endnote %}", "<p>{% note %}words{% endnote %}</p>"),
        ("[a]{% b %}c", "<p>[a]{% b %}c</p>"),
        ("{.a} words {b}", "<p>{.a} words {b}</p>"),
        ("{}", "<p>{}</p>"),
        ("{.a}\n{#b}\n\nc", '<p id="b" class="a">c</p>'),
        ("## A {#b}", '<h2 id="b">A</h2>'),
        ("## A {#b .c}", '<h2 id="b" class="c">A</h2>'),
        ("## A {: #b}", '<h2 id="b">A</h2>'),
        ("## A\n{: #b .c}", '<h2 id="b" class="c">A</h2>'),
        ("## The set {1, 2}", "<h2>The set {1, 2}</h2>"),
        ("## A{#b}", "<h2>A{#b}</h2>"),
        ("a\nb\n{: .lead }", '<p class="lead">a\nb</p>'),
        ("a\n{: .x}\n{:.y title='z'}", '<p class="y x">a</p>'),
        ("[a](b){:target='_blank'}", '<p><a href="b">a</a></p>'),
        ("[a](b){: .button}", '<p><a href="b" class="button">a</a></p>'),
        ("a {: b } c", "<p>a {: b } c</p>"),
        ("a {:( b", "<p>a {:( b</p>"),
        ("`{: .a}`", "<p><code>{: .a}</code></p>"),
    ],
)
def test_only_attributes_are_taken_for_attributes(text: str, html: str) -> None:
    assert render_markdown(text).strip() == html


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("**「あ」**は", "<strong>「あ」</strong>は"),
        ("は**「あ」**", "は<strong>「あ」</strong>"),
        ("**《一》**二", "<strong>《一》</strong>二"),
        ("*「あ」*は~~「い」~~は", "<em>「あ」</em>は<s>「い」</s>は"),
        ("**“一”**二", "<strong>“一”</strong>二"),
        ("**[a](b)**は", '<strong><a href="b">a</a></strong>は'),
        ("한국어**(조사)**는", "한국어<strong>(조사)</strong>는"),
        ("** あ **は", "** あ **は"),
        ("**(a)**b", "**(a)**b"),
        ("🎉**(a)**b", "🎉**(a)**b"),
        ("a_「b」_c", "a_「b」_c"),
    ],
)
def test_stars_beside_cjk_brackets_are_emphasis(text: str, html: str) -> None:
    assert render_markdown(text).strip() == f"<p>{html}</p>"


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("==a b==", "<mark>a b</mark>"),
        ("a ==**b**== c", "a <mark><strong>b</strong></mark> c"),
        ("重要==です==か", "重要<mark>です</mark>か"),
        ("a == b == c", "a == b == c"),
        ("a==b==c", "a==b==c"),
        ("====", "===="),
        ("===a===", "===a==="),
        ("`==a==`", "<code>==a==</code>"),
        ("==a", "==a"),
    ],
)
def test_double_equals_sign_marks_text(text: str, html: str) -> None:
    assert render_markdown(text).strip() == f"<p>{html}</p>"


def test_tables_keep_their_alignment() -> None:
    table = render_tree("| a | b |\n|:--|--:|\n| 1 | 2 |")
    assert [th.get("style") for th in table.iter("th")] == ["text-align:left", "text-align:right"]
    assert [get_text(td) for td in table.iter("td")] == ["1", "2"]


def test_footnotes_link_to_notes_and_back() -> None:
    root = render_tree("One[^a], two[^b], one again[^a].\n\n[^a]: First\n[^b]: Second\n\n    More")
    references = root.findall(".//sup/a")
    assert [get_text(reference) for reference in references] == ["[1]", "[2]", "[1]"]
    notes = root.findall(".//section/ol/li")
    assert [get_text(note).rstrip("\u21a9\ufe0e ") for note in notes] == ["First", "Second More"]
    ids = {str(element.get("id")) for element in root.iter() if element.get("id")}
    assert len(ids) == len([element for element in root.iter() if element.get("id")])
    for link in root.iter("a"):
        assert str(link.get("href")).removeprefix("#") in ids


def test_task_list_items_become_characters() -> None:
    root = render_tree("- [x] rope\n- [ ] thermos\n- plain\n\n1. [X] *loose*\n\n2. b")
    items = [get_text(li) for li in root.iter("li")]
    assert items == ["\u2611 rope", "\u2610 thermos", "plain", "\u2611 loose", "b"]
    assert not list(root.iter("input"))


@pytest.mark.parametrize("kind", ["note", "tip", "important", "warning", "caution"])
def test_both_callout_syntaxes_render_the_same_html(kind: str) -> None:
    github = render_markdown(f"> [!{kind.upper()}]\n> Mind the *gap*.")
    colons = render_markdown(f"::: {kind}\nMind the *gap*.\n:::")
    assert github == colons
    callout = lxml.html.fragment_fromstring(github)
    assert callout.get("class") == f"callout callout-{kind}"
    assert [(p.get("class"), get_text(p)) for p in callout] == [
        ("callout-title", kind.capitalize()),
        (None, "Mind the gap."),
    ]


def test_callout_may_have_a_title_and_contain_blocks() -> None:
    callout = render_tree('::: tip Bring a "friend"\n- a\n\n```\nb\n```\n:::\nafter')[0]
    assert get_text(callout[0]) == "Bring a “friend”"
    assert [child.tag for child in callout] == ["p", "ul", "pre"]


def test_unknown_container_stays_text() -> None:
    assert render_markdown("::: unknown\nx\n:::") == "<p>::: unknown\nx\n:::</p>\n"


@pytest.mark.parametrize(
    ("language", "quoted"),
    [
        ("en", "“It’s ‘so’”"),
        ("de-AT", "„It’s ‚so‘“"),
        ("nb", "«It’s ‘so’»"),
        ("fr", "«\u00a0It’s “so”\u00a0»"),
        ("sv", "”It’s ’so’”"),
        ("tlh", "“It’s ‘so’”"),
    ],
)
def test_quotation_marks_depend_on_the_language(language: str, quoted: str) -> None:
    assert render_markdown("\"It's 'so'\"", language=language) == f"<p>{quoted}</p>\n"
    assert render_markdown('`"a"`', language=language) == "<p><code>&quot;a&quot;</code></p>\n"


CODE = '\n\ndef tide(h):\n\n    """Metres."""\n\treturn h  # "now"\n\n\n'


@pytest.mark.parametrize("language", ["python", "no-such-language", "", "text"])
def test_code_keeps_all_line_breaks(language: str) -> None:
    code = render_tree(f"```{language}\n{CODE}```")[0][0]
    assert code.text_content() == CODE
    assert bool(code.findall("span")) == (language == "python")


@pytest.mark.parametrize(
    ("info", "title"),
    [
        ('js title="a b.js"', "a b.js"),
        ("js title='a.js' {1,3}", "a.js"),
        ("js title=a.js", "a.js"),
        ('{.js filename="src/a.js"}', "src/a.js"),
        ('js title={"a.js"}', "a.js"),
        ('js title="a & <b>"', "a &amp; &lt;b&gt;"),
        ("js {1,3} showLineNumbers", ""),
        ('js subtitle="a" data-title="b"', ""),
        ('js title=""', ""),
        ("title", ""),
        ("js", ""),
    ],
)
def test_the_title_of_code_stands_above_it(info: str, title: str) -> None:
    paragraph = f"<p><strong>{title}</strong></p>" if title else ""
    for text in (f"~~~{info}\na\n~~~", f"> ~~~{info}\n> a\n> ~~~", f"- ~~~{info}\n  a\n  ~~~"):
        above = render_markdown(text).partition("<pre")[0]
        assert above.replace("<blockquote>", "").replace("<ul>\n<li>", "").strip() == paragraph


@pytest.mark.parametrize("text", ["```python\n{{ a }}\n```", "    {{ a }}", "`{{ a }}`"])
def test_code_is_restored_before_it_is_highlighted(text: str) -> None:
    html = render_markdown(
        text.replace("{{ a }}", "mark0z"),
        restore_code=lambda code: code.replace("mark0z", "{{ a }}"),
    )
    assert "{{ a }}" in re.sub(r"<[^>]*>", "", html)


def test_restore_code_is_not_applied_to_text() -> None:
    assert render_markdown("mark0z", restore_code=lambda code: code.upper()) == "<p>mark0z</p>\n"


def _get_luminance(color: str) -> float:
    channels = [int(color[start : start + 2], 16) / 255 for start in (0, 2, 4)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_highlighting_colors_contrast_with_the_code_background() -> None:
    ground = _get_luminance(LIGHT.code_ground.removeprefix("#"))
    for token, style in _STYLE_BY_TOKEN_TYPE.items():
        if found := re.search("color:#([0-9A-F]{6})", style):
            assert (ground + 0.05) / (_get_luminance(found[1]) + 0.05) >= 4.5, token


@pytest.mark.parametrize(
    "piece", [">", "- ", "[", "*", "![", "(", "`", "<b>", "{", "[^a]: ", "::: note\n", '"', "'"]
)
def test_repeated_hostile_syntax_terminates(piece: str) -> None:
    assert isinstance(render_markdown(piece * 2000 + "x"), str)


def test_sanitizing_rendered_markdown_changes_nothing() -> None:
    html = render_markdown(
        "> a  \n> ![b](c.png) www.example.com www3\n\n| a |\n|:-:|\n| b[^1] |\n\n---\n\n[^1]: c\n\n"
        "```python\n@quay\ndef tide(): ...  # a\n```\n"
    )
    assert sanitize_html(html) == html
    assert html.count('<a href="http://www.example.com">www.example.com</a> www3') == 1


_MARKS = st.sampled_from(
    [
        *(
            "# ",
            "> ",
            "- ",
            "- [x] ",
            "1. ",
            "    ",
            "\t",
            "```",
            "```py\n",
            "::: note ",
            ":::",
            "[^a]",
            "[^a]: ",
        ),
        *(
            "^[",
            "[",
            "]",
            "](",
            ")",
            "![",
            "{.a",
            "{#b}",
            "}",
            "**",
            "_",
            "~~",
            "`",
            "|",
            "|--|",
            ": ",
            "\n",
            "\n\n",
        ),
        *(
            "<b>",
            "</b>",
            "<!--",
            "-->",
            "<div>",
            "> [!NOTE]\n",
            "http://a.b",
            "\\",
            "&amp;",
            '"',
            "'",
            "---",
        ),
    ]
)


@settings(max_examples=200)
@given(st.lists(_MARKS | st.text(max_size=3), max_size=40).map("".join))
def test_rendering_any_text_is_deterministic(text: str) -> None:
    assert render_markdown(text) == render_markdown(text)


@pytest.mark.parametrize(
    ("text", "is_linked"),
    [
        ("lexer@1.1.0", False),
        ("node-gyp@3.0.3", False),
        ("bo@tides.example", True),
        ("bo@4tides.example", True),
        ("<bo@tides.example>", True),
    ],
)
def test_package_version_is_no_email_address(text: str, *, is_linked: bool) -> None:
    html = render_markdown(f"We use **{text}** and bo@a.example now.")
    assert html.count('href="mailto:') == is_linked + 1
    assert text.strip("<>") in html


@pytest.mark.parametrize("line", ["{:toc}", "{: toc .wide}"])
def test_a_table_of_contents_of_kramdown_stays_text_for_the_checks(line: str) -> None:
    assert line in render_markdown(f"* TOC\n{line}\n\n## The quay\n")


@pytest.mark.parametrize(
    ("text", "unclosed"),
    [
        ("::: note\na\n:::", []),
        ("::: sponsor", [(0, "sponsor")]),
        ("a\n\n::: reply Ask\n\nb\n", [(2, "reply")]),
        (":::: note\na\n:::", [(0, "note")]),
        (":::: note\n::: pullquote\na\n:::\n::::", []),
        ("> ::: note\n> a\n> :::\n\nb", []),
        ("> ::: note\n> a\n\nb", [(0, "note")]),
        ("1. a\n\n   ::: note\n   b\n   :::\n2. c", []),
        ("1. a\n\n   ::: note\n   b\n2. c", [(2, "note")]),
        ("```\n::: note\n```\n\n::: other", []),
    ],
)
def test_blocks_that_nothing_ends_are_found(text: str, unclosed: list[tuple[int, str]]) -> None:
    assert list(iter_unclosed_blocks(text)) == unclosed


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (
            "<pre>a\n</script>\n\n'b'\n</pre>\n*c*",
            "<pre>a\n</script>\n\n'b'\n</pre>\n<p><em>c</em></p>",
        ),
        ("> <pre>a\n> </style>\n>\n> 'b'\n> </pre>\n", "</style>\n\n'b'\n</pre>\n</blockquote>"),
        ("<pre>a\n</script>\n*b*", "<p><em>b</em></p>"),
        (
            "<p>x</p>\n<pre># a\n\n# b\n\n    c\n</pre>\n*d*\n\n*e*",
            "# a\n\n# b\n\n    c\n</pre>\n*d*\n<p><em>e</em></p>",
        ),
        ("<pre>a\n\n</pre><pre>b\n\n# c\n</pre>\n*d*", "# c\n</pre>\n<p><em>d</em></p>"),
        ("- <div><pre>a\n\n  # b</pre></div>\n\nc </pre>", "# b</pre></div>\n</li>"),
        ("- <div><pre>a\n\nb</pre>", "<p>b</pre></p>"),
        ("<div>`<pre>`\n\n*a* </pre>", "<em>a</em>"),
        ("<!-- <pre> -->\n*a* </pre>", "<em>a</em>"),
        ("<div>\nthe `<video>` and `</p>`\n</div>", "the `&lt;video>` and `&lt;/p>`"),
        ("<pre>`<b>`x</b></pre>", "<pre>`<b>`x</b></pre>"),
        ("<p>a <title> b</p>\n\n<p>c</p>", "<p>a &lt;title> b</p>\n<p>c</p>"),
        ("a <title> and *b*", "<p>a &lt;title&gt; and <em>b</em></p>"),
        ("a <xmp>b</xmp> c", "<p>a <xmp>b</xmp> c</p>"),
        ("<svg><title>a</title></svg> b", "<p><svg><title>a</title></svg> b</p>"),
        ("<div><svg><title>a</title></svg></div>", "<svg><title>a</title></svg>"),
    ],
)
def test_tags_that_would_swallow_text_are_text(text: str, shown: str) -> None:
    assert shown in render_markdown(text)
