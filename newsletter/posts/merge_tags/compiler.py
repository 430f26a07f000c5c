"""Compile ``{{ … }}`` in a post to tokens, except in code.

Before a post is parsed, each expression is replaced by a marker of letters and digits, which no
parser, sanitiser or URL rule changes. Afterwards, markers in text or in attributes are merge tags
and become tokens; markers in code become the original expressions again. ``{{ "{{" }}`` is no
merge tag: it writes two braces.
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

# ``{{ "{{" }}`` writes two braces, as in Jinja, Liquid and Nunjucks.
_LITERAL = r"\{\{\s*([\"']|&quot;|&#0?39;|&#x27;)(?P<literal>\{\{|\}\}|\{%|%\})\1\s*\}\}"
_LITERAL_PATTERN = re.compile(_LITERAL)
_EXPRESSION = re.compile(
    _LITERAL + r"|\{\{(?:(?P<inside>(?:(?!\{\{|\}\}|\n[ \t]*\n).)*)\}\})?", re.DOTALL
)
_QUOTE = "[\"'“”„‘’‚«»]"  # noqa: RUF001 - a word processor may have made them curly
_SUBSCRIBER_EXPRESSION = re.compile(
    r"subscriber\.(?P<attribute>[^\W\d][\w-]*)"
    rf"(?:\s*\|\s*default\(\s*{_QUOTE}(?P<default>.*){_QUOTE}\s*\))?",
    re.DOTALL,
)
_LINK_TAGS = {"unsubscribe_url": UNSUBSCRIBE_TAG, "preferences_url": PREFERENCES_TAG}
_CODE_TAG = re.compile(r"<(?P<end>/?)(?:code|pre)\b[^>]*>")
_ALLOWED = (
    'Use {{ subscriber.name | default("friend") }}, {{ unsubscribe_url }} or {{ preferences_url }}'
)
_BODY_REMEDY = f'{_ALLOWED}; to show literal braces, put them in code, or write {{{{ "{{{{" }}}}.'
_SETTING_REMEDY = f'{_ALLOWED}; to show literal braces, write {{{{ "{{{{" }}}} for the first two.'
_SHORTCODE_REMEDY = (
    "Write what it shows: a link, an image, the words. The import of the original post translates "
    "the usual ones; to show it as it is, put it in code."
)
_VARIABLE_REMEDY = (
    "Write its value instead; only {{ subscriber.… }}, {{ unsubscribe_url }} and "
    "{{ preferences_url }} are known here. To show it as it is, put it in code."
)
_VARIABLE = re.compile(
    r"(?:site|page|post|layout|include|jekyll|forloop|content|collections|params|config|section"
    r"|metadata|env|theme|data|pkg|eleventy)(?:\.|\[|\s*\||$)|\.[A-Z$]|\$\.|['\"].*\|"
)
_MAX_QUOTED_LENGTH = 80


@dataclass(frozen=True, slots=True)
class MarkedText:
    """A text with a marker in place of each expression.

    Attributes:
        text: the text with the markers.
        expressions: the expressions as written; the n-th has the marker ``<marker_stem>nz``.
        locations: location of each expression.
        marker_stem: prefix of every marker; occurs nowhere else in the text.
    """

    text: str
    expressions: tuple[str, ...]
    locations: tuple[Location, ...]
    marker_stem: str

    def restore_expressions(self, source_code: str) -> str:
        """Restore the original expressions in code that is not HTML yet."""
        return self._marker_pattern.sub(lambda found: self.expressions[int(found[1])], source_code)

    def restore_code(self, body: str) -> str:
        """Restore the original expressions in ``<code>`` and ``<pre>`` of sanitised HTML."""
        if self.marker_stem not in body:
            return body
        parts: list[str] = []
        depth = position = 0
        for tag in _CODE_TAG.finditer(body):
            parts.append(
                self._restore_escaped(body[position : tag.end()])
                if depth
                else body[position : tag.end()]
            )
            depth += -1 if tag["end"] else 1
            position = tag.end()
        return "".join((*parts, body[position:]))

    def compile(self, text: str, compiler: "MergeTagCompiler", target: TokenTarget) -> str:
        """Replace the remaining markers with tokens."""

        def token(found: re.Match[str]) -> str:
            index = int(found[1])
            written = self.expressions[index]
            return compiler.compile_expression(
                html.unescape(written), self.locations[index], target, written
            )

        return self._marker_pattern.sub(token, text)

    def _restore_escaped(self, code: str) -> str:
        return self._marker_pattern.sub(
            lambda found: html.escape(html.unescape(self.expressions[int(found[1])])), code
        )

    @property
    def _marker_pattern(self) -> re.Pattern[str]:
        return re.compile(self.marker_stem + r"(\d+)z")


def mark_expressions(text: str, path: str, first_line: int) -> MarkedText:
    """Replace each expression with a marker.

    Args:
        text: a post's body.
        path: its file, for messages.
        first_line: 1-based line in the file on which ``text`` begins.
    """
    stem = "mergetag"
    while stem in text.lower():  # lower: the host of a URL is lowercased during parsing
        stem += "x"
    expressions: list[str] = []
    locations: list[Location] = []
    line, line_offset = first_line, 0

    def marker(found: re.Match[str]) -> str:
        nonlocal line, line_offset
        line += text.count("\n", line_offset, found.start())
        line_offset = found.start()
        expressions.append(found[0])
        locations.append(Location(path, line))
        return f"{stem}{len(expressions) - 1}z"

    return MarkedText(_EXPRESSION.sub(marker, text), tuple(expressions), tuple(locations), stem)


class MergeTagCompiler:
    """Compiler of one issue's expressions to tokens; collects their problems.

    Args:
        defaults: attribute -> default text, from ``attributes:`` in newsletter.yml.

    Attributes:
        problems: the problems of all invalid expressions so far.
    """

    def __init__(self, defaults: Mapping[str, str]) -> None:
        self._registry = MergeTagRegistry(defaults)
        self._known_expressions = [
            "subscriber." + name for name in ("name", "email", *defaults)
        ] + [*_LINK_TAGS]
        self.problems: list[Problem] = []

    @property
    def merge_tags(self) -> tuple[MergeTag, ...]:
        """All distinct tags of subscriber attributes, in the order of first use."""
        return self._registry.merge_tags

    def compile_text(self, value: str, where: Location, target: TokenTarget = "text") -> str:
        """Replace each expression in a front matter value with its token."""
        return _EXPRESSION.sub(
            lambda found: self.compile_expression(found[0], where, target), value
        )

    def compile_expression(
        self, source: str, where: Location, target: TokenTarget, written: str = ""
    ) -> str:
        """Return the token of one expression; the expression itself if it is invalid.

        Args:
            source: the expression, or ``{{ "{{" }}`` for two braces.
            where: its location, for messages.
            target: the context of the token.
            written: the expression as it is in the post's body, if it is in the body.
        """
        found = _EXPRESSION.fullmatch(source)
        if found and found["literal"]:
            return found["literal"]
        try:
            return self._parse_expression(found, where, written or source, written).token(target)
        except PostError as error:
            self.problems += error.problems
            return source

    def _parse_expression(
        self, found: re.Match[str] | None, where: Location, source: str, written: str
    ) -> MergeTag:
        remedy = _BODY_REMEDY if written else _SETTING_REMEDY
        if found is None or found["inside"] is None:
            raise PostError("{{ is never closed with }}", where=where, remedy=remedy)
        inside = " ".join(found["inside"].split())
        if inside in _LINK_TAGS:
            return _LINK_TAGS[inside]
        if match := _SUBSCRIBER_EXPRESSION.fullmatch(inside):
            return self._registry.get_or_add(match["attribute"], match["default"], source, where)
        kind = self._suggest_expression(inside)
        if inside.startswith(("<", "%")):
            kind, remedy = " but a Hugo shortcode", _SHORTCODE_REMEDY
        elif not kind and _VARIABLE.match(inside):
            kind, remedy = " but a variable of a site generator", _VARIABLE_REMEDY
        raise PostError(
            f"{_clip_expression(source)} is not a merge tag{kind}", where=where, remedy=remedy
        )

    def _suggest_expression(self, inside: str) -> str:
        name, _, rest = (part.strip() for part in inside.partition("|"))
        if rest and _SUBSCRIBER_EXPRESSION.fullmatch(name):
            return f": only default(…) is allowed after |, not '{rest}'"
        full_name = f"subscriber.{name}"
        close_matches = (
            [full_name]
            if full_name in self._known_expressions
            else get_close_matches(name, self._known_expressions, n=1)
        )
        return f". Did you mean {{{{ {close_matches[0]} }}}}?" if close_matches else ""


def _clip_expression(source: str) -> str:
    """Return an expression as its author wrote it, on one line and not too long."""
    text = " ".join(source.split())
    return text if len(text) <= _MAX_QUOTED_LENGTH else f"{text[:_MAX_QUOTED_LENGTH]}…"


def escape_braces(text: str) -> str:
    """Return ``text`` with literal braces in place of those that are not merge tags."""
    return _EXPRESSION.sub(
        lambda found: (
            found[0] if is_merge_tag(found[0]) else found[0].replace("{{", '{{ "{{" }}', 1)
        ),
        text,
    )


def write_literals_as(text: str, braces: str = "{{") -> str:
    """Return ``text`` with ``braces`` in place of ``{{ "{{" }}``, and other literals as shown."""
    return _LITERAL_PATTERN.sub(
        lambda found: braces if found["literal"] == "{{" else str(found["literal"]), text
    )


def is_merge_tag(expression: str) -> bool:
    """Return whether ``{{ … }}`` is meant as a merge tag of ours, or as two literal braces."""
    found = _EXPRESSION.fullmatch(expression)
    if found is None or found["inside"] is None:
        return bool(found and found["literal"])
    inside = found["inside"].strip()
    return inside.startswith("subscriber.") or inside in _LINK_TAGS
