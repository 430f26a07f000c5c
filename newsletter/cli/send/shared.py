"""Shared by the send commands: observer, notifications, labels."""

import datetime
import sys
import textwrap
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import groupby
from typing import TYPE_CHECKING

from newsletter.cli.database.backup import print_orphan_rows
from newsletter.cli.output import echo_err, make_output_private, print_json
from newsletter.cli.progress import progress_bar
from newsletter.cli.project_database import open_project_database
from newsletter.errors import SendRefusedError
from newsletter.wording import format_count

if TYPE_CHECKING:
    import sqlalchemy as sa

    from newsletter.config import Config
    from newsletter.project import Project
    from newsletter.sending.delivery.observer import SendObserver
    from newsletter.sending.ledger.record import Ledger
    from newsletter.sending.ledger.status import SendStatus
    from newsletter.sending.notifications.notifier import Notifier
    from newsletter.sending.providers.provider import Outcome
    from newsletter.sending.service import ObserverFactory, SendContext

CANCELLATION_CAVEAT = (
    "SendGrid guarantees a cancellation only until 10 minutes before the scheduled time, and "
    "keeps only a few batches (10, by its newer documentation) cancelled at once."
)

# For a long list, both take a while.
PREPARING_NOTICE = "Rendering the issue and counting its readers ..."
FREEZING_NOTICE = "Storing who gets it ..."

# Of more batches the numbers are not spelled out: without any, a command is for all.
MAX_LISTED_BATCHES = 5


@contextmanager
def open_send_context(issue: str | None) -> "Iterator[SendContext]":
    """Find the send of an issue, or the latest one; the database is open within the context.

    Raises:
        ProjectError: no send matches, or several do.
    """
    from newsletter.project import open_project
    from newsletter.sending.ledger.find_sends import find_send, open_ledger
    from newsletter.sending.service import SendContext

    make_output_private()  # recipients, or what SendGrid has said of some
    project = open_project()
    with open_project_database(project) as engine:
        ledger = open_ledger(engine, project.config)
        yield SendContext(project, ledger, find_send(ledger, issue))


def print_send_json(context: "SendContext", **more: object) -> None:
    """Print the status of a send as one JSON object, as ``newsletter status --json`` does.

    Args:
        context: the send.
        more: further keys: what the command has done.
    """
    from newsletter.sending.ledger.status import get_send_status

    print_json(get_send_status(context.ledger, context.send).as_data() | more)


def back_up_before_send(project: "Project", engine: "sa.Engine") -> None:
    """Back up the list and the record of sends, if they are in SQLite; keep the last few copies.

    Raises:
        DatabaseError: the database belongs to another newsletter, or can't be backed up.
    """
    from newsletter.db.automatic_backup import back_up_automatically
    from newsletter.db.engine import sqlite_file

    database = sqlite_file(project.config.database, project.root)
    if database is None:
        return
    with engine.begin():  # refused here: or the other newsletter's backups would be replaced
        pass
    with progress_bar(100, "Backing up") as advance:
        backup = back_up_automatically(database, datetime.datetime.now(datetime.UTC), advance)
    print_orphan_rows(backup.orphan_rows)


def refuse_copied_database(ledger: "Ledger") -> None:
    """Refuse to send from a database that is a copy and has not been adopted.

    Raises:
        SendRefusedError: it is one.
    """
    from newsletter.db import read_transaction
    from newsletter.sending.ledger.copied_database import require_adopted

    with read_transaction(ledger.engine) as connection:
        require_adopted(connection)


def check_published_images(ledger: "Ledger", config: "Config", issue: str, urls: list[str]) -> None:
    """Request an issue's images, so that no email goes out whose images readers can't see.

    Raises:
        SendRefusedError: readers could not see one of them.
    """
    from newsletter.sending.planning.image_check import check_images

    with progress_bar(len(urls), "Checking images") as advance:
        problems = check_images(ledger.engine, config, issue, urls, advance)
    if problems:
        raise SendRefusedError.from_problems(problems)


def terminal_observer(context: "SendContext") -> "ObserverFactory":
    """Return a factory of observers that show a send on the terminal and stop it on Ctrl-C."""
    from newsletter.cli.terminal import observe_send
    from newsletter.sending.ledger.pause_cancel_retry import MANUAL_STOP_REASON
    from newsletter.sending.ledger.record import stop_send

    @contextmanager
    def open_observer(pending: int) -> "Iterator[SendObserver]":
        try:
            with observe_send(pending) as observer:
                yield observer
        except KeyboardInterrupt:
            # First, since the database may be what the editor does not want to wait for.
            echo_err(
                "\nStopped immediately. A request in flight counts as unknown when its lease "
                f"expires; nobody is sent it twice.\nSee: newsletter status {context.send.slug}\n"
                f"Resume with: newsletter resume {context.send.slug}"
            )
            stop_send(context.ledger, context.send, "paused", MANUAL_STOP_REASON)
            raise

    return open_observer


def run_and_notify(
    context: "SendContext",
    run: "Callable[[ObserverFactory], Outcome | None]",
    *,
    is_due: bool = False,
) -> "Outcome | None":
    """Run the sender, and notify the editor of its start and end.

    Of a run that the editor has started, only what needs them is notified, and only if it has no
    terminal: on a terminal they see it.

    Args:
        context: the send.
        run: runs the sender with an observer.
        is_due: whether it was scheduled, so that nobody has started it.

    Returns:
        The outcome that made the sender stop the send, if one did.

    Raises:
        NewsletterError: whatever ``run`` raises.
    """
    from newsletter.config.notify import NOTIFICATION_KINDS, NotificationKind

    notifier = open_notifier(context.project, context.ledger)
    open_terminal = terminal_observer(context)
    notified_kinds: tuple[NotificationKind, ...] = ()
    if is_due:
        notified_kinds = NOTIFICATION_KINDS
    elif not sys.stderr.isatty():
        notified_kinds = ("blocked", "needs_decision")

    @contextmanager
    def open_observer(pending: int) -> "Iterator[SendObserver]":
        with open_terminal(pending) as observer:
            notifier.notify_start(context.send, is_notified="started" in notified_kinds)
            yield observer

    try:
        outcome = run(open_observer)
    except Exception as error:
        notifier.notify_end(context.send, notified_kinds, error=str(error) or type(error).__name__)
        raise
    notifier.notify_end(context.send, notified_kinds, outcome=outcome)
    return outcome


def open_notifier(project: "Project", ledger: "Ledger") -> "Notifier":
    """Return what notifies the editor; failures are printed."""
    from newsletter.sending.notifications.notifier import Notifier

    return Notifier(project, ledger, lambda text: echo_err(text, color="yellow"))


def print_unknown_batches(status: "SendStatus") -> None:
    """Print for the unknown batches what happened, and the commands that resolve them."""
    for text in iter_unknown_batch_texts(status):
        echo_err(text)


def iter_unknown_batch_texts(status: "SendStatus") -> Iterator[str]:
    """Yield what happened to the unknown batches, and the commands that resolve them.

    Neighbors to which the same happened are described together: of a copied database, all.
    """
    slug = status.send.slug
    for reason, group in groupby(status.unknown_batches, lambda batch: batch.reason):
        batches = list(group)
        numbers = [batch.number for batch in batches]
        readers = format_count(sum(batch.recipient_count for batch in batches), "reader")
        text = textwrap.fill(
            f"{_format_batch_numbers(numbers)}: {reason or 'no response'}; {readers} may or may "
            "not have it. Nothing of it is sent again automatically. SendGrid's events can "
            "resolve it:",
            78,
            initial_indent="  ",
            subsequent_indent="  ",
        )
        # Without any number, the command is for all that are unknown.
        listed = "" if len(numbers) == len(status.unknown_batches) > 1 else " BATCH ..."
        if 0 < len(numbers) <= MAX_LISTED_BATCHES:
            listed = "".join(f" {number}" for number in numbers)
        commands = "\n".join(
            f"    newsletter resolve {slug} {option}{listed}"
            for option in ("--accepted", "--resend", "--drop")
        )
        yield (
            f"{text}\n    newsletter reconcile {slug}\n  To resolve it by hand, one of:\n{commands}"
        )


def _format_batch_numbers(numbers: list[int]) -> str:
    if len(numbers) == 1:
        return f"batch {numbers[0]}"
    if numbers[-1] - numbers[0] + 1 == len(numbers):
        return f"batches {numbers[0]} to {numbers[-1]}"
    return f"{len(numbers):,} batches, the first of them {numbers[0]}"
