"""Merge tokens change their kind with the place they stand in: HTML, plain text, a URL."""

from newsletter.posts.merge import TOKEN, MergeTag, Target


def retarget(text: str, was: Target, becomes: Target) -> str:
    """``text`` with every token of one kind turned into that of another."""
    if "-nl" not in text:
        return text
    return TOKEN.sub(
        lambda found: f"-nl{found['key']}{becomes[0]}-" if found["target"] == was[0] else found[0],
        text,
    )


def in_use(tags: tuple[MergeTag, ...], *texts: str) -> tuple[MergeTag, ...]:
    """The tags of which a token stands in one of ``texts``."""
    keys = {found["key"] for text in texts for found in TOKEN.finditer(text)}
    return tuple(tag for tag in tags if tag.key in keys)
