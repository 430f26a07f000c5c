"""An import, a send, webhooks and readers who leave, all at once on one SQLite file."""

import json
import re
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count

import pytest
import sqlalchemy as sa
import urllib3
from sender_process import READERS, SETTINGS, Desk

from newsletter.db import database_engine
from newsletter.db.schema import event, subscriber

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

ISSUE = "2026-12-01-letter"
NEW = 20_000
LEAVERS = range(0, READERS, 2)
SPOKEN = re.compile(r"answers at (http://[^/]+)/")


@pytest.fixture
def site(desk: Desk) -> Iterator[str]:
    """Where the desk's site answers, in a process of its own."""
    settings = SETTINGS.replace("sendgrid: {", "sendgrid: {webhook_unsigned: true, ")
    (desk.folder / "newsletter.yml").write_text(settings)
    server = desk.start("serve", "--port", "0")
    assert server.stdout
    assert server.stderr
    with server, ThreadPoolExecutor(1) as pool:
        # A full pipe would hold the server up.
        log = pool.submit(server.stderr.read)
        found = SPOKEN.search(server.stdout.readline())
        assert found
        yield found[1]
        server.terminate()
        err = log.result(timeout=60)
    assert server.returncode == 0, err
    assert "locked" not in err
    assert "Traceback" not in err


def test_all_of_it_is_done_and_nobody_hears_of_a_lock(desk: Desk, site: str) -> None:
    desk.write_issue(ISSUE)
    code, words = desk.run("plan", ISSUE)
    assert code == 0, words
    rows = "".join(f"new{n}@example.org,New {n}\n" for n in range(NEW))
    (desk.folder / "more.csv").write_text(f"email,name\n{rows}")
    busy = [
        desk.start("subscribers", "import", "more.csv"),
        desk.start("send", ISSUE, "--yes", "--json"),
    ]

    def over() -> bool:
        return all(process.poll() is not None for process in busy)

    http = urllib3.PoolManager(maxsize=8, retries=False, timeout=60)
    with ThreadPoolExecutor(4) as pool:
        reports = [pool.submit(report, http, site, part, over) for part in range(2)]
        leaving = list(pool.map(leave(http, site, desk), LEAVERS))
        events = sum(one.result() for one in reports)
    for process in busy:
        out, err = process.communicate(timeout=60)
        assert process.returncode == 0, out + err
        assert "locked" not in out + err
    assert leaving == [200] * len(LEAVERS)
    assert sum(desk.states(ISSUE).values()) == READERS
    with database_engine(desk.url, desk.folder) as engine, engine.connect() as connection:
        by_status: dict[str, int] = dict(
            connection.execute(
                sa.select(subscriber.c.status, sa.func.count()).group_by(subscriber.c.status)
            ).all()
        )
        stored = connection.scalar(sa.select(sa.func.count()).select_from(event))
    assert by_status == {"active": NEW + READERS - len(LEAVERS), "unsubscribed": len(LEAVERS)}
    assert stored == events > 0


def leave(http: urllib3.PoolManager, site: str, desk: Desk) -> Callable[[int], int]:
    """Presses the one-click button of the reader of a number: the status."""
    with database_engine(desk.url, desk.folder) as engine, engine.connect() as connection:
        tokens: dict[str, str] = dict(
            connection.execute(sa.select(subscriber.c.address, subscriber.c.token)).all()
        )
    form = {"Content-Type": "application/x-www-form-urlencoded"}

    def press(number: int) -> int:
        url = f"{site}/u/{tokens[f'reader{number}@example.com']}"
        return http.request("POST", url, body=b"List-Unsubscribe=One-Click", headers=form).status

    return press


def report(http: urllib3.PoolManager, site: str, part: int, over: Callable[[], bool]) -> int:
    """Reports events until everything else is over: how many."""
    for number in count(1):
        reported = [
            {
                "sg_event_id": f"event-{part}-{number}-{n}",
                "event": "delivered",
                "timestamp": int(time.time()),
                "email": f"new{n}@example.org",
            }
            for n in range(10)
        ]
        answer = http.request(
            "POST", f"{site}/webhooks/sendgrid", body=json.dumps(reported),
            headers={"Content-Type": "application/json"},
        )  # fmt: skip
        assert (answer.status, answer.json()["new"]) == (200, 10), answer.data
        if over():
            return 10 * number
    raise AssertionError
