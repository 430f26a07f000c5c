"""Links to other posts, by their files or names."""

import html
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache

from newsletter.posts.importing.markup.edits import Edit
from newsletter.posts.importing.markup.page import MarkupPage, quote_target
from newsletter.posts.importing.markup.tags import MarkupElement, MarkupTag

_MAX_TEXT_LENGTH = 500  # characters of a link's text
_LINK_START = re.compile(r"\]\((?:\{\{[^{}\n]{1,60}\}\}|[^\s()\[\]{}]){0,100}$")
_DEFINITION_START = re.compile(r"[ ]{0,3}\[(?P<label>[^\[\]\n]{1,200})\]:[ \t]*<?[^\s]{0,100}")
_DEFINITION_REST = re.compile(r"[^\s]{0,200}(?:[ \t]+[\"'(][^\n]{0,200})?[ \t]*")
_REFERENCE = re.compile(
    r"(?<!\\)\[(?P<text>[^\[\]]{1,300})\](?:\[(?P<label>[^\[\]\n]{0,200})\])?(?![(:])"
)
_BRACKET = re.compile(r"[\[\]]")
_LINK_REST = re.compile(r"[^\s()\[\]<>]{0,200}(?:[ \t]+\"[^\"\n]{0,200}\")?[ \t]*\)")


_FOUND_REASON = "link to a post's file, now to its page"
# Of a Markdown link or definition; ``@/`` is Zola's content folder.
_FILE_TARGET = re.compile(
    r"(?:\]\(|^[ ]{0,3}\[(?!\^)(?P<label>[^\[\]\n]{1,200})\]:)[ \t]*<?"
    r"(?P<target>(?:@/|(?![a-zA-Z][\w+.-]*:|//))[^\s()<>\[\]{}#?]{1,300}\.(?:md|markdown|mdx|html)"
    r"(?:[?#][^\s()<>]{0,200})?)(?=[\s)>]|$)",
    re.MULTILINE,
)


def translate_post_links(page: MarkupPage) -> Iterator[Edit]:
    """Yield the edits for links to the files of other posts: ``[text](../gulls.md)``.

    Where a post's address is not known, Zola's ``@/`` becomes text, as no browser understands it;
    other paths stay.
    """
    for found in _FILE_TARGET.finditer(page.text):
        start, end = found.span("target")
        if found.start() in page.protected:
            continue
        target = found["target"]
        if url := page.post_urls(target):
            yield Edit(start, end, quote_target(url), _FOUND_REASON, target)
            if found["label"]:
                # Each link that the definition serves is listed.
                for reference in list(_iter_references(page, found["label"]))[1:]:
                    yield Edit(reference.start(), reference.start(), "", _FOUND_REASON, target)
        elif target.startswith("@/"):
            tag = MarkupTag(start, end, "", "single", words=(target,))
            yield from replace_post_link(MarkupElement(tag), page)


def replace_post_link(element: MarkupElement, page: MarkupPage) -> list[Edit]:
    """Return the edits that write the address of a post.

    If it isn't known, they leave the link's text and take away the link around it.
    """
    tag, text = element.tag, page.text
    path = next((word for word in (*tag.words, tag.get("path", "name")) if word), "")
    if path.startswith("#"):
        return page.replace_element(element, path, "a link in the email")
    name = f"{page.dialect} {tag.name}".rstrip()
    if path and (url := page.post_urls(path)):
        shown = quote_target(url) if page.is_markdown else html.escape(url)
        return [Edit(tag.start, tag.end, shown, f"{name}, now its address")]
    why = f"{name}, a link to another post, now its text"
    if before := _match_link_start(text, tag.start):
        bracket = tag.start - len(before[0])
        opening = pair_brackets(text).get(bracket, -1)
        is_near = opening >= 0 and bracket - opening <= _MAX_TEXT_LENGTH
        rest = _LINK_REST.match(text, tag.end, tag.end + _MAX_TEXT_LENGTH)
        if rest and is_near and text[opening - 1 : opening] != "!":
            return [
                Edit(opening, opening + 1, "", group=opening),
                Edit(bracket, rest.end(), "", why, group=opening),
            ]
    if page.is_markdown and (edits := _remove_definition(element, page, why)):
        return edits
    if text.startswith('href="', tag.start - 6) and text.startswith('"', tag.end):
        return [Edit(tag.start - 6, tag.end + 1, "", why)]
    return [Edit(tag.start, tag.end, "", why)]


def is_in_link_target(text: str, offset: int) -> bool:
    """Whether an offset is in the address of a Markdown link."""
    return _match_link_start(text, offset) is not None


def is_in_definition(text: str, offset: int) -> bool:
    """Whether an offset is in the address of a Markdown definition, ``[label]: address``."""
    line_start = text.rfind("\n", 0, offset) + 1
    return _DEFINITION_START.fullmatch(text, line_start, offset) is not None


def _remove_definition(element: MarkupElement, page: MarkupPage, why: str) -> list[Edit]:
    """Return the edits that take away a definition, and leave the text of its references."""
    text, tag = page.text, element.tag
    line_start = text.rfind("\n", 0, tag.start) + 1
    line_end = text.find("\n", tag.end)
    line_end = line_end if line_end >= 0 else len(text)
    definition = _DEFINITION_START.fullmatch(text, line_start, tag.start)
    if definition is None or not _DEFINITION_REST.fullmatch(text, tag.end, line_end):
        return []
    edits = [Edit(line_start, line_end, "", why, group=tag.start)]
    for found in _iter_references(page, definition["label"]):
        if text[found.start() - 1 : found.start()] == "!":
            return []  # a picture, whose path remains
        edits.append(Edit(found.start(), found.start() + 1, "", group=tag.start))
        edits.append(Edit(found.end("text"), found.end(), "", group=tag.start))
    return edits


def _iter_references(page: MarkupPage, label: str) -> Iterator[re.Match[str]]:
    """Yield the references to a definition."""
    for found in _index_references(page.text).get(" ".join(label.split()).casefold(), ()):
        if found.start() not in page.protected:
            yield found


@lru_cache(maxsize=1)
def _index_references(text: str) -> Mapping[str, Sequence[re.Match[str]]]:
    """Return label -> its references, such as ``[text][label]``, ``[label][]``, ``[label]``."""
    references: dict[str, list[re.Match[str]]] = {}
    for found in _REFERENCE.finditer(text):
        label = found["label"] or found["text"]
        references.setdefault(" ".join(label.split()).casefold(), []).append(found)
    return references


def _match_link_start(text: str, offset: int) -> re.Match[str] | None:
    return _LINK_START.search(text[max(offset - _MAX_TEXT_LENGTH, 0) : offset])


@lru_cache(maxsize=1)
def pair_brackets(text: str) -> Mapping[int, int]:
    """Return the offset of each closing bracket -> that of its opening one."""
    pairs: dict[int, int] = {}
    opening: list[int] = []
    for found in _BRACKET.finditer(text):
        if found[0] == "[":
            opening.append(found.start())
        elif opening:
            pairs[found.start()] = opening.pop()
    return pairs
