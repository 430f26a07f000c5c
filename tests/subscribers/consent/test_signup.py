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
SITUATIONS = (
    "new",
    "pending",
    "active",
    "unsubscribed",
    "bounced",
    "complained",
    "suppressed",
    "erased",
)


def prepare_address(engine: sa.Engine, before: str) -> ParsedAddress:
    """Create an address in one of ``SITUATIONS`` and return it."""
    address = parse_address(f"{before}@example.org")
    with engine.begin() as connection:
        if before == "suppressed":
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


def load_status(connection: sa.Connection, address: ParsedAddress) -> str | None:
    has_key = subscriber.c.address_key == address.key
    return connection.scalar(sa.select(subscriber.c.status).where(has_key))


@pytest.mark.parametrize("single_opt_in", [False, True])
def test_form_alone_does_not_reactivate_a_suppressed_address(
    engine: sa.Engine, *, single_opt_in: bool
) -> None:
    new_status = "active" if single_opt_in else "pending"
    for before in SITUATIONS:
        address = prepare_address(engine, before)
        with engine.begin() as connection:
            old = load_status(connection, address)
            found = sign_up(connection, address, FORM, name="Ada", single_opt_in=single_opt_in)
            now = load_status(connection, address)
        assert found == (before if before in {"new", "pending", "active"} else "gone")
        assert now == (new_status if before in {"new", "pending"} else old), before


def test_confirmation_activates_an_address_in_any_situation(engine: sa.Engine) -> None:
    for before in SITUATIONS:
        address = prepare_address(engine, before)
        with engine.begin() as connection:
            confirm_signup(connection, address, FORM, name="Ada")
            assert get_signup_status(connection, address.key) == "active", before
            query = sa.select(subscriber).where(subscriber.c.address_key == address.key)
            row = connection.execute(query).one()
            entries = journal.load_journal(connection, row.id)
        if before == "active":
            assert [entry.change for entry in entries] == ["subscribed"]
            continue
        assert row.confirmed_at == NOW
        assert entries[-1] == FORM.to_entry("confirmed", "active")
