"""Find what an issue's source holds and its email does not."""

import html
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace

from newsletter.errors import display_path
from newsletter.posts.content_loss.article_words import cut_before_article, cut_to_article
from newsletter.posts.content_loss.compare import ContentLoss, find_losses, find_lost_words
from newsletter.posts.content_loss.inventory import (
    ContentInventory,
    take_inventory,
)
from newsletter.posts.content_loss.source_lines import SourceLines, number_words
from newsletter.posts.front_matter.parse import split_front_matter
from newsletter.posts.issue import DigestPost, Issue
from newsletter.posts.merge_tags.tags import MERGE_TOKEN_PATTERN
from newsletter.posts.removed_line import RemovedLine
from newsletter.render.article.build import Article
from newsletter.render.email import Email

# Of an embed's card, the text part leaves out what repeats the title and the URL; it has letters
# for footnotes, other signs for the boxes of a task list, and none for callouts.
_OTHER_IN_TEXT = re.compile(
    r'<(?P<tag>a|p|span|sup)\b[^>]*class="(?:callout-glyph|embed-(?:picture|host)|footnote-ref)"[^>]*>.*?</(?P=tag)>'
    r"|[\u2610-\u2612]",
    re.DOTALL,
)
_SPAN_TAG = re.compile(r"</?span\b[^>]*>")

# An address that the text part shows within a line, not in the list of links. Emphasis in it ends
# the address in the article, not in the text part: so its words are compared as words.
_LISTED_LINK = re.compile(r"\[\w+\] \S+")
_ADDRESS_START = re.compile(r"://|\bwww\.", re.IGNORECASE)

_NO_COPIES: Mapping[str, Collection[str]] = {}


def find_lost_content(  # noqa: PLR0913 - each is one part of the comparison
    source: ContentInventory,
    issue: Issue,
    article: Article,
    *,
    email: Email | None = None,
    removed: tuple[RemovedLine, ...] = (),
    copied_urls: Mapping[str, Collection[str]] = _NO_COPIES,
) -> tuple[ContentLoss, ...]:
    """Return what the source holds and the article or the email doesn't, in order of lines.

    Args:
        source: the inventory of the post's file, or of the post that it was imported from.
        issue: the issue read from it.
        article: the article built of it.
        email: the email rendered from it, with its merge tokens; not compared if not given.
        removed: what an import left out on purpose, besides ``issue.post.removed``.
        copied_urls: file name of an image of the issue -> its URLs in the source.
    """
    heading = f"<h1>{html.escape(issue.post.title)}</h1>\n"
    shown = article.html
    if _has_block(source, take_inventory(heading, "email").words):
        shown = heading + shown
    losses = [
        *find_losses(
            source,
            _add_urls(take_inventory(shown, "email"), copied_urls),
            (*removed, *issue.post.removed),
        ),
        *(_find_lost_in_email(source, article, email) if email else ()),
        *(_find_lost_posts(issue, email) if email and issue.digest else ()),
    ]
    return tuple(sorted(losses, key=lambda loss: loss.line))


def _has_block(source: ContentInventory, words: tuple[str, ...]) -> bool:
    """Return whether words are a block of the source, as its title without front matter is."""
    return any(
        source.words[block.first_word : block.word_range.stop] == words for block in source.blocks
    )


def _add_urls(
    inventory: ContentInventory, copied_urls: Mapping[str, Collection[str]]
) -> ContentInventory:
    """Return an inventory in which images have the URLs that they were copied from, too."""
    references = (
        replace(entry, urls=(*entry.urls, *urls))
        if (urls := copied_urls.get(entry.urls[0].rpartition("/")[2]))
        else entry
        for entry in inventory.references
    )
    return replace(inventory, references=tuple(references))


def _find_lost_in_email(
    source: ContentInventory, article: Article, email: Email
) -> Iterator[ContentLoss]:
    """Yield what the article holds and the HTML or the text part of its email doesn't.

    The text part has no images and no code blocks: only its words are compared.
    """
    article_html, email_html, text = (
        MERGE_TOKEN_PATTERN.sub(" ", part) for part in (article.html, email.html, email.text)
    )  # each part has its own tokens
    in_html = number_words(take_inventory(article_html, "email"))
    html_part = cut_to_article(take_inventory(email_html, "email"), in_html)
    other_in_text = _OTHER_IN_TEXT.sub(lambda found: " " * len(found[0]), article_html)
    # Colored code has tags inside its URLs, which are no words where they are whole.
    other_in_text = _SPAN_TAG.sub("", other_in_text)
    in_text = number_words(take_inventory(other_in_text, "email"))
    text_part = cut_before_article(take_inventory(_open_addresses(text), "text"), in_text)
    losses = [(loss, in_html) for loss in find_losses(in_html, html_part)] + [
        (loss, in_text) for loss in find_lost_words(in_text, text_part)
    ]
    if not losses:
        return
    lines = SourceLines(source)
    found: set[ContentLoss] = set()
    for loss, inventory in losses:
        located = replace(loss, line=lines.get_line(inventory.words, loss.line - 1))
        if located not in found:
            found.add(located)
            yield located


def _find_lost_posts(issue: Issue, email: Email) -> Iterator[ContentLoss]:
    """Yield what a digest's posts hold and the HTML or the text part of its email doesn't."""
    # One line for each post: the number of a lost line is that of its post.
    source = MERGE_TOKEN_PATTERN.sub(" ", "\n".join(_format_posts(issue.digest)))
    front_matter = split_front_matter(issue.source, display_path(issue.source_path))
    posts = take_inventory(source, "email")
    html_part, text_part = (MERGE_TOKEN_PATTERN.sub(" ", part) for part in (email.html, email.text))
    losses = (
        *find_losses(posts, take_inventory(html_part, "email")),
        *find_lost_words(posts, take_inventory(text_part, "text")),
    )
    for loss in dict.fromkeys(losses):
        yield replace(loss, line=front_matter.find_line("digest", loss.line - 1) or 0)


def _format_posts(posts: tuple[DigestPost, ...]) -> Iterator[str]:
    sections: set[str] = set()
    for post in posts:
        heading = "" if post.section in sections else html.escape(post.section)
        title, url, excerpt = map(html.escape, (post.title, post.url, post.excerpt))
        picture = f'<img src="{html.escape(post.picture.src)}">' if post.picture else ""
        yield f'<h2>{heading}</h2>{picture}<h3><a href="{url}">{title}</a></h3><p>{excerpt}</p>'
        sections.add(post.section)


def _open_addresses(text: str) -> str:
    return "\n".join(
        line if _LISTED_LINK.fullmatch(line) else _ADDRESS_START.sub(" ", line)
        for line in text.split("\n")
    )
