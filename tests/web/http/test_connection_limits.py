"""The number of connections in all and of an address; the limit on open files."""

import asyncio
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


class Connection(asyncio.Transport):
    """A connection that only remembers whether it was cut."""

    unsent_bytes = 0
    is_cut = False

    def get_write_buffer_size(self) -> int:
        return self.unsent_bytes

    def abort(self) -> None:
        self.is_cut = True


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
        (["192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4", "192.0.2.5", "192.0.2.6"],
         [True] * 5 + [False]),
    ],
    ids=["one address", "two", "IPv4 in IPv6", "one IPv6 network", "IPv6 networks", "a zone",
         "a proxy", "a proxy in IPv6", "an IPv6 proxy", "a local socket", "many addresses"],
)  # fmt: skip
def test_connections_are_limited_in_all_and_for_each_address(
    addresses: list[str], admitted: list[bool]
) -> None:
    counter = ConnectionCounter(LIMITS, PROXIES)
    connections = [(address, Connection()) for address in addresses]
    assert [counter.add(*connection) for connection in connections] == admitted
    for connection in connections:
        counter.remove(*connection)
    assert [counter.add(*connection) for connection in connections] == admitted


def test_refused_connection_counts_until_it_is_closed() -> None:
    counter = ConnectionCounter(LIMITS, PROXIES)
    connections = [("192.0.2.1", Connection()) for _ in range(4)]
    assert [counter.add(*connection) for connection in connections] == [True, True, False, False]
    counter.remove(*connections.pop())
    assert not counter.add("192.0.2.1", Connection())
    for connection in connections:
        counter.remove(*connection)
    assert counter.add("192.0.2.1", Connection())


@pytest.mark.parametrize(
    ("addresses", "busy", "reading", "cut"),
    [
        (["192.0.2.1", "192.0.2.2", "192.0.2.2", "192.0.2.3", "192.0.2.4"], [], [], 1),
        (["192.0.2.1", "192.0.2.2", "192.0.2.2", "192.0.2.3", "192.0.2.3"], [1], [], 3),
        (["192.0.2.1", "192.0.2.2", "192.0.2.2", "192.0.2.3", "192.0.2.4"], [], [1], 2),
        (["192.0.2.1", "192.0.2.2", "192.0.2.2", "192.0.2.3", "192.0.2.4"], [], [1, 2], None),
        (["192.0.2.1", "192.0.2.2", "192.0.2.2", "192.0.2.3", "192.0.2.4"], [2], [], None),
        (["192.0.2.1", "2001:db8::1", "2001:db8::2", "192.0.2.3", "192.0.2.4"], [], [], 1),
        (["10.0.0.1"] * 5, [], [], None),
        (["10.0.0.1", "10.0.0.1", "10.0.0.1", "192.0.2.1", "192.0.2.1"], [], [], 3),
    ],
    ids=["the longest waiting of whom has most", "one has sent a request", "one is being sent to",
         "both are", "only one waits", "an IPv6 network", "a proxy's readers", "beside a proxy"],
)  # fmt: skip
def test_full_server_cuts_who_waits_at_the_client_with_most(
    addresses: list[str], busy: list[int], reading: list[int], cut: int | None
) -> None:
    counter = ConnectionCounter(LIMITS, PROXIES)
    connections = [(address, Connection()) for address in addresses]
    for connection in connections:
        counter.add(*connection)
    for number in busy:
        counter.stop_waiting(*connections[number])
    for number in reading:
        connections[number][1].unsent_bytes = 1
    assert counter.add("192.0.2.9", Connection()) == (cut is not None)
    assert [n for n, (_, each) in enumerate(connections) if each.is_cut] == (
        [] if cut is None else [cut]
    )


def test_each_newcomer_makes_room_for_itself_until_all_wait_alone() -> None:
    counter = ConnectionCounter(ConnectionLimits(connections=6), PROXIES)
    connections = [Connection() for _ in range(6)]
    for number, connection in enumerate(connections):
        assert counter.add(f"192.0.2.{number % 2}", connection)
    admitted = [counter.add(f"198.51.100.{number}", Connection()) for number in range(6)]
    assert admitted == [True] * 4 + [False] * 2
    assert [connection.is_cut for connection in connections] == [True] * 4 + [False] * 2


def test_answered_connection_waits_behind_the_others() -> None:
    counter = ConnectionCounter(ConnectionLimits(connections=2), PROXIES)
    first, second = Connection(), Connection()
    for connection in (first, second):
        counter.add("192.0.2.1", connection)
    counter.stop_waiting("192.0.2.1", first)
    counter.start_waiting("192.0.2.1", first)
    assert counter.add("192.0.2.2", Connection())
    assert (first.is_cut, second.is_cut) == (False, True)


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
