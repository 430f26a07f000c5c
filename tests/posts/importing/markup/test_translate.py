"""What each kind of markup becomes, and what is left alone."""

import re

import pytest

from newsletter.posts.html.markdown import render_markdown
from newsletter.posts.importing.markup.translate import translate_markup

YOUTUBE = '<iframe src="https://www.youtube.com/embed/aBcDeFgHiJk"></iframe>'
NOTE = '<div class="callout callout-note"><p class="callout-title">Note</p><p><em>a</em></p></div>'
TIP = '<div class="callout callout-tip"><p class="callout-title">Tip</p><p>a <em>b</em></p></div>'
FIGURE = '<figure><img src="a.png" alt="A quay"><figcaption>In fog</figcaption></figure>'


def translate(text: str, path: str = "post.md", keep: tuple[int, ...] = ()) -> str:
    translated = translate_markup(text, path, is_markdown=not path.endswith("html"), keep=keep)
    assert translated.text.count("\n") == text.count("\n")
    for line, removed, why in translated.removed:
        assert 1 <= line <= text.count("\n") + 1
        assert removed
        assert why
    return translated.text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[caption id='a' width='9']<img src=\"a.png\" alt='A'> In *fog*[/caption]",
         "<figure><img src=\"a.png\" alt='A'><figcaption>In <em>fog</em></figcaption></figure>"),
        ("[caption id='a']<a href='b'><img src=\"a.png\"></a>\nIn fog\n[/caption]",
         "<figure><a href='b'><img src=\"a.png\"></a><figcaption>In fog</figcaption></figure>\n\n"),
        ("[caption caption='In fog']![A quay](a.png)[/caption]",
         FIGURE),
        ('[gallery ids="1,2"]', ""),
        ("[gallery]", ""),
        ("[embed]https://www.youtube.com/watch?v=aBcDeFgHiJk[/embed]", YOUTUBE),
        ("[embed width='9']https://boats.example/a[/embed]", "<https://boats.example/a>"),
        ("[youtube https://youtu.be/aBcDeFgHiJk]", YOUTUBE),
        ("[youtube=https://youtu.be/aBcDeFgHiJk&w=9]", YOUTUBE),
        ("[vimeo 123456]", '<iframe src="https://player.vimeo.com/video/123456"></iframe>'),
        ("[video src='a.mp4' poster='b.png'][/video]",
         '<video src="a.mp4" poster="b.png" controls></video>'),
        ('[audio mp3="a.mp3" /]', '<audio src="a.mp3" controls></audio>'),
        ("[quote author='Ada']a\nb[/quote]", "> a\n> b— Ada"),
        ("[quote]\na\n[/quote]", ">\n> a\n> "),
        ("[contact-form-7 id='4' title='Write']", ""),
        ("[row cols='2'][col]some *words*[/col][/row]", "some *words*"),
        ("[dropcap]T[/dropcap]here", "There"),
        ("[button link='https://b.example']Go[/button]", "[Go](https://b.example)"),
        ("[code lang='php']\n$a = [gallery];\n[/code]", "```php\n$a = [gallery];\n```"),
        ("a [code]x[/code] b", "a `x` b"),
        ("[[gallery ids='1']]", "\\[gallery ids='1']"),
        # left alone
        ("[sic], [1], [x] and [note]", None),
        ("[Our Chat: `#tides` here]\n\n[our chat: `#tides` here]: https://a.example", None),
        ("> [our chat=3 boats] and\n>\n> [our chat=3 boats]: <https://a.example>", None),
        ("[a](b) [caption](c) [a][b] [gallery][b]", None),
        ("[caption]: https://a.example", None),
        ("- [ ] a\n- [x] b", None),
        ("x[i] = a[j][k] and `[gallery ids='1']`", None),
        ("```\n[gallery ids='1']\n```", None),
        ("    [gallery ids='1']", None),
        ('![a b="c"](d)', None),
        ("[bonjour]{lang=fr}", None),
        ("The [gallery] is open", None),
        ('[we wrote: <a target="_blank" href="b">more</a>]', None),
        ("\\[gallery ids='1']", None),
        ("[a^1] [^1]", None),
    ],
)  # fmt: skip
def test_wordpress(text: str, expected: str | None) -> None:
    assert translate(text) == (text if expected is None else expected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{{< figure src="a.png" alt="A quay" >}}', "![A quay](a.png)"),
        ('{{< figure src="a.png" alt="A quay" caption="In fog" >}}', FIGURE),
        (
            '{{< figure src="a.png" alt="A quay" caption="In fog" >}}\ntext',
            f"<!-- -->{FIGURE}\ntext",
        ),
        ('{{< figure src="a (1).png" alt="[A]" link="/b" >}}', "[![\\[A\\]](a%20%281%29.png)](/b)"),
        ("{{< youtube aBcDeFgHiJk >}}", YOUTUBE),
        ('{{<youtube id="aBcDeFgHiJk" title="Ice">}}', YOUTUBE.replace("></", ' title="Ice"></')),
        ("{{< vimeo 123456 >}}", '<iframe src="https://player.vimeo.com/video/123456"></iframe>'),
        ("{{< gist ada 77 >}}", "<https://gist.github.com/ada/77>"),
        ('{{< x user="ada" id="77" >}}', "<https://x.com/ada/status/77>"),
        ("{{< tweet 77 >}}", "<https://x.com/i/status/77>"),
        ("{{% notice tip %}}\n*a*\n{{% /notice %}}", "::: tip\n*a*\n:::"),
        ('{{< alert type="error" title="Ice" >}}\na\n{{< /alert >}}', "::: caution Ice\na\n:::"),
        ("{{< warning >}}\na\n{{< /warning >}}", "::: warning\na\n:::"),
        ("{{< notice >}}*a*{{< /notice >}}", NOTE),
        ('{{< details summary="More *ice*" >}}\na\n{{< /details >}}', "**More *ice***\\\na\n"),
        (
            '{{< highlight go "linenos=table" >}}\na := `x` {{< b >}}\n{{< /highlight >}}',
            "```go\na := `x` {{< b >}}\n```",
        ),
        ('[the post]({{< ref "a.md" >}}) and [b]({{< relref "b.md" >}}#c "d")', "the post and b"),
        ('[up]({{< ref "#top" >}})', "[up](#top)"),
        ("a {{< unknown b >}}c{{< /unknown >}} d", "a c d"),
        ("{{</* youtube x */>}}", '{{ "{{" }}< youtube x >}}'),
        ("{{/* a */}}", ""),
        ("{{< /stray >}}a", "a"),
        ("`{{< youtube x >}}`", None),
        ("```\n{{< youtube x >}}\n```", None),
        ("<!-- {{< youtube x >}} -->", None),
        ("`{{</* a */>}}` and ```{{%/* /b */%}}```", "`{{< a >}}` and ```{{% /b %}}```"),
        ("`{{</* a */>}}` and `{{< b >}}`", None),
    ],
)
def test_hugo(text: str, expected: str | None) -> None:
    assert translate(text) == (text if expected is None else expected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{% raw %}{{ a }} {% b %}{% endraw %}", '{{ "{{" }} a }} {{ "{%" }} b %}'),
        ("{% raw %}\n```\n{{ a }}\n```\n{% endraw %}", "\n```\n{{ a }}\n```\n"),
        ("```\n{% raw %}\n{{ a }}\n{% endraw %}\n```\n", "\n```\n{{ a }}\n```\n\n"),
        ("`{% raw %}{{ a }}{% endraw %}`", "`{{ a }}`"),
        ("`{% raw %}{{ a }}{% endraw %}` and `{{ b }}`", None),
        ("{% highlight liquid %}\n{% raw %}\n{{ a }}\n{% endraw %}\n{% endhighlight %}\n",
         "\n```liquid\n{{ a }}\n```\n\n"),
        ("a [b][c], [C], [#1][] `[c]`\n\n[c]: {{ site.repo }}/1\n[#1]: {% post_url a %}",
         "a b, C, #1 `[c]`\n\n\n"),
        ("[b][c]\n\n[c]: {{ site.baseurl }}/1", "[b][c]\n\n[c]: /1"),
        ("![b][c]\n\n[c]: {{ site.cdn }}/1.png 'd'", "![b][c]\n\n[c]: /1.png 'd'"),
        ("{%- highlight ruby x -%}\nputs `a`\n{%- endhighlight -%}", "```ruby\nputs `a`\n```"),
        ("{% highlight js %}a{% endhighlight %}", "`a`"),
        ("{% include film.html id='a' %}", ""),
        ("<div>{% markdown %}**a** [b](/c){% endmarkdown %}</div>",
         '<div><strong>a</strong> <a href="/c">b</a></div>'),
        ("<div class='x'>{% markdown %}\n**a**\n{% endmarkdown %}</div>",
         "<div class='x'><strong>a</strong>\n\n</div>"),
        ("<p><b>{% md %}*a*{% endmd %}</b></p>", "<p><b><em>a</em></b></p>"),
        ("<li>{% markdownify %}a `b` https://c.example{% endmarkdownify %}</li>",
         "<li>a <code>b</code> https://c.example</li>"),
        ("{% markdown %}\n**a**\n\n- b\n{% endmarkdown %}", "\n**a**\n\n- b\n"),
        ("Low {% markdown %}*tide*{% endmarkdown %}", "Low *tide*"),
        ("<div>\n{% markdown %}\n**a**\n{% endmarkdown %}\n</div>", "<div>\n\n**a**\n\n</div>"),
        ("<div>{% markdown %}\n- a\n- b\n{% endmarkdown %}</div>", "<div>\n- a\n- b\n</div>"),
        ("{% include youtube.html id='aBcDeFgHiJk' %}", YOUTUBE),
        ("{% include a/figure.liquid src='a.png' alt='A quay' caption='In fog' %}", FIGURE),
        ("{% include alert.html type='tip' content='a *b*' %}", TIP),
        ("{% youtube aBcDeFgHiJk %}", YOUTUBE),
        ("{% embed https://boats.example/a %}", "<https://boats.example/a>"),
        ("{% link https://boats.example/a %}", "<https://boats.example/a>"),
        ("{% gist ada/77 %}", "<https://gist.github.com/ada/77>"),
        ("[a]({% post_url 2026-10-01-a %}) [b]({% link _posts/b.md %})", "a b"),
        ("[a]({{ site.baseurl }}{% post_url 2026-10-01-a %})", "a"),
        ("[a]({{ site.repository }}/b) {{ site.repository }}",
         'a {{ "{{" }} site.repository }}'),
        ("{% comment %}a{% endcomment %}b", "b"),
        ("{# a #}b {#id}", "b {#id}"),
        ("{% if a %}b{% else %}c{% endif %}", "bc"),
        ("{% callout 'warning' %}\na\n{% endcallout %}", "::: warning\na\n:::"),
        ("{% quote(author='Ada') %}\na\n{% end %}", ">\n> a\n> — Ada"),
        ("{% image './a.png', 'A quay' %}", "![A quay](./a.png)"),
        ("{% img left /a.png 300 200 'A quay' %}", "![A quay](/a.png)"),
        ("{% cta https://b.example %} Go {% endcta %}", "[ Go ](https://b.example)"),
        ("{% unknown a %}some words{% endunknown %}", "some words"),
        ("![a]({{ site.baseurl }}/a.png)", "![a](/a.png)"),
        ("[a]({{ '/a' | relative_url }})", "[a](/a)"),
        ("{{ youtube(id='aBcDeFgHiJk') }}", YOUTUBE),
        ("{{ 'a {{ b }}' }}", 'a {{ "{{" }} b {{ "}}" }}'),
        ("{{ message }} and {{", '{{ "{{" }} message }} and {{ "{{" }}'),
        ("`{{ a }}` `{% b %}`", None),
        ("{{ subscriber.name | default('you') }} {{ unsubscribe_url }}", None),
        ('{{ "{{" }} a }}', None),
        ("100 {% of", None),
    ],
)  # fmt: skip
def test_liquid(text: str, expected: str | None) -> None:
    assert translate(text) == (text if expected is None else expected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("* TOC\n{:toc}\n\na", "\n\n\na"),
        ("1. Contents\n{:toc .x}", "\n"),
        ("a\n{: .lead }\nb", "a\n\nb"),
        ("## A\n{: #b .c}", "## A {#b}\n"),
        ("[a](b){:target='_blank'} c", "[a](b) c"),
        ("{::comment}a{:/comment}b", "b"),
        ("{::nomarkdown}a{:/}b", "ab"),
        ("{::options parse_block_html='true' /}a", "a"),
        ("## A {#b}", None),
        ("## A {: #b}", None),
        ("a {:( b", None),
        ("`{: .a}`", None),
        ("    {: .a}", None),
    ],
)
def test_kramdown(text: str, expected: str | None) -> None:
    assert translate(text) == (text if expected is None else expected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('import A from "b"\nimport {\n  C,\n} from "d"\n\na', "\n\n\n\n\na"),
        ("export const a = {\n  b: 1,\n}\n\nc", "\n\n\n\nc"),
        ("export default ({ children }) => children\n\na", "\n\na"),
        ("a <Chart data={[1, {b: 2}]} /> b", "a  b"),
        ("<Callout>\n  - an *item*\n</Callout>", "::: note\n- an *item*\n:::"),
        ('<Callout type="warning" title="Ice">\n\na\n\n</Callout>', "::: warning Ice\n\na\n\n:::"),
        ("<Box>\n    a\n\n    - b\n</Box>", "\na\n\n- b\n"),
        ('import boat from "./a.png"\n\n<Image src={boat} alt="A quay" />',
         "\n\n![A quay](./a.png)"),
        ('<YouTube id="aBcDeFgHiJk" />', YOUTUBE),
        ("<YouTube videoId={'aBcDeFgHiJk'}></YouTube>", YOUTUBE),
        ("<TabItem label='Ice'>\na\n</TabItem>", "**Ice**\\\na\n"),
        ("<>a</>", "a"),
        ("a {props.b} c{' '}{/* d */}", "a  c "),
        ('<div className="a" style={{ b: 1 }}>\n*c*\n</div>\n',
         '<!-- --><div class="a">\n*c*\n</div>\n'),
        ("The set \\{1\\} and $x_{1}$", None),
        ("## A {#b}", None),
        ("`<A />` and `{a}`", None),
        ("import is a word", None),
        ("<br /> and <b>c</b>", None),
        ("<callout-danger>\n\t**a** [b\n\tc](/d)\n</callout-danger>",
         "::: caution\n**a** [b\nc](/d)\n:::"),
        ("<info-box>\n   a\n</info-box>", "\na\n"),
        ("<my-chart src='a.json'></my-chart>", None),
        ("<div>\n\t[a\n\tb](/c)\n</div>", "<!-- --><div>\n[a\nb](/c)\n</div>"),
        ("<td\n  colspan=2\n  id='a'>b</td>", None),
        ("Low <b\n  id='a=b'\n>tide</b>", "Low <b\nid='a=b'><!--\n-->tide</b>"),
    ],
)  # fmt: skip
def test_mdx(text: str, expected: str | None) -> None:
    assert translate(text, "post.mdx") == (text if expected is None else expected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('<Callout type="tip">\na\n</Callout>', "::: tip\na\n:::"),
        ("import Ax from './b'\n\n<Ax/>a", "\n\na"),
        ("a <Chart/> b", "a  b"),
        ("A Vec<String> or <String>", None),
        ('<A HREF="b">c</A> <IMG SRC="a.png">', None),
        ("import a from b", None),
        ("a {props.b}", None),
        ("<https://a.example>", None),
    ],
)
def test_only_certain_components_count_in_markdown(text: str, expected: str | None) -> None:
    assert translate(text) == (text if expected is None else expected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a :wave: b", "a 👋 b"),
        (":tada::rocket:", "🎉🚀"),
        ("(:+1:)", "(👍)"),
        (":nonesuch: 10:30:45 a:x:b std::x::y", None),
        ("`:wave:` https://a.example/:wave:", None),
        ("[[Ice|the ice]] and [[Ice]]", "the ice and Ice"),
        ("![[a b.png|300]] ![[a.png|A quay]]", "![](a%20b.png) ![A quay](a.png)"),
        ("![[Note]]", ""),
        ("a[[1, 2]] and `[[a]]` and [[a]](b)", None),
        (":::info Ice\na\n:::", "::: note Ice\na\n:::"),
        (":::danger[Ice]\na\n:::", "::: caution Ice\na\n:::"),
        (":::{tip}\na\n:::", "::: tip\na\n:::"),
        ("::: note Ice\na\n:::", None),
        ("::: gallery\n:::", None),
    ],
)
def test_emoji_wiki_links_and_containers(text: str, expected: str | None) -> None:
    assert translate(text) == (text.replace(":::", ":::") if expected is None else expected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("<p>{{< youtube aBcDeFgHiJk >}}</p>", f"<p>{YOUTUBE}</p>"),
        ("<p>{{ a }}</p>", "<p>{{&quot;{{&quot;}} a }}</p>"),
        (
            "{% highlight js %}\na < b\n{% endhighlight %}",
            '\n<pre><code class="language-js">a &lt; b\n</code></pre>',
        ),
        ('<a href="{% post_url a %}">b</a>', "<a >b</a>"),
        (
            "{% note %}a{% endnote %}",
            '<div class="callout callout-note"><p class="callout-title">Note</p>a</div>',
        ),
        ("<script>{{ a }}</script> <pre>[gallery ids='1']</pre> :wave: {: .a}", None),
    ],
)
def test_html(text: str, expected: str | None) -> None:
    assert translate(text, "post.html") == (text if expected is None else expected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("!!! note\n\n    The *ice*.\n\nb", "::: note\n\nThe *ice*.\n:::\nb"),
        ('!!! tip "A *quay*"\n    a\n\n    b\n', "::: tip A *quay*\na\n\nb\n:::"),
        ("!!! bug inline end\n    a\n", "::: caution Bug\na\n:::"),
        ("??? example\n    a\n", "::: note Example\na\n:::"),
        ('???+ note ""\n    a\n', "::: note\na\n:::"),
        ("- a\n\n    !!! note\n        b\n\n    c", "- a\n\n    ::: note\n    b\n    :::\n    c"),
        (
            "!!! note\n    a\n\n    !!! tip\n        b\n\n    c\n",
            "::: note\na\n\n**Tip**\\\nb\n\nc\n:::",
        ),
        (
            "!!! note\n    ```\n    !!! tip\n        b\n    ```\n",
            "::: note\n```\n!!! tip\n    b\n```\n:::",
        ),
        ("!!! note\n    a\nb", "**Note**\\\na\nb"),
        ('!!! note ""\n    a\nb', "\na\nb"),
        ('=== "A quay"\n\n    a\n\n=== "B"\n    b\n', "**A quay**\n\na\n\n**B**\\\nb\n"),
        ("!!! note\na", None),
        ("Stop !!! note\n    a", None),
        ("!!! What a day\n    a", None),
        ("```\n!!! note\n    a\n```", None),
        ("A quay\n===\n\n    a", None),
        ("    !!! note\n        a", None),
    ],
)
def test_mkdocs(text: str, expected: str | None) -> None:
    assert translate(text) == (text if expected is None else expected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('[the post]({{< ref "gulls.md" >}})', "[the post](https://a.example/gulls)"),
        ('[a]({{% relref path="gulls.md" %}}#b "c")', '[a](https://a.example/gulls#b "c")'),
        ("[a]({{ site.baseurl }}{% post_url 2026-10-01-a %})", "[a](https://a.example/1)"),
        ("[a][b]\n\n[b]: {% link _posts/2026-10-01-a.md %}", "[a][b]\n\n[b]: https://a.example/1"),
        ("[a](@/gulls.md#b) [c](@/d.md)", "[a](https://a.example/gulls#b) c"),
        ("[a](./gulls.md) ![b](gulls.md.png) [c](e.md)",
         "[a](https://a.example/gulls) ![b](gulls.md.png) [c](e.md)"),
        ("[a]\n\n[a]: gulls.md 'b'", "[a]\n\n[a]: https://a.example/gulls 'b'"),
        ("`[a](gulls.md)` [b](https://c.example/gulls.md)", None),
        ("[[gulls.md|the gulls]] [[terns]]", "[the gulls](https://a.example/gulls) terns"),
        ('{{ get_url(path="@/gulls.md") }}', "https://a.example/gulls"),
    ],
)  # fmt: skip
def test_links_to_posts_with_a_known_address(text: str, expected: str | None) -> None:
    def find_post(reference: str) -> str:
        name, _, fragment = reference.partition("#")
        if "2026-10-01-a" in name:
            return "https://a.example/1"
        url = "https://a.example/gulls" if name.endswith("gulls.md") else ""
        return f"{url}#{fragment}" if url and fragment else url

    translated = translate_markup(text, "post.md", is_markdown=True, post_urls=find_post)
    assert translated.text == (text if expected is None else expected)
    assert expected is None or translated.removed


def test_each_link_that_a_definition_serves_is_listed() -> None:
    text = "[a]\n[b][a] `[a]`\n\n[a]: @/gulls.md\n"
    urls = {"@/gulls.md": "https://a.example/"}
    translated = translate_markup(
        text, "post.md", is_markdown=True, post_urls=lambda reference: urls.get(reference, "")
    )
    assert translated.text == "[a]\n[b][a] `[a]`\n\n[a]: https://a.example/\n"
    assert [entry[:2] for entry in translated.removed] == [(2, "@/gulls.md"), (4, "@/gulls.md")]


def test_removed_markup_has_its_line_and_kind() -> None:
    text = "a\n\n{{< youtube x >}}\n\n{% if b %}\n{% endif %}\n\n[gallery ids='1,2']\n{{ c }}"
    removed = translate_markup(text, "post.md", is_markdown=True, first_line=5).removed
    assert [tuple(entry) for entry in removed] == [
        (7, "{{< youtube x >}}", "Hugo shortcode youtube"),
        (9, "{% if b %}", "template tag if"),
        (10, "{% endif %}", "template tag if"),
        (
            12,
            "[gallery ids='1,2']",
            "WordPress shortcode gallery, whose pictures are only on the site",
        ),
        (13, "{{ c }}", "braces that are not a merge tag, now text"),
    ]


def test_what_stays_is_not_listed_as_removed() -> None:
    figure = '{{< figure src="a.png" caption="In fog" class="wide" >}}'
    text = f'{figure}\n{{% note title="Ice" %}}a{{% endnote %}}'
    translated = translate_markup(text, "post.md", is_markdown=True)
    assert [entry.text for entry in translated.removed] == [
        '{{< figure src="…" caption="…" class="wide" >}}',
        '{% note title="…" %} {% endnote %}',
    ]


def test_a_size_that_is_in_the_picture_too_is_listed() -> None:
    text = '[caption width="640"]<img src="a.png" width="640"> In fog[/caption]'
    translated = translate_markup(text, "post.html", is_markdown=False)
    assert translated.removed[0].text == '[caption width="640"] [/caption]'


def test_kept_lines_stay_as_they_are() -> None:
    text = "{{< a >}}\n{{< note >}}\nb\n{{< /note >}}\n[gallery]"
    assert translate(text, keep=(2, 4)) == "\n{{< note >}}\nb\n{{< /note >}}\n"
    assert translate(text, keep=(5,)) == "\n::: note\nb\n:::\n[gallery]"


def test_line_below_a_block_stays_markdown() -> None:
    html = render_markdown(translate('{{< figure src="a.png" caption="b" >}}\n*c*\n'))
    assert "<em>c</em>" in html
    assert "<figure>" in html


@pytest.mark.parametrize(
    "piece",
    ["[[[[", "{%{%", "<A<A", "<A '\"", "{{<", '{{ "', "{{ '", '[a "', "[a b='", "`", "``a`", "{:",
     "{: .a=", ":a:", "<A {", "{::comment}", "[/a]", "[a][/a]", "{% a %}", "<pre", "![[", "{#", "(",
     "import {\n", "export {\n", "* a\n{:toc}",
     "[caption]<a>", "{% raw %}", "{{< a", ":::a\n", "<a {"],
)  # fmt: skip
def test_hostile_repetition_terminates(piece: str) -> None:
    text = piece * (40_000 // len(piece))
    for path in ("post.mdx", "post.html"):
        assert isinstance(translate(text, path), str)


LINK = '<p><a class="x" href="https://a.example">fog</a></p>'


@pytest.mark.parametrize(
    ("text", "html"),
    [
        # as Prettier formats it: in Markdown, the ">" would begin a quotation
        ('<a\n  class="x"\n  href="https://a.example"\n>fog</a>\n', LINK),
        ('<a\n  className="x"\n  href="https://a.example"\n>fog</a>\n', LINK),
        ('<a\n  className="x"\n  href="https://a.example"\n  style={{ a: 1 }}\n>fog</a>\n', LINK),
        (
            '<a\n  class="x"\n  onClick={() => {\n    go()\n  }}\n  href="https://a.example">fog</a>',
            LINK,
        ),
        ('<a\n  class="x" href="https://a.example"\n>fog</a\n>\n', LINK),
        ('<a\n  class="x"\n  href="https://a.example"\n>\n  fog\n</a>\n',
         '<p><a class="x" href="https://a.example"> fog </a></p>'),
        ('<a\n  class="x"\n  title="In\n    fog"\n>\n  fog\n</a>\n',
         '<p><a class="x" title="In fog"> fog </a></p>'),
        ('Low <span\n  className="x"\n  style={{ a: 1 }}\n>tide</span> today.\n',
         '<p>Low <span class="x">tide</span> today.</p>'),
        ('Low <img\n  className="x"\n  src="a.png"\n  alt="b"\n/> today.\n',
         '<p>Low <img class="x" src="a.png" alt="b" /> today.</p>'),
        ('- Low <b\n  class="x"\n  >tide</b\n  >\n- b\n',
         '<ul> <li>Low <b class="x">tide</b></li> <li>b</li> </ul>'),
        ('<details\n  open\n  class="x"\n>\n*c*\n</details>\n',
         '<!-- --><details open class="x"> <p><em>c</em></p> </details>'),
        ('<div\n  class="x"\n  id="y"\n>\n  *c*\n</div>\n',
         '<!-- --><div class="x" id="y"> <p><em>c</em></p> </div>'),
        ('<div>\n  <a\n    class="x"\n    href="https://a.example"\n  >\n    fog\n  </a>\n</div>\n',
         '<!-- --><div> <p><a class="x" href="https://a.example"> fog </a></p> </div>'),
    ],
)  # fmt: skip
def test_tags_over_several_lines_stay_tags_in_mdx(text: str, html: str) -> None:
    rendered = render_markdown(translate(text, "post.mdx"))
    assert re.sub(r"\s+", " ", rendered.replace("<!--\n-->", "")).strip() == html


@pytest.mark.parametrize(
    ("text", "expected", "removed"),
    [
        ("|a|b|\n|-|-|\n|1|2|3|*4*|", "|a|b|\n|-|-|\n|1|2|", [(3, "3 *4*")]),
        ("> a | b\n> -|-\n> 1 | 2 | 3\n", "> a | b\n> -|-\n> 1 | 2 \n", [(3, "3")]),
        # A pipe in code is one of the code.
        ("|a|b|\n|-|-|\n|1|`x | y`|", "|a|b|\n|-|-|\n|1|`x \\| y`|", []),
        ("|a|b|\n|-|-|\n|1|`x | y`|z|", "|a|b|\n|-|-|\n|1|`x |", [(3, "y` z")]),
        # left alone
        ("|a|b|\n|-|-|\n|1|`x\\|y`|\n|1||\n|1|2||\n||", None, []),
        ("|a|b|\n|1|2|3|\n\n```\n|a|\n|-|\n|1|2|\n```", None, []),
        ("![By [Ada [`x`](/d(e) 'T') and](b.png)", None, []),
        ('![By [`Ada`](/d(e)) and [Bo](f "T") at sea](b.png)', "![By `Ada` and Bo at sea](b.png)",
         [(1, "/d(e)"), (1, "f")]),
        ("![[Ada](/d)](b.png)\n![c](/d) [![e](f)](/g) `![[a](b)](c)`",
         "![Ada](b.png)\n![c](/d) [![e](f)](/g) `![[a](b)](c)`", [(1, "/d")]),
    ],
)  # fmt: skip
def test_what_markdown_does_not_show_is_removed_and_listed(
    text: str, expected: str | None, removed: list[tuple[int, str]]
) -> None:
    assert translate(text) == (text if expected is None else expected)
    edited = translate_markup(text, "post.md", is_markdown=True)
    assert [(entry.line, entry.text) for entry in edited.removed] == removed


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('<div>\n![A <q](a.png "T")\n</div>\n',
         '<div>\n<img src="a.png" alt="A &lt;q" title="T">\n</div>\n'),
        ("<div>\n\n![A](a.png)\n</div>\n", None),
        ("<pre>\n![A](a.png)\n</pre>\n<p>`![A](a.png)`</p>", None),
        ("<table>\n\n      <td>a</td>\n      <td>b</td>\n\n    <td>c</td>\n</table>\n\n    d\n",
         "<table>\n\n<td>a</td>\n      <td>b</td>\n\n<td>c</td>\n</table>\n\n    d\n"),
        ("<p>a</p>\n\n    <td>b</td>\n\n    <table>\n\n    c\n", None),
    ],
)  # fmt: skip
def test_html_blocks_are_repaired(text: str, expected: str | None) -> None:
    assert translate(text) == (text if expected is None else expected)
