"""Hosts whose clocks differ go by the database's."""

import datetime
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa

from newsletter.db import database_engine
from newsletter.project import open_project
from newsletter.web.background_jobs import make_background_jobs
from newsletter.web.database_clock import DatabaseClock
from newsletter.web.site_context import open_site, utc_now
from newsletter.web.subscriber.access_token import sign, unsign

NOW = datetime.datetime(2000, 1, 1, tzinfo=datetime.UTC)
SECOND = datetime.timedelta(seconds=1)


@pytest.fixture
def database_time(monkeypatch: pytest.MonkeyPatch) -> list[datetime.datetime]:
    """What the server's clock says: the only element."""
    times = [NOW]
    monkeypatch.setattr("newsletter.web.database_clock.get_database_time", lambda _: times[0])
    return times


def test_it_goes_on_by_the_monotonic_clock_until_it_is_compared_again(
    engine: sa.Engine, database_time: list[datetime.datetime]
) -> None:
    seconds = 100.0
    clock = DatabaseClock(engine, lambda: seconds)
    assert clock() == NOW
    seconds = 107.0
    assert clock() == NOW + 7 * SECOND
    database_time[0] = NOW + 9 * SECOND
    assert clock() == NOW + 7 * SECOND
    clock.sync()
    assert clock() == NOW + 9 * SECOND


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_a_site_on_postgresql_goes_by_the_clock_of_the_database(
    project_folder: Path, engine: sa.Engine, database_time: list[datetime.datetime]
) -> None:
    site = open_site(open_project(project_folder), engine)
    assert site.clock() - NOW < datetime.timedelta(days=1)
    database_time[0] = NOW + datetime.timedelta(days=2)
    [job] = [job for job in make_background_jobs(site, None) if job.name == "clock"]
    job.run()
    assert datetime.timedelta(days=2) <= site.clock() - NOW < datetime.timedelta(days=3)


def test_links_are_signed_with_the_clock_by_which_they_expire(
    project_folder: Path, engine: sa.Engine
) -> None:
    # An hour before this machine's: a link to undo something works for half an hour.
    site = open_site(
        open_project(project_folder), engine, lambda: utc_now() - datetime.timedelta(hours=1)
    )
    signed = sign(site, "undo", 7)
    assert unsign(site, "undo", signed, datetime.timedelta(minutes=30)) == 7
    ahead = replace(site, clock=utc_now)
    assert unsign(ahead, "undo", signed, datetime.timedelta(minutes=30)) is None


def test_a_site_on_sqlite_goes_by_the_clock_of_this_machine(project_folder: Path) -> None:
    with database_engine("sqlite:///newsletter.db", project_folder) as engine:
        assert open_site(open_project(project_folder), engine).clock is utc_now
