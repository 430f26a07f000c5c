"""Prepare HTML of other tools for parsers of plain HTML.

One pass over the tags, before any parser sees them. It expands ``<video/>``, which HTML leaves
open, keeps the content of ``noscript``, finds the sources of lazily loaded media, translates web
components, and marks what readers don't see together with its source line
(``newsletter.posts.html.normalize.marked_elements`` removes it once the HTML is well-formed).
"""

import html
import re
from collections.abc import Callable, Collection

from newsletter.posts.html.normalize import components, unseen_text
from newsletter.posts.html.normalize.lazy_images import (
    are_same_images,
    find_next_image,
    list_image_sources,
)
from newsletter.posts.html.normalize.marked_elements import (
    LINE_ATTRIBUTE,
    describe_content,
    get_text,
)
from newsletter.posts.html.normalize.media_sources import (
    find_media_source,
    is_empty_picture,
    is_placeholder,
)
from newsletter.posts.html.normalize.rewriter import HtmlRewriter
from newsletter.posts.html.normalize.tags import (
    VOID_ELEMENTS,
    Tag,
    format_start_tag,
    iter_html_tags,
)

# Only HTML with one of these needs the pass. One pattern for both would try each place of the text.
_TAG_TO_PREPARE = re.compile(
    r"/\s*>|<(?:/?noscript|form|button|label|legend|option|select|datalist|textarea|template|dialog|script|style|object|embed"
    r"|iframe|video|audio|picture|math|svg|amp-|lite-|mjx-|[\w.]+-(?:embed|video|audio))\b",
    re.IGNORECASE,
)
_WORDS_TO_PREPARE = (
    "hidden", "display", "visibility", "sr-only", "sr_only", "screen-reader", "visually",
    "show-for-sr", "element-invisible", "vh-text", "srcset", "data-", "bgcolor", "emoji", "smiley",
    "katex", "mathjax", "mwe-", "material-", "subscri", "post-ufi", "button-w", "captioned-b",
    "sharedaddy", "sd-sharing", "jetpack", "jp-related", "shariff", "addtoany", "a2a_kit",
    "heateor", "shareaholic", "ssba", "sociable", "yarpp", "rp4wp", "crp_related",
)  # fmt: skip
_RENAMED = {
    **dict.fromkeys(("form", "dialog", "template"), "div"),
    **dict.fromkeys(("select", "datalist", "option", "optgroup"), "span"),
}
_WITHOUT_END_TAG = frozenset({"noscript", "amp-img", "amp-anim", "object", "embed"})
_SEPARATE_TAGS = ("button", "label", "legend", "option", "optgroup")
_BODY = re.compile(r"<body\b", re.IGNORECASE)
_INNER_PLAYER = re.compile(r"<(?:embed|iframe|video|img|object)\b", re.IGNORECASE)
_EMOJI_CLASS = re.compile(r"(?:^|\s)(?:emoji|twemoji|wp-smiley|emojione|joypixels)(?:\s|$)")
_EMOJI_URL = re.compile(r"//s\.w\.org/images/core/emoji/|/twemoji/|/emoji/\w+/(?:72x72|svg)/")
_MAX_EMOJI_LENGTH = 16  # code points: a family of four, each with a skin tone
_EMOJI_SIZE = "20"  # CSS pixels
_LETTER = re.compile("[A-Za-z]")
_NOTICE = re.compile(r"java\s?script|\bbrowser\b", re.IGNORECASE)
_MAX_NOTICE_WORDS = 30
_MAX_SCRIPT_LENGTH = 200  # characters of a removed script that are listed


def prepare_html(
    text: str, first_line: int = 1, *, keep: Collection[int] = (), keep_scripts: bool = False
) -> str:
    """Return HTML that plain parsers read as browsers show it, with marks of what to leave out.

    Args:
        text: HTML, whole page or fragment.
        first_line: 1-based line of the source on which it begins.
        keep: lines of the source where nothing is left out.
        keep_scripts: whether scripts and styles stay, for the metadata of a page.
    """
    if not _needs_preparation(text):
        return text
    return _Preparer(text, first_line, keep, keep_scripts=keep_scripts).run()


def mark_source_lines(text: str, first_line: int) -> str:
    """Mark the tags that ``prepare_html`` may list with their source lines, and nothing else."""
    if not _needs_preparation(text):
        return text
    parts: list[str] = []
    position, line = 0, first_line
    for tag in iter_html_tags(text):
        if not tag.is_end and LINE_ATTRIBUTE not in tag.attribute_text:
            cut = tag.start + 1 + len(tag.name)
            line += text.count("\n", position, cut)
            parts += (text[position:cut], f' {LINE_ATTRIBUTE}="{line}"')
            position = cut
    return "".join((*parts, text[position:]))


def _needs_preparation(text: str) -> bool:
    lower = text.lower()
    return bool(_TAG_TO_PREPARE.search(text)) or any(word in lower for word in _WORDS_TO_PREPARE)


class _Preparer(HtmlRewriter):
    """The pass over one text; ``_handle_…`` rewrites one kind of element."""

    def __init__(
        self, text: str, first_line: int, keep: Collection[int], *, keep_scripts: bool
    ) -> None:
        super().__init__(text, first_line, keep)
        self._keep_scripts = keep_scripts
        found = _BODY.search(text) if keep_scripts else None
        self._body_start = found.start() if found else 0
        self._picture_sources: list[str] = []
        self._last_image: tuple[int, int, str, str] | None = None  # part, end, source, alt
        self._handlers: dict[str, Callable[[Tag], None]] = {
            **dict.fromkeys(("svg", "math"), self._handle_foreign),
            **dict.fromkeys(("script", "style", "textarea"), self._handle_raw_text),
            "noscript": self._handle_noscript,
            "iframe": self._handle_iframe,
            **dict.fromkeys(("object", "embed"), self._handle_object),
            **dict.fromkeys(("img", "amp-img", "amp-anim"), self._handle_image),
            **dict.fromkeys(("video", "audio", "amp-video", "amp-audio"), self._handle_player),
            **dict.fromkeys(("picture", "source"), self._handle_source),
            **dict.fromkeys(_SEPARATE_TAGS, self._handle_separate),
        }
        if keep_scripts:
            page_parts = ("nav", "header", "footer", "aside", "dialog")
            self._handlers |= dict.fromkeys(page_parts, self._handle_page_part)

    def run(self) -> str:
        for tag in iter_html_tags(self.text):
            if tag.start < self.position:
                continue
            if not tag.is_end:
                self._handlers.get(tag.name, self._handle_other)(tag)
            elif tag.name in _WITHOUT_END_TAG:
                if tag.name != "noscript" or tag.start >= self._body_start:
                    self.replace(tag.start, tag.end, "")
            elif name := components.rename_component(tag.name) or _RENAMED.get(tag.name, ""):
                self.replace(tag.start, tag.end, f"</{name}>")
        return self.get_result()

    def _handle_foreign(self, tag: Tag) -> None:
        """Leave SVG and MathML for ``replace_svg_and_mathml``, with their source lines."""
        end = self.find_end_tag(tag)
        if end < 0:
            return
        if LINE_ATTRIBUTE not in tag.attribute_text:
            cut = tag.start + 1 + len(tag.name)
            self.replace(cut, cut, f' {LINE_ATTRIBUTE}="{self.get_line(tag)}"')
        self.copy(end)

    def _handle_raw_text(self, tag: Tag) -> None:
        src = tag.attributes.get("src", "")
        script_type = tag.attributes.get("type", "").lower()
        content, end = self.split_raw_text(tag)
        text = " ".join(content.split())
        if script_type.startswith("math/"):
            formula = f'<span class="math">{html.escape(text)}</span>'
            self.replace(tag.start, end, content if "mathml" in script_type else formula)
        elif frame := components.make_script_frame(src, tag.attributes.get("data-id", "")):
            self.replace(tag.start, end, format_start_tag("iframe", frame) + "</iframe>")
        elif tag.name == "textarea":
            mark = self.mark(tag, unseen_text.FORM_FIELD, html.unescape(text))
            self.replace(tag.start, end, mark)
        elif self._keep_scripts:
            self.replace(end, end, f"</{tag.name}>" if tag.is_self_closed else "")
        else:
            self.replace(tag.start, end, self.mark(tag, tag.name, src or text[:_MAX_SCRIPT_LENGTH]))

    def _handle_noscript(self, tag: Tag) -> None:
        end = self.find_end_tag(tag)
        if tag.start < self._body_start and end > 0:
            self.copy(end)
            return
        content = self.text[tag.end : end] if end > 0 else ""
        if reason := self._find_noscript_reason(tag, content):
            mark = self.mark(tag, reason, describe_content(content))
            self.replace(tag.start, self.find_tag_end(end), mark)
        else:
            self.replace(tag.start, tag.end, "")

    def _find_noscript_reason(self, tag: Tag, content: str) -> str:
        """Return why the content of a ``noscript`` is left out; empty if it stays."""
        sources = list_image_sources(content)
        words = get_text(content)
        if not sources:
            is_notice = _NOTICE.search(words) and len(words.split()) <= _MAX_NOTICE_WORDS
            return unseen_text.SCRIPT_NOTICE if is_notice else ""
        if words:
            return ""
        if self._last_image is not None:
            part, image_end, source, alt = self._last_image
            if not get_text(self.text[image_end : tag.start]):
                if is_placeholder(source):
                    self.parts[part] = self.mark(tag, unseen_text.PLACEHOLDER, f"{alt} {source}")
                    return ""
                if are_same_images(source, sources):
                    return unseen_text.SECOND_PICTURE
        following = find_next_image(self.text, tag.end + len(content) + len("</noscript>"))
        return unseen_text.SECOND_PICTURE if are_same_images(following, sources) else ""

    def _handle_iframe(self, tag: Tag) -> None:
        attributes = tag.attributes
        fallback, end = self.split_raw_text(tag)
        attributes["src"] = find_media_source(attributes)
        words = get_text(fallback)
        if href := _find_first_link(fallback):
            attributes.setdefault("data-href", href)
        mark = ""
        if words and not attributes.get("title", "").strip() and not _NOTICE.search(words):
            attributes["title"] = words
        else:
            mark = self.mark(tag, unseen_text.FRAME_FALLBACK, words)
        self.write_element(tag, "iframe", attributes, end, f"</iframe>{mark}")

    def _handle_object(self, tag: Tag) -> None:
        attributes = tag.attributes
        src = attributes.get("data") or attributes.get("src") or ""
        title = attributes.get("title") or attributes.get("aria-label") or ""
        end = self.find_end_tag(tag) if tag.name == "object" else -1
        if not src or _INNER_PLAYER.search(self.text, tag.end, max(end, tag.end)):
            element = ""
        elif attributes.get("type", "").startswith("image/"):
            element = format_start_tag("img", {"src": src, "alt": title})
        else:
            element = format_start_tag("iframe", {"src": src, "title": title}) + "</iframe>"
        self.replace(tag.start, tag.end, element)

    def _handle_image(self, tag: Tag) -> None:
        attributes = tag.attributes
        source = find_media_source(attributes, self._picture_sources)
        alt = attributes.get("alt", "").strip()
        is_emoji = _EMOJI_CLASS.search(attributes.get("class", "")) or _EMOJI_URL.search(source)
        if is_emoji and 0 < len(alt) <= _MAX_EMOJI_LENGTH and not _LETTER.search(alt):
            self.replace(tag.start, tag.end, html.escape(alt))
            return
        if is_emoji and "width" not in attributes:
            attributes |= {"width": _EMOJI_SIZE, "height": _EMOJI_SIZE}
        if source or "src" in attributes:
            attributes["src"] = source
        self._last_image = (len(self.parts) + 1, tag.end, source, alt)
        if is_empty_picture(source):
            mark = self.mark(tag, unseen_text.PLACEHOLDER, f"{alt} {source}")
            self.replace(tag.start, tag.end, mark)
            return
        is_marked = unseen_text.find_removal_reason(tag.name, attributes)
        if tag.name == "img" and attributes == tag.attributes and not is_marked:
            self.replace(tag.start, tag.end, self.text[tag.start : tag.end])
        else:
            self.write_element(tag, "img", attributes, tag.end)

    def _handle_source(self, tag: Tag) -> None:
        if tag.name == "picture":
            self._picture_sources.clear()
        elif source_set := tag.attributes.get("srcset") or tag.attributes.get("data-srcset"):
            self._picture_sources.append(source_set)
        self._handle_other(tag)

    def _handle_player(self, tag: Tag) -> None:
        attributes = tag.attributes
        name = components.rename_component(tag.name) or tag.name
        end = self.find_end_tag(tag)
        fallback = self.text[tag.end : end] if end > 0 else ""
        inner = (t for t in iter_html_tags(fallback) if t.name == "source" and not t.is_end)
        candidates = map(find_media_source, (attributes, *(t.attributes for t in inner)))
        if src := next(filter(None, candidates), ""):
            attributes["src"] = src
        if poster := attributes.get("data-poster"):
            attributes.setdefault("poster", poster)
        words = get_text(fallback)
        if _find_first_link(fallback) and not _NOTICE.search(words):
            attributes.setdefault("title", words)
        unseen = describe_content(fallback) if words != attributes.get("title", "") else ""
        mark = self.mark(tag, unseen_text.PLAYER_FALLBACK, unseen)
        close = self.find_tag_end(end) if end > 0 else tag.end
        # One that is never closed would take all that follows for its fallback.
        self.write_element(tag, name, attributes, close, f"</{name}>{mark}")

    def _handle_separate(self, tag: Tag) -> None:
        """Set the words of a control apart from those before it."""
        if tag.name in {"option", "optgroup"} or self.text[tag.start - 1 : tag.start] == ">":
            self.replace(tag.start, tag.start, " ")
        self._handle_other(tag)

    def _handle_page_part(self, tag: Tag) -> None:
        attributes = {**tag.attributes, LINE_ATTRIBUTE: str(self.get_line(tag))}
        self.write_element(tag, tag.name, attributes, tag.end)

    def _handle_other(self, tag: Tag) -> None:
        name = components.rename_component(tag.name) or _RENAMED.get(tag.name, tag.name)
        if not tag.attribute_text and name == tag.name:
            return
        attributes = tag.attributes
        if frame := components.make_frame(tag.name, attributes):
            self.replace(tag.start, tag.end, format_start_tag("iframe", frame) + "</iframe>")
            return
        if color := attributes.pop("bgcolor", ""):
            attributes["style"] = f"background-color:{color};{attributes.get('style', '')}"
        end_tag = f"</{name}>" if tag.is_self_closed and name not in VOID_ELEMENTS else ""
        is_marked = unseen_text.find_removal_reason(tag.name, attributes)
        if name != tag.name or color or end_tag or is_marked:
            self.write_element(tag, name, attributes, tag.end, end_tag)


def _find_first_link(fragment: str) -> str:
    links = (tag.attributes.get("href", "") for tag in iter_html_tags(fragment) if tag.name == "a")
    return next(filter(None, links), "")
