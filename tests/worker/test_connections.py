"""Checks of the database before a worker starts."""

from collections.abc import Callable

import pytest
import sqlalchemy as sa

from newsletter.errors import DatabaseError, Location
from newsletter.worker.connections import receives_notifications, require_known_job_queue

Cli = Callable[..., tuple[int, str, str]]


@pytest.fixture
def database_url(postgres_url: str) -> str:
    return postgres_url


def test_a_job_queue_of_another_version_is_refused(engine: sa.Engine) -> None:
    where = Location("newsletter.yml")
    require_known_job_queue(engine, where)
    for statement, message in (
        ("COMMENT ON TABLE procrastinate_jobs IS 'schema 99.00.00_01'", "version 99.00.00_01"),
        ("COMMENT ON TABLE procrastinate_jobs IS NULL", "missing"),
        ("DROP TABLE procrastinate_jobs CASCADE", "missing"),
    ):
        with engine.begin() as connection:
            connection.execute(sa.text(statement))
        with pytest.raises(DatabaseError, match=message):
            require_known_job_queue(engine, where)


def test_notifications_are_received(engine: sa.Engine) -> None:
    assert receives_notifications(engine)


def test_a_server_that_takes_no_connection_is_told_without_the_password() -> None:
    engine = sa.create_engine("postgresql+psycopg://editor:secret@/newsletter?host=/nowhere")
    with pytest.raises(DatabaseError, match="newsletter") as raised:
        receives_notifications(engine)
    assert "secret" not in str(raised.value)


@pytest.mark.usefixtures("project_folder")
def test_a_worker_needs_postgresql_and_says_how_to_move_there(cli: Cli) -> None:
    code, out, err = cli("worker")
    assert (code, out) == (1, "")
    assert "workers need a database on PostgreSQL" in err
    assert "newsletter db copy" in err
