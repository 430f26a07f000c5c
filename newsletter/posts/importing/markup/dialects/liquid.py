"""Tags of Liquid, Nunjucks and Zola: ``{% include a.html %}``."""

import re
from collections.abc import Iterator

from newsletter.posts.importing.markup.components import HANDLERS, translate_element
from newsletter.posts.importing.markup.delimited import iter_delimited
from newsletter.posts.importing.markup.dialects.braces import format_literal_braces
from newsletter.posts.importing.markup.dialects.code_tags import find_code_tag_ranges
from newsletter.posts.importing.markup.edits import Edit, Ranges
from newsletter.posts.importing.markup.links_to_posts import replace_post_link
from newsletter.posts.importing.markup.page import MarkupPage
from newsletter.posts.importing.markup.tags import (
    MarkupElement,
    MarkupTag,
    TagForm,
    pair_tags,
    parse_arguments,
)

_CONTROL_TAGS = frozenset(
    """
    if unless for case when else elsif elseif elif assign capture cycle increment decrement
    tablerow paginate set block extends macro import from call with break continue liquid filter
    asyncEach asyncAll cache nocache
    """.split()
)
_INCLUDE_TAGS = frozenset({"include", "include_relative", "include_cached", "render", "component"})
_POST_LINK_TAGS = frozenset({"post_url", "link", "post_path", "post_link"})
_MARKDOWN_TAGS = frozenset({"markdown", "markdownify", "md"})
_AFTER_HTML = re.compile(r"[ \t]*</?[A-Za-z][^<>]*>")
_BLOCKS = re.compile(
    r"\n[ \t]*\n|^[ \t]*(?:[-*+>#|]|\d+[.)])[ \t]|^[ \t]*(?:```|~~~)", re.MULTILINE
)
_RAW_TAG = re.compile(
    r"\{%[-~]?[ \t]{0,9}(?P<name>end(?:raw|verbatim)|raw|verbatim)[ \t]{0,9}[-~]?%\}"
)
_BRACES = re.compile(r"\{\{|\{%")


def translate_raw(page: MarkupPage) -> Iterator[Edit]:
    """Yield the edits for ``{% raw %}``: braces inside are text, in code they stay as they are.

    If other braces are in code without it, the blog's tool reads none in code: then ``{% raw %}``
    in code is what the author shows.
    """
    code_ranges = Ranges((*page.protected, *find_code_tag_ranges(page)))
    pairs = list(_iter_raw_pairs(page, code_ranges))
    raw = Ranges((opening.start(), closing.end()) for opening, closing in pairs)
    is_shown_in_code = any(
        braces.start() not in raw
        and (code := page.protected.get_range(braces.start()))
        and not page.text.startswith(("<!--", "{{"), code[0])
        for braces in _BRACES.finditer(page.text)
    )
    for opening, closing in pairs:
        in_code = opening.start() in code_ranges
        if in_code and is_shown_in_code:
            continue
        for tag in (opening, closing):
            yield _remove_raw_tag(page, tag, opening.start(), in_code=in_code)
        if in_code:
            continue
        for braces in _BRACES.finditer(page.text, opening.end(), closing.start()):
            if braces.start() not in page.protected:
                literal = format_literal_braces(braces[0], page)
                yield Edit(*braces.span(), literal, group=opening.start())


def _iter_raw_pairs(
    page: MarkupPage, code_ranges: Ranges
) -> Iterator[tuple[re.Match[str], re.Match[str]]]:
    opening: re.Match[str] | None = None
    for found in _RAW_TAG.finditer(page.text):
        if not found["name"].startswith("end"):
            opening = opening or found
        elif opening is not None:
            code = code_ranges.get_range(opening.start())
            if code == code_ranges.get_range(found.start()):
                yield opening, found
            opening = None


def _remove_raw_tag(page: MarkupPage, tag: re.Match[str], group: int, *, in_code: bool) -> Edit:
    """Return the edit for one tag; a line of its own at the edge of a code block leaves no gap."""
    text, why = page.text, "template tag raw"
    if in_code and page.is_alone(*tag.span()):
        line_start = text.rfind("\n", 0, tag.start()) + 1
        above = page.get_before(max(line_start - 1, 0))
        if re.match(r"[ \t>]*(?:```|~~~|\{%-? *highlight\b)", above):
            above_start = line_start - 1 - len(above)
            return Edit(above_start, tag.end(), f"\n{above}", why, tag[0], group)
        line_end = text.find("\n", tag.end())
        below = page.get_behind(line_end + 1) if line_end >= 0 else ""
        if re.match(r"[ \t>]*(?:(?:```|~~~)[`~]*|\{%-? *endhighlight *-?%\})\s*$", below):
            end = line_end + 1 + len(below)
            return Edit(line_start, end, f"{below}\n", why, tag[0], group)
    return Edit(*tag.span(), "", why, group=group)


def translate_liquid(page: MarkupPage) -> list[Edit]:
    """Return the edits for all tags of a post."""
    edits = [
        Edit(start, end, "", "comment of a template")
        for start, end, inside in iter_delimited(page.text, "{#", "#}", page.protected)
        if "}" not in inside
    ]
    tags = list(_iter_tags(page))
    elements = pair_tags(tags)
    for element in elements:
        edits += _translate_element(element, page)
    edits += page.remove_stray_tags(tags, elements)
    return edits


def _iter_tags(page: MarkupPage) -> Iterator[MarkupTag]:
    open_names: list[str] = []
    for start, end, inside in iter_delimited(page.text, "{%", "%}", page.protected):
        content = " ".join(inside.strip("-~ \t\n").split())
        found = re.match(
            r"(?P<close>end)?_?(?P<name>[\w:-]*)[ ]?(?P<arguments>.*)", content, re.DOTALL
        )
        if found is None or not content:
            continue
        name, arguments = found["name"].rpartition("::")[2], found["arguments"].strip()
        form: TagForm = "close" if found["close"] else "open"
        if found["close"] and not name:
            name = open_names.pop() if open_names else "end"
        elif form == "open" and arguments.startswith("(") and arguments.endswith(")"):
            arguments = arguments[1:-1]
            open_names.append(name)  # Zola closes each with {% end %}
        values, words = parse_arguments(arguments)
        yield MarkupTag(start, end, name, form, values, words, arguments)


def _translate_element(  # noqa: PLR0911 - one return for each kind of tag
    element: MarkupElement, page: MarkupPage
) -> list[Edit]:
    tag = element.tag
    if tag.name in _INCLUDE_TAGS and tag.words:
        stem = tag.words[0].rpartition("/")[2].rpartition(".")[0] or tag.words[0].rpartition("/")[2]
        stem = stem.lower()
        name = next((name for name in (stem, *re.split(r"[-_]", stem)) if name in HANDLERS), "")
        if name:
            inner = MarkupTag(
                tag.start, tag.end, name, tag.form, tag.values, tag.words[1:], tag.arguments
            )
            return translate_element(MarkupElement(inner, element.closing), page)
        return page.replace_tags(element)
    if tag.name in _POST_LINK_TAGS and "//" not in tag.arguments:
        if tag.name == "post_link" and len(tag.words) > 1:
            title = " ".join(tag.words[1:])
            return page.replace_element(element, title, "text: a link to another post")
        return replace_post_link(element, page)
    if tag.name == "link":
        return page.replace_element(element, page.format_link(tag.words[0]), "a link")
    if tag.name == "asset_img" and len(tag.words) > 1:
        inner = MarkupTag(
            tag.start, tag.end, "img", "single", {"alt": " ".join(tag.words[1:])}, tag.words[:1]
        )
        return translate_element(MarkupElement(inner), page)
    if tag.name in _CONTROL_TAGS:
        return page.replace_tags(element)
    if tag.name in _MARKDOWN_TAGS and _is_paragraph_in_html(element, page):
        return page.replace_element(element, page.render_inline(page.get_inner(element)), "HTML")
    return translate_element(element, page)


def _is_paragraph_in_html(element: MarkupElement, page: MarkupPage) -> bool:
    """Whether an element holds one paragraph of Markdown on a line that begins with HTML."""
    is_in_html = _AFTER_HTML.match(page.get_before(element.tag.start))
    inner = page.get_inner(element).strip()
    return bool(page.is_markdown and is_in_html and inner and not _BLOCKS.search(inner))
