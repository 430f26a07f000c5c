"""Hand a send over to the workers, and wait for them."""

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING

from newsletter.cli.output import echo, echo_err, print_json
from newsletter.cli.progress import progress_bar
from newsletter.wording import format_count

if TYPE_CHECKING:
    from newsletter.sending.service import SendContext

POLL_SECONDS = 1.0


def hand_over_to_workers(context: "SendContext") -> int:
    """Hand a send over to the live workers; return how many, 0 if nothing was done.

    Raises:
        SendRefusedError: another command has replaced the plan.
    """
    from newsletter.sending.lanes.lane_jobs import hand_over_send, has_workers

    worker_count = hand_over_send(context.ledger, context.send)
    if has_workers(context.ledger.engine) and not worker_count:
        echo_err("No worker is running, so this command sends it.")
    return worker_count


def report_handed_over(
    context: "SendContext", worker_count: int, *, as_json: bool, more: Mapping[str, object]
) -> int:
    """Print that workers send it, and how to follow them; return the exit code."""
    from newsletter.sending.ledger.status import get_send_status

    if as_json:
        data = get_send_status(context.ledger, context.send).as_data()
        print_json(data | {"workers": worker_count} | dict(more))
        return 0
    slug = context.send.slug
    verb = "sends" if worker_count == 1 else "send"
    echo(f"{format_count(worker_count, 'worker')} {verb} it now.", color="green")
    echo(f"Follow it with: newsletter status {slug} --watch")
    echo(f"Stop it with: newsletter pause {slug}")
    return 0


def wait_for_workers(context: "SendContext", open_count: int) -> None:
    """Show the progress of all workers together until the send is over, or no worker is left.

    Ctrl-C ends the wait, and not the send.

    Args:
        context: the send.
        open_count: how many recipients were pending before.
    """
    from newsletter.sending.lanes.worker_records import lacks_worker
    from newsletter.sending.ledger.record import count_recipients_by_state, get_send

    slug, done, has_worker = context.send.slug, 0, True
    try:
        with progress_bar(open_count, "Sending") as advance:
            while True:
                current = get_send(context.ledger, context.send.issue)
                counts = count_recipients_by_state(context.ledger, context.send)
                newly_done = open_count - counts.get("pending", 0) - done
                advance(newly_done)
                done += newly_done
                if current is None or current.state != "running":
                    break
                has_worker = not lacks_worker(context.ledger)
                if not has_worker:
                    break
                time.sleep(POLL_SECONDS)
    except KeyboardInterrupt:
        echo_err(
            f"\nThe workers go on: {done:,} of {format_count(open_count, 'reader')} are done.\n"
            f"Follow it with: newsletter status {slug} --watch\n"
            f"Stop it with: newsletter pause {slug}"
        )
        raise
    if not has_worker:
        echo_err(
            "No worker can be seen any more. Start one and it goes on: newsletter worker",
            color="yellow",
        )
    if current and current.reason:
        echo_err(f"It was stopped: {current.reason}", color="yellow")
