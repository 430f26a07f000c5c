"""Replace SVG and MathML, which mail clients don't show, with their text."""

import html
import re

LEFT_OUT_CLASS = "left-out"

# Innermost elements only (nothing of the same name inside), so that the search stays linear.
_SVG_OR_MATHML = re.compile(
    r"<(?P<name>svg|math)\b(?P<inside>(?:(?!<(?:svg|math)\b).)*?)</(?P=name)\s*>",
    re.IGNORECASE | re.DOTALL,
)
_LABEL_PATTERNS = {
    "svg": (
        re.compile(
            r"""^[^>]*\saria-label\s*=\s*(?P<quote>["'])(?P<label>.*?)(?P=quote)""", re.DOTALL
        ),
        re.compile(r"<title\b[^>]*>(?P<label>[^<]*)</title", re.IGNORECASE),
    ),
    "math": (
        re.compile(r"""^[^>]*\salttext\s*=\s*(?P<quote>["'])(?P<label>.*?)(?P=quote)""", re.DOTALL),
        re.compile(r"<annotation\b[^>]*>(?P<label>[^<]*)</annotation", re.IGNORECASE),
    ),
}
_TAG_PATTERN = re.compile(r"<[^>]*>")
_MAX_NESTING = 4


def replace_svg_and_mathml(text: str) -> str:
    """Replace inline ``<svg>`` and ``<math>`` with equivalent text.

    A drawing becomes ``<span class="left-out">`` with its label (``aria-label`` or ``<title>``),
    empty if it has none, so that rendering can report it to the editor. A formula becomes
    ``<span class="math">`` with its ``alttext``, its TeX annotation, or its characters.
    """
    for _ in range(_MAX_NESTING):
        text, count = _SVG_OR_MATHML.subn(_format_as_text, text)
        if not count:
            break
    return text


def _format_as_text(found: re.Match[str]) -> str:
    name, inside = found["name"].lower(), found["inside"]
    labels = (pattern.search(inside) for pattern in _LABEL_PATTERNS[name])
    label = next((html.unescape(match["label"]) for match in labels if match), "")
    if name == "math" and not label.strip():
        label = html.unescape(_TAG_PATTERN.sub("", inside.partition(">")[2]))
    kind = LEFT_OUT_CLASS if name == "svg" else "math"
    return f'<span class="{kind}">{html.escape(" ".join(label.split()))}</span>'
