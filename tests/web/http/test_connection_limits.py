"""The number of connections in all and of an address; the limit on open files."""

import resource

import pytest

from newsletter.web.http.connection_limits import (
    DEFAULT_LIMITS,
    ConnectionCounter,
    ConnectionLimits,
    find_client_network,
    raise_open_file_limit,
)

LIMITS = ConnectionLimits(connections=5, connections_per_address=2)
PROXIES = ("127.0.0.1/32", "10.0.0.0/8", "::1/128")


@pytest.mark.parametrize(
    ("addresses", "admitted"),
    [
        (["192.0.2.1"] * 3, [True, True, False]),
        (["192.0.2.1", "192.0.2.2"] * 2, [True] * 4),
        (["::ffff:192.0.2.1", "192.0.2.1", "192.0.2.1"], [True, True, False]),
        (["2001:db8::1", "2001:db8::2:3", "2001:db8:0:0:9::1"], [True, True, False]),
        (["2001:db8::1", "2001:db8:0:1::1", "2001:db8:0:2::1"], [True] * 3),
        (["fe80::1%eth0", "fe80::2%eth0", "fe80::3%eth0"], [True, True, False]),
        (["10.1.2.3"] * 6, [True] * 5 + [False]),
        (["::ffff:10.1.2.3"] * 3, [True] * 3),
        (["::1"] * 3, [True] * 3),
        ([""] * 6, [True] * 5 + [False]),
        (["192.0.2.1", "192.0.2.1", "192.0.2.2", "192.0.2.2", "192.0.2.3", "192.0.2.4"],
         [True] * 5 + [False]),
    ],
    ids=["one address", "two", "IPv4 in IPv6", "one IPv6 network", "IPv6 networks", "a zone",
         "a proxy", "a proxy in IPv6", "an IPv6 proxy", "a local socket", "many addresses"],
)  # fmt: skip
def test_connections_are_limited_in_all_and_for_each_address(
    addresses: list[str], admitted: list[bool]
) -> None:
    counter = ConnectionCounter(LIMITS, PROXIES)
    assert [counter.add(address) for address in addresses] == admitted
    for address in addresses:
        counter.remove(address)
    assert [counter.add(address) for address in addresses] == admitted


def test_refused_connection_counts_until_it_is_closed() -> None:
    counter = ConnectionCounter(LIMITS, PROXIES)
    assert [counter.add("192.0.2.1") for _ in range(4)] == [True, True, False, False]
    counter.remove("192.0.2.1")
    assert not counter.add("192.0.2.1")
    for _ in range(3):
        counter.remove("192.0.2.1")
    assert counter.add("192.0.2.1")


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8::1:2:3:4", "2001:db8::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("unknown", "unknown"),
        ("", ""),
    ],
)
def test_client_is_an_ipv4_address_or_an_ipv6_network(address: str, network: str) -> None:
    assert find_client_network(address) == network


@pytest.mark.parametrize(
    ("open_files", "connections", "per_address", "accepted_at_once"),
    [
        (1_000_000, 1_000, 100, 256),
        (2_000, 1_000, 100, 256),
        (256, 128, 64, 64),
        (64, 32, 16, 16),
        (1, 1, 1, 1),
    ],
)
def test_connections_leave_files_for_all_else(
    open_files: int, connections: int, per_address: int, accepted_at_once: int
) -> None:
    limits = DEFAULT_LIMITS.fit_open_files(open_files)
    assert (limits.connections, limits.connections_per_address, limits.accepted_at_once) == (
        connections,
        per_address,
        accepted_at_once,
    )


@pytest.mark.parametrize(
    ("before", "after"),
    [((256, 256), 256), ((256, 512), 512), ((256, 8_192), 4_096), ((6_000, 8_192), 6_000)],
)
def test_limit_on_open_files_is_raised_to_what_is_needed(
    before: tuple[int, int], after: int
) -> None:
    import multiprocessing

    process = multiprocessing.get_context("spawn").Process(
        target=_check_open_file_limit, args=(before, after)
    )
    process.start()
    process.join()
    assert process.exitcode == 0


def _check_open_file_limit(before: tuple[int, int], after: int) -> None:
    resource.setrlimit(resource.RLIMIT_NOFILE, before)
    assert raise_open_file_limit() == after
    assert resource.getrlimit(resource.RLIMIT_NOFILE) == (after, before[1])
