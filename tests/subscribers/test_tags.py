import datetime
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import sqlalchemy as sa

from newsletter.db import database_engine
from newsletter.db.schema import subscriber, subscriber_tag
from newsletter.errors import SubscriberListError
from newsletter.subscribers.address import parse_address
from newsletter.subscribers.consent.changes import subscribe
from newsletter.subscribers.consent.journal import ChangeOrigin
from newsletter.subscribers.importing.import_list import ImportSummary
from newsletter.subscribers.tags import (
    add_tag,
    clean_tag,
    find_ids,
    list_tags,
    read_address_file,
    remove_tag,
)

ImportText = Callable[..., ImportSummary]
ALL = sa.true()


def load_tags(connection: sa.Connection) -> list[tuple[str, str]]:
    join = subscriber.join(subscriber_tag, subscriber.c.id == subscriber_tag.c.subscriber_id)
    rows = sa.select(subscriber.c.address, subscriber_tag.c.tag).select_from(join)
    return sorted(tuple(row) for row in connection.execute(rows))


def test_add_and_remove_tags(engine: sa.Engine, import_text: ImportText) -> None:
    import_text("a@b.com\nc@d.com\n")
    ada = subscriber.c.address_key == "a@b.com"
    with engine.begin() as connection:
        assert add_tag(connection, "vip", ada) == 1
        assert add_tag(connection, "vip", ALL) == 1
        assert add_tag(connection, "VIP", ada) == 0
        assert add_tag(connection, "press", sa.false()) == 0
        assert load_tags(connection) == [("a@b.com", "vip"), ("c@d.com", "vip")]
        id_ = find_ids(connection, ["a@b.com"])["a@b.com"]
        connection.execute(sa.insert(subscriber_tag).values(subscriber_id=id_, tag="VIP"))
        assert list_tags(connection) == ["VIP", "vip"]
        assert remove_tag(connection, "Vip", ada) == 1
        assert remove_tag(connection, "nothing", ALL) == 0
        assert load_tags(connection) == [("c@d.com", "vip")]


def test_tags_are_deleted_with_their_subscriber(engine: sa.Engine, import_text: ImportText) -> None:
    import_text("a@b.com\n")
    with engine.begin() as connection:
        add_tag(connection, "vip", ALL)
        connection.execute(sa.delete(subscriber))
        assert list_tags(connection) == []


def test_find_ids(engine: sa.Engine, import_text: ImportText) -> None:
    import_text("a@b.com\n")
    with engine.begin() as connection:
        assert find_ids(connection, ["a@b.com", "x@y.com", "'"]).keys() == {"a@b.com"}


@pytest.mark.parametrize("text", ["", " ", "a\nb", "x" * 101])
def test_invalid_tag_is_rejected(text: str) -> None:
    with pytest.raises(SubscriberListError):
        clean_tag(text)


def test_spaces_around_a_tag_are_removed() -> None:
    assert clean_tag(" big spender ") == "big spender"


def test_read_address_file(tmp_path: Path) -> None:
    path = tmp_path / "some.csv"
    path.write_text("Name,Email\nAda,Ada@B.com\nBo,nowhere\nCy,cy@d.com,too,many\n")
    found = list(read_address_file(path))
    assert [(row.line, row.key) for row in found] == [(2, "ada@b.com"), (3, ""), (4, "")]
    assert found[0].address_or_problem == "Ada@b.com"
    assert "is not a valid email address" in found[1].address_or_problem
    path.write_text("a@b.com\nc@d.com\n")
    assert [row.key for row in read_address_file(path)] == ["a@b.com", "c@d.com"]
    path.write_text("")
    with pytest.raises(SubscriberListError):
        list(read_address_file(path))


def test_readers_who_are_erased_meanwhile_are_left_out(postgres_url: str, tmp_path: Path) -> None:
    origin = ChangeOrigin(datetime.datetime.now(datetime.UTC), "cli")
    with database_engine(postgres_url, tmp_path) as engine, ThreadPoolExecutor(1) as threads:
        with engine.begin() as connection:
            for address in ("a@b.com", "c@d.com", "e@f.com"):
                subscribe(connection, parse_address(address), "active", origin)

        def tag_all() -> int:
            with engine.begin() as connection:
                return add_tag(connection, "vip", ALL)

        with engine.begin() as connection:
            connection.execute(sa.delete(subscriber).where(subscriber.c.address != "c@d.com"))
            tagging = threads.submit(tag_all)
            waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted"
            while not connection.exec_driver_sql(waiting).scalar() and not tagging.done():
                threading.Event().wait(0.01)
        assert tagging.result() == 1
        with engine.connect() as connection:
            assert load_tags(connection) == [("c@d.com", "vip")]
