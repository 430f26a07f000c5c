"""Parse a post's body by its kind: translate its markup, clean it up."""

from collections.abc import Callable, Collection
from dataclasses import replace
from typing import Literal

from newsletter.errors import Location, PostError, UsageError
from newsletter.posts.front_matter.parse import FrontMatter
from newsletter.posts.html.markdown import render_markdown
from newsletter.posts.html.normalize.unseen_text import NEVER_KEPT
from newsletter.posts.html.sanitize import sanitize_html
from newsletter.posts.importing.markup.page import find_no_post
from newsletter.posts.importing.markup.translate import translate_markup
from newsletter.posts.importing.source_kind import SourceKind
from newsletter.posts.importing.sources.draft import ParsedSource
from newsletter.posts.importing.sources.html import parse_html_source
from newsletter.posts.importing.sources.markdown import parse_markdown_source
from newsletter.posts.importing.sources.plain_text import parse_plain_text_source
from newsletter.posts.removed_line import RemovedLine

_MAX_KEEP_LINES = 20  # lines named to an editor who tried to keep another one


def render_body(body: str, body_format: Literal["md", "html"]) -> str:
    """Return a body's HTML, not sanitized."""
    return render_markdown(body) if body_format == "md" else body


def sanitize_rendered(html: str, path: str) -> str:
    """Sanitize HTML rendered from Markdown; its errors get no line, as it isn't in the source."""
    try:
        return sanitize_html(html)
    except PostError as error:
        problem = error.problems[0]
        raise PostError(problem.message, where=Location(path), remedy=problem.remedy) from None


def parse_body(  # noqa: PLR0913 - what a post is, and what is around it
    kind: SourceKind,
    front_matter: FrontMatter,
    path: str,
    keep: Collection[int],
    *,
    is_scraped: bool = True,
    post_urls: Callable[[str], str] = find_no_post,
    selector: str = "",
) -> ParsedSource:
    """Parse the body of a post.

    Args:
        kind: its syntax.
        front_matter: its settings and body.
        path: its name, for messages.
        keep: lines (1-based) that are kept, whatever they look like.
        is_scraped: whether HTML and text may have the boilerplate of a page around the post.
        post_urls: returns the URL of another post by what a link calls it, or an empty text.
        selector: CSS selector of the article of a whole page, or empty.

    Raises:
        PostError: it nests too deeply.
        UsageError: ``keep`` has a line from which nothing was removed.
    """

    def parse(lines: frozenset[int]) -> ParsedSource:
        body, translated = front_matter.body, tuple[RemovedLine, ...]()
        if kind != "text":
            body, translated = translate_markup(
                body,
                path,
                is_markdown=kind == "markdown",
                first_line=front_matter.body_line,
                keep=lines,
                post_urls=post_urls,
            )
        source = replace(front_matter, body=body)
        if kind == "html":
            parsed = parse_html_source(
                source, path, lines, is_scraped=is_scraped, selector=selector
            )
        elif kind == "markdown":
            parsed = parse_markdown_source(source, lines)
        else:
            parsed = parse_plain_text_source(source, lines)
        removed = sorted((*parsed.removed, *translated), key=lambda entry: entry.line)
        return replace(parsed, removed=tuple(removed))

    kept = frozenset(keep)
    parsed = parse(kept)
    # A kept line may have been removed for a reason that --keep can't undo.
    without_effect = [line for line in sorted(kept) if parse(kept - {line}) == parsed]
    if without_effect:
        lines = ", ".join(map(str, without_effect))
        unfiltered = parse(frozenset())
        removable = {entry.line for entry in unfiltered.removed if entry.why not in NEVER_KEPT}
        removable |= {aside.line for aside in unfiltered.set_aside}
        shown = sorted(removable)[:_MAX_KEEP_LINES]
        raise UsageError(
            f"--keep {lines}: nothing was removed there",
            remedy="Lines that can be kept: "
            + (", ".join(map(str, shown)) or "none")
            + (", \u2026" if len(removable) > len(shown) else ""),
        )
    return parsed
