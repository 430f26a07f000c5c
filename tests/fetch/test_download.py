"""Downloads over real sockets: redirects, limits, messages; no way into a private network."""

import datetime
import gzip
import threading
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import requests_hardened
from requests_hardened.ip_filter import InvalidIPAddress

from newsletter.fetch import http_request
from newsletter.fetch.download import Download, Downloader, DownloadError
from newsletter.fetch.request_url import is_loopback_url
from newsletter.fetch.retry_after import parse_retry_after

NOW = datetime.datetime(2026, 11, 30, 12, 0, tzinfo=datetime.UTC)
AGENT = "newsletter/1 (https://harbournotes.example)"
BOMB = gzip.compress(bytes(3_000_000))


@dataclass
class Reply:
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


class BlogServer(ThreadingHTTPServer):
    """A web server with a reply for each path; it records the headers of its requests."""

    def __init__(self, replies: Mapping[str, Reply]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.replies = replies
        self.requests: list[tuple[str, dict[str, str]]] = []
        self.stopped = threading.Event()
        self.url = f"http://127.0.0.1:{self.server_port}"

    def handle_error(self, request: object, client_address: object) -> None:
        """Ignore clients that disconnect, as most of these do."""


class _Handler(BaseHTTPRequestHandler):
    server: BlogServer

    def do_GET(self) -> None:
        self.server.requests.append((self.path, {k.lower(): v for k, v in self.headers.items()}))
        if self.path.startswith("/drip/"):
            self._drip(b"HTTP/1.1 200 OK\r\n" + {"headers": b"A: "}.get(self.path[6:], b"\r\n"))
            return
        reply = self.server.replies.get(self.path, Reply(404))
        self.send_response(reply.status)
        for name, value in {"Content-Length": str(len(reply.body)), **reply.headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(reply.body)

    def _drip(self, start: bytes) -> None:
        """Send one byte after the other, each well before a read times out."""
        self.wfile.write(start)
        for _ in range(150):
            self.wfile.write(b"x")
            if self.server.stopped.wait(0.02):
                return

    def log_message(self, *_: object) -> None:
        """No-op."""


def to(location: str, status: int = 302) -> Reply:
    return Reply(status, {"Location": location})


REPLIES = {
    "/": Reply(200, {"Content-Type": 'Text/HTML; Charset="UTF-8"', "ETag": 'W/"7"'}, b"<p>Tide"),
    "/gzip": Reply(200, {"Content-Encoding": "gzip"}, gzip.compress(b"<p>Tide")),
    "/deflate": Reply(200, {"Content-Encoding": "deflate"}, zlib.compress(b"<p>Tide")),
    "/chunked": Reply(
        200, {"Transfer-Encoding": "chunked", "Content-Length": ""},
        b"3\r\n<p>\r\n4\r\nTide\r\n0\r\n\r\n",
    ),
    "/moved": to("/moved-again", 301),
    "/moved-again": to("/for-now", 308),
    "/for-now": Reply(307, {"Location": "/", "Set-Cookie": "a=1"}),
    "/now-then-moved": to("/moved"),
    "/odd": to("/b\xc3\xbccher in?q=\xc3\xbc#top"),
    "/b%C3%BCcher%20in?q=%C3%BC": Reply(200, {}, b"<p>Tide"),
    **{f"/{n}": to(f"/{n + 1}") for n in range(1, 6)},
    "/6": to("/"),
    "/304": Reply(304),
    "/302": Reply(302),
    "/204": Reply(204),
    "/401": Reply(401),
    "/403": Reply(403, {"Retry-After": "60"}),
    "/999": Reply(999),
    "/410": Reply(410),
    "/429": Reply(429, {"Retry-After": "90"}),
    "/429-date": Reply(429, {"Retry-After": "Mon, 30 Nov 2026 14:30:00 GMT"}),
    "/429-odd": Reply(429, {"Retry-After": "soon"}),
    "/500": Reply(500),
    "/503": Reply(503, {"Retry-After": "1"}),
    "/circle": to("/circle-2"),
    "/circle-2": to("/circle", 301),
    "/ftp": to("ftp://blog.example/feed.xml"),
    "/file": to("file:///etc/passwd"),
    "/user": to("http://editor:secret@blog.example/"),
    "/invalid": to("http://[::1"),
    "/port": to("http://blog.example:6379/"),
    "/inner": to("http://inner.example/admin"),
    "/machine": to("http://localhost/"),
    "/bomb": Reply(200, {"Content-Encoding": "gzip"}, BOMB),
    "/large": Reply(200, {}, bytes(1_000_001)),
    "/full": Reply(200, {}, bytes(1_000_000)),
    "/brotli": Reply(200, {"Content-Encoding": "zip"}, b"x"),
    "/broken": Reply(200, {"Content-Encoding": "gzip"}, b"not gzip"),
    "/cut": Reply(200, {"Content-Length": "100"}, b"<p>"),
}  # fmt: skip


def resolve(host: str, port: int) -> list[str]:
    """Resolve names without a network."""
    if host in {"127.0.0.1", "localhost"}:
        return ["127.0.0.1"]
    if host == "inner.example":
        return ["93.184.216.34", "10.0.0.7"]
    return http_request.resolve_host(host, port)


@pytest.fixture(scope="module")
def site() -> Iterator[BlogServer]:
    server = BlogServer(REPLIES)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield server
    server.stopped.set()
    server.shutdown()
    server.server_close()


@pytest.fixture
def download(site: BlogServer) -> Callable[..., Download]:
    downloader = Downloader(AGENT, allow_loopback=True, resolver=resolve, now=lambda: NOW)
    return lambda path, **options: downloader.download(site.url + path, **options)


@pytest.mark.parametrize(
    ("path", "permanent"),
    [
        ("/", "/"),
        ("/moved", "/for-now"),
        ("/for-now", "/for-now"),
        ("/now-then-moved", "/now-then-moved"),
        ("/2", "/2"),
    ],
)
def test_redirects_are_followed_and_permanent_ones_remembered(
    site: BlogServer, download: Callable[..., Download], path: str, permanent: str
) -> None:
    found = download(path)
    assert (found.url, found.permanent_url) == (f"{site.url}/", site.url + permanent)
    assert (found.status, found.body) == (200, b"<p>Tide")
    assert (found.content_type, found.charset) == ("text/html", "utf-8")
    assert found.headers["etag"] == 'W/"7"'


@pytest.mark.parametrize(
    "path", ["/gzip", "/deflate", "/chunked", "/odd", "/b\u00fccher in?q=\u00fc"]
)
def test_body_is_decoded(download: Callable[..., Download], path: str) -> None:
    found = download(path)
    assert found.body == b"<p>Tide"
    assert found.url.isascii()


def test_request_has_its_headers_and_no_cookie(
    site: BlogServer, download: Callable[..., Download]
) -> None:
    site.requests.clear()
    download("/for-now", headers={"If-None-Match": 'W/"7"'}, accept="text/html")
    assert [path for path, _ in site.requests] == ["/for-now", "/"]
    for _, headers in site.requests:
        assert headers["host"] == f"127.0.0.1:{site.server_port}"
        assert headers["user-agent"] == AGENT
        assert headers["accept"] == "text/html"
        assert "gzip" in headers["accept-encoding"]
        assert headers["if-none-match"] == 'W/"7"'
        assert "cookie" not in headers


def test_unchanged_response_has_no_body(download: Callable[..., Download]) -> None:
    found = download("/304", headers={"If-Modified-Since": "Sat, 28 Nov 2026 10:00:00 GMT"})
    assert (found.status, found.body) == (304, b"")
    with pytest.raises(DownloadError, match="304 Not Modified") as caught:
        download("/304")
    assert caught.value.kind == "failing"


@pytest.mark.parametrize(
    ("path", "kind", "retry_after", "words"),
    [
        ("/404", "dead", None, "404 Not Found. Check the URL"),
        ("/401", "closed", None, "401 Unauthorized. It needs a login"),
        ("/403", "closed", 60, "403 Forbidden. It needs a login"),
        ("/999", "closed", None, "999. It needs a login"),
        ("/410", "gone", None, "410 Gone. Its site has removed it for good"),
        ("/429", "rate limited", 90, "429 Too Many Requests. Try again in 2 minutes."),
        ("/429-date", "rate limited", 9_000, "429 Too Many Requests. Try again in 3 hours."),
        ("/429-odd", "rate limited", None, "429 Too Many Requests. Try again later."),
        ("/500", "failing", None, "500 Internal Server Error. Try again later."),
        ("/503", "failing", 1, "503 Service Unavailable. Try again in 1 second."),
        ("/302", "failing", None, "302 Found"),
        ("/204", "failing", None, "204 No Content"),
        ("/circle", "failing", None, "it redirects in a circle. Open it in a browser"),
        ("/1", "failing", None, "more than 5 redirects"),
        ("/ftp", "failing", None, "it redirects to ftp://blog.example/feed.xml, which is not"),
        ("/file", "failing", None, "it redirects to file:///etc/passwd, which is not"),
        (
            "/user",
            "failing",
            None,
            "it redirects to http://blog.example/, which is a URL with a user",
        ),
        ("/invalid", "failing", None, "it redirects to http://[::1, which is not a valid URL"),
        ("/port", "private", None, "(redirected to http://blog.example:6379/): its port"),
        ("/inner", "private", None, "inner.example resolves to 10.0.0.7, which is not a public"),
        ("/bomb", "too large", None, "it is larger than 1 MB"),
        ("/large", "too large", None, "it is larger than 1 MB"),
        ("/brotli", "failing", None, "compression that was not asked for"),
        ("/broken", "failing", None, "the response could not be decompressed"),
        ("/cut", "failing", None, "the response broke off. Check that it works in a"),
    ],
)
def test_failure_has_its_reason_and_a_remedy(
    site: BlogServer,
    download: Callable[..., Download],
    path: str,
    kind: str,
    retry_after: int | None,
    words: str,
) -> None:
    with pytest.raises(DownloadError) as caught:
        download(path, max_bytes=1_000_000)
    error = caught.value
    assert (error.kind, error.retry_after) == (kind, retry_after)
    assert str(error).startswith(f"could not fetch {site.url}{path}")
    assert words in str(error)
    assert error.problems[0].remedy
    assert "secret" not in str(error)


def test_body_may_be_as_large_as_the_limit(download: Callable[..., Download]) -> None:
    assert len(download("/full", max_bytes=1_000_000).body) == 1_000_000


@pytest.mark.parametrize("part", ["headers", "body"])
def test_slow_drip_ends_at_the_deadline(download: Callable[..., Download], part: str) -> None:
    with pytest.raises(DownloadError, match="no response in time") as caught:
        download(f"/drip/{part}", seconds=0.2)
    assert caught.value.kind == "too slow"


def test_deadline_counts_redirects_and_all_reads(site: BlogServer) -> None:
    seconds = iter(range(10_000))
    downloader = Downloader(AGENT, allow_loopback=True, clock=lambda: float(next(seconds)))
    assert downloader.download(f"{site.url}/2", seconds=60).status == 200
    with pytest.raises(DownloadError, match="redirected") as caught:
        downloader.download(f"{site.url}/2", seconds=12)
    assert caught.value.kind == "too slow"


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("ftp://blog.example/", "it is not an http or https URL. Use one such as https://"),
        ("file:///etc/passwd", "it is not an http or https URL"),
        ("data:text/html,a", "it is not an http or https URL"),
        ("blog.example/feed.xml", "it is not an http or https URL"),
        ("", "it is not an http or https URL"),
        ("http:///a", "it is not an http or https URL"),
        ("https://editor:secret@blog.example/", "could not fetch https://blog.example/: it is a"),
        ("https:editor:secret@blog.example", "could not fetch blog.example: it is not an http"),
        ("data:" + "a" * 9_999, f"data:{'a' * 295}...: it is not an http or https URL"),
        ("https://blog.example\\@127.0.0.1/", "it is a URL with a user name"),
        ("http://[::1", "it is not a valid URL"),
        ("https://blog.example:99999/", "not a valid URL"),
        ("https://blog\x1b[31m.example/", "https://blog%1B[31m.example/: "),
    ],
)
def test_invalid_url_is_not_requested(url: str, words: str) -> None:
    def fail(host: str, port: int) -> list[str]:
        raise OSError(host, port)

    with pytest.raises(DownloadError) as caught:
        Downloader(AGENT, resolver=fail).download(url)
    assert caught.value.kind == "dead"
    assert words in str(caught.value)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("host", "is_loopback"),
    [
        ("127.0.0.1:4000", True), ("localhost", True), ("LOCALHOST.", True), ("[::1]:1313", True),
        ("blog.localhost", True), ("0.0.0.0:8000", True), ("127.1", True), ("10.0.0.1", False),
        ("localhost.example", False), ("blog.example", False), ("[::1", False), ("", False),
    ],
)  # fmt: skip
def test_url_on_this_machine_is_recognized(host: str, is_loopback: bool) -> None:
    assert is_loopback_url(f"http://{host}/a") == is_loopback


def test_this_machine_is_requested_only_if_allowed_and_asked_for(
    site: BlogServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(DownloadError) as caught:
        Downloader(AGENT).download(f"{site.url}/")
    assert caught.value.kind == "private"
    site.requests.clear()
    addresses = {"boats.example": ["127.0.0.1"], "localhost": ["::1"]}
    downloader = Downloader(
        AGENT, allow_loopback=True, resolver=lambda host, _port: addresses[host]
    )
    url = f"http://boats.example:{site.server_port}/machine"
    with pytest.raises(DownloadError, match="resolves to 127") as caught:
        downloader.download(url)
    assert (caught.value.kind, site.requests) == ("private", [])
    # The same server, as if its address were public.
    monkeypatch.setattr(http_request, "is_public_address", lambda address: address != "::1")
    with pytest.raises(DownloadError, match="redirected to http://localhost/") as caught:
        downloader.download(url)
    assert (caught.value.kind, len(site.requests)) == ("private", 1)


@pytest.mark.parametrize(
    ("url", "found_on", "kind"),
    [
        ("{site}/", "{site}/post", ""),
        ("{site}/", "http://localhost:{port}/post", ""),
        ("{site}/", "https://blog.example/post", "private"),
        ("http://127.0.0.1/", "https://blog.example/post", "private"),
        ("https://inner.example:8443/", "https://inner.example:8443/post", "private"),
        ("https://nobody.invalid:8443/", "https://nobody.invalid/post", "private"),
        ("https://nobody.invalid:8443/", "https://nobody.invalid:8443/post", "dead"),
        ("https://nobody.invalid:8443/", "", "dead"),
    ],
)
def test_url_in_a_page_leads_to_its_own_port_or_a_public_one(
    site: BlogServer, url: str, found_on: str, kind: str
) -> None:
    downloader = Downloader(AGENT, allow_loopback=True, resolver=resolve)
    words = {"site": site.url, "port": site.server_port}
    with pytest.raises(DownloadError) if kind else nullcontext() as caught:
        downloader.download(url.format(**words), found_on=found_on.format(**words))
    assert not caught or caught.value.kind == kind


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("120", 120), (" 0 ", 0), ("9" * 50, 999_999_999), ("-1", None), ("1.5", None), ("", None),
        ("\u00b2", None), ("Mon, 30 Nov 2026 12:01:00 GMT", 60),
        ("Monday, 30-Nov-26 12:01:00 GMT", 60), ("Mon Nov 30 12:01:00 2026", 60),
        ("Mon, 30 Nov 2026 11:00:00 GMT", 0), ("Mon, 99 Nov 2026 12:00:00 GMT", None),
        ("Mon, 30 Nov 99999 12:00:00 GMT", None),
    ],
)  # fmt: skip
def test_retry_after_is_read_in_each_form(value: str, seconds: int | None) -> None:
    assert parse_retry_after(value, NOW) == seconds


TRICKS = [
    "127.1", "127.0.1", "0x7f000001", "0x7f.1", "2130706433", "0177.0.0.1", "0", "0.0.0.0",  # noqa: S104
    "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "192.0.0.1",
    "198.18.0.1", "224.0.0.1", "240.0.0.1", "[::1]", "[::]", "[::ffff:127.0.0.1]",
    "[::ffff:a9fe:a9fe]", "[64:ff9b::7f00:1]", "[64:ff9b::a9fe:a9fe]", "[2002:7f00:1::]",
    "[fc00::1]", "[fe80::1]", "[ff02::1]", "[2001:db8::1]",
]  # fmt: skip


@pytest.mark.parametrize("host", TRICKS)
def test_another_implementation_refuses_the_same_addresses(host: str) -> None:
    """The oracle is requests-hardened, which filters addresses at the same place."""
    oracle = requests_hardened.Manager(
        requests_hardened.Config(
            ip_filter_enable=True, ip_filter_allow_loopback_ips=False, never_redirect=True,
            default_timeout=(1, 1),
        )
    )  # fmt: skip
    with pytest.raises(InvalidIPAddress):
        oracle.send_request("GET", f"http://{host}/")
    with pytest.raises(DownloadError) as caught:
        Downloader(AGENT).download(f"http://{host}/")
    assert caught.value.kind == "private"
