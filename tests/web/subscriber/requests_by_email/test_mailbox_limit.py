"""One limit for all emails that strangers can cause, however the mailbox is spelled."""

import datetime
import re
from collections import Counter
from itertools import product
from pathlib import Path
from typing import Any

import orjson
import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

import newsletter
from newsletter.db.schema import address_change, rate_limit, subscriber, transactional_email
from newsletter.subscribers.address import parse_address
from newsletter.subscribers.consent import changes
from newsletter.subscribers.consent.journal import ChangeOrigin
from newsletter.web.subscriber.access_token import sign
from newsletter.web.subscriber.requested_emails import normalize_mailbox

LIMIT = 5
WIDE = {"per_ip_hour": 100_000, "per_hour": 100_000, "per_address_day": LIMIT}
VICTIM = "ada.lovelace@gmail.com"
SPELLINGS = [
    f"{local}{tag}@{domain}"
    for local, tag, domain in product(
        ("ada.lovelace", "a.da.lovelace", "adalovelace"),
        ("", "+news", "+a.b"),
        ("gmail.com", "googlemail.com"),
    )
]
WAYS = ("form", "json", "download", "erase", "move_from", "move_to")


@pytest.fixture
def settings() -> dict[str, Any]:
    """No other limit than that of the mailbox matters."""
    return {"signup": WIDE}


def add_subscriber(harness: Any, address: str) -> str:
    """Make an address an active subscriber's; return the token."""
    parsed = parse_address(address)
    origin = ChangeOrigin(harness.clock(), "cli")
    with harness.site.engine.begin() as connection:
        changes.subscribe(connection, parsed, "active", origin)
        changes.confirm(connection, parsed.key, origin)
        query = sa.select(subscriber.c.token).where(subscriber.c.address_key == parsed.key)
        return str(connection.scalars(query).one())


def submit_preferences(harness: Any, server: Any, token: str, action: str, **fields: str) -> Any:
    signed = sign(harness.site, "preferences", token)
    return server.post(f"/p/{token}", fields={"do": action, "signed": signed, **fields})


def cause_email(harness: Any, server: Any, way: str, address: str, number: int) -> Any:
    """Cause an email to an address in one of ``WAYS``."""
    if way == "form":
        return server.post("/subscribe", fields=harness.make_fields(address))
    if way == "json":
        return server.post(
            "/api/subscribe",
            body=orjson.dumps(harness.make_fields(address)),
            **{"Content-Type": "application/json"},
        )
    if way in {"download", "erase"}:
        return submit_preferences(harness, server, add_subscriber(harness, address), way)
    if way == "move_from":
        token = add_subscriber(harness, address)
        new_address = f"elsewhere{number}@example.org"
        return submit_preferences(harness, server, token, "move", email=new_address)
    token = add_subscriber(harness, f"accomplice{number}@example.org")
    return submit_preferences(harness, server, token, "move", email=address)


def count_letters(sent_to: list[str]) -> Counter[str]:
    return Counter(normalize_mailbox(parse_address(address)) for address in sent_to)


def test_every_way_mixed_stays_within_the_limit(harness: Any, server: Any) -> None:
    pairs = list(product(SPELLINGS, WAYS))
    sent_to: list[str] = []
    for number, (address, way) in enumerate(pairs):
        response = cause_email(harness, server, way, address, number)
        assert response.status in {200, 202}, (way, address)
        sent_to += harness.send_emails()
    letters = count_letters(sent_to)
    assert letters["adalovelace@gmail.com"] == LIMIT
    assert max(letters.values()) <= LIMIT
    harness.clock.advance(days=1, minutes=1)
    for number in range(LIMIT + 2):
        cause_email(harness, server, "form", f"ada.lovelace+{number}@gmail.com", number)
    assert count_letters(harness.send_emails())["adalovelace@gmail.com"] == LIMIT, "the next day"


@hypothesis_settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    requests=st.lists(
        st.tuples(
            st.sampled_from(WAYS),
            st.sampled_from(SPELLINGS),
            st.integers(0, 90),
            st.booleans(),
        ),
        min_size=6,
        max_size=14,
    )
)
def test_no_sequence_of_requests_exceeds_the_limit(
    harness: Any, server: Any, requests: list[tuple[str, str, int, bool]]
) -> None:
    with harness.site.engine.begin() as connection:
        for table in (address_change, transactional_email, subscriber, rate_limit):
            connection.execute(sa.delete(table))
    sent_to: list[str] = []
    for number, (way, address, minutes, is_sent_now) in enumerate(requests):
        cause_email(harness, server, way, address, number)
        harness.clock.advance(minutes=minutes)
        if is_sent_now:
            sent_to += harness.send_emails()
    sent_to += harness.send_emails()
    assert count_letters(sent_to)["adalovelace@gmail.com"] <= LIMIT


@pytest.mark.parametrize("way", WAYS)
def test_response_does_not_show_that_the_limit_is_reached(
    harness: Any, server: Any, way: str
) -> None:
    values = re.compile(rb'(?:value|min|max)="[^"]*"')  # a day may begin meanwhile
    within = cause_email(harness, server, way, VICTIM, 0)
    harness.send_emails()
    harness.clock.advance(hours=2)
    for number in range(LIMIT):
        cause_email(harness, server, "form", SPELLINGS[number + 1], 0)
    over = cause_email(harness, server, way, VICTIM, 0)
    assert (within.status, values.sub(b"", within.data)) == (
        over.status,
        values.sub(b"", over.data),
    )
    assert count_letters(harness.send_emails())["adalovelace@gmail.com"] == LIMIT - 1


def test_emails_that_are_not_sent_do_not_count(harness: Any, server: Any) -> None:
    token = add_subscriber(harness, VICTIM)
    for _ in range(LIMIT + 3):
        # Dropped, since the address is subscribed already.
        assert cause_email(harness, server, "form", VICTIM, 0).status == 200
        assert harness.send_emails() == []
    assert submit_preferences(harness, server, token, "download").status == 200
    assert harness.send_emails() == [VICTIM]
    for _ in range(LIMIT + 3):
        submit_preferences(harness, server, token, "download")  # there was one within the hour
    assert submit_preferences(harness, server, token, "erase").status == 200
    assert harness.send_emails() == [VICTIM]


@pytest.mark.parametrize("settings", [{"signup": WIDE | {"double_opt_in": False, "welcome": True}}])
def test_with_single_opt_in_each_address_that_is_subscribed_counts(
    harness: Any, server: Any
) -> None:
    sent_to: list[str] = []
    for number in range(3 * LIMIT):
        cause_email(harness, server, "form", f"ada+{number}@example.org", 0)
        sent_to += harness.send_emails()
    assert count_letters(sent_to) == {"ada@example.org": LIMIT}


def test_email_of_an_earlier_day_that_is_dropped_leaves_the_count_of_today(
    harness: Any, server: Any
) -> None:
    for number in range(LIMIT):
        add_subscriber(harness, f"ada+{number}@example.org")
        cause_email(harness, server, "form", f"ada+{number}@example.org", 0)
    # The queue is stuck, for instance since SendGrid has asked for a pause.
    harness.clock.advance(days=1)
    sent_to: list[str] = []
    for address in ("eve", "bob"):
        for number in range(LIMIT):
            cause_email(harness, server, "form", f"ada+{address}{number}@example.org", 0)
        sent_to += harness.send_emails()
    assert count_letters(sent_to) == {"ada@example.org": LIMIT}


@pytest.mark.parametrize("settings", [{"signup": {"welcome": True, "per_address_day": 1}}])
def test_welcome_email_does_not_count(harness: Any, server: Any) -> None:
    cause_email(harness, server, "form", VICTIM, 0)
    assert harness.send_emails() == [VICTIM]
    assert server.post(harness.confirm_path(), fields={"yes": "yes"}).status == 200
    assert harness.send_emails() == [VICTIM]
    assert harness.latest_email()["subject"].startswith("Welcome")


def test_counts_of_a_day_expire(harness: Any, server: Any) -> None:
    cause_email(harness, server, "form", VICTIM, 0)
    with harness.site.engine.begin() as connection:
        expiry = connection.scalars(sa.select(sa.func.max(rate_limit.c.expires))).one()
    age = expiry - harness.clock().timestamp()
    assert abs(age - datetime.timedelta(days=1).total_seconds()) < 10


def test_all_other_code_enqueues_by_way_of_the_limit() -> None:
    package = Path(newsletter.__file__).parent
    callers = {
        path.relative_to(package).as_posix(): re.findall(r"(?<!def )\benqueue_email\(", text)
        for path in sorted(package.rglob("*.py"))
        if "enqueue_email(" in (text := path.read_text("utf-8"))
    }
    assert {name: len(calls) for name, calls in callers.items() if calls} == {
        "web/subscriber/requested_emails.py": 1,
        "web/subscriber/transactional_emails.py": 1,  # the welcome email
    }
