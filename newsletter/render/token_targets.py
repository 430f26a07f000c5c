"""Merge tokens change their kind with the place they stand in: HTML, plain text, a URL."""

import re

from newsletter.posts.merge_tags.tags import TOKEN, MergeTag, Target

_LINK = re.compile(r"-nl(unsubscribe|preferences)[htu]-")


def retarget(text: str, was: Target, becomes: Target) -> str:
    """``text`` with every token of one kind turned into that of another."""
    if "-nl" not in text:
        return text
    return TOKEN.sub(
        lambda found: f"-nl{found['key']}{becomes[0]}-" if found["target"] == was[0] else found[0],
        text,
    )


def one_token_a_link(text: str) -> str:
    """``text`` with one token for each of the reader's two links, wherever it stands.

    Their values are whole URLs and the same in every place, and a request carries each value once
    a reader: half of a request's bytes.
    """
    return _LINK.sub(r"-nl\1u-", text)


def in_use(tags: tuple[MergeTag, ...], *texts: str) -> tuple[MergeTag, ...]:
    """The tags of which a token stands in one of ``texts``."""
    keys = {found["key"] for text in texts for found in TOKEN.finditer(text)}
    return tuple(tag for tag in tags if tag.key in keys)
