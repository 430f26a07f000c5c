"""Write MathML on one line: 1/2, x_i, x^2, sqrt(2)."""

import html
import re
from collections.abc import Callable, Sequence

from lxml import etree
from lxml.etree import _Element as Element

_NAMED_REFERENCE = re.compile(r"&(?!(?:amp|lt|gt|quot|apos);)[A-Za-z]\w*;")
_PREFIX = re.compile(r"(</?)[a-z]\w*:(?=[a-z])", re.IGNORECASE)
_DISPLAY_STYLE = re.compile(r"\{\\displaystyle\s*(?P<formula>.*)\}", re.DOTALL)
_INVISIBLE_OPERATORS = str.maketrans(dict.fromkeys("\u2061\u2062\u2063\u2064\u200b", ""))
_SIMPLE = re.compile(r"[^\W_]+(?:[.,]\d+)?|\W")
_FACTOR = re.compile(r"\d[\d.,]*|[^\W\d_]")
_NAME = re.compile(r"[^\W\d_](?:[\^_].*)?", re.DOTALL)
_PRIMES = frozenset("'\u2032\u2033\u2034\u2057")
_ACCENTS = frozenset("\u00af\u02c6\u02dc\u02c7\u00b4`^~\u2192\u203e\u00a8\u02d9")
_LEAVES = frozenset({"mi", "mn", "mo", "mtext", "ms"})
_IGNORED = frozenset({"annotation", "annotation-xml", "mphantom", "none", "mprescripts"})


def write_formula(mathml: str) -> str:
    """Return the text of a formula: its TeX, else its ``alttext``, else its MathML on one line.

    Args:
        mathml: a whole ``<math>`` element, however malformed.
    """
    root = _parse(mathml)
    if root is None:
        return _join([html.unescape(part) for part in re.split(r"<[^>]*>", mathml)])
    for annotation in root.iter("annotation"):
        if "tex" in (annotation.get("encoding") or "tex").lower() and _clean(annotation.text):
            return _strip_display_style(_clean(annotation.text))
    return _strip_display_style(_clean(root.get("alttext"))) or _write(root)


def list_symbols(mathml: str) -> str:
    """Return the symbols of a formula as its MathML has them, without TeX and structure."""
    root = _parse(mathml)
    if root is None:
        return ""
    return " ".join(
        text for e in root.iter(*_LEAVES) if (text := _clean("".join(map(str, e.itertext()))))
    )


def _parse(mathml: str) -> Element | None:
    text = _NAMED_REFERENCE.sub(lambda found: html.unescape(found[0]), _PREFIX.sub(r"\1", mathml))
    text = re.sub(r"""\sxmlns(?::\w+)?\s*=\s*(?:"[^"]*"|'[^']*')""", "", text)
    parser = etree.XMLParser(
        recover=True, resolve_entities=False, no_network=True, remove_comments=True, remove_pis=True
    )
    try:
        root: Element | None = etree.fromstring(text, parser)
    except (etree.LxmlError, ValueError):
        return None
    if root is None:
        return None
    for element in root.iter():
        element.tag = str(element.tag).lower()
    return root


def _clean(text: str | None) -> str:
    return " ".join((text or "").split())


def _strip_display_style(formula: str) -> str:
    found = _DISPLAY_STYLE.fullmatch(formula)
    return found["formula"].strip() if found else formula


def _write(element: Element) -> str:
    tag = str(element.tag)
    if tag in _IGNORED:
        return ""
    if tag == "mspace":
        return " "
    if tag in _LEAVES:
        return _clean("".join(map(str, element.itertext()))).translate(_INVISIBLE_OPERATORS)
    children = [child for child in element if child.tag not in _IGNORED]
    writer = _WRITERS.get(tag)
    if writer and len(children) >= _CHILD_COUNTS.get(tag, 0):
        return writer(element, children)
    parts = [_clean(element.text)]
    for child in children[:1] if tag in {"semantics", "maction"} else children:
        parts += (_write(child), _clean(child.tail))
    return _join(parts)


def _join(parts: Sequence[str]) -> str:
    """Join parts so that neither numbers nor names run together: 2x and at^2, but 2 1/2, sin x."""
    text = previous = ""
    for part in parts:
        if not part:
            continue
        touches = text[-1:].isalnum() and part[:1].isalnum()
        is_product = _FACTOR.fullmatch(previous) and _NAME.fullmatch(part)
        text += f" {part}" if touches and not is_product else part
        previous = part
    return _clean(text)


def _group(text: str) -> str:
    return text if _SIMPLE.fullmatch(text) else f"({text})"


def _write_fraction(element: Element, children: list[Element]) -> str:
    top, bottom = _write(children[0]), _write(children[1])
    if re.fullmatch(r"0\D*", element.get("linethickness") or ""):
        return f"binom({top}, {bottom})"
    return f"{_group(top)}/{_group(bottom)}"


def _write_scripts(element: Element, children: list[Element]) -> str:
    base, *scripts = (_write(child) for child in children)
    marks = {"msub": "_", "munder": "_", "msup": "^", "mover": "^"}.get(str(element.tag), "_^")
    text = _group(base) if base else ""
    for mark, script in zip(marks, scripts, strict=False):
        is_mark = script in _ACCENTS or set(script) <= _PRIMES
        text += script if is_mark else f"{mark}{_group(script)}"
    return text


def _write_multiscripts(_element: Element, children: list[Element]) -> str:
    base, *scripts = (_write(child) for child in children)
    return base + "".join(
        f"{'^' if index % 2 else '_'}{_group(script)}"
        for index, script in enumerate(scripts)
        if script
    )


def _write_table(element: Element, _children: list[Element]) -> str:
    rows = [", ".join(map(_write, row)) for row in element]
    previous = element.getprevious()
    is_fenced = previous is not None and previous.tag == "mo"
    return "; ".join(rows) if is_fenced else f"[{'; '.join(rows)}]"


def _write_fenced(element: Element, children: list[Element]) -> str:
    separator = (element.get("separators") or ",")[0]
    inside = f"{separator} ".join(_write(child) for child in children)
    return f"{element.get('open') or '('}{inside}{element.get('close') or ')'}"


def _write_square_root(_element: Element, children: list[Element]) -> str:
    return f"sqrt({_join([_write(child) for child in children])})"


def _write_root(_element: Element, children: list[Element]) -> str:
    return f"root({_write(children[1])}, {_write(children[0])})"


_WRITERS: dict[str, Callable[[Element, list[Element]], str]] = {
    "mfrac": _write_fraction,
    **dict.fromkeys(("msub", "msup", "msubsup", "munder", "mover", "munderover"), _write_scripts),
    "mmultiscripts": _write_multiscripts,
    "mtable": _write_table,
    "mfenced": _write_fenced,
    "msqrt": _write_square_root,
    "mroot": _write_root,
}
_CHILD_COUNTS = {
    **dict.fromkeys(("mfrac", "msub", "msup", "munder", "mover", "mroot"), 2),
    **dict.fromkeys(("msubsup", "munderover"), 3),
    "mmultiscripts": 1,
}
