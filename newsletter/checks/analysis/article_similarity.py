"""Find the earlier emails that had the same article. Pure.

Compared are shingles: all runs of five words. An article counts as repeated if an earlier email has
at least four fifths of its shingles, unless that is a format: text that several issues share, as in
a weekly list of links or the announcement of a podcast's episode.
"""

import datetime
import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from newsletter.posts.merge_tags.tags import MERGE_TOKEN_PATTERN
from newsletter.render.article.build import Article
from newsletter.render.email import Email
from newsletter.render.text.article import render_article_text

SHINGLE_WORDS = 5
# From this share of its shingles on, an article counts as the earlier one.
MIN_SHARED = 0.8
# Below this share, text that several issues have in common does not count: each issue of a format
# has some text of its own, while a repeated article has at most a correction.
NEARLY_ALL = 0.95
# With fewer shingles an article is compared with whole emails: a greeting may be in any of them.
_MIN_SHINGLES = 10
# What such a short email may have besides: mostly its title, and the runs at its edges.
_MAX_OTHER_SHINGLES = 30
# Scripts without spaces between words (Thai and Lao, Burmese, Khmer, kana, Chinese characters), and
# Hangul, whose spaces are optional: each character counts as a word.
_UNSPACED = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3005\u3040-\u30ff\u31f0-\u31ff\u3400-\u9fff"
    "\uac00-\ud7af\U00020000-\U0003ffff"
)
_WORD = re.compile(rf"https?://\S+|[{_UNSPACED}]|[^\W_{_UNSPACED}]+")
_URL = re.compile(r"https?://[^/?#]*(?P<path>[^?#]*).*")
_LINK_NUMBER = re.compile(r"\[\d{1,3}\]")

Shingles = frozenset[tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class ArticleText:
    """The texts of an article that is compared with earlier emails.

    Attributes:
        issue: the issue's name.
        text: the article's text.
        email_text: the text part of its email; what this has besides is the template's.
    """

    issue: str
    text: str
    email_text: str


@dataclass(frozen=True, slots=True)
class EarlierEmail:
    """The email of an earlier send that somebody has or will get.

    Attributes:
        send_id: the send's id in the ledger.
        issue: the issue's name.
        frozen_at: when its content was frozen.
        text: its text part.
    """

    send_id: int
    issue: str
    frozen_at: datetime.datetime
    text: str


@dataclass(frozen=True, slots=True)
class RepeatedEmail:
    """An earlier email with the same article.

    Attributes:
        email: the earlier email.
        share: how much of the new article is in it, from 0 to 1.
    """

    email: EarlierEmail
    share: float


@dataclass(frozen=True, slots=True)
class _Candidate:
    """An earlier email; ``own`` are its shingles without masthead, footer and the like."""

    email: EarlierEmail
    own: Shingles
    common: Shingles
    share: float


def find_repeated_emails(
    article: ArticleText, earlier: Sequence[EarlierEmail]
) -> Iterator[RepeatedEmail]:
    """Yield the earlier emails that had the same article, in their order.

    Args:
        article: the new article.
        earlier: the earlier emails, without those of the same issue.
    """
    words = split_words(article.text)
    size = min(SHINGLE_WORDS, len(words))
    if not size:
        return
    shingles = make_shingles(words, size)
    if len(shingles) < _MIN_SHINGLES:
        yield from _find_short_repeated_emails(article, earlier, size)
        return
    template = make_shingles(split_words(article.email_text), size) - shingles
    owned = ((email, make_shingles(split_words(email.text), size) - template) for email in earlier)
    common = ((email, own, shingles & own) for email, own in owned)
    candidates = [
        _Candidate(email, own, both, len(both) / len(shingles)) for email, own, both in common
    ]
    for candidate in candidates:
        if candidate.share >= NEARLY_ALL or (
            candidate.share >= MIN_SHARED and not _is_format(shingles, candidate, candidates)
        ):
            yield RepeatedEmail(candidate.email, candidate.share)


def make_article_text(article: Article, email: Email) -> ArticleText:
    """Return the texts of an article and of its email."""
    text = f"{render_article_text(article.html)}\n{article.digest_text}"
    return ArticleText(email.issue, text, email.text)


def split_words(text: str) -> list[str]:
    """Return the words of a text, without case, diacritics, merge tokens and link numbers.

    Of a URL only the path counts: it tells one post from another, while host and parameters change
    with the site and the campaign.
    """
    plain = _LINK_NUMBER.sub(" ", MERGE_TOKEN_PATTERN.sub(" ", text))
    words = (_URL.sub(_get_path, word) for word in _WORD.findall(_fold(plain)))
    return [word for word in words if word]


def make_shingles(words: Sequence[str], size: int = SHINGLE_WORDS) -> Shingles:
    """Return all runs of ``size`` words."""
    return frozenset(_list_runs(words, size))


def _list_runs(words: Sequence[str], size: int) -> Iterator[tuple[str, ...]]:
    return zip(*(words[start:] for start in range(size)), strict=False)


def _find_short_repeated_emails(
    article: ArticleText, earlier: Sequence[EarlierEmail], size: int
) -> Iterator[RepeatedEmail]:
    """Yield the emails that have all of a short article, as often as its own email, and no more.

    A text that two different earlier emails have is a format: the caption of a weekly picture.
    """
    expected = Counter(_list_runs(split_words(article.email_text), size))
    shingles = make_shingles(split_words(article.text), size)
    found: list[tuple[EarlierEmail, Shingles]] = []
    for email in earlier:
        runs = Counter(_list_runs(split_words(email.text), size))
        others = frozenset(runs.keys() - expected.keys())
        has_all = all(runs[shingle] >= expected[shingle] for shingle in shingles)
        if has_all and len(others) <= _MAX_OTHER_SHINGLES:
            found.append((email, others))
    if len({others for _, others in found}) == 1:
        yield from (RepeatedEmail(email, 1) for email, _ in found)


def _is_format(article: Shingles, candidate: _Candidate, candidates: Sequence[_Candidate]) -> bool:
    """Return whether an earlier email has of the article only what another one has as well.

    An earlier email that repeats the candidate is not another one.
    """
    of_format: Shingles = frozenset()
    for other in candidates:
        shared = candidate.common & other.common
        if shared <= of_format or _are_same(candidate.own, other.own):
            continue
        of_format |= shared
        distinctive = article - of_format
        if len(distinctive & candidate.common) < MIN_SHARED * len(distinctive):
            return True
    return False


def _get_path(url: re.Match[str]) -> str:
    return url["path"].strip("/.,;)>")


def _are_same(first: Shingles, second: Shingles) -> bool:
    return len(first & second) >= NEARLY_ALL * max(len(first), len(second))


def _fold(text: str) -> str:
    """Return a text without case and marks (accents, vowel points, soft hyphens)."""
    if text.isascii():
        return text.casefold()
    text = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", text).casefold())
    for char in set(text):
        category = unicodedata.category(char)
        if category == "Cf" or category.startswith("M"):
            text = text.replace(char, "")
    return unicodedata.normalize("NFC", text)
