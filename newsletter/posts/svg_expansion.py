"""Count what a browser draws of an SVG, repetitions included. Pure.

Thirty groups that each show the one before ten times are a file of 3 kB and 10^30 rectangles.
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from urllib.parse import unquote

# Atomic groups and the look behind a rule keep the time linear.
_URL_FRAGMENT = re.compile(r"""url\s*\((?>\s*)(?:"(?>\s*)|'(?>\s*))?#([^"')\s]+)""", re.IGNORECASE)
_CSS_COMMENT = re.compile(r"/\*(?:.*?\*/|.*)", re.DOTALL)
_CSS_RULE = re.compile(r"(?<![^{}])((?>[^{}]*))\{((?>[^{}]*))\}")
_CSS_NAME = re.compile(r"[.#]?(?:[\w-]|[^\x00-\x7f])+")
# What selects by more than a name; a selector may consist of it.
_CSS_CONDITION = re.compile(r"\[[^\]]*\]?|::?[\w-]+(?:\([^()]*\)?)?")
_ROOT = ""
_MANY = 10**12  # keeps the sums short
_CSS_COMBINATOR = re.compile(r"[\s>+~]")


class SvgExpansion:
    """The elements of a document and their references, as a parser meets them.

    A node of the graph is an element with an id, or a name that style sheets select by; what an
    element without an id shows belongs to the nearest one around it that has an id.
    """

    def __init__(self) -> None:
        self._references: dict[str, Counter[str]] = {_ROOT: Counter()}
        self._counts: Counter[str] = Counter()
        self._open = [_ROOT]

    def start(self, name: str, attributes: Mapping[str, str], href: str) -> None:
        """Count an element, which ``href`` may let show another one."""
        selectors = [name, "*", *(f".{word}" for word in attributes.get("class", "").split())]
        node = self._open[-1]
        if identifier := attributes.get("id"):
            selectors.append(f"#{identifier}")
            if f"id:{identifier}" not in self._references:  # the first one is meant
                node = f"id:{identifier}"
                self._references[self._open[-1]][node] += 1
                self._references[node] = Counter()
        self._open.append(node)
        self._counts[node] += 1
        references = self._references[node]
        for selector in selectors:
            references[f"css:{selector}"] += 1
        if href.lstrip().startswith("#"):
            references[f"id:{unquote(href.strip()[1:])}"] += 1
        for value in attributes.values():
            if "#" in value:
                references.update(_iter_fragments(value))

    def end(self) -> None:
        """Leave the innermost element."""
        self._open.pop()

    def add_style_sheet(self, text: str) -> None:
        """Let the elements that a style sheet selects show what it refers to."""
        if "#" not in text:
            return
        text = _CSS_COMMENT.sub("", text)
        for selectors, declarations in _CSS_RULE.findall(text):
            fragments = Counter(_iter_fragments(declarations))
            for name in _find_selected_names(selectors) if fragments else ():
                self._refer("css:" + name, fragments)
            # Declarations before a rule inside another one.
            self._refer("css:*", Counter(_iter_fragments(selectors)))
        self._refer("css:*", Counter(_iter_fragments(_CSS_RULE.sub("", text))))

    def _refer(self, node: str, fragments: Counter[str]) -> None:
        self._references.setdefault(node, Counter()).update(fragments)

    def count_repeated(self) -> int:
        """Return how many elements are drawn, less those that the file itself holds."""
        totals: dict[str, int] = {}
        entered = {_ROOT}
        path = [(_ROOT, iter(self._references[_ROOT]))]
        while path:  # depth first, without recursion: a chain of references may be long
            node, others = path[-1]
            other = next((name for name in others if name not in entered), None)
            if other is not None:
                entered.add(other)
                path.append((other, iter(self._references.get(other, ()))))
                continue
            path.pop()
            # A reference to an element around itself is an error, and browsers draw nothing. One to
            # a name in its own style may be a chain of elements, which names can't tell apart.
            repeated = sum(
                times * totals.get(name, _MANY if name.startswith("css:") else 0)
                for name, times in self._references.get(node, Counter()).items()
            )
            totals[node] = min(self._counts[node] + repeated, _MANY)
        return totals[_ROOT] - self._counts.total()


def _iter_fragments(css: str) -> Iterator[str]:
    return (f"id:{unquote(name)}" for name in _URL_FRAGMENT.findall(css))


def _find_selected_names(selectors: str) -> set[str]:
    """Return the names in a list of selectors; ``*`` too if one may select without a name."""
    names = set(_CSS_NAME.findall(selectors))
    plain = _CSS_CONDITION.sub("", selectors)
    # Each selector's last part, which says what it selects.
    parts = (_CSS_COMBINATOR.split(selector.strip())[-1] for selector in plain.split(","))
    if "(" in plain or not all(_CSS_NAME.search(part) for part in parts):
        names.add("*")
    return names
