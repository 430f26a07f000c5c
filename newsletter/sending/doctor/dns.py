"""Check the sender domain's DNS records: SPF, DKIM, DMARC and MX."""

import re
from collections.abc import Iterator, Sequence
from functools import partial

import dns.exception
import dns.name
import dns.resolver

from newsletter.sending.doctor_check import DnsRecord, DoctorCheck, fail, ok, warn

TIMEOUT_SECONDS = 5.0
_SELECTORS = ("s1", "s2")  # SendGrid's, unless the editor has chosen others
_TAG = re.compile(r"\s*(\w+)\s*=\s*([^;]*)")
_DASHBOARD_PATH = "SendGrid → Settings → Sender Authentication"


class DnsUnavailableError(Exception):
    """No name server could be reached: the record may or may not exist."""


class DnsResolver:
    """A resolver of DNS records.

    Args:
        servers: addresses of name servers; the machine's own if not given.
        port: the port of those servers.
    """

    def __init__(self, servers: Sequence[str] = (), port: int = 53) -> None:
        self._servers, self._port = servers, port

    def lookup(self, name: str, record_type: str) -> list[str]:
        """Return the records of one type as text; an empty list if there is none.

        Raises:
            DnsUnavailableError: no name server could be reached.
        """
        try:
            answer = self._make_resolver().resolve(name, record_type)
        except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
            return []
        except dns.exception.DNSException as error:
            raise DnsUnavailableError(name) from error
        if record_type == "TXT":
            return [b"".join(record.strings).decode(errors="replace") for record in answer]
        return [record.to_text() for record in answer]

    def _make_resolver(self) -> dns.resolver.Resolver:
        resolver = dns.resolver.Resolver(configure=not self._servers)
        if self._servers:
            resolver.nameservers = list(self._servers)
            resolver.port = self._port
        resolver.lifetime = TIMEOUT_SECONDS
        return resolver


def check_sender_domain(address: str, resolver: DnsResolver) -> Iterator[DoctorCheck]:
    """Yield the checks of a domain: whether email from it is authenticated and can be replied to.

    Args:
        address: the ``From`` address; a DMARC record to publish has the reports sent there, since
            an address elsewhere would need a record of its own (RFC 7489, 7.1).
        resolver: looks up the records.
    """
    domain = address.rpartition("@")[2].lower()
    for about, check in (
        ("SPF", _check_spf),
        ("DKIM", _check_dkim),
        ("DMARC", partial(_check_dmarc, report_address=address)),
        ("MX", _check_mx),
    ):
        try:
            yield check(domain, resolver)
        except DnsUnavailableError:
            yield warn(
                about,
                f"could not query DNS for {domain}",
                "The record was not checked.",
                "Try again from a machine that is online.",
            )


def _check_spf(domain: str, resolver: DnsResolver) -> DoctorCheck:
    """Check SPF (RFC 7208); with SendGrid's own envelope sender, DMARC relies on DKIM instead."""
    records = [text for text in resolver.lookup(domain, "TXT") if re.match(r"v=spf1(?: |$)", text)]
    if len(records) > 1:
        return fail(
            "SPF",
            f"{domain} has {len(records)} records",
            "With more than one, none is valid.",
            "Merge them into one.",
        )
    if not records:
        return warn(
            "SPF",
            f"{domain} has no SPF record",
            "Some servers trust it less; SendGrid's own envelope address has one.",
            "Add this record to the domain's DNS:",
            DnsRecord(domain, "TXT", "v=spf1 include:sendgrid.net ~all"),
        )
    record = " ".join(records[0].split())  # on one line, whatever white space it has
    if re.search(r"(?:^| )\+?all$", record):
        return fail(
            "SPF",
            f"{domain}: {record}",
            "It allows everybody to send as your domain.",
            "End it with ~all or -all.",
        )
    return ok("SPF", f"{domain}: {record}")


def _check_dkim(domain: str, resolver: DnsResolver) -> DoctorCheck:
    """Check DKIM (RFC 6376); SendGrid's keys are at the domain or at a parent domain."""
    for key_domain in domain_and_parents(domain):
        found = [
            selector
            for selector in _SELECTORS
            if _has_key(f"{selector}._domainkey.{key_domain}", resolver)
        ]
        if found and len(found) == len(_SELECTORS):
            return ok("DKIM", f"both keys are at {key_domain} (s1, s2)")
        if found:
            return warn(
                "DKIM",
                f"only {found[0]} has a key at {key_domain}",
                "When SendGrid switches to the other key, emails are no longer signed.",
                f"Publish the other record: {_DASHBOARD_PATH}.",
            )
    return fail(
        "DKIM",
        f"neither s1._domainkey.{domain} nor s2._domainkey.{domain} has a key",
        "Emails are signed by SendGrid, not by you; Gmail and Yahoo reject that from bulk senders.",
        f"Authenticate the domain ({_DASHBOARD_PATH}) and publish the records shown there; if you "
        "use other selectors, check there whether it is verified.",
    )


def _has_key(name: str, resolver: DnsResolver) -> bool:
    """Return whether there is a key that is not empty: an empty one is revoked (RFC 6376 3.6.1)."""
    records = resolver.lookup(name, "TXT")  # follows a CNAME
    keys = [dict(_TAG.findall(record)).get("p", "").strip() for record in records]
    return any(keys) or (not records and bool(resolver.lookup(name, "CNAME")))


def _check_dmarc(domain: str, resolver: DnsResolver, report_address: str) -> DoctorCheck:
    """Check DMARC (RFC 7489): the record is at the domain itself or at the organisation's."""
    for record_domain in domain_and_parents(domain):
        records = [
            text
            for text in resolver.lookup(f"_dmarc.{record_domain}", "TXT")
            if text.startswith("v=DMARC1")
        ]
        if len(records) > 1:
            return fail(
                "DMARC",
                f"_dmarc.{record_domain} has {len(records)} records",
                "With more than one, none is valid.",
                "Keep one of them.",
            )
        if records:
            return _check_dmarc_policy(
                domain, record_domain, dict(_TAG.findall(records[0].lower())), report_address
            )
    return warn(
        "DMARC",
        f"{domain} has no policy",
        "Gmail, Yahoo and Outlook.com require one from bulk senders.",
        "Add this record to the domain's DNS; reports about your email go to the address in it:",
        _first_dmarc_record(domain, report_address),
    )


def _first_dmarc_record(domain: str, report_address: str) -> DnsRecord:
    """Return the record to begin with: it reports, and has nothing rejected (RFC 7489, 6.3)."""
    return DnsRecord(f"_dmarc.{domain}", "TXT", f"v=DMARC1; p=none; rua=mailto:{report_address}")


def _check_dmarc_policy(
    domain: str, record_domain: str, tags: dict[str, str], report_address: str
) -> DoctorCheck:
    policy = tags.get("p", "").strip()
    if record_domain != domain:
        policy = tags.get("sp", policy).strip()
    if policy not in {"none", "quarantine", "reject"}:
        return fail(
            "DMARC",
            f"_dmarc.{record_domain} has no valid policy (p=)",
            "Servers treat it as if there were no record.",
            "Replace it with this record:",
            _first_dmarc_record(record_domain, report_address),
        )
    strict = tags.get("adkim", "r").strip() == "s"
    alignment = "exactly this domain" if strict else "this domain or one of the same organisation"
    if strict and record_domain != domain:
        return warn(
            "DMARC",
            f"_dmarc.{record_domain}: p={policy}, adkim=s",
            f"The DKIM signature must be from {domain} itself.",
            f"Authenticate {domain} at SendGrid, not {record_domain}; or set adkim=r.",
        )
    return ok(
        "DMARC", f"_dmarc.{record_domain}: {policy}; the DKIM signature must be from {alignment}"
    )


def _check_mx(domain: str, resolver: DnsResolver) -> DoctorCheck:
    """Check MX (RFC 5321 5.1); a null MX (RFC 7505) means that the domain accepts no mail."""
    records = resolver.lookup(domain, "MX")
    if any(record.split()[-1] == "." for record in records):
        return fail(
            "MX",
            f"{domain} accepts no mail (null MX, RFC 7505)",
            "Replies bounce, and many servers reject email from it.",
            "Publish an MX record, or send from another domain.",
        )
    if not records:
        return warn(
            "MX",
            f"{domain} has no MX record",
            "Replies from readers may be lost.",
            "Publish an MX record, or set sender.reply_to to an address that you read.",
        )
    hosts = ", ".join(sorted(record.split()[-1].rstrip(".") for record in records)[:2])
    return ok("MX", f"replies to {domain} go to {hosts}")


def domain_and_parents(domain: str) -> tuple[str, ...]:
    """Return the domain and its parents that may be the same organisation's: not the TLD."""
    labels = domain.split(".")
    return tuple(".".join(labels[start:]) for start in range(max(len(labels) - 1, 1)))
