from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from itertools import product
from typing import Any

import pytest
import sqlalchemy as sa

from newsletter.db.schema import transactional_email

WIDE = {"per_ip_hour": 100_000, "per_hour": 100_000, "per_address_day": 5}


def bomb(desk: Any, server: Any, addresses: list[str]) -> Counter[int]:
    """Sign up every address, eight at a time, while others look at the page: the statuses."""
    tokens = [desk.token() for _ in addresses[::5]]
    forms = [{"email": to, "token": tokens[at // 5]} for at, to in enumerate(addresses)]
    with ThreadPoolExecutor(8) as threads:
        coming = [threads.submit(server.post, "/subscribe", fields=fields) for fields in forms]
        assert {server.get("/subscribe").status for _ in range(10)} == {200}
        return Counter(answer.result().status for answer in coming)


@pytest.mark.parametrize("settings", [{"signup": WIDE}])
def test_one_address_a_thousand_times_gets_one_letter(desk: Any, server: Any) -> None:
    assert bomb(desk, server, ["ada@example.org", "Ada@EXAMPLE.org"] * 500) == {200: 1000}
    assert len(desk.post()) == 1


@pytest.mark.parametrize("settings", [{"signup": {**WIDE, "per_hour": 300}}])
def test_a_thousand_addresses_meet_the_limit_for_all(desk: Any, server: Any) -> None:
    strangers = [f"reader{number}@example.org" for number in range(1000)]
    assert bomb(desk, server, strangers) == {200: 300, 429: 700}
    with desk.site.engine.begin() as connection:
        assert connection.scalar(sa.select(sa.func.count()).select_from(transactional_email)) == 300
    desk.time.pass_by(hours=1)
    assert server.post("/subscribe", fields=desk.fields("late@example.org")).status == 200


@pytest.mark.parametrize("settings", [{"signup": WIDE}])
def test_spellings_of_one_mailbox_share_its_limit(desk: Any, server: Any) -> None:
    plus = [f"ada+{number}@example.org" for number in range(50)]
    parts = product(["ada", "a.da", "ad.a", "a.d.a"], ["", "+x", "+y"], ["gmail", "googlemail"])
    dots = [f"{name}{tag}@{provider}.com" for name, tag, provider in parts]
    assert bomb(desk, server, plus + dots) == {200: 74}
    got = desk.post()
    assert len([one for one in got if one.endswith("@example.org")]) == 5
    assert len([one for one in got if "mail.com" in one]) == 5


@pytest.mark.parametrize("settings", [{"signup": {"per_ip_hour": 4}}])
def test_one_internet_address_meets_its_own_limit(desk: Any, server: Any) -> None:
    strangers = [f"reader{number}@example.org" for number in range(6)]
    assert bomb(desk, server, strangers) == {200: 4, 429: 2}
    answer = server.post("/subscribe", fields=desk.fields("more@example.org"))
    assert int(answer.headers["Retry-After"]) > 0
