"""Mail clients identified by User-Agent, and their shares."""

import datetime

import pytest
import sqlalchemy as sa

from newsletter.checks.analysis.client_support import CLIENTS, PUBLISHED_SHARES
from newsletter.db.schema import event, send
from newsletter.events.user_agents import (
    MIN_RECIPIENTS,
    compute_client_shares,
    identify_clients,
    load_client_shares,
)

IPHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_1 like Mac OS X) AppleWebKit/605.1.15 "
    "(KHTML, like Gecko) Mobile/15E148"
)
GMAIL = "Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)"
OUTLOOK = "Mozilla/4.0 (compatible; MSIE 7.0; Windows NT 10.0; Microsoft Outlook 16.0.5056)"


@pytest.mark.parametrize(
    ("user_agent", "clients"),
    [
        (GMAIL, ("gmail", "gmail_app")),
        (IPHONE, ("apple_mail",)),
        (f"{IPHONE} Safari/604.1", ()),
        ("Mozilla/5.0", ("apple_mail", "apple_mail_mac")),
        ("Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML)",
         ("apple_mail_mac",)),
        (OUTLOOK, ("outlook",)),
        ("Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Thunderbird/128.1",
         ("thunderbird",)),
        ("YahooMailProxy; https://help.yahoo.com/kb/yahoo-mail-proxy-SLN28749.html", ("yahoo",)),
        ("Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/130 Safari/537.36",
         ()),
        ("", ()),
    ],
)  # fmt: skip
def test_user_agent_identifies_the_clients(user_agent: str, clients: tuple[str, ...]) -> None:
    assert identify_clients(user_agent) == clients
    assert set(clients) <= set(CLIENTS)


def test_recipients_are_counted_once_however_often_they_open() -> None:
    opens = [(f"o{n}@a.example", OUTLOOK) for n in range(MIN_RECIPIENTS)] * 3
    opens += [(f"g{n}@a.example", GMAIL) for n in range(MIN_RECIPIENTS)]
    shares = compute_client_shares(opens)
    assert shares.population == "your readers"
    assert shares.by_client == pytest.approx({"outlook": 0.5, "gmail": 0.25, "gmail_app": 0.25})


def test_published_shares_are_used_if_few_clients_are_known() -> None:
    assert compute_client_shares([("a@a.example", OUTLOOK)]) is PUBLISHED_SHARES


def test_only_opens_of_the_newest_sends_are_used(engine: sa.Engine) -> None:
    assert load_client_shares(engine) is PUBLISHED_SHARES
    start = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
    user_agents = {0: OUTLOOK, 9: GMAIL}  # the first of ten sends is too long ago
    sends = [
        {
            "id": number + 1, "issue": f"issue-{number}", "state": "done",
            "content_sha": "", "subject": "", "total": 1, "excluded": {},
            "frozen_at": start + datetime.timedelta(weeks=number),
        }
        for number in range(10)
    ]  # fmt: skip
    events = [
        {
            "sg_event_id": f"{number}-{reader}",
            "type": "open",
            "at": start,
            "send_id": number + 1,
            "address_key": f"r{reader}@a.example",
            "raw": {"useragent": user_agent},
        }
        for number, user_agent in user_agents.items()
        for reader in range(MIN_RECIPIENTS)
    ]
    odd = {"sg_event_id": "odd", "type": "open", "at": start, "send_id": 10,
           "address_key": "odd@a.example"}  # fmt: skip
    with engine.begin() as connection:
        connection.execute(sa.insert(send), sends)
        connection.execute(sa.insert(event), events)
        for number, raw in enumerate(({}, {"useragent": None}, {"useragent": [1]})):
            row = {**odd, "sg_event_id": f"odd-{number}", "raw": raw}
            connection.execute(sa.insert(event).values(row))
    assert load_client_shares(engine).by_client == pytest.approx({"gmail": 0.5, "gmail_app": 0.5})
