"""Build the article: a post's body as HTML that every mail client shows.

The class names that a template's CSS can style:

- ``figure`` (a ``div``) around an image, with ``caption`` (a ``div``) under it; ``gallery`` (a
  ``table``) of ``gallery-cell`` cells, two a row, a last odd one over both columns;
- ``embed`` (a ``div``): a card for media that email can't play, with ``embed-picture`` (a link
  around a still), ``embed-title`` and ``embed-host`` (paragraphs), which begins with an
  ``embed-glyph`` and an ``embed-kind`` (a ``span`` each); a quoted post keeps its ``blockquote``;
- ``callout`` with ``callout-note`` (``-tip``, ``-warning``, …) and a ``callout-title``, which
  begins with a ``callout-glyph`` (a ``span``);
- ``pullquote`` (a ``blockquote``), whose last paragraph is a ``pullquote-source`` if it begins with
  a dash; ``sponsor`` (a ``div``) with its ``sponsor-label`` and, in it, ``sponsor-name``;
  ``reply-invitation`` (a ``div``);
- ``inline-button`` (a link), alone in a paragraph as a ``button-row`` (a ``table``) with its
  ``button-cell``;
- ``details`` with its ``summary``, opened;
- ``table-scroll`` (a ``div``) around each data table;
- ``contains-task-list`` and ``task-list-item``, whose text begins with a box character;
- ``footnote-ref`` (a ``sup``), ``footnote-link`` (the link in it), ``footnotes-sep`` (the rule
  above), ``footnotes`` (a ``div``), ``footnote-backref`` (the link back up).

Code keeps its line breaks in ``pre`` rather than as ``<br>``: Gmail, Outlook and Apple Mail all
honour it, and it can be copied in one piece; ``white-space: pre-wrap`` for phones is left to the
CSS. A block that phones wrap has a ``line`` (a ``span``) around each line.
Classes and inline styles that the author wrote stay.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from newsletter.config import Config
from newsletter.posts.importing.cleanup.paragraph import count_words
from newsletter.posts.issue import Issue
from newsletter.render.article.blocks import build_reply_url, mark_blocks
from newsletter.render.article.callouts import mark_callouts
from newsletter.render.article.code_lines import mark_code_lines
from newsletter.render.article.dom import (
    Element,
    get_visible_text,
    is_blank,
    is_empty_element,
    parse_fragment,
    serialize_fragment,
    unwrap_element,
)
from newsletter.render.article.embeds import replace_embeds
from newsletter.render.article.footnotes import serialize_trailing_footnotes
from newsletter.render.article.images import ArticleImages, normalize_images
from newsletter.render.article.links import UrlResolver, find_anchor, spell_anchors
from newsletter.render.article.structure import finish_structure, normalize_structure
from newsletter.render.article.text_flow import join_cjk_lines, set_code_direction
from newsletter.render.locale import get_text_direction
from newsletter.render.words import load_shipped_words

_WORDS_PER_MINUTE = 220
SIDE_PADDING = 64  # CSS pixels, left plus right of the article


@dataclass(frozen=True, slots=True)
class Article:
    """The article of an email.

    Attributes:
        html: a fragment with merge tokens (HTML tokens in text, URL tokens in URLs).
        links: the absolute URLs of its links, without duplicates, in order; fragments left out.
        images: the absolute URLs of its images, without duplicates, in order.
        word_count: the number of its words.
        reading_minutes: the reading time, at least 1.
        notes: what had to be changed, for the editor; sentences.
        footnotes: the end of ``html`` with its footnotes, if they come last; or empty.
        text: its visible text, with HTML tokens.
        digest_text: the titles and excerpts of a digest's posts; the words of both are counted.
    """

    html: str
    links: tuple[str, ...]
    images: tuple[str, ...]
    word_count: int
    reading_minutes: int
    notes: tuple[str, ...]
    footnotes: str = ""
    text: str = ""
    digest_text: str = ""


def build_article(issue: Issue, config: Config, words: Mapping[str, str] | None = None) -> Article:
    """Return the article of an issue. Pure: the same arguments give the same HTML.

    Args:
        issue: the issue.
        config: the settings.
        words: those of the group ``article`` in the issue's language; by default as shipped.
    """
    root = parse_fragment(issue.post.body)
    urls = UrlResolver.for_issue(issue, config)
    article_images = ArticleImages(config.theme.width - SIDE_PADDING, issue.post.images, urls)
    set_code_direction(root, get_text_direction(issue.post.language, config))
    join_cjk_lines(root)
    words = words or load_shipped_words(issue.post.language or config.language, "article")
    notes = [
        *normalize_structure(root),
        *replace_embeds(root, issue.post.images, words),
        *normalize_images(root, article_images),
        *_resolve_links(root, urls),
    ]
    mark_code_lines(root)
    mark_callouts(root, words)
    mark_blocks(root, words, build_reply_url(issue, config))
    finish_structure(root)
    text = get_visible_text(root)
    word_count = count_words(text) + count_words(issue.digest_text)
    hrefs = (link.get("href") or "" for link in root.iter("a"))
    return Article(
        html=serialize_fragment(root),
        links=tuple(dict.fromkeys(url for url in hrefs if url and not url.startswith("#"))),
        images=tuple(dict.fromkeys(image.get("src") or "" for image in root.iter("img"))),
        word_count=word_count,
        reading_minutes=max(1, round(word_count / _WORDS_PER_MINUTE)),
        notes=tuple(dict.fromkeys(notes)),
        footnotes=serialize_trailing_footnotes(root),
        text=text,
        digest_text=issue.digest_text,
    )


def _resolve_links(root: Element, urls: UrlResolver) -> list[str]:
    notes = []
    anchors = {value for e in root.iter() for value in (e.get("id"), e.get("name")) if value}
    spelled = spell_anchors(root)
    for link in list(root.iter("a")):
        href = link.get("href")
        if href is None or is_empty_element(link):
            link.attrib.pop("href", "")
            if link.get("id") is None and link.get("name") is None:
                unwrap_element(link)
            continue
        if href.startswith("#") and (target := find_anchor(href[1:], anchors, spelled)):
            link.set("href", f"#{target}")
            continue
        url = None if is_blank(href.strip("#")) else urls.resolve_link(href)
        if url is None:
            notes.append(f"a link that doesn't work in email became text: {href[:80]}")
            unwrap_element(link)
        else:
            link.set("href", url)
    return notes
