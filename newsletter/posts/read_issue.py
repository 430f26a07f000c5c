"""Read an issue's folder: post, front matter, merge tags, images."""

import html
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import unquote

from newsletter.config.models import Config
from newsletter.errors import Location, PostError
from newsletter.posts.extracted_article import ExtractedArticle
from newsletter.posts.front_matter.compile import CompiledFrontMatter, compile_front_matter
from newsletter.posts.front_matter.field_types import LANGUAGE_TAG_PATTERN
from newsletter.posts.front_matter.parse import FrontMatter, split_front_matter
from newsletter.posts.front_matter.schema import validate_front_matter
from newsletter.posts.html.markdown import render_markdown
from newsletter.posts.html.sanitize import sanitize_article
from newsletter.posts.html.title import extract_title, is_empty_body, remove_repeated_title
from newsletter.posts.images import is_local_image, read_images
from newsletter.posts.issue import Issue
from newsletter.posts.markup_limits import check_markup_limits
from newsletter.posts.merge_tags.compiler import MergeTagCompiler, mark_expressions
from newsletter.posts.merge_tags.tags import MERGE_TOKEN_PATTERN
from newsletter.posts.post import Post
from newsletter.posts.stills import add_drawn_stills
from newsletter.posts.text_encoding import decode_text
from newsletter.project import ISSUE_NAME_PATTERN, display_path

_POST_FILE_NAMES = ("post.md", "post.html")
# In sanitised HTML every ``>`` and ``"`` inside an attribute's value is escaped.
_IMAGE_URL_PATTERN = re.compile(r'<(?:img\b[^>]*?\ssrc|(?:video|iframe)\b[^>]*?\sposter)="([^"]*)"')
_POSTER_PATTERN = re.compile(r'<(?:video|iframe)\b[^>]*?\sposter="([^"]*)"')
_PATH_CHARACTER = re.compile(r"[\w/.-]")


def read_issue(folder: Path, config: Config, *, source_text: str | None = None) -> Issue:
    """Read the folder of one issue: post, front matter, images.

    Args:
        folder: ``issues/<date>-<slug>``.
        config: the settings; used are the language, the attributes' defaults and the limits.
        source_text: what the post would be instead of its file's text, such as before it is saved.

    Raises:
        PostError: all problems of the post that one pass can find.
    """
    post_file = _find_post_file(folder)
    path = display_path(post_file)
    if source_text is None:
        source_text = read_post_text(post_file, path, config.limits.post_bytes)
    refuse_tokens(source_text, path)
    front_matter = split_front_matter(source_text, path)
    fields = validate_front_matter(front_matter, path)
    compiler = MergeTagCompiler(config.attributes)
    settings = compile_front_matter(fields, front_matter, path, compiler)
    article = compile_page(
        front_matter, post_file, path, fields.language or config.language, compiler
    )
    title, article = _resolve_title(
        settings.title, article, path, may_be_empty=bool(settings.digest)
    )
    references = dict(iter_image_references(article.html, settings, front_matter, path))
    images, image_problems = read_images(references, folder, config.limits.image_bytes)
    if problems := [*compiler.problems, *image_problems]:
        raise PostError.from_problems(problems)
    posters = (html.unescape(found[1]) for found in _POSTER_PATTERN.finditer(article.html))
    images = add_drawn_stills(images, posters, folder)
    name = folder.absolute().name
    name_match = ISSUE_NAME_PATTERN.match(name)
    return Issue(
        name=name,
        slug=name_match["slug"] if name_match else name,
        source_path=post_file,
        source=source_text,
        post=Post(
            title=title,
            body=article.html,
            author=settings.author_name or article.author,
            date=fields.date or article.date,
            canonical_url=fields.canonical_url or article.canonical_url,
            language=fields.language or article.language or config.language,
            tags=fields.tags or article.tags,
            images=images,
            removed=article.removed,
        ),
        subject=settings.subject or title,
        preheader=settings.preheader or article.description,
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
        front_matter_lines=dict(front_matter.lines),
        archive=fields.archive,
        topic=fields.topic,
        digest=settings.digest,
    )


def _find_post_file(folder: Path) -> Path:
    files = [folder / name for name in _POST_FILE_NAMES if (folder / name).is_file()]
    if len(files) == 1:
        return files[0]
    if files:
        raise PostError(
            f"there are both {' and '.join(_POST_FILE_NAMES)}",
            where=Location(display_path(folder)),
            remedy="Delete the one that should not be sent.",
        )
    raise PostError(
        f"there is neither {' nor '.join(_POST_FILE_NAMES)}",
        where=Location(display_path(folder)),
        remedy="Make an issue from a post with: newsletter import POST",
    )


def read_post_text(post_file: Path, path: str, max_bytes: int) -> str:
    """Return the text of a post's file.

    Raises:
        PostError: it is too long, or its encoding is unknown.
    """
    size = post_file.stat().st_size
    if size > max_bytes:
        raise PostError(
            f"the post has {size:,} bytes; the limit is {max_bytes:,}",
            where=Location(path),
            remedy="Remove what is not text, or raise limits.post_bytes in newsletter.yml.",
        )
    return decode_text(post_file.read_bytes(), path)


def refuse_tokens(text: str, path: str) -> None:
    """Refuse a post that has what merge tags become.

    Raises:
        PostError: it has; with its line.
    """
    if found := MERGE_TOKEN_PATTERN.search(text):
        raise PostError(
            f"'{found[0]}' is reserved for merge tags and cannot be used in a post",
            where=Location(path, text.count("\n", 0, found.start()) + 1),
            remedy="Write it differently.",
        )


def compile_page(  # noqa: PLR0913 - a text, where it is from, how to read it
    front_matter: FrontMatter,
    post_file: Path,
    path: str,
    language: str,
    compiler: MergeTagCompiler,
    *,
    allow_latest: bool = False,
) -> ExtractedArticle:
    """Return the body as sanitised HTML with tokens, and the metadata of an HTML page.

    Args:
        front_matter: the post, split.
        post_file: its file, whose suffix tells the format.
        path: the same, for messages.
        language: of the text.
        compiler: collects the merge tags and their problems.
        allow_latest: whether Markdown may have the block of the latest issues.

    Raises:
        PostError: the body can't be parsed.
    """
    is_html = post_file.suffix != ".md"
    check_markup_limits(front_matter.body, path, front_matter.body_line, is_html=is_html)
    marked = mark_expressions(front_matter.body, path, front_matter.body_line)
    if not is_html:
        article = ExtractedArticle(
            render_markdown(
                marked.text,
                language=language,
                restore_code=marked.restore_expressions,
                first_line=front_matter.body_line,
                latest_in=path if allow_latest else None,
            )
        )
    else:
        from newsletter.posts.html.extract_article import extract_article  # late: most are Markdown

        article = extract_article(marked.text, path, front_matter.body_line)
    sanitized = sanitize_article(article.html, path, front_matter.body_line)
    body = marked.restore_code(sanitized.html)
    removed = (*article.removed, *sanitized.removed)
    return replace(
        article,
        html=marked.compile(body, compiler, "html"),
        title=marked.compile(article.title, compiler, "text"),
        description=marked.compile(article.description, compiler, "text"),
        removed=tuple(
            entry._replace(text=marked.restore_expressions(entry.text)) for entry in removed
        ),
        language=article.language if re.fullmatch(LANGUAGE_TAG_PATTERN, article.language) else "",
    )


def _resolve_title(
    title: str, article: ExtractedArticle, path: str, *, may_be_empty: bool
) -> tuple[str, ExtractedArticle]:
    """Return the title (front matter, page or body), and the article without that heading."""
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
            remedy="Add a line like 'title: Spring in the harbour' to its front matter.",
        )
    if is_empty_body(body) and not may_be_empty:
        raise PostError(
            "the post is empty",
            where=Location(path),
            remedy="Write its text below the front matter.",
        )
    return title, replace(article, html=body)


def iter_image_references(
    body: str, settings: CompiledFrontMatter, front_matter: FrontMatter, path: str
) -> Iterator[tuple[str, Location]]:
    """Yield each local image with its location in the source.

    Args:
        body: the post's HTML.
        settings: its compiled front matter.
        front_matter: the post, split.
        path: its file, for messages.
    """
    for key, index, image in settings.iter_images():
        if is_local_image(image.src):
            yield image.src, Location(path, front_matter.find_line(key, index))
    for found in _IMAGE_URL_PATTERN.finditer(body):
        reference = html.unescape(found[1])
        if is_local_image(reference):
            yield reference, Location(path, _find_reference_line(reference, front_matter))


def _find_reference_line(reference: str, front_matter: FrontMatter) -> int | None:
    body = front_matter.body
    for form in (reference, unquote(reference), html.escape(reference)):
        # str.find() first: an expression that looks behind each character takes a tenth of reading.
        start = body.find(form)
        while start >= 0 and _PATH_CHARACTER.match(body[start - 1 : start]):
            start = body.find(form, start + 1)
        if start >= 0:
            return front_matter.body_line + body.count("\n", 0, start)
    return None
