import html

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.errors import Location
from newsletter.posts.merge_tags.compiler import (
    MergeTagCompiler,
    is_merge_tag,
    mark_expressions,
)
from newsletter.posts.merge_tags.tags import MERGE_TOKEN_PATTERN

_TEXT = st.lists(
    st.sampled_from(
        [
            "{{",
            "}}",
            "{",
            "}",
            "\n",
            "\n\n",
            " ",
            "mergetag",
            "mergetag0z",
            "x",
            "|",
            "subscriber.name",
        ]
    )
    | st.text(max_size=3)
).map("".join)


@given(_TEXT)
def test_restore_expressions_reverses_mark_expressions(text: str) -> None:
    marked = mark_expressions(text, "post.md", 1)
    assert marked.restore_expressions(marked.text) == text
    assert "{{" not in marked.text
    assert [location.line for location in marked.locations] == sorted(
        location.line or 0 for location in marked.locations
    )


@given(_TEXT)
def test_every_expression_compiles_or_is_reported(text: str) -> None:
    marked = mark_expressions(text, "post.md", 1)
    compiler = MergeTagCompiler({"name": "friend"})
    body = marked.compile(html.escape(marked.text), compiler, "html")
    tokens = MERGE_TOKEN_PATTERN.findall(body)
    assert len(tokens) + len(compiler.problems) == len(marked.expressions)
    assert len(compiler.merge_tags) <= 1


def test_only_expressions_in_code_are_restored() -> None:
    marked = mark_expressions("{{ a }}{{ b<c }}{{ d }}", "post.md", 1)
    before, inside, after = (f"{marked.marker_stem}{n}z" for n in range(3))
    body = f'{before}<pre title="x"><code>{inside}<span>{inside}</span></code>{inside}</pre>{after}'
    assert marked.restore_code(body) == (
        f'{before}<pre title="x"><code>{{{{ b&lt;c }}}}<span>{{{{ b&lt;c }}}}</span></code>'
        f"{{{{ b&lt;c }}}}</pre>{after}"
    )


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ('{{ "{{" }} name }}', "{{ name }}"),
        ("{{'{{'}} name {{ '}}' }}", "{{ name }}"),
        ('{{ "{%" }} if {{ "%}" }}', "{% if %}"),
        ('a {{ "{{" }}{{ subscriber.name }}', "a {{-nl0h-"),
    ],
)
def test_braces_in_quotes_are_literal(written: str, shown: str) -> None:
    compiler = MergeTagCompiler({"name": "friend"})
    marked = mark_expressions(html.escape(written), "post.html", 1)
    assert marked.compile(marked.text, compiler, "html") == shown
    marked = mark_expressions(written, "post.md", 1)
    assert marked.compile(marked.text, compiler, "html") == shown
    assert compiler.compile_text(written, Location("post.md", 2), "html") == shown
    assert compiler.problems == []


@pytest.mark.parametrize(
    ("written", "message", "remedy"),
    [
        ('{{< a "b&amp;c" >}}', '{{< a "b&amp;c" >}} is not a merge tag but a Hugo shortcode',
         "Write what it shows"),
        ("{{% notice %}}", "{{% notice %}} is not a merge tag but a Hugo shortcode", "Write what"),
        ("{{ site.baseurl }}", "{{ site.baseurl }} is not a merge tag but a variable",
         "Write its value"),
        ('{{ "/a" | relative_url }}', "relative_url }} is not a merge tag but a variable",
         "Write its value"),
        ("{{ .Title }}", "{{ .Title }} is not a merge tag but a variable", "Write its value"),
        ("{{ a &lt; b }}", "{{ a &lt; b }} is not a merge tag", "put them in code, or write {{ "),
        ("{{message}}", "{{message}} is not a merge tag", "put them in code, or write {{ "),
        ("{{ name }}", "{{ name }} is not a merge tag. Did you mean {{ subscriber.name }}?", "Use"),
        ("{{ x", "{{ is never closed", "put them in code"),
        (f"{{{{ {'x' * 200} }}}}", "x… is not a merge tag", "Use"),
    ],
)  # fmt: skip
def test_message_quotes_what_was_written_and_its_remedy_fits(
    written: str, message: str, remedy: str
) -> None:
    compiler = MergeTagCompiler({"name": "friend"})
    marked = mark_expressions(f"\n{written}", "post.md", 1)
    marked.compile(marked.text, compiler, "html")
    (problem,) = compiler.problems
    assert message in problem.message
    assert remedy in problem.remedy
    assert problem.where == Location("post.md", 2)


def test_remedy_for_braces_in_a_title_is_not_code() -> None:
    compiler = MergeTagCompiler({})
    compiler.compile_text("Using {{ message }}", Location("post.md", 2), "text")
    assert "code" not in compiler.problems[0].remedy
    assert '{{ "{{" }}' in compiler.problems[0].remedy


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("{{ subscriber.name }}", True),
        ("{{unsubscribe_url}}", True),
        ('{{ "{{" }}', True),
        ("{{ name }}", False),
        ("{{< x >}}", False),
        ("{{", False),
    ],
)
def test_is_merge_tag(expression: str, expected: bool) -> None:
    assert is_merge_tag(expression) is expected
