"""SendGrid's suppression lists, asked for over real sockets."""

import datetime
from urllib.parse import parse_qs, urlsplit

import pytest
from sending_fixtures import World

from newsletter.errors import ProviderError
from newsletter.sending.providers.sendgrid.client import SendGridClient
from newsletter.sending.providers.sendgrid.suppressions_api import (
    ProviderSuppression,
    SuppressionClient,
)
from newsletter.sending.rehearsal import FakeSendGrid
from newsletter.sending.rehearsal.fake_sendgrid import faults
from newsletter.sending.retry_policy import backoff_seconds

DAY = 86_400


@pytest.fixture
def lists(mailer: SendGridClient, world: World) -> SuppressionClient:
    return SuppressionClient(
        mailer, world.wait, lambda: world.now, lambda tries: backoff_seconds(tries, 1.0)
    )


def everything(
    lists: SuppressionClient, world: World, name: str = "bounces"
) -> list[ProviderSuppression]:
    return [entry for page in lists.iter_pages(name, None, world.now) for entry in page]


def queries(double: FakeSendGrid) -> list[dict[str, str]]:
    return [
        {name: values[0] for name, values in parse_qs(urlsplit(path).query).items()}
        for path in double.suppressions.requested_paths
    ]


def test_an_entry_as_it_is(lists: SuppressionClient, double: FakeSendGrid, world: World) -> None:
    double.suppressions.add("bounces", "Ada@Example.com", world.timestamp(), reason="550 nobody")
    assert everything(lists, world) == [
        ProviderSuppression("Ada@Example.com", world.now, "550 nobody")
    ]
    assert double.requests[0].headers["authorization"] == f"Bearer {double.key}"


@pytest.mark.parametrize("count", [0, 499, 500, 501, 1234])
def test_every_page_is_fetched(
    lists: SuppressionClient, double: FakeSendGrid, world: World, count: int
) -> None:
    for number in range(count):
        double.suppressions.add("bounces", f"r{number}@example.com", world.timestamp() - number)
    addresses = {entry.address for entry in everything(lists, world)}
    assert len(addresses) == count
    assert len(double.requests) == count // 500 + 1


def test_entries_that_come_meanwhile_dont_shift_the_pages(
    lists: SuppressionClient, double: FakeSendGrid, world: World
) -> None:
    for number in range(600):
        double.suppressions.add("bounces", f"r{number}@example.com", world.timestamp() - DAY)
    pages = lists.iter_pages("bounces", None, world.now)
    found = next(pages)
    double.suppressions.add("bounces", "late@example.com", world.timestamp() + 1)
    found += [entry for page in pages for entry in page]
    assert sorted(entry.address for entry in found) == sorted(
        f"r{number}@example.com" for number in range(600)
    )


def test_only_the_time_asked_for(
    lists: SuppressionClient, double: FakeSendGrid, world: World
) -> None:
    double.suppressions.add("bounces", "old@example.com", world.timestamp() - 3 * DAY)
    double.suppressions.add("bounces", "new@example.com", world.timestamp() - DAY)
    since = world.now - datetime.timedelta(days=2)
    (page,) = lists.iter_pages("bounces", since, world.now)
    assert [entry.address for entry in page] == ["new@example.com"]
    (query,) = queries(double)
    assert query["start_time"] == str(int(since.timestamp()))
    assert query["end_time"] == str(int(world.timestamp()))


def test_a_group_is_one_page_of_addresses(lists: SuppressionClient, double: FakeSendGrid) -> None:
    double.suppressions.groups[7] = [f"r{number}@example.com" for number in range(20_000)]
    found = lists.get_group(7)
    assert len(found) == 20_000
    assert found[0] == ProviderSuppression("r0@example.com", None, "")


def test_a_group_that_is_not_there(lists: SuppressionClient) -> None:
    with pytest.raises(ProviderError, match=r"Check sendgrid\.asm_group"):
        lists.get_group(8)


@pytest.mark.parametrize(
    "fault",
    [
        faults.error_response(503),
        faults.lost_response(),
        faults.unread_request(),
        faults.invalid_http_response(),
    ],
)
def test_what_may_pass_is_asked_again(
    lists: SuppressionClient, double: FakeSendGrid, world: World, fault: faults.InjectedFault
) -> None:
    double.suppressions.add("bounces", "ada@example.com", world.timestamp())
    double.inject_faults(fault, fault)
    assert len(everything(lists, world)) == 1
    assert len(world.waits) == 2


def test_a_throttle_is_waited_out(
    lists: SuppressionClient, double: FakeSendGrid, world: World
) -> None:
    double.inject_faults(faults.rate_limit_response(world.timestamp() + 42))
    assert everything(lists, world) == []
    assert world.waits == [42.0]


def test_it_is_not_asked_for_ever(
    lists: SuppressionClient, double: FakeSendGrid, world: World
) -> None:
    double.inject_faults(*[faults.error_response(500, "oh dear")] * 9)
    with pytest.raises(ProviderError, match="oh dear"):
        everything(lists, world)
    assert len(double.requests) == 5


def test_a_key_that_may_not_read_is_told_its_scope(
    lists: SuppressionClient, double: FakeSendGrid, world: World
) -> None:
    double.inject_faults(faults.error_response(403, "access forbidden"))
    with pytest.raises(ProviderError, match=r"scope suppression\.spam_reports\.read"):
        everything(lists, world, "spam_reports")
    double.inject_faults(faults.error_response(403, "access forbidden"))
    with pytest.raises(
        ProviderError, match=r"Unsubscribe Groups .* asm\.groups\.suppressions\.read"
    ):
        lists.get_group(7)
    assert world.waits == []


def test_a_wrong_key_is_not_shown(
    lists: SuppressionClient, double: FakeSendGrid, world: World
) -> None:
    double.key = "SG.another.key"
    with pytest.raises(ProviderError, match="Check SENDGRID_API_KEY") as refused:
        everything(lists, world)
    assert "SG." not in str(refused.value)


NONSENSE = [
    {"email": "ada@example.com"},
    {"created": "yesterday", "email": "ada@example.com"},
    {"created": 10**18, "email": "ada@example.com"},
    {"created": 1, "email": None},
    "ada@example.com",
]


@pytest.mark.parametrize("entry", NONSENSE)
def test_nonsense_is_not_guessed_at(
    lists: SuppressionClient,
    double: FakeSendGrid,
    world: World,
    monkeypatch: pytest.MonkeyPatch,
    entry: object,
) -> None:
    monkeypatch.setattr(double.suppressions, "_page", lambda *_: [entry])
    with pytest.raises(ProviderError, match="list of bounces can't be read"):
        everything(lists, world)


def test_a_server_that_repeats_itself_is_left(
    lists: SuppressionClient, double: FakeSendGrid, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(500):
        double.suppressions.add("bounces", f"r{number}@example.com", world.timestamp())
    whole = double.suppressions._page
    monkeypatch.setattr(double.suppressions, "_page", lambda kind, _: whole(kind, {}))
    with pytest.raises(ProviderError, match="same page of bounces"):
        everything(lists, world)
