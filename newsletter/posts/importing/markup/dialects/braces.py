"""Variables in braces: known ones are replaced, others become text."""

import re
from collections.abc import Iterator

from newsletter.posts.importing.markup.components import HANDLERS, translate_element
from newsletter.posts.importing.markup.edits import Edit
from newsletter.posts.importing.markup.links_to_posts import (
    is_in_definition,
    is_in_link_target,
    replace_post_link,
)
from newsletter.posts.importing.markup.page import MarkupPage
from newsletter.posts.importing.markup.tags import (
    MAX_TAG_LENGTH,
    MarkupElement,
    MarkupTag,
    parse_arguments,
)
from newsletter.posts.merge_tags.compiler import is_merge_tag

LITERAL_REASON = "braces that are not a merge tag, now text"
_BASE_URL = re.compile(
    r"(?:site\.(?:baseurl|base_url|url|github\.url)|baseurl|base_url|config\.base_url|root_url"
    r"|\.?Site\.BaseURL|\$?\.Site\.BaseURL)(?:\s*\|.*)?",
    re.DOTALL,
)
_PATH = re.compile(
    r"""["'](?P<path>[^"'{}\s]*)["']\s*\|\s*(?:relative_url|absolute_url|url|prepend|absURL|relURL
    |relLangURL|url_for|get_url|htmlBaseUrl|absoluteUrl)\b.*""",
    re.DOTALL | re.VERBOSE,
)
_STRING = re.compile(r"(?P<quote>[\"'`])(?P<text>(?:(?!(?P=quote)).)*)(?P=quote)", re.DOTALL)
_CALL = re.compile(r"(?P<name>[\w:]{1,60})\s*\((?P<arguments>.*)\)", re.DOTALL)
_COMMENT = re.compile(r"/\*|!|-\s*/\*")
_POST_LINKS = frozenset({"get_url", "ref", "relref", "post_url", "url_for"})


def translate_variables(page: MarkupPage) -> Iterator[Edit]:
    """Yield the edits for all ``{{ … }}`` that are not merge tags."""
    text = page.text
    start = text.find("{{")
    while start >= 0:
        protected = page.protected.get_range(start)
        if protected:
            start = text.find("{{", protected[1])
            continue
        end = _find_end(text, start)
        if end is None:
            yield _make_literal(page, start, start + 40)
            start = text.find("{{", start + 2)
            continue
        if not is_merge_tag(text[start:end]):
            yield from _translate_variable(page, start, end)
        start = text.find("{{", end)


def _find_end(text: str, start: int) -> int | None:
    """Return the offset behind the ``}}`` of an expression; braces in quotes don't count."""
    if found := _QUOTED.match(text, start, start + MAX_TAG_LENGTH):
        return found.end()
    limit = start + MAX_TAG_LENGTH
    next_start = text.find("{{", start + 2, limit)
    end = text.find("}}", start + 2, limit if next_start < 0 else next_start + 1)
    if end < 0 or "\n\n" in text[start:end]:
        return None
    return end + 2


_QUOTED = re.compile(r"\{\{-?\s{0,9}([\"'])(?:(?!\1)[^\n]){0,400}\1\s{0,9}-?\}\}")


def _translate_variable(page: MarkupPage, start: int, end: int) -> Iterator[Edit]:
    inside = page.text[start + 2 : end - 2].strip().strip("-").strip()
    if _COMMENT.match(inside):
        yield Edit(start, end, "", "comment of a template")
    elif _BASE_URL.fullmatch(inside):
        yield Edit(start, end, "", "variable of the site's address, now its root")
    elif found := _PATH.fullmatch(inside):
        yield Edit(start, end, found["path"], "variable of an address, now its path")
    elif found := _STRING.fullmatch(inside):
        shown = re.sub(
            r"\{\{|\}\}|\{%|%\}",
            lambda braces: format_literal_braces(braces[0], page),
            " ".join(found["text"].split()),
        )
        yield Edit(start, end, shown, "text in braces, now text")
    elif found := _CALL.fullmatch(inside):
        name = found["name"].rpartition("::")[2].lower()
        values, words = parse_arguments(found["arguments"])
        tag = MarkupTag(start, end, name, "single", values, words, found["arguments"])
        if name in _POST_LINKS:
            yield from replace_post_link(MarkupElement(tag), page)
        elif name in HANDLERS:
            yield from translate_element(MarkupElement(tag), page)
        else:
            yield _make_literal(page, start, end)
    elif is_in_link_target(page.text, start) or (
        page.is_markdown and is_in_definition(page.text, start)
    ):
        tag = MarkupTag(start, end, "", "single", words=(inside,))
        yield from replace_post_link(MarkupElement(tag), page)
    else:
        yield _make_literal(page, start, end)


def _make_literal(page: MarkupPage, start: int, end: int) -> Edit:
    quoted = " ".join(page.text[start:end].split())
    return Edit(start, start + 2, format_literal_braces("{{", page), LITERAL_REASON, quoted)


def format_literal_braces(braces: str, page: MarkupPage) -> str:
    """Return the merge tag that writes two braces."""
    return f'{{{{ "{braces}" }}}}' if page.is_markdown else f"{{{{&quot;{braces}&quot;}}}}"
