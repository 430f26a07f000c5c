import datetime

import pytest
import sqlalchemy as sa

from newsletter.db.schema import subscriber, suppression
from newsletter.subscribers.address import ParsedAddress, parse_address
from newsletter.subscribers.consent import changes, journal
from newsletter.subscribers.consent.erasure import erase_address
from newsletter.subscribers.consent.journal import ChangeOrigin
from newsletter.subscribers.consent.signup import confirm_signup, get_signup_status, sign_up

NOW = datetime.datetime(2026, 12, 1, 9, 0, tzinfo=datetime.UTC)
FORM = ChangeOrigin(NOW, "form", "/subscribe", "Yes, send me Harbour Notes.")
STANDINGS = (
    "new",
    "pending",
    "active",
    "unsubscribed",
    "bounced",
    "complained",
    "kept_out",
    "erased",
)


def put(engine: sa.Engine, before: str) -> ParsedAddress:
    """An address that is one of ``STANDINGS``."""
    address = parse_address(f"{before}@example.org")
    with engine.begin() as connection:
        if before == "kept_out":
            row = {"scope": "all", "reason": "bounced", "since": NOW, "source": "sync"}
            connection.execute(sa.insert(suppression).values(address_key=address.key, **row))
        elif before != "new":
            status = "pending" if before == "pending" else "active"
            changes.subscribe(connection, address, status, ChangeOrigin(NOW, "cli"))
        if before in changes.SUPPRESSION_ACTIONS:
            changes.SUPPRESSION_ACTIONS[before](
                connection, address.key, ChangeOrigin(NOW, "webhook")
            )
    if before == "erased":
        erase_address(engine, address.key, NOW)
    return address


def status_of(connection: sa.Connection, address: ParsedAddress) -> str | None:
    mine = subscriber.c.address_key == address.key
    return connection.scalar(sa.select(subscriber.c.status).where(mine))


@pytest.mark.parametrize("confirmed", [False, True])
def test_a_form_alone_lets_nobody_back_who_left(engine: sa.Engine, *, confirmed: bool) -> None:
    joined = "active" if confirmed else "pending"
    for before in STANDINGS:
        address = put(engine, before)
        with engine.begin() as connection:
            was = status_of(connection, address)
            found = sign_up(connection, address, FORM, name="Ada", single_opt_in=confirmed)
            now = status_of(connection, address)
        assert found == (before if before in {"new", "pending", "active"} else "gone")
        assert now == (joined if before in {"new", "pending"} else was), before


def test_the_owner_of_the_mailbox_may_come_back_from_anything(engine: sa.Engine) -> None:
    for before in STANDINGS:
        address = put(engine, before)
        with engine.begin() as connection:
            confirm_signup(connection, address, FORM, name="Ada")
            assert get_signup_status(connection, address.key) == "active", before
            mine = sa.select(subscriber).where(subscriber.c.address_key == address.key)
            row = connection.execute(mine).one()
            lines = journal.load_journal(connection, row.id)
        if before == "active":
            assert [line.change for line in lines] == ["subscribed"]
            continue
        assert row.confirmed_at == NOW
        assert lines[-1] == FORM.to_entry("confirmed", "active")
