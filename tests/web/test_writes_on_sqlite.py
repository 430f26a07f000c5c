"""Concurrent import, send, webhooks and unsubscribes on one SQLite file."""

import json
import re
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count

import pytest
import sqlalchemy as sa
import urllib3
from sender_process import READERS, SETTINGS, SenderProject

from newsletter.db import database_engine
from newsletter.db.schema import event, subscriber

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

ISSUE = "2026-12-01-letter"
NEW = 20_000
UNSUBSCRIBING = range(0, READERS, 2)
URL_LINE = re.compile(r"answers at (http://[^/]+)/")


@pytest.fixture
def site(sender_project: SenderProject) -> Iterator[str]:
    """The URL of the project's site, served by a process of its own."""
    settings = SETTINGS.replace("sendgrid: {", "sendgrid: {webhook_unsigned: true, ")
    (sender_project.folder / "newsletter.yml").write_text(settings)
    server = sender_project.start("serve", "--port", "0")
    with server, ThreadPoolExecutor(1) as pool:
        # A full pipe would block the server.
        log = pool.submit(server.stderr.read)
        match = URL_LINE.search(server.stdout.readline())
        assert match
        yield match[1]
        server.terminate()
        err = log.result(timeout=60)
    assert server.returncode == 0, err
    assert "locked" not in err
    assert "Traceback" not in err


def test_concurrent_writers_all_finish_without_lock_errors(
    sender_project: SenderProject, site: str
) -> None:
    sender_project.write_issue(ISSUE)
    code, output = sender_project.run("plan", ISSUE)
    assert code == 0, output
    rows = "".join(f"new{n}@example.org,New {n}\n" for n in range(NEW))
    (sender_project.folder / "more.csv").write_text(f"email,name\n{rows}")
    processes = [
        sender_project.start("subscribers", "import", "more.csv"),
        sender_project.start("send", ISSUE, "--yes", "--json"),
    ]

    def are_finished() -> bool:
        return all(process.returncode is not None for process in processes)

    http = urllib3.PoolManager(maxsize=8, retries=False, timeout=60)
    with ThreadPoolExecutor(4) as pool:
        reports = [pool.submit(post_events, http, site, part, are_finished) for part in range(2)]
        statuses = list(pool.map(make_unsubscriber(http, site, sender_project), UNSUBSCRIBING))
        events = sum(report.result() for report in reports)
    for process in processes:
        out, err = process.communicate(timeout=60)
        assert process.returncode == 0, out + err
        assert "locked" not in out + err
    assert statuses == [200] * len(UNSUBSCRIBING)
    assert sum(sender_project.states(ISSUE).values()) == READERS
    with (
        database_engine(sender_project.url, sender_project.folder) as engine,
        engine.connect() as connection,
    ):
        by_status: dict[str, int] = dict(
            connection.execute(
                sa.select(subscriber.c.status, sa.func.count()).group_by(subscriber.c.status)
            ).all()
        )
        stored = connection.scalar(sa.select(sa.func.count()).select_from(event))
    assert by_status == {
        "active": NEW + READERS - len(UNSUBSCRIBING),
        "unsubscribed": len(UNSUBSCRIBING),
    }
    assert stored == events > 0


def make_unsubscriber(
    http: urllib3.PoolManager, site: str, sender_project: SenderProject
) -> Callable[[int], int]:
    """A function that unsubscribes the reader with a number by one click; returns the status."""
    with (
        database_engine(sender_project.url, sender_project.folder) as engine,
        engine.connect() as connection,
    ):
        tokens: dict[str, str] = dict(
            connection.execute(sa.select(subscriber.c.address, subscriber.c.token)).all()
        )
    form = {"Content-Type": "application/x-www-form-urlencoded"}

    def unsubscribe(number: int) -> int:
        url = f"{site}/u/{tokens[f'reader{number}@example.com']}"
        return http.request("POST", url, body=b"List-Unsubscribe=One-Click", headers=form).status

    return unsubscribe


def post_events(
    http: urllib3.PoolManager, site: str, part: int, are_finished: Callable[[], bool]
) -> int:
    """Post events until the processes are finished; return how many."""
    for number in count(1):
        events = [
            {
                "sg_event_id": f"event-{part}-{number}-{n}",
                "event": "delivered",
                "timestamp": int(time.time()),
                "email": f"new{n}@example.org",
            }
            for n in range(10)
        ]
        response = http.request(
            "POST",
            f"{site}/webhooks/sendgrid",
            body=json.dumps(events),
            headers={"Content-Type": "application/json"},
        )
        assert (response.status, response.json()["new"]) == (200, 10), response.data
        if are_finished():
            return 10 * number
    raise AssertionError
