"""A whole send through another provider: frozen, delivered and recorded message by message."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import sqlalchemy as sa
from maildir_provider import (
    FACTS,
    MaildirClient,
    MaildirProvider,
    get_content,
    get_recipient,
    make_client,
    parse_message,
)
from ready_to_send import SETTINGS
from sending_fixtures import FakeObserver, MakeReaders, Subscribe

from newsletter.errors import NothingToDoError, UsageError
from newsletter.project import open_project
from newsletter.sending import service
from newsletter.sending.delivery.observer import SendObserver
from newsletter.sending.ledger.pause_cancel_retry import retry_rejected
from newsletter.sending.ledger.state_machine import next_state
from newsletter.sending.ledger.status import SendStatus, get_send_status
from newsletter.sending.planning.schedule import parse_undo_window
from newsletter.sending.providers import registry
from newsletter.sending.providers.registry import ProviderEntry
from newsletter.sending.service import SendContext

POST = "---\ntitle: The ice\n---\nIt let go on Tuesday, {{ subscriber.name }}.\n"
READERS = 6


@pytest.fixture
def maildir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MaildirClient:
    client = make_client(tmp_path / "mail")
    entry = ProviderEntry(FACTS, lambda _: 1.0, lambda config: MaildirProvider(config, client))
    monkeypatch.setattr(registry, "chosen", entry)
    return client


@pytest.fixture
def context(
    maildir: MaildirClient,
    project_folder: Path,
    subscribe: Subscribe,
    make_readers: MakeReaders,
    engine: sa.Engine,
) -> SendContext:
    """A send that is confirmed, and of which nothing is delivered yet."""
    assert not maildir.attempts
    subscribe(make_readers(READERS))
    (project_folder / "newsletter.yml").write_text(SETTINGS)
    folder = project_folder / "issues" / "2026-12-01-ice"
    folder.mkdir()
    (folder / "post.md").write_text(POST)
    proposal = service.plan(open_project(), "ice", engine)
    assert not proposal.problems
    assert proposal.request_count == READERS
    return service.confirm_plan(proposal)


def deliver(context: SendContext) -> SendStatus:
    """Deliver or resume the send; return what the ledger says then."""

    @contextmanager
    def open_observer(_: int) -> Iterator[SendObserver]:
        yield FakeObserver()

    current = get_send_status(context.ledger, context.send).send
    service.resume(context._replace(send=current), open_observer, concurrency=2)
    return get_send_status(context.ledger, context.send)


def get_copies(maildir: MaildirClient) -> dict[str, str]:
    """Return what each address has got; nobody has two copies."""
    folder = maildir.maildir
    messages = [parse_message(folder.get_bytes(key)) for key in folder.iterkeys()]
    copies = {get_recipient(message): get_content(message) for message in messages}
    assert len(copies) == len(messages)
    return copies


def test_each_reader_has_one_file_and_a_second_run_sends_nothing(
    context: SendContext, maildir: MaildirClient
) -> None:
    status = deliver(context)
    assert (status.send.state, status.recipients_by_state) == ("done", {"accepted": READERS})
    assert status.batches_by_state == {"accepted": READERS}
    copies = get_copies(maildir)
    assert len(copies) == READERS
    for number in range(1, READERS + 1):
        copy = copies[f"reader{number}@example.com"]
        assert f"Reader {number}." in copy
        assert f"/u/token-{number}" in copy
    with pytest.raises(NothingToDoError):
        next_state("resume", status.send, status.now)
    assert deliver(context).recipients_by_state == {"accepted": READERS}
    assert maildir.attempts == READERS


def test_message_that_the_disk_had_no_room_for_is_written_later(
    context: SendContext, maildir: MaildirClient
) -> None:
    maildir.faults.append("disk full")
    status = deliver(context)
    assert (status.send.state, status.recipients_by_state) == ("done", {"accepted": READERS})
    assert len(get_copies(maildir)) == READERS
    assert maildir.attempts == READERS + 1


def test_message_whose_reply_was_lost_is_unknown_and_never_written_again(
    context: SendContext, maildir: MaildirClient
) -> None:
    maildir.faults.append("reply lost")
    expected = {"accepted": READERS - 1, "unknown": 1}
    for _ in range(2):
        status = deliver(context)
        assert (status.send.state, status.recipients_by_state) == ("needs_review", expected)
        assert len(status.unknown_batches) == 1
        assert (len(get_copies(maildir)), maildir.attempts) == (READERS, READERS)


def test_refused_reader_keeps_nobody_else_from_getting_it(
    context: SendContext, maildir: MaildirClient
) -> None:
    maildir.refused["reader2@example.com"] = "no such mailbox"
    status = deliver(context)
    assert status.recipients_by_state == {"accepted": READERS - 1, "rejected": 1}
    assert set(get_copies(maildir)) == {
        f"reader{number}@example.com" for number in range(1, READERS + 1) if number != 2
    }
    maildir.refused.clear()
    assert retry_rejected(context.ledger, status.send, 1) == 1
    assert deliver(context).recipients_by_state == {"accepted": READERS}
    assert len(get_copies(maildir)) == READERS


def test_messages_name_the_provider(context: SendContext, maildir: MaildirClient) -> None:
    assert not maildir.attempts
    with pytest.raises(NothingToDoError, match="Maildir refused no reader"):
        retry_rejected(context.ledger, deliver(context).send, 1)
    with pytest.raises(UsageError, match="Maildir holds no emails"):
        parse_undo_window("20m")
    assert get_send_status(context.ledger, context.send).as_data()["held_by_maildir"] is False
