"""A newsletter on disk, its readers, and the real command in a process that can be killed."""

import datetime
import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import sqlalchemy as sa

from newsletter.db import database_engine
from newsletter.db.schema import batch, send, send_recipient
from newsletter.sending.rehearsal import FakeSendGrid

ROOT = Path(__file__).parents[2]
READERS = 200
PER_BATCH = 5
SETTINGS = f"""\
name: Harbour Notes
sender: {{name: Harbour Notes, address: editor@harbour-notes.org}}
postal_address: Harbour Notes, 1 Quay Street, Bergen
site_url: https://harbour-notes.org
public_url: https://news.harbour-notes.org
sendgrid: {{connect_timeout: 5, read_timeout: 5}}
limits: {{batch_size: {PER_BATCH}}}
"""
LONG_AGO = datetime.datetime(2000, 1, 1, tzinfo=datetime.UTC)


@dataclass(frozen=True, slots=True)
class Desk:
    """The editor's folder, and the vendor that it sends to.

    Attributes:
        folder: with ``newsletter.yml`` and a list of ``READERS`` readers.
        double: the vendor.
        url: of the database.
    """

    folder: Path
    double: FakeSendGrid
    url: str

    def start(self, *words: str) -> "subprocess.Popen[str]":
        """Start ``newsletter WORDS`` in a process of its own."""
        # What is killed would leave no measurement behind, and measuring doubles the time.
        unmeasured = {
            name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")
        }
        environment = {
            **unmeasured,
            "SENDGRID_API_KEY": self.double.key,
            "SENDGRID_HOST": self.double.url,
            "NEWSLETTER_DATABASE": self.url,
        }
        return subprocess.Popen(
            [sys.executable, "-m", "newsletter", *words], cwd=self.folder, env=environment,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip

    def run(self, *words: str) -> tuple[int, str]:
        """Run it to the end: exit code, and what it said."""
        process = self.start(*words)
        out, err = process.communicate(timeout=120)
        return process.returncode, out + err

    def write_issue(self, name: str) -> None:
        """Make one more issue."""
        folder = self.folder / "issues" / name
        folder.mkdir(parents=True)
        (folder / "post.md").write_text(f"---\ntitle: {name}\n---\n\nThe ice let go.\n")

    def let_leases_end(self) -> None:
        """Let the time pass for which a dead sender's claims are believed."""
        with database_engine(self.url, self.folder) as engine, engine.begin() as connection:
            connection.execute(
                sa.update(batch)
                .where(batch.c.lease_until.is_not(None))
                .values(lease_until=LONG_AGO)
            )

    def states(self, issue: str) -> Counter[str]:
        """State -> readers of an issue's send."""
        query = (
            sa.select(send_recipient.c.state, sa.func.count())
            .join(send, send.c.id == send_recipient.c.send_id)
            .where(send.c.issue == issue)
            .group_by(send_recipient.c.state)
        )
        with database_engine(self.url, self.folder) as engine, engine.begin() as connection:
            return Counter(dict(connection.execute(query).all()))

    def send_id(self, issue: str) -> str:
        """The id of an issue's send."""
        query = sa.select(send.c.id).where(send.c.issue == issue)
        with database_engine(self.url, self.folder) as engine, engine.begin() as connection:
            return str(connection.execute(query).scalar_one())

    def write_events(self, path: Path) -> None:
        """Write what the vendor would report of all that it took, as it exports events."""
        with path.open("w") as file:
            for number, one in enumerate(self.double.accepted):
                event = {
                    "email": one.address,
                    "event": "processed",
                    "timestamp": 1796000000,
                    "sg_event_id": f"event-{number}",
                    "sg_message_id": f"{one.message_id}.recvd",
                    **one.custom_args,
                }
                file.write(json.dumps(event) + "\n")


@pytest.fixture
def desk(tmp_path: Path, database_url: str) -> Iterator[Desk]:
    folder = tmp_path / "harbour-notes"
    folder.mkdir()
    (folder / "newsletter.yml").write_text(SETTINGS)
    shutil.copytree(ROOT / "templates", folder / "templates")
    rows = "".join(f"reader{n}@example.com,Reader {n}\n" for n in range(READERS))
    (folder / "readers.csv").write_text(f"email,name\n{rows}")
    with FakeSendGrid() as double:
        desk = Desk(folder, double, database_url)
        code, words = desk.run("subscribers", "import", "readers.csv")
        assert code == 0, words
        yield desk
