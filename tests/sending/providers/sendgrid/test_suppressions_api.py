"""SendGrid's suppression lists, fetched over real sockets."""

import datetime
from urllib.parse import parse_qs, urlsplit

import pytest
from sending_fixtures import FakeObserver

from newsletter.errors import ProviderError
from newsletter.sending.providers.sendgrid.client import SendGridClient
from newsletter.sending.providers.sendgrid.suppressions_api import (
    SuppressionClient,
)
from newsletter.sending.providers.suppressions import ProviderSuppression
from newsletter.sending.rehearsal import FakeSendGrid
from newsletter.sending.rehearsal.fake_sendgrid import faults
from newsletter.sending.retry_policy import backoff_seconds

DAY = 86_400


@pytest.fixture
def lists(mailer: SendGridClient, observer: FakeObserver) -> SuppressionClient:
    return SuppressionClient(
        mailer, observer.wait, lambda: observer.now, lambda tries: backoff_seconds(tries, 1.0)
    )


def fetch_all(
    lists: SuppressionClient, observer: FakeObserver, name: str = "bounces"
) -> list[ProviderSuppression]:
    return [entry for page in lists.iter_pages(name, None, observer.now) for entry in page]


def queries(double: FakeSendGrid) -> list[dict[str, str]]:
    return [
        {name: values[0] for name, values in parse_qs(urlsplit(path).query).items()}
        for path in double.suppressions.requested_paths
    ]


def test_entry_is_returned_unchanged(
    lists: SuppressionClient, double: FakeSendGrid, observer: FakeObserver
) -> None:
    double.suppressions.add("bounces", "Ada@Example.com", observer.timestamp(), reason="550 nobody")
    assert fetch_all(lists, observer) == [
        ProviderSuppression("Ada@Example.com", observer.now, "550 nobody")
    ]
    assert double.requests[0].headers["authorization"] == f"Bearer {double.key}"


@pytest.mark.parametrize("count", [0, 499, 500, 501, 1234])
def test_every_page_is_fetched(
    lists: SuppressionClient, double: FakeSendGrid, observer: FakeObserver, count: int
) -> None:
    for number in range(count):
        double.suppressions.add("bounces", f"r{number}@example.com", observer.timestamp() - number)
    addresses = {entry.address for entry in fetch_all(lists, observer)}
    assert len(addresses) == count
    assert len(double.requests) == count // 500 + 1


def test_entries_added_meanwhile_do_not_shift_the_pages(
    lists: SuppressionClient, double: FakeSendGrid, observer: FakeObserver
) -> None:
    for number in range(600):
        double.suppressions.add("bounces", f"r{number}@example.com", observer.timestamp() - DAY)
    pages = lists.iter_pages("bounces", None, observer.now)
    entries = next(pages)
    double.suppressions.add("bounces", "late@example.com", observer.timestamp() + 1)
    entries += [entry for page in pages for entry in page]
    assert sorted(entry.address for entry in entries) == sorted(
        f"r{number}@example.com" for number in range(600)
    )


def test_only_entries_of_the_period_are_fetched(
    lists: SuppressionClient, double: FakeSendGrid, observer: FakeObserver
) -> None:
    double.suppressions.add("bounces", "old@example.com", observer.timestamp() - 3 * DAY)
    double.suppressions.add("bounces", "new@example.com", observer.timestamp() - DAY)
    since = observer.now - datetime.timedelta(days=2)
    (page,) = lists.iter_pages("bounces", since, observer.now)
    assert [entry.address for entry in page] == ["new@example.com"]
    (query,) = queries(double)
    assert query["start_time"] == str(int(since.timestamp()))
    assert query["end_time"] == str(int(observer.timestamp()))


def test_group_is_fetched_as_one_page_of_addresses(
    lists: SuppressionClient, double: FakeSendGrid
) -> None:
    double.suppressions.groups[7] = [f"r{number}@example.com" for number in range(20_000)]
    entries = lists.get_group(7)
    assert len(entries) == 20_000
    assert entries[0] == ProviderSuppression("r0@example.com", None, "")


def test_unknown_group_names_the_setting(lists: SuppressionClient) -> None:
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
def test_temporary_failure_is_retried(
    lists: SuppressionClient,
    double: FakeSendGrid,
    observer: FakeObserver,
    fault: faults.InjectedFault,
) -> None:
    double.suppressions.add("bounces", "ada@example.com", observer.timestamp())
    double.inject_faults(fault, fault)
    assert len(fetch_all(lists, observer)) == 1
    assert len(observer.waits) == 2


def test_throttled_request_is_retried_after_the_reset(
    lists: SuppressionClient, double: FakeSendGrid, observer: FakeObserver
) -> None:
    double.inject_faults(faults.rate_limit_response(observer.timestamp() + 42))
    assert fetch_all(lists, observer) == []
    assert observer.waits == [42.0]


def test_number_of_attempts_is_limited(
    lists: SuppressionClient, double: FakeSendGrid, observer: FakeObserver
) -> None:
    double.inject_faults(*[faults.error_response(500, "oh dear")] * 9)
    with pytest.raises(ProviderError, match="oh dear"):
        fetch_all(lists, observer)
    assert len(double.requests) == 5


def test_missing_permission_names_its_scope(
    lists: SuppressionClient, double: FakeSendGrid, observer: FakeObserver
) -> None:
    double.inject_faults(faults.error_response(403, "access forbidden"))
    with pytest.raises(ProviderError, match=r"scope suppression\.spam_reports\.read"):
        fetch_all(lists, observer, "spam_reports")
    double.inject_faults(faults.error_response(403, "access forbidden"))
    with pytest.raises(
        ProviderError, match=r"Unsubscribe Groups .* asm\.groups\.suppressions\.read"
    ):
        lists.get_group(7)
    assert observer.waits == []


def test_invalid_key_is_not_quoted(
    lists: SuppressionClient, double: FakeSendGrid, observer: FakeObserver
) -> None:
    double.key = "SG.another.key"
    with pytest.raises(ProviderError, match="Check SENDGRID_API_KEY") as error:
        fetch_all(lists, observer)
    assert "SG." not in str(error.value)


INVALID_ENTRIES = [
    {"email": "ada@example.com"},
    {"created": "yesterday", "email": "ada@example.com"},
    {"created": 10**18, "email": "ada@example.com"},
    {"created": 1, "email": None},
    "ada@example.com",
]


@pytest.mark.parametrize("entry", INVALID_ENTRIES)
def test_invalid_entry_fails(
    lists: SuppressionClient,
    double: FakeSendGrid,
    observer: FakeObserver,
    monkeypatch: pytest.MonkeyPatch,
    entry: object,
) -> None:
    monkeypatch.setattr(double.suppressions, "_page", lambda *_: [entry])
    with pytest.raises(ProviderError, match="could not parse SendGrid's list of bounces"):
        fetch_all(lists, observer)


def test_repeated_page_ends_the_fetch(
    lists: SuppressionClient,
    double: FakeSendGrid,
    observer: FakeObserver,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for number in range(500):
        double.suppressions.add("bounces", f"r{number}@example.com", observer.timestamp())
    first_page = double.suppressions._page
    monkeypatch.setattr(double.suppressions, "_page", lambda kind, _: first_page(kind, {}))
    with pytest.raises(ProviderError, match="same page of bounces"):
        fetch_all(lists, observer)
