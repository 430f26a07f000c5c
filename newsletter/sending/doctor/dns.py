"""What the domain name system says of the sender's domain: SPF, DKIM, DMARC and MX."""

import re
from collections.abc import Iterator, Sequence

import dns.exception
import dns.name
import dns.resolver

from newsletter.sending.doctor.local import DoctorCheck, fail, ok, warn

TIMEOUT_SECONDS = 5.0
_SELECTORS = ("s1", "s2")  # SendGrid's, unless the editor has chosen others
_TAG = re.compile(r"\s*(\w+)\s*=\s*([^;]*)")
_DASHBOARD_PATH = "SendGrid → Settings → Sender Authentication"


class DnsUnavailableError(Exception):
    """No server could be asked, which says nothing of the record."""


class DnsResolver:
    """The records of names.

    Args:
        servers: addresses of name servers; the machine's own if not given.
        port: where they listen.
    """

    def __init__(self, servers: Sequence[str] = (), port: int = 53) -> None:
        self._servers, self._port = servers, port

    def lookup(self, name: str, record_type: str) -> list[str]:
        """The records of one kind, in words; empty if there is none.

        Raises:
            Unanswered: no server could be asked.
        """
        try:
            answer = self._make_resolver().resolve(name, record_type)
        except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
            return []
        except dns.exception.DNSException as error:
            raise DnsUnavailableError(name) from error
        if record_type == "TXT":
            return [b"".join(one.strings).decode(errors="replace") for one in answer]
        return [one.to_text() for one in answer]

    def _make_resolver(self) -> dns.resolver.Resolver:
        resolver = dns.resolver.Resolver(configure=not self._servers)
        if self._servers:
            resolver.nameservers = list(self._servers)
            resolver.port = self._port
        resolver.lifetime = TIMEOUT_SECONDS
        return resolver


def check_domain(domain: str, resolver: DnsResolver) -> Iterator[DoctorCheck]:
    """Whether mail from a domain proves that it is, and can be answered.

    Args:
        domain: of the ``From`` address.
        resolver: whom to ask.
    """
    for about, look in (
        ("SPF", _check_spf),
        ("DKIM", _check_dkim),
        ("DMARC", _check_dmarc),
        ("MX", _check_mx),
    ):
        try:
            yield look(domain, resolver)
        except DnsUnavailableError:
            yield warn(
                about, f"no name server could be asked of {domain}", "Nothing is known of it.",
                "Try again from a machine that is online.",
            )  # fmt: skip


def _check_spf(domain: str, resolver: DnsResolver) -> DoctorCheck:
    """RFC 7208; with SendGrid's own envelope sender it is DKIM that DMARC goes by."""
    found = [one for one in resolver.lookup(domain, "TXT") if re.match(r"v=spf1(?: |$)", one)]
    if len(found) > 1:
        return fail(
            "SPF", f"{domain} has {len(found)} records", "With more than one, none counts.",
            "Make one of them.",
        )  # fmt: skip
    if not found:
        return warn(
            "SPF", f"{domain} has none",
            "Some servers trust it less; SendGrid's own envelope address has one.",
            f"Publish a TXT record at {domain}: v=spf1 include:sendgrid.net ~all",
        )  # fmt: skip
    if re.search(r"(?:^| )\+?all$", found[0]):
        return fail(
            "SPF", f"{domain} says: {found[0]}", "It lets everybody send in your name.",
            "End it with ~all or -all.",
        )  # fmt: skip
    return ok("SPF", f"{domain} says: {found[0]}")


def _check_dkim(domain: str, resolver: DnsResolver) -> DoctorCheck:
    """RFC 6376; SendGrid's keys are at the domain, or at one above it."""
    for at in domain_and_parents(domain):
        there = [one for one in _SELECTORS if _has_key(f"{one}._domainkey.{at}", resolver)]
        if there and len(there) == len(_SELECTORS):
            return ok("DKIM", f"both keys are at {at} (s1, s2)")
        if there:
            return warn(
                "DKIM", f"only {there[0]} has a key at {at}",
                "When SendGrid changes to the other key, mails are no longer signed.",
                f"Publish the other record, as in {_DASHBOARD_PATH}.",
            )  # fmt: skip
    return fail(
        "DKIM",
        f"neither s1._domainkey.{domain} nor s2._domainkey.{domain} has a key",
        "Mails are signed by SendGrid, not by you; Gmail and Yahoo refuse that of larger senders.",
        f"Authenticate the domain ({_DASHBOARD_PATH}) and publish its three records; "
        "with selectors of "
        "your own, look there whether it is verified.",
    )


def _has_key(name: str, resolver: DnsResolver) -> bool:
    """A key with something in it: an empty one is revoked (RFC 6376 3.6.1)."""
    texts = resolver.lookup(name, "TXT")  # follows a CNAME
    keys = [dict(_TAG.findall(one)).get("p", "").strip() for one in texts]
    return any(keys) or (not texts and bool(resolver.lookup(name, "CNAME")))


def _check_dmarc(domain: str, resolver: DnsResolver) -> DoctorCheck:
    """RFC 7489: at the domain itself, or at the organisation's."""
    for at in domain_and_parents(domain):
        found = [
            one for one in resolver.lookup(f"_dmarc.{at}", "TXT") if one.startswith("v=DMARC1")
        ]
        if len(found) > 1:
            return fail(
                "DMARC", f"_dmarc.{at} has {len(found)} records",
                "With more than one, none counts.", "Make one of them.",
            )  # fmt: skip
        if found:
            return _check_dmarc_policy(domain, at, dict(_TAG.findall(found[0].lower())))
    return warn(
        "DMARC", f"{domain} has no policy", "Gmail and Yahoo want one of larger senders.",
        f"Publish a TXT record at _dmarc.{domain}: v=DMARC1; p=none; rua=mailto:YOUR-ADDRESS",
    )  # fmt: skip


def _check_dmarc_policy(domain: str, record_domain: str, tags: dict[str, str]) -> DoctorCheck:
    policy = tags.get("p", "").strip()
    if record_domain != domain:
        policy = tags.get("sp", policy).strip()
    if policy not in {"none", "quarantine", "reject"}:
        return fail(
            "DMARC",
            f"_dmarc.{record_domain} has no policy that counts (p=)",
            "It is as if there were none.",
            f"Publish: v=DMARC1; p=none; rua=mailto:YOUR-ADDRESS at _dmarc.{record_domain}",
        )
    strict = tags.get("adkim", "r").strip() == "s"
    alignment = "exactly this domain" if strict else "this domain or one of the same organisation"
    if strict and record_domain != domain:
        return warn(
            "DMARC", f"_dmarc.{record_domain}: p={policy}, adkim=s",
            f"The signature must be of {domain} itself.",
            f"Authenticate {domain} at SendGrid, not {record_domain}; or let adkim be r.",
        )  # fmt: skip
    return ok(
        "DMARC", f"_dmarc.{record_domain}: {policy}; the DKIM signature must be of {alignment}"
    )


def _check_mx(domain: str, resolver: DnsResolver) -> DoctorCheck:
    """RFC 5321 5.1; a null MX (RFC 7505) says that the domain takes no mail."""
    found = resolver.lookup(domain, "MX")
    if any(one.split()[-1] == "." for one in found):
        return fail(
            "MX", f"{domain} says that it takes no mail (RFC 7505)",
            "Answers come back, and many servers refuse mail from it.",
            "Publish an MX record, or send from another domain.",
        )  # fmt: skip
    if not found:
        return warn(
            "MX", f"{domain} has none", "Answers of readers may go nowhere.",
            "Publish an MX record, or give sender.reply_to an address that is read.",
        )  # fmt: skip
    hosts = ", ".join(sorted(one.split()[-1].rstrip(".") for one in found)[:2])
    return ok("MX", f"answers to {domain} go to {hosts}")


def domain_and_parents(domain: str) -> tuple[str, ...]:
    """The domain and those above it that may be the same organisation's: not the last part."""
    parts = domain.split(".")
    return tuple(".".join(parts[at:]) for at in range(max(len(parts) - 1, 1)))
