"""Hugo's shortcodes: ``{{< youtube id >}}``, ``{{% notice %}}``."""

import re
from collections.abc import Iterator

from newsletter.posts.importing.markup.components import translate_element
from newsletter.posts.importing.markup.delimited import iter_delimited
from newsletter.posts.importing.markup.dialects.braces import format_literal_braces
from newsletter.posts.importing.markup.edits import Edit
from newsletter.posts.importing.markup.links_to_posts import remove_post_link
from newsletter.posts.importing.markup.page import MarkupPage
from newsletter.posts.importing.markup.tags import MarkupTag, TagForm, pair_tags, parse_arguments

DIALECT = "Hugo shortcode"
_DELIMITERS = (("{{<", ">}}", "<>"), ("{{%", "%}}", "%%"))
_IN_CODE = re.compile(
    r"\{\{(?P<mark>[<%])(?:/\*(?P<escaped>[^{}\n]{1,400}?)\*/[>%]\}\}|[^{}\n]{0,400}[>%]\}\})"
)
_KEPT_INSIDE = frozenset({"rawhtml", "raw-html", "raw", "unsafe", "html", "markdownify", "md"})


def translate_hugo(page: MarkupPage) -> list[Edit]:
    """Return the edits for all shortcodes of a post."""
    edits = [*_iter_escaped(page), *_iter_escaped_in_code(page)]
    tags = list(_iter_tags(page))
    elements = pair_tags(tags)
    for element in elements:
        name = element.tag.name
        if name in {"ref", "relref"}:
            edits += remove_post_link(element, page)
        elif name in _KEPT_INSIDE:
            edits += page.replace_tags(element)
        else:
            edits += translate_element(element, page)
    edits += page.remove_stray_tags(tags, elements)
    return edits


def _iter_tags(page: MarkupPage) -> Iterator[MarkupTag]:
    for opening, closing, _ in _DELIMITERS:
        for start, end, inside in iter_delimited(page.text, opening, closing, page.protected):
            content = inside.strip()
            form: TagForm = "open"
            if content.startswith("/*"):
                continue
            if content.startswith("/"):
                form, content = "close", content[1:].strip()
            elif content.endswith("/"):
                form, content = "single", content[:-1].strip()
            name, _, arguments = content.replace("\n", " ").partition(" ")
            values, words = parse_arguments(arguments)
            yield MarkupTag(
                start, end, name.removesuffix(".html").lower(), form, values, words, arguments
            )


def _iter_escaped(page: MarkupPage) -> Iterator[Edit]:
    """Yield the edits that make text of ``{{</* a */>}}``, by which an author shows a shortcode."""
    for opening, closing, marks in _DELIMITERS:
        for start, end, inside in iter_delimited(page.text, opening, closing, page.protected):
            content = inside.strip()
            if content.startswith("/*") and content.endswith("*/"):
                first, last = marks[0], marks[1]
                if not page.is_markdown:
                    first, last = first.replace("<", "&lt;"), last.replace(">", "&gt;")
                shown = (
                    f"{format_literal_braces('{{', page)}{first} {content[2:-2].strip()} {last}}}}}"
                )
                yield Edit(start, end, shown, f"{DIALECT}, now text as the author shows it")


def _iter_escaped_in_code(page: MarkupPage) -> Iterator[Edit]:
    """Yield the edits for ``{{</* a */>}}`` in code, which Hugo reads like text.

    If a shortcode is in code without it, the blog's tool is not Hugo, which would run it.
    """
    found_in_code = [
        found for found in _IN_CODE.finditer(page.text) if found.start() in page.protected
    ]
    if any(not found["escaped"] for found in found_in_code):
        return
    for found in found_in_code:
        mark = found["mark"]
        shown = f"{{{{{mark} {found['escaped'].strip()} {'>' if mark == '<' else mark}}}}}"
        yield Edit(*found.span(), shown, f"{DIALECT}, now text as the author shows it")
