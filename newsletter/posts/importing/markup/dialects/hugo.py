"""Hugo's shortcodes: ``{{< youtube id >}}``, ``{{% notice %}}``."""

import html
import re
from collections.abc import Iterator

from newsletter.posts.importing.markup.components import translate_element
from newsletter.posts.importing.markup.delimited import iter_delimited
from newsletter.posts.importing.markup.dialects.braces import format_literal_braces
from newsletter.posts.importing.markup.edits import Edit
from newsletter.posts.importing.markup.links_to_posts import replace_post_link
from newsletter.posts.importing.markup.page import MarkupPage
from newsletter.posts.importing.markup.tags import MarkupTag, TagForm, pair_tags, parse_arguments

_SHOWN_REASON = "Hugo shortcode, now text as the author shows it"
_DELIMITERS = (("{{<", ">}}", ("<", ">")), ("{{%", "%}}", ("%", "%")))
_IN_CODE = re.compile(
    r"\{\{(?P<mark>[<%])(?:/\*(?P<escaped>[^{}\n]{1,400}?)\*/[>%]\}\}|[^{}\n]{0,400}[>%]\}\})"
)
_KEPT_INSIDE = frozenset({"rawhtml", "raw-html", "raw", "unsafe", "html", "markdownify", "md"})


def translate_hugo(page: MarkupPage) -> list[Edit]:
    """Return the edits for all shortcodes of a post."""
    edits = list(_iter_escaped_in_code(page))
    tags: list[MarkupTag] = []
    for opening, closing, (first, last) in _DELIMITERS:
        for start, end, inside in iter_delimited(page.text, opening, closing, page.protected):
            content = inside.strip()
            if not content.startswith("/*"):
                tags.append(_make_tag(start, end, content))
            elif content.endswith("*/"):  # by which an author shows a shortcode
                marks = (first, last) if page.is_markdown else map(html.escape, (first, last))
                shown = f" {content[2:-2].strip()} ".join(marks)
                shown = f"{format_literal_braces('{{', page)}{shown}}}}}"
                edits.append(Edit(start, end, shown, _SHOWN_REASON))
    elements = pair_tags(tags)
    for element in elements:
        name = element.tag.name
        if name in {"ref", "relref"}:
            edits += replace_post_link(element, page)
        elif name in _KEPT_INSIDE:
            edits += page.replace_tags(element)
        else:
            edits += translate_element(element, page)
    edits += page.remove_stray_tags(tags, elements)
    return edits


def _make_tag(start: int, end: int, content: str) -> MarkupTag:
    form: TagForm = "open"
    if content.startswith("/"):
        form, content = "close", content[1:].strip()
    elif content.endswith("/"):
        form, content = "single", content[:-1].strip()
    name, _, arguments = content.replace("\n", " ").partition(" ")
    name = name.removesuffix(".html").lower()
    return MarkupTag(start, end, name, form, *parse_arguments(arguments), arguments)


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
        yield Edit(*found.span(), shown, _SHOWN_REASON)
