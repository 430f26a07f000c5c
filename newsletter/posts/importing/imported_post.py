"""A post from anywhere, before it is filed: its settings, its text, and what was taken out."""

import datetime
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any, Literal

from newsletter.errors import Location, PostError, UsageError
from newsletter.posts.front_matter.parse import FrontMatter, split
from newsletter.posts.front_matter.schema import Fields, read_fields
from newsletter.posts.html.markdown import to_html
from newsletter.posts.html.sanitize import sanitise
from newsletter.posts.html.title import is_empty
from newsletter.posts.importing.blocks import Outline, outline
from newsletter.posts.importing.cleanup.paragraph import Removed, SetAside
from newsletter.posts.importing.read_file import STDIN
from newsletter.posts.importing.sources.draft import Draft
from newsletter.posts.importing.sources.html import from_html
from newsletter.posts.importing.sources.markdown import from_markdown
from newsletter.posts.importing.sources.plain_text import from_text
from newsletter.posts.slug import slugify

PREHEADER = 110  # characters
_SENTENCE = 40  # characters: a shorter first sentence takes the next one along

Kind = Literal["markdown", "html", "text"]

_KINDS: Mapping[str, Kind] = {
    ".md": "markdown",
    ".markdown": "markdown",
    ".html": "html",
    ".htm": "html",
    ".xhtml": "html",
    ".txt": "text",
}
_PAGE = re.compile(
    r"\s*(?:<\?xml[^>]*>\s*)?(?:<!--.*?-->\s*)*<(?:!doctype html|html)\b", re.IGNORECASE | re.DOTALL
)
_FRAGMENT = re.compile(
    r"\s*<(?:article|section|main|div|p|h[1-6]|figure|header|ul|ol)\b[^>]*>", re.IGNORECASE
)
_MARKDOWN = re.compile(
    r"^(?:#{1,6} \S|```|~~~|!\[)|\[[^\]\n]+\]\([^)\s]+\)|^(?:={3,}|-{3,})$", re.MULTILINE
)
_DATE_PREFIX = re.compile(r"\d{4}-\d{2}-\d{2}[-_ ]+")
_FRONT = re.compile(r"---[ \t]*\n(?:[ \t]*(?:#.*)?\n)*[\w-]+:|\+\+\+[ \t]*\n\s*[\w-]+ *=|\{\s*\"")


@dataclass(frozen=True, slots=True)
class Manuscript:
    """A post read and cleared, ready to be filed as an issue.

    Attributes:
        title: plain text.
        front: the settings, in the order in which they are written; ``date`` may be ``None``.
        body: the article in its own syntax.
        format: what ``body`` is written in, and so the file's ending.
        front_source: the YAML that the post came with, to be kept as written; empty for others.
        date: when the post was published, if it says so.
        slug: what the post's settings ask for, or what its title gives; may be empty.
        removed: the page's furniture that was taken out.
        set_aside: what the editor must look at.
    """

    title: str
    front: Mapping[str, Any]
    body: str
    format: Literal["md", "html"]
    front_source: str = ""
    date: datetime.date | None = None
    slug: str = ""
    removed: tuple[Removed, ...] = ()
    set_aside: tuple[SetAside, ...] = ()

    @property
    def outline(self) -> Outline:
        """What the article holds."""
        return outline(to_html(self.body) if self.format == "md" else self.body)


def kind_of(text: str, path: str) -> Kind:
    """What a source is written in: by its name, and by its content where the name says nothing.

    A ``.txt`` is plain text as scraped, unless it is plainly a page or begins with front matter.
    """
    named = _KINDS.get(PurePath(path).suffix.lower())
    if named in {"markdown", "html"}:
        return named
    if _FRONT.match(text):
        return "markdown"
    if _PAGE.match(text):
        return "html"
    if named == "text":
        return "text"
    if _FRAGMENT.match(text):
        return "html"
    return "markdown" if _MARKDOWN.search(text) else "text"


def read_manuscript(
    text: str, path: str, *, language: str, keep: Collection[int] = ()
) -> Manuscript:
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
    kind = kind_of(text, path)
    front = FrontMatter(body=text) if kind == "text" else split(text, path)
    draft = _draft(kind, front, path, keep)
    if is_empty(_checked(to_html(draft.body), path) if kind != "html" else draft.body):
        taken = draft.removed or draft.set_aside
        raise PostError(
            "the post has no text; nothing was imported",
            where=where,
            remedy="What was taken out can be kept with --keep LINE." if taken else "",
        )
    fields = read_fields(front, path)
    title = _title(fields.title or draft.title, path)
    return Manuscript(
        title=title,
        front=_completed(front, fields, draft, title, language),
        body=draft.body,
        format="html" if kind == "html" else "md",
        front_source=_yaml_source(text, front),
        date=fields.date or draft.date,
        slug=slugify(str(front.data.get("slug") or title)),
        removed=draft.removed,
        set_aside=draft.set_aside,
    )


def _checked(html: str, path: str) -> str:
    """Sanitised HTML; a fault in what Markdown became has no line that the editor could open."""
    try:
        return sanitise(html)
    except PostError as error:
        problem = error.problems[0]
        raise PostError(problem.message, where=Location(path), remedy=problem.remedy) from None


def _draft(kind: Kind, front: FrontMatter, path: str, keep: Collection[int]) -> Draft:
    read = {"text": from_text, "markdown": from_markdown, "html": from_html}[kind]
    draft = read(front, path, frozenset(keep))
    if keep:
        judged = read(front, path, frozenset())
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


def _title(told: str, path: str) -> str:
    """The title as told, else made of the file's name: ``2026-11-22-low-tide.md``, "Low tide"."""
    stem = "" if path == STDIN else _DATE_PREFIX.sub("", PurePath(path).stem)
    named = re.sub(r"[-_\s]+", " ", stem).strip()
    title = told or named[:1].upper() + named[1:]
    if not any(char.isalnum() for char in title):
        raise PostError(
            "the post has no title",
            where=Location(path),
            remedy="Put a heading above it, or front matter with: title: Spring in the harbour",
        )
    return title


def _completed(
    front: FrontMatter, fields: Fields, draft: Draft, title: str, language: str
) -> dict[str, Any]:
    """Every setting that an editor looks for, then what else the post came with."""
    summary = fields.preheader or fields.description or fields.summary or fields.excerpt
    told = {key.lower().replace("-", "_"): key for key in front.data}
    settings = {
        "title": title,
        "subject": title,
        "preheader": clip(summary or draft.description or draft.opening, PREHEADER),
        "author": draft.author or None,
        "date": fields.date or draft.date,
        "canonical_url": draft.canonical_url or None,
        "language": draft.language or language,
        "tags": list(draft.tags),
    }
    given = {key: value for key, value in front.data.items() if value not in (None, "")}
    names = {key: told.get(key, key) for key in settings}
    ordered = {names[key]: given.get(names[key], value) for key, value in settings.items()}
    return {**ordered, **given}


def clip(text: str, limit: int) -> str:
    """The first sentence or two of ``text``, cut between words where they are too long.

    Args:
        text: running text.
        limit: characters at most.
    """
    text = " ".join(text.split())
    end = re.compile(r"[.!?\u2026][\"'\u2019\u201d)]*(?=\s)|[\u3002\uff01\uff1f\u061f\u0964]")
    sentence = next((found.end() for found in end.finditer(text) if found.end() >= _SENTENCE), None)
    text = text[:sentence]
    if len(text) <= limit:
        return text
    head, space, _ = text[:limit].rpartition(" ")
    return (head.rstrip(",;:.- ") if space else text[: limit - 1]) + "\u2026"


def _yaml_source(text: str, front: FrontMatter) -> str:
    if front.format != "yaml":
        return ""
    return "\n".join(text.split("\n")[1 : front.body_line - 2])
