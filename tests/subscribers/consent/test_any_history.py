"""After any sequence of changes: nobody suppressed is mailed, the journal matches the status."""

import datetime
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy as sa
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from newsletter.config.tracking import TRACKED_ACTIONS
from newsletter.db import read_transaction
from newsletter.db.schema import STATUSES, erased, journal, subscriber, suppression
from newsletter.errors import SubscriberListError
from newsletter.subscribers import count_by_status, count_exclusions, iter_audience
from newsletter.subscribers.address import ParsedAddress, parse_address
from newsletter.subscribers.consent import changes
from newsletter.subscribers.consent.erasure import erase_address
from newsletter.subscribers.consent.journal import ChangeOrigin, load_journal, to_changes
from newsletter.subscribers.consent.tracking_answers import (
    TrackingAnswers,
    load_tracking_answers,
    record_tracking_answers,
    replay_answers,
)
from newsletter.subscribers.consent.transitions import (
    SUPPRESSED_STATUSES,
    count_soft_bounces,
    replay_status,
)
from newsletter.subscribers.importing.import_list import import_subscriber_file
from newsletter.subscribers.preferences import set_paused_until

NOW = datetime.datetime(2026, 11, 22, tzinfo=datetime.UTC)
DAY = datetime.timedelta(days=1)
LIMIT = 2
Change = Callable[[sa.Connection, str, ChangeOrigin], changes.ChangeResult | None]
ADDRESSES = tuple(parse_address(f"{name}@Example.com") for name in ("ada", "bo", "cy"))

addresses = st.sampled_from(ADDRESSES)
signup_statuses = st.sampled_from(("pending", "active"))
tracking_answers = st.dictionaries(st.sampled_from(TRACKED_ACTIONS), st.booleans(), min_size=1)
csv_rows = st.lists(st.tuples(addresses, st.sampled_from(STATUSES)), min_size=1, max_size=4)


class ListMachine(RuleBasedStateMachine):
    """The list compared with a model of who must not be mailed or added.

    Attributes:
        suppressed: keys of those who are suppressed and gave no new consent.
        erased: keys of those who were erased and gave no new consent.
        paused: key -> the end of the pause.
    """

    engine: sa.Engine

    def __init__(self) -> None:
        super().__init__()
        self.suppressed: set[str] = set()
        self.erased: set[str] = set()
        self.paused: dict[str, datetime.datetime] = {}
        with self.engine.begin() as connection:
            for table in (subscriber, erased, suppression):
                connection.execute(sa.delete(table))

    def listed(self) -> dict[str, tuple[int, str, int]]:
        columns = (subscriber.c.id, subscriber.c.status, subscriber.c.soft_bounces)
        with read_transaction(self.engine) as connection:
            found = connection.execute(sa.select(subscriber.c.address_key, *columns))
            return {key: (id_, status, count) for key, id_, status, count in found}

    @rule(address=addresses, status=signup_statuses)
    def add(self, address: ParsedAddress, status: str) -> None:
        try:
            with self.engine.begin() as connection:
                changes.subscribe(connection, address, status, ChangeOrigin(NOW, "form"))
        except SubscriberListError:
            assert address.key in self.erased

    @rule(address=addresses, status=signup_statuses)
    def resubscribe(self, address: ParsedAddress, status: str) -> None:
        with self.engine.begin() as connection:
            origin = ChangeOrigin(NOW, "cli", wording="a letter")
            changed = changes.resubscribe(connection, address, status, origin)
        if changed.before != changed.after:
            self.paused.pop(address.key, None)
        self.suppressed.discard(address.key)
        self.erased.discard(address.key)

    @rule(address=addresses)
    def confirm(self, address: ParsedAddress) -> None:
        with self.engine.begin() as connection:
            changes.confirm(connection, address.key, ChangeOrigin(NOW, "form"))

    @rule(
        address=addresses,
        change=st.sampled_from(
            [changes.unsubscribe, changes.record_bounce, changes.record_complaint]
        ),
    )
    def suppress(self, address: ParsedAddress, change: Change) -> None:
        with self.engine.begin() as connection:
            if change(connection, address.key, ChangeOrigin(NOW, "webhook")):
                self.suppressed.add(address.key)

    @rule(address=addresses)
    def bounce_softly(self, address: ParsedAddress) -> None:
        with self.engine.begin() as connection:
            origin = ChangeOrigin(NOW, "webhook")
            changed = changes.record_soft_bounce(
                connection, address.key, origin, max_soft_bounces=LIMIT
            )
        if changed and changed.after == "bounced":
            self.suppressed.add(address.key)

    @rule(address=addresses)
    def record_delivery(self, address: ParsedAddress) -> None:
        with self.engine.begin() as connection:
            changes.record_delivery(connection, address.key, ChangeOrigin(NOW, "webhook"))

    @rule(address=addresses, answers=tracking_answers)
    def answer(self, address: ParsedAddress, answers: TrackingAnswers) -> None:
        if address.key in (listed := self.listed()):
            with self.engine.begin() as connection:
                record_tracking_answers(
                    connection, listed[address.key][0], answers, ChangeOrigin(NOW, "form")
                )

    @rule(address=addresses, days=st.sampled_from((-1, 0, 1)))
    def pause(self, address: ParsedAddress, days: int) -> None:
        if address.key in (listed := self.listed()):
            self.paused[address.key] = NOW + days * DAY
            with self.engine.begin() as connection:
                set_paused_until(connection, listed[address.key][0], NOW + days * DAY, NOW)

    @rule(address=addresses, to=addresses)
    def change_address(self, address: ParsedAddress, to: ParsedAddress) -> None:
        status = self.listed().get(address.key, (0, "", 0))[1]
        unavailable = to.key in self.listed() or to.key in self.erased
        try:
            with self.engine.begin() as connection:
                moved = changes.change_address(
                    connection, address.key, to, ChangeOrigin(NOW, "form")
                )
        except SubscriberListError:
            assert unavailable or status != "active"
            return
        assert (moved is None) == (status == "")
        if moved:
            assert not unavailable
            assert status == "active"
            if address.key in self.paused:
                self.paused[to.key] = self.paused.pop(address.key)

    @rule(rows=csv_rows)
    def import_(self, rows: list[tuple[ParsedAddress, str]]) -> None:
        text = "".join(f"{address.address},{status}\n" for address, status in rows)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "readers.csv"
            path.write_text(f"email,status\n{text}")
            import_subscriber_file(self.engine, path, now=NOW)
        keys = {address.key for address, status in rows if status in SUPPRESSED_STATUSES}
        self.suppressed |= keys - self.erased

    @rule(address=addresses)
    def erase(self, address: ParsedAddress) -> None:
        if erase_address(self.engine, address.key, NOW):
            self.erased.add(address.key)
            self.suppressed.discard(address.key)
            self.paused.pop(address.key, None)

    @invariant()
    def nobody_suppressed_is_mailed(self) -> None:
        with read_transaction(self.engine) as connection:
            audience = {recipient.address_key for recipient in iter_audience(connection, at=NOW)}
            excluded = count_exclusions(connection, at=NOW)
            total = sum(count_by_status(connection).values())
        listed = self.listed()
        paused = {key for key, until in self.paused.items() if until > NOW}
        active = {key for key, row in listed.items() if row[1] == "active"}
        assert not audience & self.suppressed
        assert audience == active - paused
        assert excluded.get("paused", 0) == len(active & paused)
        assert len(audience) + sum(excluded.values()) == total
        assert self.suppressed == {
            key for key, row in listed.items() if row[1] in SUPPRESSED_STATUSES
        }

    @invariant()
    def nobody_erased_is_in_the_list(self) -> None:
        assert not self.listed().keys() & self.erased

    @invariant()
    def status_matches_journal(self) -> None:
        listed = self.listed()
        with read_transaction(self.engine) as connection:
            for id_, status, soft_bounces in listed.values():
                entries = load_journal(connection, id_)
                history = to_changes(entries)
                assert [replay_status(history[: n + 1]) for n in range(len(history))] == [
                    entry.status for entry in entries
                ]
                assert replay_status(history) == status
                assert count_soft_bounces(history) == soft_bounces
                kinds = [entry.change for entry in entries]
                assert replay_answers(kinds) == load_tracking_answers(connection, id_)
            ids = connection.scalars(sa.select(journal.c.subscriber_id).distinct()).all()
        assert sorted(ids) == sorted(row[0] for row in listed.values())


@pytest.mark.property
@pytest.mark.parametrize(
    ("database_url", "examples"),
    [("sqlite", 40), ("postgresql", 8)],
    indirect=["database_url"],
    ids=["sqlite", "postgresql"],
)
def test_status_matches_journal_under_any_history(engine: sa.Engine, examples: int) -> None:
    machine = type("Machine", (ListMachine,), {"engine": engine})
    run_state_machine_as_test(
        machine,
        settings=settings(max_examples=examples, stateful_step_count=25, deadline=None),
    )
