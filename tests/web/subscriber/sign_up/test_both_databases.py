"""What the other files show on SQLite alone, from end to end on PostgreSQL too."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest


@pytest.fixture
def site_database(database_url: str) -> str:
    return database_url


@pytest.mark.parametrize("settings", [{"signup": {"welcome": True, "per_ip_hour": 12}}])
def test_a_crowd_signs_up_and_each_gets_one_letter(desk: Any, server: Any) -> None:
    forms = [desk.fields(f"reader{number % 6}@example.org") for number in range(16)]
    with ThreadPoolExecutor(8) as threads:
        statuses = list(
            threads.map(lambda fields: server.post("/subscribe", fields=fields).status, forms)
        )
    assert sorted(statuses) == [200] * 12 + [429] * 4
    got = desk.post()
    assert len(set(got)) == len(got)
    assert set(got) <= {f"reader{number}@example.org" for number in range(6)}

    path = desk.link()
    with ThreadPoolExecutor(4) as threads:
        pages = list(
            threads.map(lambda _: server.post(path, fields={"yes": "yes"}).status, range(4))
        )
    assert pages == [200] * 4
    assert desk.status(got[-1]) == "active"
    assert desk.post() == [got[-1]], "one welcome"
