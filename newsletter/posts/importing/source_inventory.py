"""The inventory of a post before its import."""

from newsletter.posts.content_loss.inventory import ContentInventory, take_inventory
from newsletter.posts.front_matter.parse import split_front_matter
from newsletter.posts.importing.imported_post import detect_source_kind


def take_source_inventory(text: str, path: str) -> ContentInventory:
    """Return what a source holds, apart from its front matter.

    Args:
        text: the whole source.
        path: its name, to detect its kind; ``-`` for standard input.
    """
    kind = detect_source_kind(text, path)
    if kind == "text":
        return take_inventory(text, "text")
    front_matter = split_front_matter(text, path)
    return take_inventory(front_matter.body, kind, front_matter.body_line)
