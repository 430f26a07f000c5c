"""SPF, DKIM, DMARC and MX, looked up from a local name server over UDP."""

import socket
import threading
from collections.abc import Callable, Iterator, Mapping

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset
import pytest

from newsletter.sending.doctor.dns import DnsResolver, check_sender_domain, domain_and_parents
from newsletter.sending.doctor.published_records import leave_missing_records
from newsletter.sending.doctor_check import DnsRecord, DoctorCheck, fail

Zone = Mapping[tuple[str, str], list[str]]
KEY = '"v=DKIM1; k=rsa; p=MIGfMA0"'
VALID_ZONE: Zone = {
    ("notes.org", "TXT"): ['"google-site-verification=x"', '"v=spf1 include:" "sendgrid.net ~all"'],
    ("s1._domainkey.notes.org", "TXT"): [KEY],
    ("s2._domainkey.notes.org", "CNAME"): ["s2.domainkey.u1.wl.sendgrid.net."],
    ("s2.domainkey.u1.wl.sendgrid.net", "TXT"): [KEY],
    ("_dmarc.notes.org", "TXT"): ['"v=DMARC1; p=quarantine; rua=mailto:a@notes.org"'],
    ("notes.org", "MX"): ["10 mail.notes.org."],
}


class NameServer:
    """A name server for one zone that follows a CNAME, as authoritative servers do."""

    def __init__(self, zone: Zone) -> None:
        self._zone = zone
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            data, peer = self._socket.recvfrom(4_096)
            if data == b"stop":
                return
            self._socket.sendto(self._respond(dns.message.from_wire(data)).to_wire(), peer)

    def _respond(self, query: dns.message.Message) -> dns.message.Message:
        response = dns.message.make_response(query)
        response.flags |= dns.flags.RA | dns.flags.AA
        (question,) = query.question
        name, kind = question.name.to_text(omit_final_dot=True), question.rdtype
        while kind != dns.rdatatype.CNAME and (target := self._zone.get((name, "CNAME"))):
            response.answer.append(dns.rrset.from_text(f"{name}.", 60, "IN", "CNAME", *target))
            name = target[0].rstrip(".")
        if records := self._zone.get((name, dns.rdatatype.to_text(kind))):
            response.answer.append(dns.rrset.from_text(f"{name}.", 60, "IN", kind, *records))
        if not any(name == known for known, _ in self._zone):
            response.set_rcode(dns.rcode.NXDOMAIN)
        return response

    def stop(self) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.sendto(b"stop", ("127.0.0.1", self.port))
        self._thread.join()
        self._socket.close()


CheckZone = Callable[..., dict[str, DoctorCheck]]
Resolve = Callable[[Zone], DnsResolver]


@pytest.fixture
def resolve() -> Iterator[Resolve]:
    """Return a function that starts a name server for a zone, and a resolver that asks it."""
    servers: list[NameServer] = []

    def make_resolver(zone: Zone) -> DnsResolver:
        servers.append(NameServer(zone))
        return DnsResolver(["127.0.0.1"], servers[-1].port)

    yield make_resolver
    for server in servers:
        server.stop()


@pytest.fixture
def check_zone(resolve: Resolve) -> CheckZone:
    def run_checks(zone: Zone, domain: str = "notes.org") -> dict[str, DoctorCheck]:
        checks = check_sender_domain(f"Ed@{domain}", resolve(zone))
        return {check.about: check for check in checks}

    return run_checks


def test_domain_with_all_records_is_ok(check_zone: CheckZone) -> None:
    checks = check_zone(VALID_ZONE)
    assert {about: check.state for about, check in checks.items()} == {
        "SPF": "ok",
        "DKIM": "ok",
        "DMARC": "ok",
        "MX": "ok",
    }
    assert "include:sendgrid.net ~all" in checks["SPF"].says
    assert "quarantine" in checks["DMARC"].says
    assert "mail.notes.org" in checks["MX"].says


def test_domain_without_records_fails_dkim_only(check_zone: CheckZone) -> None:
    checks = check_zone({})
    assert {about: check.state for about, check in checks.items()} == {
        "SPF": "warn",
        "DKIM": "fail",
        "DMARC": "warn",
        "MX": "warn",
    }
    assert all(check.meaning and check.next_step for check in checks.values())
    assert {about: check.records for about, check in checks.items() if check.records} == {
        "SPF": (DnsRecord("notes.org", "TXT", "v=spf1 include:sendgrid.net ~all"),),
        "DMARC": (
            DnsRecord("_dmarc.notes.org", "TXT", "v=DMARC1; p=none; rua=mailto:Ed@notes.org"),
        ),
    }


def test_invalid_dmarc_record_of_the_parent_domain_is_replaced_there(check_zone: CheckZone) -> None:
    zone = {**VALID_ZONE, ("_dmarc.notes.org", "TXT"): ['"v=DMARC1; p=maybe"']}
    [record] = check_zone(zone, "news.notes.org")["DMARC"].records
    assert (record.host, record.value) == (
        "_dmarc.notes.org",
        "v=DMARC1; p=none; rua=mailto:Ed@news.notes.org",
    )


RECORDS = (
    DnsRecord("em1.notes.org", "CNAME", "u1.wl.sendgrid.net"),
    DnsRecord("em2.notes.org", "MX", "mx.sendgrid.net"),
    DnsRecord("m1._domainkey.notes.org", "TXT", "k=rsa; t=s; p=MIGfMA0"),
    DnsRecord("notes.org", "TXT", "v=spf1 include:u1.wl.sendgrid.net ip4:192.0.2.7 -all"),
)
PUBLISHED: Zone = {
    ("em1.notes.org", "CNAME"): ["U1.wl.sendgrid.net."],
    ("em2.notes.org", "MX"): ["10 mx.sendgrid.net."],
    ("m1._domainkey.notes.org", "TXT"): ['"k=rsa; t=s;" " p=MIGfMA0"'],
    ("notes.org", "TXT"): [
        '"v=spf1 include:other.org include:u1.wl.sendgrid.net ip4:192.0.2.7 ~all"'
    ],
}


def test_records_that_are_published_are_not_asked_for_again(resolve: Resolve) -> None:
    check = fail("sender at SendGrid", "it is not verified", "", "Add:", *RECORDS)
    left = leave_missing_records(check, resolve(PUBLISHED))
    assert (left.records, left.state, left.says) == ((), "fail", check.says)
    assert left.next_step.startswith("Click Verify: SendGrid")
    untouched = fail("key", "it is missing", "", "Set it.")
    assert leave_missing_records(untouched, resolve(PUBLISHED)) == untouched


@pytest.mark.parametrize(
    ("record", "changes"),
    [
        (RECORDS[0], {("em1.notes.org", "CNAME"): []}),
        (RECORDS[0], {("em1.notes.org", "CNAME"): ["u2.wl.sendgrid.net."]}),
        (RECORDS[1], {("em2.notes.org", "MX"): ["10 mx.notes.org."]}),
        (RECORDS[2], {("m1._domainkey.notes.org", "TXT"): ['"k=rsa; t=s; p=other"']}),
        (RECORDS[3], {("notes.org", "TXT"): ['"v=spf1 include:u1.wl.sendgrid.net -all"']}),
        (RECORDS[3], {("notes.org", "TXT"): ['"google-site-verification=x"']}),
    ],
)
def test_record_that_differs_or_is_missing_is_left(
    resolve: Resolve, record: DnsRecord, changes: Zone
) -> None:
    check = fail("sender at SendGrid", "it is not verified", "", "Add:", *RECORDS)
    left = leave_missing_records(check, resolve({**PUBLISHED, **changes}))
    assert (left.records, left.next_step) == ((record,), "Add:")


def test_dkim_keys_and_dmarc_policy_of_the_parent_domain_are_used(check_zone: CheckZone) -> None:
    checks = check_zone(VALID_ZONE, "news.notes.org")
    assert checks["DKIM"].state == "ok"
    assert checks["DMARC"].says.startswith("_dmarc.notes.org")


@pytest.mark.parametrize(
    ("about", "state", "says", "changes"),
    [
        ("SPF", "fail", "2 records", {("notes.org", "TXT"): ['"v=spf1 -all"', '"v=spf1 ~all"']}),
        ("SPF", "fail", "+all", {("notes.org", "TXT"): ['"v=spf1 +all"']}),
        ("SPF", "fail", "notes.org: v=spf1 all", {("notes.org", "TXT"): ['"v=spf1 all  "']}),
        ("SPF", "ok", "notes.org: v=spf1 ok DKIM: fine -all",
         {("notes.org", "TXT"): [r'"v=spf1 \010ok\009 DKIM: fine\013 -all"']}),
        ("SPF", "warn", "no SPF record", {("notes.org", "TXT"): ['"v=spf10 -all"']}),
        ("DKIM", "warn", "only s2", {("s1._domainkey.notes.org", "TXT"): ['"v=DKIM1; p="']}),
        ("DMARC", "fail", "2 records",
         {("_dmarc.notes.org", "TXT"): ['"v=DMARC1; p=none"', '"v=DMARC1; p=reject"']}),
        ("DMARC", "fail", "no valid policy",
         {("_dmarc.notes.org", "TXT"): ['"v=DMARC1; p=maybe"']}),
        ("DMARC", "ok", "exactly this",
         {("_dmarc.notes.org", "TXT"): ['"v=DMARC1;p=reject; adkim=s"']}),
        ("MX", "fail", "no mail", {("notes.org", "MX"): ["0 ."]}),
    ],
)  # fmt: skip
def test_changed_record_is_reported(
    check_zone: CheckZone, about: str, state: str, says: str, changes: Zone
) -> None:
    check = check_zone({**VALID_ZONE, **changes})[about]
    assert check.state == state
    assert says in check.says


def test_strict_alignment_of_the_parent_domain_is_a_warning(check_zone: CheckZone) -> None:
    zone = {**VALID_ZONE, ("_dmarc.notes.org", "TXT"): ['"v=DMARC1; p=none; sp=reject; adkim=s"']}
    check = check_zone(zone, "news.notes.org")["DMARC"]
    assert check.state == "warn"
    assert "p=reject" in check.says


def test_unresponsive_name_server_is_a_warning(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("newsletter.sending.doctor.dns.TIMEOUT_SECONDS", 0.05)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        resolver = DnsResolver(["127.0.0.1"], server.getsockname()[1])
        checks = list(check_sender_domain("ed@notes.org", resolver))
        kept = leave_missing_records(fail("sender", "", "", "", *RECORDS), resolver)
    assert kept.records == RECORDS
    assert {check.state for check in checks} == {"warn"}
    assert len(checks) == 4


def test_parents_of_a_domain_exclude_the_tld() -> None:
    assert domain_and_parents("a.b.notes.org") == ("a.b.notes.org", "b.notes.org", "notes.org")
    assert domain_and_parents("localhost") == ("localhost",)
