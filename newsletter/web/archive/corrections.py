"""Find what an issue's page says otherwise than the email that was sent.

A page shows the issue's folder as it is; the email is frozen in the ledger and never altered.
"""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from difflib import SequenceMatcher
from typing import NamedTuple

from lxml import html as lxml_html

from newsletter.errors import NewsletterError, display_path
from newsletter.posts.content_loss.inventory import ContentInventory, take_inventory
from newsletter.posts.content_loss.source_lines import SourceLines
from newsletter.posts.importing.source_inventory import take_source_inventory
from newsletter.posts.issue import Issue
from newsletter.posts.merge_tags.tags import MergeTag, restore_merge_tags
from newsletter.posts.read_issue import read_issue
from newsletter.project import Project
from newsletter.render.article.build import build_article
from newsletter.render.article.dom import Element, get_classes, get_visible_text
from newsletter.render.email import Email
from newsletter.render.issue import render_issue
from newsletter.render.template.loader import Templates, load_templates
from newsletter.sending.ledger.find_sends import find_sends_by_issue
from newsletter.sending.ledger.record import Ledger
from newsletter.sending.planning.frozen_content import load_frozen_email

# The article is in elements of this class in each of the shipped designs.
_ARTICLE = frozenset({"article", "digest"})
_SENT_PHASES = frozenset({"running", "paused", "blocked", "needs_review", "done"})
_MAX_COMPARED_WORDS = 20_000


class Correction(NamedTuple):
    """A passage of an issue that is another one in the email that was sent.

    Attributes:
        issue: the issue's name.
        file: the path of its post.
        line: 1-based line of the post; 0 if it is not known.
        before: the words in the email; empty if they were added.
        after: the words now; empty if they were removed.
    """

    issue: str
    file: str
    line: int
    before: str
    after: str


def find_corrections(
    project: Project, ledger: Ledger, issue_name: str | None = None
) -> Iterator[Correction]:
    """Yield how the pages of sent issues differ from their emails, the latest issue first.

    Compared are the title, the subject, the words of the article and the targets of its links. Left
    out is an issue without a page, or whose frozen email can't be read.

    Args:
        project: the newsletter's project.
        ledger: the record of sends.
        issue_name: only this issue.
    """
    templates: Templates | None = None
    for name, (send, phase) in sorted(find_sends_by_issue(ledger).items(), reverse=True):
        if phase not in _SENT_PHASES or issue_name not in {None, name}:
            continue
        with suppress(NewsletterError, OSError):
            issue = read_issue(project.issues_dir / name, project.config)
            if issue.draft or (issue.archive or project.config.archive.listing) == "private":
                continue
            sent = load_frozen_email(ledger, send)
            article = build_article(issue, project.config)
            if sent.subject == issue.subject and _is_same_article(
                sent, article.html, article.links
            ):
                continue
            templates = templates or load_templates(project.templates_dir)
            now = render_issue(issue, templates, project.config, article=article)
            yield from _compare(issue, sent, now)


def _is_same_article(sent: Email, article: str, links: Iterable[str]) -> bool:
    """Return whether the email has exactly this article; a quick test, without rendering it."""
    root = lxml_html.fragment_fromstring(article, create_parent="div")
    parts = map(get_visible_text, _find_article(sent.html))
    is_same = _squash("".join(parts)) == _squash(get_visible_text(root))
    targets = {*_iter_targets(_find_article(sent.html))}
    return is_same and targets >= {*links}


def _compare(issue: Issue, sent: Email, now: Email) -> Iterator[Correction]:
    file = display_path(issue.source_path)
    before_subject, after_subject = (
        restore_merge_tags(email.subject, email.merge_tags) for email in (sent, now)
    )
    if before_subject != after_subject:
        lines = issue.front_matter_lines
        line = lines.get("subject") or lines.get("title") or 0
        yield Correction(issue.name, file, line, before_subject, after_subject)
    before, after = (_take_article(email.html, email.merge_tags) for email in (sent, now))
    if before.words != after.words:
        lines_of_source = SourceLines(take_source_inventory(issue.source, file))
        for start, stop, after_start, after_stop in _diff_words(before.words, after.words):
            yield Correction(
                issue.name,
                file,
                lines_of_source.get_line(after.words, min(after_start, len(after.words) - 1)),
                before.quote(range(start, stop)) if stop > start else "",
                after.quote(range(after_start, after_stop)) if after_stop > after_start else "",
            )
    old, new = (dict.fromkeys(_iter_targets(_find_article(email.html))) for email in (sent, now))
    for target in new:
        if target not in old:
            line = _find_line(issue.source, target)
            yield Correction(issue.name, file, line, "", target)
    for target in old:
        if target not in new:
            yield Correction(issue.name, file, 0, target, "")


def _diff_words(
    before: tuple[str, ...], after: tuple[str, ...]
) -> Iterator[tuple[int, int, int, int]]:
    """Yield the ranges of words that differ; of very long texts, one range."""
    start = next(
        (i for i, pair in enumerate(zip(before, after, strict=False)) if pair[0] != pair[1]),
        min(len(before), len(after)),
    )
    end = 0
    while end < min(len(before), len(after)) - start and before[-1 - end] == after[-1 - end]:
        end += 1
    old, new = before[start : len(before) - end], after[start : len(after) - end]
    if len(old) + len(new) > _MAX_COMPARED_WORDS:
        yield start, start + len(old), start, start + len(new)
        return
    for kind, a, b, c, d in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if kind != "equal":
            yield start + a, start + b, start + c, start + d


def _take_article(document: str, tags: Iterable[MergeTag]) -> ContentInventory:
    """Return the words of an email's article, with merge tags as the editor wrote them."""
    parts = [
        lxml_html.tostring(element, encoding="unicode", with_tail=False)
        for element in _find_article(document)
    ]
    return take_inventory(restore_merge_tags("\n".join(parts), tags), "email")


def _find_article(document: str) -> list[Element]:
    """Return the elements of an email that have its article; all of it if none is marked so."""
    root: Element = lxml_html.document_fromstring(document)
    marked = (element for element in root.iter() if not _ARTICLE.isdisjoint(get_classes(element)))
    return list(marked) or [root]


def _iter_targets(elements: Iterable[Element]) -> Iterator[str]:
    for element in elements:
        for link in element.iter("a"):
            href = str(link.get("href") or "")
            if "://" in href:
                yield href


def _find_line(source: str, target: str) -> int:
    start = source.find(target.partition("?utm_")[0].partition("&utm_")[0])
    return source.count("\n", 0, start) + 1 if start >= 0 else 0


def _squash(text: str) -> str:
    return "".join(text.split())
