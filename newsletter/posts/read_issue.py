"""The only way in which an issue's folder becomes data."""

import html
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import unquote

from newsletter.config.models import Config
from newsletter.errors import Location, PostError
from newsletter.posts.front_matter.compile import Settings, compiled
from newsletter.posts.front_matter.parse import FrontMatter, split
from newsletter.posts.front_matter.schema import LANGUAGE, read_fields
from newsletter.posts.html.extract_article import Page, read_page
from newsletter.posts.html.markdown import to_html
from newsletter.posts.html.sanitize import sanitise
from newsletter.posts.html.title import is_empty, take_title, without_title
from newsletter.posts.images import is_local, read_images
from newsletter.posts.issue import Issue
from newsletter.posts.merge_tags.compiler import Compiler, mark
from newsletter.posts.merge_tags.tags import TOKEN
from newsletter.posts.post import Post
from newsletter.posts.text_encoding import decode
from newsletter.project import ISSUE_NAME_PATTERN, display_path

_SOURCES = ("post.md", "post.html")
# In sanitised HTML every ``>`` and ``"`` inside an attribute's value is escaped.
_PICTURED = re.compile(r'<(?:img\b[^>]*?\ssrc|video\b[^>]*?\sposter)="([^"]*)"')


def read_issue(folder: Path, config: Config) -> Issue:
    """Read the folder of one issue: post, front matter, images.

    Args:
        folder: ``issues/<date>-<slug>``.
        config: the newsletter's; its language, its attributes of readers and its limits are used.

    Raises:
        PostError: all that is wrong with the post, as far as one pass can tell.
    """
    source = _source(folder)
    path = display_path(source)
    text = _read(source, path, config.limits.post_bytes)
    front = split(text, path)
    fields = read_fields(front, path)
    compiler = Compiler(config.attributes)
    settings = compiled(fields, front, path, compiler)
    page = _page(front, source, path, fields.language or config.language, compiler)
    title, page = _titled(settings.title, page, path)
    where = dict(_references(page.html, settings, front, path))
    images, wrong = read_images(where, folder, config.limits.image_bytes)
    if problems := [*compiler.problems, *wrong]:
        raise PostError.from_problems(problems)
    name = folder.absolute().name
    dated = ISSUE_NAME_PATTERN.match(name)
    return Issue(
        name=name,
        slug=dated["slug"] if dated else name,
        source=source,
        post=Post(
            title=title,
            body=page.html,
            author=settings.author_name or page.author,
            date=fields.date or page.date,
            canonical_url=fields.canonical_url or page.canonical_url,
            language=fields.language or page.language or config.language,
            tags=fields.tags or page.tags,
            images=images,
        ),
        subject=settings.subject or title,
        preheader=settings.preheader or page.description,
        number=fields.number,
        draft=fields.draft,
        sender_name=fields.sender_name,
        reply_to=fields.reply_to,
        template=fields.template or "",
        hero=settings.hero,
        author=settings.author,
        button=settings.button,
        further=settings.further,
        merge_tags=compiler.tags,
        lines=dict(front.lines),
        archive=fields.archive,
    )


def _source(folder: Path) -> Path:
    found = [folder / name for name in _SOURCES if (folder / name).is_file()]
    if len(found) == 1:
        return found[0]
    if found:
        raise PostError(
            f"there are both {' and '.join(_SOURCES)}",
            where=Location(display_path(folder)),
            remedy="Keep the one that is to be sent.",
        )
    raise PostError(
        f"there is neither {' nor '.join(_SOURCES)}",
        where=Location(display_path(folder)),
        remedy="Make an issue from a post with: newsletter import POST",
    )


def _read(source: Path, path: str, limit: int) -> str:
    size = source.stat().st_size
    if size > limit:
        raise PostError(
            f"the post has {size:,} bytes, more than {limit:,}",
            where=Location(path),
            remedy="Take out what is no text, or raise limits.post_bytes in newsletter.yml.",
        )
    text = decode(source.read_bytes(), path)
    if found := TOKEN.search(text):
        raise PostError(
            f"'{found[0]}' stands for a merge tag in a finished mail and cannot be used in a post",
            where=Location(path, text.count("\n", 0, found.start()) + 1),
            remedy="Write it in another way.",
        )
    return text


def _page(front: FrontMatter, source: Path, path: str, language: str, compiler: Compiler) -> Page:
    """The body as safe HTML with tokens in it, and what an HTML page says of itself."""
    marked = mark(front.body, path, front.body_line)
    if source.suffix == ".md":
        page = Page(to_html(marked.text, language=language, restore=marked.restore))
    else:
        page = read_page(marked.text, path)
    body = marked.restore_code(sanitise(page.html, path))
    return replace(
        page,
        html=marked.compile(body, compiler, "html"),
        title=marked.compile(page.title, compiler, "text"),
        description=marked.compile(page.description, compiler, "text"),
        language=page.language if re.fullmatch(LANGUAGE, page.language) else "",
    )


def _titled(title: str, page: Page, path: str) -> tuple[str, Page]:
    """The title from the front matter, the page or the body; and a body that doesn't repeat it."""
    body = page.html
    title = title or page.title
    if title:
        body = without_title(body, title)
    else:
        title, body = take_title(body)
    if not title:
        raise PostError(
            "the post has no title",
            where=Location(path, 1),
            remedy="Put a line like 'title: Spring in the harbour' into its front matter.",
        )
    if is_empty(body):
        raise PostError(
            "the post is empty",
            where=Location(path),
            remedy="Write its text below the front matter.",
        )
    return title, replace(page, html=body)


def _references(
    body: str, settings: Settings, front: FrontMatter, path: str
) -> Iterator[tuple[str, Location]]:
    """Every local image, with the place that names it."""
    for key, picture in settings.pictures():
        if is_local(picture.src):
            yield picture.src, Location(path, front.lines.get(key))
    for found in _PICTURED.finditer(body):
        reference = html.unescape(found[1])
        if is_local(reference):
            yield reference, Location(path, _line_of(reference, front))


def _line_of(reference: str, front: FrontMatter) -> int | None:
    for written in (reference, unquote(reference), html.escape(reference)):
        found = re.search(rf"(?<![\w/.-]){re.escape(written)}", front.body)
        if found:
            return front.body_line + front.body.count("\n", 0, found.start())
    return None
