"""What the domain name system says of the sender's domain: SPF, DKIM, DMARC and MX."""

import re
from collections.abc import Iterator, Sequence

import dns.exception
import dns.name
import dns.resolver

from newsletter.sending.doctor.local import Line, fail, ok, warn

SECONDS = 5.0
_SELECTORS = ("s1", "s2")  # SendGrid's, unless the editor has chosen others
_TAG = re.compile(r"\s*(\w+)\s*=\s*([^;]*)")
_SETTINGS = "SendGrid → Settings → Sender Authentication"


class Unanswered(Exception):
    """No server could be asked, which says nothing of the record."""


class Records:
    """The records of names.

    Args:
        servers: addresses of name servers; the machine's own if not given.
        port: where they listen.
    """

    def __init__(self, servers: Sequence[str] = (), port: int = 53) -> None:
        self._servers, self._port = servers, port

    def of(self, name: str, kind: str) -> list[str]:
        """The records of one kind, in words; empty if there is none.

        Raises:
            Unanswered: no server could be asked.
        """
        try:
            answer = self._resolver().resolve(name, kind)
        except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
            return []
        except dns.exception.DNSException as error:
            raise Unanswered(name) from error
        if kind == "TXT":
            return [b"".join(one.strings).decode(errors="replace") for one in answer]
        return [one.to_text() for one in answer]

    def _resolver(self) -> dns.resolver.Resolver:
        resolver = dns.resolver.Resolver(configure=not self._servers)
        if self._servers:
            resolver.nameservers = list(self._servers)
            resolver.port = self._port
        resolver.lifetime = SECONDS
        return resolver


def examine_domain(domain: str, records: Records) -> Iterator[Line]:
    """Whether mail from a domain proves that it is, and can be answered.

    Args:
        domain: of the ``From`` address.
        records: whom to ask.
    """
    for about, look in (("SPF", _spf), ("DKIM", _dkim), ("DMARC", _dmarc), ("MX", _mx)):
        try:
            yield look(domain, records)
        except Unanswered:
            yield warn(
                about, f"no name server could be asked of {domain}", "Nothing is known of it.",
                "Try again from a machine that is online.",
            )  # fmt: skip


def _spf(domain: str, records: Records) -> Line:
    """RFC 7208; with SendGrid's own envelope sender it is DKIM that DMARC goes by."""
    found = [one for one in records.of(domain, "TXT") if re.match(r"v=spf1(?: |$)", one)]
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


def _dkim(domain: str, records: Records) -> Line:
    """RFC 6376; SendGrid's keys are at the domain, or at one above it."""
    for at in above(domain):
        there = [one for one in _SELECTORS if _has_key(f"{one}._domainkey.{at}", records)]
        if there and len(there) == len(_SELECTORS):
            return ok("DKIM", f"both keys are at {at} (s1, s2)")
        if there:
            return warn(
                "DKIM", f"only {there[0]} has a key at {at}",
                "When SendGrid changes to the other key, mails are no longer signed.",
                f"Publish the other record, as in {_SETTINGS}.",
            )  # fmt: skip
    return fail(
        "DKIM", f"neither s1._domainkey.{domain} nor s2._domainkey.{domain} has a key",
        "Mails are signed by SendGrid, not by you; Gmail and Yahoo refuse that of larger senders.",
        f"Authenticate the domain ({_SETTINGS}) and publish its three records; with selectors of "
        "your own, look there whether it is verified.",
    )  # fmt: skip


def _has_key(name: str, records: Records) -> bool:
    """A key with something in it: an empty one is revoked (RFC 6376 3.6.1)."""
    texts = records.of(name, "TXT")  # follows a CNAME
    keys = [dict(_TAG.findall(one)).get("p", "").strip() for one in texts]
    return any(keys) or (not texts and bool(records.of(name, "CNAME")))


def _dmarc(domain: str, records: Records) -> Line:
    """RFC 7489: at the domain itself, or at the organisation's."""
    for at in above(domain):
        found = [one for one in records.of(f"_dmarc.{at}", "TXT") if one.startswith("v=DMARC1")]
        if len(found) > 1:
            return fail(
                "DMARC", f"_dmarc.{at} has {len(found)} records",
                "With more than one, none counts.", "Make one of them.",
            )  # fmt: skip
        if found:
            return _policy(domain, at, dict(_TAG.findall(found[0].lower())))
    return warn(
        "DMARC", f"{domain} has no policy", "Gmail and Yahoo want one of larger senders.",
        f"Publish a TXT record at _dmarc.{domain}: v=DMARC1; p=none; rua=mailto:YOUR-ADDRESS",
    )  # fmt: skip


def _policy(domain: str, at: str, tags: dict[str, str]) -> Line:
    policy = tags.get("p", "").strip()
    if at != domain:
        policy = tags.get("sp", policy).strip()
    if policy not in {"none", "quarantine", "reject"}:
        return fail(
            "DMARC", f"_dmarc.{at} has no policy that counts (p=)", "It is as if there were none.",
            f"Publish: v=DMARC1; p=none; rua=mailto:YOUR-ADDRESS at _dmarc.{at}",
        )  # fmt: skip
    strict = tags.get("adkim", "r").strip() == "s"
    alignment = "exactly this domain" if strict else "this domain or one of the same organisation"
    if strict and at != domain:
        return warn(
            "DMARC", f"_dmarc.{at}: p={policy}, adkim=s",
            f"The signature must be of {domain} itself.",
            f"Authenticate {domain} at SendGrid, not {at}; or let adkim be r.",
        )  # fmt: skip
    return ok("DMARC", f"_dmarc.{at}: {policy}; the DKIM signature must be of {alignment}")


def _mx(domain: str, records: Records) -> Line:
    """RFC 5321 5.1; a null MX (RFC 7505) says that the domain takes no mail."""
    found = records.of(domain, "MX")
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


def above(domain: str) -> tuple[str, ...]:
    """The domain and those above it that may be the same organisation's: not the last part."""
    parts = domain.split(".")
    return tuple(".".join(parts[at:]) for at in range(max(len(parts) - 1, 1)))
