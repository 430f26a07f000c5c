"""Doctor on sends that wait here: who would start them."""

import datetime

import pytest
import sqlalchemy as sa
from sending_fixtures import MakeReaders, Subscribe, configured

from newsletter.db.schema import send, setting
from newsletter.sending.doctor.waiting_sends import check_waiting_sends
from newsletter.sending.ledger.record import Ledger
from newsletter.sending.planning.freeze_recipients import freeze_send
from newsletter.sending.providers.prepared_email import PreparedEmail

HOUR = 60


@pytest.mark.parametrize(
    ("due_in", "seen_before", "state", "says"),
    [
        (HOUR, 1, "ok", "newsletter serve was seen 1 minute ago"),
        (HOUR, 2 * HOUR, "warn", "newsletter serve was seen 2 hours ago"),
        (HOUR, None, "warn", "nothing that starts it was seen"),
        (-HOUR, 1, "ok", "newsletter serve was seen"),
        (-2 * HOUR, 1, "fail", "the first was due at"),
        (None, None, None, ""),
    ],
)
def test_doctor_says_what_starts_the_waiting_sends(
    ledger: Ledger,
    prepared: PreparedEmail,
    make_readers: MakeReaders,
    subscribe: Subscribe,
    due_in: int | None,
    seen_before: int | None,
    state: str | None,
    says: str,
) -> None:
    subscribe(make_readers(3))
    freeze_send(ledger, prepared)
    now = datetime.datetime.now(datetime.UTC)
    with ledger.engine.begin() as connection:
        if due_in:
            time = now + datetime.timedelta(minutes=due_in)
            connection.execute(sa.update(send).values(scheduled_at=time))
        if seen_before:
            seen_at = now - datetime.timedelta(minutes=seen_before)
            connection.execute(
                sa.insert(setting).values(key="heartbeat.serve", value=seen_at.isoformat())
            )
    checks = list(check_waiting_sends(ledger.engine, configured()))
    assert [check.state for check in checks] == ([state] if state else [])
    assert all(says in check.says for check in checks)
    assert all(check.next_step for check in checks if check.state != "ok")
