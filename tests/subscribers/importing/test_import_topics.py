"""Topics that a reader has opted out of: an import adds what a file states, and removes none."""

import datetime
from collections.abc import Callable

import pytest
import sqlalchemy as sa

from newsletter.db import read_transaction
from newsletter.errors import SubscriberListError
from newsletter.subscribers.importing.import_list import ImportSummary
from newsletter.subscribers.importing.rows.row_parser import clean_topics
from newsletter.subscribers.topics import add_opt_outs, load_opted_out_topics

ImportText = Callable[..., ImportSummary]
NOW = datetime.datetime(2026, 11, 22, tzinfo=datetime.UTC)
KEY = "ada@example.com"
EXPORT = (
    "email,name,status,tags,joined_at,confirmed_at,source,soft_bounces,token,opted_out\n"
    f"{KEY},,{{status}},,,,,,,{{cell}}\n"
)


def load(engine: sa.Engine) -> list[str]:
    with read_transaction(engine) as connection:
        return load_opted_out_topics(connection, [KEY]).get(KEY, [])


def opt_out(engine: sa.Engine, topic: str) -> None:
    with engine.begin() as connection:
        add_opt_outs(connection, [(KEY, topic, NOW, "preferences")])


@pytest.mark.parametrize(
    ("before", "cell", "after", "updated"),
    [
        ("weekly", "", ["weekly"], 0),
        ("weekly", "weekly", ["weekly"], 0),
        ("weekly", "WEEKLY", ["weekly"], 0),
        ("weekly", '"events,weekly"', ["events", "weekly"], 1),
        ("", "events", ["events"], 1),
    ],
)
def test_known_reader(
    engine: sa.Engine,
    import_text: ImportText,
    before: str,
    cell: str,
    after: list[str],
    updated: int,
) -> None:
    import_text(EXPORT.format(status="active", cell=""))
    if before:
        opt_out(engine, before)
    summary = import_text(EXPORT.format(status="active", cell=cell))
    assert (load(engine), summary.updated, summary.rejected) == (after, updated, 0)


def test_later_rows_of_an_address_count_too(engine: sa.Engine, import_text: ImportText) -> None:
    import_text(EXPORT.format(status="active", cell="") + f"{KEY},,active,,,,,,,weekly\n")
    assert load(engine) == ["weekly"]


def test_opt_out_keeps_nobody_from_being_resubscribed(
    engine: sa.Engine, import_text: ImportText
) -> None:
    import_text(EXPORT.format(status="unsubscribed", cell="weekly"))
    summary = import_text(EXPORT.format(status="active", cell=""), consent="the fair")
    assert (summary.resubscribed, load(engine)) == (1, ["weekly"])


def test_opt_out_of_an_address_off_the_list_does_not_suppress_it(
    engine: sa.Engine, import_text: ImportText
) -> None:
    opt_out(engine, "weekly")
    assert import_text(f"email\n{KEY}\n").new == {"active": 1}
    assert load(engine) == ["weekly"]


def test_row_with_an_invalid_topic_is_rejected(import_text: ImportText) -> None:
    assert import_text(EXPORT.format(status="active", cell="two words")).rejected == 1
    with pytest.raises(SubscriberListError, match="more than"):
        clean_topics([f"t{number}" for number in range(1000)])
