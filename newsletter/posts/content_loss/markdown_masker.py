"""Mask the markup of Markdown, by patterns and string searches only.

Where the syntax is ambiguous, text is masked: the result may have fewer words than a reader sees,
not more. Code keeps its characters, as a reader sees them.
"""

import html
import re
from bisect import bisect_left
from dataclasses import replace

from newsletter.posts.content_loss.html_source_masker import HtmlSourceMasker
from newsletter.posts.content_loss.masked_text import ContentReference, MaskedText, ReferenceKind
from newsletter.posts.content_loss.text_masker import BARE_URL, strip_punctuation
from newsletter.posts.html.callouts import CONTAINER_NAMES
from newsletter.posts.html.code_titles import find_code_title

# Atomic groups, not possessive ones: Python 3.11.0 to 3.11.4 match some of these wrongly
# (CPython, issue 106052).
_ESCAPE = re.compile(r"\\([!-/:-@\[-`{-~])")
_ENTITY = re.compile(r"&(?:#\w{1,8}|\w{1,40});", re.ASCII)  # in HTML, &sect needs no semicolon
_SPECIAL = re.compile(r"[<\n`\[\]!{:|]|https?://|\bwww\.", re.IGNORECASE)
_FENCE = re.compile(
    r"(?P<prefix>(?>(?:[>\t ]|(?:[-*+]|\d{1,9}[.)])[ \t])*))"
    r"(?P<fence>`{3,}+(?=[^`\n]*$)|~{3,}+)[^\n]*+",
    re.MULTILINE,
)
_BALANCED = r"[^\s()\\]++|\\."  # what a URL has between brackets
for _ in range(8):  # levels; CommonMark has 32
    _BALANCED = rf"[^\s()\\]++|\\.|\((?>(?:{_BALANCED})*)\)"
_DESTINATION = re.compile(
    r"\]\(\s*+(?P<url><[^<>\n]*+>"
    rf"|(?>(?:\{{\{{[^{{}}]*+\}}\}}|[^\s()\\{{]++|\{{|\\.|\((?>(?:{_BALANCED})*)\))*))"
    r"""(?>(?:\s++(?:"(?>(?:[^"\\]++|\\.)*)"|'(?>(?:[^'\\]++|\\.)*)'|\((?>(?:[^()\\]++|\\.)*)\)))?)\s*+\)""",
    re.DOTALL,
)
_LABEL = re.compile(r"\]\[((?>(?:[^\[\]\n]++|\n(?![ \t]*\n))*))\]")
_DEFINITION = re.compile(
    r"[>\t ]*+\[(?!\^)(?P<label>(?>(?:[^\[\]\n\\]++|\\.)+))\]:[ \t]*+\n?[ \t]*+"
    r"(?P<url><[^<>\n]*+>|\S++)"
    r"""(?>(?:[ \t]*+(?:\n[ \t]*+)?(?:"[^"\n]*+"|'[^'\n]*+'|\([^()\n]*+\)))?)[ \t]*+$""",
    re.MULTILINE,
)
_FOOTNOTE_MARK = re.compile(r"\[\^[^\[\]\s]++\]:?+")
_CONTAINER_NAMES = "|".join(sorted(CONTAINER_NAMES, key=len, reverse=True))
_LINE_START = re.compile(
    r"[>\t ]*+(?>(?::[ \t]+)?)(?:"  # the colon of a definition, which may begin with a list
    r"(?<=[> ])\[!\w++\][+-]?+"  # an alert of GitHub
    # A container; another name than those is text.
    rf"|:::+[ \t]*+(?>(?:(?i:\{{?(?:{_CONTAINER_NAMES})\}}?)(?![\w-]))?)"
    r"|(?P<item>[-*+](?=[ \t])|\d{1,9}[.)](?=\s|\Z))(?:[ \t]++\[[ xX]\](?=\s))?"
    r"|#{1,6}(?=[ \t])"
    r"|\|)?"
)
_SHORTCODE = re.compile(
    r"\[(?P<end>/?)(?P<name>[a-z][\w-]*+)"
    r"""(?P<attributes>(?>(?:\s++[\w-]++=(?:"[^"\n]*+"|'[^'\n]*+'|[^\s\["'\]]++))*))"""
    r"\s*+/?\](?![(\[:])",
    re.IGNORECASE | re.ASCII,
)
_SHORTCODE_END = re.compile(r"\[/([a-z][\w-]*+)\]", re.IGNORECASE | re.ASCII)
_EMOJI_NAME = re.compile(r":[a-z][a-z0-9_+-]*+:(?!/)", re.ASCII)
# A blank line, or one that begins a fence, a heading or a list.
_PARAGRAPH_END = re.compile(r"\n[ \t>]*(?:\n|`{3}[^`\n]*\n|~{3}|#{1,6}[ \t]|[-*+][ \t])")
_BLANK_LINE = re.compile(r"\n(?=[ \t>]*\n)")
# What begins a block of HTML up to the next blank line (CommonMark 0.31, section 4.6).
_HTML_BLOCK = re.compile(
    r"</?(?:address|article|aside|base|basefont|blockquote|body|caption|center|col|colgroup|dd"
    r"|details|dialog|dir|div|dl|dt|fieldset|figcaption|figure|footer|form|frame|frameset|h[1-6]"
    r"|head|header|hr|html|iframe|legend|li|link|main|menu|menuitem|nav|noframes|ol|optgroup"
    r"|option|p|param|search|section|summary|table|tbody|td|tfoot|th|thead|title|tr|track|ul)"
    r"(?=[\s/>]|\Z)",
    re.IGNORECASE,
)
_PRE_LINE = re.compile(r"[>\t ]*<pre\b", re.IGNORECASE)
_QUOTE_END = re.compile(r"\n(?![ \t]*>)")
_BACKTICKS = re.compile(r"`+")
_CODE_LINE = re.compile(r"[^\n]*\n|[^\n]+")  # not by str.splitlines: U+2028 ends no line
_MAX_NESTING = 1_000  # open brackets that are remembered


class MarkdownMasker(HtmlSourceMasker):
    """Masker of one text in Markdown, with the HTML in it.

    Args:
        text: Markdown, in any dialect.
    """

    special = _SPECIAL

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._brackets: list[tuple[bool, int]] = []  # whether it is an image's, offset
        self._definitions: dict[str, str] = {}  # URL by label, the first as in Markdown
        self._label_uses: list[tuple[str, ReferenceKind, int]] = []  # label, kind, offset
        self._paired_shortcodes = {name.lower() for name in _SHORTCODE_END.findall(text)}
        self._runs: dict[int, list[int]] = {}
        for found in _BACKTICKS.finditer(text):
            self._runs.setdefault(len(found[0]), []).append(found.start())
        self._in_table_row = False
        self._starts_block = True
        self._in_html_block = False
        self._consumers = {
            "\n": self._consume_line_end,
            "`": self._consume_code_span,
            "[": self._consume_opening_bracket,
            "!": self._consume_exclamation_mark,
            "]": self._consume_closing_bracket,
            "{": self.consume_brace,
            ":": self._consume_colon,
            "|": self._consume_pipe,
        }

    def consume(self, start: int) -> int:
        """Add the construct that begins at a special character; return where it ends."""
        character = self.source[start]
        if character not in self._consumers:
            return super().consume(start)
        if start < self.pre_end and character != "\n":
            self.out.blank(character)  # there is no Markdown in <pre>
            return start + 1
        return self._consumers[character](start)

    def mask(self) -> MaskedText:
        """Return the text without its markup."""
        masked = super().mask()
        links = [
            ContentReference(
                kind,
                (self.decode_url(self._definitions[label].strip("<>")),),
                start,
                by_label=True,
            )
            for label, kind, start in self._label_uses
            if label in self._definitions
        ]
        return replace(masked, references=(*masked.references, *links))

    def begin(self) -> int:
        """Add what begins the first line; return where it ends."""
        return self._begin_line(0)

    def _consume_line_end(self, start: int) -> int:
        if start < self.pre_end:
            return super().consume(start)
        self.out.blank("\n")
        return self._begin_line(start + 1)

    def _begin_line(self, start: int) -> int:
        """Add what can begin a line: a fence, a definition, a list marker, a heading."""
        if fence := _FENCE.match(self.source, start):
            return self._consume_fence(fence)
        if definition := _DEFINITION.match(self.source, start):
            label = _normalize_label(definition["label"])
            self._definitions.setdefault(label, definition["url"])
            self.out.blank(definition[0])
            self._starts_block = True
            return definition.end()
        found = _LINE_START.match(self.source, start)
        assert found is not None
        prefix = found[0]
        is_heading = prefix.endswith("#")
        self._in_table_row = prefix.endswith("|")
        if found["item"]:
            self.out.block(start, "list item")
        elif is_heading or self._in_table_row:
            self.out.block(start, "heading" if is_heading else "table cell")
        elif self._starts_block:
            self.out.block(start, "paragraph")
        line_end = self.source.find("\n", found.end())
        is_blank = not self.source[found.end() : line_end if line_end >= 0 else None].strip()
        self._starts_block = is_blank or is_heading or self._in_table_row
        begins_html = _HTML_BLOCK.match(self.source, found.end()) is not None
        self._in_html_block = not is_blank and (self._in_html_block or begins_html)
        if is_blank:
            self._brackets.clear()
        self.out.blank(prefix)
        return found.end()

    def find_code_end(self, start: int) -> int:
        """Return where a ``pre`` ends; one within a paragraph ends with it."""
        end = super().find_code_end(start)
        line_start = self.source.rfind("\n", 0, start) + 1
        if self._in_html_block or _PRE_LINE.match(self.source, line_start):
            return end
        blank_line = _BLANK_LINE.search(self.source, start, end)
        return blank_line.start() if blank_line else end

    def _consume_fence(self, fence: re.Match[str]) -> int:
        """Add a fenced code block (CommonMark 0.31, section 4.5), with its title as text.

        One never closed runs on, in a quotation to its end.
        """
        marker, quote = fence["fence"], "> " if ">" in fence["prefix"] else ""
        closing = re.compile(
            rf"^(?:[>\t ])*{re.escape(marker[0])}{{{len(marker)},}}[ \t]*$", re.MULTILINE
        ).search(self.source, fence.end())
        end = closing.start() if closing else len(self.source)
        last = closing.end() if closing else end
        if quote and (quote_end := _QUOTE_END.search(self.source, fence.end(), last)):
            closing, end = None, quote_end.start()
        line, title = fence[0], find_code_title(fence[0])
        group = title.lastgroup or 0 if title else 0
        before, behind = title.span(group) if title else (len(line), len(line))
        self.out.blank(line[:before])
        self._mask_code(line[before:behind])
        self.out.blank(line[behind:])
        start = fence.end()
        for line in _CODE_LINE.findall(self.source[start:end]):
            code = line.lstrip(" \t>") if quote else line
            self.out.block(start, "code line")
            self.out.code(start, code)
            self._mask_code(line)
            start += len(line)
        if closing:
            self.out.blank(closing[0])
        self._starts_block = True
        self._in_table_row = False
        return closing.end() if closing else end

    def _consume_code_span(self, start: int) -> int:
        """Add a code span (CommonMark 0.31, section 6.1), which ends with its paragraph."""
        if self._is_escaped(start):
            self.out.glue("`")
            return start + 1
        length = len(_BACKTICKS.match(self.source, start)[0])  # type: ignore[index]
        runs = self._runs.get(length, [])
        index = bisect_left(runs, start + 1)
        end = runs[index] if index < len(runs) else -1
        self.out.glue("`" * length)
        if end < 0 or _PARAGRAPH_END.search(self.source, start, end):
            return start + length
        self._add_shown_urls(start + length, end)
        self._mask_code(self.source[start + length : end])
        self.out.glue("`" * length)
        return end + length

    def _add_shown_urls(self, start: int, end: int) -> None:
        """Add the URLs in a code span; of a code block, whole lines are compared."""
        for found in BARE_URL.finditer(self.source, start, end):
            if not self.source.startswith(("{{", "{%"), found.end()):  # else only a part of one
                url = strip_punctuation(found[0])
                self.out.references.append(ContentReference("link", (url,), found.start()))

    def _is_escaped(self, start: int) -> bool:
        first = start
        while self.source.startswith("\\", first - 1) and first:
            first -= 1
        return (start - first) % 2 == 1

    def _mask_code(self, code: str) -> None:
        """Add code: it has no markup, but its URLs are no words, as everywhere."""
        position = 0
        for found in BARE_URL.finditer(code):
            url = strip_punctuation(found[0])
            self.out.text(code[position : found.start()])
            self.out.blank(url)
            position = found.start() + len(url)
        self.out.text(code[position:])

    def _consume_opening_bracket(self, start: int) -> int:
        found = _FOOTNOTE_MARK.match(self.source, start)
        if found is None and (shortcode := _SHORTCODE.match(self.source, start)):
            is_paired = shortcode["name"].lower() in self._paired_shortcodes
            found = shortcode if shortcode["attributes"] or is_paired else None
        if found is None:
            return self._open_bracket(start, "[")
        self.mask_template_tag(found[0])
        return found.end()

    def _consume_exclamation_mark(self, start: int) -> int:
        if self.source.startswith("![", start) and not self.source.startswith("![^", start):
            return self._open_bracket(start, "![")
        self.out.blank("!")
        return start + 1

    def _open_bracket(self, start: int, bracket: str) -> int:
        if len(self._brackets) < _MAX_NESTING:
            self._brackets.append((bracket == "![", start + len(bracket)))
        self.out.blank(bracket)
        return start + len(bracket)

    def _consume_closing_bracket(self, start: int) -> int:
        is_image, opening = self._brackets.pop() if self._brackets else (False, -1)
        kind: ReferenceKind = "image" if is_image else "link"
        if is_image and self.source.startswith(("(", "["), start + 1):
            self._drop_bare_urls(opening)
        if opening >= 0 and (found := _DESTINATION.match(self.source, start)):
            content, url = self.source[opening:start], found["url"].strip("<>")
            is_shown = is_image or content.strip()  # a link without text shows nothing
            if is_shown and url and "{{" not in url and "{%" not in url:
                urls, alt = (self.decode_url(url),), content if is_image else ""
                self.out.references.append(ContentReference(kind, urls, opening, alt))
            self.out.blank(found[0])
            return found.end()
        if opening >= 0:
            text = self.source[opening:start]
            found = _LABEL.match(self.source, start)
            label = found[1] if found and found[1].strip() else text
            self._label_uses.append((_normalize_label(label), kind, opening))
            if found:
                self.out.blank(found[0])
                return found.end()
        self.out.blank("]")
        return start + 1

    def _drop_bare_urls(self, start: int) -> None:
        """Forget the bare URLs from an offset on: in an alternative text they are no links."""
        references = self.out.references
        while references and references[-1].start >= start:
            if BARE_URL.match(self.source, references[-1].start) is None:
                return
            references.pop()

    def decode_url(self, url: str) -> str:
        """Return a URL without backslashes and character references."""
        url = _ESCAPE.sub(r"\1", url)
        return _ENTITY.sub(lambda found: html.unescape(found[0]), url)

    def _consume_colon(self, start: int) -> int:
        found = _EMOJI_NAME.match(self.source, start)
        name = found[0] if found else ":"
        self.out.blank(name)
        return start + len(name)

    def _consume_pipe(self, start: int) -> int:
        if self._in_table_row:
            self.out.block(start, "table cell")
        self.out.blank("|")
        return start + 1


def _normalize_label(label: str) -> str:
    return " ".join(label.casefold().split())
