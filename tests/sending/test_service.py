"""A send from the proposal to the record, without the command line, against the fake SendGrid."""

import datetime
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import sqlalchemy as sa
from ready_to_send import SETTINGS
from sending_fixtures import FakeObserver, MakeReaders, Subscribe

from newsletter.errors import SendRefusedError
from newsletter.project import open_project
from newsletter.sending import service
from newsletter.sending.delivery.observer import SendObserver
from newsletter.sending.ledger.pause_cancel_retry import cancel_send
from newsletter.sending.ledger.record import count_recipients_by_state, get_send
from newsletter.sending.ledger.status import SendStatus, get_send_status
from newsletter.sending.planning.proposal import SendOptions
from newsletter.sending.planning.schedule import ScheduledTime
from newsletter.sending.planning.send_schedule import request_schedule
from newsletter.sending.providers.provider import NoResponse, Response
from newsletter.sending.providers.registry import get_provider
from newsletter.sending.rehearsal import FakeSendGrid
from newsletter.sending.service import SendContext

POST = "---\ntitle: The ice\n---\nIt let go on Tuesday.\n"
SUBSCRIBERS = 12
BATCH_SIZE = 5
TOMORROW = datetime.timedelta(days=1)


@pytest.fixture(autouse=True)
def _project(
    project_folder: Path,
    subscribe: Subscribe,
    make_readers: MakeReaders,
    double: FakeSendGrid,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    subscribe(make_readers(SUBSCRIBERS))
    (project_folder / "newsletter.yml").write_text(SETTINGS)
    folder = project_folder / "issues" / "2026-12-01-ice"
    folder.mkdir()
    (folder / "post.md").write_text(POST)
    monkeypatch.setenv("SENDGRID_API_KEY", double.key)
    monkeypatch.setenv("SENDGRID_HOST", double.url)


@dataclass
class Editor:
    """An editor who watches deliveries.

    Attributes:
        observer: the observer of each delivery.
        pending: for each delivery, how many recipients were pending when it began.
    """

    observer: FakeObserver
    pending: list[int]

    @contextmanager
    def open_observer(self, pending: int) -> Iterator[SendObserver]:
        self.pending.append(pending)
        yield self.observer


@pytest.fixture
def editor(observer: FakeObserver) -> Editor:
    return Editor(observer, [])


def confirm(
    engine: sa.Engine, scheduled_time: ScheduledTime | None = None, limit: int | None = None
) -> SendContext:
    project = open_project()
    proposal = service.plan(project, "ice", engine, SendOptions(batch_size=BATCH_SIZE))
    assert not proposal.problems
    with get_provider(project.config).connect(os.environ) as client:
        schedule = request_schedule(
            client, scheduled_time, limit, datetime.datetime.now(datetime.UTC)
        )
    return service.confirm_plan(proposal, schedule)


def status(context: SendContext) -> SendStatus:
    return get_send_status(context.ledger, context.send)


def test_send_is_proposed_confirmed_delivered_and_recorded(
    engine: sa.Engine, double: FakeSendGrid, editor: Editor
) -> None:
    context = confirm(engine)
    assert (status(context).send.state, double.requests) == ("frozen", [])
    with get_provider(context.project.config).connect(os.environ) as client:
        assert service.deliver(context, client, editor.open_observer) is None
    assert editor.pending == [SUBSCRIBERS]
    assert editor.observer.done == SUBSCRIBERS
    assert (status(context).send.state, len(double.accepted)) == ("done", SUBSCRIBERS)
    assert status(context).recipients_by_state == {"accepted": SUBSCRIBERS}
    assert status(context).batches_by_state == {"accepted": 3}


def test_stopped_send_is_resumed_where_it_stopped(
    engine: sa.Engine, double: FakeSendGrid, editor: Editor
) -> None:
    context = confirm(engine)
    editor.observer.stop_requested = True
    assert service.resume(context, editor.open_observer) is None
    assert (status(context).send.state, double.requests) == ("paused", [])
    editor.observer.stop_requested = False
    service.resume(context, editor.open_observer)
    assert editor.pending == [SUBSCRIBERS, SUBSCRIBERS]
    assert (status(context).send.state, len(double.accepted)) == ("done", SUBSCRIBERS)


def test_resume_without_api_key_is_refused_before_anything_is_opened(
    engine: sa.Engine, editor: Editor, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = confirm(engine)
    monkeypatch.delenv("SENDGRID_API_KEY")
    with pytest.raises(SendRefusedError, match="SENDGRID_API_KEY"):
        service.resume(context, editor.open_observer)
    assert (status(context).send.state, editor.pending) == ("frozen", [])


def test_schedule_has_an_id_only_if_the_provider_holds_the_send(
    engine: sa.Engine, double: FakeSendGrid
) -> None:
    later = datetime.datetime.now(datetime.UTC) + TOMORROW
    local = confirm(engine, ScheduledTime(later, held_by_provider=False), limit=100).send
    assert local.is_scheduled_locally
    assert (local.scheduled_at, local.limit_per_hour, double.requests) == (later, 100, [])
    with get_provider(open_project().config).connect(os.environ) as client:
        time = ScheduledTime(later, held_by_provider=True)
        held = request_schedule(client, time, None, datetime.datetime.now(datetime.UTC))
    assert held.provider_batch_id
    assert held.scheduled_at == later


def test_batch_that_was_not_sent_before_a_cancellation_is_dropped(
    engine: sa.Engine, editor: Editor
) -> None:
    context = confirm(engine)

    class CancelledMeanwhile:
        """A transport that sends nothing, and during whose request another command cancels."""

        def post_mail(self, body: bytes) -> Response | NoResponse:
            del body
            running = get_send(context.ledger, context.send.issue)
            assert running
            cancel_send(context.ledger, running)
            return NoResponse(request_sent=False, reason="connection refused")

    service.deliver(context, CancelledMeanwhile(), editor.open_observer, concurrency=1)
    assert status(context).send.state == "cancelled"
    assert count_recipients_by_state(context.ledger, context.send) == {"dropped": SUBSCRIBERS}
