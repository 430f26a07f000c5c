"""Two servers on one PostgreSQL, as behind a load balancer: what one does, the other knows."""

import datetime
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import pytest
import sqlalchemy as sa
from postgres_server import Server, login_in_role
from signed_webhook import JSON, PUBLIC, make_body, make_event, sign

from newsletter.db import database_engine
from newsletter.db.schema import event, subscriber
from newsletter.project import open_project
from newsletter.sending.providers.sendgrid.client import SendGridClient
from newsletter.sending.rehearsal import FakeSendGrid
from newsletter.subscribers.audience import find_active_recipient
from newsletter.web.app import make_app
from newsletter.web.background_jobs import send_queued_emails
from newsletter.web.sendgrid_webhook import WEBHOOK_PATH
from newsletter.web.site_context import Site, open_site
from newsletter.web.subscriber.subscribe import make_form_token

T = TypeVar("T")
SECOND = datetime.timedelta(seconds=1)
PER_IP = 3
READERS = 8
CONNECTIONS, VISITORS = 2, 24
WAITING = """
SELECT count(*) FROM pg_locks JOIN pg_database ON pg_database.oid = database
WHERE NOT granted AND datname = current_database()
"""
SETTINGS = f"""\
public_url: https://news.harbour-notes.org
sendgrid: {{webhook_key: {PUBLIC}}}
signup: {{per_ip_hour: {PER_IP}}}
"""


@pytest.fixture
def sites(project_folder: Path, postgres_url: str) -> Iterator[list[Site]]:
    """The site as two hosts have it, each with connections of its own."""
    with (project_folder / "newsletter.yml").open("a") as file:
        file.write(SETTINGS)
    project = open_project(project_folder)
    with (
        database_engine(postgres_url, project_folder) as first,
        database_engine(postgres_url, project_folder) as second,
    ):
        yield [open_site(project, engine) for engine in (first, second)]


@pytest.fixture
def servers(sites: list[Site], serve: Callable[..., Any]) -> list[Any]:
    return [serve(make_app(site), site.config) for site in sites]


def run_at_once(run: Callable[[T], Any], items: list[T]) -> list[Any]:
    barrier = threading.Barrier(len(items))

    def run_one(item: T) -> Any:
        barrier.wait()
        return run(item)

    with ThreadPoolExecutor(len(items)) as pool:
        return list(pool.map(run_one, items))


def add_active(site: Site, count: int) -> None:
    now = site.clock()
    rows = [
        {"address": f"reader{n}@example.com", "address_key": f"reader{n}@example.com",
         "status": "active", "attributes": {}, "token": f"token-{n}", "joined_at": now,
         "updated_at": now}
        for n in range(count)
    ]  # fmt: skip
    with site.engine.begin() as connection:
        connection.execute(sa.insert(subscriber), rows)


def test_sign_ups_are_limited_together_and_confirmed_by_one_email(
    sites: list[Site], servers: list[Any]
) -> None:
    # A form of one server may be sent to the other; it must be some seconds old.
    earlier = replace(sites[0], clock=lambda: sites[0].clock() - 10 * SECOND)
    statuses = []
    for number in range(PER_IP + 2):
        fields = {"email": f"ada{number}@example.com", "token": make_form_token(earlier)}
        statuses.append(servers[number % 2].post("/subscribe", fields=fields).status)
    assert Counter(statuses) == {200: PER_IP, 429: 2}
    with FakeSendGrid() as sendgrid:
        options = sites[0].config.sendgrid.model_copy(update={"host": sendgrid.url})
        with closing(SendGridClient(sendgrid.key, options)) as mailer:
            counts = run_at_once(lambda site: send_queued_emails(site, mailer), sites * 2)
        assert sum(counts) == PER_IP
        addresses = Counter(email.address for email in sendgrid.accepted)
    assert addresses == {f"ada{number}@example.com": 1 for number in range(PER_IP)}


def test_who_leaves_at_one_server_is_out_at_the_other(
    sites: list[Site], servers: list[Any]
) -> None:
    add_active(sites[0], 1)
    other = sites[1]
    with other.engine.connect() as connection:
        assert find_active_recipient(connection, "reader0@example.com")
    one_click = {"List-Unsubscribe": "One-Click"}
    assert servers[0].post("/u/token-0", fields=one_click).status == 200
    with other.engine.connect() as connection:
        assert not find_active_recipient(connection, "reader0@example.com")


def test_events_that_are_posted_to_both_count_once(sites: list[Site], servers: list[Any]) -> None:
    add_active(sites[0], READERS)
    events = [
        make_event(f"e{n}", "bounce", email=f"reader{n}@example.com", type="bounce")
        for n in range(READERS)
    ]
    body = make_body(*events)
    headers = {**JSON, **sign(body)}
    responses = run_at_once(lambda server: server.post(WEBHOOK_PATH, body, **headers), servers * 2)
    assert [response.status for response in responses] == [200] * 4
    assert sum(response.json()["new"] for response in responses) == READERS
    with sites[1].engine.connect() as connection:
        assert connection.scalar(sa.select(sa.func.count()).select_from(event)) == READERS
        assert set(connection.scalars(sa.select(subscriber.c.status))) == {"bounced"}


def test_burst_waits_for_the_connections_that_a_server_has(
    project_folder: Path, postgres_server: Server, postgres_url: str, serve: Callable[..., Any]
) -> None:
    with (
        login_in_role(postgres_server, postgres_url, "web", CONNECTIONS) as url,
        database_engine(url, project_folder, pool_size=CONNECTIONS) as engine,
        ThreadPoolExecutor(VISITORS) as visitors,
    ):
        site = open_site(open_project(project_folder), engine)
        add_active(site, VISITORS)
        server = serve(make_app(site), site.config)
        with postgres_server.connected(str(sa.make_url(url).database)) as control:
            control.exec_driver_sql("BEGIN; LOCK TABLE subscriber IN ACCESS EXCLUSIVE MODE")
            pages = [visitors.submit(server.get, f"/u/token-{n}") for n in range(VISITORS)]
            while control.exec_driver_sql(WAITING).scalar_one() < CONNECTIONS:
                threading.Event().wait(0.01)
            control.exec_driver_sql("COMMIT")
        assert Counter(page.result().status for page in pages) == {200: VISITORS}
