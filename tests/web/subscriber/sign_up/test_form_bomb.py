"""Rate limits against form bombing: per address, site, mailbox and IP address."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from itertools import product
from typing import Any

import pytest
import sqlalchemy as sa

from newsletter.db.schema import transactional_email

WIDE = {"per_ip_hour": 100_000, "per_hour": 100_000, "per_address_day": 5}


def bomb(harness: Any, server: Any, addresses: list[str]) -> Counter[int]:
    """Sign up every address, eight at a time, while the page is loaded; return the statuses."""
    tokens = [harness.make_token() for _ in addresses[::5]]
    forms = [
        {"email": address, "token": tokens[number // 5]} for number, address in enumerate(addresses)
    ]
    with ThreadPoolExecutor(8) as threads:
        responses = [threads.submit(server.post, "/subscribe", fields=fields) for fields in forms]
        assert {server.get("/subscribe").status for _ in range(10)} == {200}
        return Counter(response.result().status for response in responses)


@pytest.mark.parametrize("settings", [{"signup": WIDE}])
def test_one_address_hundreds_of_times_gets_one_email(harness: Any, server: Any) -> None:
    assert bomb(harness, server, ["ada@example.org", "Ada@EXAMPLE.org"] * 150) == {200: 300}
    assert len(harness.send_emails()) == 1


@pytest.mark.parametrize("settings", [{"signup": {**WIDE, "per_hour": 100}}])
def test_site_limit_applies_to_hundreds_of_addresses(harness: Any, server: Any) -> None:
    addresses = [f"reader{number}@example.org" for number in range(300)]
    assert bomb(harness, server, addresses) == {200: 100, 429: 200}
    with harness.site.engine.begin() as connection:
        assert connection.scalar(sa.select(sa.func.count()).select_from(transactional_email)) == 100
    harness.clock.advance(hours=1)
    assert server.post("/subscribe", fields=harness.make_fields("late@example.org")).status == 200


@pytest.mark.parametrize("settings", [{"signup": WIDE}])
def test_spellings_of_one_mailbox_share_its_limit(harness: Any, server: Any) -> None:
    plus = [f"ada+{number}@example.org" for number in range(50)]
    parts = product(["ada", "a.da", "ad.a", "a.d.a"], ["", "+x", "+y"], ["gmail", "googlemail"])
    dots = [f"{name}{tag}@{provider}.com" for name, tag, provider in parts]
    assert bomb(harness, server, plus + dots) == {200: 74}
    sent_to = harness.send_emails()
    assert len([address for address in sent_to if address.endswith("@example.org")]) == 5
    assert len([address for address in sent_to if "mail.com" in address]) == 5


@pytest.mark.parametrize("settings", [{"signup": {"per_ip_hour": 4}}])
def test_ip_limit_applies_to_one_client(harness: Any, server: Any) -> None:
    addresses = [f"reader{number}@example.org" for number in range(6)]
    assert bomb(harness, server, addresses) == {200: 4, 429: 2}
    response = server.post("/subscribe", fields=harness.make_fields("more@example.org"))
    assert int(response.headers["Retry-After"]) > 0
