"""What a reader submits while their address is being changed applies to the new address."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import sqlalchemy as sa

from newsletter.db import read_transaction
from newsletter.db.schema import subscriber, transactional_email
from newsletter.subscribers.address import parse_address
from newsletter.subscribers.consent import changes
from newsletter.subscribers.consent.journal import ChangeOrigin
from newsletter.subscribers.topics import load_opt_outs
from newsletter.web.site_context import Site, utc_now
from newsletter.web.subscriber.access_token import sign

OLD, NEW = "ada.lovelace@example.org", parse_address("ada@new.example")


@pytest.fixture
def site_database(new_postgres_url: str) -> str:
    """SQLite has one writer at a time: nothing is read there before the other has committed."""
    return new_postgres_url


def is_anybody_waiting(site: Site) -> bool:
    with site.engine.connect() as connection:
        waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted"
        return bool(connection.exec_driver_sql(waiting).scalar())


@pytest.fixture
def submit_during_move(site: Site, server: Any, token: str) -> Callable[..., int]:
    def submit(path: str, **fields: str) -> int:
        """Submit a form while a change of address has locked the subscriber; return its status."""
        origin = ChangeOrigin(utc_now(), "form", "/move")
        with ThreadPoolExecutor(1) as threads:
            with site.engine.begin() as connection:
                changes.change_address(connection, OLD, NEW, origin)
                response = threads.submit(server.post, f"{path}/{token}", fields=fields)
                while not is_anybody_waiting(site) and not response.done():
                    threading.Event().wait(0.01)
            status: int = response.result().status
        return status

    return submit


@pytest.mark.parametrize("leave", ["one click", "button"])
def test_unsubscribe_is_not_lost(
    site: Site, token: str, submit_during_move: Callable[..., int], leave: str
) -> None:
    fields = {
        "one click": {"List-Unsubscribe": "One-Click"},
        "button": {"leave": sign(site, "leave", token)},
    }
    assert submit_during_move("/u", **fields[leave]) == 200
    with read_transaction(site.engine) as connection:
        row = connection.execute(sa.select(subscriber)).one()
    assert (row.address_key, row.status) == (NEW.key, "unsubscribed")


def test_opt_out_and_request_are_for_the_new_address(
    site: Site,
    token: str,
    submit_during_move: Callable[..., int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    preferences = site.config.preferences.model_copy(update={"topics": {"weekly": "Weekly"}})
    config = site.config.model_copy(update={"preferences": preferences})
    monkeypatch.setattr(Site, "config", config)
    signed = sign(site, "preferences", token)
    assert submit_during_move("/p", do="topics", topics="weekly", signed=signed) == 200
    with read_transaction(site.engine) as connection:
        assert [entry.topic for entry in load_opt_outs(connection, NEW.key)] == ["weekly"]
        assert load_opt_outs(connection, OLD) == ()


def test_data_is_not_offered_to_the_old_mailbox(
    site: Site, token: str, submit_during_move: Callable[..., int]
) -> None:
    signed = sign(site, "preferences", token)
    assert submit_during_move("/p", do="download", signed=signed) == 200
    with read_transaction(site.engine) as connection:
        assert connection.scalars(sa.select(transactional_email.c.address_key)).all() == [NEW.key]
