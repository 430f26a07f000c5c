"""``send --due`` resumes a scheduled send whose sender has died."""

import datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from ready_to_send import READERS, Cli

from newsletter.db import database_engine
from newsletter.db.schema import batch, send
from newsletter.sending.planning.frozen_content import load_frozen_email
from newsletter.sending.rehearsal import FakeSendGrid


def simulate_dead_sender(project_folder: Path, lease: datetime.timedelta) -> None:
    """Leave one batch claimed, as a dead sender does; its lease has so long to run."""
    now = datetime.datetime.now(datetime.UTC)
    with (
        database_engine("sqlite:///newsletter.db", project_folder) as engine,
        engine.begin() as connection,
    ):
        hour_ago = now - datetime.timedelta(hours=1)
        connection.execute(sa.update(send).values(state="running", scheduled_at=hour_ago))
        connection.execute(
            sa.update(batch)
            .where(batch.c.number == 1)
            .values(state="claimed", fence=1, lease_until=now + lease)
        )


def test_send_of_dead_sender_is_resumed_after_its_leases_expired(
    newsletter: Cli, fake_sendgrid: FakeSendGrid, project_folder: Path
) -> None:
    start_time = datetime.datetime.now(datetime.UTC) + datetime.timedelta(hours=5)
    at = start_time.isoformat(timespec="minutes")
    assert newsletter("send", "--yes", "--at", at, "--local")[0] == 0
    simulate_dead_sender(project_folder, datetime.timedelta(minutes=3))
    assert newsletter("send", "--due") == (0, "", "")
    assert fake_sendgrid.requests == []
    simulate_dead_sender(project_folder, -datetime.timedelta(seconds=1))
    code, out, _ = newsletter("send", "--due")
    assert code == 0
    assert "Sent to 25 of 25 readers." in out
    assert len(fake_sendgrid.accepted) == READERS
    assert newsletter("send", "--due") == (0, "", "")


def test_due_send_that_is_stopped_as_it_is_started_is_not_resumed(
    newsletter: Cli,
    fake_sendgrid: FakeSendGrid,
    project_folder: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Another process has started it meanwhile, and the editor has stopped that one."""
    start_time = datetime.datetime.now(datetime.UTC) + datetime.timedelta(hours=5)
    at = start_time.isoformat(timespec="minutes")
    assert newsletter("send", "--yes", "--at", at, "--local")[0] == 0

    def change(**values: object) -> None:
        with (
            database_engine("sqlite:///newsletter.db", project_folder) as engine,
            engine.begin() as connection,
        ):
            connection.execute(sa.update(send).values(**values))

    for state, words in (("paused", "Resume with: newsletter resume"), ("cancelled", "cancelled")):

        def load_too_late(*args: Any, state: str = state) -> object:
            change(state=state)
            return load_frozen_email(*args)

        monkeypatch.setattr("newsletter.sending.service.load_frozen_email", load_too_late)
        hour_ago = datetime.datetime.now(datetime.UTC) - datetime.timedelta(hours=1)
        change(state="frozen", scheduled_at=hour_ago)
        code, out, err = newsletter("send", "--due")
        assert (code, words in err) == (1, True), (out, err)
        assert "Sent to 0 of 25 readers." in out
        assert fake_sendgrid.requests == []


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (("--dry-run",), "'--dry-run'"),
        (("ice",), "'[ISSUE]'"),
        (("--segment", "vip", "--at", "Tue 09:00"), "'--segment', '--at'"),
        (("--limit-per-hour", "5"), "'--limit-per-hour'"),
        (("--samples", "3"), "'--samples'"),
    ],
)
def test_options_of_a_new_send_are_refused(
    newsletter: Cli, fake_sendgrid: FakeSendGrid, options: tuple[str, ...], named: str
) -> None:
    at = datetime.datetime.now(datetime.UTC) + datetime.timedelta(hours=5)
    newsletter("send", "--yes", "--at", at.isoformat(timespec="minutes"), "--local")
    code, _, err = newsletter("send", "--due", *options)
    assert code == 2
    assert f"it can't be used with {named}" in " ".join(err.split())
    assert fake_sendgrid.requests == []


def test_unscheduled_send_is_not_resumed(
    newsletter: Cli, fake_sendgrid: FakeSendGrid, project_folder: Path
) -> None:
    assert newsletter("plan")[0] == 0
    simulate_dead_sender(project_folder, -datetime.timedelta(seconds=1))
    with (
        database_engine("sqlite:///newsletter.db", project_folder) as engine,
        engine.begin() as connection,
    ):
        connection.execute(sa.update(send).values(scheduled_at=None))
    assert newsletter("send", "--due") == (0, "", "")
    assert fake_sendgrid.requests == []
