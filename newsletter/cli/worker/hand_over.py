"""Hand a send over to the workers, or run the sender here, and print the result."""

import os
import time
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

from newsletter.cli.output import echo, echo_err, print_json
from newsletter.cli.progress import progress_bar
from newsletter.cli.send.run_result import count_recipients, report_run
from newsletter.cli.send.shared import open_notifier, run_and_notify
from newsletter.cli.worker.worker_table import warn_of_missing_sweeper
from newsletter.wording import format_count

if TYPE_CHECKING:
    from newsletter.sending.providers.provider import Outcome
    from newsletter.sending.service import ObserverFactory, SendContext

POLL_SECONDS = 1.0


def deliver_or_hand_over(  # noqa: PLR0913 - a run, and how it is printed
    context: "SendContext",
    run: "Callable[[ObserverFactory], Outcome | None]",
    *,
    wait: bool,
    strict: bool,
    as_json: bool,
    more: Mapping[str, object] = MappingProxyType({}),
    is_due: bool = False,
) -> int:
    """Have the live workers send it, or run the sender here; print the result.

    Args:
        context: the send.
        run: runs the sender in this process, with an observer.
        wait: whether to wait for the workers, if they send it.
        strict: whether a single rejected recipient is a failure.
        as_json: whether one JSON object is printed.
        more: further keys of that object.
        is_due: whether it was scheduled, so that nobody has started it.

    Returns:
        The exit code.

    Raises:
        NewsletterError: the send can't be resumed, or was stopped; or nobody was accepted.
    """
    worker_count = _hand_over_to_workers(context, is_due=is_due)
    if worker_count and not wait:
        return _report_handed_over(context, worker_count, as_json=as_json, more=more)
    outcome = None
    if worker_count:
        before = _wait_for_workers(context)
    else:
        before = count_recipients(context)
        outcome = run_and_notify(context, run, is_due=is_due)
    return report_run(context, outcome, before, strict=strict, as_json=as_json, more=more)


def _hand_over_to_workers(context: "SendContext", *, is_due: bool) -> int:
    """Hand a send over to the live workers; return how many, 0 if nothing was done."""
    from newsletter.sending.lanes.lane_jobs import hand_over_send, has_workers
    from newsletter.sending.lanes.worker_records import lacks_worker, list_workers
    from newsletter.sending.planning.frozen_content import load_frozen_email
    from newsletter.sending.planning.preflight import require_resumable

    project, ledger, send = context
    if not has_workers(ledger.engine):
        return 0
    # Of a send that is due, the lane reports what is wrong: nobody reads it here.
    if not is_due and not lacks_worker(ledger):
        require_resumable(send, load_frozen_email(ledger, send), project.config, os.environ)
    worker_count = hand_over_send(ledger, send)
    if not worker_count:
        echo_err("No worker is running, so this command sends it.")
        return 0
    warn_of_missing_sweeper(list_workers(ledger))
    if is_due:  # a lane does so only for a send that it starts
        notifier = open_notifier(project, ledger)
        notifier.notify_start(send)
        notifier.wait()
    return worker_count


def _report_handed_over(
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


def _wait_for_workers(context: "SendContext") -> dict[str, int]:
    """Show the progress of all workers together until the send is over, or no worker is left.

    Ctrl-C ends the wait, and not the send.

    Returns:
        State -> how many recipients were in it before.
    """
    from newsletter.sending.lanes.worker_records import lacks_worker
    from newsletter.sending.ledger.record import get_send
    from newsletter.sending.ledger.status import count_open_recipients

    ledger, slug = context.ledger, context.send.slug
    open_count, done, has_worker = 0, 0, True
    try:
        before = count_recipients(context)
        open_count = count_open_recipients(ledger, context.send)
        with progress_bar(open_count, "Sending") as advance:
            while True:
                current = get_send(ledger, context.send.issue)
                newly_done = open_count - count_open_recipients(ledger, context.send) - done
                advance(newly_done)
                done += newly_done
                if current is None or current.state != "running":
                    break
                has_worker = not lacks_worker(ledger)
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
            "No worker is running any more. Start one and it goes on: newsletter worker",
            color="yellow",
        )
    if current and current.reason:
        echo_err(f"It was stopped: {current.reason}", color="yellow")
    return before
