"""Rules on the template: widths in Outlook, merge tags of other services."""

import re
from collections.abc import Iterator

from newsletter.checks.analysis.outlook_layout import Overflow, find_overflows
from newsletter.checks.check_context import CheckContext
from newsletter.checks.rule import Match, Topic
from newsletter.errors import Location
from newsletter.render.template.foreign_tags import find_foreign_tags

rule = Topic("Template").rule

_COMMENT = re.compile(r"\{#.*?#\}|<!--(?!\[if).*?-->", re.DOTALL)


@rule(
    "outlook-width", "warning",
    meaning="Outlook for Windows draws it wider than its place: it sticks out on the right.",
    remedy="Make it narrower, in a row all cells together, and write paddings in px.",
)  # fmt: skip
def outlook_width(context: CheckContext) -> Iterator[Match]:
    """A table, cell or image that is wider in Outlook for Windows than what it is in.

    Outlook takes its widths from conditional comments; they are summed up here, less all paddings.
    """
    for overflow in find_overflows(context.default_email.html):
        name = {"tr": "the cells of a row", "td": "a cell", "th": "a cell"}.get(
            overflow.element.tag, f"an <{overflow.element.tag}>"
        )
        verb = "are" if overflow.element.tag == "tr" else "is"
        beginning = f", where it says '{overflow.words} …'" if overflow.words else ""
        yield Match(
            f"{name} {verb} {overflow.width:.0f} px wide in a place of "
            f"{overflow.available:.0f} px{beginning}",
            _locate(overflow, context),
            overflow.words,
        )


@rule(
    "foreign-merge-tag", "error",
    meaning="Readers see the code of another service's template where a value should be.",
    remedy="Write the name that it has here, or remove it.",
)  # fmt: skip
def foreign_merge_tag(context: CheckContext) -> Iterator[Match]:
    """A merge tag of another service in the template, such as `*|FNAME|*` or `[[name]]`."""
    if context.templates is None:
        return
    for file in context.templates.list_used_files(context.template_name):
        text = _COMMENT.sub(
            lambda found: re.sub(r"[^\n]", " ", found[0]), context.templates.files[file]
        )
        for tag in find_foreign_tags(text):
            line = text.count("\n", 0, tag.start) + 1
            yield Match(
                f"{tag.text} is a merge tag of another service. {tag.remedy}",
                context.templates.locate(file, line),
                tag.text,
            )


def _locate(overflow: Overflow, context: CheckContext) -> Location | None:
    """Return the line of the post if the element is the article's, else the template."""
    where = context.source_map.locate_text(overflow.words)
    if where.line is not None and _is_in_post(overflow, context):
        return where
    return context.templates.locate(context.template_name) if context.templates else None


def _is_in_post(overflow: Overflow, context: CheckContext) -> bool:
    """Return whether the post's own HTML gives an element this width."""
    return any(
        f"{overflow.width:g}" in f"{element.get('width')} {element.get('style')}"
        for element in context.body_tree.iter(overflow.element.tag)
    )
