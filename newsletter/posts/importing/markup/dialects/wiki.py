"""Obsidian's links and pictures: ``[[page|text]]``, ``![[boat.png]]``."""

import re
from collections.abc import Iterator

from newsletter.posts.importing.markup.edits import Edit
from newsletter.posts.importing.markup.page import MarkupPage, quote_target

_LINK = re.compile(
    r"(?<!\\)(?P<picture>!)?\[\[(?P<target>[^\[\]|\n]{1,200})(?:\|(?P<text>[^\[\]\n]{1,200}))?\]\](?![(\[])"
)
_PICTURE_SUFFIX = re.compile(r"\.(?:png|jpe?g|gif|webp|avif|svg|bmp)$", re.IGNORECASE)


def translate_wiki_links(page: MarkupPage) -> Iterator[Edit]:
    """Yield the edits that leave the text of links to notes, and make pictures of the others."""
    for found in _LINK.finditer(page.text):
        if found.start() in page.protected:
            continue
        target, text = found["target"].strip(), (found["text"] or "").strip()
        if found["picture"] and _PICTURE_SUFFIX.search(target):
            alt = "" if re.fullmatch(r"[\dx]*", text) else text
            yield Edit(
                *found.span(), f"![{alt}]({quote_target(target)})", "wiki picture, now a picture"
            )
        elif found["picture"]:
            yield Edit(*found.span(), "", "wiki embed of another note")
        elif any(char.isalpha() for char in target):
            shown = text or target
            if url := page.post_urls(target):
                yield Edit(*found.span(), page.format_link(url, shown), "wiki link, now a link")
            else:
                yield Edit(*found.span(), shown, "wiki link, now its text")
