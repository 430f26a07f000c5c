"""Decide which IP addresses are public, also inside IPv6 addresses. Pure.

The registries are IANA's (RFC 6890); Python's own table differs from version to version.
"""

import ipaddress

_NON_PUBLIC_IPV4 = tuple(
    map(
        ipaddress.IPv4Network,
        (
            "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16",
            "172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16",
            "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/3",
        ),
    )
)  # fmt: skip
# All that IANA has ever allocated for use on the internet; every other address is a special one:
# ::/96 and ::ffff:0:0:0/96 (IPv4 inside), 64:ff9b:1::/48 (local NAT64), fec0::/10 (site-local), …
_ALLOCATED_IPV6 = ipaddress.IPv6Network("2000::/3")
_NON_PUBLIC_IPV6 = tuple(
    map(ipaddress.IPv6Network, ("2001::/23", "2001:db8::/32", "3fff::/20"))
)  # protocol assignments, documentation
_NAT64_NETWORK = ipaddress.IPv6Network("64:ff9b::/96")


def is_public_address(address: str) -> bool:
    """Return whether an IP address is public, including those embedded in an IPv6 address.

    An address with a zone id (RFC 4007) is not: it selects an interface of this machine.

    Raises:
        ValueError: ``address`` is not an IP address.
    """
    plain, percent, _ = address.partition("%")
    ip = ipaddress.ip_address(plain)
    if percent:
        return False
    if isinstance(ip, ipaddress.IPv4Address):
        return not any(ip in network for network in _NON_PUBLIC_IPV4)
    if embedded := _list_embedded(ip):
        return all(is_public_address(str(inner)) for inner in embedded)
    return ip in _ALLOCATED_IPV6 and not any(ip in network for network in _NON_PUBLIC_IPV6)


def _list_embedded(ip: ipaddress.IPv6Address) -> list[ipaddress.IPv4Address]:
    """Return the IPv4 addresses to which a packet for an IPv6 address is sent on.

    They are those of IPv4-mapped addresses (RFC 4291), 6to4 (RFC 3056), Teredo (RFC 4380: server
    and client) and NAT64's well-known prefix (RFC 6052).
    """
    embedded = [inner for inner in (ip.ipv4_mapped, ip.sixtofour, *(ip.teredo or ())) if inner]
    if ip in _NAT64_NETWORK:
        embedded.append(ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF))
    return embedded
