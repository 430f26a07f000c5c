"""A send to a segment: its recipients, who is excluded, and which segment later commands use."""

from pathlib import Path

import pytest
import sqlalchemy as sa
from sending_fixtures import MakeReaders, Subscribe

from newsletter.db.schema import batch, send, send_recipient, subscriber, subscriber_tag
from newsletter.errors import SendRefusedError, SubscriberListError
from newsletter.project import open_project
from newsletter.sending.ledger.record import get_send, start_send, stop_send
from newsletter.sending.planning.confirm import confirm_send
from newsletter.sending.planning.proposal import SendOptions, SendProposal, propose_send

POST = "---\ntitle: The ice\n---\nIt let go on Tuesday.\n"
READERS = 12


@pytest.fixture
def folder(
    project_folder: Path, engine: sa.Engine, subscribe: Subscribe, make_readers: MakeReaders
) -> Path:
    """Twelve subscribers: the first four are tagged ``vip``, the first has unsubscribed."""
    subscribe(make_readers(READERS))
    with engine.begin() as connection:
        vips = [{"subscriber_id": number, "tag": "vip"} for number in range(1, 5)]
        connection.execute(sa.insert(subscriber_tag), vips)
        connection.execute(
            sa.update(subscriber).where(subscriber.c.id == 1).values(status="unsubscribed")
        )
    with (project_folder / "newsletter.yml").open("a") as settings:
        settings.write("segments:\n  vips: tag:vip\n  bounced: status:bounced\n")
    folder = project_folder / "issues" / "2026-12-01-ice"
    folder.mkdir()
    (folder / "post.md").write_text(POST)
    return folder


def propose(
    folder: Path, engine: sa.Engine, segment: str = "", *, again: bool = False
) -> SendProposal:
    return propose_send(open_project(), folder, engine, SendOptions(segment, replace_plan=again))


def recipients(engine: sa.Engine) -> list[int]:
    with engine.connect() as connection:
        ids = sa.select(send_recipient.c.subscriber_id).order_by(send_recipient.c.subscriber_id)
        return list(connection.scalars(ids))


@pytest.mark.parametrize("segment", ["vips", "tag:vip"])
def test_only_the_segment_gets_it_and_the_rest_is_counted(
    folder: Path, engine: sa.Engine, segment: str
) -> None:
    shown = propose(folder, engine, segment)
    assert (shown.audience.count, shown.audience.excluded) == (
        3,
        {"unsubscribed": 1, "not in the segment": 8},
    )
    frozen = confirm_send(shown)
    assert recipients(engine) == [2, 3, 4]
    excluded = shown.audience.excluded
    assert (frozen.total, frozen.segment, frozen.excluded) == (3, "tag:vip", excluded)
    assert frozen.total + sum(frozen.excluded.values()) == READERS


def test_confirming_is_refused_if_the_segment_has_changed(folder: Path, engine: sa.Engine) -> None:
    shown = propose(folder, engine, "vips")
    with engine.begin() as connection:
        connection.execute(sa.delete(subscriber_tag).where(subscriber_tag.c.subscriber_id == 2))
    with pytest.raises(SendRefusedError, match="2 readers now, 3 when it was shown"):
        confirm_send(shown)


def test_empty_segment_is_refused_with_the_remedy(folder: Path, engine: sa.Engine) -> None:
    shown = propose(folder, engine, "bounced")
    problems = [str(problem) for problem in shown.problems]
    assert (
        "nobody in the segment 'bounced' may be mailed. "
        "See who is in it: newsletter subscribers count bounced"
    ) in problems
    with pytest.raises(SendRefusedError, match="nobody in the segment 'bounced'"):
        confirm_send(shown)
    query_problems = propose(folder, engine, "tag:vip and status:bounced").problems
    assert any(
        str(problem).endswith("count 'tag:vip and status:bounced'") for problem in query_problems
    )


def test_unknown_segment_is_refused(folder: Path, engine: sa.Engine) -> None:
    with pytest.raises(SubscriberListError, match="Did you mean 'vips'"):
        propose(folder, engine, "vip")


def test_new_plan_keeps_the_segment_of_the_plan_that_it_replaces(
    folder: Path, engine: sa.Engine
) -> None:
    shown = propose(folder, engine, "vips")
    for option, count, segment in (("", 3, "tag:vip"), ("status:active", 11, "status:active")):
        frozen = confirm_send(shown)
        start_send(shown.ledger, frozen)
        stop_send(shown.ledger, frozen, "blocked", "no such key")
        shown = propose(folder, engine, option, again=True)
        assert (shown.resumed is not None, shown.audience.count) == (False, count)
        assert shown.audience.segment
        assert shown.audience.segment.text == segment
    assert confirm_send(shown).total == 11


def test_started_send_is_resumed_with_its_own_segment_only(folder: Path, engine: sa.Engine) -> None:
    shown = propose(folder, engine, "vips")
    start_send(shown.ledger, confirm_send(shown))
    frozen = get_send(shown.ledger, folder.name)
    assert frozen
    with engine.begin() as connection:
        connection.execute(
            sa.update(send_recipient)
            .where(send_recipient.c.subscriber_id == 2)
            .values(state="accepted")
        )
        connection.execute(sa.update(batch).values(state="accepted"))
        connection.execute(sa.update(send).values(state="paused"))
    for option in ("", "vips"):
        again = propose(folder, engine, option)
        assert (again.resumed is not None, again.audience.count) == (True, 2)
        assert confirm_send(again).id == frozen.id
    with pytest.raises(SendRefusedError, match="planned for the segment 'tag:vip'") as caught:
        propose(folder, engine, "status:active")
    assert "Leave --segment out" in str(caught.value)


def test_last_sends_exclude_the_one_that_is_being_frozen(folder: Path, engine: sa.Engine) -> None:
    shown = propose(folder, engine, "tag:vip and not sent:last-1")
    assert shown.audience.count == 3
    assert confirm_send(shown).total == 3
