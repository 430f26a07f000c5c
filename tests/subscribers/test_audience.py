import datetime
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from newsletter.db import database_engine, read_transaction
from newsletter.db.schema import STATUSES, subscriber, suppression
from newsletter.subscribers import (
    ALL_SUBSCRIBERS,
    Recipient,
    count_by_status,
    count_exclusions,
    count_subscribers,
    iter_audience,
)
from newsletter.subscribers.consent.transitions import SUPPRESSED_STATUSES
from newsletter.subscribers.importing import import_list
from newsletter.subscribers.importing.import_list import ImportSummary, import_subscriber_file
from newsletter.subscribers.preferences import set_paused_until
from newsletter.subscribers.topics import limit_to_topic, set_chosen_topics

ImportText = Callable[..., ImportSummary]
NOW = datetime.datetime(2026, 11, 22, tzinfo=datetime.UTC)


def load_audience(engine: sa.Engine) -> list[Recipient]:
    with read_transaction(engine) as connection:
        return list(iter_audience(connection))


def suppress(engine: sa.Engine, key: str, reason: str, scope: str = "all") -> None:
    row = {"address_key": key, "scope": scope, "reason": reason, "since": NOW, "source": "a test"}
    with engine.begin() as connection:
        connection.execute(sa.insert(suppression).values(row))


def test_recipient_has_ascii_address_and_attributes(
    engine: sa.Engine, import_text: ImportText
) -> None:
    import_text("email,name,city\nAda@M\u00fcnchen.de,Ada,Oslo\nbo@b.com,,\n")
    ada, bo = load_audience(engine)
    assert ada.id < bo.id
    assert ada[1:3] == ("Ada@xn--mnchen-3ya.de", "ada@xn--mnchen-3ya.de")
    assert ada.attributes == {"email": "Ada@m\u00fcnchen.de", "name": "Ada", "city": "Oslo"}
    assert bo.attributes == {"email": "bo@b.com", "name": ""}


@pytest.mark.parametrize("page", [1, 3, 5_000])
def test_pages_have_no_gap_or_overlap(
    engine: sa.Engine, import_text: ImportText, monkeypatch: pytest.MonkeyPatch, page: int
) -> None:
    monkeypatch.setattr("newsletter.subscribers.audience.PAGE_SIZE", page)
    import_text("email,status\n" + "".join(f"r{n}@b.com,{_status(n)}\n" for n in range(9)))
    found = load_audience(engine)
    assert [recipient.address for recipient in found] == [f"r{n}@b.com" for n in range(9) if n % 4]
    with read_transaction(engine) as connection:
        rest = list(iter_audience(connection, after=found[2].id))
    assert rest == found[3:]


def _status(number: int) -> str:
    return "active" if number % 4 else "unsubscribed"


def test_counts_and_exclusions_add_up_to_the_list(
    engine: sa.Engine, import_text: ImportText
) -> None:
    statuses = ["active"] * 5 + ["pending", "unsubscribed", "unsubscribed", "bounced"]
    lines = [f"r{n}@b.com,{status}\n" for n, status in enumerate(statuses)]
    import_text("email,status\n" + "".join(lines))
    suppress(engine, "r0@b.com", "bounced")
    suppress(engine, "r1@b.com", "spam report")
    suppress(engine, "r1@b.com", "unsubscribed", scope="group 7")
    suppress(engine, "r6@b.com", "unsubscribed")
    suppress(engine, "stranger@b.com", "unsubscribed")
    with read_transaction(engine) as connection:
        counts, excluded = count_by_status(connection), count_exclusions(connection)
    assert list(counts) == list(STATUSES)
    assert counts == {
        "pending": 1,
        "active": 5,
        "unsubscribed": 2,
        "bounced": 1,
        "complained": 0,
    }
    assert excluded == {"pending": 1, "unsubscribed": 2, "bounced": 2, "spam report": 1}
    assert len(load_audience(engine)) + sum(excluded.values()) == 9


def test_empty_list_has_no_audience(engine: sa.Engine) -> None:
    assert load_audience(engine) == []
    with read_transaction(engine) as connection:
        assert count_exclusions(connection) == {}


ADDRESSES = ("a@b.com", "A@B.com", "c@d.com", "C@d.com", "e@xn--mnchen-3ya.de", "E@m\u00fcnchen.de")
ADDRESS = st.sampled_from(ADDRESSES)
STATUS_WORD = st.sampled_from(
    ["active", "Subscribed", "pending", "unsubscribed", "cleaned", "complained"]
)
IMPORT = st.tuples(st.just("import"), st.lists(st.tuples(ADDRESS, STATUS_WORD), max_size=6))
SET_STATUS = st.tuples(
    st.sampled_from(sorted(SUPPRESSED_STATUSES)),
    st.lists(st.tuples(ADDRESS, STATUS_WORD), max_size=2),
)
SUPPRESS = st.tuples(st.just("suppress"), st.lists(st.tuples(ADDRESS, STATUS_WORD), max_size=2))
OPT_OUT = st.tuples(st.just("opt out"), st.lists(st.tuples(ADDRESS, STATUS_WORD), max_size=2))
STEPS = st.lists(st.one_of(IMPORT, SET_STATUS, SUPPRESS, OPT_OUT), max_size=6)


@pytest.fixture(scope="module")
def shared_list() -> Iterator[tuple[sa.Engine, Path]]:
    with (
        tempfile.TemporaryDirectory() as folder,
        database_engine("sqlite:///newsletter.db", Path(folder)) as engine,
    ):
        yield engine, Path(folder)


@pytest.fixture(autouse=True, scope="module")
def small_chunks() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(import_list, "CHUNK_SIZE", 3)
        yield


def make_key(address: str) -> str:
    return address.lower().replace("m\u00fcnchen", "xn--mnchen-3ya")


@given(steps=STEPS)
def test_suppressed_and_opted_out_are_never_in_the_audience_whatever_is_imported(
    shared_list: tuple[sa.Engine, Path], steps: list[tuple[str, list[tuple[str, str]]]]
) -> None:
    engine, folder = shared_list
    with engine.begin() as connection:
        connection.execute(sa.delete(subscriber))
        connection.execute(sa.delete(suppression))
    suppressed: set[str] = set()
    opted_out: set[str] = set()
    for step, rows in steps:
        if step == "opt out":
            opted_out |= {make_key(address) for address, _ in rows}
            with engine.begin() as connection:
                for key in opted_out:
                    set_chosen_topics(connection, key, ["weekly"], [], (NOW, "/p"))
        elif step == "import":
            import_rows(engine, folder / "readers.csv", rows)
            suppressed |= {
                make_key(address)
                for address, word in rows
                if word in {"unsubscribed", "cleaned", "complained"}
            }
        else:
            keys = {make_key(address) for address, _ in rows}
            suppressed |= suppress_addresses(engine, step, keys)
        audience = [recipient.address_key for recipient in load_audience(engine)]
        assert not suppressed & set(audience)
        assert len(set(audience)) == len(audience)
        with read_transaction(engine) as connection:
            total = sum(count_by_status(connection).values())
            assert len(audience) + sum(count_exclusions(connection).values()) == total
            for segment in (ALL_SUBSCRIBERS, subscriber.c.address_key != "a@b.com"):
                wanting = limit_to_topic(segment, "Weekly")
                keys = {
                    recipient.address_key
                    for recipient in iter_audience(connection, condition=wanting)
                }
                in_segment = {
                    key for key in audience if segment is ALL_SUBSCRIBERS or key[0] != "a"
                }
                assert keys == in_segment - opted_out
                assert count_subscribers(connection, wanting, mailable_only=True) == len(keys)
                excluded = count_exclusions(connection, segment, topic="Weekly")
                assert len(keys) + sum(excluded.values()) == total
                declined = excluded.get("opted out of the topic 'Weekly'", 0)
                assert declined == len(opted_out & set(audience))


def import_rows(engine: sa.Engine, path: Path, rows: Iterable[tuple[str, str]]) -> None:
    path.write_text("email,status\n" + "".join(f"{address},{word}\n" for address, word in rows))
    import_subscriber_file(engine, path, now=NOW)


def suppress_addresses(engine: sa.Engine, step: str, keys: set[str]) -> set[str]:
    """Suppress addresses, by status or in the suppression list; return those affected."""
    if step == "suppress":
        for key in keys:
            with engine.begin() as connection:
                connection.execute(
                    sa.delete(suppression).where(
                        suppression.c.address_key == key, suppression.c.scope == "all"
                    )
                )
            suppress(engine, key, "unsubscribed")
        return keys
    with engine.begin() as connection:
        known = set(connection.scalars(sa.select(subscriber.c.address_key)))
        connection.execute(
            sa.update(subscriber).where(subscriber.c.address_key.in_(keys)).values(status=step)
        )
    return keys & known


@pytest.mark.parametrize("database_url", ["sqlite", "postgresql"], indirect=True)
def test_pause_ends_at_its_time(engine: sa.Engine, import_text: ImportText) -> None:
    import_text("email,status\n" + "".join(f"r{n}@b.com,active\n" for n in range(4)))
    import_text("email,status\nr4@b.com,unsubscribed\n")
    suppress(engine, "r1@b.com", "bounced")
    instant = datetime.timedelta(microseconds=1)
    with engine.begin() as connection:
        ids = connection.scalars(sa.select(subscriber.c.id).order_by(subscriber.c.id)).all()
        for id_ in (ids[0], ids[1], ids[4]):
            set_paused_until(connection, id_, NOW, NOW)
    in_segment = subscriber.c.address_key != "r2@b.com"
    for at, paused in ((NOW - instant, 1), (NOW, 0)):
        with read_transaction(engine) as connection:
            audience = list(iter_audience(connection, at=at))
            excluded = count_exclusions(connection, at=at)
            assert (
                count_subscribers(connection, mailable_only=True, at=at)
                == len(audience)
                == 3 - paused
            )
            assert excluded.get("paused", 0) == paused
            assert len(audience) + sum(excluded.values()) == len(ids)
            count = count_subscribers(connection, in_segment, mailable_only=True, at=at)
            assert count + sum(count_exclusions(connection, in_segment, at=at).values()) == len(ids)
