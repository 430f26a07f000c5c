"""A scheduled send whose sender has died: the next ``send --due`` goes on with it."""

import datetime
from pathlib import Path

import sqlalchemy as sa
from ready_to_send import READERS, Cli

from newsletter.db import database_engine
from newsletter.db.schema import batch, send
from newsletter.sending.rehearsal import FakeSendGrid


def begun(project_folder: Path, lease: datetime.timedelta) -> None:
    """As a sender leaves it that dies with one batch claimed: its lease runs so long yet."""
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


def test_a_send_whose_sender_has_died_is_taken_up_when_its_leases_are_over(
    newsletter: Cli, vendor: FakeSendGrid, project_folder: Path
) -> None:
    ahead = datetime.datetime.now(datetime.UTC) + datetime.timedelta(hours=5)
    at = ahead.isoformat(timespec="minutes")
    assert newsletter("send", "--yes", "--at", at, "--local")[0] == 0
    begun(project_folder, datetime.timedelta(minutes=3))
    assert newsletter("send", "--due") == (0, "", "")
    assert vendor.requests == []
    begun(project_folder, -datetime.timedelta(seconds=1))
    code, out, _ = newsletter("send", "--due")
    assert code == 0
    assert "Sent to 25 of 25 readers." in out
    assert len(vendor.accepted) == READERS
    assert newsletter("send", "--due") == (0, "", "")


def test_a_send_that_nobody_scheduled_is_left_to_the_editor(
    newsletter: Cli, vendor: FakeSendGrid, project_folder: Path
) -> None:
    assert newsletter("plan")[0] == 0
    begun(project_folder, -datetime.timedelta(seconds=1))
    with (
        database_engine("sqlite:///newsletter.db", project_folder) as engine,
        engine.begin() as connection,
    ):
        connection.execute(sa.update(send).values(scheduled_at=None))
    assert newsletter("send", "--due") == (0, "", "")
    assert vendor.requests == []
