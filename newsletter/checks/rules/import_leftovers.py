"""Rules on import leftovers: boilerplate, injected spam, comments.

The import removes them from a post; these rules find them again where the editor kept them.
"""

from collections.abc import Iterator

from newsletter.checks.check_context import CheckContext
from newsletter.checks.rule import Match, Topic
from newsletter.checks.rules.content import shorten_quote

rule = Topic("Import leftovers").rule

_SECTION_LABELS = ("blog", "our blog", "the blog", "home")
# The kinds that no author writes into an email; some authors write the others.
_CERTAIN_BOILERPLATE = frozenset(
    {"section label", "breadcrumb", "skip link", "menu", "comment form", "share bar",
     "cookie notice"}
)  # fmt: skip


@rule(
    "blog-furniture",
    "error",
    meaning="Readers see parts of the page that the post was copied from; none of it works in "
    "an email.",
    remedy="Delete the line.",
)
def blog_furniture(context: CheckContext) -> Iterator[Match]:
    """Labels, menus, share bars, comment forms and cookie notices of the original page."""
    for text, reason in context.misplaced_text.boilerplate.items():
        if reason in _CERTAIN_BOILERPLATE:
            yield Match(
                f"'{shorten_quote(text)}' is a blog's {reason}",
                context.source_map.locate_text(text),
                text,
            )


@rule(
    "page-leftover",
    "hint",
    meaning="It may be a part of the page that the post was copied from.",
    remedy="Delete the line, unless you wrote it for this email.",
)
def page_leftover(context: CheckContext) -> Iterator[Match]:
    """Related posts, sign-up lines, tags and site footers, which may be intended."""
    title = context.issue.post.title
    if title.strip().casefold() in _SECTION_LABELS:
        yield Match(
            f"the title '{title}' looks like a section label",
            context.source_map.locate_setting("title"),
        )
    for text, reason in context.misplaced_text.boilerplate.items():
        if reason not in _CERTAIN_BOILERPLATE:
            yield Match(
                f"'{shorten_quote(text)}' looks like {reason}",
                context.source_map.locate_text(text),
                text,
            )


@rule(
    "foreign-script",
    "error",
    meaning="Someone may have injected a link into the page; readers and filters see spam "
    "in your name.",
    remedy="Delete the line, and find out who can write to your site.",
)
def foreign_script(context: CheckContext) -> Iterator[Match]:
    """A line on its own in another script than the post's that advertises or links somewhere."""
    for text, reason in context.misplaced_text.foreign_script.items():
        yield Match(f"'{shorten_quote(text)}' {reason}", context.source_map.locate_text(text), text)


@rule(
    "injected-term",
    "error",
    meaning="Someone may have injected a link into the page; readers and filters see spam "
    "in your name.",
    remedy="Delete the line, and find out who can write to your site.",
)
def injected_term(context: CheckContext) -> Iterator[Match]:
    """A line on its own with a term of adult, gambling or drug spam."""
    for text, reason in context.misplaced_text.spam_terms.items():
        yield Match(f"'{shorten_quote(text)}' {reason}", context.source_map.locate_text(text), text)


@rule(
    "reader-comment",
    "warning",
    meaning="A comment on the page would be sent as if you had written it.",
    remedy="Delete it.",
)
def reader_comment(context: CheckContext) -> Iterator[Match]:
    """Readers' comments below the post."""
    for text, reason in context.misplaced_text.comments.items():
        yield Match(f"'{shorten_quote(text)}' {reason}", context.source_map.locate_text(text), text)
        return
