"""Find which of the DNS records that SendGrid expects are published."""

from dataclasses import replace

from newsletter.sending.doctor.dns import DnsResolver, DnsUnavailableError
from newsletter.sending.doctor_check import DnsRecord, DoctorCheck


def leave_missing_records(check: DoctorCheck, resolver: DnsResolver) -> DoctorCheck:
    """Return the check with only those of its records that can't be found in the DNS.

    SendGrid looks a record up when somebody clicks *Verify*, so one that it calls invalid may have
    been published since. If no name server can be reached, all records are kept.

    Args:
        check: a check of the sender at the provider.
        resolver: looks up the records.
    """
    try:
        missing = tuple(record for record in check.records if not _is_published(record, resolver))
    except DnsUnavailableError:
        return check
    if missing or not check.records:
        return replace(check, records=missing)
    return replace(
        check,
        meaning="Its records are published, but SendGrid has not seen them yet.",
        next_step="Click Verify: SendGrid → Settings → Sender Authentication. New records can take "
        "up to 48 hours to reach SendGrid.",
        records=(),
    )


def _is_published(record: DnsRecord, resolver: DnsResolver) -> bool:
    found = resolver.lookup(record.host, record.type)
    if record.type != "TXT":  # of an MX record, SendGrid names the server without its preference
        targets = {text.split()[-1].rstrip(".").lower() for text in found}
        return record.value.rstrip(".").lower() in targets
    wanted = record.value.split()
    if wanted[0] == "v=spf1":  # a domain has one SPF record, for all who send as it (RFC 7208, 3.2)
        terms = {term for term in wanted if not term.endswith("all")}
        return any(terms <= {*text.split()} for text in found)
    return any("".join(wanted) == "".join(text.split()) for text in found)
