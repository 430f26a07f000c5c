"""``newsletter reschedule``: send a scheduled send at another time, or now."""

import os
from typing import TYPE_CHECKING

import click

from newsletter.cli.options import (
    at_option,
    concurrency_option,
    hold_option,
    json_option,
    local_option,
    no_image_check_option,
    repeat_article_option,
    strict_option,
    wait_option,
    yes_option,
)
from newsletter.cli.output import confirm_count, echo, echo_err, format_fields
from newsletter.cli.send.proposal import (
    format_schedule_rows,
    parse_schedule,
    print_scheduled,
)
from newsletter.cli.send.run_result import deliver_or_hand_over
from newsletter.cli.send.shared import (
    back_up_before_send,
    check_published_images,
    open_send_context,
)
from newsletter.wording import format_count

if TYPE_CHECKING:
    from newsletter.sending.ledger.record import Send
    from newsletter.sending.planning.schedule import ScheduledTime, WaitingPlace
    from newsletter.sending.reschedule import RescheduleProposal


@click.command("reschedule", short_help="Send a scheduled send at another time, or now.")
@click.argument("issue")
@at_option
@click.option("--now", is_flag=True, help="Send it now.")
@hold_option
@local_option
@repeat_article_option
@concurrency_option
@wait_option
@strict_option
@no_image_check_option
@yes_option
@json_option
def reschedule_command(  # noqa: PLR0913 - one parameter per option
    issue: str,
    *,
    at: str | None,
    now: bool,
    hold_at_sendgrid: bool,
    local: bool,
    repeat_article: bool,
    concurrency: int,
    wait: bool,
    strict: bool,
    no_image_check: bool,
    yes: bool,
    as_json: bool,
) -> int:
    """Send a scheduled send at another time, or now: the same email to the same readers.

    ISSUE is an issue's name or a part of it. What was frozen is sent, even if the issue's
    files have changed since; to send it as it is now, cancel it and send it again. Readers
    who have unsubscribed since are left out.

    What SendGrid holds is cancelled there first. If SendGrid does not confirm that at least
    10 minutes before the old time, nothing is sent at the new one, and the exit code is 1: it
    may still go out at the old time. It waits where it waited before, unless
    --hold-at-sendgrid or --local is given. With --now, as with newsletter send, workers send
    it if any is running.

    \b
    Examples:
      newsletter reschedule building-trust --at 'Wed 09:00'
      newsletter reschedule building-trust --now
    """
    from newsletter.sending import service
    from newsletter.sending.planning.image_check import list_email_image_urls
    from newsletter.sending.planning.schedule import choose_waiting_place
    from newsletter.sending.providers.registry import get_provider
    from newsletter.sending.reschedule import perform_reschedule, propose_reschedule

    if now == bool(at):
        raise click.UsageError("give either --at TIME or --now")
    if now and (hold_at_sendgrid or local):
        raise click.UsageError("--hold-at-sendgrid and --local require --at")
    with open_send_context(issue) as context:
        config = context.project.config
        place = choose_waiting_place(local=local, at_provider=hold_at_sendgrid)
        scheduled_time = parse_schedule(
            context.ledger,
            config,
            at,
            place=_keep_place(context.send, place) if at else place,
            limit_per_hour=context.send.limit_per_hour,
        )
        proposal = propose_reschedule(context, repeat_article=repeat_article)
        if not no_image_check:
            urls = list_email_image_urls(proposal.email, config)
            check_published_images(context.ledger, config, context.send.issue, urls)
        if not as_json:
            _print_reschedule(proposal, scheduled_time)
        if not yes:
            confirm_count(proposal.recipient_count, "send now" if now else "reschedule")
        back_up_before_send(context.project, context.ledger.engine)
        with get_provider(config).connect(os.environ) as client:
            moved = perform_reschedule(proposal, client, scheduled_time)
            if scheduled_time and moved.send.is_scheduled_locally:
                return print_scheduled(moved, as_json=as_json, verb="Rescheduled")
            return deliver_or_hand_over(
                moved,
                lambda observe: service.deliver(moved, client, observe, concurrency),
                wait=wait,
                strict=strict,
                as_json=as_json,
            )


def _keep_place(send: "Send", place: "WaitingPlace") -> "WaitingPlace":
    """Return where it waits: where it waited before, if no option is given."""
    if place != "here" or not send.scheduled_at:
        return place
    return "provider" if send.provider_batch_id else "here_unseen"


def _print_reschedule(
    proposal: "RescheduleProposal", scheduled_time: "ScheduledTime | None"
) -> None:
    from zoneinfo import ZoneInfo

    from newsletter.render.personalization import get_default_subject
    from newsletter.sending.ledger.record import get_ledger_time
    from newsletter.sending.planning.repeated_article import is_issue_changed
    from newsletter.sending.planning.send_schedule import describe_schedule

    context = proposal.context
    send, config = context.send, context.project.config
    zone = ZoneInfo(config.timezone)
    readers = format_count(proposal.recipient_count, "reader")
    earlier_time = describe_schedule(send, get_ledger_time(context.ledger), zone)
    rows = [
        ("from", f"{proposal.email.sender.name} <{proposal.email.sender.address}>"),
        ("to", f"{readers}, as planned"),
        ("so far", earlier_time.removeprefix("is ")),
        *(format_schedule_rows(scheduled_time, config) or [("when", "now")]),
    ]
    echo(get_default_subject(proposal.email, config))
    echo(format_fields(rows))
    if is_issue_changed(context.project, send):
        echo_err(
            "The issue's files have changed since. This sends what was frozen; to send them as\n"
            f"they are now: newsletter cancel {send.slug}, then {send.send_command}",
            color="yellow",
        )
