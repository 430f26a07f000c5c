"""Fixture: a project with subscribers, and commands in killable processes."""

import datetime
import json
import os
import shutil
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import pytest
import sqlalchemy as sa
from forked_command import ForkedCommand

from newsletter.db import database_engine
from newsletter.db.schema import batch, send, send_recipient
from newsletter.sending.rehearsal import FakeSendGrid, ReceivedRequest
from newsletter.sending.rehearsal.fake_sendgrid.faults import InjectedFault

ROOT = Path(__file__).parents[2]
READERS = 200
PER_BATCH = 5
SETTINGS = f"""\
name: Harbour Notes
sender: {{name: Harbour Notes, address: editor@harbour-notes.org}}
postal_address: Harbour Notes, 1 Quay Street, Bergen
site_url: https://harbour-notes.org
public_url: https://news.harbour-notes.org
sendgrid: {{connect_timeout: 60, read_timeout: 60}}
limits: {{batch_size: {PER_BATCH}}}
"""
LONG_AGO = datetime.datetime(2000, 1, 1, tzinfo=datetime.UTC)


OK = InjectedFault(accept=True)
HELD = InjectedFault(accept=True, name="held")  # accepted; the response waits until it is released


class HoldingFakeSendGrid(FakeSendGrid):
    """A fake SendGrid that holds the responses to requests with the fault ``HELD``.

    Args:
        host: the IPv4 address that it listens on.

    Attributes:
        released: once set, nothing is held any more.
    """

    def __init__(self, host: str = "127.0.0.1") -> None:
        super().__init__(host=host)
        self.released = threading.Event()

    def record_request(self, request: ReceivedRequest) -> None:
        super().record_request(request)
        if request.fault is HELD:
            self.released.wait()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.released.set()
        super().__exit__(kind, error, trace)


@dataclass(frozen=True, slots=True)
class SenderProject:
    """A project folder, and the fake SendGrid that it sends to.

    Attributes:
        folder: the project, with ``READERS`` subscribers.
        double: the fake SendGrid.
        url: the URL of the database.
        command: starts ``newsletter ARGS``.
        prepare: called in each process before its command; can be pickled.
    """

    folder: Path
    double: HoldingFakeSendGrid
    url: str
    command: type[ForkedCommand]
    prepare: Callable[[], object] = bool

    def start(self, *args: str, nohup: bool = False) -> ForkedCommand:
        """Start ``newsletter ARGS`` in a process of its own, which ignores SIGHUP on request."""
        environment = {
            **os.environ,
            "SENDGRID_API_KEY": self.double.key,
            "SENDGRID_HOST": self.double.url,
            "NEWSLETTER_DATABASE": self.url,
        }
        return self.command(args, self.folder, environment, nohup=nohup, prepare=self.prepare)

    def run(self, *args: str) -> tuple[int, str]:
        """Run ``newsletter ARGS`` to its end; return the exit code and the output."""
        process = self.start(*args)
        out, err = process.communicate(timeout=120)
        assert process.returncode is not None
        return process.returncode, out + err

    def write_issue(self, name: str) -> None:
        """Create another issue."""
        folder = self.folder / "issues" / name
        folder.mkdir(parents=True)
        (folder / "post.md").write_text(f"---\ntitle: {name}\n---\n\nThe ice let go of {name}.\n")

    def let_leases_end(self) -> None:
        """Let all leases expire, as after a sender was killed."""
        with database_engine(self.url, self.folder) as engine, engine.begin() as connection:
            connection.execute(
                sa.update(batch)
                .where(batch.c.lease_until.is_not(None))
                .values(lease_until=LONG_AGO)
            )

    def states(self, issue: str) -> Counter[str]:
        """Count the recipients of an issue's send by state."""
        query = (
            sa.select(send_recipient.c.state, sa.func.count())
            .join(send, send.c.id == send_recipient.c.send_id)
            .where(send.c.issue == issue)
            .group_by(send_recipient.c.state)
        )
        with database_engine(self.url, self.folder) as engine, engine.begin() as connection:
            return Counter(dict(connection.execute(query).all()))

    def send_id(self, issue: str) -> str:
        """Return the id of an issue's send."""
        query = sa.select(send.c.id).where(send.c.issue == issue)
        with database_engine(self.url, self.folder) as engine, engine.begin() as connection:
            return str(connection.execute(query).scalar_one())

    def count_copies(self, issue: str) -> Counter[str]:
        """Count by address the emails of an issue's send that the fake SendGrid accepted."""
        send_id = self.send_id(issue)
        accepted = self.double.accepted
        return Counter(
            email.address for email in accepted if email.custom_args["nl_send"] == send_id
        )

    def write_events(self, path: Path) -> None:
        """Write a ``processed`` event for every accepted recipient, as an export of events."""
        with path.open("w") as file:
            for number, recipient in enumerate(self.double.accepted):
                event = {
                    "email": recipient.address,
                    "event": "processed",
                    "timestamp": int(time.time()),
                    "sg_event_id": f"event-{number}",
                    "sg_message_id": f"{recipient.message_id}.recvd",
                    **recipient.custom_args,
                }
                file.write(json.dumps(event) + "\n")


@pytest.fixture
def sender_project(
    tmp_path: Path, database_url: str, forked_command: type[ForkedCommand]
) -> Iterator[SenderProject]:
    folder = tmp_path / "harbour-notes"
    folder.mkdir()
    (folder / "newsletter.yml").write_text(SETTINGS)
    shutil.copytree(ROOT / "templates", folder / "templates")
    rows = "".join(f"reader{n}@example.com,Reader {n}\n" for n in range(READERS))
    (folder / "readers.csv").write_text(f"email,name\n{rows}")
    with HoldingFakeSendGrid() as double:
        sender_project = SenderProject(folder, double, database_url, forked_command)
        code, output = sender_project.run("subscribers", "import", "readers.csv")
        assert code == 0, output
        yield sender_project
