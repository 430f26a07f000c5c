"""Compare two emails: text by words, and link targets.

Pure.
"""

import difflib
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from html import escape, unescape
from typing import Literal

from newsletter.render.email import Email, NamedAddress
from newsletter.render.issue_folder import RenderedIssue

DiffKind = Literal["same", "added", "removed"]

MAX_COMPARED_WORDS = 4_000  # in two passages together; longer ones are shown whole
MIN_SIMILARITY = 0.4  # from 0 to 1; passages with less in common are shown whole
_HREF = re.compile(r"""<a\b[^>]*?\shref=(?:"([^"]*)"|'([^']*)')""", re.IGNORECASE)
_CAMPAIGN = re.compile(r"[?&]utm_\w+=[^&#]*")
_PARAGRAPH = re.compile(r"\n\s*\n")
_UNDERLINE = re.compile(r"^[=-]{3,}$", re.MULTILINE)
_WORD = re.compile(r"\S+\s*")


@dataclass(frozen=True, slots=True)
class DiffSpan:
    """A run of words that is in both emails, or only in the newer or the older one."""

    kind: DiffKind
    text: str


@dataclass(frozen=True, slots=True)
class EmailDiff:
    """The differences between two emails.

    Attributes:
        passages: one tuple of spans per paragraph, in order; an unchanged one is a single span.
        added: links that only the newer email has.
        removed: links that only the older email has.
    """

    passages: tuple[tuple[DiffSpan, ...], ...]
    added: tuple[str, ...]
    removed: tuple[str, ...]


def compare_emails(old: Email, new: Email) -> EmailDiff:
    """Compare two emails; subject and preheader count as the first paragraphs."""
    before, after = _split_paragraphs(old), _split_paragraphs(new)
    matcher = difflib.SequenceMatcher(None, before, after, autojunk=False)
    passages: list[tuple[DiffSpan, ...]] = []
    for kind, a, b, c, d in matcher.get_opcodes():
        if kind == "equal":
            passages += [(DiffSpan("same", text),) for text in before[a:b]]
        else:
            passages += _diff_paragraphs(before[a:b], after[c:d])
    links = dict.fromkeys(_iter_links(old.html)), dict.fromkeys(_iter_links(new.html))
    return EmailDiff(
        tuple(passages),
        added=tuple(link for link in links[1] if link not in links[0]),
        removed=tuple(link for link in links[0] if link not in links[1]),
    )


@dataclass(frozen=True, slots=True)
class FrameDiff:
    """How what surrounds the article differs between two issues.

    Attributes:
        facts: name, old and new value of what is set per issue: sender, reply address, template.
        footer: the differences of the footer, and of the links outside the article.
    """

    facts: tuple[tuple[str, str, str], ...]
    footer: EmailDiff


def compare_frames(
    old: Email, new: Email, rendered: tuple[RenderedIssue, RenderedIssue], default_template: str
) -> FrameDiff:
    """Compare two issues' emails without their articles, whose words always differ.

    Args:
        old: the older issue's email, personalized.
        new: the newer issue's email, personalized for the same recipient.
        rendered: the two issues.
        default_template: the template of an issue that names none.
    """
    facts = (
        ("Sender", _format_mailbox(old.sender), _format_mailbox(new.sender)),
        ("Replies to", _format_mailbox(old.reply_to), _format_mailbox(new.reply_to)),
        (
            "Template",
            rendered[0].issue.template or default_template,
            rendered[1].issue.template or default_template,
        ),
    )
    footers = [
        replace(
            email,
            subject="",
            preheader="",
            html=_keep_frame_links(email, shown),
            # The footer is the last of the text part's blocks.
            text=email.text.rsplit("\n\n\n", 1)[-1],
        )
        for email, shown in zip((old, new), rendered, strict=True)
    ]
    return FrameDiff(facts, compare_emails(*footers))


def _format_mailbox(mailbox: NamedAddress | None) -> str:
    if mailbox is None:
        return ""
    return f"{mailbox.name} <{mailbox.address}>" if mailbox.name else mailbox.address


def _keep_frame_links(email: Email, rendered: RenderedIssue) -> str:
    """Return the links that are not the issue's own as HTML, without their campaign's name."""
    issue = rendered.issue
    own = [
        *rendered.article.links,
        email.view_online_url,
        issue.button.url if issue.button else "",
        issue.author.url if issue.author else "",
        *(card.url for card in issue.further),
        *(post.url for post in issue.digest),
    ]
    own_links = {_CAMPAIGN.sub("", link) for link in own}
    links = dict.fromkeys(_CAMPAIGN.sub("", link) for link in _iter_links(email.html))
    return "".join(
        f'<a href="{escape(link)}">'
        for link in links
        if link not in own_links and not link.startswith("#")
    )


def _split_paragraphs(email: Email) -> list[str]:
    bare = _UNDERLINE.sub("", email.text)
    text = (" ".join(part.split()) for part in _PARAGRAPH.split(bare))
    return [part for part in (email.subject, email.preheader, *text) if part]


def _diff_paragraphs(before: list[str], after: list[str]) -> Iterator[tuple[DiffSpan, ...]]:
    """Yield the spans of replaced passages word by word, and of any others as a whole."""
    paired = min(len(before), len(after))
    for old, new in zip(before, after, strict=False):
        yield tuple(_diff_words(old, new))
    yield from ((DiffSpan("removed", text),) for text in before[paired:])
    yield from ((DiffSpan("added", text),) for text in after[paired:])


def _diff_words(old: str, new: str) -> Iterator[DiffSpan]:
    before, after = _WORD.findall(old), _WORD.findall(new)
    if len(before) + len(after) > MAX_COMPARED_WORDS:
        yield from (DiffSpan("removed", old), DiffSpan("added", new))
        return
    matcher = difflib.SequenceMatcher(None, before, after, autojunk=False)
    if matcher.ratio() < MIN_SIMILARITY:
        yield from (DiffSpan("removed", old), DiffSpan("added", new))
        return
    blocks = matcher.get_matching_blocks()
    ends = [(0, 0), *((block.a + block.size, block.b + block.size) for block in blocks)]
    for (old_end, new_end), block in zip(ends, blocks, strict=False):
        yield from _iter_span("removed", before[old_end : block.a])
        yield from _iter_span("added", after[new_end : block.b])
        yield from _iter_span("same", before[block.a : block.a + block.size])


def _iter_span(kind: DiffKind, words: list[str]) -> Iterator[DiffSpan]:
    if words:
        yield DiffSpan(kind, "".join(words))


def _iter_links(document: str) -> Iterator[str]:
    for double, single in _HREF.findall(document):
        yield unescape(double or single)
