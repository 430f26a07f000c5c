"""Links are followed over real sockets; nobody can make us ask a server that isn't public."""

import datetime
import json
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from newsletter.checks.check_context import CheckContext
from newsletter.checks.online import rules
from newsletter.checks.online.checker import CACHE_SECONDS, ResultCache, check_urls
from newsletter.fetch.safe_fetch import FetchResult, SafeFetcher, get_ssl_context, is_public_address

MakeMail = Callable[..., CheckContext]
AGENT = "newsletter/1 (link check for https://harbournotes.example)"


class Site(ThreadingHTTPServer):
    """Answers by path; remembers what it was asked."""

    def __init__(self, robots: str = "") -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.robots = robots
        self.asked: list[tuple[str, str, str, str]] = []
        self.hold = threading.Event()
        self.scheme = "http"
        self.at_once = 0
        self.most_at_once = 0
        self.count = threading.Condition()

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.server_port}"

    def requests(self) -> list[str]:
        return [f"{one[0]} {one[1]}" for one in self.asked if one[1] != "/robots.txt"]

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up in the middle is what some tests are about."""


class _Handler(BaseHTTPRequestHandler):
    server: Site

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def _answer(self) -> None:
        site = self.server
        agent, host = self.headers["User-Agent"], self.headers["Host"]
        site.asked.append((self.command, self.path, agent, host))
        with site.count:
            site.at_once += 1
            site.most_at_once = max(site.most_at_once, site.at_once)
            site.count.notify_all()
        kind, _, rest = self.path[1:].partition("/")
        if self.path == "/robots.txt":
            body = site.robots.encode()
            self._say(200 if body else 404, body=body)
        elif kind == "to":
            code, _, where = rest.partition("/")
            self._say(int(code), location=where.replace("~", "/"))
        elif kind == "head-only-fails":
            self._say(int(rest) if self.command == "HEAD" else 200)
        elif kind == "crowd":
            with site.count:  # time enough for more to come, if more than two ever do
                site.count.wait_for(lambda: site.at_once > 2, timeout=0.05)
            self._say(200)
        elif kind == "slow":
            site.hold.wait(20)
            self._say(200)
        else:
            self._say(int(kind))

    def _say(self, status: int, location: str = "", body: bytes = b"") -> None:
        # Before the answer: whoever has it may ask again at once.
        with self.server.count:
            self.server.at_once -= 1
        self.send_response(status)
        if location:
            self.send_header("Location", location)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nobody reads it."""


@pytest.fixture
def make_site() -> Iterator[Callable[..., Site]]:
    sites: list[Site] = []

    def make(robots: str = "", secured: ssl.SSLContext | None = None) -> Site:
        site = Site(robots)
        if secured:
            site.socket = secured.wrap_socket(site.socket, server_side=True)
            site.scheme = "https"
        sites.append(site)
        threading.Thread(target=site.serve_forever, args=(0.02,), daemon=True).start()
        return site

    yield make
    for site in sites:
        site.hold.set()
        site.shutdown()
        site.server_close()


@pytest.fixture
def site(make_site: Callable[..., Site]) -> Site:
    return make_site()


@pytest.fixture
def visitor() -> SafeFetcher:
    return SafeFetcher(AGENT, allow_loopback=True)


@pytest.mark.parametrize(
    ("path", "kind", "detail"),
    [
        ("/200/a", "fine", ""),
        ("/404/a", "dead", "404 Not Found"),
        ("/410/a", "dead", "410 Gone"),
        ("/403/a", "closed", "403 Forbidden"),
        ("/429/a", "closed", "429 Too Many Requests"),
        ("/503/a", "failing", "503 Service Unavailable"),
        ("/head-only-fails/405", "fine", ""),
        ("/head-only-fails/403", "fine", ""),
        ("/head-only-fails/501", "fine", ""),
        ("/to/302/~200~a", "fine", ""),
        ("/to/301/~404~a", "dead", "404 Not Found"),
        ("/to/302/ftp:~~a.example~", "failing", "it leads to ftp://a.example/"),
    ],
)  # fmt: skip
def test_what_a_server_says_is_understood(
    site: Site, visitor: SafeFetcher, path: str, kind: str, detail: str
) -> None:
    answer = visitor.fetch(site.url + path)
    assert (answer.kind, answer.detail) == (kind, detail)


def test_a_move_for_good_tells_the_new_address(site: Site, visitor: SafeFetcher) -> None:
    answer = visitor.fetch(f"{site.url}/to/301/~200~new")
    assert (answer.kind, answer.redirect_url) == ("moved", f"{site.url}/200/new")
    mixed = visitor.fetch(f"{site.url}/to/301/~to~302~~200")
    assert mixed.kind != "moved"


def test_a_circle_of_redirects_ends(site: Site, visitor: SafeFetcher) -> None:
    answer = visitor.fetch(f"{site.url}/to/302/?again")
    assert answer == FetchResult("failing", "it redirects more than 10 times")
    assert len(site.requests()) == 10


def test_we_say_who_we_are(site: Site, visitor: SafeFetcher) -> None:
    visitor.fetch(f"{site.url}/200/a")
    assert {one[2] for one in site.asked} == {AGENT}
    assert {one[3] for one in site.asked} == {f"127.0.0.1:{site.server_port}"}


def test_a_site_that_wants_no_programs_is_left_alone(
    make_site: Callable[..., Site], visitor: SafeFetcher
) -> None:
    site = make_site(robots="User-agent: *\nDisallow: /404/\n")
    assert visitor.fetch(f"{site.url}/404/a").kind == "not asked"
    assert visitor.fetch(f"{site.url}/200/a").kind == "fine"
    assert site.requests() == ["HEAD /200/a"]
    assert sum(one[1] == "/robots.txt" for one in site.asked) == 1


def test_nothing_on_this_machine_is_asked_by_default(site: Site) -> None:
    answer = SafeFetcher(AGENT).fetch(f"{site.url}/200/a")
    assert answer.kind == "private"
    assert not site.asked


@pytest.mark.parametrize("address", ["10.0.0.1", "169.254.169.254", "::1", "fd00::1", "0.0.0.0"])  # noqa: S104
def test_a_name_that_leads_into_a_private_network_is_not_asked(address: str) -> None:
    visitor = SafeFetcher(AGENT, resolver=lambda _host, _port: ["93.184.216.34", address])
    answer = visitor.fetch("https://boats.example/")
    assert answer.kind == "private"
    assert address in answer.detail


def test_a_redirect_into_a_private_network_is_not_followed(site: Site) -> None:
    def lookup(host: str, _port: int) -> list[str]:
        return {"boats.example": ["127.0.0.1"]}.get(host, ["10.0.0.1"])

    visitor = SafeFetcher(AGENT, allow_loopback=True, resolver=lookup)
    answer = visitor.fetch(f"http://boats.example:{site.server_port}/to/302/http:~~inner.example~")
    assert answer.kind == "private"
    assert site.requests()[-1].startswith("HEAD /to/302")


def test_a_name_that_changes_its_mind_is_looked_at_each_time(site: Site) -> None:
    answers = iter([["127.0.0.1"], ["10.0.0.1"]])
    visitor = SafeFetcher(AGENT, allow_loopback=True, resolver=lambda *_: next(answers))
    assert visitor.fetch(f"http://boats.example:{site.server_port}/200/a").kind == "private"
    assert [one[1] for one in site.asked] == ["/robots.txt"]
    assert site.asked[0][3] == f"boats.example:{site.server_port}"


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.0.1", "169.254.169.254", "100.64.0.1",
        "0.0.0.1", "224.0.0.1", "255.255.255.255", "::", "::1", "fe80::1%eth0", "fc00::1",
        "::ffff:10.0.0.1", "64:ff9b::a00:1", "2002:a00:1::", "ff02::1",
    ],
)  # fmt: skip
def test_private_addresses_are_known_in_every_wrapping(address: str) -> None:
    assert not is_public_address(address)


@pytest.mark.parametrize("address", ["93.184.216.34", "2606:2800:220:1::1", "64:ff9b::5db8:d822"])
def test_public_addresses_are_public(address: str) -> None:
    assert is_public_address(address)


def test_a_host_that_nobody_knows_is_dead() -> None:
    def lookup(_host: str, _port: int) -> list[str]:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    answer = SafeFetcher(AGENT, resolver=lookup).fetch("https://nobody.example/")
    assert answer == FetchResult("dead", "the host nobody.example is not known")


@pytest.mark.parametrize("url", ["http://[::1", "https://a.example:99999/", "http:///x"])
def test_what_is_no_address_is_told(url: str) -> None:
    assert SafeFetcher(AGENT).fetch(url).kind in {"dead", "failing"}


def test_a_closed_port_and_babble_are_failures(visitor: SafeFetcher) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]

        def babble() -> None:
            for _ in range(2):
                connection, _peer = listener.accept()
                connection.recv(1_000)
                connection.sendall(b"220 mail.example ESMTP\r\n\r\n")
                connection.close()

        thread = threading.Thread(target=babble, daemon=True)
        thread.start()
        assert visitor.fetch(f"http://127.0.0.1:{port}/").kind == "failing"
        thread.join()
    assert visitor.fetch(f"http://127.0.0.1:{port}/").detail == "connection refused"


def test_a_certificate_that_nobody_vouches_for_is_told(
    make_site: Callable[..., Site], visitor: SafeFetcher, tmp_path: Path
) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(self_signed(tmp_path))
    answer = visitor.fetch(f"{make_site(secured=context).url}/200/a")
    assert answer.kind == "certificate"
    assert "self-signed" in answer.detail


def test_a_certificate_must_be_of_the_name_in_the_link(
    make_site: Callable[..., Site], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = self_signed(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(file))  # what the system would vouch for
    get_ssl_context.cache_clear()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    site = make_site(secured=context)
    visitor = SafeFetcher(AGENT, allow_loopback=True, resolver=lambda *_: ["127.0.0.1"])
    assert visitor.fetch(f"https://boats.example:{site.server_port}/200/a").kind == "fine"
    other = visitor.fetch(f"https://ships.example:{site.server_port}/200/a")
    assert other.kind == "certificate"
    assert "ships.example" in other.detail
    get_ssl_context.cache_clear()


def self_signed(folder: Path) -> Path:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("boats.example")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    file = folder / "server.pem"
    file.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    return file


def test_all_are_asked_at_once_but_two_at_a_host(site: Site, visitor: SafeFetcher) -> None:
    urls = [f"{site.url}/crowd/{n}" for n in range(20)]
    steps: list[int] = []
    answers = check_urls(urls, visitor, on_progress=steps.append)
    assert list(answers) == urls
    assert {answer.kind for answer in answers.values()} == {"fine"}
    assert sum(steps) == len(urls)
    assert site.most_at_once == 2


def test_a_server_that_takes_for_ever_costs_a_bounded_time(
    site: Site, visitor: SafeFetcher
) -> None:
    urls = [f"{site.url}/slow/{n}" for n in range(30)]
    answers = check_urls(urls, visitor, seconds=0.3)
    assert {answer.detail for answer in answers.values()} == {"there is no answer in time"}
    site.hold.set()


def test_good_answers_are_remembered_for_an_hour_and_bad_ones_not(tmp_path: Path) -> None:
    now = [1_000.0]
    memory = ResultCache(tmp_path / "build" / "links.json", lambda: now[0])
    memory.store(
        {
            "a": FetchResult("fine"),
            "b": FetchResult("dead", "404"),
            "c": FetchResult("moved", "", "d"),
        }
    )
    assert memory.get_fresh(["a", "b", "c"]) == {
        "a": FetchResult("fine"),
        "c": FetchResult("moved", "", "d"),
    }
    now[0] += CACHE_SECONDS + 1
    memory.store({"e": FetchResult("fine")})
    assert memory.get_fresh(["a", "e"]) == {"e": FetchResult("fine")}


@pytest.mark.parametrize("content", ["", "[]", "{", '{"a": 1}', '{"a": {"at": 1, "odd": 2}}'])
def test_a_broken_memory_is_an_empty_one(tmp_path: Path, content: str) -> None:
    file = tmp_path / "links.json"
    file.write_text(content)
    memory = ResultCache(file)
    assert memory.get_fresh(["a"]) == {}
    memory.store({"a": FetchResult("fine")})
    assert set(json.loads(file.read_text())) == {"a"}


BODY = """\
See [the table](https://tides.example/table), [the same](https://tides.example/table#low), and
[yours](https://tides.example/?for={{ subscriber.name | default("you") }}), or
[write](mailto:ingrid@harbournotes.example); [leave]({{ unsubscribe_url }}).

![A boat at the quay](boat.png)
"""


@pytest.fixture
def mail(make_mail: MakeMail, make_png: Callable[..., bytes]) -> CheckContext:
    return make_mail(
        BODY,
        files={"boat.png": make_png(600, 400)},
        settings={"public_url": "https://list.harbournotes.example"},
    )


def test_only_what_is_everybodys_is_asked(mail: CheckContext) -> None:
    assert [url for url in rules.collect_urls(mail) if "harbournotes.example" not in url] == [
        "https://tides.example/table"
    ]
    assert any(url.endswith("/boat.png") for url in rules.collect_urls(mail))
    assert not any("/u/" in url or "/p/" in url or "-nl" in url for url in rules.collect_urls(mail))


@pytest.mark.parametrize(
    ("answer", "rule"),
    [
        (FetchResult("dead", "404 Not Found"), "dead-link"),
        (FetchResult("private", "it is 10.0.0.1"), "private-host"),
        (FetchResult("failing", "503"), "failing-link"),
        (FetchResult("certificate", "it has expired"), "bad-certificate"),
        (FetchResult("closed", "403 Forbidden"), "closed-link"),
        (FetchResult("moved", "", "https://tides.example/new"), "moved-link"),
    ],
)
def test_each_answer_has_its_rule_and_line(
    mail: CheckContext, answer: FetchResult, rule: str
) -> None:
    (finding,) = rules.make_online_findings(mail, {"https://tides.example/table": answer})
    assert finding.rule == rule
    assert answer.detail in finding.message
    assert finding.where
    assert finding.where.line == 6


def test_an_image_of_the_issue_that_is_not_there_yet_is_told_as_such(mail: CheckContext) -> None:
    url = next(url for url in rules.collect_urls(mail) if url.endswith("boat.png"))
    gone = FetchResult("dead", "404 Not Found")
    assert [one.rule for one in rules.make_online_findings(mail, {url: gone})] == [
        "unpublished-image"
    ]
    assert not rules.make_online_findings(
        mail, {url: FetchResult("fine"), "a": FetchResult("not asked")}
    )


def test_rules_of_the_network_say_nothing_offline(mail: CheckContext) -> None:
    bad = replace(mail, email=replace(mail.email, text=""))
    assert [hit for rule in rules.ONLINE_RULES for hit in rule.find(bad)] == []
