"""Hand a send over to the workers, and wait for them."""

import os
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING

from newsletter.cli.output import echo, echo_err, print_json
from newsletter.cli.progress import progress_bar
from newsletter.cli.worker.worker_table import warn_of_missing_workers
from newsletter.wording import format_count

if TYPE_CHECKING:
    from newsletter.sending.ledger.status import SendStatus
    from newsletter.sending.service import SendContext

POLL_SECONDS = 1.0
# How many polls find no worker before the wait ends: systemd restarts one after 30 seconds, and its
# program takes a few to start.
MAX_POLLS_WITHOUT_WORKER = 60


def hand_over_to_workers(context: "SendContext", *, is_due: bool) -> int:
    """Hand a send over to the live workers; return how many, 0 if nothing was done.

    Args:
        context: the send.
        is_due: whether it was scheduled, so that nobody has started it.

    Raises:
        SendRefusedError: it can't be resumed, or another command has replaced the plan.
    """
    from newsletter.sending.lanes.lane_jobs import hand_over_send, has_workers
    from newsletter.sending.lanes.worker_records import (
        get_worker_presence,
        lacks_worker,
        list_workers,
    )
    from newsletter.sending.ledger.record import STARTABLE_STATES
    from newsletter.sending.notifications.notifier import Notifier
    from newsletter.sending.planning.frozen_content import load_frozen_email
    from newsletter.sending.planning.preflight import require_resumable

    project, ledger, send = context
    if not has_workers(ledger.engine):
        return 0
    # Of a send that is due, the lane reports what is wrong: nobody reads it here.
    if not is_due and not lacks_worker(ledger):
        require_resumable(send, load_frozen_email(ledger, send), project.config, os.environ)
    # A send that is due may have been started, and paused by hand, since it was looked up.
    from_states = ("frozen",) if is_due else STARTABLE_STATES
    worker_count = hand_over_send(ledger, send, from_states)
    if not worker_count:
        if get_worker_presence(ledger) == "other":
            echo_err(
                "The workers that run take no part in sends, so this command sends it. For the "
                "next one, start: newsletter worker --queues sends"
            )
        else:
            echo_err("No worker is running, so this command sends it.")
        return 0
    warn_of_missing_workers(list_workers(ledger))
    if is_due:  # a lane does so only for a send that it starts
        notifier = Notifier(project, ledger, lambda text: echo_err(text, color="yellow"))
        notifier.notify_start(send)
        notifier.wait()
    return worker_count


def report_handed_over(
    status: "SendStatus", worker_count: int, *, as_json: bool, more: Mapping[str, object]
) -> int:
    """Print that workers send it, and how to follow them; return the exit code."""
    if as_json:
        print_json(status.as_data() | {"workers": worker_count} | dict(more))
        return 0
    slug = status.send.slug
    verb = "sends" if worker_count == 1 else "send"
    echo(f"{format_count(worker_count, 'worker')} {verb} it now.", color="green")
    echo(f"Follow it with: newsletter status {slug} --watch")
    echo(f"Stop it with: newsletter pause {slug}")
    return 0


def wait_for_workers(context: "SendContext", open_count: int) -> None:
    """Show the progress of all workers together until the send is over, or no worker is left.

    The only worker may be restarted, so the wait goes on for a while without any. Of a send that is
    paused or cancelled, the requests in flight are awaited. Ctrl-C ends the wait, and not the send.

    Args:
        context: the send.
        open_count: how many of its recipients were pending before it was handed over.
    """
    from newsletter.sending.lanes.worker_records import lacks_sweeper, lacks_worker, list_workers
    from newsletter.sending.ledger.find_sends import find_block_remedy
    from newsletter.sending.ledger.leases import has_live_lease
    from newsletter.sending.ledger.record import get_send
    from newsletter.sending.ledger.status import count_open_recipients

    ledger, slug = context.ledger, context.send.slug
    done, polls_without_worker = 0, 0
    try:
        is_warned = lacks_sweeper(list_workers(ledger))  # when it was handed over
        with progress_bar(open_count, "Sending") as advance:
            while True:
                current = get_send(ledger, context.send.issue)
                newly_done = open_count - count_open_recipients(ledger, context.send) - done
                advance(newly_done)
                done += newly_done
                is_over = current is None or current.state != "running"
                if is_over and not has_live_lease(ledger, context.send):
                    break
                polls_without_worker = polls_without_worker + 1 if lacks_worker(ledger) else 0
                if polls_without_worker == 1:
                    echo_err("No worker can be seen; waiting for one to start.", color="yellow")
                if polls_without_worker > MAX_POLLS_WITHOUT_WORKER:
                    break
                workers = [] if is_warned or polls_without_worker else list_workers(ledger)
                if workers and lacks_sweeper(workers):
                    warn_of_missing_workers(workers)
                    is_warned = True
                time.sleep(POLL_SECONDS)
    except KeyboardInterrupt:
        echo_err(
            f"\nThe workers go on: {done:,} of {format_count(open_count, 'reader')} are done.\n"
            f"Follow it with: newsletter status {slug} --watch\n"
            f"Stop it with: newsletter pause {slug}"
        )
        raise SystemExit(1) from None
    if polls_without_worker > MAX_POLLS_WITHOUT_WORKER:
        echo_err(
            "No worker can be seen any more. Start one and it goes on: newsletter worker",
            color="yellow",
        )
    if current and current.reason and current.state != "cancelled":  # which is told anyway
        echo_err(f"It was stopped: {current.reason}", color="yellow")
        if remedy := find_block_remedy(ledger, current, context.project.config):
            echo_err(remedy, color="yellow")
