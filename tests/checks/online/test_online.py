"""Online checks over real sockets; no post can cause requests to private servers (SSRF)."""

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
from newsletter.fetch.http_request import get_ssl_context
from newsletter.fetch.safe_fetch import FetchResult, SafeFetcher

MakeContext = Callable[..., CheckContext]
AGENT = "newsletter/1 (link check for https://harbournotes.example)"


class Site(ThreadingHTTPServer):
    """A web server that responds according to the path and records its requests."""

    def __init__(self, robots: str = "") -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.robots = robots
        self.robots_status = 0
        self.requests: list[tuple[str, str, str, str]] = []
        self.hold = threading.Event()
        self.scheme = "http"
        self.active = 0
        self.max_active = 0
        self.changed = threading.Condition()

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.server_port}"

    def page_requests(self) -> list[str]:
        return [f"{method} {path}" for method, path, *_ in self.requests if path != "/robots.txt"]

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore clients that disconnect, as some tests do."""


class _Handler(BaseHTTPRequestHandler):
    server: Site

    def do_HEAD(self) -> None:
        self._handle()

    def do_GET(self) -> None:
        self._handle()

    def _handle(self) -> None:
        site = self.server
        agent, host = self.headers["User-Agent"], self.headers["Host"]
        site.requests.append((self.command, self.path, agent, host))
        with site.changed:
            site.active += 1
            site.max_active = max(site.max_active, site.active)
            site.changed.notify_all()
        kind, _, rest = self.path[1:].partition("/")
        if self.path == "/robots.txt":
            body = site.robots.encode()
            self._respond(site.robots_status or (200 if body else 404), body=body)
        elif kind == "to":
            code, _, location = rest.partition("/")
            self._respond(int(code), location=location.replace("~", "/"))
        elif kind == "head-only-fails":
            self._respond(int(rest) if self.command == "HEAD" else 200)
        elif kind == "crowd":
            with site.changed:  # time enough for a third request, if there ever is one
                site.changed.wait_for(lambda: site.active > 2, timeout=0.05)
            self._respond(200)
        elif kind == "slow":
            site.hold.wait(20)
            self._respond(200)
        else:
            self._respond(int(kind))

    def _respond(self, status: int, location: str = "", body: bytes = b"") -> None:
        # Before the response: a client may send the next request as soon as it has it.
        with self.server.changed:
            self.server.active -= 1
        self.send_response(status)
        if location:
            self.send_header("Location", location)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """No-op."""


@pytest.fixture
def make_site() -> Iterator[Callable[..., Site]]:
    sites: list[Site] = []

    def make(robots: str = "", tls: ssl.SSLContext | None = None) -> Site:
        site = Site(robots)
        if tls:
            site.socket = tls.wrap_socket(site.socket, server_side=True)
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
def fetcher() -> SafeFetcher:
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
        ("/302/a", "failing", "302 Found"),
        ("/304/a", "failing", "304 Not Modified"),
        ("/head-only-fails/405", "fine", ""),
        ("/head-only-fails/403", "fine", ""),
        ("/head-only-fails/501", "fine", ""),
        ("/to/302/~200~a", "fine", ""),
        ("/to/301/~404~a", "dead", "404 Not Found"),
        ("/to/302/ftp:~~a.example~", "failing", "ftp://a.example/ is not an http or https URL"),
    ],
)
def test_response_is_classified(
    site: Site, fetcher: SafeFetcher, path: str, kind: str, detail: str
) -> None:
    result = fetcher.fetch(site.url + path)
    assert (result.kind, result.detail) == (kind, detail)


def test_permanent_redirect_has_the_new_url(site: Site, fetcher: SafeFetcher) -> None:
    result = fetcher.fetch(f"{site.url}/to/301/~200~new")
    assert (result.kind, result.redirect_url) == ("moved", f"{site.url}/200/new")
    mixed = fetcher.fetch(f"{site.url}/to/301/~to~302~~200")
    assert mixed.kind != "moved"


def test_redirect_loop_ends(site: Site, fetcher: SafeFetcher) -> None:
    result = fetcher.fetch(f"{site.url}/to/302/?again")
    assert result == FetchResult("failing", "more than 10 redirects")
    assert len(site.page_requests()) == 10


def test_requests_have_user_agent_and_host(site: Site, fetcher: SafeFetcher) -> None:
    fetcher.fetch(f"{site.url}/200/a")
    assert {agent for _, _, agent, _ in site.requests} == {AGENT}
    assert {host for _, _, _, host in site.requests} == {f"127.0.0.1:{site.server_port}"}


def test_robots_txt_is_respected(make_site: Callable[..., Site], fetcher: SafeFetcher) -> None:
    site = make_site(robots="User-agent: *\nDisallow: /404/\n")
    assert fetcher.fetch(f"{site.url}/404/a").kind == "not asked"
    assert fetcher.fetch(f"{site.url}/200/a").kind == "fine"
    assert site.page_requests() == ["HEAD /200/a"]
    assert sum(path == "/robots.txt" for _, path, _, _ in site.requests) == 1


@pytest.mark.parametrize(
    "line",
    [
        "Crawl-delay: \xb2", "Crawl-delay: " + "9" * 5_000, "Request-rate: \xb2/\xb2", "Allow: //[",
        "Request-rate: 1/0", "Sitemap: //[", "\0", ":",
    ],
)  # fmt: skip
def test_odd_line_of_robots_txt_is_ignored(
    make_site: Callable[..., Site], fetcher: SafeFetcher, line: str
) -> None:
    site = make_site(robots=f"User-agent: *\n{line}\nDisallow: /404/\n")
    assert fetcher.fetch(f"{site.url}/200/a").kind == "fine"
    assert fetcher.fetch(f"{site.url}/404/a").kind == "not asked"


@pytest.mark.parametrize(
    ("status", "kind"),
    [(500, "robots failing"), (503, "robots failing"), (404, "fine"), (403, "fine"), (429, "fine")],
)
def test_nothing_is_requested_where_robots_txt_has_a_server_error(
    site: Site, fetcher: SafeFetcher, status: int, kind: str
) -> None:
    site.robots_status = status
    assert fetcher.fetch(f"{site.url}/200/a").kind == kind
    assert site.page_requests() == (["HEAD /200/a"] if kind == "fine" else [])


def test_own_files_are_requested_whatever_robots_txt_says(make_site: Callable[..., Site]) -> None:
    site = make_site(robots="User-agent: *\nDisallow: /\n")
    fetcher = SafeFetcher(AGENT, allow_loopback=True, respect_robots=False)
    assert fetcher.fetch(f"{site.url}/200/a").kind == "fine"
    assert [path for _, path, *_ in site.requests] == ["/200/a"]


def test_loopback_is_refused_by_default(site: Site) -> None:
    result = SafeFetcher(AGENT).fetch(f"{site.url}/200/a")
    assert result.kind == "private"
    assert not site.requests


@pytest.mark.parametrize("address", ["10.0.0.1", "169.254.169.254", "::1", "fd00::1", "0.0.0.0"])  # noqa: S104
def test_host_with_a_private_address_is_refused(address: str) -> None:
    fetcher = SafeFetcher(AGENT, resolver=lambda _host, _port: ["93.184.216.34", address])
    result = fetcher.fetch("https://boats.example/")
    assert result.kind == "private"
    assert address in result.detail


def test_redirect_into_a_private_network_is_refused(site: Site) -> None:
    def lookup(host: str, _port: int) -> list[str]:
        return {"boats.example": ["127.0.0.1"]}.get(host, ["10.0.0.1"])

    fetcher = SafeFetcher(AGENT, allow_loopback=True, resolver=lookup)
    result = fetcher.fetch(f"http://boats.example:{site.server_port}/to/302/http:~~inner.example~")
    assert result.kind == "private"
    assert site.page_requests()[-1].startswith("HEAD /to/302")


def test_dns_rebinding_is_refused(site: Site) -> None:
    results = iter([["127.0.0.1"], ["10.0.0.1"]])
    fetcher = SafeFetcher(AGENT, allow_loopback=True, resolver=lambda *_: next(results))
    assert fetcher.fetch(f"http://boats.example:{site.server_port}/200/a").kind == "private"
    assert [path for _, path, _, _ in site.requests] == ["/robots.txt"]
    assert site.requests[0][3] == f"boats.example:{site.server_port}"


def test_unknown_host_is_dead() -> None:
    def lookup(_host: str, _port: int) -> list[str]:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    result = SafeFetcher(AGENT, resolver=lookup).fetch("https://nobody.example/")
    assert result == FetchResult("dead", "host nobody.example not found")


@pytest.mark.parametrize("url", ["http://[::1", "https://a.example:99999/", "http:///x"])
def test_invalid_url_is_reported(url: str) -> None:
    assert SafeFetcher(AGENT).fetch(url).kind in {"dead", "failing"}


def test_closed_port_and_invalid_http_are_failures(fetcher: SafeFetcher) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]

        def serve_smtp() -> None:
            for _ in range(2):
                connection, _peer = listener.accept()
                connection.recv(1_000)
                connection.sendall(b"220 mail.example ESMTP\r\n\r\n")
                connection.close()

        thread = threading.Thread(target=serve_smtp, daemon=True)
        thread.start()
        assert fetcher.fetch(f"http://127.0.0.1:{port}/").kind == "failing"
        thread.join()
    assert fetcher.fetch(f"http://127.0.0.1:{port}/").detail == "connection refused"


def test_self_signed_certificate_is_reported(
    make_site: Callable[..., Site], fetcher: SafeFetcher, tmp_path: Path
) -> None:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(write_self_signed_certificate(tmp_path))
    result = fetcher.fetch(f"{make_site(tls=tls).url}/200/a")
    assert result.kind == "certificate"
    assert "self-signed" in result.detail


def test_certificate_must_match_the_host(
    make_site: Callable[..., Site], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = write_self_signed_certificate(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(file))  # the certificates that the system trusts
    get_ssl_context.cache_clear()
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(file)
    site = make_site(tls=tls)
    fetcher = SafeFetcher(AGENT, allow_loopback=True, resolver=lambda *_: ["127.0.0.1"])
    assert fetcher.fetch(f"https://boats.example:{site.server_port}/200/a").kind == "fine"
    other = fetcher.fetch(f"https://ships.example:{site.server_port}/200/a")
    assert other.kind == "certificate"
    assert "ships.example" in other.detail
    get_ssl_context.cache_clear()


def write_self_signed_certificate(folder: Path) -> Path:
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


def test_urls_are_fetched_in_parallel_with_two_connections_per_host(
    site: Site, fetcher: SafeFetcher
) -> None:
    urls = [f"{site.url}/crowd/{n}" for n in range(20)]
    progress: list[int] = []
    results = check_urls(urls, fetcher, on_progress=progress.append)
    assert list(results) == urls
    assert {result.kind for result in results.values()} == {"fine"}
    assert sum(progress) == len(urls)
    assert site.max_active == 2


def test_unresponsive_server_is_limited_by_the_deadline(site: Site, fetcher: SafeFetcher) -> None:
    urls = [f"{site.url}/slow/{n}" for n in range(30)]
    results = check_urls(urls, fetcher, seconds=0.3)
    assert {result.detail for result in results.values()} == {"no response in time"}
    site.hold.set()


def test_only_good_results_are_cached_for_an_hour(tmp_path: Path) -> None:
    now = [1_000.0]
    cache = ResultCache(tmp_path / "build" / "links.json", lambda: now[0])
    cache.store(
        {
            "a": FetchResult("fine"),
            "b": FetchResult("dead", "404"),
            "c": FetchResult("moved", "", "d"),
        }
    )
    assert cache.get_fresh(["a", "b", "c"]) == {
        "a": FetchResult("fine"),
        "c": FetchResult("moved", "", "d"),
    }
    now[0] += CACHE_SECONDS + 1
    cache.store({"e": FetchResult("fine")})
    assert cache.get_fresh(["a", "e"]) == {"e": FetchResult("fine")}


@pytest.mark.parametrize("content", ["", "[]", "{", '{"a": 1}', '{"a": {"at": 1, "odd": 2}}'])
def test_broken_cache_file_counts_as_empty(tmp_path: Path, content: str) -> None:
    file = tmp_path / "links.json"
    file.write_text(content)
    cache = ResultCache(file)
    assert cache.get_fresh(["a"]) == {}
    cache.store({"a": FetchResult("fine")})
    assert set(json.loads(file.read_text())) == {"a"}


BODY = """\
See [the table](https://tides.example/table), [the same](https://tides.example/table#low), and
[yours](https://tides.example/?for={{ subscriber.name | default("you") }}), or
[write](mailto:ingrid@harbournotes.example); [unsubscribe]({{ unsubscribe_url }}).

![A boat at the quay](boat.png)
"""


@pytest.fixture
def context(make_context: MakeContext, make_png: Callable[..., bytes]) -> CheckContext:
    return make_context(
        BODY,
        files={"boat.png": make_png(600, 400), "boat.dark.png": make_png(600, 400)},
        settings={"public_url": "https://list.harbournotes.example"},
    )


def test_personal_urls_are_not_requested(context: CheckContext) -> None:
    assert [url for url in rules.collect_urls(context) if "harbournotes.example" not in url] == [
        "https://tides.example/table"
    ]
    for name in ("/boat.png", "/boat.dark.png"):
        assert any(url.endswith(name) for url in rules.collect_urls(context))
    assert not any(
        "/u/" in url or "/p/" in url or "-nl" in url for url in rules.collect_urls(context)
    )


@pytest.mark.parametrize(
    ("result", "rule"),
    [
        (FetchResult("dead", "404 Not Found"), "dead-link"),
        (FetchResult("private", "it resolves to 10.0.0.1"), "private-host"),
        (FetchResult("failing", "503"), "failing-link"),
        (FetchResult("certificate", "it has expired"), "bad-certificate"),
        (FetchResult("closed", "403 Forbidden"), "closed-link"),
        (FetchResult("moved", "", "https://tides.example/new"), "moved-link"),
    ],
)
def test_result_becomes_a_finding_with_its_line(
    context: CheckContext, result: FetchResult, rule: str
) -> None:
    (finding,) = rules.make_online_findings(context, {"https://tides.example/table": result})
    assert finding.rule == rule
    assert result.detail in finding.message
    assert finding.where
    assert finding.where.line == 6


def test_missing_image_of_the_issue_is_unpublished(context: CheckContext) -> None:
    url = next(url for url in rules.collect_urls(context) if url.endswith("boat.png"))
    gone = FetchResult("dead", "404 Not Found")
    assert [finding.rule for finding in rules.make_online_findings(context, {url: gone})] == [
        "unpublished-image"
    ]
    page = FetchResult("fine", content_type="text/html")
    (finding,) = rules.make_online_findings(context, {url: page})
    assert (finding.rule, "it is text/html" in finding.message) == ("unpublished-image", True)
    assert not rules.make_online_findings(context, {"https://tides.example/table": page})
    image = FetchResult("fine", content_type="image/png")
    assert not rules.make_online_findings(context, {url: image, "a": FetchResult("not asked")})


def test_image_without_an_address_is_not_requested(
    make_context: MakeContext, make_png: Callable[..., bytes]
) -> None:
    context = make_context(BODY, files={"boat.png": make_png(600, 400)})
    assert not [url for url in rules.collect_urls(context) if "boat.png" in url]


def test_online_rules_find_nothing_offline(context: CheckContext) -> None:
    bad = replace(context, email=replace(context.email, text=""))
    assert [finding for rule in rules.ONLINE_RULES for finding in rule.find(bad)] == []
