"""Schedule an issue without asking, as ``newsletter send --at --yes`` does."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from newsletter.cli.output import echo
from newsletter.cli.project_database import open_project_database
from newsletter.cli.send.proposal import (
    format_schedule_rows,
    parse_schedule,
    print_proposal,
    raise_if_refused,
)
from newsletter.cli.send.send import confirm_and_deliver
from newsletter.cli.send.shared import check_published_images
from newsletter.errors import NothingToDoError

if TYPE_CHECKING:
    from newsletter.project import Project


@dataclass(frozen=True, slots=True)
class ScheduleRequest:
    """How an issue is scheduled; see the options of ``newsletter send``."""

    at: str
    segment: str | None = None
    hold_at_sendgrid: bool = False
    local: bool = False
    no_image_check: bool = False


def schedule_issue(
    project: "Project",
    issue: str,
    request: ScheduleRequest,
    *,
    as_json: bool,
    more: Mapping[str, object],
) -> int:
    """Schedule an issue; return the exit code. One that is scheduled or sent is left as it is.

    Args:
        project: the editor's folder.
        issue: the name of the issue's folder.
        request: when, to whom, and who holds it.
        as_json: whether one JSON object is printed.
        more: further keys of that object.

    Raises:
        NewsletterError: the send is refused.
    """
    from newsletter.sending.delivery.sender import CONCURRENCY
    from newsletter.sending.ledger.find_sends import open_ledger
    from newsletter.sending.planning.image_check import list_image_urls
    from newsletter.sending.planning.proposal import SendOptions
    from newsletter.sending.planning.schedule import choose_waiting_place
    from newsletter.sending.service import plan

    with open_project_database(project) as engine:
        place = choose_waiting_place(local=request.local, at_provider=request.hold_at_sendgrid)
        ledger = open_ledger(engine, project.config)
        scheduled_time = parse_schedule(
            ledger, project.config, request.at, place=place, limit_per_hour=None
        )
        proposal = plan(project, issue, engine, SendOptions(request.segment or ""))
        if problem := proposal.schedule_problem:
            raise NothingToDoError.from_problems([problem])
        raise_if_refused(proposal)
        if not request.no_image_check:
            urls = list_image_urls(proposal)
            check_published_images(proposal.ledger, project.config, issue, urls)
        if not as_json:
            print_proposal(
                proposal, format_schedule_rows(scheduled_time, project.config, proposal.resumed)
            )
            echo()
        return confirm_and_deliver(
            proposal, scheduled_time, None, CONCURRENCY, strict=False, as_json=as_json, more=more
        )
