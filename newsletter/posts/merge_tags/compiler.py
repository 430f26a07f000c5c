"""``{{ … }}`` in a post: found before parsing, compiled after it, left alone in code.

Before a post is parsed each expression gives way to a marker of letters and digits, which no
parser, sanitiser or URL rule touches. Markers that have landed in text or in attributes by the end
are merge tags and become tokens; those in code become the author's own words again.
"""

import html
import re
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches

from newsletter.errors import Location, PostError, Problem
from newsletter.posts.merge_tags.tags import (
    PREFERENCES_TAG,
    UNSUBSCRIBE_TAG,
    MergeTag,
    MergeTagRegistry,
    TokenTarget,
)

_EXPRESSION = re.compile(r"\{\{(?:(?P<inside>(?:(?!\{\{|\}\}|\n[ \t]*\n).)*)\}\})?", re.DOTALL)
_QUOTE = "[\"'“”„‘’‚«»]"  # noqa: RUF001 - a word processor may have curled them
_SUBSCRIBER_EXPRESSION = re.compile(
    r"subscriber\.(?P<attribute>[^\W\d][\w-]*)"
    rf"(?:\s*\|\s*default\(\s*{_QUOTE}(?P<default>.*){_QUOTE}\s*\))?",
    re.DOTALL,
)
_LINK_TAGS = {"unsubscribe_url": UNSUBSCRIBE_TAG, "preferences_url": PREFERENCES_TAG}
_CODE_TAG = re.compile(r"<(?P<end>/?)(?:code|pre)\b[^>]*>")
_ALLOWED_REMEDY = (
    'Allowed are {{ subscriber.name | default("friend") }}, {{ unsubscribe_url }} and '
    "{{ preferences_url }}; to show braces as they are, put them in code."
)


@dataclass(frozen=True, slots=True)
class MarkedText:
    """A text with a marker in place of each expression.

    Attributes:
        text: the text, markers in it.
        expressions: the expressions as written; the n-th has the marker ``<stem>nz``.
        locations: where each is.
        marker_stem: what every marker begins with; occurs nowhere else in the text.
    """

    text: str
    expressions: tuple[str, ...]
    locations: tuple[Location, ...]
    marker_stem: str

    def restore_expressions(self, source_code: str) -> str:
        """Put the author's words back into code that is not HTML yet."""
        return self._marker_pattern.sub(lambda found: self.expressions[int(found[1])], source_code)

    def restore_code(self, body: str) -> str:
        """Put the author's words back into ``<code>`` and ``<pre>`` of sanitised HTML."""
        if self.marker_stem not in body:
            return body
        parts: list[str] = []
        depth = at = 0
        for tag in _CODE_TAG.finditer(body):
            parts.append(
                self._restore_escaped(body[at : tag.end()]) if depth else body[at : tag.end()]
            )
            depth += -1 if tag["end"] else 1
            at = tag.end()
        return "".join((*parts, body[at:]))

    def compile(self, text: str, compiler: "MergeTagCompiler", target: TokenTarget) -> str:
        """Replace the markers that are left by tokens."""

        def token(found: re.Match[str]) -> str:
            index = int(found[1])
            source = html.unescape(self.expressions[index])
            return compiler.compile_expression(source, self.locations[index], target)

        return self._marker_pattern.sub(token, text)

    def _restore_escaped(self, code: str) -> str:
        return self._marker_pattern.sub(
            lambda found: html.escape(html.unescape(self.expressions[int(found[1])])), code
        )

    @property
    def _marker_pattern(self) -> re.Pattern[str]:
        return re.compile(self.marker_stem + r"(\d+)z")


def mark_expressions(text: str, path: str, first_line: int) -> MarkedText:
    """Put a marker in place of each expression.

    Args:
        text: a post's body.
        path: its file.
        first_line: 1-based line in the file on which ``text`` begins.
    """
    stem = "mergetag"
    while stem in text.lower():  # lower: the host of a URL is lower-cased on the way
        stem += "x"
    sources: list[str] = []
    places: list[Location] = []

    def marker(found: re.Match[str]) -> str:
        sources.append(found[0])
        places.append(Location(path, first_line + text.count("\n", 0, found.start())))
        return f"{stem}{len(sources) - 1}z"

    return MarkedText(_EXPRESSION.sub(marker, text), tuple(sources), tuple(places), stem)


class MergeTagCompiler:
    """Turns the expressions of one issue into tokens and remembers what is wrong.

    Args:
        defaults: attribute -> default text, from ``attributes:`` in newsletter.yml.

    Attributes:
        problems: every wrong expression so far.
    """

    def __init__(self, defaults: Mapping[str, str]) -> None:
        self._table = MergeTagRegistry(defaults)
        self._known_expressions = [
            "subscriber." + name for name in ("name", "email", *defaults)
        ] + [*_LINK_TAGS]
        self.problems: list[Problem] = []

    @property
    def merge_tags(self) -> tuple[MergeTag, ...]:
        """Every distinct tag of a subscriber's attribute, in the order of first use."""
        return self._table.merge_tags

    def compile_text(self, value: str, where: Location, target: TokenTarget = "text") -> str:
        """Replace every expression in a value of the front matter by its token."""
        return _EXPRESSION.sub(
            lambda found: self.compile_expression(found[0], where, target), value
        )

    def compile_expression(self, source: str, where: Location, target: TokenTarget) -> str:
        """Return the token of one expression; the expression itself if it is wrong."""
        try:
            return self._parse_expression(source, where).token(target)
        except PostError as error:
            self.problems += error.problems
            return source

    def _parse_expression(self, source: str, where: Location) -> MergeTag:
        found = _EXPRESSION.fullmatch(source)
        if found is None or found["inside"] is None:
            raise PostError("{{ is never closed with }}", where=where, remedy=_ALLOWED_REMEDY)
        inside = " ".join(found["inside"].split())
        if inside in _LINK_TAGS:
            return _LINK_TAGS[inside]
        if match := _SUBSCRIBER_EXPRESSION.fullmatch(inside):
            return self._table.get_or_add(match["attribute"], match["default"], source, where)
        raise PostError(
            f"{{{{ {inside} }}}} is no merge tag{self._suggest_expression(inside)}",
            where=where,
            remedy=_ALLOWED_REMEDY,
        )

    def _suggest_expression(self, inside: str) -> str:
        name, _, rest = (part.strip() for part in inside.partition("|"))
        if rest and _SUBSCRIBER_EXPRESSION.fullmatch(name):
            return f": after | only default(…) is known, not '{rest}'"
        whole = f"subscriber.{name}"
        near = (
            [whole]
            if whole in self._known_expressions
            else get_close_matches(name, self._known_expressions, n=1)
        )
        return f". Did you mean {{{{ {near[0]} }}}}?" if near else ""
