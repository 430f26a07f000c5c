"""Transactional emails: who gets one, retries, unknown outcomes, cleanup."""

import datetime
import logging
from dataclasses import replace
from typing import Any

import pytest
import sqlalchemy as sa

from newsletter.db.schema import (
    address_change,
    attempt,
    batch,
    send,
    subscriber,
    transactional_email,
)
from newsletter.sending.rehearsal.fake_sendgrid.faults import (
    ConnectionBehavior,
    InjectedFault,
    error_response,
)
from newsletter.sending.transactional_queue import enqueue_email
from newsletter.subscribers.address import ParsedAddress, parse_address
from newsletter.subscribers.consent import changes
from newsletter.subscribers.consent.journal import ChangeOrigin
from newsletter.web.subscriber.transactional_emails import (
    enqueue_welcome_email,
    purge_stale_data,
    send_due_emails,
)

ADA = parse_address("Ada@example.org")
BOB = parse_address("bob@example.org")
DATA = {"name": "SPAM! https://spam.example", "source": "/subscribe", "wording": "Yes"}


def enqueue_confirmation(harness: Any, to: ParsedAddress = ADA) -> bool:
    with harness.site.engine.begin() as connection:
        window = datetime.timedelta(hours=24)
        return enqueue_email(connection, "confirm", to, DATA, harness.clock(), window)


def record_sent_issue(harness: Any, name: str, title: str) -> None:
    folder = harness.site.project.issues_dir / name
    folder.mkdir()
    (folder / "post.md").write_text(f"# {title}\n\nWords.\n")
    at = harness.clock() - datetime.timedelta(days=1)
    values = {"issue": name, "state": "done", "content_sha": "", "subject": title, "total": 1}
    with harness.site.engine.begin() as connection:
        send_id = connection.scalar(
            sa.insert(send).values(**values, frozen_at=at, excluded={}).returning(send.c.id)
        )
        row = {"send_id": send_id, "number": 1, "size": 1, "state": "accepted"}
        batch_id = connection.scalar(sa.insert(batch).values(row).returning(batch.c.id))
        row = {"batch_id": batch_id, "number": 1, "body_sha": "", "started_at": at}
        connection.execute(sa.insert(attempt).values(row))


def test_new_subscriber_is_pending_until_confirmed(harness: Any) -> None:
    enqueue_confirmation(harness)
    assert harness.send_emails() == ["Ada@example.org"]
    assert harness.status(ADA.key) == "pending"
    email = harness.latest_email()
    assert email["subject"] == "Confirm your subscription to Harbour Notes"
    assert [part["type"] for part in email["content"]] == ["text/plain", "text/html"]
    everything = str(email)
    assert "1 Quay Street" in everything
    assert "spam.example" not in everything, "submitted text is not in the email"
    assert "List-Unsubscribe" not in everything
    assert harness.send_emails() == []


def test_confirmation_without_a_public_url_waits(
    harness: Any, caplog: pytest.LogCaptureFixture
) -> None:
    config = harness.site.config.model_copy(update={"public_url": None})
    project = replace(harness.site.project, config=config)
    enqueue_confirmation(harness)
    with caplog.at_level(logging.WARNING):
        send_due_emails(replace(harness.site, project=project), harness.mailer)
    assert harness.sendgrid.requests == []
    assert "Set public_url" in caplog.text
    harness.clock.advance(hours=1)
    assert harness.send_emails() == ["Ada@example.org"]


def test_active_subscriber_gets_no_email(harness: Any) -> None:
    with harness.site.engine.begin() as connection:
        changes.subscribe(connection, ADA, "active", ChangeOrigin(harness.clock(), "cli"))
    enqueue_confirmation(harness)
    assert harness.send_emails() == []
    assert harness.list_emails() == [("Ada@example.org", "dropped")]


@pytest.mark.parametrize("status", ["unsubscribed", "bounced", "complained"])
def test_suppressed_address_stays_suppressed_until_confirmed(harness: Any, status: str) -> None:
    origin = ChangeOrigin(harness.clock(), "webhook")
    with harness.site.engine.begin() as connection:
        changes.subscribe(connection, ADA, "active", origin)
        changes.SUPPRESSION_ACTIONS[status](connection, ADA.key, origin)
    enqueue_confirmation(harness)
    assert harness.send_emails() == ["Ada@example.org"]
    assert harness.status(ADA.key) == status


def test_email_with_unknown_outcome_is_not_sent_again(harness: Any) -> None:
    harness.sendgrid.inject_faults(
        InjectedFault(ConnectionBehavior.CLOSE, accept=True, name="lost response")
    )
    enqueue_confirmation(harness)
    assert harness.send_emails() == ["Ada@example.org"]
    harness.clock.advance(hours=12)
    assert not enqueue_confirmation(harness)
    assert harness.send_emails() == []
    assert harness.list_emails() == [("Ada@example.org", "unknown")]
    harness.clock.advance(hours=13)
    assert enqueue_confirmation(harness)
    assert harness.send_emails() == ["Ada@example.org"]


def test_email_that_was_not_accepted_is_retried_later(
    harness: Any, caplog: pytest.LogCaptureFixture
) -> None:
    harness.sendgrid.inject_faults(error_response(401, "The key is revoked for ada@example.org"))
    enqueue_confirmation(harness)
    with caplog.at_level(logging.WARNING):
        assert harness.send_emails() == []
    assert "The key is revoked for" in caplog.text
    assert "example.org" not in caplog.text, "logs contain no addresses"
    harness.clock.advance(minutes=10)
    assert harness.send_emails() == ["Ada@example.org"]


def test_broken_template_delays_emails_and_loses_none(harness: Any) -> None:
    template = harness.site.project.templates_dir / "confirm.mjml"
    valid = template.read_text()
    template.write_text("<mjml>")
    enqueue_confirmation(harness)
    assert harness.send_emails() == []
    template.write_text(valid)
    harness.clock.advance(minutes=10)
    assert harness.send_emails() == ["Ada@example.org"]


def test_missing_templates_fall_back_to_the_default_ones(harness: Any) -> None:
    for name in ("confirm", "partials/welcome", "move"):
        (harness.site.project.templates_dir / f"{name}.mjml").unlink()
    enqueue_confirmation(harness)
    assert harness.send_emails() == ["Ada@example.org"]


def test_templates_from_before_an_email_existed_are_used_for_the_others(harness: Any) -> None:
    templates = harness.site.project.templates_dir
    confirm = templates / "confirm.mjml"
    confirm.write_text(confirm.read_text().replace("{% block text %}", "{% block text %}Ahoy! "))
    for name in ("download", "erase"):
        (templates / f"{name}.mjml").unlink()
    words = templates / "words" / "en.yml"
    words.write_text("email:\n  erase_title: Shred it all\n")
    enqueue_confirmation(harness)
    with harness.site.engine.begin() as connection:
        origin = ChangeOrigin(harness.clock(), "cli")
        bob = changes.subscribe(connection, BOB, "active", origin)
        data = {"subscriber_id": bob.id}
        hour = datetime.timedelta(hours=1)
        enqueue_email(connection, "erase", BOB, data, harness.clock(), hour)
    assert harness.send_emails() == ["Ada@example.org", "bob@example.org"]
    confirmation, erasure = (request.body.decode() for request in harness.sendgrid.requests)
    assert "Ahoy!" in confirmation
    assert "Delete my data" in erasure
    assert "Shred it all" in erasure


@pytest.mark.parametrize("settings", [{"signup": {"welcome": True}}])
def test_welcome_email_is_sent_once_with_an_unsubscribe_link(harness: Any) -> None:
    for _ in range(2):
        with harness.site.engine.begin() as connection:
            changes.subscribe(connection, ADA, "active", ChangeOrigin(harness.clock(), "cli"))
            enqueue_welcome_email(harness.site, connection, ADA, "")
    assert harness.send_emails() == ["Ada@example.org"]
    email = harness.latest_email()
    headers = email["personalizations"][0]["headers"]
    assert headers["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert headers["List-Unsubscribe"].strip("<>") in email["content"][0]["value"]


@pytest.mark.parametrize("settings", [{"signup": {"welcome": True}}])
def test_welcome_written_in_markdown_names_the_reader_and_the_latest_issues(harness: Any) -> None:
    project = harness.site.project
    record_sent_issue(harness, "2026-11-22-ice", "The ice")
    own = project.templates_dir / "welcome.md"
    text = "# Welcome\n\nHow is {{ subscriber.city }}?\n\n::: latest 1\n## Read on\n:::\n"
    own.write_text(text)
    with harness.site.engine.begin() as connection:
        ada = changes.subscribe(connection, ADA, "active", ChangeOrigin(harness.clock(), "cli"))
        values = {"attributes": {"city": "Bergen"}}
        connection.execute(sa.update(subscriber).where(subscriber.c.id == ada.id).values(values))
        enqueue_welcome_email(harness.site, connection, ADA, "de")
    assert harness.send_emails() == []
    assert harness.status(ADA.key) == "active", "a broken text takes nothing back"
    own.write_text(text.replace("city", 'city | default("your town")'))
    harness.clock.advance(minutes=10)
    assert harness.send_emails() == ["Ada@example.org"]
    part = harness.latest_email()["content"][0]["value"]
    assert "How is Bergen?" in part
    assert "The ice <https://news.harbour-notes.org/issues/ice>" in part


@pytest.mark.parametrize("settings", [{"signup": {"double_opt_in": False, "welcome": True}}])
def test_single_opt_in_subscribes_at_once_but_resubscribes_nobody(harness: Any) -> None:
    bob = BOB
    with harness.site.engine.begin() as connection:
        changes.subscribe(connection, bob, "active", ChangeOrigin(harness.clock(), "cli"))
        changes.unsubscribe(connection, bob.key, ChangeOrigin(harness.clock(), "one_click"))
    enqueue_confirmation(harness)
    enqueue_confirmation(harness, bob)
    assert sorted(harness.send_emails()) == ["Ada@example.org", "bob@example.org"]
    assert harness.status(ADA.key) == "active"
    assert harness.status(bob.key) == "unsubscribed"


def test_address_change_email_has_the_given_link_and_address(harness: Any) -> None:
    data = {
        "url": "https://news.harbour-notes.org/move/abc",
        "address": "b…@example.org",
        "until": "2026-12-08",
    }
    with harness.site.engine.begin() as connection:
        enqueue_email(
            connection, "move_from", ADA, data, harness.clock(), datetime.timedelta(hours=1)
        )
    assert harness.send_emails() == ["Ada@example.org"]
    text = harness.latest_email()["content"][0]["value"]
    assert "https://news.harbour-notes.org/move/abc" in text
    assert "b…@example.org" in text


def test_unconfirmed_addresses_are_purged(harness: Any) -> None:
    enqueue_confirmation(harness)
    harness.send_emails()
    harness.clock.advance(days=8)
    purge_stale_data(harness.site)
    with harness.site.engine.begin() as connection:
        assert connection.scalar(sa.select(sa.func.count()).select_from(transactional_email)) == 0


def test_requested_changes_of_address_are_purged_with_their_links(harness: Any) -> None:
    origin = ChangeOrigin(harness.clock(), "cli")
    with harness.site.engine.begin() as connection:
        ids = [
            changes.subscribe(connection, address, "active", origin).id for address in (ADA, BOB)
        ]
        for id_, age in zip(ids, (6, 8), strict=True):
            requested_at = harness.clock() - datetime.timedelta(days=age)
            connection.execute(
                sa.insert(address_change).values(
                    subscriber_id=id_,
                    address="new@x.example",
                    address_key="new@x.example",
                    requested_at=requested_at,
                )
            )
    purge_stale_data(harness.site)
    with harness.site.engine.begin() as connection:
        assert connection.scalars(sa.select(address_change.c.subscriber_id)).all() == ids[:1]
