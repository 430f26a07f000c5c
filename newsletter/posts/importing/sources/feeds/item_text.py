"""Choose the text of an item; tell a whole post from its beginning."""

import html
import re
from typing import NamedTuple

from newsletter.posts.html.normalize.marked_elements import get_text
from newsletter.posts.importing.sources.feeds.feed_item import ItemText
from newsletter.posts.removed_line import RemovedLine

_TAG = re.compile(r"</?[a-zA-Z][^<>]*>")
_ESCAPED_TAG = re.compile(
    r"&lt;/(?:p|div|a|h[1-6]|ul|ol|li|em|strong|blockquote)&gt;", re.IGNORECASE
)
_VOID_END_TAG = re.compile(
    r"</(?:area|base|br|col|embed|hr|img|input|link|meta|param|source|track|wbr)\s*>",
    re.IGNORECASE,
)
_COMMENT = re.compile(r"<!--.*?(?:-->|\Z)", re.DOTALL)
_ELLIPSIS = re.compile(
    r"(?:\u2026|\.\.\.|[\[(]\s*(?:\u2026|\.\.\.)\s*[\])]|&hellip;)[\s\u201d\"'\u00bb]*$"
)
_MORE = re.compile(
    r"(?:read (?:more|on|full .{1,40}|the (?:rest|full|whole)\b.{0,40})|(?:more|link|full story)"
    r"|view (?:the )?(?:full|original) (?:post|article)|mehr lesen|en savoir plus"
    r"|(?:continue reading|keep reading|weiterlesen|lire la suite|seguir leyendo|leer m\u00e1s"
    r"|continua a leggere|leggi tutto|lees (?:meer|verder)|leia mais|l\u00e4s mer|les mer"
    r"|l\u00e6s mere)\b.{0,120})\s*[\u2026.\u2192\u00bb>\])]*$",
    re.IGNORECASE,
)
_LAST_LINK = re.compile(
    r"<a\b[^>]*>(?P<text>(?:(?!</a>).)*)</a>[\s\]).\u2026]*(?:</\w+>\s*|<br\s*/?>\s*)*",
    re.IGNORECASE | re.DOTALL,
)
_MAX_ATTRIBUTION_LENGTH = 300  # characters; "The post X appeared first on Y", with two links
_MAX_OPEN_END = 1_500  # characters: a longer post may end in an ellipsis
_RICH = re.compile(
    r"<(?:img|ul|ol|h[1-6]|pre|table|blockquote|figure|iframe|video|audio)\b", re.IGNORECASE
)
_MAX_UNMARKED_TEASER = 600  # characters: site generators cut at 70 words, and don't say so
_MUCH_LONGER = 1.5
_MIN_LENGTH = 200  # characters
_PARAGRAPH_BREAK = re.compile(r"\n[ \t]*\n\s*")


class ChosenText(NamedTuple):
    """The text of an item, and what became of its other texts.

    Attributes:
        html: the text, with relative links; empty if the item has none.
        source: the text of the feed that it is.
        summary: an excerpt that its author wrote, plain text; or empty.
        summary_html: the summary as it is in the feed.
        is_teaser: whether it is only the beginning of the post.
        removed: texts of the item that are neither in it nor in the summary.
    """

    html: str = ""
    source: ItemText | None = None
    summary: str = ""
    summary_html: str = ""
    is_teaser: bool = False
    removed: tuple[RemovedLine, ...] = ()


def choose_text(
    texts: tuple[ItemText, ...], *, language: str, has_title: bool, has_page: bool
) -> ChosenText:
    """Choose the whole text of an item.

    Content goes before summaries, except a much longer one; the newsletter's language before
    others; then HTML before plain text.

    Args:
        texts: all texts of the item.
        language: BCP 47 tag of the newsletter.
        has_title: whether the item has a title; a short text without one is a whole post.
        has_page: whether the item links to a page of its own.
    """
    texts = tuple(text for text in texts if text.value.strip())
    if not texts:
        return ChosenText(is_teaser=has_page)
    htmls = {text: make_html(text) for text in texts}
    lengths = {text: len(get_text(htmls[text])) for text in texts}
    primary = language.partition("-")[0].lower()

    def rank(text: ItemText) -> tuple[bool, bool, int]:
        other_language = text.language and text.language.partition("-")[0].lower() != primary
        return not other_language, text.is_html or "<" in text.value, lengths[text]

    contents = [text for text in texts if text.role == "content"]
    others = [text for text in texts if text.role != "content"]
    longest_other = max(others, key=rank, default=None)
    chosen = max(contents, key=rank, default=longest_other)
    assert chosen is not None
    if longest_other and lengths[longest_other] > _MUCH_LONGER * max(lengths[chosen], _MIN_LENGTH):
        chosen = longest_other
    chosen_words = get_text(htmls[chosen])
    summary, summary_html, removed = "", "", []
    for text in texts:
        words = get_text(htmls[text])
        if text is chosen or words in chosen_words or _without_ending(words) in chosen_words:
            continue
        if text.role == "summary" and not summary:
            summary, summary_html = words, htmls[text]
            continue
        other_language = (
            text.language and chosen.language and text.language.lower() != chosen.language.lower()
        )
        why = "the post in another language" if other_language else "another text of the post"
        removed.append(RemovedLine(0, words, why))
    is_teaser = has_page and is_beginning(
        htmls[chosen], is_summary=chosen.role != "content", has_title=has_title
    )
    return ChosenText(htmls[chosen], chosen, summary, summary_html, is_teaser, tuple(removed))


def make_html(text: ItemText) -> str:
    """Return a text of a feed as HTML."""
    value = _VOID_END_TAG.sub("", text.value.strip())
    if not text.is_html:
        return _make_paragraphs(html.escape(value, quote=False))
    if _TAG.search(value):
        return value
    if _ESCAPED_TAG.search(value):  # escaped once too often
        return html.unescape(value)
    return _make_paragraphs(value)


def is_beginning(body: str, *, is_summary: bool, has_title: bool) -> bool:
    """Return whether HTML is only the beginning of a post.

    That is a text with an ellipsis or a link to the rest at its end; and a short summary of a post
    with a title.
    """
    body = _without_attribution(_COMMENT.sub("", body).strip())
    words = get_text(body)
    ellipsis = _ELLIPSIS.search(words[-20:])
    if ellipsis and (is_summary or ellipsis[0][0] in "[(" or len(words) <= _MAX_OPEN_END):
        return True
    last_link = _LAST_LINK.fullmatch(body, max(body.lower().rfind("<a"), 0))
    if last_link and _MORE.match(get_text(last_link["text"]).strip(" [(")):
        return True
    return (
        is_summary and has_title and len(words) <= _MAX_UNMARKED_TEASER and not _RICH.search(body)
    )


def _without_attribution(body: str) -> str:
    """Leave out the line with two links that WordPress adds to every text of a feed."""
    start = body.lower().rfind("<p")
    last = body[start:] if start > 0 else ""
    if last.lower().count("<a") == 2 and len(get_text(last)) <= _MAX_ATTRIBUTION_LENGTH:  # noqa: PLR2004
        return body[:start].strip()
    return body


def _without_ending(words: str) -> str:
    return _MORE.sub("", _ELLIPSIS.sub("", words)).strip()


def _make_paragraphs(escaped: str) -> str:
    """Return paragraphs of text whose special characters are escaped."""
    paragraphs = (part.strip().replace("\n", "<br>\n") for part in _PARAGRAPH_BREAK.split(escaped))
    return "\n".join(f"<p>{part}</p>" for part in paragraphs if part)
