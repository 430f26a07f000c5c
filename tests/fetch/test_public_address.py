"""Which IP addresses are public: one decision for links, checks and requests."""

import pytest

from newsletter.checks.analysis.private_urls import is_private_url
from newsletter.fetch.public_address import is_public_address
from newsletter.fetch.safe_fetch import SafeFetcher

# (address, what it is)
NOT_PUBLIC = [
    ("127.0.0.1", "loopback"),
    ("127.255.255.254", "loopback"),
    ("10.1.2.3", "private"),
    ("172.16.0.1", "private"),
    ("172.31.255.255", "private"),
    ("192.168.0.1", "private"),
    ("169.254.169.254", "link-local, a cloud's metadata"),
    ("100.64.0.1", "carrier-grade NAT"),
    ("100.127.255.255", "carrier-grade NAT"),
    ("0.0.0.0", "this network"),  # noqa: S104
    ("0.0.0.1", "this network"),
    ("192.0.0.1", "protocol assignments"),
    ("192.0.0.171", "NAT64 discovery"),
    ("192.88.99.1", "6to4 relays"),
    ("192.0.2.1", "documentation"),
    ("198.51.100.7", "documentation"),
    ("203.0.113.9", "documentation"),
    ("198.18.0.1", "benchmarks"),
    ("224.0.0.1", "multicast"),
    ("239.255.255.250", "multicast"),
    ("240.0.0.1", "reserved"),
    ("255.255.255.255", "broadcast"),
    ("::", "unspecified"),
    ("::1", "loopback"),
    ("::127.0.0.1", "IPv4-compatible"),
    ("::5db8:d822", "IPv4-compatible, of a public address"),
    ("::ffff:127.0.0.1", "mapped"),
    ("::ffff:10.0.0.1", "mapped"),
    ("::ffff:a9fe:a9fe", "mapped"),
    ("::ffff:0:10.0.0.1", "IPv4-translated"),
    ("::ffff:0:93.184.216.34", "IPv4-translated, of a public address"),
    ("64:ff9b::a00:1", "NAT64"),
    ("64:ff9b::127.0.0.1", "NAT64"),
    ("64:ff9b::169.254.169.254", "NAT64"),
    ("64:ff9b:1::a00:1", "local NAT64"),
    ("64:ff9b:1::5db8:d822", "local NAT64, of a public address"),
    ("2002:a00:1::", "6to4"),
    ("2002:7f00:1::1", "6to4"),
    ("2002:c0a8:1::1", "6to4"),
    ("2001:0:5db8:d822:8000:63bf:f5ff:fffe", "Teredo, a client in 10.0.0.0/8"),
    ("2001:0:a00:1:8000:63bf:a247:27dd", "Teredo, a server in 10.0.0.0/8"),
    ("2001:2::1", "benchmarks"),
    ("2001:10::1", "ORCHID"),
    ("2001:db8::1", "documentation"),
    ("3fff::1", "documentation"),
    ("100::1", "discarded"),
    ("5f00::1", "segment routing"),
    ("fc00::1", "unique local"),
    ("fd00:ec2::254", "unique local, a cloud's metadata"),
    ("fe80::1", "link-local"),
    ("fe80::1%eth0", "link-local with a zone"),
    ("fec0::1", "site-local"),
    ("feff:ffff::1", "site-local"),
    ("ff02::1", "multicast"),
    ("ff0e::1", "multicast, global scope"),
    ("2606:2800:220:1::1%lo", "a zone of this machine"),
]
PUBLIC = [
    "93.184.216.34",
    "172.32.0.1",
    "100.128.0.1",
    "223.255.255.255",
    "2606:2800:220:1::1",
    "2a00:1450:4001:82a::200e",
    "::ffff:93.184.216.34",
    "64:ff9b::5db8:d822",
    "2002:5db8:d822::1",
    "2001:0:5db8:d822:8000:63bf:a247:27dd",
    "2001:4860:4860::8888",
]


@pytest.mark.parametrize(("address", "kind"), NOT_PUBLIC)
def test_address_that_is_not_public_is_neither_requested_nor_linked(
    address: str, kind: str
) -> None:
    assert not is_public_address(address), kind
    fetcher = SafeFetcher("test", resolver=lambda _host, _port: ["93.184.216.34", address])
    assert fetcher.fetch("https://boats.example/").kind == "private", kind
    host = f"[{address}]" if ":" in address else address
    assert is_private_url(f"https://{host}/a"), kind


@pytest.mark.parametrize("address", PUBLIC)
def test_public_address_is_recognized(address: str) -> None:
    assert is_public_address(address)
    assert not is_private_url(f"https://{f'[{address}]' if ':' in address else address}/a")


@pytest.mark.parametrize("text", ["", "boats.example", "1.2.3", "256.1.1.1", "::g", "%eth0"])
def test_text_that_is_not_an_address_is_an_error(text: str) -> None:
    with pytest.raises(ValueError, match="does not appear to be an IPv4 or IPv6 address"):
        is_public_address(text)


# Browsers, and the system's resolver, read these as IPv4 addresses (WHATWG URL 3.5).
@pytest.mark.parametrize(
    "host",
    [
        "127.1", "127.0.1", "2130706433", "0x7f000001", "0x7f.0.0.1", "0177.0.0.1", "127.0.0.1.",
        "10.1", "0xa000001", "0", "3232235521", "localhost.", "nas.local.",
    ],
)  # fmt: skip
def test_short_forms_of_private_addresses_are_recognized_in_links(host: str) -> None:
    assert is_private_url(f"http://{host}/a")


@pytest.mark.parametrize(
    "host", ["93.184.55330", "1572395042", "0x5db8d822", "0x.example", "1.2.3.4.5", "4294967296"]
)
def test_other_numbers_in_links_are_not_private(host: str) -> None:
    assert not is_private_url(f"http://{host}/a")
