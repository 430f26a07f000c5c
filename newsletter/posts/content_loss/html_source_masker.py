"""Mask the markup of a post in HTML, with the tags of other tools."""

import re
from dataclasses import replace

from newsletter.posts.content_loss.html_masker import TEMPLATE_TAG_START, HtmlMasker
from newsletter.posts.content_loss.masked_text import MaskedText

_MIN_VISIBLE_SIZE = 2  # CSS pixels: a smaller image counts opens, it shows nothing
_EMPTY_LINK = re.compile(
    r"""(?>(?:
        [\s\u00ad\u200b-\u200f\u2060\ufeff]++
        | &(?:nbsp|shy|zwn?j|[lr]lm|\#0*(?:160|173|820[3-7]|8288|65279)
            | \#x0*(?:a0|ad|200[b-f]|2060|feff));
        | <!--(?>(?:(?!-->).){0,4000})-->
        | <svg\b(?>(?:(?!</?svg|</a).){0,4000})</svg>
        | <(?!/?a[\s/>])(?![a-z][^<>]*\b
            (?:src\w*+\s*+=(?!\s*+["']data:image/[^"']{0,180}["'])|(?:poster|data-(?:url|href))\s*+=))
            /?[a-z](?>(?:[^<>"']++|"[^"]*+"|'[^']*+')*)>
    )*)</?a[\s>]""",
    re.IGNORECASE | re.DOTALL | re.VERBOSE,
)  # it shows nothing, or an icon; the next link ends one that is never closed
# Of Substack, before the text of a footnote: a list has it in an email.
_FOOTNOTE_NUMBER = re.compile(
    r"""<a\s(?=[^<>]*\bclass=["'](?:[^"'<>]*\s)?footnote-number[\s"'])[^<>]*+>\s*+\d{1,4}\s*+</a>"""
)
_TEMPLATE_TAG = re.compile(
    r"\{\{(?:(?!\{\{|\}\}).){0,4000}\}\}"
    r"|\{:?[ \t]*+(?:[#.][\w-]|[\w-]++=)[^{}\n]*+\}|\{:[^{}\n]*+\}",
    re.DOTALL,
)
_CODE_TAG = re.compile(r"\{%-?\s*+(?P<name>highlight|codeblock|code_block|prism|syntax)\b")
_VISIBLE_VALUE = re.compile(
    r"""\b(?:caption|alt|title)\s*+=\s*+(?:"(?P<double>[^"]*+)"|'(?P<single>[^']*+)')"""
)


class HtmlSourceMasker(HtmlMasker):
    """Masker of a post in HTML: merge tags and the tags of other tools are no words.

    Args:
        text: HTML, however malformed.
    """

    special = re.compile(r"[<\n{]|https?://|\bwww\.", re.IGNORECASE)

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._code_ranges: list[range] = []  # between another tool's tags of code

    def mask(self) -> MaskedText:
        """Return the text without its markup; what is a link in code leads nowhere."""
        masked = super().mask()
        references = tuple(
            entry
            for entry in masked.references
            if not any(entry.start in code for code in self._code_ranges)
        )
        return replace(masked, references=references)

    def is_image(self, width: str | None, height: str | None) -> bool:
        """Return whether an image of this size shows something; a tracking pixel doesn't."""
        return not any(
            size is not None and size.isdecimal() and int(size[:9]) < _MIN_VISIBLE_SIZE
            for size in (width, height)
        )

    def is_link(self, href: str, start: int) -> bool:
        """Return whether a link leads to a fixed address and shows more than an icon."""
        is_fixed = bool(href) and not TEMPLATE_TAG_START.search(href)
        return is_fixed and _EMPTY_LINK.match(self.source, start) is None

    def consume(self, start: int) -> int:
        """Add the construct that begins at a special character; return where it ends."""
        if number := _FOOTNOTE_NUMBER.match(self.source, start):
            self.out.blank(number[0])
            return number.end()
        return self.consume_brace(start) if self.source[start] == "{" else super().consume(start)

    def consume_brace(self, start: int) -> int:
        """Add a merge tag, or a tag or an attribute list of another tool."""
        if self.source.startswith("{%", start):
            end = self.find_end("%}", start)
            self._note_code_tag(start)
        else:
            found = _TEMPLATE_TAG.match(self.source, start)
            end = found.end() if found else 0
        markup = self.source[start : end or start + 1]
        self.mask_template_tag(markup)
        return start + len(markup)

    def _note_code_tag(self, start: int) -> None:
        found = _CODE_TAG.match(self.source, start)
        if found and (not self._code_ranges or start >= self._code_ranges[-1].stop):
            for opening in ("{% end", "{%end", "{%- end", "{%-end"):
                if end := self.find_end(f"{opening}{found['name']}", found.end()):
                    self._code_ranges.append(range(start, end))
                    return

    def mask_template_tag(self, markup: str) -> None:
        """Mask another tool's tag, except for the caption or alternative text in it."""
        position = 0
        for found in _VISIBLE_VALUE.finditer(markup):
            group = "double" if found["double"] is not None else "single"
            self.out.blank(markup[position : found.start(group)])
            self.out.encoded_text(found[group])
            position = found.end(group)
        self.out.blank(markup[position:])
