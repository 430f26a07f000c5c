"""Check that SendGrid may send as the sender, and which DNS records lack."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import orjson

from newsletter.config import Config
from newsletter.sending.doctor_check import DnsRecord, DoctorCheck, fail, ok, warn
from newsletter.sending.providers.provider import NoResponse, Response
from newsletter.sending.providers.sendgrid.client import SendGridClient

_ABOUT = "sender at SendGrid"
_MAX_BYTES = 1_000_000  # of a response
_HTTP_OK = 200
_RECORD_TYPES = frozenset({"CNAME", "TXT", "MX"})
_KEYS_PATH = "SendGrid → Settings → API Keys → Edit"
_AUTHENTICATION_PATH = "SendGrid → Settings → Sender Authentication"
_AUTHENTICATE = (
    f"Authenticate the domain: {_AUTHENTICATION_PATH}. Then this command prints its DNS records."
)

_Row = Mapping[str, Any]


def check_sender_identity(
    config: Config, client: SendGridClient, sender_domains: Sequence[str]
) -> DoctorCheck:
    """Check whether SendGrid may send as the sender: the domain, or at least the address.

    Args:
        config: the newsletter's settings.
        client: the API client.
        sender_domains: the sender's domain and its parents.
    """
    domain, address = sender_domains[0], config.sender.address.lower()
    domains, senders = (
        _parse_rows(client.get(path, {"limit": "100"}, _MAX_BYTES))
        for path in ("whitelabel/domains", "verified_senders")
    )
    if domains is None:
        return warn(
            _ABOUT,
            "the key may not read whether the sender's domain is authenticated",
            "SendGrid rejects email from unverified senders, and only it knows which DNS records "
            "it expects.",
            f"Add the permission whitelabel.read (Sender Authentication): {_KEYS_PATH}. Or look at "
            f"{domain} yourself: {_AUTHENTICATION_PATH}.",
        )
    for name in sender_domains:
        if rows := [row for row in domains if str(row.get("domain", "")).lower() == name]:
            return _check_domain(domain, name, rows)
    return _check_address(domain, address, senders)


def _check_domain(domain: str, name: str, rows: Iterable[_Row]) -> DoctorCheck:
    """Check the sender's domain, or the parent of it that the account has.

    A subdomain doesn't inherit its parent's authentication (Twilio's documentation, "Sender
    Identity").
    """
    if not any(row.get("valid") is True for row in rows):
        records = tuple(
            dict.fromkeys(record for row in rows for record in _read_missing_records(row))
        )
        return fail(
            _ABOUT,
            f"{name} is set up, but not verified",
            "Emails are not signed by your domain.",
            f"Add these records to the domain's DNS, then click Verify: {_AUTHENTICATION_PATH}:"
            if records
            else f"Publish its records, then click Verify: {_AUTHENTICATION_PATH}.",
            *records,
        )
    if name == domain:
        return ok(_ABOUT, f"{domain} is authenticated")
    return warn(
        _ABOUT,
        f"{name} is authenticated, but email is sent from {domain}",
        "According to SendGrid, a subdomain doesn't inherit that.",
        f"Authenticate {domain} too: {_AUTHENTICATION_PATH}. Or try whether it is accepted: "
        "newsletter test --to YOUR-ADDRESS",
    )


def _read_missing_records(row: _Row) -> Iterator[DnsRecord]:
    """Yield the DNS records of an authenticated domain that SendGrid has not found.

    They are ``mail_cname``, ``dkim1`` and ``dkim2``; without automated security ``mail_server``,
    ``subdomain_spf``, ``domain_spf`` and ``dkim`` (Twilio's documentation, "List all authenticated
    domains").
    """
    dns = row.get("dns")
    for record in dns.values() if isinstance(dns, dict) else ():
        if not isinstance(record, dict) or record.get("valid") is True:
            continue
        texts = [record.get(key) for key in ("host", "type", "data")]
        host, record_type, value = (text.strip() if isinstance(text, str) else "" for text in texts)
        if host and value and record_type.upper() in _RECORD_TYPES:
            yield DnsRecord(host.rstrip("."), record_type.upper(), value)


def _check_address(domain: str, address: str, senders: Iterable[_Row] | None) -> DoctorCheck:
    """Check an address of a domain that is not authenticated."""
    if senders is None:
        return warn(
            _ABOUT,
            f"{domain} is not authenticated, and the key may not read whether {address} is "
            "verified",
            "SendGrid rejects email from unverified senders.",
            _AUTHENTICATE,
        )
    if any(
        row.get("verified") is True and str(row.get("from_email", "")).lower() == address
        for row in senders
    ):
        return warn(
            _ABOUT,
            f"{address} is verified, its domain is not authenticated",
            "Emails are signed by SendGrid, not by your domain: DMARC can't pass.",
            _AUTHENTICATE,
        )
    return fail(
        _ABOUT,
        f"neither {address} nor its domain is verified",
        "SendGrid rejects every email from it (403).",
        _AUTHENTICATE,
    )


def _parse_rows(response: Response | NoResponse) -> list[_Row] | None:
    """Return the objects of a list, or ``None`` if the key may not read it or it is invalid."""
    if isinstance(response, NoResponse) or response.status != _HTTP_OK:
        return None
    try:
        data = orjson.loads(response.body)
    except ValueError:
        return None
    rows = data.get("results") if isinstance(data, dict) else data
    return [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else None
