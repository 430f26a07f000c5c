"""Messages to the editor about the outcome of a batch's request. Pure."""

from collections.abc import Callable
from datetime import datetime

from newsletter.errors import Problem
from newsletter.sending.delivery.record_results import BatchResult
from newsletter.sending.providers.provider import Outcome
from newsletter.sending.providers.registry import get_facts


def describe_result(result: BatchResult, format_time: Callable[[datetime], str]) -> str:
    """Return what to show about a recorded result; ``""`` for a success."""
    outcome, action, size = result.outcome, result.action, len(result.recipient_ids)
    name, message = f"batch {result.batch.number}", outcome.message
    if action.batch_state == "unknown":
        return f"{name}: {message}; its {size:,} readers may or may not have the email"
    if action.batch_state == "split":
        return f"{name} was refused as a whole ({message}); trying its halves"
    if action.recipient_errors or action.batch_state == "rejected":
        rejected = f"{len(action.recipient_errors) or size:,} of {size:,} readers"
        return f"{name}: {get_facts().name} refused {rejected}: {message}"
    if outcome.kind == "throttled" and action.retry_at:
        return f"{get_facts().name} asks for a pause; resuming at {format_time(action.retry_at)}"
    if outcome.kind == "not_sent":
        return f"{name}: {message}; nothing was sent, trying again"
    return ""


def unrecorded_problem(batch_number: int, outcome: Outcome, slug: str) -> Problem:
    """Return the problem of an outcome that could not be recorded: what is true, what to do.

    On record the batch stays in flight, so that it becomes unknown when its lease expires.

    Args:
        batch_number: the number that the editor knows the batch by.
        outcome: what the response proves.
        slug: the issue's name for commands.
    """
    resolve = f"newsletter resolve {slug}"
    match outcome.kind:
        case "accepted":
            message = "was sent, but its outcome could not be recorded"
            command = f"settle it with: {resolve} --accepted {batch_number}"
        case "unknown":
            message = f"may have been sent ({outcome.message}), and that could not be recorded"
            command = f"let {get_facts().name}'s events settle it: newsletter reconcile {slug}"
        case "rejected" | "blocked":
            message = (
                f"was refused by {get_facts().name} ({outcome.message}), and that could not be "
                "recorded"
            )
            command = f"send it again with: {resolve} --resend {batch_number}"
        case "throttled" | "not_sent":
            message = f"was not sent ({outcome.message}), and that could not be recorded"
            command = f"send it with: {resolve} --resend {batch_number}"
    return Problem(
        f"batch {batch_number} {message}",
        remedy="It is never sent again automatically: its readers will count as unknown. Once they "
        f"do, {command}",
    )


def unreleased_problem(batch_number: int, slug: str) -> Problem:
    """Return the problem of a batch that was not sent, but may be on record as in flight."""
    return Problem(
        f"batch {batch_number} was not sent, but may be on record as sent",
        remedy="If its readers count as unknown later, send it with: newsletter resolve "
        f"{slug} --resend {batch_number}",
    )


def describe_batch(issue: str, result: BatchResult) -> dict[str, object]:
    """Return what the log says of a batch's request: numbers only, no address.

    With its ids as the provider's events have them, and the number that the editor knows it by.
    """
    return {
        "issue": issue,
        "send_id": result.batch.send_id,
        "batch_id": result.batch.id,
        "batch": result.batch.number,
        "attempt": result.batch.attempt_number,
        "state": result.action.batch_state,
        "readers": len(result.recipient_ids),
    }
