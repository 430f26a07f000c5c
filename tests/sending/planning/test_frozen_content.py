"""The frozen email is loaded unchanged; a plan that was changed in the database is refused."""

import datetime
from dataclasses import replace

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st
from sending_fixtures import NAME, FakeObserver, MakeReaders, Subscribe

from newsletter import __version__
from newsletter.db.schema import batch, send, send_content
from newsletter.errors import SendRefusedError
from newsletter.render.email import Email
from newsletter.sending.delivery.claim import claim_batches
from newsletter.sending.ledger import pause_cancel_retry
from newsletter.sending.ledger.record import Ledger, Send, get_send, start_send
from newsletter.sending.planning.freeze_recipients import freeze_send
from newsletter.sending.planning.frozen_content import (
    MAX_DIFF_LINES,
    compute_plan_checksum,
    diff_emails,
    load_frozen_email,
)
from newsletter.sending.planning.send_schedule import SendSchedule, save_schedule
from newsletter.sending.providers.prepared_email import PreparedEmail


@pytest.fixture
def frozen(
    ledger: Ledger, prepared: PreparedEmail, subscribe: Subscribe, make_readers: MakeReaders
) -> Send:
    """25 recipients in batches of ten."""
    subscribe(make_readers(25))
    return freeze_send(ledger, prepared)


def reload(ledger: Ledger, frozen: Send) -> Send:
    send_record = get_send(ledger, frozen.issue)
    assert send_record is not None
    return send_record


def test_email_is_loaded_as_it_was_frozen(
    ledger: Ledger, prepared: PreparedEmail, frozen: Send
) -> None:
    assert load_frozen_email(ledger, frozen) == prepared.email
    assert (frozen.app_version, len(frozen.plan_sha)) == (__version__, 64)


def test_email_without_reply_to_is_loaded_as_it_was_frozen(
    ledger: Ledger, prepared: PreparedEmail, subscribe: Subscribe, make_readers: MakeReaders
) -> None:
    subscribe(make_readers(1))
    email = replace(prepared.email, reply_to=None, headers=(), merge_tags=())
    assert load_frozen_email(ledger, freeze_send(ledger, replace(prepared, email=email))) == email


MANIPULATIONS = {
    "total": sa.update(send).values(total=24),
    "another hash": sa.update(send).values(content_sha="0" * 64),
    "size": sa.update(batch).where(batch.c.number == 3).values(size=4),
    "text": sa.update(send_content).values(text="Buy this"),
    "sender": sa.update(send_content).values(sender=["Harbour Notes", "other@example.com"]),
    "tag": sa.update(send_content).values(merge_tags=[["0", "city", "friend", "x"]]),
    "no content": sa.delete(send_content),
}


@pytest.mark.parametrize("change", MANIPULATIONS.values(), ids=MANIPULATIONS.keys())
def test_plan_that_was_changed_in_the_database_is_refused(
    ledger: Ledger, frozen: Send, change: sa.Update
) -> None:
    with ledger.engine.begin() as connection:
        connection.execute(change)
    with pytest.raises(SendRefusedError, match="was changed in the database") as refused:
        load_frozen_email(ledger, reload(ledger, frozen))
    assert "newsletter plan ice --again" in str(refused.value)


def test_plan_with_an_additional_batch_is_refused(ledger: Ledger, frozen: Send) -> None:
    with ledger.engine.begin() as connection:
        connection.execute(
            sa.insert(batch).values(send_id=frozen.id, number=4, size=1, state="ready")
        )
    with pytest.raises(SendRefusedError, match="was changed in the database"):
        load_frozen_email(ledger, frozen)


def test_plan_of_a_newer_version_is_refused_and_of_an_older_one_is_not(
    ledger: Ledger, frozen: Send
) -> None:
    with pytest.raises(SendRefusedError, match=r"made by newsletter 99\.0\.0"):
        load_frozen_email(ledger, replace(frozen, app_version="99.0.0"))
    assert (
        load_frozen_email(ledger, replace(frozen, app_version="0.0.0.dev1")).issue == frozen.issue
    )


@given(st.integers(0, 10**6), st.lists(st.integers(1, 1000), max_size=5))
def test_checksum_differs_for_different_plans(total: int, sizes: list[int]) -> None:
    checksum = compute_plan_checksum("ice", "a", total, sizes)
    assert checksum == compute_plan_checksum("ice", "a", total, tuple(sizes))
    for other in (
        compute_plan_checksum("fire", "a", total, sizes),
        compute_plan_checksum("ice", "b", total, sizes),
        compute_plan_checksum("ice", "a", total + 1, sizes),
        compute_plan_checksum("ice", "a", total, [*sizes, 1]),
    ):
        assert checksum != other


def test_difference_is_short_and_shows_merge_tags_as_written(email: Email) -> None:
    changed = replace(email, subject=f"Frozen again, {NAME.token('text')}")
    assert diff_emails(email, changed) == (
        "--- planned",
        "+++ now",
        f"-Subject: The ice let go, {NAME.source}",
        f"+Subject: Frozen again, {NAME.source}",
    )
    long = replace(email, text="\n".join(f"line {n}" * 100 for n in range(100)))
    lines = diff_emails(email, long)
    assert len(lines) == MAX_DIFF_LINES
    assert lines[-1].endswith("more lines")
    assert max(map(len, lines)) <= 200
    assert diff_emails(email, replace(email, html="<p>")) == (
        "only the HTML differs: its style, an image or a link's target",
    )


def test_send_that_has_started_cannot_be_scheduled(
    ledger: Ledger, frozen: Send, observer: FakeObserver
) -> None:
    start_send(ledger, frozen)
    assert claim_batches(ledger, frozen)
    with pytest.raises(SendRefusedError, match="was changed by another command"):
        save_schedule(ledger, frozen, SendSchedule(scheduled_at=observer.now))
    with pytest.raises(SendRefusedError, match="has started"):
        save_schedule(ledger, reload(ledger, frozen), SendSchedule(scheduled_at=observer.now))
    pause_cancel_retry.pause_send(ledger, reload(ledger, frozen))
    limited = save_schedule(ledger, reload(ledger, frozen), SendSchedule(limit_per_hour=10))
    assert (limited.limit_per_hour, limited.scheduled_at) == (10, None)


def test_send_that_was_moved_meanwhile_is_neither_moved_nor_started(
    ledger: Ledger, frozen: Send, observer: FakeObserver
) -> None:
    hour = datetime.timedelta(hours=1)
    waiting = save_schedule(ledger, frozen, SendSchedule(observer.now + hour))
    held = save_schedule(ledger, waiting, SendSchedule(observer.now + hour, 0, "b"))
    # A sender and two editors have read what it was before.
    for stale in (frozen, waiting):
        with pytest.raises(SendRefusedError, match="was changed by another command"):
            save_schedule(ledger, stale, SendSchedule(observer.now + 2 * hour))
        with pytest.raises(SendRefusedError, match="was changed by another command"):
            start_send(ledger, stale)
        assert reload(ledger, frozen) == held
    start_send(ledger, held)
    start_send(ledger, waiting)  # it has started already
    assert reload(ledger, frozen).state == "running"
