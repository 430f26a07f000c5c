"""Sign-up from end to end, on SQLite and PostgreSQL."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest


@pytest.fixture
def site_database(database_url: str) -> str:
    return database_url


@pytest.mark.parametrize("settings", [{"signup": {"welcome": True, "per_ip_hour": 12}}])
def test_concurrent_sign_ups_get_one_email_each(harness: Any, server: Any) -> None:
    forms = [harness.make_fields(f"reader{number % 6}@example.org") for number in range(16)]
    with ThreadPoolExecutor(8) as threads:
        statuses = list(
            threads.map(lambda fields: server.post("/subscribe", fields=fields).status, forms)
        )
    assert sorted(statuses) == [200] * 12 + [429] * 4
    addresses = harness.send_emails()
    assert len(set(addresses)) == len(addresses)
    assert set(addresses) <= {f"reader{number}@example.org" for number in range(6)}

    path = harness.confirm_path()
    with ThreadPoolExecutor(4) as threads:
        pages = list(
            threads.map(lambda _: server.post(path, fields={"yes": "yes"}).status, range(4))
        )
    assert pages == [200] * 4
    assert harness.status(addresses[-1]) == "active"
    assert harness.send_emails() == [addresses[-1]], "one welcome email"
