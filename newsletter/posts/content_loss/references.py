"""Find the links, images and embeds that an email doesn't have."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterator

from newsletter.posts.content_loss.inventory import ContentInventory
from newsletter.posts.content_loss.masked_text import ContentReference, ReferenceKind
from newsletter.posts.content_loss.text_masker import strip_punctuation
from newsletter.posts.content_loss.url_matching import UrlIndex

_URL_END = re.compile(r"[\s\"'<>()\[\]|]+")
_BARE_VALUE = re.compile(r"(?<==)https?://[^\s\"'<>()\[\]|]+")  # of an attribute of a tag


def find_lost_references(
    source: ContentInventory, email: ContentInventory, removed_text: str
) -> Iterator[ContentReference]:
    """Yield the references that the email has less often than the source.

    Args:
        source: the post as written.
        email: what was made of it.
        removed_text: what was removed on purpose, with its URLs.
    """
    index = UrlIndex(email.references, email.text)
    removed = Counter(removed_text.split()) | Counter(_URL_END.split(removed_text))
    removed |= Counter(_BARE_VALUE.findall(removed_text))
    removed |= Counter(map(strip_punctuation, removed_text.split()))
    groups: dict[tuple[ReferenceKind, tuple[str, ...]], list[ContentReference]] = defaultdict(list)
    for reference in source.references:
        groups[reference.kind, reference.urls].append(reference)
    for (_, urls), group in groups.items():
        removed_count = max(min(map(removed.__getitem__, url.split() or [""])) for url in urls)
        if removed_count:  # a definition is listed once, for all that share it
            removed_count += max(sum(entry.by_label for entry in group) - 1, 0)
        count = index.count(group[0]) + removed_count
        if count < len(group):
            yield from _choose_lost(source, email, group, len(group) - count)


def _choose_lost(
    source: ContentInventory, email: ContentInventory, group: list[ContentReference], count: int
) -> list[ContentReference]:
    """Return those of equal references whose next words follow none in the email."""
    if count == len(group):
        return group
    contexts = Counter(email.get_words_at(entry.start) for entry in email.references)
    lost: list[ContentReference] = []
    kept: list[ContentReference] = []
    for entry in group:
        context = source.get_words_at(entry.start)
        contexts[context] -= 1
        (kept if contexts[context] >= 0 else lost).append(entry)
    return [*lost, *reversed(kept)][:count]
