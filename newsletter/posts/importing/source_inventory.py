"""The inventory of a post before its import."""

from newsletter.posts.content_loss.inventory import ContentInventory, take_inventory
from newsletter.posts.importing.settings.split_foreign import split_foreign_front_matter
from newsletter.posts.importing.source_kind import detect_source_kind


def take_source_inventory(text: str, path: str) -> ContentInventory:
    """Return what a source holds, apart from its front matter.

    Args:
        text: the whole source.
        path: its name, to detect its kind; ``-`` for standard input.
    """
    kind = detect_source_kind(text, path)
    if kind == "text":
        return take_inventory(text, "text")
    front_matter = split_foreign_front_matter(text, path).front_matter
    return take_inventory(front_matter.body, kind, front_matter.body_line)
