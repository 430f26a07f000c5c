"""MDX: import and export lines, JSX components, expressions in braces."""

import html
import re
from collections.abc import Iterator, Mapping
from itertools import accumulate
from typing import NamedTuple

from newsletter.posts.importing.markup.code_ranges import find_code_blocks
from newsletter.posts.importing.markup.components import HANDLERS, is_translated, translate_element
from newsletter.posts.importing.markup.edits import Edit
from newsletter.posts.importing.markup.page import MarkupPage
from newsletter.posts.importing.markup.tags import MarkupElement, MarkupTag, TagForm, pair_tags

_BRACES = r"\{(?>(?:[^{}]|\{(?>(?:[^{}]|\{[^{}]*+\})*)\})*)\}"
_QUOTED = r"\"[^\"]*+\"|'[^']*+'"
_ATTRIBUTES = rf"(?P<attributes>(?:\s(?>(?:[^<>{{}}\"'/]|{_QUOTED}|/(?!>)|{_BRACES})*))?)"
_COMPONENT = re.compile(
    rf"<(?P<close>/)?(?P<name>[A-Z][\w.-]{{0,60}}){_ATTRIBUTES}(?P<self>/)?>|</?>"
)
_ELEMENT = re.compile(rf"<(?P<close>/)?(?P<name>[a-z][\w-]{{0,30}}){_ATTRIBUTES}(?P<self>/)?>")
_TAG_START = re.compile(r"</?[A-Za-z>]")
_ATTRIBUTE = re.compile(rf"(?P<name>[\w:@.-]{{1,60}})(?:\s*=\s*(?P<value>{_QUOTED}|{_BRACES}))?")
_EXPRESSION = re.compile(rf"(?<!\\){_BRACES}")
_STRING = re.compile(r"\{\s*(?P<quote>[\"'`])(?P<text>[^\"'`{}]*)(?P=quote)\s*\}")
_NUMBER = re.compile(r"\{\s*(?P<text>[\d.]+)\s*\}")
_IMPORT = re.compile(
    r"import\s+(?:(?P<names>[\w$*{}][\w$*{},\s]{0,300}?)\s+from\s+)?"
    r"(?P<path>\"[^\"\n]+\"|'[^'\n]+')\s*;?[ \t]*$",
    re.MULTILINE,
)
_MODULE_START = re.compile(r"(?:import|export)[\s{*]")
_HTML_NAMES = frozenset(
    """
    A ABBR ADDRESS B BIG BLOCKQUOTE BR CAPTION CENTER CITE CODE DD DEL DFN DIV DL DT EM FONT H1 H2
    H3 H4 H5 H6 HR I IFRAME IMG INS KBD LI OL P PRE Q S SAMP SMALL SPAN STRIKE STRONG SUB SUP TABLE
    TBODY TD TFOOT TH THEAD TR TT U UL VAR SCRIPT STYLE FORM INPUT VIDEO AUDIO SOURCE FIGURE
    """.split()
)
_BLOCK_ELEMENTS = frozenset({"div", "section", "aside", "article", "center", "main", "details"})
_MAX_LENGTH = 4_000  # characters of one tag
_MAX_STATEMENT_LINES = 200
_MAX_ATTEMPTS = 20  # lines like "import" that begin no statement


def is_mdx(text: str, suffix: str) -> bool:
    """Whether a post is MDX: by its name, or because it imports modules outside of code."""
    return suffix == ".mdx" or any(
        text[found.start() - 1 : found.start()] in {"", "\n"}
        and found.start() not in find_code_blocks(text)
        for found in _IMPORT.finditer(text)
    )


def find_imported_paths(text: str) -> dict[str, str]:
    """Return the paths of files that are imported under a name: ``import boat from "./a.png"``."""
    return {
        found["names"].strip(): found["path"][1:-1]
        for found in _IMPORT.finditer(text)
        if found["names"] and re.fullmatch(r"\w+", found["names"].strip())
    }


def remove_modules(page: MarkupPage) -> Iterator[Edit]:
    """Yield the edits for import and export statements, of one line or several."""
    lines = page.text.split("\n")
    starts = [0, *accumulate(len(line) + 1 for line in lines)]
    index = 0
    attempts = 0
    while index < len(lines) and attempts < _MAX_ATTEMPTS:
        line = lines[index]
        if not _MODULE_START.match(line) or starts[index] in page.protected:
            index += 1
            continue
        end = _find_statement_end(lines, index)
        if end is not None:
            word = line.split(maxsplit=1)[0].strip("{*")
            yield Edit(starts[index], starts[end] - 1, "", f"MDX {word}")
            index = end
        else:
            index += 1
            attempts += 1


def _find_statement_end(lines: list[str], first: int) -> int | None:
    """Return the index behind a statement's last line: that where its brackets are closed."""
    depth = 0
    is_import = lines[first].startswith("import")
    for index in range(first, min(first + _MAX_STATEMENT_LINES, len(lines))):
        line = re.sub(r"\"[^\"]*\"|'[^']*'", "", lines[index])
        depth += sum(line.count(char) for char in "([{") - sum(line.count(char) for char in ")]}")
        if depth <= 0 and (not is_import or re.search(r"[\"']", lines[index])):
            looks_right = re.match(
                r"import\b.*[\"']|export\b\s*(?:const|let|var|default|function"
                r"|async|class|type|interface|\{|\*)",
                lines[first],
            )
            return index + 1 if looks_right or index > first else None
        if depth <= 0 and not lines[index].strip():
            return None
    return None


def translate_components(page: MarkupPage, paths: Mapping[str, str], *, mdx: bool) -> list[Edit]:
    """Return the edits for JSX components; Markdown inside them stays Markdown.

    Args:
        page: the post.
        paths: name -> path of the files that are imported.
        mdx: whether the post is MDX; in Markdown only what is certainly a component counts.
    """
    found_tags = _find_tags(page, paths, mdx=mdx)
    edits = found_tags.edits
    tags = found_tags.components
    for element in pair_tags(found_tags.custom):
        if is_translated(element.tag.name) or page.get_inner(element).strip():
            tags += [element.tag, *((element.closing,) if element.closing else ())]
    for element in pair_tags(found_tags.blocks):
        edits += _iter_dedent(element, page)
    elements = pair_tags(tags)
    for element in elements:
        tag = element.tag
        if mdx or element.closing or tag.form == "single" or (tag.name in HANDLERS and tag.values):
            edits += translate_element(element, page)
            edits += _iter_dedent(element, page)
    if mdx:
        edits += page.remove_stray_tags(tags, elements)
    return edits


class _FoundTags(NamedTuple):
    """The tags of a post: components, custom elements, HTML's boxes; and edits of HTML tags."""

    components: list[MarkupTag]
    custom: list[MarkupTag]
    blocks: list[MarkupTag]
    edits: list[Edit]


def _find_tags(page: MarkupPage, paths: Mapping[str, str], *, mdx: bool) -> _FoundTags:
    result = _FoundTags([], [], [], [])
    position = 0
    while start := _TAG_START.search(page.text, position):
        position = start.end()
        if start.start() in page.protected:
            continue
        end = start.start() + _MAX_LENGTH
        if found := _COMPONENT.match(page.text, start.start(), end):
            position = found.end()
            if found["name"] is None:
                result.edits.extend([Edit(*found.span(), "", "component <>")] if mdx else [])
            elif found["name"] not in _HTML_NAMES:
                result.components.append(_make_tag(found, paths))
        elif mdx and (found := _ELEMENT.match(page.text, start.start(), end)):
            position = found.end()
            if "-" in found["name"]:
                result.custom.append(_make_tag(found, paths))
                continue
            result.edits.extend(_clean_element(found, page))
            if found["name"] in _BLOCK_ELEMENTS:
                result.blocks.append(_make_tag(found, paths))
    return result


def _make_tag(found: re.Match[str], paths: Mapping[str, str]) -> MarkupTag:
    values: dict[str, str] = {}
    for attribute in _ATTRIBUTE.finditer(found["attributes"]):
        value = attribute["value"] or ""
        if value.startswith("{"):
            literal = _STRING.fullmatch(value) or _NUMBER.fullmatch(value)
            value = literal["text"] if literal else paths.get(value[1:-1].strip().split(".")[0], "")
        else:
            value = html.unescape(value[1:-1])
        values.setdefault(attribute["name"].lower(), value)
    form: TagForm = "close" if found["close"] else "single" if found["self"] else "open"
    name = found["name"].rpartition(".")[2].lower()
    words = tuple(name for name, value in values.items() if not value)
    return MarkupTag(found.start(), found.end(), name, form, values, words, "")


def _clean_element(found: re.Match[str], page: MarkupPage) -> Iterator[Edit]:
    """Yield the edits that make HTML of a JSX tag: no expressions, ``class``, Markdown inside."""
    is_jsx = "{" in found["attributes"] or "className" in found["attributes"]
    is_block = found["name"] in _BLOCK_ELEMENTS and page.is_alone(*found.span())
    line_ends = found[0].count("\n")
    # JSX has no values without quotation marks.
    has_bare_value = re.search(r"=\s*[^\s\"{]", re.sub(_QUOTED, '""', found["attributes"]))
    is_broken = line_ends and not found["self"] and not has_bare_value
    tag = found[0]
    if is_jsx or is_broken:
        tag = _write_tag(found, 0 if is_block else line_ends, keep_words=not is_jsx)
    formatted = page.format_block(tag, *found.span()) if is_block else tag
    if formatted != found[0]:
        yield Edit(*found.span(), formatted, "JSX attributes, now HTML" if is_jsx else "")


def _write_tag(found: re.Match[str], line_ends: int, *, keep_words: bool) -> str:
    """Return a tag without expressions, with as many line ends as it had.

    In Markdown, a ``>`` that begins a line is a quotation, and a blank line ends the paragraph: so
    the line ends are before the attributes, or in comments.

    Args:
        found: the tag.
        line_ends: the number of its line ends.
        keep_words: whether attributes without a value are kept.
    """
    attributes = [
        (attribute["name"].replace("className", "class"), attribute["value"] or "")
        for attribute in _ATTRIBUTE.finditer(found["attributes"])
        if (keep_words if attribute["value"] is None else attribute["value"][0] != "{")
    ]
    tag = f"<{found['close'] or ''}{found['name']}"
    for index, (name, value) in enumerate(attributes):
        tag += ("\n" if index < line_ends else " ") + name
        tag += f"={' '.join(value.split())}" if value else ""
    more_line_ends = max(0, line_ends - len(attributes))
    return f"{tag}{' /' if found['self'] else ''}>" + "<!--\n-->" * more_line_ends


def _iter_dedent(element: MarkupElement, page: MarkupPage) -> Iterator[Edit]:
    """Yield the edits that unindent what is in a component, which would become code."""
    if element.closing is None:
        return
    starts = page.iter_line_starts(element.tag.end, element.closing.start)
    indents = []
    for start in starts:
        line = page.get_behind(start)
        indent = len(line) - len(line.lstrip())
        if line.strip() and start + indent < element.closing.start:
            indents.append(indent)
    width = min(indents, default=0)
    for start in starts:
        margin = page.text[start : start + width]
        blank = len(margin) - len(margin.lstrip(" \t"))
        if blank and start + blank <= element.closing.start:
            yield Edit(start, start + blank, "", group=element.tag.start)


def translate_expressions(page: MarkupPage) -> Iterator[Edit]:
    """Yield the edits for ``{…}`` in MDX text: strings become text, the rest is removed."""
    position = 0
    while (start := page.text.find("{", position)) >= 0:
        position = start + 1
        if start in page.protected or page.text[start + 1 : start + 2] in {"#", ".", ":", "%", "{"}:
            continue
        found = _EXPRESSION.match(page.text, start, start + _MAX_LENGTH)
        if found is None:
            continue
        if "$" in page.get_before(start) and "$" in page.get_behind(found.end()):
            continue  # a formula
        position = found.end()
        if literal := _STRING.fullmatch(found[0]):
            yield Edit(*found.span(), literal["text"], "MDX expression, now its text")
        else:
            is_comment = re.match(r"\{\s*/\*", found[0])
            yield Edit(*found.span(), "", "comment of MDX" if is_comment else "MDX expression")
