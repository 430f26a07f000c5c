"""A send on several hosts: one worker is killed, another cut off.

Each host is a network namespace of its own, and where none can be made, a process.
"""

import os
import re
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager

import network_hosts
import pytest
import sqlalchemy as sa
import urllib3
from network_hosts import Host, Network, find_obstacle
from postgres_server import Server
from sender_process import HELD, OK, PER_BATCH, READERS, SenderProject
from worker_process import running_worker, running_workers, watch_send

from newsletter.db.schema import batch, send_recipient, subscriber

ISSUE = "2026-12-01-letter"
CONCURRENCY = 2
OPTIONS = ("--concurrency", str(CONCURRENCY))
# So many requests are responded to, before those that are held.
BEFORE = 6
OBSTACLE = find_obstacle() if "NO_NAMESPACES" not in os.environ else "NO_NAMESPACES is set"
MakeNetwork = Callable[[SenderProject, Server, tuple[str, ...]], AbstractContextManager[Network]]


@pytest.fixture
def database_url(postgres_url: str) -> str:
    return postgres_url


@pytest.fixture(
    params=[
        pytest.param(
            network_hosts.namespaces,
            id="namespaces",
            marks=pytest.mark.skipif(
                bool(OBSTACLE), reason=f"no network namespaces ({OBSTACLE}): run with processes"
            ),
        ),
        *([pytest.param(network_hosts.processes, id="processes")] if OBSTACLE else []),
    ]
)
def network(
    request: pytest.FixtureRequest, sender_project: SenderProject, postgres_server: Server
) -> Iterator[Network]:
    make: MakeNetwork = request.param
    with make(sender_project, postgres_server, ("killed", "cut-off", "third", "web")) as network:
        yield network


@contextmanager
def running_site(host: Host) -> Iterator[str]:
    """Serve the public pages on a host; yield their URL."""
    server = host.project.start("serve", "--host", host.address, "--port", "0")
    with server, ThreadPoolExecutor(1) as pool:
        log = pool.submit(server.stderr.read)  # it would wait on a full pipe
        try:
            match = re.search(r"answers at (http://[^/]+)/", server.stdout.readline())
            assert match, log.result(timeout=60)
            yield match[1]
        finally:
            server.terminate()
        assert "Traceback" not in log.result(timeout=60)


def unsubscribe(network: Network, site: str, token: str) -> None:
    """Unsubscribe a reader by one click, from outside."""
    response = network.outside.submit(
        urllib3.request, "POST", f"{site}/u/{token}",
        body=b"List-Unsubscribe=One-Click", retries=False, timeout=60,
        headers={"Content-Type": "application/x-www-form-urlencoded"},
    ).result()  # fmt: skip
    assert response.status == 200, response.data


def choose_reader(engine: sa.Engine, batch_state: str) -> tuple[str, str]:
    """Return the address and the token of a reader whose batch is in a state."""
    query = (
        sa.select(subscriber.c.address, subscriber.c.token)
        .join(send_recipient, send_recipient.c.subscriber_id == subscriber.c.id)
        .join(batch, batch.c.id == send_recipient.c.batch_id)
        .where(batch.c.state == batch_state)
        .limit(1)
    )
    with engine.connect() as connection:
        address, token = connection.execute(query).one()
        return address, token


def test_one_worker_is_killed_and_another_cut_off(
    network: Network, sender_project: SenderProject
) -> None:
    hosts, double = network.hosts, network.double
    editor = hosts["database"].project
    lost = 2 * CONCURRENCY
    with ExitStack() as stack:
        watch = stack.enter_context(watch_send(sender_project, ISSUE))
        site = stack.enter_context(running_site(hosts["web"]))
        killed, cut_off = stack.enter_context(
            running_workers([hosts["killed"].project, hosts["cut-off"].project], *OPTIONS)
        )
        stack.callback(double.released.set)
        stack.callback(hosts["cut-off"].connect)  # or its worker could not be stopped
        double.inject_faults(*[OK] * BEFORE, *[HELD] * lost)
        watch.start(editor)
        double.wait_for_requests(BEFORE + lost)
        watch.wait_until(lambda: watch.count_batches("accepted") == BEFORE)
        killed.kill()
        hosts["cut-off"].cut()

        waiting, token = choose_reader(watch.engine, "ready")
        unsubscribe(network, site, token)
        in_flight, token = choose_reader(watch.engine, "in_flight")
        unsubscribe(network, site, token)

        third = stack.enter_context(running_worker(hosts["third"].project, *OPTIONS))
        watch.finish([third])
        expected = {
            "accepted": READERS - lost * PER_BATCH - 1,
            "skipped_late": 1,
            "unknown": lost * PER_BATCH,
        }
        assert sender_project.states(ISSUE) == expected
        emails = [email.address for email in double.accepted]
        assert len(emails) == len(set(emails)) == READERS - 1
        assert waiting not in emails
        assert in_flight in emails

        hosts["cut-off"].connect()
        double.released.set()
        cut_off.send_signal(signal.SIGTERM)
        _, log = cut_off.communicate(timeout=60)
        assert log.count("its outcome could not be recorded") == CONCURRENCY
        assert cut_off.returncode == 0
        assert sender_project.states(ISSUE) == expected
        assert len(double.accepted) == READERS - 1
