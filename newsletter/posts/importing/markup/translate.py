"""Translate all markup of other tools in a post's body."""

from collections.abc import Callable, Collection, Iterable
from pathlib import PurePath
from typing import TYPE_CHECKING, NamedTuple

from newsletter.posts.importing.markup.code_ranges import find_code_blocks, find_code_ranges
from newsletter.posts.importing.markup.dialects.braces import translate_variables
from newsletter.posts.importing.markup.dialects.code_tags import translate_code_tags
from newsletter.posts.importing.markup.dialects.containers import translate_containers
from newsletter.posts.importing.markup.dialects.emoji import translate_emoji
from newsletter.posts.importing.markup.dialects.hugo import translate_hugo
from newsletter.posts.importing.markup.dialects.kramdown import translate_kramdown
from newsletter.posts.importing.markup.dialects.liquid import translate_liquid, translate_raw
from newsletter.posts.importing.markup.dialects.mdx import (
    find_imported_paths,
    is_mdx,
    remove_modules,
    translate_components,
    translate_expressions,
)
from newsletter.posts.importing.markup.dialects.mkdocs import translate_mkdocs
from newsletter.posts.importing.markup.dialects.unshown import (
    remove_extra_cells,
    remove_links_in_alt_texts,
    repair_html_blocks,
)
from newsletter.posts.importing.markup.dialects.wiki import translate_wiki_links
from newsletter.posts.importing.markup.dialects.wordpress import translate_wordpress
from newsletter.posts.importing.markup.edits import Edit, EditedText, Ranges, apply_edits
from newsletter.posts.importing.markup.links_to_posts import translate_post_links
from newsletter.posts.importing.markup.page import MarkupPage, find_no_post

if TYPE_CHECKING:
    from newsletter.posts.removed_line import RemovedLine


class _Pass(NamedTuple):
    """One translation of the whole body.

    Attributes:
        trigger: a string without which there is nothing to do.
        dialect: name of the syntax, for messages.
        translate: returns the edits.
        markdown_only: whether it is left out for HTML.
        is_code: whether the contents are code, in which code spans mean nothing.
    """

    trigger: str
    dialect: str
    translate: Callable[[MarkupPage], Iterable[Edit]]
    markdown_only: bool = False
    is_code: bool = False


_PASSES = (
    _Pass("!!!", "MkDocs", translate_mkdocs, markdown_only=True),
    _Pass("???", "MkDocs", translate_mkdocs, markdown_only=True),
    _Pass("===", "MkDocs", translate_mkdocs, markdown_only=True),
    _Pass("{%", "template tag", translate_raw),
    _Pass("{%", "code", translate_code_tags, is_code=True),
    _Pass("[", "code", translate_code_tags, is_code=True),
    _Pass("{{", "code", translate_code_tags, is_code=True),
    _Pass("{{", "Hugo shortcode", translate_hugo),
    _Pass("{%", "template tag", translate_liquid),
    _Pass("{#", "template tag", translate_liquid),
    _Pass("{{", "variable", translate_variables),
    _Pass("[", "WordPress shortcode", translate_wordpress),
    _Pass("{:", "kramdown", translate_kramdown, markdown_only=True),
    _Pass("[[", "wiki link", translate_wiki_links, markdown_only=True),
    _Pass("]", "link", translate_post_links, markdown_only=True),
    _Pass(":::", "admonition", translate_containers, markdown_only=True),
    _Pass(":", "emoji", translate_emoji, markdown_only=True),
    _Pass("<", "HTML", repair_html_blocks, markdown_only=True),
    _Pass("|", "table", remove_extra_cells, markdown_only=True),
    _Pass("![", "picture", remove_links_in_alt_texts, markdown_only=True),
)


def translate_markup(  # noqa: PLR0913 - keywords that most callers leave out
    body: str,
    path: str,
    *,
    is_markdown: bool,
    first_line: int = 1,
    keep: Collection[int] = (),
    post_urls: Callable[[str], str] = find_no_post,
) -> EditedText:
    """Translate the markup of other tools in a body to our own, or remove it.

    Every line stays on its line. All that is replaced is listed; words inside of tags are kept.

    Args:
        body: a post's body.
        path: its file's name.
        is_markdown: whether it is Markdown; otherwise it is HTML.
        first_line: 1-based line in the file on which the body begins.
        keep: lines (1-based) that stay as they are.
        post_urls: returns the URL of another post by what a link calls it, or an empty text.
    """
    removed: list[RemovedLine] = []
    passes = _PASSES
    if is_markdown:
        mdx = is_mdx(body, PurePath(path).suffix.lower())
        paths = find_imported_paths(body) if mdx else {}
        passes = (
            *((_Pass("port", "MDX", remove_modules),) if mdx else ()),
            _Pass("<", "component", lambda page: translate_components(page, paths, mdx=mdx)),
            *((_Pass("{", "MDX", translate_expressions),) if mdx else ()),
            *_PASSES,
        )
    for step in passes:
        if step.trigger not in body or (step.markdown_only and not is_markdown):
            continue
        if step.is_code:
            protected = find_code_blocks(body) if is_markdown else Ranges(())
        else:
            protected = find_code_ranges(body, is_markdown=is_markdown)
        page = MarkupPage(body, is_markdown, protected, step.dialect, post_urls)
        edited = apply_edits(body, step.translate(page), first_line, keep)
        body = edited.text
        removed += edited.removed
    return EditedText(body, tuple(sorted(removed, key=lambda entry: entry.line)))
