"""The input of all rules: the email, its issue and its source file."""

import html
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING

from lxml import etree

from newsletter.checks.analysis.client_support import PUBLISHED_SHARES, ClientShares
from newsletter.checks.analysis.computed_text import TextRun, iter_text_runs
from newsletter.checks.analysis.css_parser import HIDDEN_FROM_OUTLOOK
from newsletter.checks.analysis.feature_usage import FeatureUse, find_features
from newsletter.checks.source_map import SourceMap
from newsletter.config.models import Config
from newsletter.errors import display_path
from newsletter.posts.content_loss.compare import ContentLoss
from newsletter.posts.content_loss.inventory import ContentInventory
from newsletter.posts.front_matter.parse import FrontMatter, split_front_matter
from newsletter.posts.importing.blocks import HtmlTextBlock, outline_html
from newsletter.posts.importing.cleanup.paragraph import Passage, count_words, mask_words
from newsletter.posts.importing.source_inventory import take_source_inventory
from newsletter.posts.issue import Issue
from newsletter.posts.merge_tags.tags import PREFERENCES_TAG, UNSUBSCRIBE_TAG
from newsletter.render.article.build import Article
from newsletter.render.article.dom import Element, get_visible_text, parse_fragment
from newsletter.render.article.links import UrlResolver, is_same_address
from newsletter.render.email import Email
from newsletter.render.lost_content import find_lost_content
from newsletter.render.personalization import personalize
from newsletter.render.template.card_views import (
    DigestSectionView,
    format_digest_html,
    make_digest_views,
)
from newsletter.render.template.loader import Templates

if TYPE_CHECKING:  # a build that has findings would import them for nothing
    from newsletter.checks.analysis.article_similarity import EarlierEmail
    from newsletter.checks.analysis.misplaced_text import MisplacedText

_STANDALONE_TAGS = frozenset({"h1", "h2", "h3", "h4", "h5", "h6", "p", "li", "div", "section", ""})
_CODE_ELEMENT = re.compile(r"(<(code|kbd|samp|tt|var)\b[^>]*>)(.*?)(?=</\2>)", re.DOTALL)


@dataclass(frozen=True)
class EmailLink:
    """A link in the email.

    Attributes:
        url: its target.
        text: its text, and its images' alternative texts.
        element: its element.
    """

    url: str
    text: str
    element: Element

    @property
    def shows_url(self) -> bool:
        """Whether its text is its URL, with or without ``http://``, as in instructions."""
        return is_same_address(self.text, self.url) or is_same_address(
            self.text, self.url.partition("//")[2]
        )


@dataclass(frozen=True)
class CheckContext:
    """The input of the rules; each part is parsed once, on first access.

    Attributes:
        issue: the issue.
        article: its article in the HTML of emails.
        email: the issue as rendered, with its tokens.
        config: the newsletter's settings.
        longest_values: attribute -> the longest value of any active subscriber.
        earlier_subjects: name of an earlier issue -> its subject, as written in its source.
        client_shares: the share of the subscribers who use each mail client.
        earlier_emails: the emails of the other issues that were sent, the latest first.
        templates: the templates that it was rendered with; ``None`` if they are not at hand.
    """

    issue: Issue
    article: Article
    email: Email
    config: Config
    longest_values: Mapping[str, str] = field(default_factory=dict)
    earlier_subjects: Mapping[str, str] = field(default_factory=dict)
    client_shares: ClientShares = PUBLISHED_SHARES
    earlier_emails: "Sequence[EarlierEmail]" = ()
    templates: Templates | None = None

    @cached_property
    def default_email(self) -> Email:
        """The email for a recipient without attributes; the two personal links stay tokens."""
        return self._personalize(self.email, {})

    @cached_property
    def longest_email(self) -> Email:
        """The email for a recipient with the longest value of every attribute."""
        return self._personalize(self.email, self.longest_values)

    @cached_property
    def front_matter(self) -> FrontMatter:
        """The post's front matter."""
        return split_front_matter(self.issue.source, display_path(self.issue.source_path))

    @cached_property
    def source_map(self) -> SourceMap:
        """The lookup of the email's texts and URLs in the source."""
        return SourceMap(display_path(self.issue.source_path), self.front_matter, self.config)

    @property
    def template_name(self) -> str:
        """The file of the issue's template."""
        return f"{self.issue.template or self.config.theme.template}.mjml"

    @cached_property
    def tree(self) -> Element:
        """The HTML of ``default_email``, parsed."""
        return etree.fromstring(self.default_email.html, etree.HTMLParser())

    @cached_property
    def text_runs(self) -> tuple[TextRun, ...]:
        """Every run of visible text with its computed style."""
        return tuple(iter_text_runs(self.tree))

    @cached_property
    def features(self) -> Mapping[str, FeatureUse]:
        """The HTML and CSS features of the email, by their names on caniemail.com."""
        return find_features(self.tree)

    @cached_property
    def outlook_features(self) -> Mapping[str, FeatureUse]:
        """The features in what Outlook for Windows sees; conditional comments hide some."""
        html = HIDDEN_FROM_OUTLOOK.sub("", self.default_email.html)
        if html == self.default_email.html:
            return self.features
        return find_features(etree.fromstring(html, etree.HTMLParser()))

    @cached_property
    def body(self) -> str:
        """The post's own HTML before its conversion for email, with merge tags replaced.

        A digest's posts follow it, as headings and paragraphs.
        """
        cards = format_digest_html(self._digest_views)
        return self._fill_in("\n".join(filter(None, (self.issue.post.body, cards))))

    @cached_property
    def _digest_views(self) -> tuple[DigestSectionView, ...]:
        return make_digest_views(self.issue, UrlResolver.for_issue(self.issue, self.config))

    @cached_property
    def body_tree(self) -> Element:
        """``body`` as a tree, under one ``div``."""
        return parse_fragment(self.body)

    @cached_property
    def blocks(self) -> tuple[HtmlTextBlock, ...]:
        """The post's blocks of text, in order."""
        return outline_html(self.body).blocks

    @cached_property
    def prose_blocks(self) -> tuple[HtmlTextBlock, ...]:
        """The blocks that are not code."""
        return tuple(block for block in self.blocks if block.tag != "pre")

    @cached_property
    def masked_texts(self) -> tuple[str, ...]:
        """The texts of ``prose_blocks``, with their code masked; characters keep their places."""
        masked_body, count = _CODE_ELEMENT.subn(_mask_code, self.body)
        blocks = outline_html(masked_body).blocks if count else self.blocks
        return tuple(block.text for block in blocks if block.tag != "pre")

    @cached_property
    def passages(self) -> tuple[Passage, ...]:
        """``prose_blocks`` as passages, the type that the import's cleanup takes."""
        return tuple(
            _make_passage(block, masked_text)
            for block, masked_text in zip(self.prose_blocks, self.masked_texts, strict=True)
        )

    @cached_property
    def misplaced_text(self) -> "MisplacedText":
        """The passages that do not belong in the post."""
        from newsletter.checks.analysis.misplaced_text import find_misplaced_text

        cards = (
            self._fill_in(format_digest_html([DigestSectionView("", (post,))]))
            for section in self._digest_views
            for post in section.posts
        )
        return find_misplaced_text(
            self.passages,
            [
                [_make_passage(block, block.text) for block in outline_html(card).blocks]
                for card in cards
            ],
        )

    @cached_property
    def word_count(self) -> int:
        """The number of words of the post."""
        return sum(count_words(block.text) for block in self.blocks)

    @cached_property
    def links(self) -> tuple[EmailLink, ...]:
        """Every link in the email that has an ``href``."""
        return tuple(
            EmailLink(element.get("href") or "", _get_link_text(element), element)
            for element in self.tree.iter("a")
            if element.get("href") is not None
        )

    @cached_property
    def images(self) -> tuple[Element, ...]:
        """Every image in the email."""
        return tuple(self.tree.iter("img"))

    @cached_property
    def source_inventory(self) -> ContentInventory:
        """The words, links, images and code of the post's file."""
        return take_source_inventory(self.issue.source, self.issue.source_path.name)

    @cached_property
    def losses(self) -> tuple[ContentLoss, ...]:
        """What the post's file holds and the email doesn't."""
        return find_lost_content(self.source_inventory, self.issue, self.article, email=self.email)

    def _fill_in(self, body: str) -> str:
        """Return HTML of the post with merge tags replaced."""
        return self._personalize(replace(self.email, html=body), {}).html

    def _personalize(self, email: Email, values: Mapping[str, str]) -> Email:
        return personalize(
            email,
            values,
            unsubscribe_link=UNSUBSCRIBE_TAG.token("url"),
            preferences_link=PREFERENCES_TAG.token("url"),
        )


def _mask_code(found: re.Match[str]) -> str:
    """Mask the text in a code element; its tags and line breaks stay."""
    masked = re.sub(
        r"<[^>]*>|[^<]+",
        lambda piece: piece[0] if piece[0][0] == "<" else mask_words(html.unescape(piece[0])),
        found[3],
    )
    return found[1] + masked


def _get_link_text(link: Element) -> str:
    alts = " ".join(image.get("alt") or "" for image in link.iter("img"))
    return " ".join(f"{get_visible_text(link)} {alts}".split())


def _make_passage(block: HtmlTextBlock, masked_text: str) -> Passage:
    return Passage(
        block.line,
        block.text,
        block.tag in _STANDALONE_TAGS,
        block.group,
        block.links,
        masked_text,
    )
