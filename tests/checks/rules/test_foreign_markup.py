"""Edges of the rule ``foreign-markup``: where it fires, where it stays quiet."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from newsletter.checks.check_context import CheckContext
from newsletter.checks.rules.foreign_markup import find_foreign_markup, foreign_markup

MakeContext = Callable[..., CheckContext]
PROSE = "The ice let go on Tuesday, and by Thursday the first boats lay at the quay again. "


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("[gallery ids=“1,2”]", "a shortcode"),
        ("words[/caption]", "a shortcode"),
        ("[contact-form-7 id='4' title='Write to us']", "a shortcode"),
        ("{{< figure src=“a” >}}", "a shortcode"),
        ("{% include a.html %}", "a template tag"),
        ("{{ site.baseurl }}/a", "a template tag"),
        ("{{ .Title }}", "a template tag"),
        ("<%= yield %>", "a template tag"),
        ("[open](javascript:void(0))", "Markdown"),
        ("[the file](file:///home/mia/a.pdf)", "Markdown"),
        ("{: .lead }", "an attribute list"),
        ("{:toc}", "an attribute list"),
        ("The first part {#first}", "an attribute list"),
        ("import Chart from “../chart”", "a line of JavaScript"),
        ("export const meta = { a: 1 }", "a line of JavaScript"),
        ("<Chart data={[1]} />", "a component"),
        ("a café.[^1]", "a footnote"),
        ("**bold**", "Markdown"),
        ("は**「あ」**は", "Markdown"),
        ("[the table](https://tides.example/a)", "Markdown"),
        ("[the table](", "Markdown"),
        ("## The quay", "Markdown"),
        ("::: note", "Markdown"),
        ("Tom &amp; Ada", "a character reference"),
        ("Ada&#8217;s &eacute;t&eacute;", "a character reference"),
        ("Hello :wave:", "an emoji's name"),
        ("see [[The ice]]", "a wiki link"),
    ],
)
def test_it_fires(text: str, kind: str) -> None:
    assert kind in [found for found, _ in find_foreign_markup(text)]


@pytest.mark.parametrize(
    "text",
    [
        "[sic] [1] [x] [note] [Video]",
        "2 ** 3 and 2**3**4 and **kwargs",
        "a[i][j] and [[1, 2], [3, 4]] and [0-9]",
        "R&D, AT&T, Tom & Ada, a&b;",
        "10:30:45 and 16:9: and a:b:c and :nonesuch:",
        "{message} and { a: 1 } and {{ message }} and 100 %}",
        "We import boats from Norway and export fish",
        "a < b > c, List<String>x, <3",
        "#1 of 5, #harbour, C# and F#",
        "[the table] (in the appendix) and f(x)[y]",
        "5 * 3 * 2 and *** and * a *",
        "the set {1, 2} {# of things}",
        "[/] and [/etc/hosts]",
        "5 <% 6 and <%= subscriber.name %> and <% %>",
    ],
)
def test_it_stays_quiet(text: str) -> None:
    assert list(find_foreign_markup(text)) == []


def test_subject_and_preheader_are_checked(make_context: MakeContext) -> None:
    context = make_context(front={"subject": "Tom &amp; Ada", "preheader": "The **ice** let go."})
    found = foreign_markup.find(context)
    assert [(finding.message, finding.where and finding.where.line) for finding in found] == [
        ("a character reference is in the subject: &amp;", 3),
        ("Markdown is in the preheader: **ice**", 4),
    ]


def test_code_is_not_checked_and_repetitions_are_counted(make_context: MakeContext) -> None:
    body = (
        f"{PROSE}`[gallery ids='1']` `{{% if a %}}`\n\n```\n[gallery ids='1']\n```\n\n"
        f"[gallery ids='1']\n\n[gallery ids='2']\n"
    )
    (finding,) = foreign_markup.find(make_context(body))
    assert finding.message.endswith("'] and 1 more") or finding.message.endswith("] and 1 more")
    assert finding.where is not None


def test_alternative_texts_are_checked(make_context: MakeContext) -> None:
    body = f"{PROSE}\n\n![The quay &amp;amp; the ice](https://tides.example/a.png)\n"
    (finding,) = foreign_markup.find(make_context(body))
    assert finding.message == "a character reference is in an image's alternative text: &amp;"
    assert finding.where is not None


def test_the_text_part_is_checked_for_what_the_html_does_not_show(
    make_context: MakeContext,
) -> None:
    context = make_context(f"{PROSE}\n\n`{{% if a %}}` and ## [1]\n")
    assert list(foreign_markup.find(context)) == []
    email = replace(context.email, text=f"{context.email.text}\n&nbsp;and {{% if b %}}\n")
    assert [finding.message for finding in foreign_markup.find(replace(context, email=email))] == [
        "a template tag is in the plain text: {% if b %}",
        "a character reference is in the plain text: &nbsp;",
    ]


@pytest.mark.parametrize("piece", ["[a", "{{<", "{:", "**a", "[[a", "<Aa ", "&#", ":a", "[a b='"])
def test_hostile_repetition_terminates(piece: str) -> None:
    assert list(find_foreign_markup(piece * 10_000)) is not None
