"""Lines of code: one span each, with the text and the colours as they were."""

import pytest

from newsletter.render.article.code_lines import mark_code_lines
from newsletter.render.article.dom import parse_fragment, serialize_fragment

LONG = "a" * 31
LINE = '<span class="line">'


@pytest.mark.parametrize(
    ("html", "expected"),
    [
        ("<pre>short\ncode</pre>", "<pre>short\ncode</pre>"),
        (
            f"<pre>{LONG}\n\nb</pre>",
            f"<pre>{LINE}{LONG}\n</span>{LINE}\n</span>{LINE}b</span></pre>",
        ),
        (
            f'<pre class="x"><code>{LONG}\n</code></pre>',
            f'<pre class="x"><code><span class="line">{LONG}\n</span></code></pre>',
        ),
        (  # a comment of several lines keeps its colour on each
            f'<pre>a <b id="i" style="color:red"># {LONG}\n# b</b> c\nd</pre>',
            (
                f'<pre>{LINE}a <b id="i" style="color:red"># {LONG}\n</b></span>{LINE}'
                f'<b style="color:red"># b</b> c\n</span>{LINE}d</span></pre>'
            ),
        ),
        (f"<pre>{LONG}<br>b</pre>", f"<pre>{LONG}<br>b</pre>"),
        (f"<p><code>{LONG}\n</code></p>", f"<p><code>{LONG}\n</code></p>"),
    ],
)
def test_lines_of_long_code_are_marked(html: str, expected: str) -> None:
    root = parse_fragment(html)
    mark_code_lines(root)
    assert serialize_fragment(root) == expected


def test_text_is_unchanged() -> None:
    html = f"<pre>\n\n<b>{LONG}\n\n<i>x\n</i></b>\n\ty\n</pre>"
    root, marked = parse_fragment(html), parse_fragment(html)
    mark_code_lines(marked)
    assert "".join(map(str, marked.itertext())) == "".join(map(str, root.itertext()))
