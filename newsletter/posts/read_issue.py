"""The only way in which an issue's folder becomes data."""

import html
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import unquote

from newsletter.config.models import Config
from newsletter.errors import Location, PostError
from newsletter.posts.front_matter.compile import CompiledFrontMatter, compile_front_matter
from newsletter.posts.front_matter.parse import FrontMatter, split_front_matter
from newsletter.posts.front_matter.schema import LANGUAGE_TAG_PATTERN, validate_front_matter
from newsletter.posts.html.extract_article import ExtractedArticle, extract_article
from newsletter.posts.html.markdown import render_markdown
from newsletter.posts.html.sanitize import sanitize_html
from newsletter.posts.html.title import extract_title, is_empty_body, remove_repeated_title
from newsletter.posts.images import is_local_image, read_images
from newsletter.posts.issue import Issue
from newsletter.posts.merge_tags.compiler import MergeTagCompiler, mark_expressions
from newsletter.posts.merge_tags.tags import MERGE_TOKEN_PATTERN
from newsletter.posts.post import Post
from newsletter.posts.text_encoding import decode_text
from newsletter.project import ISSUE_NAME_PATTERN, display_path

_POST_FILE_NAMES = ("post.md", "post.html")
# In sanitised HTML every ``>`` and ``"`` inside an attribute's value is escaped.
_IMAGE_URL_PATTERN = re.compile(r'<(?:img\b[^>]*?\ssrc|video\b[^>]*?\sposter)="([^"]*)"')


def read_issue(folder: Path, config: Config) -> Issue:
    """Read the folder of one issue: post, front matter, images.

    Args:
        folder: ``issues/<date>-<slug>``.
        config: the newsletter's; its language, its attributes of readers and its limits are used.

    Raises:
        PostError: all that is wrong with the post, as far as one pass can tell.
    """
    source = _find_post_file(folder)
    path = display_path(source)
    text = _read_post_text(source, path, config.limits.post_bytes)
    front = split_front_matter(text, path)
    fields = validate_front_matter(front, path)
    compiler = MergeTagCompiler(config.attributes)
    settings = compile_front_matter(fields, front, path, compiler)
    page = _compile_page(front, source, path, fields.language or config.language, compiler)
    title, page = _resolve_title(settings.title, page, path)
    where = dict(_iter_image_references(page.html, settings, front, path))
    images, wrong = read_images(where, folder, config.limits.image_bytes)
    if problems := [*compiler.problems, *wrong]:
        raise PostError.from_problems(problems)
    name = folder.absolute().name
    dated = ISSUE_NAME_PATTERN.match(name)
    return Issue(
        name=name,
        slug=dated["slug"] if dated else name,
        source_path=source,
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
        merge_tags=compiler.merge_tags,
        front_matter_lines=dict(front.lines),
        archive=fields.archive,
    )


def _find_post_file(folder: Path) -> Path:
    found = [folder / name for name in _POST_FILE_NAMES if (folder / name).is_file()]
    if len(found) == 1:
        return found[0]
    if found:
        raise PostError(
            f"there are both {' and '.join(_POST_FILE_NAMES)}",
            where=Location(display_path(folder)),
            remedy="Keep the one that is to be sent.",
        )
    raise PostError(
        f"there is neither {' nor '.join(_POST_FILE_NAMES)}",
        where=Location(display_path(folder)),
        remedy="Make an issue from a post with: newsletter import POST",
    )


def _read_post_text(source: Path, path: str, max_bytes: int) -> str:
    size = source.stat().st_size
    if size > max_bytes:
        raise PostError(
            f"the post has {size:,} bytes, more than {max_bytes:,}",
            where=Location(path),
            remedy="Take out what is no text, or raise limits.post_bytes in newsletter.yml.",
        )
    text = decode_text(source.read_bytes(), path)
    if found := MERGE_TOKEN_PATTERN.search(text):
        raise PostError(
            f"'{found[0]}' stands for a merge tag in a finished mail and cannot be used in a post",
            where=Location(path, text.count("\n", 0, found.start()) + 1),
            remedy="Write it in another way.",
        )
    return text


def _compile_page(
    front_matter: FrontMatter, source: Path, path: str, language: str, compiler: MergeTagCompiler
) -> ExtractedArticle:
    """The body as safe HTML with tokens in it, and what an HTML page says of itself."""
    marked = mark_expressions(front_matter.body, path, front_matter.body_line)
    if source.suffix == ".md":
        page = ExtractedArticle(
            render_markdown(marked.text, language=language, restore_code=marked.restore_expressions)
        )
    else:
        page = extract_article(marked.text, path)
    body = marked.restore_code(sanitize_html(page.html, path))
    return replace(
        page,
        html=marked.compile(body, compiler, "html"),
        title=marked.compile(page.title, compiler, "text"),
        description=marked.compile(page.description, compiler, "text"),
        language=page.language if re.fullmatch(LANGUAGE_TAG_PATTERN, page.language) else "",
    )


def _resolve_title(
    title: str, article: ExtractedArticle, path: str
) -> tuple[str, ExtractedArticle]:
    """The title from the front matter, the page or the body; and a body that doesn't repeat it."""
    body = article.html
    title = title or article.title
    if title:
        body = remove_repeated_title(body, title)
    else:
        title, body = extract_title(body)
    if not title:
        raise PostError(
            "the post has no title",
            where=Location(path, 1),
            remedy="Put a line like 'title: Spring in the harbour' into its front matter.",
        )
    if is_empty_body(body):
        raise PostError(
            "the post is empty",
            where=Location(path),
            remedy="Write its text below the front matter.",
        )
    return title, replace(article, html=body)


def _iter_image_references(
    body: str, settings: CompiledFrontMatter, front_matter: FrontMatter, path: str
) -> Iterator[tuple[str, Location]]:
    """Every local image, with the place that names it."""
    for key, picture in settings.iter_images():
        if is_local_image(picture.src):
            yield picture.src, Location(path, front_matter.lines.get(key))
    for found in _IMAGE_URL_PATTERN.finditer(body):
        reference = html.unescape(found[1])
        if is_local_image(reference):
            yield reference, Location(path, _find_reference_line(reference, front_matter))


def _find_reference_line(reference: str, front_matter: FrontMatter) -> int | None:
    for written in (reference, unquote(reference), html.escape(reference)):
        found = re.search(rf"(?<![\w/.-]){re.escape(written)}", front_matter.body)
        if found:
            return front_matter.body_line + front_matter.body.count("\n", 0, found.start())
    return None
