import datetime
import logging
from typing import Any

import pytest
import sqlalchemy as sa

from newsletter.db.schema import transactional_email
from newsletter.sending.rehearsal.fake_sendgrid.faults import (
    ConnectionBehavior,
    InjectedFault,
    error_response,
)
from newsletter.subscribers.address import ParsedAddress, parse_address
from newsletter.subscribers.consent import changes
from newsletter.subscribers.consent.journal import ChangeOrigin
from newsletter.web.subscriber.transactional_emails import (
    enqueue_email,
    enqueue_welcome_email,
    purge_stale_data,
)

ADA = parse_address("Ada@example.org")
DATA = {"name": "SPAM! https://spam.example", "source": "/subscribe", "wording": "Yes"}


def ask(desk: Any, to: ParsedAddress = ADA) -> bool:
    with desk.site.engine.begin() as connection:
        window = datetime.timedelta(hours=24)
        return enqueue_email(connection, "confirm", to, DATA, desk.time(), window)


def test_who_is_new_waits_for_their_own_word(desk: Any) -> None:
    ask(desk)
    assert desk.post() == ["Ada@example.org"]
    assert desk.status(ADA.key) == "pending"
    letter = desk.letter()
    assert letter["subject"] == "Confirm your subscription to Harbour Notes"
    assert [part["type"] for part in letter["content"]] == ["text/plain", "text/html"]
    everything = str(letter)
    assert "1 Quay Street" in everything
    assert "spam.example" not in everything, "a stranger's words go to nobody"
    assert "List-Unsubscribe" not in everything
    assert desk.post() == []


def test_who_is_subscribed_gets_no_letter(desk: Any) -> None:
    with desk.site.engine.begin() as connection:
        changes.subscribe(connection, ADA, "active", ChangeOrigin(desk.time(), "cli"))
    ask(desk)
    assert desk.post() == []
    assert desk.owed() == [("Ada@example.org", "dropped")]


@pytest.mark.parametrize("left", ["unsubscribed", "bounced", "complained"])
def test_who_left_is_asked_and_stays_out_until_they_answer(desk: Any, left: str) -> None:
    origin = ChangeOrigin(desk.time(), "webhook")
    with desk.site.engine.begin() as connection:
        changes.subscribe(connection, ADA, "active", origin)
        changes.SUPPRESSION_ACTIONS[left](connection, ADA.key, origin)
    ask(desk)
    assert desk.post() == ["Ada@example.org"]
    assert desk.status(ADA.key) == left


def test_a_letter_that_may_have_left_is_not_sent_again(desk: Any) -> None:
    desk.vendor.inject_faults(
        InjectedFault(ConnectionBehavior.CLOSE, accept=True, name="lost answer")
    )
    ask(desk)
    assert desk.post() == ["Ada@example.org"]
    desk.time.pass_by(hours=12)
    assert not ask(desk)
    assert desk.post() == []
    assert desk.owed() == [("Ada@example.org", "unknown")]
    desk.time.pass_by(hours=13)
    assert ask(desk)
    assert desk.post() == ["Ada@example.org"]


def test_a_letter_that_surely_has_not_left_is_sent_later(
    desk: Any, caplog: pytest.LogCaptureFixture
) -> None:
    desk.vendor.inject_faults(error_response(401, "The key is revoked for ada@example.org"))
    ask(desk)
    with caplog.at_level(logging.WARNING):
        assert desk.post() == []
    assert "The key is revoked for" in caplog.text
    assert "example.org" not in caplog.text, "logs name nobody"
    desk.time.pass_by(minutes=10)
    assert desk.post() == ["Ada@example.org"]


def test_a_broken_template_delays_letters_and_loses_none(desk: Any) -> None:
    template = desk.site.project.templates_dir / "confirm.mjml"
    good = template.read_text()
    template.write_text("<mjml>")
    ask(desk)
    assert desk.post() == []
    template.write_text(good)
    desk.time.pass_by(minutes=10)
    assert desk.post() == ["Ada@example.org"]


def test_a_folder_from_before_there_were_letters_uses_those_of_the_program(desk: Any) -> None:
    for name in ("confirm", "welcome", "move"):
        (desk.site.project.templates_dir / f"{name}.mjml").unlink()
    ask(desk)
    assert desk.post() == ["Ada@example.org"]


@pytest.mark.parametrize("settings", [{"signup": {"welcome": True}}])
def test_a_welcome_comes_once_with_the_way_out(desk: Any) -> None:
    for _ in range(2):
        with desk.site.engine.begin() as connection:
            changes.subscribe(connection, ADA, "active", ChangeOrigin(desk.time(), "cli"))
            enqueue_welcome_email(desk.site, connection, ADA)
    assert desk.post() == ["Ada@example.org"]
    letter = desk.letter()
    headers = letter["personalizations"][0]["headers"]
    assert headers["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert headers["List-Unsubscribe"].strip("<>") in letter["content"][0]["value"]


@pytest.mark.parametrize("settings", [{"signup": {"double_opt_in": False, "welcome": True}}])
def test_single_opt_in_subscribes_at_once_but_brings_nobody_back(desk: Any) -> None:
    bob = parse_address("bob@example.org")
    with desk.site.engine.begin() as connection:
        changes.subscribe(connection, bob, "active", ChangeOrigin(desk.time(), "cli"))
        changes.unsubscribe(connection, bob.key, ChangeOrigin(desk.time(), "one_click"))
    ask(desk)
    ask(desk, bob)
    assert sorted(desk.post()) == ["Ada@example.org", "bob@example.org"]
    assert desk.status(ADA.key) == "active"
    assert desk.status(bob.key) == "unsubscribed"


def test_letters_about_a_move_say_what_the_page_gave_them(desk: Any) -> None:
    data = {"url": "https://news.harbour-notes.org/move/abc", "address": "b…@example.org",
            "until": "2026-12-08"}  # fmt: skip
    with desk.site.engine.begin() as connection:
        enqueue_email(connection, "move_from", ADA, data, desk.time(), datetime.timedelta(hours=1))
    assert desk.post() == ["Ada@example.org"]
    text = desk.letter()["content"][0]["value"]
    assert "https://news.harbour-notes.org/move/abc" in text
    assert "b…@example.org" in text


def test_addresses_of_those_who_never_answered_are_forgotten(desk: Any) -> None:
    ask(desk)
    desk.post()
    desk.time.pass_by(days=8)
    purge_stale_data(desk.site)
    with desk.site.engine.begin() as connection:
        assert connection.scalar(sa.select(sa.func.count()).select_from(transactional_email)) == 0
