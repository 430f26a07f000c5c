"""What is turned away is counted, by reason; the counts survive rollbacks and failures."""

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import sqlalchemy as sa
from prometheus_client import generate_latest

from newsletter.db import read_transaction
from newsletter.db.schema import subscriber
from newsletter.errors import DatabaseError
from newsletter.subscribers.address import parse_address
from newsletter.subscribers.consent import changes
from newsletter.subscribers.consent.journal import ChangeOrigin
from newsletter.subscribers.refused_signups import REFUSAL_REASONS, load_refused_signups
from newsletter.web.background_jobs import make_background_jobs
from newsletter.web.monitoring.metrics import SiteMetrics
from newsletter.web.subscriber.subscribe import make_form_token
from newsletter.web.subscriber.transactional_emails import purge_stale_data

ADDRESS = "ada@example.org"


def save_and_load(harness: Any) -> Counter[str]:
    """Run the background job; return the counts in the database, of all months."""
    jobs = {job.name: job for job in make_background_jobs(harness.site, None)}
    jobs["refused sign-ups"].run()
    with read_transaction(harness.site.engine) as connection:
        rows = load_refused_signups(connection)
    total: Counter[str] = Counter()
    for _, reason, signups in rows:
        total[reason] += signups
    return total


def submit(harness: Any, server: Any, **fields: str) -> int:
    fields = {"email": ADDRESS, **fields}
    if "token" not in fields:
        fields["token"] = harness.make_token()
    status: int = server.post("/subscribe", fields=fields).status
    return status


def test_bots_are_counted_by_what_betrayed_them(harness: Any, server: Any) -> None:
    assert submit(harness, server, website="x") == 200
    assert submit(harness, server, token=f"{harness.make_token()}x") == 422
    assert submit(harness, server, token=make_form_token(harness.site)) == 422
    stale = harness.make_token()
    harness.clock.advance(hours=25)
    assert submit(harness, server, token=stale) == 422
    assert submit(harness, server, email="no address") == 422, "a typo is no refusal"
    assert save_and_load(harness) == {"honeypot": 1, "bad_token": 2, "too_fast": 1}
    assert save_and_load(harness) == {"honeypot": 1, "bad_token": 2, "too_fast": 1}


def test_reused_form_is_counted_though_its_transaction_is_rolled_back(
    harness: Any, server: Any
) -> None:
    token = harness.make_token()
    statuses = [submit(harness, server, token=token) for _ in range(7)]
    assert statuses == [200] * 5 + [422] * 2
    assert save_and_load(harness) == {"form_reused": 2}


@pytest.mark.parametrize(
    ("settings", "reason", "status"),
    [
        ({"signup": {"per_ip_hour": 2}}, "ip_limit", 429),
        ({"signup": {"per_hour": 2}}, "site_limit", 429),
        ({"signup": {"per_address_day": 2}}, "mailbox_limit", 200),
    ],
)
def test_limits_are_counted(harness: Any, server: Any, reason: str, status: int) -> None:
    for number in range(5):
        expected = 200 if number < 2 else status
        assert submit(harness, server, email=f"ada+{number}@example.org") == expected
    assert save_and_load(harness) == {reason: 3}


def test_sign_ups_that_are_never_confirmed_are_counted(harness: Any, server: Any) -> None:
    submit(harness, server)
    assert harness.send_emails() == [ADDRESS]
    harness.clock.advance(days=31)
    purge_stale_data(harness.site)
    assert harness.status(ADDRESS) is None
    assert save_and_load(harness) == {"never_confirmed": 1}
    assert 'reason="never_confirmed"} 1.0' in scrape(harness)


@pytest.mark.parametrize("settings", [{"signup": {"confirm_days": 60}}])
def test_sign_up_outlives_its_link(harness: Any, server: Any) -> None:
    submit(harness, server)
    harness.send_emails()
    harness.clock.advance(days=59)
    purge_stale_data(harness.site)
    assert server.post(harness.confirm_path(), fields={"yes": "yes"}).status == 200
    assert harness.status(ADDRESS) == "active"


def scrape(harness: Any) -> str:
    return generate_latest(SiteMetrics(harness.site).registry).decode()


def test_metrics_show_every_reason_from_the_start(harness: Any, server: Any) -> None:
    for reason in REFUSAL_REASONS:
        assert f'newsletter_refused_signups_total{{reason="{reason}"}} 0.0' in scrape(harness)
    submit(harness, server, website="x")
    assert 'newsletter_refused_signups_total{reason="honeypot"} 1.0' in scrape(harness)
    save_and_load(harness)
    assert 'newsletter_refused_signups_total{reason="honeypot"} 1.0' in scrape(harness)


def test_counts_that_could_not_be_saved_are_saved_later(harness: Any, server: Any) -> None:
    submit(harness, server, website="x")
    with harness.site.engine.begin() as connection:
        connection.execute(sa.text("ALTER TABLE refused_signup RENAME TO away"))
    with pytest.raises(DatabaseError):
        harness.site.refused_signups.save(harness.site.engine)
    submit(harness, server, website="x")
    with harness.site.engine.begin() as connection:
        connection.execute(sa.text("ALTER TABLE away RENAME TO refused_signup"))
    assert save_and_load(harness) == {"honeypot": 2}


def test_no_count_is_lost_between_threads(harness: Any) -> None:
    counter, engine = harness.site.refused_signups, harness.site.engine
    start = threading.Barrier(4)

    def count() -> None:
        start.wait()
        for number in range(250):
            counter.count("honeypot", harness.clock())
            if number % 50 == 0:
                counter.save(engine)

    with ThreadPoolExecutor(4) as threads:
        for future in [threads.submit(count) for _ in range(4)]:
            future.result()
    assert save_and_load(harness) == {"honeypot": 1000}


def test_refusals_run_no_statement(harness: Any, server: Any) -> None:
    recorded: list[str] = []

    def record(_c: Any, _cursor: Any, statement: str, *_: Any) -> None:
        recorded.append(statement)

    token = harness.make_token()
    server.get("/subscribe")  # the latest issue is read once a minute
    sa.event.listen(harness.site.engine, "before_cursor_execute", record)
    submit(harness, server, website="x", token=token)
    submit(harness, server, token=f"{token}forged")
    sa.event.remove(harness.site.engine, "before_cursor_execute", record)
    assert recorded == [], "a flood costs the database nothing"


def test_purge_leaves_the_editors_readers(harness: Any) -> None:
    origin = ChangeOrigin(harness.clock(), "import", "readers.csv:2")
    with harness.site.engine.begin() as connection:
        changes.subscribe(connection, parse_address(ADDRESS), "pending", origin)
    harness.clock.advance(days=400)
    purge_stale_data(harness.site)
    with read_transaction(harness.site.engine) as connection:
        assert connection.scalars(sa.select(subscriber.c.address)).all() == [ADDRESS]
