"""Sign up by a web form: double or single opt-in, signup status.

The form alone may do little, since anybody can enter any address; the rest needs a confirmation
from the mailbox. Each function runs within the caller's transaction, like those of ``changes``.
"""

from typing import Literal, NamedTuple

import sqlalchemy as sa

from newsletter.db.schema import subscriber
from newsletter.subscribers.address import ParsedAddress
from newsletter.subscribers.consent.changes import confirm, resubscribe, subscribe
from newsletter.subscribers.consent.erasure import find_erased, lock_list
from newsletter.subscribers.consent.journal import ChangeOrigin
from newsletter.subscribers.consent.suppressions import load_suppressions
from newsletter.subscribers.consent.tracking_answers import (
    TrackingAnswers,
    record_tracking_answers,
)
from newsletter.subscribers.consent.transitions import SUPPRESSED_STATUSES


class TrackingForm(NamedTuple):
    """The answer to a form that asked whether opens or clicks may be recorded.

    Attributes:
        answers: what the form asked about, and whether they agreed.
        wording: the wording that they saw.
    """

    answers: TrackingAnswers
    wording: str


SignupStatus = Literal["new", "pending", "active", "gone"]


def get_signup_status(connection: sa.Connection, key: str) -> SignupStatus:
    """Return the signup status of an address; ``gone`` if it is suppressed or was erased."""
    status = connection.scalar(
        sa.select(subscriber.c.status).where(subscriber.c.address_key == key)
    )
    suppressed = status in SUPPRESSED_STATUSES or load_suppressions(connection, key)
    if suppressed or find_erased(connection, [key]):
        return "gone"
    return "active" if status == "active" else "pending" if status else "new"


def sign_up(
    connection: sa.Connection,
    address: ParsedAddress,
    origin: ChangeOrigin,
    *,
    name: str,
    single_opt_in: bool,
) -> SignupStatus:
    """Add an address that was entered in a form, unless it is known already.

    Args:
        connection: a connection in a writing transaction.
        address: the address.
        origin: when, and the form.
        name: the name of a new subscriber.
        single_opt_in: whether the form is enough, without a confirmation. It is never enough for
            somebody who has unsubscribed, or anybody could subscribe them again.

    Returns:
        The signup status before.
    """
    lock_list(connection)
    before = get_signup_status(connection, address.key)
    if before == "new":
        status = "active" if single_opt_in else "pending"
        subscribe(connection, address, status, origin, name=name)
    elif before == "pending" and single_opt_in:
        confirm(connection, address.key, origin)
    return before


def confirm_signup(
    connection: sa.Connection,
    address: ParsedAddress,
    origin: ChangeOrigin,
    *,
    name: str,
    tracking: TrackingForm | None = None,
) -> SignupStatus:
    """Make an address active, as the owner of the mailbox has confirmed; remove suppressions.

    Args:
        connection: a connection in a writing transaction.
        address: the address.
        origin: when and where they confirmed, with the wording.
        name: the name of a new subscriber.
        tracking: what they have answered about tracking, if they were asked. It changes nothing for
            an address that was active already.

    Returns:
        The signup status before; afterwards it is ``active``.
    """
    lock_list(connection)
    before = get_signup_status(connection, address.key)
    if before in {"new", "gone"}:
        answered = tracking.answers if tracking else ()
        resubscribe(connection, address, "pending", origin, name=name, answered=answered)
    if before != "active":
        result = confirm(connection, address.key, origin)
        if result and tracking:
            answer_origin = origin._replace(wording=tracking.wording)
            record_tracking_answers(connection, result.id, tracking.answers, answer_origin)
    return before
