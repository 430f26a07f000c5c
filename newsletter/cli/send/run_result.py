"""Run the sender or hand over; print the result, choose the exit code."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

from newsletter.cli.output import echo, echo_err, format_fields, print_json
from newsletter.cli.send.shared import CANCELLATION_CAVEAT, print_unknown_batches, run_and_notify
from newsletter.errors import (
    NewsletterError,
    NothingToDoError,
    Problem,
    ProviderError,
    SendRefusedError,
)
from newsletter.wording import format_count

if TYPE_CHECKING:
    from newsletter.sending.ledger.status import SendStatus
    from newsletter.sending.providers.provider import Outcome
    from newsletter.sending.service import ObserverFactory, SendContext

MAX_REASONS_SHOWN = 3


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
    from newsletter.cli.worker.hand_over import (
        hand_over_to_workers,
        report_handed_over,
        wait_for_workers,
    )
    from newsletter.sending.ledger.status import get_send_status

    # Before: once it is handed over, readers get it.
    before = count_recipients(context) if wait else None
    worker_count = hand_over_to_workers(context, is_due=is_due)
    if worker_count and not wait:
        status = get_send_status(context.ledger, context.send)
        if status.send.state not in {"cancelled", "paused", "blocked"}:
            return report_handed_over(status, worker_count, as_json=as_json, more=more)
    before = before or count_recipients(context)
    outcome = None
    if worker_count and wait:
        wait_for_workers(context, before.get("pending", 0))
    elif not worker_count:
        outcome = run_and_notify(context, run, is_due=is_due)
    return report_run(context, outcome, before, strict=strict, as_json=as_json, more=more)


def count_recipients(context: "SendContext") -> dict[str, int]:
    """Return state -> how many recipients of the send are in it, before it is run."""
    from newsletter.sending.ledger.record import count_recipients_by_state

    return count_recipients_by_state(context.ledger, context.send)


def report_run(  # noqa: PLR0913 - a run, and how it is printed
    context: "SendContext",
    outcome: "Outcome | None",
    before: Mapping[str, int],
    *,
    strict: bool,
    as_json: bool,
    more: Mapping[str, object] = MappingProxyType({}),
) -> int:
    """Print the result of a run of the sender; return the exit code.

    Args:
        context: the send.
        outcome: the outcome that stopped it, if one did.
        before: from ``count_recipients``, before the run.
        strict: whether a single rejected recipient is a failure.
        as_json: whether to print one JSON object instead of text.
        more: further keys of that object.

    Raises:
        ProviderError: ``outcome``; or SendGrid has rejected everybody.
    """
    from newsletter.db.transaction import call_twice_if_lost
    from newsletter.sending.ledger.status import get_send_status

    status = call_twice_if_lost(lambda: get_send_status(context.ledger, context.send))
    if as_json:
        print_json(status.as_data() | dict(more))
    else:
        _print_counts(status)
    print_unknown_batches(status)
    if outcome:
        raise _stop_error(status, outcome)
    slug, counts = status.send.slug, status.recipients_by_state
    reasons = _format_rejection_reasons(context) if counts.get("rejected") else ""
    if status.send.state == "done" and accepted_nobody(counts, before):
        raise _nobody_accepted_error(status, reasons)
    if status.send.state == "cancelled":
        echo_err("It was cancelled by another command.", color="yellow")
        if status.phase == "uncertain" and counts.get("accepted"):
            echo_err(
                f"SendGrid holds it for {format_count(counts['accepted'], 'reader')}. Cancel that, "
                f"too, with: newsletter cancel {slug}",
                color="yellow",
            )
    elif counts.get("pending"):
        echo_err(f"Resume with: newsletter resume {slug}")
    if reasons:
        refused = format_count(counts["rejected"], "reader")
        echo_err(f"SendGrid refused {refused}: {reasons}", color="yellow")
        echo_err(f"Retry the refused with: newsletter retry {slug}")
    return 0 if status.send.state == "done" and is_success(counts, strict=strict) else 1


def is_success(recipients_by_state: Mapping[str, int], *, strict: bool) -> bool:
    """Return whether a finished send counts as done: somebody has the email.

    Args:
        recipients_by_state: state -> how many recipients.
        strict: whether a single rejected recipient is a failure.
    """
    has_rejected = bool(recipients_by_state.get("rejected"))
    return bool(recipients_by_state.get("accepted")) and not (strict and has_rejected)


def finished_send_error(
    problem: Problem, recipients_by_state: Mapping[str, int], *, strict: bool
) -> NewsletterError:
    """Return the error for a send that has finished and would be the same again.

    Args:
        problem: from ``newsletter.sending.planning.preflight.finished_send_problem``.
        recipients_by_state: state -> how many recipients.
        strict: whether a single rejected recipient is a failure.
    """
    is_done = is_success(recipients_by_state, strict=strict)
    return (NothingToDoError if is_done else SendRefusedError).from_problems([problem])


def accepted_nobody(after: Mapping[str, int], before: Mapping[str, int]) -> bool:
    """Return whether SendGrid has rejected recipients in a run, and accepted none.

    Args:
        after: state -> how many recipients, after the run.
        before: the same, before the run.
    """
    accepted, rejected = (
        after.get(state, 0) - before.get(state, 0) for state in ("accepted", "rejected")
    )
    return rejected > 0 and accepted <= 0


def _stop_error(status: "SendStatus", outcome: "Outcome") -> ProviderError:
    resume = f"Resume with: newsletter resume {status.send.slug}"
    return ProviderError(
        f"SendGrid: {outcome.message}"
        if outcome.status
        else f"SendGrid can't be reached: {outcome.message}",
        remedy=" ".join(filter(None, (outcome.remedy, resume))),
    )


def _nobody_accepted_error(status: "SendStatus", reasons: str) -> ProviderError:
    from newsletter.sending.planning.preflight import nobody_accepted_remedy

    counts, slug = status.recipients_by_state, status.send.slug
    refused = format_count(counts["rejected"], "reader")
    retry = f"Retry the refused with: newsletter retry {slug}"
    return ProviderError(
        f"SendGrid refused {refused} and accepted nobody: {reasons}",
        remedy=retry if counts.get("accepted") else nobody_accepted_remedy(status.send),
    )


def _format_rejection_reasons(context: "SendContext") -> str:
    """Format SendGrid's own words, with the number of readers if they differ."""
    from newsletter.db import read_transaction
    from newsletter.sending.ledger.recipient_status import count_rejection_reasons

    with read_transaction(context.ledger.engine) as connection:
        reasons = count_rejection_reasons(connection, context.send)
    if len(reasons) == 1:
        return reasons[0][0]
    shown = [f"{reason} ({count:,})" for reason, count in reasons[:MAX_REASONS_SHOWN]]
    more = len(reasons) - len(shown)
    return "; ".join(shown) + (f"; and {more:,} other reasons" if more else "")


def _print_counts(status: "SendStatus") -> None:
    from newsletter.sending.ledger.recipient_status import RECIPIENT_STATE_LABELS

    send, counts = status.send, status.recipients_by_state
    sent = counts.get("accepted", 0)
    color = "green" if send.state == "done" and sent else "yellow"
    if status.is_held_by_provider:
        echo(
            f"SendGrid holds it for {sent:,} of {format_count(send.total, 'reader')}.", color=color
        )
        echo(f"Cancel it with: newsletter cancel {send.slug}")
        echo_err(CANCELLATION_CAVEAT)
    else:
        echo(f"Sent to {sent:,} of {format_count(send.total, 'reader')}.", color=color)
    state_rows = [
        (f"{counts[state]:,}", labels.in_send.format(provider=send.provider_name))
        for state, labels in RECIPIENT_STATE_LABELS.items()
        if state in counts
    ]
    if len(state_rows) > 1 or not sent:
        echo(format_fields(state_rows))
