import datetime
from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa

from newsletter.config import Config
from newsletter.db import read_transaction
from newsletter.db.schema import attribute, subscriber, subscriber_tag
from newsletter.errors import SubscriberListError
from newsletter.subscribers import (
    count_by_status,
    count_exclusions,
    count_subscribers,
    iter_audience,
)
from newsletter.subscribers.importing.import_list import ImportSummary
from newsletter.subscribers.segments import Segment, find_segment
from newsletter.subscribers.segments.segment import load_known_names
from newsletter.subscribers.tags import iter_tags

Import = Callable[..., ImportSummary]
NOW = datetime.datetime(2026, 11, 22, 23, 30, tzinfo=datetime.UTC)
NAMED = {"vips": "tag:vip", "broken": "tag:vip and citty = Bergen", "new": "joined > today"}


def configured(**settings: Any) -> Config:
    basis = {
        "name": "Harbour Notes",
        "sender": {"name": "Harbour Notes", "address": "editor@harbour-notes.org"},
        "site_url": "https://harbour-notes.org",
        "attributes": {"city": "your town"},
        "segments": NAMED,
    }
    return Config.model_validate({**basis, **settings}, strict=False)


@pytest.fixture
def readers(engine: sa.Engine, imported: Import) -> sa.Engine:
    """Ada, Bo and Cy active, Di unsubscribed; Ada, Bo and Di are vips; Bo is suppressed."""
    imported("email,city,status\nada@b.com,Oslo,active\nbo@b.com,,active\ncy@b.com,,active\n"
             "di@b.com,,unsubscribed\n")  # fmt: skip
    with engine.begin() as connection:
        ids = connection.scalars(sa.select(subscriber.c.id).order_by(subscriber.c.id)).all()
        rows = [{"subscriber_id": ids[at], "tag": "vip"} for at in (0, 1, 3)]
        rows.append({"subscriber_id": ids[0], "tag": "press"})
        connection.execute(sa.insert(subscriber_tag), rows)
        connection.execute(
            sa.text("INSERT INTO suppression (address_key, reason, since, source)"
                    " VALUES ('bo@b.com', 'spam report', '2026-11-22 09:00:00+00:00', 'x')")
        )  # fmt: skip
    return engine


def find(engine: sa.Engine, wanted: str, **settings: Any) -> Segment:
    with read_transaction(engine) as connection:
        return find_segment(connection, wanted, configured(**settings), NOW)


def test_by_name_or_by_query(readers: sa.Engine) -> None:
    named, query = find(readers, " vips "), find(readers, "tag:VIP")
    assert (named.name, named.text, str(named)) == ("vips", "tag:vip", "vips")
    assert (query.name, query.text, str(query)) == ("", "tag:VIP", "tag:VIP")
    assert named.query == query.query


def test_the_day_is_the_newsletters(readers: sa.Engine) -> None:
    assert str(find(readers, "new").query) == "joined > 2026-11-22"
    assert str(find(readers, "new", timezone="Europe/Oslo").query) == "joined > 2026-11-23"


@pytest.mark.parametrize(
    ("wanted", "segments", "message"),
    [
        ("vipps", NAMED, "there is no segment 'vipps'. Did you mean 'vips'?"),
        ("xxx", NAMED, "there is no segment 'xxx'. There are: vips, broken, new."),
        (
            "vip",
            {},
            "there is no segment 'vip'. Name one in newsletter.yml, or write a query: 'tag:vip'",
        ),
        (
            "broken",
            NAMED,
            (
                "newsletter.yml: segments.broken: there is no attribute 'citty'. Did you mean "
                "'city'?\n  tag:vip and citty = Bergen\n              ^^^^^"
            ),
        ),
    ],
)
def test_what_is_wrong_is_told_with_the_name(
    readers: sa.Engine, wanted: str, segments: dict[str, str], message: str
) -> None:
    with pytest.raises(SubscriberListError) as caught:
        find(readers, wanted, segments=segments)
    assert str(caught.value) == message


def test_audience_and_exclusions_of_a_segment_add_up_to_the_list(readers: sa.Engine) -> None:
    vips = find(readers, "vips").condition
    with read_transaction(readers) as connection:
        mailed = [reader.address for reader in iter_audience(connection, condition=vips)]
        left_out = count_exclusions(connection, vips)
        total = sum(count_by_status(connection).values())
        assert (
            count_subscribers(connection, vips),
            count_subscribers(connection, vips, mailable_only=True),
        ) == (3, 1)
        assert count_subscribers(connection, mailable_only=True) == 2
    assert mailed == ["ada@b.com"]
    assert left_out == {"unsubscribed": 1, "spam report": 1, "not in the segment": 1}
    assert len(mailed) + sum(left_out.values()) == total


def test_the_names_that_a_list_knows(readers: sa.Engine) -> None:
    with readers.begin() as connection:
        connection.execute(sa.delete(attribute))
        rows = [{"name": "age", "type": "number"}, {"name": "no word", "type": "text"}]
        connection.execute(sa.insert(attribute), rows)
        found = load_known_names(
            connection, configured(attributes={"name": "friend", "town": "here"})
        )
        connection.execute(sa.delete(subscriber_tag))
        assert list(iter_tags(connection)) == []
    assert found.tags == ("press", "vip")
    assert found.attributes == {"town": "text", "age": "number"}
    assert found.issues == ()
