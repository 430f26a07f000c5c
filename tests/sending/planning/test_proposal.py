"""A proposal is confirmed only if issue, list and ledger are still as they were shown."""

import datetime
from pathlib import Path

import pytest
import sqlalchemy as sa
from sending_fixtures import MakeReaders, Subscribe

from newsletter.db.schema import attempt, batch, send, send_recipient, subscriber
from newsletter.errors import SendRefusedError
from newsletter.project import open_project
from newsletter.sending.delivery.claim import claim_batches
from newsletter.sending.delivery.in_flight import mark_in_flight
from newsletter.sending.delivery.prepare_batch import PreparedBatch
from newsletter.sending.ledger.record import (
    count_recipients_by_state,
    get_send,
    start_send,
    stop_send,
)
from newsletter.sending.planning.confirm import confirm_send
from newsletter.sending.planning.proposal import SendOptions, SendProposal, propose_send

POST = "---\ntitle: The ice\n---\nIt let go on Tuesday.\n"
TABLES = (send, batch, send_recipient, attempt)


@pytest.fixture
def folder(project_folder: Path, subscribe: Subscribe, make_readers: MakeReaders) -> Path:
    subscribe(make_readers(12))
    folder = project_folder / "issues" / "2026-12-01-ice"
    folder.mkdir()
    (folder / "post.md").write_text(POST)
    return folder


def propose(folder: Path, engine: sa.Engine) -> SendProposal:
    return propose_send(open_project(), folder, engine)


def count_rows(engine: sa.Engine) -> int:
    with engine.connect() as connection:
        return sum(
            connection.scalar(sa.select(sa.func.count()).select_from(table)) or 0
            for table in TABLES
        )


def test_proposal_writes_nothing(folder: Path, engine: sa.Engine) -> None:
    shown = propose(folder, engine)
    assert (shown.audience.count, shown.request_count, shown.resumed is not None) == (12, 1, False)
    assert count_rows(engine) == 0


def test_confirming_freezes_what_was_shown(folder: Path, engine: sa.Engine) -> None:
    shown = propose(folder, engine)
    frozen = confirm_send(shown)
    assert (frozen.total, frozen.state) == (12, "frozen")
    assert frozen.content_sha == shown.prepared_email.email.content_sha
    assert count_recipients_by_state(shown.ledger, frozen) == {"pending": 12}


def test_confirming_is_refused_if_the_list_has_changed(folder: Path, engine: sa.Engine) -> None:
    shown = propose(folder, engine)
    with engine.begin() as connection:
        connection.execute(
            sa.update(subscriber).where(subscriber.c.id == 3).values(status="unsubscribed")
        )
    with pytest.raises(SendRefusedError, match="11 readers now, 12 when it was shown"):
        confirm_send(shown)
    assert count_rows(engine) == 0
    again = propose(folder, engine)
    assert (again.audience.count, again.audience.excluded) == (11, {"unsubscribed": 1})


def test_confirming_is_refused_if_the_issue_has_changed(folder: Path, engine: sa.Engine) -> None:
    shown = propose(folder, engine)
    (folder / "post.md").write_text(POST.replace("Tuesday", "Wednesday"))
    with pytest.raises(SendRefusedError, match="changed since it was shown"):
        confirm_send(shown)
    assert count_rows(engine) == 0


def test_two_editors_who_confirm_at_once_make_one_send(folder: Path, engine: sa.Engine) -> None:
    first, second = propose(folder, engine), propose(folder, engine)
    confirm_send(first)
    with pytest.raises(SendRefusedError, match="another sender"):
        confirm_send(second)
    assert count_rows(engine) == 1 + 1 + 12


def test_stopped_send_of_which_nothing_was_sent_is_resumed_as_frozen(
    folder: Path, engine: sa.Engine
) -> None:
    shown = propose(folder, engine)
    frozen = confirm_send(shown)
    start_send(shown.ledger, frozen)
    stop_send(shown.ledger, frozen, "blocked", "no")
    with engine.begin() as connection:
        connection.execute(
            sa.update(subscriber).where(subscriber.c.id == 3).values(status="unsubscribed")
        )
    again = propose(folder, engine)
    assert again.resumed is not None
    assert (again.audience.count, again.audience.unsubscribed_count) == (11, 1)
    assert confirm_send(again).id == frozen.id


def test_new_plan_uses_the_present_issue_and_list(folder: Path, engine: sa.Engine) -> None:
    shown = propose(folder, engine)
    frozen = confirm_send(shown)
    (folder / "post.md").write_text(POST.replace("Tuesday", "Wednesday"))
    with engine.begin() as connection:
        connection.execute(
            sa.update(subscriber).where(subscriber.c.id == 3).values(status="unsubscribed")
        )
    changed = propose(folder, engine)
    assert changed.resumed is None
    assert "newsletter plan ice --again" in str(changed.problems[0])
    assert [line for line in changed.earlier.diff_lines if line.startswith(("-It", "+It"))] == [
        "-It let go on Tuesday.",
        "+It let go on Wednesday.",
    ]
    again = propose_send(open_project(), folder, engine, SendOptions(replace_plan=True))
    assert (again.resumed is not None, again.audience.count) == (False, 11)
    replanned = confirm_send(again)
    assert (replanned.total, replanned.content_sha) == (11, again.prepared_email.email.content_sha)
    assert replanned.content_sha != frozen.content_sha


def test_send_of_which_something_may_have_been_sent_is_resumed_as_frozen(
    folder: Path, engine: sa.Engine
) -> None:
    shown = propose(folder, engine)
    frozen = confirm_send(shown)
    start_send(shown.ledger, frozen)
    (claimed,) = claim_batches(shown.ledger, frozen)
    mark_in_flight(shown.ledger, [PreparedBatch(claimed, b"{}")])
    stop_send(shown.ledger, frozen, "paused", "no")
    again = propose(folder, engine)
    assert again.resumed is not None
    assert confirm_send(again).id == frozen.id
    (folder / "post.md").write_text(POST.replace("Tuesday", "Wednesday"))
    changed = propose(folder, engine)
    assert changed.resumed is None
    assert "has changed since its send was started" in str(changed.problems[0])
    with pytest.raises(SendRefusedError, match="has changed since its send was started"):
        confirm_send(changed)
    assert get_send(shown.ledger, frozen.issue) is not None


def test_claim_of_a_dead_sender_blocks_a_new_plan_only_until_its_lease_expires(
    folder: Path, engine: sa.Engine
) -> None:
    shown = propose(folder, engine)
    frozen = confirm_send(shown)
    start_send(shown.ledger, frozen)
    assert claim_batches(shown.ledger, frozen)
    (folder / "post.md").write_text(POST.replace("Tuesday", "Wednesday"))
    assert "has changed" in str(propose(folder, engine).problems[0])
    with engine.begin() as connection:
        long_ago = datetime.datetime(2000, 1, 1, tzinfo=datetime.UTC)
        connection.execute(sa.update(batch).values(lease_until=long_ago))
    again = propose_send(open_project(), folder, engine, SendOptions(replace_plan=True))
    assert confirm_send(again).total == 12
