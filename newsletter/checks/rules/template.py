"""Rules on the template: widths in Outlook, merge tags, attributes."""

import re
from collections.abc import Iterator

from newsletter.checks.analysis.outlook_layout import Overflow, find_overflows
from newsletter.checks.check_context import CheckContext
from newsletter.checks.rule import Match, Topic
from newsletter.errors import Location
from newsletter.render.mjml.components import UNSEEN_ATTRIBUTES
from newsletter.render.template.foreign_tags import ForeignTag, find_foreign_tags

rule = Topic("Template").rule

_COMMENT = re.compile(r"\{#.*?#\}|<!--(?!\[if).*?-->", re.DOTALL)
_MJML_ELEMENT = re.compile(r"<(?P<name>mj-[a-z-]+)\s[^<>]*>", re.IGNORECASE)


@rule(
    "outlook-width",
    "warning",
    meaning="Outlook for Windows draws it wider than its place: it sticks out on the right.",
    remedy="Make it narrower, in a row all cells together, and write paddings in px.",
)
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
    "foreign-merge-tag",
    "error",
    meaning="Readers see the code of another service's template where a value should be.",
    remedy="Write the name that it has here, or remove it.",
)
def foreign_merge_tag(context: CheckContext) -> Iterator[Match]:
    """A merge tag of another service in the template, such as `*|FNAME|*` or `[[name]]`."""
    for tag, where in find_template_tags(context):
        message = f"{tag.text} is a merge tag of another service. {tag.remedy}"
        yield Match(message, where, tag.text)


@rule(
    "ignored-attribute",
    "hint",
    meaning="The email is without what it says.",
    remedy="Remove it.",
)
def ignored_attribute(context: CheckContext) -> Iterator[Match]:
    """An attribute in the template that MJML knows and that has no effect here."""
    for file, text in _iter_template_files(context):
        for element in _MJML_ELEMENT.finditer(text):
            for attribute in sorted(UNSEEN_ATTRIBUTES.get(element["name"].lower(), ())):
                if found := re.search(rf"\s({attribute})\s*=", element[0], re.IGNORECASE):
                    start = element.start() + found.start(1)
                    yield Match(
                        f"{attribute} of <{element['name']}> has no effect here",
                        _locate_in_template(file, text, start, context),
                    )


def find_template_tags(context: CheckContext) -> Iterator[tuple[ForeignTag, Location]]:
    """Yield the merge tags of other services in the template's files, each with its place."""
    for file, source in _iter_template_files(context):
        text = _COMMENT.sub(lambda found: re.sub(r"[^\n]", " ", found[0]), source)
        for tag in find_foreign_tags(text):
            yield tag, _locate_in_template(file, text, tag.start, context)


def _iter_template_files(context: CheckContext) -> Iterator[tuple[str, str]]:
    """Yield name and text of each file that the template uses."""
    if context.templates is not None:
        for file in context.templates.list_used_files(context.template_name):
            yield file, context.templates.files[file]


def _locate_in_template(file: str, text: str, start: int, context: CheckContext) -> Location:
    assert context.templates is not None
    return context.templates.locate(file, text.count("\n", 0, start) + 1)


def _locate(overflow: Overflow, context: CheckContext) -> Location | None:
    """Return the line of the post if the element is the article's, else that of the template."""
    where = context.source_map.locate_text(overflow.words)
    if where.line is not None and _is_in_post(overflow, context):
        return where
    return _locate_overflow(overflow, context) or (
        context.templates.locate(context.template_name) if context.templates else None
    )


def _locate_overflow(overflow: Overflow, context: CheckContext) -> Location | None:
    """Return the only place in the template with this width, else the first with these words."""
    width = rf"\bwidth\s*[=:]\s*[\"']?{re.escape(f'{overflow.width:g}')}(?:px)?(?![\w.%])"
    words = re.findall(r"\w+", overflow.words)
    places = [
        _locate_in_template(file, text, found.start(), context)
        for file, text in _iter_template_files(context)
        for found in re.finditer(width, text)
    ]
    if len(places) == 1:
        return places[0]
    for count in range(len(words), 0, -1):
        phrase = r"\b" + r"\W{1,80}?".join(map(re.escape, words[:count])) + r"\b"
        for file, text in _iter_template_files(context):
            if found := re.search(phrase, text):
                return _locate_in_template(file, text, found.start(), context)
    return None


def _is_in_post(overflow: Overflow, context: CheckContext) -> bool:
    """Return whether the post's own HTML gives an element this width."""
    return any(
        f"{overflow.width:g}" in f"{element.get('width')} {element.get('style')}"
        for element in context.body_tree.iter(overflow.element.tag)
    )
