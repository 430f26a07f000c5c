import html

from hypothesis import given
from hypothesis import strategies as st

from newsletter.posts.merge_tags.compiler import Compiler, mark
from newsletter.posts.merge_tags.tags import TOKEN

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
    marked = mark(text, "post.md", 1)
    assert marked.restore(marked.text) == text
    assert "{{" not in marked.text
    assert [place.line for place in marked.places] == sorted(
        place.line or 0 for place in marked.places
    )


@given(_TEXT)
def test_every_expression_compiles_or_is_a_problem(text: str) -> None:
    marked = mark(text, "post.md", 1)
    compiler = Compiler({"name": "friend"})
    body = marked.compile(html.escape(marked.text), compiler, "html")
    tokens = TOKEN.findall(body)
    assert len(tokens) + len(compiler.problems) == len(marked.sources)
    assert len(compiler.tags) <= 1


def test_only_what_stands_in_code_is_restored() -> None:
    marked = mark("{{ a }}{{ b<c }}{{ d }}", "post.md", 1)
    one, two, three = (f"{marked.stem}{n}z" for n in range(3))
    body = f'{one}<pre title="x"><code>{two}<span>{two}</span></code>{two}</pre>{three}'
    assert marked.restore_code(body) == (
        f'{one}<pre title="x"><code>{{{{ b&lt;c }}}}<span>{{{{ b&lt;c }}}}</span></code>'
        f"{{{{ b&lt;c }}}}</pre>{three}"
    )
