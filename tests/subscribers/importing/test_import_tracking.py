"""Consent to tracking in imported files: they answer for readers not asked, and may refuse."""

import datetime
import json
from collections.abc import Callable

import pytest
import sqlalchemy as sa

from newsletter.db import read_transaction
from newsletter.db.schema import subscriber
from newsletter.subscribers.address import parse_address
from newsletter.subscribers.consent import changes
from newsletter.subscribers.consent.journal import ChangeOrigin, load_journal
from newsletter.subscribers.consent.tracking_answers import (
    TrackingAnswers,
    load_tracking_answers,
    record_tracking_answers,
    replay_answers,
)
from newsletter.subscribers.importing.import_list import ImportSummary

ImportText = Callable[..., ImportSummary]
NOW = datetime.datetime(2026, 11, 22, tzinfo=datetime.UTC)
ADA = parse_address("ada@example.com")
YES: TrackingAnswers = {"opens": True, "clicks": True}
NO: TrackingAnswers = {"opens": False, "clicks": False}


def load(engine: sa.Engine) -> TrackingAnswers:
    """Return Ada's answers; assert that the journal yields the same."""
    with read_transaction(engine) as connection:
        id_ = connection.scalars(
            sa.select(subscriber.c.id).where(subscriber.c.address_key == ADA.key)
        ).one()
        answers = load_tracking_answers(connection, id_)
        entries = load_journal(connection, id_)
    assert replay_answers(entry.change for entry in entries) == answers
    return answers


@pytest.mark.parametrize(
    ("before", "cells", "after"),
    [
        (None, ("", ""), {}),
        (None, ("yes", "no"), {"opens": True, "clicks": False}),
        (None, ("true", "1"), YES),
        (None, ("nein", ""), {"opens": False}),
        ({}, ("yes", "no"), {"opens": True, "clicks": False}),
        (YES, ("no", ""), {"opens": False, "clicks": True}),
        (YES, ("yes", "yes"), YES),
        # A file never takes a refusal back.
        (NO, ("yes", "yes"), NO),
        (YES, ("", ""), YES),
    ],
)
def test_columns_of_a_csv_file(
    engine: sa.Engine,
    import_text: ImportText,
    before: TrackingAnswers | None,
    cells: tuple[str, str],
    after: TrackingAnswers,
) -> None:
    if before is not None:
        with engine.begin() as connection:
            id_ = changes.subscribe(connection, ADA, "active", ChangeOrigin(NOW, "cli")).id
            record_tracking_answers(connection, id_, before, ChangeOrigin(NOW, "form"))
    text = f"email,opens_consent,clicks_consent\nada@example.com,{','.join(cells)}\n"
    summary = import_text(text)
    assert summary.rejected == 0
    assert load(engine) == after
    with read_transaction(engine) as connection:
        status = connection.scalars(sa.select(subscriber.c.status)).one()
        entries = load_journal(connection, 1)
    assert status == "active"
    imported = [entry for entry in entries if entry.method == "import" and "_" in entry.change]
    assert {entry.source for entry in imported} <= {"import readers.csv:2"}
    assert len(imported) == len(after.items() - (before or {}).items())


def test_later_row_of_an_address_may_only_refuse(
    engine: sa.Engine, import_text: ImportText
) -> None:
    import_text(
        "email,opens_consent,clicks_consent\nada@example.com,yes,\n"
        "ada@example.com,no,yes\nada@example.com,yes,\n"
    )
    assert load(engine) == {"opens": False}


def test_reader_who_has_left_is_not_tracked_by_an_import(
    engine: sa.Engine, import_text: ImportText
) -> None:
    with engine.begin() as connection:
        changes.subscribe(connection, ADA, "active", ChangeOrigin(NOW, "cli"))
        changes.unsubscribe(connection, ADA.key, ChangeOrigin(NOW, "one_click"))
    import_text("email,opens_consent,clicks_consent\nada@example.com,yes,no\n")
    assert load(engine) == {"clicks": False}


@pytest.mark.parametrize(
    ("columns", "cells", "after"),
    [("", "", NO), (",opens_consent", ",yes", {"opens": True, "clicks": False})],
)
def test_reader_who_is_resubscribed_has_not_agreed_again(
    engine: sa.Engine, import_text: ImportText, columns: str, cells: str, after: TrackingAnswers
) -> None:
    with engine.begin() as connection:
        id_ = changes.subscribe(connection, ADA, "active", ChangeOrigin(NOW, "cli")).id
        record_tracking_answers(connection, id_, YES, ChangeOrigin(NOW, "form"))
        changes.unsubscribe(connection, ADA.key, ChangeOrigin(NOW, "one_click"))
    summary = import_text(f"email{columns}\nada@example.com{cells}\n", consent="by letter")
    assert summary.resubscribed == 1
    assert load(engine) == after


def test_cell_that_is_no_answer_rejects_the_row(import_text: ImportText) -> None:
    summary = import_text(
        "email,opens_consent\nada@example.com,perhaps\nbo@example.com,2026-01-01\n"
    )
    assert summary.rejected == 2


ALLOWED = {
    "at": "2026-11-01T00:00:00+00:00",
    "change": "opens_allowed",
    "status": "active",
    "how": "form",
    "source": "/p",
    "wording": "Yes.",
}
IMPORTED = {**ALLOWED, "change": "imported"}


@pytest.mark.parametrize(
    ("fields", "answers"),
    [
        ({"journal": [IMPORTED, ALLOWED], "opens_consent": True}, {"opens": True}),
        # An export of an earlier version has no columns: the journal says it.
        ({"journal": [IMPORTED, ALLOWED]}, {"opens": True}),
        ({"journal": [IMPORTED]}, {}),
        ({"opens_consent": True, "clicks_consent": False}, {"opens": True, "clicks": False}),
        ({"opens_consent": None}, {}),
        # Rejected: the journal says otherwise, or it is no answer.
        ({"journal": [IMPORTED], "opens_consent": True}, None),
        ({"journal": [IMPORTED, ALLOWED], "opens_consent": False}, None),
        ({"opens_consent": "yes"}, None),
    ],
)
def test_json_lines(
    engine: sa.Engine,
    import_text: ImportText,
    fields: dict[str, object],
    answers: TrackingAnswers | None,
) -> None:
    lines = [{"newsletter": 1, "attributes": {}}, {"email": ADA.address, **fields}]
    summary = import_text("\n".join(map(json.dumps, lines)) + "\n", name="readers.jsonl")
    assert summary.rejected == (answers is None)
    if answers is not None:
        assert load(engine) == answers
