"""Pictures, videos, recordings and links to services, made of tags."""

import html
import re
from collections.abc import Callable

from newsletter.posts.importing.markup.edits import Edit
from newsletter.posts.importing.markup.page import MarkupPage, quote_target
from newsletter.posts.importing.markup.tags import MarkupElement

Handler = Callable[[MarkupElement, MarkupPage], "list[Edit] | None"]

_PICTURE_SUFFIX = re.compile(r"\.(?:png|jpe?g|gif|webp|avif|svg|bmp)(?:[?#]|$)", re.IGNORECASE)
_YOUTUBE_URL = re.compile(
    r"(?:https?:)?//(?:www\.|m\.)?(?:youtube(?:-nocookie)?\.com/(?:watch\?(?:\S*&)?v=|embed/|shorts/"
    r"|live/)|youtu\.be/)([\w-]{6,})"
)
_VIMEO_URL = re.compile(r"(?:https?:)?//(?:www\.|player\.)?vimeo\.com/(?:video/)?(\d+)")
_VIDEO_ID = re.compile(r"[\w-]{6,20}")
_WEB_URL = re.compile(r"(?:https?:)?//[^\s<>\"]+|/[^\s<>\"]*|[\w./-]+\.\w{2,4}")


def _make_embed(page: MarkupPage, element: MarkupElement, url: str, title: str = "") -> list[Edit]:
    """Return the edit that makes a video of an address, or a link if it is no video's."""
    frame = format_video_frame(url, title)
    if not frame:
        return page.replace_element(element, page.format_link(url, title), "a link")
    return page.replace_element(
        element, page.format_block(frame, element.tag.start, element.end), "a video"
    )


def format_video_frame(url: str, title: str = "") -> str:
    """Return the frame of a video on YouTube or Vimeo; empty for another address."""
    if found := _YOUTUBE_URL.match(url):
        src = f"https://www.youtube.com/embed/{found[1]}"
    elif found := _VIMEO_URL.match(url):
        src = f"https://player.vimeo.com/video/{found[1]}"
    else:
        return ""
    title_attribute = f' title="{html.escape(title)}"' if title else ""
    return f'<iframe src="{html.escape(src)}"{title_attribute}></iframe>'


def translate_picture(element: MarkupElement, page: MarkupPage) -> list[Edit] | None:
    """Return the edits that make a picture of an element with an address."""
    tag = element.tag
    src = tag.get("src", "url", "image", "path", "file", "image_path", "image_url", "href") or next(
        (word for word in tag.words if _PICTURE_SUFFIX.search(word)), ""
    )
    if not src:
        return None
    caption = tag.get("caption", "attr", "label") or page.get_inner(element).strip()
    others = [word for word in tag.words if word != src]
    prose = next((word for word in others if " " in word), "")
    title = tag.get("title") if tag.name == "figure" else ""
    caption = f"**{title}** {caption}".strip() if title and page.is_markdown else caption or title
    alt = tag.get("alt") or ("" if caption else tag.get("title")) or prose
    link = tag.get("link")
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


def translate_youtube(element: MarkupElement, page: MarkupPage) -> list[Edit] | None:
    """Return the edits that make a YouTube video."""
    tag = element.tag
    video = tag.get("id", "videoid", "video_id", "video", "v", "url", "src", position=0)
    video = video or page.get_inner(element).strip() or tag.arguments.strip(" =")
    if _VIDEO_ID.fullmatch(video):
        video = f"https://youtu.be/{video}"
    return _make_embed(page, element, video, tag.get("title")) if "//" in video else None


def translate_vimeo(element: MarkupElement, page: MarkupPage) -> list[Edit] | None:
    """Return the edits that make a Vimeo video."""
    tag = element.tag
    video = tag.get("id", "videoid", "video", "url", "src", position=0)
    video = video or page.get_inner(element).strip() or tag.arguments.strip(" =")
    if video.isdecimal():
        video = f"https://vimeo.com/{video}"
    return _make_embed(page, element, video, tag.get("title")) if "//" in video else None


def translate_embed(element: MarkupElement, page: MarkupPage) -> list[Edit] | None:
    """Return the edits that make a video or a link of a page's address."""
    tag = element.tag
    url = tag.get("url", "src", "href", position=0) or page.get_inner(element).strip()
    return _make_embed(page, element, url, tag.get("title")) if is_web_url(url) else None


def translate_media(element: MarkupElement, page: MarkupPage) -> list[Edit] | None:
    """Return the edits that make a video or a recording of a file's address."""
    tag = element.tag
    src = tag.get("src", "mp4", "webm", "m4v", "mp3", "m4a", "ogg", "wav", "url", position=0)
    src = src or page.get_inner(element).strip()
    src = src.partition("|")[0]  # [audio URL|titles=Fog], of an old plugin
    if not src or " " in src:
        return None
    if _YOUTUBE_URL.match(src) or _VIMEO_URL.match(src):
        return _make_embed(page, element, src, tag.get("title"))
    name = "audio" if tag.name.startswith("audio") else "video"
    poster = f' poster="{html.escape(tag.get("poster"))}"' if tag.get("poster") else ""
    title = f' title="{html.escape(tag.get("title"))}"' if tag.get("title") else ""
    media = f'<{name} src="{html.escape(src)}"{poster}{title} controls></{name}>'
    media = page.format_block(media, tag.start, element.end)
    return page.replace_element(element, media, f"{'an' if name == 'audio' else 'a'} {name}")


def make_address_handler(pattern: str) -> Handler:
    """Return the handler of a service whose page's address holds the tag's arguments."""

    def translate(element: MarkupElement, page: MarkupPage) -> list[Edit] | None:
        tag = element.tag
        url = tag.get("url", "src", "href")
        user = tag.get("user", "username")
        words = (*((user,) if user else ()), *((tag.get("id"),) if tag.get("id") else ()))
        words = words or tag.words
        if not url and words:
            path = words[0] if is_web_url(words[0]) and "//" in words[0] else ""
            url = path or pattern.format("/".join(words[:2]), words[-1] if words else "")
            if "/status/" in pattern and not path:
                account = words[0] if len(words) > 1 else "i"
                url = f"https://x.com/{account.lstrip('@')}/status/{words[min(1, len(words) - 1)]}"
        if "//" not in url or " " in url:
            return None
        return page.replace_element(element, page.format_link(url), "a link")

    return translate


def is_web_url(text: str) -> bool:
    """Whether a text is an address and nothing else."""
    return bool(_WEB_URL.fullmatch(text))
