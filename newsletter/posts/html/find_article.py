"""Find the element of a web page that holds its article."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from lxml.etree import XPathError
from lxml.html import HtmlElement

from newsletter.errors import Location, PostError
from newsletter.posts.html.normalize import unseen_text
from newsletter.posts.html.normalize.marked_elements import REASON_ATTRIBUTE
from newsletter.posts.html.page.search_article import search_article

INLINE_TAGS = frozenset(
    """
    abbr acronym b bdi bdo big br cite code data del dfn em font i img ins kbd label mark q rp rt
    ruby s samp small span strike strong sub sup time tt u var wbr
    """.split()
)
_PAGE_PARTS = frozenset({"nav", "aside", "footer", "script", "style", "form", "dialog", "head"})
_COMMENT_NAMES = frozenset(
    """
    comment comments comment-body comment-content comment-list commentlist comments-area
    comments-list comments-section comment-respond respond disqus_thread
    """.split()
)
# Marked, but it may stay: some publishing systems wrap the whole page in a form.
_PERHAPS_SEEN = frozenset({unseen_text.FORM, unseen_text.ARIA_HIDDEN, unseen_text.PLATFORM_BUTTON})
_WORD = re.compile(r"[^\W\d_\u0e00-\u0e7f\u3040-\u30ff\u3400-\u9fff]+")
_UNSPACED = re.compile("[\u0e00-\u0e7f\u3040-\u30ff\u3400-\u9fff]")
_MIN_PROSE_WORDS = 12  # a text block with fewer is a label, a menu or a byline
_MIN_SHARE = 0.25  # of a page's running text: an element with less is a teaser
_MIN_SHARE_WITH_HEADING = 0.1  # the same, if the page's main heading is in it


class _TextSize(NamedTuple):
    prose: int = 0
    words: int = 0


@dataclass(frozen=True, slots=True)
class FoundArticle:
    """The element of a page that holds its article.

    Attributes:
        element: an ``article`` or ``main``, what a selector or its text has found, or the body.
        prose_outside: words of running text on the page that are not in it.
        is_marked: whether the page, or a selector, says that it is the article.
    """

    element: HtmlElement
    prose_outside: int = 0
    is_marked: bool = True


def find_article(root: HtmlElement, *, selector: str = "", search: bool = False) -> FoundArticle:
    """Return the ``article`` with the most running text, or what is around it if that is little.

    The running text is all that isn't in links, menus, sidebars, forms and comments. Where the
    largest ``article`` holds only a small part of it, it is a teaser, and ``main``, the element
    with the role ``main`` or the body is the article. An ``article`` that alone has an ``h1`` comes
    before a larger one.

    Args:
        root: the page.
        selector: a CSS selector of the article, which comes before all that; or empty.
        search: whether to search for it by its text before the body is taken.

    Raises:
        PostError: nothing matches the selector, or it is invalid.
    """
    sizes = _measure(root)
    body = root.find(".//body")
    body = root if body is None else body
    page = sizes.get(body, _TextSize())

    def get_size(element: HtmlElement) -> _TextSize:
        return sizes.get(element, _TextSize())

    if selector:
        selected = max(_select(root, selector), key=get_size)
        return FoundArticle(selected, max(page.prose - get_size(selected).prose, 0))
    for candidate in _list_candidates(root, sizes):
        is_titled = candidate.find(".//h1") is not None
        share = _MIN_SHARE_WITH_HEADING if is_titled else _MIN_SHARE
        if get_size(candidate).prose >= share * page.prose:
            return FoundArticle(candidate, page.prose - get_size(candidate).prose)
    place = search_article(root, body) if search else None
    if place is not None:
        outside = max(page.prose - get_size(place).prose, 0)
        return FoundArticle(place, outside, is_marked=False)
    return FoundArticle(body, is_marked=False)


def _select(root: HtmlElement, selector: str) -> list[HtmlElement]:
    """Return the elements that match the selector of the settings; at least one."""
    from lxml.cssselect import CSSSelector, SelectorError  # late: few have such a setting

    where = Location("newsletter.yml")
    try:
        elements: list[HtmlElement] = root.xpath(CSSSelector(selector, translator="html").path)
    except (SelectorError, XPathError) as error:
        raise PostError(
            f"blog.article: '{selector}' is not a CSS selector that can be used: {error}",
            where=where,
            remedy="Use one such as: main .post-body",
        ) from None
    if not elements:
        raise PostError(
            f"blog.article: nothing on the page matches '{selector}'",
            where=where,
            remedy="Change it to the element around the post, or remove it: most articles are "
            "found without it.",
        )
    return elements


def _list_candidates(
    root: HtmlElement, sizes: Mapping[HtmlElement, _TextSize]
) -> list[HtmlElement]:
    """Return the one ``article`` with an ``h1``, and the largest of each kind."""
    candidates = []
    titled = root.xpath(".//article[.//h1]")
    if len(titled) == 1:
        candidates.append(titled[0])
    for path in (".//article", ".//main", ".//*[@role='main']"):
        elements = [
            element
            for element in root.iterfind(path)
            if any(not text.isspace() for text in element.itertext())
        ]
        sized = [element for element in elements if element in sizes]
        if sized or elements:
            candidates.append(
                max(sized or elements, key=lambda element: sizes.get(element, _TextSize()))
            )
    return candidates


def _measure(root: HtmlElement) -> dict[HtmlElement, _TextSize]:
    """Return the size of the running text in each element that has some."""
    blocks: dict[HtmlElement, HtmlElement] = {}  # element -> the block that its text belongs to
    texts: dict[HtmlElement, list[str]] = {}
    for element in root.iter():
        parent = element.getparent()
        parent_block = None if parent is None else blocks.get(parent)
        if parent_block is not None and element.tail:
            texts.setdefault(parent_block, []).append(element.tail)
        if not isinstance(element.tag, str) or (parent is not None and parent_block is None):
            continue
        if element.tag == "a" or _is_page_part(element):
            continue
        is_inline = element.tag in INLINE_TAGS
        block = element if parent_block is None or not is_inline else parent_block
        blocks[element] = block
        if element.text:
            texts.setdefault(block, []).append(element.text)
    sizes: dict[HtmlElement, _TextSize] = {}
    for block, parts in texts.items():
        text = " ".join(parts)
        # In scripts without spaces, two characters count as a word.
        count = len(_WORD.findall(text)) + len(_UNSPACED.findall(text)) // 2
        prose = count if count >= _MIN_PROSE_WORDS else 0
        for around in (block, *block.iterancestors()) if count else ():
            size = sizes.get(around, _TextSize())
            sizes[around] = _TextSize(size.prose + prose, size.words + count)
    return sizes


def _is_page_part(element: HtmlElement) -> bool:
    reason = element.get(REASON_ATTRIBUTE)
    if element.tag in _PAGE_PARTS or (reason and reason not in _PERHAPS_SEEN):
        return True
    if element.tag in {"html", "body", "main"}:
        return False
    names = {*(element.get("class") or "").lower().split(), (element.get("id") or "").lower()}
    return not names.isdisjoint(_COMMENT_NAMES)
