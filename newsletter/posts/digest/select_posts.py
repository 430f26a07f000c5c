"""Choose the posts of a digest. Pure."""

import datetime
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from newsletter.errors import NewsletterError, Problem
from newsletter.posts.importing.post_identity import (
    PostIdentity,
    hash_post_text,
    hash_title,
    normalize_post_url,
)

# More cards than anybody reads; with long excerpts, they stay below Gmail's limit of 102 KB.
DEFAULT_LIMIT = 12
UNPUBLISHED = "unpublished post"  # it has no address on the web, so no card can lead to it


@dataclass(frozen=True, slots=True)
class CardPicture:
    """The image of a card.

    Attributes:
        src: its URL, or the name of its copy beside the digest.
        alt: its alternative text.
        file: what is copied; ``None`` for an image on the web.
    """

    src: str
    alt: str = ""
    file: Path | bytes | None = None


@dataclass(frozen=True, slots=True)
class DigestCard:
    """A post as a digest lists it; its texts are written into front matter as they are.

    Attributes:
        title: the post's title.
        url: where it is.
        excerpt: a sentence or two; may be empty.
        picture: its image, or ``None``.
        minutes: its reading time, at least 1.
        section: the heading that it is below, or empty.
        date: when it was published, if known.
        post_id: how its source identifies it, or empty.
    """

    title: str
    url: str
    excerpt: str = ""
    picture: CardPicture | None = None
    minutes: int = 1
    section: str = ""
    date: datetime.date | None = None
    post_id: str = ""


@dataclass(frozen=True, slots=True)
class DigestOffer:
    """A post that a digest may take.

    Attributes:
        title: its title, for messages.
        url: where it is on the web; empty if it is nowhere.
        date: when it was published, if known.
        tags: plain text.
        make_card: returns its card; reads the post, so it is called only for a post that is taken.
    """

    title: str
    url: str
    date: datetime.date | None
    tags: tuple[str, ...]
    make_card: Callable[[], DigestCard]


@dataclass(frozen=True, slots=True)
class DigestCriteria:
    """Which posts a digest takes.

    Attributes:
        listed: the posts of earlier digests, which it doesn't take.
        since: the earliest date; posts without a date count as new.
        tags: a post needs one of them; of several, each is a section.
        limit: how many it takes at most, the newest.
    """

    listed: Sequence[PostIdentity] = ()
    since: datetime.date | None = None
    tags: tuple[str, ...] = ()
    limit: int = DEFAULT_LIMIT


@dataclass(frozen=True, slots=True)
class DigestSelection:
    """The posts of a digest, and what it left out.

    Attributes:
        cards: by section, the newest first.
        left_out: a noun for what was left out -> how many: ``{"repeated post": 2}``.
        over_limit: the titles of posts that are new but over the limit.
        unreadable: why posts can't be read.
    """

    cards: tuple[DigestCard, ...]
    left_out: Counter[str]
    over_limit: tuple[str, ...]
    unreadable: tuple[Problem, ...]


def select_posts(offers: Iterable[DigestOffer], criteria: DigestCriteria) -> DigestSelection:
    """Return the cards of the newest posts that meet the criteria and are in no earlier digest."""
    cards: list[DigestCard] = []
    left_out: Counter[str] = Counter()
    over_limit: list[str] = []
    unreadable: list[Problem] = []
    taken: list[PostIdentity] = []
    for offer in sorted(offers, key=_get_date, reverse=True):
        section = _find_section(offer, criteria.tags)
        if reason := _find_reason(offer, section, criteria):
            left_out[reason] += 1
            continue
        if len(cards) >= criteria.limit:
            over_limit.append(offer.title)
            continue
        try:
            card = offer.make_card()
        except NewsletterError as error:
            unreadable += error.problems
            continue
        identity = identify_card(card.post_id, card.url, card.title, card.excerpt)
        if any(identity.is_same_post(other) for other in criteria.listed):
            left_out["repeated post"] += 1
        elif any(
            identity.is_same_post(other) and not identity.is_another_post(other) for other in taken
        ):
            left_out["duplicate"] += 1
        else:
            taken.append(identity)
            cards.append(replace(card, section=section if len(criteria.tags) > 1 else ""))
    order = {tag: position for position, tag in enumerate(criteria.tags)}
    cards.sort(key=lambda card: order.get(card.section, 0))
    return DigestSelection(tuple(cards), left_out, tuple(over_limit), tuple(unreadable))


def identify_card(post_id: str, url: str, title: str, excerpt: str) -> PostIdentity:
    """Return by what a digest's post is recognized in later ones."""
    return PostIdentity(
        post_id, normalize_post_url(url), hash_post_text(title, excerpt), hash_title(title)
    )


def _get_date(offer: DigestOffer) -> datetime.date:
    return offer.date or datetime.date.min


def _find_section(offer: DigestOffer, tags: tuple[str, ...]) -> str:
    """Return the first of the tags that the post has, as it was typed; empty if it has none."""
    own = {tag.casefold() for tag in offer.tags}
    return next((tag for tag in tags if tag.casefold() in own), "")


def _find_reason(offer: DigestOffer, section: str, criteria: DigestCriteria) -> str:
    """Return why a post is left out, before it is read; empty if it isn't."""
    url = normalize_post_url(offer.url)
    if url and any(url == other.url for other in criteria.listed):
        return "repeated post"
    if criteria.since and offer.date and offer.date < criteria.since:
        return "earlier post"
    if criteria.tags and not section:
        return "untagged post"
    if not offer.url:
        return UNPUBLISHED
    return ""
