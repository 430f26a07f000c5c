"""Replace SVG and MathML, which mail clients don't show, with their text."""

import html
import re

from newsletter.posts.html.normalize.marked_elements import LINE_ATTRIBUTE, get_text, mark_left_out
from newsletter.posts.html.normalize.mathml import list_symbols, write_formula

LEFT_OUT_CLASS = "left-out"

# Innermost elements only (nothing of the same name inside), so that the search stays linear.
_SVG_OR_MATHML = re.compile(
    r"<(?P<name>svg|math)\b(?P<inside>(?:(?!<(?:svg|math)\b).)*?)</(?P=name)\s*>",
    re.IGNORECASE | re.DOTALL,
)
_LABEL_PATTERNS = (
    re.compile(r"""^[^>]*\saria-label\s*=\s*(?P<quote>["'])(?P<label>.*?)(?P=quote)""", re.DOTALL),
    re.compile(r"<title\b[^>]*>(?P<label>[^<]*)</title", re.IGNORECASE),
)
_UNSEEN_PARTS = re.compile(r"<(style|script|metadata)\b.*?</\1\s*>", re.IGNORECASE | re.DOTALL)
_LINK = re.compile(r"""<a\b[^<>]*\shref\s*=\s*(["'])(?P<url>[^"'<>]*)\1""", re.IGNORECASE)
_LINE = re.compile(rf'^[^>]*\s{LINE_ATTRIBUTE}="(\d{{1,9}})"')
_MAX_NESTING = 4


def replace_svg_and_mathml(text: str) -> str:
    """Replace inline ``<svg>`` and ``<math>`` with equivalent text.

    A drawing becomes ``<span class="left-out">`` with its label (``aria-label`` or ``<title>``),
    empty if it has none, so that rendering can report it to the editor. A formula becomes
    ``<span class="math">`` with its TeX, its ``alttext``, or its symbols on one line. What is
    not shown of either is marked as left out.
    """
    for _ in range(_MAX_NESTING):
        text, count = _SVG_OR_MATHML.subn(_format_as_text, text)
        if not count:
            break
    return text


def _format_as_text(found: re.Match[str]) -> str:
    inside = found["inside"]
    if found["name"].lower() == "math":
        text, kind, reason = write_formula(found[0]), "math", "symbols of a formula"
        unseen = list_symbols(found[0])
    else:
        labels = (pattern.search(inside) for pattern in _LABEL_PATTERNS)
        text = next((html.unescape(match["label"]) for match in labels if match), "")
        kind, reason = LEFT_OUT_CLASS, "text in a drawing"
        drawn = _UNSEEN_PARTS.sub("", inside.partition(">")[2])
        urls = (html.unescape(link["url"]) for link in _LINK.finditer(drawn))
        unseen = " ".join((get_text(drawn), *urls))
    text = " ".join(text.split())
    shown = f'<span class="{kind}">{html.escape(text)}</span>'
    if text and kind == LEFT_OUT_CLASS:  # a label is no part of the words beside the drawing
        before, after = found.string[: found.start()][-1:], found.string[found.end() :][:1]
        shown = f"{' ' if before == '>' else ''}{shown}{' ' if after == '<' else ''}"
    if not any(map(str.isalnum, unseen)) or _squash(unseen) == _squash(text):
        return shown
    line = _LINE.search(inside)
    return shown + mark_left_out(unseen, reason, int(line[1]) if line else 0)


def _squash(text: str) -> str:
    return "".join(filter(str.isalnum, text))
