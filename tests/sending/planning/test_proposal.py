"""Between the summary and the typed count the world may change: then nothing is sent."""

import datetime
from pathlib import Path

import pytest
import sqlalchemy as sa
from sending_fixtures import MakeReaders, Subscribe

from newsletter.db.schema import attempt, batch, send, send_recipient, subscriber
from newsletter.errors import SendRefusedError
from newsletter.project import open_project
from newsletter.sending.delivery import claim
from newsletter.sending.ledger.record import (
    count_recipients_by_state,
    get_send,
    start_send,
    stop_send,
)
from newsletter.sending.planning.proposal import (
    SendOptions,
    SendProposal,
    confirm_send,
    propose_send,
)

POST = "---\ntitle: The ice\n---\nIt let go on Tuesday.\n"
TABLES = (send, batch, send_recipient, attempt)


@pytest.fixture
def folder(project_folder: Path, subscribe: Subscribe, make_readers: MakeReaders) -> Path:
    subscribe(make_readers(12))
    folder = project_folder / "issues" / "2026-12-01-ice"
    folder.mkdir()
    (folder / "post.md").write_text(POST)
    return folder


def proposal(folder: Path, engine: sa.Engine) -> SendProposal:
    return propose_send(open_project(), folder, engine)


def rows(engine: sa.Engine) -> int:
    with engine.connect() as connection:
        return sum(
            connection.scalar(sa.select(sa.func.count()).select_from(table)) or 0
            for table in TABLES
        )


def test_a_proposal_writes_nothing(folder: Path, engine: sa.Engine) -> None:
    shown = proposal(folder, engine)
    assert (shown.recipient_count, shown.request_count, shown.is_resumed) == (12, 1, False)
    assert rows(engine) == 0


def test_an_agreement_fixes_what_was_shown(folder: Path, engine: sa.Engine) -> None:
    shown = proposal(folder, engine)
    frozen = confirm_send(shown)
    assert (frozen.total, frozen.state) == (12, "frozen")
    assert frozen.content_sha == shown.prepared_email.email.content_sha
    assert count_recipients_by_state(shown.ledger, frozen) == {"pending": 12}


def test_a_list_that_has_changed_since_is_asked_about_again(
    folder: Path, engine: sa.Engine
) -> None:
    shown = proposal(folder, engine)
    with engine.begin() as connection:
        connection.execute(
            sa.update(subscriber).where(subscriber.c.id == 3).values(status="unsubscribed")
        )
    with pytest.raises(SendRefusedError, match="11 readers now, 12 a moment ago"):
        confirm_send(shown)
    assert rows(engine) == 0
    again = proposal(folder, engine)
    assert (again.recipient_count, again.excluded) == (11, {"unsubscribed": 1})


def test_an_issue_that_has_changed_since_is_shown_again(folder: Path, engine: sa.Engine) -> None:
    shown = proposal(folder, engine)
    (folder / "post.md").write_text(POST.replace("Tuesday", "Wednesday"))
    with pytest.raises(SendRefusedError, match="changed since it was shown"):
        confirm_send(shown)
    assert rows(engine) == 0


def test_two_editors_who_agree_at_once_make_one_send(folder: Path, engine: sa.Engine) -> None:
    first, second = proposal(folder, engine), proposal(folder, engine)
    confirm_send(first)
    with pytest.raises(SendRefusedError, match="another sender"):
        confirm_send(second)
    assert rows(engine) == 1 + 1 + 12


def test_a_stopped_send_of_which_nothing_left_goes_on_as_it_was_frozen(
    folder: Path, engine: sa.Engine
) -> None:
    shown = proposal(folder, engine)
    frozen = confirm_send(shown)
    start_send(shown.ledger, frozen)
    stop_send(shown.ledger, frozen, "blocked", "no")
    with engine.begin() as connection:
        connection.execute(
            sa.update(subscriber).where(subscriber.c.id == 3).values(status="unsubscribed")
        )
    again = proposal(folder, engine)
    assert (again.is_resumed, again.recipient_count, again.unsubscribed_count) == (True, 11, 1)
    assert confirm_send(again).id == frozen.id


def test_a_new_plan_is_made_of_todays_issue_and_list(folder: Path, engine: sa.Engine) -> None:
    shown = proposal(folder, engine)
    frozen = confirm_send(shown)
    (folder / "post.md").write_text(POST.replace("Tuesday", "Wednesday"))
    with engine.begin() as connection:
        connection.execute(
            sa.update(subscriber).where(subscriber.c.id == 3).values(status="unsubscribed")
        )
    changed = proposal(folder, engine)
    assert not changed.is_resumed
    assert "newsletter plan ice --again" in str(changed.problems[0])
    assert [line for line in changed.diff_lines if line.startswith(("-It", "+It"))] == [
        "-It let go on Tuesday.",
        "+It let go on Wednesday.",
    ]
    again = propose_send(open_project(), folder, engine, SendOptions(replace_plan=True))
    assert (again.is_resumed, again.recipient_count) == (False, 11)
    made = confirm_send(again)
    assert (made.total, made.content_sha) == (11, again.prepared_email.email.content_sha)
    assert made.content_sha != frozen.content_sha


def test_a_send_of_which_something_may_have_left_goes_on_as_it_was_frozen(
    folder: Path, engine: sa.Engine
) -> None:
    shown = proposal(folder, engine)
    frozen = confirm_send(shown)
    start_send(shown.ledger, frozen)
    (held,) = claim.claim_batches(shown.ledger, frozen)
    claim.mark_in_flight(shown.ledger, [claim.PreparedBatch(held, b"{}")])
    stop_send(shown.ledger, frozen, "paused", "no")
    again = proposal(folder, engine)
    assert again.is_resumed
    assert confirm_send(again).id == frozen.id
    (folder / "post.md").write_text(POST.replace("Tuesday", "Wednesday"))
    changed = proposal(folder, engine)
    assert not changed.is_resumed
    assert "has changed since its send began" in str(changed.problems[0])
    with pytest.raises(SendRefusedError, match="has changed since its send began"):
        confirm_send(changed)
    assert get_send(shown.ledger, frozen.issue) is not None


def test_a_dead_claim_does_not_stand_in_the_way_for_ever(folder: Path, engine: sa.Engine) -> None:
    shown = proposal(folder, engine)
    frozen = confirm_send(shown)
    start_send(shown.ledger, frozen)
    assert claim.claim_batches(shown.ledger, frozen)
    (folder / "post.md").write_text(POST.replace("Tuesday", "Wednesday"))
    assert "has changed" in str(proposal(folder, engine).problems[0])
    with engine.begin() as connection:
        long_ago = datetime.datetime(2000, 1, 1, tzinfo=datetime.UTC)
        connection.execute(sa.update(batch).values(lease_until=long_ago))
    again = propose_send(open_project(), folder, engine, SendOptions(replace_plan=True))
    assert confirm_send(again).total == 12
