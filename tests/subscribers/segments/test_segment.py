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
from newsletter.subscribers.tags import list_tags

ImportText = Callable[..., ImportSummary]
NOW = datetime.datetime(2026, 11, 22, 23, 30, tzinfo=datetime.UTC)
SEGMENTS = {"vips": "tag:vip", "broken": "tag:vip and citty = Bergen", "new": "joined > today"}


def make_config(**settings: Any) -> Config:
    defaults = {
        "name": "Harbour Notes",
        "sender": {"name": "Harbour Notes", "address": "editor@harbour-notes.org"},
        "site_url": "https://harbour-notes.org",
        "attributes": {"city": "your town"},
        "segments": SEGMENTS,
    }
    return Config.model_validate({**defaults, **settings}, strict=False)


@pytest.fixture
def list_engine(engine: sa.Engine, import_text: ImportText) -> sa.Engine:
    """Ada, Bo and Cy active, Di unsubscribed; Ada, Bo and Di are vips; Bo is suppressed."""
    import_text(
        "email,city,status\nada@b.com,Oslo,active\nbo@b.com,,active\ncy@b.com,,active\n"
        "di@b.com,,unsubscribed\n"
    )
    with engine.begin() as connection:
        ids = connection.scalars(sa.select(subscriber.c.id).order_by(subscriber.c.id)).all()
        rows = [{"subscriber_id": ids[index], "tag": "vip"} for index in (0, 1, 3)]
        rows.append({"subscriber_id": ids[0], "tag": "press"})
        connection.execute(sa.insert(subscriber_tag), rows)
        connection.execute(
            sa.text(
                "INSERT INTO suppression (address_key, reason, since, source)"
                " VALUES ('bo@b.com', 'spam report', '2026-11-22 09:00:00+00:00', 'x')"
            )
        )
    return engine


def find(engine: sa.Engine, name_or_query: str, **settings: Any) -> Segment:
    with read_transaction(engine) as connection:
        return find_segment(connection, name_or_query, make_config(**settings), NOW)


def test_find_by_name_or_by_query(list_engine: sa.Engine) -> None:
    named, query = find(list_engine, " vips "), find(list_engine, "tag:VIP")
    assert (named.name, named.text, str(named)) == ("vips", "tag:vip", "vips")
    assert (query.name, query.text, str(query)) == ("", "tag:VIP", "tag:VIP")
    assert named.query == query.query


def test_today_is_in_the_newsletters_time_zone(list_engine: sa.Engine) -> None:
    assert str(find(list_engine, "new").query) == "joined > 2026-11-22"
    assert str(find(list_engine, "new", timezone="Europe/Oslo").query) == "joined > 2026-11-23"


@pytest.mark.parametrize(
    ("name_or_query", "segments", "message"),
    [
        ("vipps", SEGMENTS, "there is no segment 'vipps'. Did you mean 'vips'?"),
        ("xxx", SEGMENTS, "there is no segment 'xxx'. There are: vips, broken, new."),
        (
            "vip",
            {},
            "there is no segment 'vip'. Define it in newsletter.yml, or write a query: 'tag:vip'",
        ),
        (
            "broken",
            SEGMENTS,
            (
                "newsletter.yml: segments.broken: there is no attribute 'citty'. Did you mean "
                "'city'?\n  tag:vip and citty = Bergen\n              ^^^^^"
            ),
        ),
    ],
)
def test_error_message_names_the_segment(
    list_engine: sa.Engine, name_or_query: str, segments: dict[str, str], message: str
) -> None:
    with pytest.raises(SubscriberListError) as caught:
        find(list_engine, name_or_query, segments=segments)
    assert str(caught.value) == message


def test_audience_and_exclusions_of_a_segment_add_up_to_the_list(list_engine: sa.Engine) -> None:
    vips = find(list_engine, "vips").condition
    with read_transaction(list_engine) as connection:
        audience = [recipient.address for recipient in iter_audience(connection, condition=vips)]
        excluded = count_exclusions(connection, vips)
        total = sum(count_by_status(connection).values())
        assert (
            count_subscribers(connection, vips),
            count_subscribers(connection, vips, mailable_only=True),
        ) == (3, 1)
        assert count_subscribers(connection, mailable_only=True) == 2
    assert audience == ["ada@b.com"]
    assert excluded == {"unsubscribed": 1, "spam report": 1, "not in the segment": 1}
    assert len(audience) + sum(excluded.values()) == total


def test_load_known_names(list_engine: sa.Engine) -> None:
    with list_engine.begin() as connection:
        connection.execute(sa.delete(attribute))
        rows = [{"name": "age", "type": "number"}, {"name": "no word", "type": "text"}]
        connection.execute(sa.insert(attribute), rows)
        found = load_known_names(
            connection, make_config(attributes={"name": "friend", "town": "here"})
        )
        connection.execute(sa.delete(subscriber_tag))
        assert list_tags(connection) == []
    assert found.tags == ("press", "vip")
    assert found.attributes == {"town": "text", "age": "number"}
    assert found.sends == ()
