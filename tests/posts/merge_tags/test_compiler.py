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
def test_restoring_undoes_marking(text: str) -> None:
    marked = mark_expressions(text, "post.md", 1)
    assert marked.restore_expressions(marked.text) == text
    assert "{{" not in marked.text
    assert [place.line for place in marked.locations] == sorted(
        place.line or 0 for place in marked.locations
    )


@given(_TEXT)
def test_every_expression_compiles_or_is_a_problem(text: str) -> None:
    marked = mark_expressions(text, "post.md", 1)
    compiler = MergeTagCompiler({"name": "friend"})
    body = marked.compile(html.escape(marked.text), compiler, "html")
    tokens = MERGE_TOKEN_PATTERN.findall(body)
    assert len(tokens) + len(compiler.problems) == len(marked.expressions)
    assert len(compiler.merge_tags) <= 1


def test_only_what_stands_in_code_is_restored() -> None:
    marked = mark_expressions("{{ a }}{{ b<c }}{{ d }}", "post.md", 1)
    one, two, three = (f"{marked.marker_stem}{n}z" for n in range(3))
    body = f'{one}<pre title="x"><code>{two}<span>{two}</span></code>{two}</pre>{three}'
    assert marked.restore_code(body) == (
        f'{one}<pre title="x"><code>{{{{ b&lt;c }}}}<span>{{{{ b&lt;c }}}}</span></code>'
        f"{{{{ b&lt;c }}}}</pre>{three}"
    )
