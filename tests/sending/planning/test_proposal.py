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
from newsletter.sending.ledger.record import find, halt, readers_by_state, start
from newsletter.sending.planning.proposal import Proposal, Wishes, agree, propose

POST = "---\ntitle: The ice\n---\nIt let go on Tuesday.\n"
TABLES = (send, batch, send_recipient, attempt)


@pytest.fixture
def folder(project_folder: Path, subscribe: Subscribe, make_readers: MakeReaders) -> Path:
    subscribe(make_readers(12))
    folder = project_folder / "issues" / "2026-12-01-ice"
    folder.mkdir()
    (folder / "post.md").write_text(POST)
    return folder


def proposal(folder: Path, engine: sa.Engine) -> Proposal:
    return propose(open_project(), folder, engine)


def rows(engine: sa.Engine) -> int:
    with engine.connect() as connection:
        return sum(
            connection.scalar(sa.select(sa.func.count()).select_from(table)) or 0
            for table in TABLES
        )


def test_a_proposal_writes_nothing(folder: Path, engine: sa.Engine) -> None:
    shown = proposal(folder, engine)
    assert (shown.readers, shown.requests, shown.goes_on) == (12, 1, False)
    assert rows(engine) == 0


def test_an_agreement_fixes_what_was_shown(folder: Path, engine: sa.Engine) -> None:
    shown = proposal(folder, engine)
    frozen = agree(shown)
    assert (frozen.total, frozen.state) == (12, "frozen")
    assert frozen.content_sha == shown.letter.email.content_sha
    assert readers_by_state(shown.ledger, frozen) == {"pending": 12}


def test_a_list_that_has_changed_since_is_asked_about_again(
    folder: Path, engine: sa.Engine
) -> None:
    shown = proposal(folder, engine)
    with engine.begin() as connection:
        connection.execute(
            sa.update(subscriber).where(subscriber.c.id == 3).values(status="unsubscribed")
        )
    with pytest.raises(SendRefusedError, match="11 readers now, 12 a moment ago"):
        agree(shown)
    assert rows(engine) == 0
    again = proposal(folder, engine)
    assert (again.readers, again.left_out) == (11, {"unsubscribed": 1})


def test_an_issue_that_has_changed_since_is_shown_again(folder: Path, engine: sa.Engine) -> None:
    shown = proposal(folder, engine)
    (folder / "post.md").write_text(POST.replace("Tuesday", "Wednesday"))
    with pytest.raises(SendRefusedError, match="changed since it was shown"):
        agree(shown)
    assert rows(engine) == 0


def test_two_editors_who_agree_at_once_make_one_send(folder: Path, engine: sa.Engine) -> None:
    first, second = proposal(folder, engine), proposal(folder, engine)
    agree(first)
    with pytest.raises(SendRefusedError, match="another sender"):
        agree(second)
    assert rows(engine) == 1 + 1 + 12


def test_a_stopped_send_of_which_nothing_left_goes_on_as_it_was_frozen(
    folder: Path, engine: sa.Engine
) -> None:
    shown = proposal(folder, engine)
    frozen = agree(shown)
    start(shown.ledger, frozen)
    halt(shown.ledger, frozen, "blocked", "no")
    with engine.begin() as connection:
        connection.execute(
            sa.update(subscriber).where(subscriber.c.id == 3).values(status="unsubscribed")
        )
    again = proposal(folder, engine)
    assert (again.goes_on, again.readers, again.gone) == (True, 11, 1)
    assert agree(again).id == frozen.id


def test_a_new_plan_is_made_of_todays_issue_and_list(folder: Path, engine: sa.Engine) -> None:
    shown = proposal(folder, engine)
    frozen = agree(shown)
    (folder / "post.md").write_text(POST.replace("Tuesday", "Wednesday"))
    with engine.begin() as connection:
        connection.execute(
            sa.update(subscriber).where(subscriber.c.id == 3).values(status="unsubscribed")
        )
    changed = proposal(folder, engine)
    assert not changed.goes_on
    assert "newsletter plan ice --again" in str(changed.refused[0])
    assert [line for line in changed.difference if line.startswith(("-It", "+It"))] == [
        "-It let go on Tuesday.",
        "+It let go on Wednesday.",
    ]
    again = propose(open_project(), folder, engine, Wishes(again=True))
    assert (again.goes_on, again.readers) == (False, 11)
    made = agree(again)
    assert (made.total, made.content_sha) == (11, again.letter.email.content_sha)
    assert made.content_sha != frozen.content_sha


def test_a_send_of_which_something_may_have_left_goes_on_as_it_was_frozen(
    folder: Path, engine: sa.Engine
) -> None:
    shown = proposal(folder, engine)
    frozen = agree(shown)
    start(shown.ledger, frozen)
    (held,) = claim.claim(shown.ledger, frozen)
    claim.depart(shown.ledger, [claim.Parcel(held, b"{}")])
    halt(shown.ledger, frozen, "paused", "no")
    again = proposal(folder, engine)
    assert again.goes_on
    assert agree(again).id == frozen.id
    (folder / "post.md").write_text(POST.replace("Tuesday", "Wednesday"))
    changed = proposal(folder, engine)
    assert not changed.goes_on
    assert "has changed since its send began" in str(changed.refused[0])
    with pytest.raises(SendRefusedError, match="has changed since its send began"):
        agree(changed)
    assert find(shown.ledger, frozen.issue) is not None


def test_a_dead_claim_does_not_stand_in_the_way_for_ever(folder: Path, engine: sa.Engine) -> None:
    shown = proposal(folder, engine)
    frozen = agree(shown)
    start(shown.ledger, frozen)
    assert claim.claim(shown.ledger, frozen)
    (folder / "post.md").write_text(POST.replace("Tuesday", "Wednesday"))
    assert "has changed" in str(proposal(folder, engine).refused[0])
    with engine.begin() as connection:
        long_ago = datetime.datetime(2000, 1, 1, tzinfo=datetime.UTC)
        connection.execute(sa.update(batch).values(lease_until=long_ago))
    again = propose(open_project(), folder, engine, Wishes(again=True))
    assert agree(again).total == 12
