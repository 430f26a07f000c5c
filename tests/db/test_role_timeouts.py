"""A role's limits on time end neither an upgrade, nor the freeze of a send, nor a write."""

from pathlib import Path

import pytest
import sqlalchemy as sa
from sending_fixtures import MakeReaders, Subscribe

from newsletter.db import database_engine, migrate, open_database, read_transaction
from newsletter.db.schema import send
from newsletter.db.transaction import IDLE_TIMEOUT_SECONDS
from newsletter.sending.ledger.record import Ledger
from newsletter.sending.planning.freeze_recipients import freeze_send
from newsletter.sending.providers.prepared_email import PreparedEmail

LIMITED = "&options=-cstatement_timeout%3D100s"
NOTE_TIMEOUT = """
CREATE FUNCTION note_timeout() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN NEW.reason := current_setting('statement_timeout'); RETURN NEW; END $$;
CREATE TRIGGER note_timeout BEFORE INSERT ON send FOR EACH ROW EXECUTE FUNCTION note_timeout()
"""


@pytest.fixture
def database_url(postgres_url: str) -> str:
    return postgres_url + LIMITED


def test_upgrade_lifts_it(
    new_postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []

    def run_migrations(connection: sa.Connection, *_: object) -> None:
        seen.append(connection.exec_driver_sql("SHOW statement_timeout").scalar())

    monkeypatch.setattr(migrate, "run_migrations", run_migrations)
    engine = open_database(new_postgres_url + LIMITED, tmp_path, is_copied=True)
    with read_transaction(engine) as connection:
        seen.append(connection.exec_driver_sql("SHOW statement_timeout").scalar())
    engine.dispose()
    assert seen == ["0", "100s"]


def test_freeze_lifts_it(
    ledger: Ledger, prepared: PreparedEmail, subscribe: Subscribe, make_readers: MakeReaders
) -> None:
    subscribe(make_readers(1))
    with ledger.engine.begin() as connection:
        connection.exec_driver_sql(NOTE_TIMEOUT)
    freeze_send(ledger, prepared)
    with read_transaction(ledger.engine) as connection:
        assert connection.scalar(sa.select(send.c.reason)) == "0"
        assert connection.exec_driver_sql("SHOW statement_timeout").scalar() == "100s"


def test_write_has_an_idle_timeout_of_its_own(postgres_url: str, tmp_path: Path) -> None:
    limited = f"{postgres_url}&options=-cidle_in_transaction_session_timeout%3D1s"
    query = "SHOW idle_in_transaction_session_timeout"
    with database_engine(limited, tmp_path) as engine:
        with engine.begin() as connection:
            assert connection.exec_driver_sql(query).scalar() == f"{IDLE_TIMEOUT_SECONDS}s"
        with read_transaction(engine) as connection:
            assert connection.exec_driver_sql(query).scalar() == "1s"
