"""Whatever happens in whatever order: nobody who left is mailed, and the journal adds up."""

import datetime
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy as sa
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from newsletter.db import read_transaction
from newsletter.db.schema import STATUSES, erased, journal, subscriber, suppression
from newsletter.errors import SubscriberListError
from newsletter.subscribers import count_by_status, count_exclusions, iter_audience
from newsletter.subscribers.address import ParsedAddress, parse_address
from newsletter.subscribers.consent import changes
from newsletter.subscribers.consent.erasure import erase_address
from newsletter.subscribers.consent.journal import ChangeOrigin
from newsletter.subscribers.consent.journal import load_journal as read_journal
from newsletter.subscribers.consent.journal import to_changes as as_changes
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
Report = Callable[[sa.Connection, str, ChangeOrigin], changes.ChangeResult | None]
PEOPLE = tuple(parse_address(f"{name}@Example.com") for name in ("ada", "bo", "cy"))

people = st.sampled_from(PEOPLE)
wishes = st.sampled_from(("pending", "active"))
rows = st.lists(st.tuples(people, st.sampled_from(STATUSES)), min_size=1, max_size=4)


class TheList(RuleBasedStateMachine):
    """Against a model: who has left, and whom nobody may bring back.

    Attributes:
        left: addresses, as keys, of those who have left and gave no new consent.
        erased: of those who were erased and gave none.
        paused: address -> the end of the pause that they have asked for.
    """

    engine: sa.Engine

    def __init__(self) -> None:
        super().__init__()
        self.left: set[str] = set()
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

    @rule(who=people, status=wishes)
    def add(self, who: ParsedAddress, status: str) -> None:
        try:
            with self.engine.begin() as connection:
                changes.subscribe(connection, who, status, ChangeOrigin(NOW, "form"))
        except SubscriberListError:
            assert who.key in self.erased

    @rule(who=people, status=wishes)
    def resubscribe(self, who: ParsedAddress, status: str) -> None:
        with self.engine.begin() as connection:
            origin = ChangeOrigin(NOW, "cli", wording="a letter")
            changed = changes.resubscribe(connection, who, status, origin)
        if changed.before != changed.after:
            self.paused.pop(who.key, None)
        self.left.discard(who.key)
        self.erased.discard(who.key)

    @rule(who=people)
    def confirm(self, who: ParsedAddress) -> None:
        with self.engine.begin() as connection:
            changes.confirm(connection, who.key, ChangeOrigin(NOW, "form"))

    @rule(
        who=people,
        change=st.sampled_from(
            [changes.unsubscribe, changes.record_bounce, changes.record_complaint]
        ),
    )
    def leave(self, who: ParsedAddress, change: Report) -> None:
        with self.engine.begin() as connection:
            if change(connection, who.key, ChangeOrigin(NOW, "webhook")):
                self.left.add(who.key)

    @rule(who=people)
    def bounce_softly(self, who: ParsedAddress) -> None:
        with self.engine.begin() as connection:
            origin = ChangeOrigin(NOW, "webhook")
            changed = changes.record_soft_bounce(
                connection, who.key, origin, max_soft_bounces=LIMIT
            )
        if changed and changed.after == "bounced":
            self.left.add(who.key)

    @rule(who=people)
    def get_a_mail(self, who: ParsedAddress) -> None:
        with self.engine.begin() as connection:
            changes.record_delivery(connection, who.key, ChangeOrigin(NOW, "webhook"))

    @rule(who=people, days=st.sampled_from((-1, 0, 1)))
    def pause(self, who: ParsedAddress, days: int) -> None:
        if who.key in (listed := self.listed()):
            self.paused[who.key] = NOW + days * DAY
            with self.engine.begin() as connection:
                set_paused_until(connection, listed[who.key][0], NOW + days * DAY, NOW)

    @rule(who=people, to=people)
    def move(self, who: ParsedAddress, to: ParsedAddress) -> None:
        status = self.listed().get(who.key, (0, "", 0))[1]
        taken = to.key in self.listed() or to.key in self.erased
        try:
            with self.engine.begin() as connection:
                moved = changes.change_address(connection, who.key, to, ChangeOrigin(NOW, "form"))
        except SubscriberListError:
            assert taken or status != "active"
            return
        assert (moved is None) == (status == "")
        if moved:
            assert not taken
            assert status == "active"
            if who.key in self.paused:
                self.paused[to.key] = self.paused.pop(who.key)

    @rule(told=rows)
    def import_(self, told: list[tuple[ParsedAddress, str]]) -> None:
        text = "".join(f"{who.address},{status}\n" for who, status in told)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "readers.csv"
            path.write_text(f"email,status\n{text}")
            import_subscriber_file(self.engine, path, now=NOW)
        gone = {who.key for who, status in told if status in SUPPRESSED_STATUSES}
        self.left |= gone - self.erased

    @rule(who=people)
    def erase(self, who: ParsedAddress) -> None:
        if erase_address(self.engine, who.key, NOW):
            self.erased.add(who.key)
            self.left.discard(who.key)
            self.paused.pop(who.key, None)

    @invariant()
    def nobody_who_left_is_mailed(self) -> None:
        with read_transaction(self.engine) as connection:
            mailed = {reader.address_key for reader in iter_audience(connection, at=NOW)}
            left_out = count_exclusions(connection, at=NOW)
            total = sum(count_by_status(connection).values())
        listed = self.listed()
        paused = {key for key, until in self.paused.items() if until > NOW}
        active = {key for key, row in listed.items() if row[1] == "active"}
        assert not mailed & self.left
        assert mailed == active - paused
        assert left_out.get("paused", 0) == len(active & paused)
        assert len(mailed) + sum(left_out.values()) == total
        assert self.left == {key for key, row in listed.items() if row[1] in SUPPRESSED_STATUSES}

    @invariant()
    def nobody_erased_is_in_the_list(self) -> None:
        assert not self.listed().keys() & self.erased

    @invariant()
    def the_journal_adds_up(self) -> None:
        listed = self.listed()
        with read_transaction(self.engine) as connection:
            for id_, status, soft_bounces in listed.values():
                lines = read_journal(connection, id_)
                told = as_changes(lines)
                assert [replay_status(told[: n + 1]) for n in range(len(told))] == [
                    line.status for line in lines
                ]
                assert replay_status(told) == status
                assert count_soft_bounces(told) == soft_bounces
            ids = connection.scalars(sa.select(journal.c.subscriber_id).distinct()).all()
        assert sorted(ids) == sorted(row[0] for row in listed.values())


@pytest.mark.property
@pytest.mark.parametrize(
    ("database_url", "examples"),
    [("sqlite", 60), ("postgresql", 20)],
    indirect=["database_url"],
    ids=["sqlite", "postgresql"],
)
def test_the_list_keeps_its_word(engine: sa.Engine, examples: int) -> None:
    machine = type("Machine", (TheList,), {"engine": engine})
    run_state_machine_as_test(
        machine,
        settings=settings(max_examples=examples, stateful_step_count=25, deadline=None),
    )
