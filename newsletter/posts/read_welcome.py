"""Read the welcome email, which is written in Markdown: ``welcome.md``."""

from pathlib import Path

from newsletter.config.models import Config
from newsletter.errors import Location, PostError, Problem, display_path
from newsletter.posts.front_matter.compile import CompiledFrontMatter, compile_front_matter
from newsletter.posts.front_matter.parse import FrontMatter, split_front_matter
from newsletter.posts.front_matter.schema import FrontMatterFields, validate_front_matter
from newsletter.posts.html.callouts import LATEST_CLASS
from newsletter.posts.html.title import extract_title, is_empty_body, remove_repeated_title
from newsletter.posts.issue import CallToAction, Issue
from newsletter.posts.merge_tags.compiler import MergeTagCompiler
from newsletter.posts.merge_tags.tags import MergeTag
from newsletter.posts.post import Post
from newsletter.posts.read_issue import (
    compile_page,
    iter_image_references,
    read_post_text,
    refuse_tokens,
)

WELCOME_FILE = "welcome.md"
_USED_KEYS = ("subject", "preheader", "title", "button", "language")


def read_welcome(file: Path, config: Config) -> Issue:
    """Read the welcome email in the form of an issue, so that the same chain renders it.

    It is Markdown as in an issue, and ``::: latest 3`` is the place of the latest issues.

    Args:
        file: ``templates/welcome.md``.
        config: the settings; used are the language, the attributes' defaults and the limits.

    Raises:
        PostError: all problems of the file that one pass can find.
    """
    path = display_path(file)
    source = _read_source(file, path, config)
    front_matter = split_front_matter(source, path)
    fields = validate_front_matter(front_matter, path)
    problems = [
        Problem(
            f"a welcome email can't have '{key}'",
            Location(path, front_matter.lines.get(key)),
            f"Delete the line; it can have {', '.join(_USED_KEYS)}.",
        )
        for key in front_matter.data
        if key in FrontMatterFields.model_fields and key not in _USED_KEYS
    ]
    language = fields.language or config.language
    compiler = MergeTagCompiler(config.attributes)
    settings = compile_front_matter(fields, front_matter, path, compiler)
    body = compile_page(front_matter, file, path, language, compiler, allow_latest=True).html
    title = settings.title
    if title:
        body = remove_repeated_title(body, title)
    else:
        title, body = extract_title(body)
    problems += compiler.problems
    problems += _find_content_problems(title, body, settings, front_matter, path)
    if problems:
        raise PostError.from_problems(problems)
    return make_welcome_issue(
        Post(title=title, body=body, language=language),
        file,
        source=source,
        subject=settings.subject or title,
        preheader=settings.preheader,
        button=settings.button,
        merge_tags=compiler.merge_tags,
    )


def make_welcome_issue(  # noqa: PLR0913 - what the email has
    post: Post,
    file: Path,
    *,
    subject: str,
    preheader: str,
    button: CallToAction | None,
    source: str = "",
    merge_tags: tuple[MergeTag, ...] = (),
) -> Issue:
    """Return a welcome email in the form of an issue; its texts are those of an issue."""
    return Issue(
        name="welcome",
        slug="welcome",
        source_path=file,
        source=source,
        post=post,
        subject=subject,
        preheader=preheader,
        number=None,
        draft=False,
        sender_name="",
        reply_to="",
        template="",
        hero=None,
        author=None,
        button=button,
        further=(),
        merge_tags=merge_tags,
        front_matter_lines={},
    )


def _read_source(file: Path, path: str, config: Config) -> str:
    try:
        source = read_post_text(file, path, config.limits.post_bytes)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise PostError(f"the file can't be read: {reason}", where=Location(path)) from error
    refuse_tokens(source, path)
    return source


def _find_content_problems(
    title: str, body: str, settings: CompiledFrontMatter, front_matter: FrontMatter, path: str
) -> list[Problem]:
    problems = [
        Problem(
            f"'{reference}' is a file on this machine, which readers can't see",
            where,
            "Use an image with an https address.",
        )
        for reference, where in iter_image_references(body, settings, front_matter, path)
    ]
    if not (settings.subject or title):
        remedy = "Add a line like 'subject: Welcome aboard' to its front matter."
        problems.append(Problem("the email has no subject", Location(path, 1), remedy))
    if is_empty_body(body) and LATEST_CLASS not in body:
        remedy = "Write its text below the front matter."
        problems.append(Problem("the email is empty", Location(path), remedy))
    return problems
