"""Rewrite the blocks in Medium's HTML as ours."""

import html
import re
from collections.abc import Mapping

from lxml.html import HtmlElement

from newsletter.posts.html.normalize.marked_elements import list_urls
from newsletter.posts.html.normalize.unseen_text import TITLE_LINK
from newsletter.posts.importing.sources.blocks.format_blocks import (
    format_code,
    format_figure,
    format_gallery,
    format_link_card,
    format_paragraph,
    format_picture,
)
from newsletter.posts.importing.sources.blocks.replace_elements import (
    ElementHandler,
    ElementReplacer,
    find_attribute,
    find_by_class,
    get_inner_html,
    get_words,
)
from newsletter.posts.removed_line import RemovedLine

_HEADING = re.compile(
    r"<(?P<tag>h[1-6])\b(?P<attributes>[^<>]*)>(?P<inside>(?:(?!</?h[1-6]\b).)*)</(?P=tag)>\s*",
    re.DOTALL | re.IGNORECASE,
)
_TAG = re.compile(r"<[^<>]*>")
_NOT_WORD = re.compile(r"\W+")
_FIRST_RULE = re.compile(
    r'^(?P<start>\s*<section\b[^<>]*>)\s*<div class="section-divider">\s*<hr[^<>]*>\s*</div>'
)
_PRE = re.compile(
    r"<pre\b(?P<attributes>[^<>]*\bgraf--pre\b[^<>]*)>(?P<inside>(?:(?!</?pre\b).)*)</pre>",
    re.DOTALL,
)
_CODE = re.compile(r"\s*<(?P<tag>code|span)\b[^<>]*>(?P<inside>.*)</(?P=tag)>\s*", re.DOTALL)
_BREAK = re.compile(r"<br\b[^<>]*>")
_LANGUAGE = re.compile(r'data-code-block-lang="(?P<name>[^"]{1,40})"')
_AFTER_CODE = "graf-after--pre"
_STYLE_URL = re.compile(r"url\(\s*[\"']?(?P<url>[^\"')\s]+)")


def remove_opening(body: str, title: str, summary: str) -> tuple[str, tuple[RemovedLine, ...]]:
    """Remove the rule above a post, and its first headings if they repeat title and summary.

    Returns:
        The body, and what isn't in it any more: the subtitle, links in the title.
    """
    removed: list[RemovedLine] = []
    body = _FIRST_RULE.sub(r"\g<start>", body, count=1)
    for expected in (title, summary):
        found = _HEADING.search(body)
        if found is None or _TAG.sub("", body[: found.start()]).strip():
            continue
        words = _TAG.sub("", found["inside"])
        is_other = expected is summary and "graf--subtitle" not in found["attributes"]
        if not is_other and expected and fold_words(words) == fold_words(expected):
            urls = list_urls(found[0])
            if expected is summary or urls:
                text = " ".join((*html.unescape(words).split(), *urls))
                why = "subtitle, now the summary" if expected is summary else TITLE_LINK
                removed.append(RemovedLine(body.count("\n", 0, found.start()) + 1, text, why))
            body = body[: found.start()] + body[found.end() :]
    return body, tuple(removed)


def join_code_blocks(body: str) -> str:
    """Join blocks of code that follow each other: Medium begins a new one at an empty line."""
    parts: list[str] = []
    position = 0
    lines: list[str] = []
    language = ""
    for found in _PRE.finditer(body):
        between = body[position : found.start()]
        is_next = bool(lines) and not between.strip() and _AFTER_CODE in found["attributes"]
        if lines and not is_next:
            parts.append(format_code("\n\n".join(lines), language))
            lines = []
        if not lines:
            parts.append(between)
            stated = _LANGUAGE.search(found["attributes"])
            language = html.unescape(stated["name"]) if stated else ""
        lines.append(_get_code(found["inside"]))
        position = found.end()
    if lines:
        parts.append(format_code("\n\n".join(lines), language))
    return "".join((*parts, body[position:]))


def fold_words(text: str) -> str:
    """Return the letters and digits of a text with entities, to compare it by."""
    return _NOT_WORD.sub("", html.unescape(text)).casefold()


def _get_code(inside: str) -> str:
    found = _CODE.fullmatch(inside)
    text = _BREAK.sub("\n", found["inside"] if found else inside)
    return html.unescape(_TAG.sub("", text)).strip("\n")


def _replace_gallery_row(_: ElementReplacer, element: HtmlElement) -> str | None:
    """Return a gallery for a row of images; ``None`` if something else is in it."""
    children = list(element)
    if len(children) < 2 or any(child.tag != "figure" for child in children):  # noqa: PLR2004 - two make a row
        return None
    captions = [get_inner_html(caption) for caption in element.iter("figcaption")]
    pictures = (
        format_picture(
            image.get("src") or "",
            image.get("alt") or "",
            href=next((link.get("href") or "" for link in image.iterancestors("a")), ""),
        )
        for image in element.iter("img")
    )
    return format_gallery(pictures, "<br>".join(captions))


def _replace_embed_figure(replacer: ElementReplacer, element: HtmlElement) -> str:
    """Return an embed; old exports have only its caption."""
    caption = element.find(".//figcaption")
    caption_html = "" if caption is None else get_inner_html(caption)
    src = find_attribute(element, ".//iframe", "src") or find_attribute(element, ".//script", "src")
    link = find_attribute(element, ".//a[@href]", "href")
    if src:
        tag = "iframe" if element.find(".//iframe") is not None else "script"
        is_gist = "gist.github.com" in src
        frame = f'<{tag} src="{html.escape(src)}"></{tag}>'
        return format_figure(
            frame if tag == "iframe" or is_gist else format_link_card(src, get_words(caption)),
            caption_html,
        )
    if not link:
        replacer.list_removed("embed", "embed that Medium has not exported")
    return format_paragraph(caption_html)


def _replace_link_card(_: ElementReplacer, element: HtmlElement) -> str | None:
    """Return a card for the preview of a page, its image from a style."""
    url = find_attribute(element, ".//a[@href]", "href")
    if not url:
        return None
    strong = next(element.iter("strong"), None)
    description = next(element.iter("em"), None)
    title, text = get_words(strong), get_words(description)
    words = get_words(element).replace(title, "", 1).replace(text, "", 1).strip()
    image = find_by_class(element, "js-mixtapeImage", "mixtapeImage")
    found = _STYLE_URL.search("" if image is None else image.get("style") or "")
    return format_link_card(
        url, title or url, text, picture=found["url"] if found else "", byline=words
    )


MEDIUM_BLOCKS: Mapping[str, ElementHandler] = {
    "sectionLayout--outsetRow": _replace_gallery_row,
    "graf--iframe": _replace_embed_figure,
    "graf--mixtapeEmbed": _replace_link_card,
}
