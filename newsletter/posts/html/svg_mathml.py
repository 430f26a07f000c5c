"""SVG and MathML, which mail clients do not show, become what can be read of them."""

import html
import re

LEFT_OUT = "left-out"

# Innermost elements only (nothing of the same name inside), so that the search stays linear.
_FOREIGN = re.compile(
    r"<(?P<name>svg|math)\b(?P<inside>(?:(?!<(?:svg|math)\b).)*?)</(?P=name)\s*>",
    re.IGNORECASE | re.DOTALL,
)
_LABEL = {
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
_TAGS = re.compile(r"<[^>]*>")
_NESTED = 4


def without_foreign(text: str) -> str:
    """Replace inline ``<svg>`` and ``<math>`` by text that says the same.

    A drawing becomes ``<span class="left-out">`` with its label (``aria-label`` or ``<title>``),
    empty where it has none, so that rendering can tell the editor. A formula becomes
    ``<span class="math">`` with its ``alttext``, its TeX annotation, or its characters.
    """
    for _ in range(_NESTED):
        text, count = _FOREIGN.subn(_readable, text)
        if not count:
            break
    return text


def _readable(found: re.Match[str]) -> str:
    name, inside = found["name"].lower(), found["inside"]
    labels = (pattern.search(inside) for pattern in _LABEL[name])
    label = next((html.unescape(match["label"]) for match in labels if match), "")
    if name == "math" and not label.strip():
        label = html.unescape(_TAGS.sub("", inside.partition(">")[2]))
    kind = LEFT_OUT if name == "svg" else "math"
    return f'<span class="{kind}">{html.escape(" ".join(label.split()))}</span>'
