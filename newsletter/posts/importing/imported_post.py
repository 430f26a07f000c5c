"""A post from anywhere, before it is filed: its settings, its text, and what was taken out."""

import datetime
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any, Literal

from newsletter.errors import Location, PostError, UsageError
from newsletter.posts.front_matter.parse import FrontMatter, split_front_matter
from newsletter.posts.front_matter.schema import FrontMatterFields, validate_front_matter
from newsletter.posts.html.markdown import render_markdown
from newsletter.posts.html.sanitize import sanitize_html
from newsletter.posts.html.title import is_empty_body
from newsletter.posts.importing.blocks import ArticleOutline, outline_html
from newsletter.posts.importing.cleanup.paragraph import RemovedLine, SetAsideLine
from newsletter.posts.importing.read_file import STDIN
from newsletter.posts.importing.sources.draft import ParsedSource
from newsletter.posts.importing.sources.html import parse_html_source
from newsletter.posts.importing.sources.markdown import parse_markdown_source
from newsletter.posts.importing.sources.plain_text import parse_plain_text_source
from newsletter.posts.slug import slugify

MAX_PREHEADER_LENGTH = 110  # characters
_MIN_SENTENCE_LENGTH = 40  # characters: a shorter first sentence takes the next one along

SourceKind = Literal["markdown", "html", "text"]

_KIND_BY_SUFFIX: Mapping[str, SourceKind] = {
    ".md": "markdown",
    ".markdown": "markdown",
    ".html": "html",
    ".htm": "html",
    ".xhtml": "html",
    ".txt": "text",
}
_PAGE_START = re.compile(
    r"\s*(?:<\?xml[^>]*>\s*)?(?:<!--.*?-->\s*)*<(?:!doctype html|html)\b", re.IGNORECASE | re.DOTALL
)
_FRAGMENT_START = re.compile(
    r"\s*<(?:article|section|main|div|p|h[1-6]|figure|header|ul|ol)\b[^>]*>", re.IGNORECASE
)
_MARKDOWN_SYNTAX = re.compile(
    r"^(?:#{1,6} \S|```|~~~|!\[)|\[[^\]\n]+\]\([^)\s]+\)|^(?:={3,}|-{3,})$", re.MULTILINE
)
_DATE_PREFIX = re.compile(r"\d{4}-\d{2}-\d{2}[-_ ]+")
_FRONT_MATTER_START = re.compile(
    r"---[ \t]*\n(?:[ \t]*(?:#.*)?\n)*[\w-]+:|\+\+\+[ \t]*\n\s*[\w-]+ *=|\{\s*\""
)


@dataclass(frozen=True, slots=True)
class ImportedPost:
    """A post read and cleared, ready to be filed as an issue.

    Attributes:
        title: plain text.
        front_matter: the settings, in the order in which they are written; ``date`` may be
            ``None``.
        body: the article in its own syntax.
        body_format: what ``body`` is written in, and so the file's ending.
        front_matter_source: the YAML that the post came with, to be kept as written; empty for
            others.
        date: when the post was published, if it says so.
        slug: what the post's settings ask for, or what its title gives; may be empty.
        removed: the page's furniture that was taken out.
        set_aside: what the editor must look at.
    """

    title: str
    front_matter: Mapping[str, Any]
    body: str
    body_format: Literal["md", "html"]
    front_matter_source: str = ""
    date: datetime.date | None = None
    slug: str = ""
    removed: tuple[RemovedLine, ...] = ()
    set_aside: tuple[SetAsideLine, ...] = ()

    @property
    def outline(self) -> ArticleOutline:
        """What the article holds."""
        return outline_html(render_markdown(self.body) if self.body_format == "md" else self.body)


def detect_source_kind(text: str, path: str) -> SourceKind:
    """What a source is written in: by its name, and by its content where the name says nothing.

    A ``.txt`` is plain text as scraped, unless it is plainly a page or begins with front matter.
    """
    named = _KIND_BY_SUFFIX.get(PurePath(path).suffix.lower())
    if named in {"markdown", "html"}:
        return named
    if _FRONT_MATTER_START.match(text):
        return "markdown"
    if _PAGE_START.match(text):
        return "html"
    if named == "text":
        return "text"
    if _FRAGMENT_START.match(text):
        return "html"
    return "markdown" if _MARKDOWN_SYNTAX.search(text) else "text"


def parse_imported_post(
    text: str, path: str, *, language: str, keep: Collection[int] = ()
) -> ImportedPost:
    r"""Read a post, clear it, and complete its settings.

    Args:
        text: the whole source, with ``\n`` line ends.
        path: its name for messages, which also tells its kind; ``-`` for standard input.
        language: BCP 47 tag where the post says nothing.
        keep: lines (1-based) that stay, whatever they look like.

    Raises:
        PostError: empty, without a title, or broken.
        UsageProblem: ``keep`` names a line from which nothing was taken.
    """
    where = Location(path)
    if not text.strip():
        raise PostError("the post is empty; nothing was imported", where=where)
    kind = detect_source_kind(text, path)
    front = FrontMatter(body=text) if kind == "text" else split_front_matter(text, path)
    draft = _parse_source(kind, front, path, keep)
    if is_empty_body(
        _sanitize_rendered(render_markdown(draft.body), path) if kind != "html" else draft.body
    ):
        taken = draft.removed or draft.set_aside
        raise PostError(
            "the post has no text; nothing was imported",
            where=where,
            remedy="What was taken out can be kept with --keep LINE." if taken else "",
        )
    fields = validate_front_matter(front, path)
    title = _resolve_title(fields.title or draft.title, path)
    return ImportedPost(
        title=title,
        front_matter=_complete_settings(front, fields, draft, title, language),
        body=draft.body,
        body_format="html" if kind == "html" else "md",
        front_matter_source=_get_yaml_source(text, front),
        date=fields.date or draft.date,
        slug=slugify(str(front.data.get("slug") or title)),
        removed=draft.removed,
        set_aside=draft.set_aside,
    )


def _sanitize_rendered(html: str, path: str) -> str:
    """Sanitised HTML; a fault in what Markdown became has no line that the editor could open."""
    try:
        return sanitize_html(html)
    except PostError as error:
        problem = error.problems[0]
        raise PostError(problem.message, where=Location(path), remedy=problem.remedy) from None


def _parse_source(
    kind: SourceKind, front_matter: FrontMatter, path: str, keep: Collection[int]
) -> ParsedSource:
    read = {
        "text": parse_plain_text_source,
        "markdown": parse_markdown_source,
        "html": parse_html_source,
    }[kind]
    draft = read(front_matter, path, frozenset(keep))
    if keep:
        judged = read(front_matter, path, frozenset())
        taken = {removed.line for removed in judged.removed}
        taken |= {aside.line for aside in judged.set_aside}
        wrong = sorted(set(keep) - taken)
        if wrong:
            lines = ", ".join(map(str, wrong))
            raise UsageError(
                f"--keep {lines}: nothing was taken from there",
                remedy="Lines that can be kept: " + (", ".join(map(str, sorted(taken))) or "none"),
            )
    return draft


def _resolve_title(stated_title: str, path: str) -> str:
    """The title as told, else made of the file's name: ``2026-11-22-low-tide.md``, "Low tide"."""
    stem = "" if path == STDIN else _DATE_PREFIX.sub("", PurePath(path).stem)
    named = re.sub(r"[-_\s]+", " ", stem).strip()
    title = stated_title or named[:1].upper() + named[1:]
    if not any(char.isalnum() for char in title):
        raise PostError(
            "the post has no title",
            where=Location(path),
            remedy="Put a heading above it, or front matter with: title: Spring in the harbour",
        )
    return title


def _complete_settings(
    front_matter: FrontMatter,
    fields: FrontMatterFields,
    parsed_source: ParsedSource,
    title: str,
    language: str,
) -> dict[str, Any]:
    """Every setting that an editor looks for, then what else the post came with."""
    summary = fields.preheader or fields.description or fields.summary or fields.excerpt
    told = {key.lower().replace("-", "_"): key for key in front_matter.data}
    settings = {
        "title": title,
        "subject": title,
        "preheader": clip_to_sentence(
            summary or parsed_source.description or parsed_source.opening, MAX_PREHEADER_LENGTH
        ),
        "author": parsed_source.author or None,
        "date": fields.date or parsed_source.date,
        "canonical_url": parsed_source.canonical_url or None,
        "language": parsed_source.language or language,
        "tags": list(parsed_source.tags),
    }
    given = {key: value for key, value in front_matter.data.items() if value not in (None, "")}
    names = {key: told.get(key, key) for key in settings}
    ordered = {names[key]: given.get(names[key], value) for key, value in settings.items()}
    return {**ordered, **given}


def clip_to_sentence(text: str, max_length: int) -> str:
    """The first sentence or two of ``text``, cut between words where they are too long.

    Args:
        text: running text.
        max_length: characters at most.
    """
    text = " ".join(text.split())
    end = re.compile(r"[.!?\u2026][\"'\u2019\u201d)]*(?=\s)|[\u3002\uff01\uff1f\u061f\u0964]")
    sentence = next(
        (found.end() for found in end.finditer(text) if found.end() >= _MIN_SENTENCE_LENGTH), None
    )
    text = text[:sentence]
    if len(text) <= max_length:
        return text
    head, space, _ = text[:max_length].rpartition(" ")
    return (head.rstrip(",;:.- ") if space else text[: max_length - 1]) + "\u2026"


def _get_yaml_source(text: str, front_matter: FrontMatter) -> str:
    if front_matter.format != "yaml":
        return ""
    return "\n".join(text.split("\n")[1 : front_matter.body_line - 2])
