"""Make a plan out of a proposed send; hold a send to an approved plan."""

import datetime
import hashlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any
from zoneinfo import ZoneInfo

from pydantic import JsonValue

from newsletter import __version__
from newsletter.config import Config
from newsletter.errors import Location, display_path
from newsletter.posts.images import make_unreadable_error
from newsletter.posts.merge_tags.tags import restore_merge_tags
from newsletter.posts.stills import get_file_name
from newsletter.project import Project
from newsletter.render.email import Email, NamedAddress
from newsletter.render.issue_folder import RenderedIssue
from newsletter.render.words import WORDS_FOLDER, list_own_tags
from newsletter.sending.approval.approval_plan import (
    ApprovalPlan,
    ApprovedEmail,
    ApprovedFindings,
    ApprovedReaders,
    ApprovedSegment,
    compute_text_checksum,
)
from newsletter.sending.approval.compare import find_differences
from newsletter.sending.planning.proposal import SendProposal

# Settings that can't change what is sent: of the machine and its requests, of the public pages,
# of importing. The segment that is sent to and the newsletter's id have fields of their own. A
# setting that is not listed is bound.
UNBOUND_SETTINGS: dict[str, Any] = {
    **dict.fromkeys(("id", "segments", "database", "limits", "notify", "publish", "blog"), True),
    **dict.fromkeys(("archive", "preferences", "public", "signup"), True),
    "sendgrid": {"host", "webhook_key", "webhook_unsigned", "connect_timeout", "read_timeout"},
}
# Sections of which defaults are named too: the email itself doesn't show them.
_ALWAYS_NAMED = {"sendgrid", "tracking"}
# Git may write the lines of these with other ends on another machine.
_TEXT_SUFFIXES = {".svg"}


def make_approval_plan(proposal: SendProposal, today: datetime.date) -> ApprovalPlan:
    """Return the plan of a proposed send as a pull request would approve it.

    Args:
        proposal: of an issue, not of a catch-up.
        today: in the newsletter's zone.

    Raises:
        PostError: an image can't be read.
    """
    rendered, resumed = proposal.rendered, proposal.resumed
    assert rendered is not None
    email, config = proposal.prepared_email.email, proposal.project.config
    segment = proposal.audience.segment
    approved_segment = ApprovedSegment(name=segment.name, query=segment.text) if segment else None
    if resumed:
        query = resumed.segment
        approved_segment = ApprovedSegment(name="", query=query) if query else None
    severities = Counter(finding.severity for finding in proposal.findings)
    return ApprovalPlan(
        newsletter=config.id,
        issue=email.issue,
        subject=restore_merge_tags(email.subject, email.merge_tags),
        preheader=restore_merge_tags(email.preheader, email.merge_tags),
        sender=_format_mailbox(email.sender),
        reply_to=_format_mailbox(email.reply_to) if email.reply_to else "",
        topic=proposal.audience.topic,
        segment=approved_segment,
        repeat_article=proposal.article is None and resumed is None,
        readers=ApprovedReaders(
            count=resumed.total if resumed else proposal.audience.count,
            left_out=dict(proposal.audience.excluded),
        ),
        checks=ApprovedFindings(
            warnings=severities["warning"],
            hints=severities["hint"],
            allowed=dict(proposal.allowed),
        ),
        email=_hash_email(email),
        files=dict(_hash_files(rendered, proposal.folder, proposal.project)),
        templates=dict(_hash_templates(rendered, proposal.project)),
        settings=list_bound_settings(config),
        version=__version__,
        made=today,
    )


def hold_to_approval(
    proposal: SendProposal,
    approved: ApprovalPlan,
    plan_path: Path,
    today: datetime.date,
    accepted_count: int | None = None,
) -> SendProposal:
    """Return the proposal with each difference from the approved plan as a problem.

    Not if the issue was sent, or is being sent otherwise: no other plan would change that.

    Args:
        proposal: as it would be sent now.
        approved: the plan.
        plan_path: its file.
        today: in the newsletter's zone.
        accepted_count: a number of readers that was approved later than the plan.

    Raises:
        PostError: an image can't be read.
    """
    if proposal.earlier.blocking_problem:
        return proposal
    current = make_approval_plan(proposal, today)
    differences = find_differences(approved, current, display_path(plan_path), accepted_count)
    return replace(proposal, problems=(*differences, *proposal.problems))


def get_local_date(config: Config) -> datetime.date:
    """Return today's date in the newsletter's zone."""
    return datetime.datetime.now(ZoneInfo(config.timezone)).date()


def list_bound_settings(config: Config) -> dict[str, JsonValue]:
    """Return each setting that can change what is sent: dotted key -> value.

    Most defaults are left out: they show in the email.
    """
    changed = config.model_dump(mode="json", exclude=UNBOUND_SETTINGS, exclude_defaults=True)
    named = config.model_dump(mode="json", exclude=UNBOUND_SETTINGS, include=_ALWAYS_NAMED)
    return dict(sorted(_flatten(changed | named, "")))


def _flatten(section: dict[str, Any], prefix: str) -> Iterator[tuple[str, JsonValue]]:
    for key, value in section.items():
        if isinstance(value, dict):
            yield from _flatten(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _hash_email(email: Email) -> ApprovedEmail:
    return ApprovedEmail(
        content=email.content_sha,
        html=compute_text_checksum(email.html),
        text=compute_text_checksum(email.text),
        headers=compute_text_checksum("\n".join(": ".join(header) for header in email.headers)),
    )


def _hash_files(
    rendered: RenderedIssue, folder: Path, project: Project
) -> Iterator[tuple[str, str]]:
    """Yield the path and the checksum of the post and of each image that it shows."""
    issue = rendered.issue
    yield _relative_path(issue.source_path, project), compute_text_checksum(issue.source)
    names = {get_file_name(image.name) for image in issue.post.images.values()}
    for name in sorted(names):
        path = folder / name
        try:
            data = path.read_bytes()
        except OSError as error:
            raise make_unreadable_error(name, error, Location(display_path(path))) from error
        if path.suffix.lower() in _TEXT_SUFFIXES:
            data = data.replace(b"\r\n", b"\n")
        yield _relative_path(path, project), hashlib.sha256(data).hexdigest()


def _hash_templates(rendered: RenderedIssue, project: Project) -> Iterator[tuple[str, str]]:
    """Yield the path and the checksum of each file of the templates folder that is used."""
    templates, config = rendered.templates, project.config
    design = rendered.issue.template or config.theme.template
    style = f"{design}.css" if f"{design}.css" in templates.files else "article.css"
    used = {*templates.list_used_files(f"{design}.mjml"), *templates.list_used_files(style)}
    folder = PurePosixPath(_relative_path(project.templates_dir, project))
    for name in sorted(used):
        yield str(folder / name), compute_text_checksum(templates.files[name])
    tags = set(list_own_tags(rendered.email.language))
    for tag, text in sorted(templates.own_words.texts.items()):
        if tag.lower() in tags:
            yield str(folder / WORDS_FOLDER / f"{tag}.yml"), compute_text_checksum(text)


def _relative_path(path: Path, project: Project) -> str:
    return path.absolute().relative_to(project.root.absolute()).as_posix()


def _format_mailbox(mailbox: NamedAddress) -> str:
    return f"{mailbox.name} <{mailbox.address}>" if mailbox.name else mailbox.address
