"""What the usual tags become: pictures, videos, links, callouts, quotes.

All dialects share this table; each handler returns the edits of one element, or ``None`` if its
arguments don't say enough.
"""

import html
import re
from collections.abc import Callable, Mapping

from newsletter.posts.importing.markup.edits import Edit
from newsletter.posts.importing.markup.page import MarkupPage, quote_target
from newsletter.posts.importing.markup.tags import MarkupElement

Handler = Callable[[MarkupElement, MarkupPage], "list[Edit] | None"]

CALLOUT_KIND_BY_NAME: Mapping[str, str] = {
    **dict.fromkeys(
        ("note", "info", "notice", "information", "primary", "secondary", "question", "example",
         "abstract", "summary", "message", "aside", "callout", "admonition", "alert"),
        "note",
    ),
    **dict.fromkeys(("tip", "success", "hint", "check", "done", "protip"), "tip"),
    "important": "important",
    **dict.fromkeys(("warning", "warn", "attention"), "warning"),
    **dict.fromkeys(("danger", "error", "caution", "bug", "failure"), "caution"),
}  # fmt: skip
# In a name of several words, such as ``callout-danger``, one of these makes it a callout.
_CALLOUT_PARTS = frozenset({"callout", "admonition", "alert", "notice"})
_PICTURE_SUFFIX = re.compile(r"\.(?:png|jpe?g|gif|webp|avif|svg|bmp)(?:[?#]|$)", re.IGNORECASE)
_YOUTUBE_URL = re.compile(
    r"(?:https?:)?//(?:www\.|m\.)?(?:youtube(?:-nocookie)?\.com/(?:watch\?(?:\S*&)?v=|embed/|shorts/"
    r"|live/)|youtu\.be/)([\w-]{6,})"
)
_VIMEO_URL = re.compile(r"(?:https?:)?//(?:www\.|player\.)?vimeo\.com/(?:video/)?(\d+)")
_VIDEO_ID = re.compile(r"[\w-]{6,20}")
_WEB_URL = re.compile(r"(?:https?:)?//[^\s<>\"]+|/[^\s<>\"]*|[\w./-]+\.\w{2,4}")
_INDENT = re.compile(r"[ \t]*")


def make_picture(page: MarkupPage, element: MarkupElement, src: str, **values: str) -> list[Edit]:
    """Return the edit that makes a picture, with a caption if there is one."""
    alt, caption, link = values.get("alt", ""), values.get("caption", ""), values.get("link", "")
    tag = element.tag
    if page.is_markdown and not caption:
        safe_alt = re.sub(r"[\[\]]", r"\\\g<0>", " ".join(alt.split()))
        picture = f"![{safe_alt}]({quote_target(src)})"
        picture = f"[{picture}]({quote_target(link)})" if link else picture
        return page.replace_element(element, picture, "a picture")
    picture = f'<img src="{html.escape(src)}" alt="{html.escape(alt)}">'
    picture = f'<a href="{html.escape(link)}">{picture}</a>' if link else picture
    if caption:
        caption = page.render_inline(caption)
        picture = f"<figure>{picture}<figcaption>{caption}</figcaption></figure>"
    return page.replace_element(
        element, page.format_block(picture, tag.start, element.end), "a picture"
    )


def make_embed(page: MarkupPage, element: MarkupElement, url: str, title: str = "") -> list[Edit]:
    """Return the edit that makes a video of an address, or a link if it is no video's."""
    if found := _YOUTUBE_URL.match(url):
        return _make_frame(page, element, f"https://www.youtube.com/embed/{found[1]}", title)
    if found := _VIMEO_URL.match(url):
        return _make_frame(page, element, f"https://player.vimeo.com/video/{found[1]}", title)
    return page.replace_element(element, page.format_link(url, title), "a link")


def _make_frame(page: MarkupPage, element: MarkupElement, src: str, title: str) -> list[Edit]:
    title_attribute = f' title="{html.escape(title)}"' if title else ""
    frame = f'<iframe src="{html.escape(src)}"{title_attribute}></iframe>'
    return page.replace_element(
        element, page.format_block(frame, element.tag.start, element.end), "a video"
    )


def _translate_picture(element: MarkupElement, page: MarkupPage) -> list[Edit] | None:
    tag = element.tag
    src = tag.get("src", "url", "image", "path", "file", "image_path", "image_url", "href") or next(
        (word for word in tag.words if _PICTURE_SUFFIX.search(word)), ""
    )
    if not src:
        return None
    caption = tag.get("caption", "attr") or page.get_inner(element).strip()
    others = [word for word in tag.words if word != src]
    prose = next((word for word in others if " " in word), "")
    title = tag.get("title") if tag.name == "figure" else ""
    caption = f"**{title}** {caption}".strip() if title and page.is_markdown else caption or title
    alt = tag.get("alt") or ("" if caption else tag.get("title")) or prose
    return make_picture(page, element, src, alt=alt, caption=caption, link=tag.get("link"))


def _translate_youtube(element: MarkupElement, page: MarkupPage) -> list[Edit] | None:
    tag = element.tag
    video = tag.get("id", "videoid", "video_id", "video", "v", "url", "src", position=0)
    video = video or page.get_inner(element).strip() or tag.arguments.strip(" =")
    if _VIDEO_ID.fullmatch(video):
        video = f"https://youtu.be/{video}"
    return make_embed(page, element, video, tag.get("title")) if "//" in video else None


def _translate_vimeo(element: MarkupElement, page: MarkupPage) -> list[Edit] | None:
    tag = element.tag
    video = tag.get("id", "videoid", "video", "url", "src", position=0)
    video = video or page.get_inner(element).strip() or tag.arguments.strip(" =")
    if video.isdecimal():
        video = f"https://vimeo.com/{video}"
    return make_embed(page, element, video, tag.get("title")) if "//" in video else None


def _translate_embed(element: MarkupElement, page: MarkupPage) -> list[Edit] | None:
    tag = element.tag
    url = tag.get("url", "src", "href", position=0) or page.get_inner(element).strip()
    return make_embed(page, element, url, tag.get("title")) if _is_web_url(url) else None


def _translate_media(element: MarkupElement, page: MarkupPage) -> list[Edit] | None:
    tag = element.tag
    src = tag.get("src", "mp4", "webm", "m4v", "mp3", "m4a", "ogg", "wav", "url", position=0)
    src = src or page.get_inner(element).strip()
    if not src or " " in src:
        return None
    if _YOUTUBE_URL.match(src) or _VIMEO_URL.match(src):
        return make_embed(page, element, src, tag.get("title"))
    name = "audio" if tag.name.startswith("audio") else "video"
    poster = f' poster="{html.escape(tag.get("poster"))}"' if tag.get("poster") else ""
    title = f' title="{html.escape(tag.get("title"))}"' if tag.get("title") else ""
    media = f'<{name} src="{html.escape(src)}"{poster}{title} controls></{name}>'
    media = page.format_block(media, tag.start, element.end)
    return page.replace_element(element, media, f"{'an' if name == 'audio' else 'a'} {name}")


def _make_address_handler(pattern: str) -> Handler:
    """Return the handler of a service whose page's address holds the tag's arguments."""

    def translate(element: MarkupElement, page: MarkupPage) -> list[Edit] | None:
        tag = element.tag
        url = tag.get("url", "src", "href")
        user = tag.get("user", "username")
        words = (*((user,) if user else ()), *((tag.get("id"),) if tag.get("id") else ()))
        words = words or tag.words
        if not url and words:
            path = words[0] if _is_web_url(words[0]) and "//" in words[0] else ""
            url = path or pattern.format("/".join(words[:2]), words[-1] if words else "")
            if "/status/" in pattern and not path:
                account = words[0] if len(words) > 1 else "i"
                url = f"https://x.com/{account.lstrip('@')}/status/{words[min(1, len(words) - 1)]}"
        if "//" not in url or " " in url:
            return None
        return page.replace_element(element, page.format_link(url), "a link")

    return translate


def _is_web_url(text: str) -> bool:
    return bool(_WEB_URL.fullmatch(text))


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
        return quote_lines(element, page, "a quotation", f"**{title}** " if title else "")
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
    candidates = [*names, *tag.words[:1], tag.name, *parts]
    kind = next(
        (
            CALLOUT_KIND_BY_NAME[name.lower()]
            for name in candidates
            if name.lower() in CALLOUT_KIND_BY_NAME
        ),
        "note",
    )
    words = [word for word in tag.words if word.lower() not in CALLOUT_KIND_BY_NAME]
    prose = [word for word in words if " " in word or word[:1].isupper()]
    return kind, tag.get("title", "heading", "header") or next(iter(prose), "")


def quote_lines(
    element: MarkupElement, page: MarkupPage, became: str, first: str = "", last: str = ""
) -> list[Edit]:
    """Return the edits that make a quotation of all lines of an element."""
    tag, closing = element.tag, element.closing
    assert closing is not None  # checked by the callers
    why = page.explain(element, became)
    indent_start = page.text.rfind("\n", 0, tag.start) + 1
    indent = len(_INDENT.match(page.text, indent_start)[0])  # type: ignore[index]  # it always matches
    edits = [Edit(tag.start, tag.end, f"> {first}".rstrip() if page.ends_line(tag.end) and not first
                  else f"> {first}", why, group=tag.start)]  # fmt: skip
    for start in page.iter_line_starts(tag.end, closing.start):
        own_indent = len(_INDENT.match(page.text, start)[0])  # type: ignore[index]  # likewise
        offset = start + min(indent, own_indent)
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
        return quote_lines(element, page, "a quotation", last=author)
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
    url = tag.get("url", "link", "href", "to", "src") or next(filter(_is_web_url, tag.words), "")
    text = page.get_inner(element).strip() or tag.get("text", "label", "title", "name")
    if not url or not text:
        return None
    if "\n" in page.get_inner(element):
        return page.replace_element(element, page.format_link(url, text), "a link")
    return (
        page.replace_element(element, page.format_link(url, text), "a link")
        if not element.closing
        else page.replace_tags(element, "[", f"]({quote_target(url)})", "a link")
        if page.is_markdown
        else page.replace_tags(element, f'<a href="{html.escape(url)}">', "</a>", "a link")
    )


def _remove_all(element: MarkupElement, page: MarkupPage) -> list[Edit] | None:
    end = element.end
    return [Edit(element.tag.start, end, "", page.explain(element))]


def _names(names: str, handler: Handler) -> dict[str, Handler]:
    return dict.fromkeys(names.split(), handler)


HANDLERS: Mapping[str, Handler] = {
    **_names("figure img image picture imgproc photo rawimg postimage resize_image fig",
             _translate_picture),
    **_names("youtube youtubevideo lite-youtube liteyoutube youtubeembed embedyoutube yt "
             "youtube-enhanced", _translate_youtube),
    **_names("vimeo vimeovideo", _translate_vimeo),
    **_names("embed oembed link-preview linkcard bookmark card-link", _translate_embed),
    **_names("video audio mp3 mp4 audioplayer videoplayer soundcloud playlist-item",
             _translate_media),
    **_names("gist", _make_address_handler("https://gist.github.com/{0}")),
    **_names("tweet twitter x xtweet", _make_address_handler("https://x.com/{0}/status/{1}")),
    **_names("instagram", _make_address_handler("https://www.instagram.com/p/{1}/")),
    **_names("github", _make_address_handler("https://github.com/{0}")),
    **_names("spotify codepen codesandbox replit stackblitz speakerdeck slideshare asciinema "
             "jsfiddle loom", _make_address_handler("{0}")),
    **_names(" ".join(CALLOUT_KIND_BY_NAME), _translate_callout),
    **_names("quote blockquote pullquote epigraph cite testimonial", _translate_quote),
    **_names("details spoiler collapse expand accordion accordion-item toggle fold tab tabitem "
             "step accordionitem", _translate_details),
    **_names("button cta btn linkbutton", _translate_button),
    **_names("comment", _remove_all),
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
