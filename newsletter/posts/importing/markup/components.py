"""What the usual tags become: pictures, videos, links, callouts, quotes.

All dialects share this table; each handler returns the edits of one element, or ``None`` if its
arguments don't say enough.
"""

import html
import re
from collections.abc import Mapping

from newsletter.posts.html.callouts import CALLOUT_KIND_BY_NAME
from newsletter.posts.importing.markup.edits import Edit
from newsletter.posts.importing.markup.media import (
    Handler,
    is_web_url,
    make_address_handler,
    translate_embed,
    translate_media,
    translate_picture,
    translate_vimeo,
    translate_youtube,
)
from newsletter.posts.importing.markup.page import MarkupPage, quote_target
from newsletter.posts.importing.markup.tags import MarkupElement

# In a name of several words, such as ``callout-danger``, one of these makes it a callout.
_CALLOUT_PARTS = frozenset({"callout", "admonition", "alert", "notice"})


def _translate_callout(  # noqa: PLR0911 - one return for each form
    element: MarkupElement, page: MarkupPage
) -> list[Edit] | None:
    tag = element.tag
    if element.closing is None:
        text = tag.get("text", "content", "message", "body")
        if not text:
            return None
        return page.replace_element(
            element, _format_callout(page, element, *_get_callout_head(element), text), "a callout"
        )
    kind, title = _get_callout_head(element)
    is_block = page.is_alone(tag.start, tag.end) and page.is_alone(
        element.closing.start, element.closing.end
    )
    if is_block and page.is_markdown:
        title = " ".join(title.split())
        return page.replace_tags(element, f"::: {kind} {title}".rstrip(), ":::", "a callout")
    if "\n" in page.get_inner(element).strip() and page.is_markdown:
        return quote_lines(element, page, f"**{title}** " if title else "")
    if page.is_markdown and page.is_alone(tag.start, element.end):
        callout = _format_callout(page, element, kind, title, page.get_inner(element))
        return page.replace_element(element, callout, "a callout")
    if not page.is_markdown:
        head = html.escape(title or kind.capitalize())
        opening = f'<div class="callout callout-{kind}"><p class="callout-title">{head}</p>'
        return page.replace_tags(element, opening, "</div>", "a callout")
    return page.replace_tags(element)


def _format_callout(
    page: MarkupPage, element: MarkupElement, kind: str, title: str, text: str
) -> str:
    head = html.escape(title or kind.capitalize())
    callout = (
        f'<div class="callout callout-{kind}"><p class="callout-title">{head}</p>'
        f"<p>{page.render_inline(text)}</p></div>"
    )
    return page.format_block(callout, element.tag.start, element.end)


def _get_callout_head(element: MarkupElement) -> tuple[str, str]:
    tag = element.tag
    names = [tag.get(key) for key in ("type", "kind", "variant", "level", "style", "status")]
    parts = [part for part in re.split(r"[-_]", tag.name) if part not in _CALLOUT_PARTS]
    candidates = [name.lower() for name in (*names, *tag.words[:1], tag.name, *parts)]
    kinds = (CALLOUT_KIND_BY_NAME[name] for name in candidates if name in CALLOUT_KIND_BY_NAME)
    words = (word for word in tag.words if word.lower() not in CALLOUT_KIND_BY_NAME)
    prose = (word for word in words if " " in word or word[:1].isupper())
    return next(kinds, "note"), tag.get("title", "heading", "header") or next(prose, "")


def quote_lines(
    element: MarkupElement, page: MarkupPage, first: str = "", last: str = ""
) -> list[Edit]:
    """Return the edits that make a quotation of all lines of an element."""
    tag, closing = element.tag, element.closing
    assert closing is not None  # checked by the callers
    why = page.explain(element, "a quotation")
    before = page.get_before(tag.start)
    indent = len(before) - len(before.lstrip(" \t"))
    opening = ">" if page.ends_line(tag.end) and not first else f"> {first}"
    edits = [Edit(tag.start, tag.end, opening, why, group=tag.start)]
    for start in page.iter_line_starts(tag.end, closing.start):
        line = page.get_behind(start)
        offset = start + min(indent, len(line) - len(line.lstrip(" \t")))
        edits.append(Edit(offset, offset, "> ", group=tag.start))
    ending = f"— {last}" if last else ""
    edits.append(Edit(closing.start, closing.end, ending, why, group=tag.start))
    return edits


def _translate_quote(element: MarkupElement, page: MarkupPage) -> list[Edit] | None:
    if element.closing is None:
        return None
    author = element.tag.get("author", "cite", "source", "by")
    if element.tag.name == "blockquote" and not author:
        author = element.tag.arguments.strip()
    if page.is_markdown and page.starts_line(element.tag.start):
        return quote_lines(element, page, last=author)
    if page.is_markdown:
        return page.replace_tags(element)
    ending = f"<p>— {html.escape(author)}</p></blockquote>" if author else "</blockquote>"
    return page.replace_tags(element, "<blockquote>", ending, "a quotation")


def _translate_details(element: MarkupElement, page: MarkupPage) -> list[Edit] | None:
    tag = element.tag
    title = tag.get("summary", "title", "label", "header", "heading") or tag.arguments.strip("\"' ")
    if not title or element.closing is None:
        return None
    if not page.is_markdown:
        return page.replace_tags(element, f"<p><b>{html.escape(title)}</b></p>", "", "a heading")
    text = f"**{' '.join(title.split())}**"
    is_joined = page.ends_line(tag.end) and not page.is_blank_below(tag.end)
    return page.replace_tags(
        element, f"{text}\\" if is_joined else f"{text} ", "", "a line in bold"
    )


def _translate_button(element: MarkupElement, page: MarkupPage) -> list[Edit] | None:
    tag = element.tag
    url = tag.get("url", "link", "href", "to", "src") or next(filter(is_web_url, tag.words), "")
    text = page.get_inner(element).strip() or tag.get("text", "label", "title", "name")
    if not url or not text:
        return None
    if not element.closing or "\n" in page.get_inner(element):
        return page.replace_element(element, page.format_link(url, text), "a link")
    if page.is_markdown:
        return page.replace_tags(element, "[", f"]({quote_target(url)})", "a link")
    return page.replace_tags(element, f'<a href="{html.escape(url)}">', "</a>", "a link")


def _names(names: str, handler: Handler) -> dict[str, Handler]:
    return dict.fromkeys(names.split(), handler)


HANDLERS: Mapping[str, Handler] = {
    **_names("figure img image picture imgproc photo rawimg postimage resize_image fig",
             translate_picture),
    **_names("youtube youtubevideo lite-youtube liteyoutube youtubeembed embedyoutube yt "
             "youtube-enhanced", translate_youtube),
    **_names("vimeo vimeovideo", translate_vimeo),
    **_names("embed oembed link-preview linkcard bookmark card-link", translate_embed),
    **_names("video audio mp3 mp4 audioplayer videoplayer soundcloud playlist-item",
             translate_media),
    **_names("gist", make_address_handler("https://gist.github.com/{0}")),
    **_names("tweet twitter x xtweet", make_address_handler("https://x.com/{0}/status/{1}")),
    **_names("instagram", make_address_handler("https://www.instagram.com/p/{1}/")),
    **_names("github", make_address_handler("https://github.com/{0}")),
    **_names("spotify codepen codesandbox replit stackblitz speakerdeck slideshare asciinema "
             "jsfiddle loom", make_address_handler("{0}")),
    **_names(" ".join(CALLOUT_KIND_BY_NAME), _translate_callout),
    **_names("quote blockquote pullquote epigraph cite testimonial", _translate_quote),
    **_names("details spoiler collapse expand accordion accordion-item toggle fold tab tabitem "
             "step accordionitem", _translate_details),
    **_names("button cta btn linkbutton", _translate_button),
    "comment": lambda element, page: [
        Edit(element.tag.start, element.end, "", page.explain(element))
    ],
}  # fmt: skip


def translate_element(element: MarkupElement, page: MarkupPage) -> list[Edit]:
    """Return the edits for one element: translated if possible, else its tags removed."""
    handler = _get_handler(element.tag.name)
    return (handler and handler(element, page)) or page.replace_tags(element)


def is_translated(name: str) -> bool:
    """Whether elements of this name become something else than their contents."""
    return _get_handler(name) is not None


def _get_handler(name: str) -> Handler | None:
    handler = HANDLERS.get(name.replace("_", "-")) or HANDLERS.get(name)
    if handler is None and not _CALLOUT_PARTS.isdisjoint(re.split(r"[-_]", name)):
        return _translate_callout
    return handler
