"""Give every heading an id, as GitHub does, and number the levels from h2."""

import unicodedata

from newsletter.posts.merge_tags.tags import MERGE_TOKEN_PATTERN
from newsletter.render.article.dom import Element, get_visible_text

HEADING_TAGS = ("h1", "h2", "h3", "h4", "h5", "h6")
_TOP_LEVEL, _BOTTOM_LEVEL = 2, 6  # the email's only h1 is its title


def add_heading_ids(root: Element) -> None:
    """Give each heading without an id one made from its text, so that links to it work.

    A heading keeps its own id, and so does an anchor in it.
    """
    used_ids = {value for element in root.iter() if (value := element.get("id"))}
    counts: dict[str, int] = {}
    for heading in root.iter(*HEADING_TAGS):
        slug = make_heading_id(get_visible_text(heading))
        if heading.get("id") is not None or not slug:
            continue
        heading_id = slug
        while heading_id in used_ids:
            counts[slug] = counts.get(slug, 0) + 1
            heading_id = f"{slug}-{counts[slug]}"
        heading.set("id", heading_id)
        used_ids.add(heading_id)


def make_heading_id(text: str) -> str:
    """Return GitHub's id for a heading: letters, digits, ``-`` and ``_`` in lower case."""
    plain = MERGE_TOKEN_PATTERN.sub("", " ".join(text.split()))
    kept = (
        "-" if char == " " else char
        for char in plain.lower()
        if char in " -_" or unicodedata.category(char)[0] in "LMN"
    )
    return "".join(kept).strip("-")


def number_headings(root: Element) -> None:
    """Number the levels from h2 without gaps."""
    levels: list[int] = []
    for heading in root.iter(*HEADING_TAGS):
        level = int(heading.tag[1])
        levels = [*(upper for upper in levels if upper < level), level]
        heading.tag = f"h{min(_TOP_LEVEL - 1 + len(levels), _BOTTOM_LEVEL)}"
