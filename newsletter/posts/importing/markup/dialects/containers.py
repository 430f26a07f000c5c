"""Admonitions of Docusaurus, VuePress and MyST: ``:::info Title``."""

import re
from collections.abc import Iterator

from newsletter.posts.html.callouts import CALLOUT_KIND_BY_NAME, CALLOUT_KINDS
from newsletter.posts.importing.markup.edits import Edit
from newsletter.posts.importing.markup.page import MarkupPage

_CONTAINER = re.compile(
    r"^(?P<colons>[ \t]{0,3}:{3,})[ \t]*(?:\{(?P<myst>[a-z-]{1,30})\}|(?P<name>[a-z-]{1,30}))"
    r"(?:\[(?P<bracketed>[^\]\n]{0,200})\])?(?P<title>[ \t]+[^\n]{1,200})?[ \t]*$",
    re.MULTILINE,
)


def translate_containers(page: MarkupPage) -> Iterator[Edit]:
    """Yield the edits that give an admonition one of the five kinds of callouts."""
    for found in _CONTAINER.finditer(page.text):
        name = found["myst"] or found["name"]
        kind = CALLOUT_KIND_BY_NAME.get(name)
        is_ours = name in CALLOUT_KINDS and found["bracketed"] is None and not found["myst"]
        if kind is None or is_ours or found.start() in page.protected:
            continue
        title = (found["bracketed"] or found["title"] or "").strip()
        new = f"{found['colons']} {kind} {title}".rstrip()
        yield Edit(*found.span(), new, f"admonition {name}, now a callout")
