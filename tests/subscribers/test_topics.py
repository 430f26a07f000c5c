"""A topic that a reader has opted out of stays so, until they choose it again."""

import datetime
from collections.abc import Callable

import pytest
import sqlalchemy as sa

from newsletter.db import read_transaction
from newsletter.db.schema import subscriber
from newsletter.subscribers import count_exclusions, count_subscribers
from newsletter.subscribers.address import parse_address
from newsletter.subscribers.consent import changes
from newsletter.subscribers.consent.delivery_feedback import ProviderReport, apply_reports
from newsletter.subscribers.consent.erasure import erase_address
from newsletter.subscribers.consent.journal import ChangeOrigin
from newsletter.subscribers.consent.signup import sign_up
from newsletter.subscribers.consent.suppressions import load_suppressions
from newsletter.subscribers.importing.import_list import ImportSummary
from newsletter.subscribers.topics import limit_to_topic, load_opt_outs, set_chosen_topics

ImportText = Callable[..., ImportSummary]
Step = Callable[[sa.Connection], object]

ADA = "ada@example.com"
NOW = datetime.datetime(2026, 11, 22, 9, 0, tzinfo=datetime.UTC)
ORIGIN = ChangeOrigin(NOW, "form", "/subscribe", "yes")


@pytest.fixture
def ada(engine: sa.Engine, import_text: ImportText) -> None:
    """Import Ada, who opts out of 'weekly' and wants 'events', and Bo, who wants both."""
    import_text(f"email\n{ADA}\nbo@example.com\n")
    with engine.begin() as connection:
        set_chosen_topics(connection, ADA, ["weekly", "events"], ["events"], (NOW, "/p"))


def opted_out(engine: sa.Engine, key: str = ADA) -> list[str]:
    with read_transaction(engine) as connection:
        return [opt_out.topic for opt_out in load_opt_outs(connection, key)]


def leave(connection: sa.Connection) -> None:
    changes.unsubscribe(connection, ADA, ORIGIN)


def return_by_consent(connection: sa.Connection) -> None:
    leave(connection)
    changes.resubscribe(connection, parse_address(ADA), "active", ORIGIN)


def move_there_and_back(connection: sa.Connection) -> None:
    changes.change_address(connection, ADA, parse_address("a@example.com"), ORIGIN)
    assert [entry.topic for entry in load_opt_outs(connection, "a@example.com")] == ["weekly"]
    assert load_opt_outs(connection, ADA) == ()
    changes.change_address(connection, "a@example.com", parse_address(ADA), ORIGIN)


@pytest.mark.usefixtures("ada")
@pytest.mark.parametrize(
    "step",
    [
        leave,
        return_by_consent,
        move_there_and_back,
        lambda connection: sign_up(
            connection, parse_address(ADA), ORIGIN, name="", single_opt_in=True
        ),
        lambda connection: apply_reports(
            connection, [ProviderReport("Ada@example.com", "unsubscribed", NOW, "")], "sync", NOW
        ),
        lambda connection: set_chosen_topics(connection, ADA, ["events"], ["events"], (NOW, "/p")),
        lambda connection: set_chosen_topics(connection, ADA, ["WEEKLY"], [], (NOW, "/p")),
    ],
    ids=["leave", "resubscribe", "move", "sign up", "sync", "another topic", "another spelling"],
)
def test_opt_out_outlasts_whatever_is_no_answer_to_it(engine: sa.Engine, step: Step) -> None:
    with engine.begin() as connection:
        step(connection)
    assert opted_out(engine) == ["weekly"]


@pytest.mark.usefixtures("ada")
def test_opt_out_outlasts_an_import(engine: sa.Engine, import_text: ImportText) -> None:
    import_text(f"email,status,tags\n{ADA},active,weekly\n")
    assert opted_out(engine) == ["weekly"]


@pytest.mark.usefixtures("ada")
@pytest.mark.parametrize("before", ["left", "not in the list"])
def test_opt_out_keeps_nobody_off_the_list(
    engine: sa.Engine, import_text: ImportText, before: str
) -> None:
    with engine.begin() as connection:
        if before == "left":
            leave(connection)
        else:  # restored from a backup, which they joined after
            connection.execute(sa.delete(subscriber).where(subscriber.c.address_key == ADA))
    import_text(f"email\n{ADA}\n", consent="by phone" if before == "left" else "")
    with read_transaction(engine) as connection:
        assert count_subscribers(connection, mailable_only=True) == 2
    assert opted_out(engine) == ["weekly"]


@pytest.mark.usefixtures("ada")
def test_reader_chooses_a_topic_again_in_any_spelling(engine: sa.Engine) -> None:
    with engine.begin() as connection:
        set_chosen_topics(connection, ADA, ["Weekly"], ["Weekly"], (NOW, "/p"))
    assert opted_out(engine) == []


@pytest.mark.usefixtures("ada")
def test_erasure_deletes_opt_outs(engine: sa.Engine) -> None:
    erase_address(engine, ADA, NOW)
    assert opted_out(engine) == []


@pytest.mark.usefixtures("ada")
@pytest.mark.parametrize(
    ("topic", "count", "excluded"),
    [
        ("", 2, {}),
        ("weekly", 1, {"opted out of the topic 'weekly'": 1}),
        ("Weekly", 1, {"opted out of the topic 'Weekly'": 1}),
        ("events", 2, {}),
        ("added-later", 2, {}),
        ("week", 2, {}),
    ],
)
def test_only_the_topic_itself_is_declined(
    engine: sa.Engine, topic: str, count: int, excluded: dict[str, int]
) -> None:
    with read_transaction(engine) as connection:
        condition = limit_to_topic(sa.true(), topic)
        assert count_subscribers(connection, condition, mailable_only=True) == count
        assert count_exclusions(connection, topic=topic) == excluded
        assert load_suppressions(connection, ADA) == ()
