"""Rules on what does not belong in a post: a page's furniture, injected links, comments.

The import takes such things out of a post; here they are found again where somebody kept them.
"""

from collections.abc import Iterator

from newsletter.checks.check_context import Mail
from newsletter.checks.rule import Hit, Topic
from newsletter.checks.rules.content import shortened

rule = Topic("What does not belong").rule

# The kinds that no author writes at the end of a letter; of the others some do.
_LABELS = ("blog", "our blog", "the blog", "home")
_NEVER_MEANT = frozenset(
    {"section label", "breadcrumb", "skip link", "menu", "comment form", "share bar",
     "cookie notice"}
)  # fmt: skip


@rule(
    "blog-furniture", "error",
    meaning="Readers see parts of the page that the post was copied from; none of it works in "
    "a mail.",
    remedy="Delete the line.",
)  # fmt: skip
def blog_furniture(mail: Mail) -> Iterator[Hit]:
    """Labels, menus, share bars, comment forms and cookie notices of the page it came from."""
    for text, why in mail.stray.furniture.items():
        if why in _NEVER_MEANT:
            yield Hit(f"'{shortened(text)}' is a blog's {why}", mail.places.words(text), text)


@rule(
    "page-leftover", "hint",
    meaning="It may be a part of the page that the post was copied from.",
    remedy="Delete the line, unless you wrote it for this mail.",
)  # fmt: skip
def page_leftover(mail: Mail) -> Iterator[Hit]:
    """Related posts, sign-up lines, tags and site footers, which an author may mean."""
    title = mail.issue.post.title
    if title.strip().casefold() in _LABELS:
        yield Hit(f"the title '{title}' looks like a section label", mail.places.key("title"))
    for text, why in mail.stray.furniture.items():
        if why not in _NEVER_MEANT:
            yield Hit(f"'{shortened(text)}' looks like {why}", mail.places.words(text), text)


@rule(
    "foreign-script", "error",
    meaning="Somebody may have put a link of theirs into the page; readers and filters see spam "
    "in your name.",
    remedy="Delete the line, and look for who can write to your site.",
)  # fmt: skip
def foreign_script(mail: Mail) -> Iterator[Hit]:
    """A line that stands alone in another script than the post's."""
    for text, why in mail.stray.spam.items():
        if why.startswith("is in "):
            yield Hit(f"'{shortened(text)}' {why}", mail.places.words(text), text)


@rule(
    "injected-term", "error",
    meaning="Somebody may have put a link of theirs into the page; readers and filters see spam "
    "in your name.",
    remedy="Delete the line, and look for who can write to your site.",
)  # fmt: skip
def injected_term(mail: Mail) -> Iterator[Hit]:
    """A line that stands alone with a term of adult, gambling or drug spam."""
    for text, why in mail.stray.spam.items():
        if not why.startswith("is in "):
            yield Hit(f"'{shortened(text)}' {why}", mail.places.words(text), text)


@rule(
    "reader-comment", "warning",
    meaning="A comment on the page would go out as if you had written it.",
    remedy="Delete it.",
)  # fmt: skip
def reader_comment(mail: Mail) -> Iterator[Hit]:
    """Readers' comments below the post."""
    for text, why in mail.stray.comments.items():
        yield Hit(f"'{shortened(text)}' {why}", mail.places.words(text), text)
        return
