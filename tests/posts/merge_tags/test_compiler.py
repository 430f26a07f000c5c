import html

from hypothesis import given
from hypothesis import strategies as st

from newsletter.posts.merge_tags.compiler import MergeTagCompiler, mark_expressions
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
