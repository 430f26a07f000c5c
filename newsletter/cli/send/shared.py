"""What the commands about a send share: finding it, running it, telling how it stands."""

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

# The readers' states, as an editor would say them.
RECIPIENT_STATE_LABELS = {
    "accepted": "sent",
    "skipped_late": "left the list meanwhile",
    "rejected": "refused by SendGrid",
    "dropped": "given up",
    "unknown": "unknown",
    "pending": "still to go",
}
CANCELLATION_CAVEAT = (
    "SendGrid promises to take mail back until 10 minutes before its time, and keeps only "
    "a few batches (10, by its newer documentation) cancelled at once."
)


concurrency_option = click.option(
    "--concurrency", type=click.IntRange(1, 256), default=16, show_default=True, metavar="N",
    help="Requests in the air at once.",
)  # fmt: skip


class SendContext(NamedTuple):
    """A send and where it is."""

    project: "Project"
    ledger: "Ledger"
    send: "Send"


@contextmanager
def open_send_context(issue: str | None) -> Iterator[SendContext]:
    """The send of an issue, the database open meanwhile."""
    from newsletter.db import database_engine
    from newsletter.project import open_project
    from newsletter.sending.ledger.find_sends import find_send, open_ledger

    project = open_project()
    with database_engine(project.config.database, project.root) as engine:
        ledger = open_ledger(engine, project.config)
        yield SendContext(project, ledger, find_send(ledger, issue))


@contextmanager
def open_mailer(project: "Project") -> Iterator["SendGridClient"]:
    """A connection to SendGrid."""
    from newsletter.sending.providers.sendgrid.client import SendGridClient, read_api_key

    connected = SendGridClient(read_api_key(os.environ), project.config.sendgrid)
    try:
        yield connected
    finally:
        connected.close()


def run_sender(
    context: SendContext,
    prepared_email: "PreparedEmail",
    provider: "SendGridClient",
    concurrency: int,
) -> "Outcome | None":
    """Run the sender on a send, with Ctrl-C in its hands; returns what halted it."""
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
            "\nStopped at once. A request that was on its way counts as unknown when its time is "
            f"up; nobody is sent it twice.\nSee: newsletter status {context.send.slug}\n"
            f"Go on with: newsletter resume {context.send.slug}"
        )
        raise
    now = get_send(context.ledger, context.send.issue)
    if now and now.state == "cancelled":
        # What was in flight then may have come back to be tried again.
        cancel_send(context.ledger, now)
    return halted


def resume_send(context: SendContext, concurrency: int) -> "Outcome | None":
    """Send what is still to go, as it was frozen."""
    from newsletter.errors import SendRefusedError
    from newsletter.sending.planning.frozen_content import load_prepared_email
    from newsletter.sending.planning.preflight import find_resume_problems

    if problems := find_resume_problems(context.project.config, os.environ):
        raise SendRefusedError.from_problems(problems)
    with open_mailer(context.project) as vendor:
        letter = load_prepared_email(context.ledger, context.send, context.project.config)
        return run_sender(context, letter, vendor, concurrency)


def report_run(context: SendContext, outcome: "Outcome | None", *, as_json: bool) -> int:
    """Tell how a run of the sender has ended; returns the exit code.

    Raises:
        VendorError: SendGrid stopped it.
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
    again = f"newsletter resume {status.send.slug}"
    if outcome:
        raise ProviderError(
            f"SendGrid: {outcome.message}"
            if outcome.status
            else f"SendGrid can't be reached: {outcome.message}",
            remedy=" ".join(filter(None, (outcome.remedy, f"Go on with: {again}"))),
        )
    if status.send.state == "cancelled":
        echo_err("It was cancelled by another command.", color="yellow")
    elif status.recipients_by_state.get("pending"):
        echo_err(f"Go on with: {again}")
    if status.recipients_by_state.get("rejected"):
        echo_err(f"Try the refused again with: newsletter retry {status.send.slug}")
    return 0 if status.send.state == "done" else 1


def print_unknown_batches(status: "SendStatus") -> None:
    """For each unknown batch what happened, and the commands that settle it."""
    for one in status.unknown_batches:
        echo_err(
            format_unknown_batch(status.send.slug, one.number, one.reason, one.recipient_count)
        )


def format_unknown_batch(slug: str, number: int, reason: str, readers: int) -> str:
    """What is not known about a batch, and what settles it."""
    import textwrap

    told = textwrap.fill(
        f"batch {number}: {reason or 'no answer came'}; {pluralize(readers, 'reader')} "
        "may or may not "
        "have it. It is not sent again by itself. SendGrid's events will tell:",
        78,
        initial_indent="  ",
        subsequent_indent="  ",
    )
    return (
        f"{told}\n    newsletter reconcile {slug}\n  To settle it by hand:\n"
        f"    newsletter resolve {slug} --accepted {number} | --resend {number} | --drop {number}"
    )


def pluralize(count: int, noun: str) -> str:
    """``1 reader``, ``2,481 readers``; ``1 batch``, ``3 batches``."""
    plural = "es" if noun.endswith("ch") else "s"
    return f"{count:,} {noun}" + ("" if count == 1 else plural)


def _print_counts(status: "SendStatus") -> None:
    of, counts = status.send, status.recipients_by_state
    sent = counts.get("accepted", 0)
    colour = "green" if of.state == "done" else "yellow"
    if status.is_held_by_provider:
        echo(f"SendGrid holds it for {sent:,} of {pluralize(of.total, 'reader')}.", color=colour)
        echo(f"Take it back with: newsletter cancel {of.slug}")
        echo_err(CANCELLATION_CAVEAT)
    else:
        echo(f"Sent to {sent:,} of {of.total:,} readers.", color=colour)
    rest = [
        (f"{counts[state]:,}", words)
        for state, words in RECIPIENT_STATE_LABELS.items()
        if state in counts
    ]
    if len(rest) > 1:
        echo(format_fields(rest))
