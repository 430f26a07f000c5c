"""Shared by the send commands: open a send, run it, print its results."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

import click

from newsletter.cli.output import echo, echo_err, format_fields

if TYPE_CHECKING:
    from newsletter.project import Project
    from newsletter.sending.ledger.record import Ledger, Send
    from newsletter.sending.ledger.status import SendStatus
    from newsletter.sending.providers.provider import Outcome
    from newsletter.sending.providers.sendgrid.client import SendGridClient
    from newsletter.sending.providers.sendgrid.payload import PreparedEmail

# The states of recipients, in an editor's words.
RECIPIENT_STATE_LABELS = {
    "accepted": "sent",
    "skipped_late": "left the list meanwhile",
    "rejected": "refused by SendGrid",
    "dropped": "given up",
    "unknown": "unknown",
    "pending": "still to go",
}
CANCELLATION_CAVEAT = (
    "SendGrid guarantees a cancellation only until 10 minutes before the scheduled time, and "
    "keeps only a few batches (10, by its newer documentation) cancelled at once."
)

concurrency_option = click.option(
    "--concurrency", type=click.IntRange(1, 256), default=16, show_default=True, metavar="N",
    help="Number of concurrent requests.",
)  # fmt: skip


class SendContext(NamedTuple):
    """A send, its project and the ledger that records it."""

    project: "Project"
    ledger: "Ledger"
    send: "Send"


@contextmanager
def open_send_context(issue: str | None) -> Iterator[SendContext]:
    """Find the send of an issue, or the latest one; the database is open within the context.

    Raises:
        ProjectError: no send matches, or several do.
    """
    from newsletter.db import database_engine
    from newsletter.project import open_project
    from newsletter.sending.ledger.find_sends import find_send, open_ledger

    project = open_project()
    with database_engine(project.config.database, project.root) as engine:
        ledger = open_ledger(engine, project.config)
        yield SendContext(project, ledger, find_send(ledger, issue))


@contextmanager
def open_mailer(project: "Project") -> Iterator["SendGridClient"]:
    """Open a client for SendGrid; it is closed at the end of the context.

    Raises:
        ConfigError: SENDGRID_API_KEY is not set.
    """
    from newsletter.sending.providers.sendgrid.client import SendGridClient, read_api_key

    client = SendGridClient(read_api_key(os.environ), project.config.sendgrid)
    try:
        yield client
    finally:
        client.close()


def run_sender(
    context: SendContext,
    prepared_email: "PreparedEmail",
    provider: "SendGridClient",
    concurrency: int,
) -> "Outcome | None":
    """Run the sender on a send, handling Ctrl-C; return the outcome that stopped it, if any."""
    from newsletter.cli.send.terminal import observe_send
    from newsletter.sending.delivery.sender import BatchSender
    from newsletter.sending.ledger.pause_cancel_retry import MANUAL_STOP_REASON, cancel_send
    from newsletter.sending.ledger.record import count_recipients_by_state, get_send, stop_send

    pending = count_recipients_by_state(context.ledger, context.send).get("pending", 0)
    try:
        with observe_send(pending) as terminal:
            sender = BatchSender(
                context.ledger,
                context.send,
                prepared_email,
                provider,
                terminal,
                concurrency=concurrency,
            )
            halted = sender.run()
    except KeyboardInterrupt:
        stop_send(context.ledger, context.send, "paused", MANUAL_STOP_REASON)
        echo_err(
            "\nStopped immediately. A request in flight counts as unknown when its lease expires; "
            f"nobody is sent it twice.\nSee: newsletter status {context.send.slug}\n"
            f"Resume with: newsletter resume {context.send.slug}"
        )
        raise
    now = get_send(context.ledger, context.send.issue)
    if now and now.state == "cancelled":
        # Batches that were in flight when it was cancelled may have become ready for another try.
        cancel_send(context.ledger, now)
    return halted


def resume_send(context: SendContext, concurrency: int) -> "Outcome | None":
    """Send the pending batches with the frozen content; return the outcome that stopped it, if any.

    Raises:
        SendRefusedError: the settings don't allow it.
    """
    from newsletter.errors import SendRefusedError
    from newsletter.sending.planning.frozen_content import load_prepared_email
    from newsletter.sending.planning.preflight import find_resume_problems

    if problems := find_resume_problems(context.project.config, os.environ):
        raise SendRefusedError.from_problems(problems)
    with open_mailer(context.project) as client:
        prepared_email = load_prepared_email(context.ledger, context.send, context.project.config)
        return run_sender(context, prepared_email, client, concurrency)


def report_run(context: SendContext, outcome: "Outcome | None", *, as_json: bool) -> int:
    """Print the result of a run of the sender; return the exit code.

    Raises:
        ProviderError: ``outcome``, an error from SendGrid, stopped it.
    """
    import json

    from newsletter.errors import ProviderError
    from newsletter.sending.ledger.status import get_send_status

    status = get_send_status(context.ledger, context.send)
    if as_json:
        echo(json.dumps(status.as_data(), ensure_ascii=False))
    else:
        _print_counts(status)
    print_unknown_batches(status)
    resume_command = f"newsletter resume {status.send.slug}"
    if outcome:
        raise ProviderError(
            f"SendGrid: {outcome.message}"
            if outcome.status
            else f"SendGrid can't be reached: {outcome.message}",
            remedy=" ".join(filter(None, (outcome.remedy, f"Resume with: {resume_command}"))),
        )
    if status.send.state == "cancelled":
        echo_err("It was cancelled by another command.", color="yellow")
    elif status.recipients_by_state.get("pending"):
        echo_err(f"Resume with: {resume_command}")
    if status.recipients_by_state.get("rejected"):
        echo_err(f"Retry the refused with: newsletter retry {status.send.slug}")
    return 0 if status.send.state == "done" else 1


def print_unknown_batches(status: "SendStatus") -> None:
    """Print for each unknown batch what happened, and the commands that resolve it."""
    for batch in status.unknown_batches:
        echo_err(
            format_unknown_batch(
                status.send.slug, batch.number, batch.reason, batch.recipient_count
            )
        )


def format_unknown_batch(slug: str, number: int, reason: str, readers: int) -> str:
    """Format what happened to an unknown batch, and the commands that resolve it."""
    import textwrap

    text = textwrap.fill(
        f"batch {number}: {reason or 'no response'}; {pluralize(readers, 'reader')} "
        "may or may not "
        "have it. It is not sent again automatically. SendGrid's events can resolve it:",
        78,
        initial_indent="  ",
        subsequent_indent="  ",
    )
    return (
        f"{text}\n    newsletter reconcile {slug}\n  To resolve it by hand:\n"
        f"    newsletter resolve {slug} --accepted {number} | --resend {number} | --drop {number}"
    )


def pluralize(count: int, noun: str) -> str:
    """Format a count with its noun: ``1 reader``, ``2,481 readers``; ``1 batch``, ``3 batches``."""
    plural = "es" if noun.endswith("ch") else "s"
    return f"{count:,} {noun}" + ("" if count == 1 else plural)


def _print_counts(status: "SendStatus") -> None:
    send, counts = status.send, status.recipients_by_state
    sent = counts.get("accepted", 0)
    color = "green" if send.state == "done" else "yellow"
    if status.is_held_by_provider:
        echo(f"SendGrid holds it for {sent:,} of {pluralize(send.total, 'reader')}.", color=color)
        echo(f"Cancel it with: newsletter cancel {send.slug}")
        echo_err(CANCELLATION_CAVEAT)
    else:
        echo(f"Sent to {sent:,} of {send.total:,} readers.", color=color)
    state_rows = [
        (f"{counts[state]:,}", label)
        for state, label in RECIPIENT_STATE_LABELS.items()
        if state in counts
    ]
    if len(state_rows) > 1:
        echo(format_fields(state_rows))
