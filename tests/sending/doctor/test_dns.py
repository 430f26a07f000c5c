"""SPF, DKIM, DMARC and MX, asked of a real name server over UDP."""

import socket
import threading
from collections.abc import Callable, Iterator, Mapping

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset
import pytest

from newsletter.sending.doctor.dns import DnsResolver, check_domain, domain_and_parents
from newsletter.sending.doctor.local import DoctorCheck

Zone = Mapping[tuple[str, str], list[str]]
KEY = '"v=DKIM1; k=rsa; p=MIGfMA0"'
GOOD: Zone = {
    ("notes.org", "TXT"): ['"google-site-verification=x"', '"v=spf1 include:" "sendgrid.net ~all"'],
    ("s1._domainkey.notes.org", "TXT"): [KEY],
    ("s2._domainkey.notes.org", "CNAME"): ["s2.domainkey.u1.wl.sendgrid.net."],
    ("s2.domainkey.u1.wl.sendgrid.net", "TXT"): [KEY],
    ("_dmarc.notes.org", "TXT"): ['"v=DMARC1; p=quarantine; rua=mailto:a@notes.org"'],
    ("notes.org", "MX"): ["10 mail.notes.org."],
}


class NameServer:
    """Answers from one zone, following a CNAME, as authoritative servers do."""

    def __init__(self, zone: Zone) -> None:
        self._zone = zone
        self._door = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._door.bind(("127.0.0.1", 0))
        self.port: int = self._door.getsockname()[1]
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            data, peer = self._door.recvfrom(4_096)
            if data == b"stop":
                return
            self._door.sendto(self._answer(dns.message.from_wire(data)).to_wire(), peer)

    def _answer(self, asked: dns.message.Message) -> dns.message.Message:
        reply = dns.message.make_response(asked)
        reply.flags |= dns.flags.RA | dns.flags.AA
        (question,) = asked.question
        name, kind = question.name.to_text(omit_final_dot=True), question.rdtype
        while target := self._zone.get((name, "CNAME")):
            reply.answer.append(dns.rrset.from_text(f"{name}.", 60, "IN", "CNAME", *target))
            name = target[0].rstrip(".")
        if found := self._zone.get((name, dns.rdatatype.to_text(kind))):
            reply.answer.append(dns.rrset.from_text(f"{name}.", 60, "IN", kind, *found))
        if not any(name == known for known, _ in self._zone):
            reply.set_rcode(dns.rcode.NXDOMAIN)
        return reply

    def stop(self) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as caller:
            caller.sendto(b"stop", ("127.0.0.1", self.port))
        self._thread.join()
        self._door.close()


Ask = Callable[..., dict[str, DoctorCheck]]


@pytest.fixture
def ask() -> Iterator[Ask]:
    servers: list[NameServer] = []

    def of(zone: Zone, domain: str = "notes.org") -> dict[str, DoctorCheck]:
        servers.append(NameServer(zone))
        records = DnsResolver(["127.0.0.1"], servers[-1].port)
        return {line.about: line for line in check_domain(domain, records)}

    yield of
    for server in servers:
        server.stop()


def test_a_domain_in_order(ask: Ask) -> None:
    found = ask(GOOD)
    assert {about: line.state for about, line in found.items()} == {
        "SPF": "ok", "DKIM": "ok", "DMARC": "ok", "MX": "ok",
    }  # fmt: skip
    assert "include:sendgrid.net ~all" in found["SPF"].says
    assert "quarantine" in found["DMARC"].says
    assert "mail.notes.org" in found["MX"].says


def test_a_domain_with_nothing(ask: Ask) -> None:
    found = ask({})
    assert {about: line.state for about, line in found.items()} == {
        "SPF": "warn", "DKIM": "fail", "DMARC": "warn", "MX": "warn",
    }  # fmt: skip
    assert all(line.meaning and line.next_step for line in found.values())


def test_keys_and_policy_of_the_domain_above_count(ask: Ask) -> None:
    found = ask(GOOD, "news.notes.org")
    assert found["DKIM"].state == "ok"
    assert found["DMARC"].says.startswith("_dmarc.notes.org")


@pytest.mark.parametrize(
    ("about", "state", "says", "changes"),
    [
        ("SPF", "fail", "2 records", {("notes.org", "TXT"): ['"v=spf1 -all"', '"v=spf1 ~all"']}),
        ("SPF", "fail", "+all", {("notes.org", "TXT"): ['"v=spf1 +all"']}),
        ("SPF", "warn", "none", {("notes.org", "TXT"): ['"v=spf10 -all"']}),
        ("DKIM", "warn", "only s2", {("s1._domainkey.notes.org", "TXT"): ['"v=DKIM1; p="']}),
        ("DMARC", "fail", "2 records",
         {("_dmarc.notes.org", "TXT"): ['"v=DMARC1; p=none"', '"v=DMARC1; p=reject"']}),
        ("DMARC", "fail", "no policy", {("_dmarc.notes.org", "TXT"): ['"v=DMARC1; p=maybe"']}),
        ("DMARC", "ok", "exactly this",
         {("_dmarc.notes.org", "TXT"): ['"v=DMARC1;p=reject; adkim=s"']}),
        ("MX", "fail", "no mail", {("notes.org", "MX"): ["0 ."]}),
    ],
)  # fmt: skip
def test_what_is_amiss_is_told(ask: Ask, about: str, state: str, says: str, changes: Zone) -> None:
    line = ask({**GOOD, **changes})[about]
    assert line.state == state
    assert says in line.says


def test_a_strict_policy_above_wants_the_domain_itself(ask: Ask) -> None:
    zone = {**GOOD, ("_dmarc.notes.org", "TXT"): ['"v=DMARC1; p=none; sp=reject; adkim=s"']}
    line = ask(zone, "news.notes.org")["DMARC"]
    assert line.state == "warn"
    assert "p=reject" in line.says


def test_a_name_server_that_is_silent_says_nothing_of_the_domain(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("newsletter.sending.doctor.dns.TIMEOUT_SECONDS", 0.05)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as door:
        door.bind(("127.0.0.1", 0))
        records = DnsResolver(["127.0.0.1"], door.getsockname()[1])
        lines = list(check_domain("notes.org", records))
    assert {line.state for line in lines} == {"warn"}
    assert len(lines) == 4


def test_the_last_part_of_a_name_is_nobodys_domain() -> None:
    assert domain_and_parents("a.b.notes.org") == ("a.b.notes.org", "b.notes.org", "notes.org")
    assert domain_and_parents("localhost") == ("localhost",)
