"""Freeze the email with a checksum, load it, compare it."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from difflib import unified_diff
from typing import Any

import sqlalchemy as sa

from newsletter import __version__
from newsletter.config import Config
from newsletter.db import read_transaction
from newsletter.db.schema import OPEN_BATCH_STATES, batch, send, send_content
from newsletter.errors import SendRefusedError
from newsletter.posts.merge_tags.tags import MergeTag, restore_merge_tags
from newsletter.render.email import Email, NamedAddress
from newsletter.sending.ledger.record import Ledger, Send
from newsletter.sending.providers.prepared_email import PreparedEmail, ScheduledDelivery
from newsletter.sending.providers.provider import Provider
from newsletter.sending.providers.registry import get_provider
from newsletter.subscribers.send_names import get_original_issue

MAX_DIFF_LINES = 20
MAX_LINE_LENGTH = 200


def save_frozen_email(connection: sa.Connection, send_id: int, email: Email) -> None:
    """Store the email of a send, with a checksum over it and the batches.

    In the transaction that has inserted the batches.
    """
    connection.execute(sa.insert(send_content).values(send_id=send_id, **email_to_row(email)))
    connection.execute(
        sa.update(send)
        .where(send.c.id == send_id)
        .values(plan_sha=_compute_stored_checksum(connection, send_id), app_version=__version__)
    )


def load_frozen_email(ledger: Ledger, send_record: Send) -> Email:
    """Return the email as it was frozen.

    Raises:
        SendRefusedError: a newer version of the newsletter made the plan, or its checksum doesn't
            match.
    """
    if _parse_version(send_record.app_version) > _parse_version(__version__):
        raise SendRefusedError(
            f"the plan of {send_record.issue} was made by newsletter {send_record.app_version}; "
            f"this is {__version__}",
            remedy="Send it with that version.",
        )
    with read_transaction(ledger.engine) as connection:
        row = (
            connection.execute(
                sa.select(send_content).where(send_content.c.send_id == send_record.id)
            )
            .mappings()
            .one_or_none()
        )
        is_intact = (
            row is not None
            and _compute_stored_checksum(connection, send_record.id) == send_record.plan_sha
        )
    email = (
        email_from_row(get_original_issue(send_record.issue), dict(row))
        if row and is_intact
        else None
    )
    if email is None or email.content_sha != send_record.content_sha:
        raise SendRefusedError(
            f"the plan of {send_record.issue} was changed in the database after it was made",
            remedy=f"Restore the database from a backup; if nothing was sent, make a new plan: "
            f"{send_record.replan_command}",
        )
    return email


def compute_plan_checksum(
    issue: str, content_sha: str, total: int, batch_sizes: Sequence[int]
) -> str:
    """Return the SHA-256 of a plan, as 64 hex digits.

    Args:
        issue: the issue's name.
        content_sha: the SHA-256 of the email.
        total: how many recipients.
        batch_sizes: the sizes of the batches, in their order.
    """
    plan = json.dumps([issue, content_sha, total, list(batch_sizes)])
    return hashlib.sha256(plan.encode()).hexdigest()


def diff_emails(before: Email, after: Email) -> tuple[str, ...]:
    """Return how an issue differs from its plan: at most 20 lines of a diff of readable parts."""
    lines = [
        line.rstrip("\n")[:MAX_LINE_LENGTH]
        for line in unified_diff(
            _readable_lines(before), _readable_lines(after), "planned", "now", n=0
        )
        if not line.startswith("@@")
    ]
    if not lines:
        return ("only the HTML differs: its style, an image or a link's target",)
    if len(lines) <= MAX_DIFF_LINES:
        return tuple(lines)
    shown = lines[: MAX_DIFF_LINES - 1]
    return (*shown, f"… and {len(lines) - len(shown):,} more lines")


def _readable_lines(email: Email) -> list[str]:
    """Return the lines that an editor can read, with merge tags as the editor wrote them."""
    mailboxes = (("From", email.sender), ("Reply-To", email.reply_to))
    text = "\n".join(
        [
            *(
                f"{name}: {mailbox.name} <{mailbox.address}>"
                for name, mailbox in mailboxes
                if mailbox
            ),
            *(f"{name}: {value}" for name, value in email.headers),
            f"Subject: {email.subject}",
            f"Preheader: {email.preheader}",
            "",
            email.text,
        ]
    )
    return restore_merge_tags(text, email.merge_tags).splitlines()


def _compute_stored_checksum(connection: sa.Connection, send_id: int) -> str:
    """Return the checksum of the stored plan.

    Batches made later, by splitting or retrying, have a parent and don't count.
    """
    columns = (send.c.issue, send.c.content_sha, send.c.total)
    row = connection.execute(sa.select(*columns).where(send.c.id == send_id)).one()
    planned_sizes = (
        sa.select(batch.c.size)
        .where(batch.c.send_id == send_id, batch.c.parent_id.is_(None))
        .order_by(batch.c.number)
    )
    return compute_plan_checksum(*row, connection.scalars(planned_sizes).all())


def email_to_row(email: Email) -> dict[str, Any]:
    """Return an email as values that a table or JSON can hold."""
    reply_to = email.reply_to
    return {
        "subject": email.subject,
        "preheader": email.preheader,
        "html": email.html,
        "text": email.text,
        "sender": [email.sender.name, email.sender.address],
        "reply_to": [reply_to.name, reply_to.address] if reply_to else [],
        "headers": [list(header) for header in email.headers],
        "merge_tags": [
            [tag.key, tag.attribute, tag.default, tag.source] for tag in email.merge_tags
        ],
        "language": email.language,
        "view_online_url": email.view_online_url,
    }


def email_from_row(issue: str, row: Mapping[str, Any]) -> Email:
    """Return the email of an issue from the values of ``email_to_row``."""
    return Email(
        issue=issue,
        subject=row["subject"],
        preheader=row["preheader"],
        html=row["html"],
        text=row["text"],
        sender=NamedAddress(*row["sender"]),
        reply_to=NamedAddress(*row["reply_to"]) if row["reply_to"] else None,
        headers=tuple((name, value) for name, value in row["headers"]),
        merge_tags=tuple(MergeTag(*tag) for tag in row["merge_tags"]),
        language=row["language"],
        view_online_url=row["view_online_url"],
    )


def _parse_version(version: str) -> tuple[int, ...]:
    return tuple(int(part) if part.isdecimal() else 0 for part in version.split("."))


def load_prepared_email(ledger: Ledger, send_record: Send, config: Config) -> PreparedEmail:
    """Return the frozen email, prepared for sending.

    Raises:
        SendRefusedError: as for ``load_frozen_email``, or the provider would reject the email, or
            its batches are too large for the settings.
    """
    provider = get_provider(config)
    _check_batch_sizes(ledger, send_record, provider)
    scheduled = None
    if send_record.provider_batch_id:
        with read_transaction(ledger.engine) as connection:
            is_future = (
                send_record.scheduled_at is not None
                and send_record.scheduled_at > ledger.clock(connection)
            )
        scheduled = ScheduledDelivery(
            send_record.provider_batch_id, send_record.scheduled_at if is_future else None
        )
    return provider.prepare_email(load_frozen_email(ledger, send_record), scheduled)


def _check_batch_sizes(ledger: Ledger, send_record: Send, provider: Provider) -> None:
    """Reject a send with an open batch that has too many recipients for the provider."""
    larger = sa.exists().where(
        batch.c.send_id == send_record.id,
        batch.c.state.in_(OPEN_BATCH_STATES),
        batch.c.size > provider.max_batch_size,
    )
    with read_transaction(ledger.engine) as connection:
        if connection.scalar(sa.select(larger)):
            raise SendRefusedError.from_problems([provider.oversized_batch_problem()])
