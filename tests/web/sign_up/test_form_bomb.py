from typing import Any

import pytest
import sqlalchemy as sa

from newsletter.db.schema import notice

WIDE = {"per_ip_hour": 100_000, "per_hour": 100_000, "per_address_day": 5}


def bomb(desk: Any, server: Any, addresses: list[str]) -> list[int]:
    """Sign up every address; the statuses. A new token before each fifth."""
    statuses = []
    for number, address in enumerate(addresses):
        if number % 5 == 0:
            token = desk.token()
        fields = {"email": address, "token": token}
        statuses.append(server.post("/subscribe", fields=fields).status)
    return statuses


@pytest.mark.parametrize("settings", [{"signup": WIDE}])
def test_one_address_a_thousand_times_gets_one_letter(desk: Any, server: Any) -> None:
    statuses = bomb(desk, server, ["ada@example.org", "Ada@EXAMPLE.org"] * 500)
    assert set(statuses) == {200}
    assert len(desk.post()) == 1
    assert server.get("/subscribe").status == 200


@pytest.mark.parametrize("settings", [{"signup": {**WIDE, "per_hour": 300}}])
def test_a_thousand_addresses_meet_the_limit_for_all(desk: Any, server: Any) -> None:
    statuses = bomb(desk, server, [f"reader{number}@example.org" for number in range(1000)])
    assert statuses == [200] * 300 + [429] * 700
    with desk.site.engine.begin() as connection:
        assert connection.scalar(sa.select(sa.func.count()).select_from(notice)) == 300
    assert server.get("/subscribe").status == 200, "others are answered"
    desk.time.pass_by(hours=1)
    assert server.post("/subscribe", fields=desk.fields("late@example.org")).status == 200


@pytest.mark.parametrize("settings", [{"signup": WIDE}])
def test_spellings_of_one_mailbox_share_its_limit(desk: Any, server: Any) -> None:
    plus = [f"ada+{number}@example.org" for number in range(50)]
    dots = ["a.da@gmail.com", "ad.a@gmail.com", "ada@googlemail.com", "a.d.a+x@gmail.com"] * 5
    assert set(bomb(desk, server, plus + dots)) == {200}
    got = desk.post()
    assert len([one for one in got if one.endswith("@example.org")]) == 5
    assert len([one for one in got if "mail.com" in one]) == 4


@pytest.mark.parametrize("settings", [{"signup": {"per_ip_hour": 4}}])
def test_one_internet_address_meets_its_own_limit(desk: Any, server: Any) -> None:
    statuses = bomb(desk, server, [f"reader{number}@example.org" for number in range(6)])
    assert statuses == [200, 200, 200, 200, 429, 429]
    answer = server.post("/subscribe", fields=desk.fields("more@example.org"))
    assert int(answer.headers["Retry-After"]) > 0
