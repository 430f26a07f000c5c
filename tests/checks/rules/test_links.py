"""Edges of the rules on links: what fires, and what looks like it but stays quiet."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from newsletter.checks.rules.links import empty_link, insecure_link, private_link

CheckEdge = Callable[..., None]
GetMessages = Callable[..., list[str]]


def link(url: str, text: str = "the table") -> str:
    return f"See [{text}]({url}) now."


def html_link(url: str, text: str = "the table") -> str:
    return f'See <a href="{url}">{text}</a> now.'


FIRES: list[tuple[str, str, str]] = [
    ("empty-link", link(""), "'the table' leads nowhere"),
    ("empty-link", link("#"), "'the table' leads nowhere"),
    ("empty-link", html_link(" # "), "'the table' leads nowhere"),
    ("empty-link", html_link("#", "t" * 50), f"'{'t' * 40}' leads nowhere"),
    ("relative-link", link("tables.html"), "tables.html was resolved"),
    ("relative-link", link("../tables/"), "../tables/ was resolved"),
    ("relative-link", link("./a"), "./a was resolved"),
    ("relative-link", link("?page=2"), "?page=2 was resolved"),
    ("relative-link", link("2026:notes"), "2026:notes was resolved"),
    *[
        ("broken-url", html_link(url), f"{url} is not a URL")
        for url in ("www.tides.example/a", "WWW.tides.example", "https//tides.example",
                    "http;//tides.example", "http:/tides.example", "https:tides.example",
                    "https:///tides", "https://https://tides.example",
                    "http://https//tides.example", "https://tides,example/a")
    ],
    ("insecure-link", link("http://tides.example/a"), "http://tides.example/a is not encrypted"),
    ("insecure-link", html_link("HTTP://tides.example/a"), "is not encrypted"),
    ("insecure-link", "![Tern](http://tides.example/a.png)", "a.png is not encrypted"),
    ("insecure-link", link(f"http://tides.example/{'a' * 90}"),
     f"http://tides.example/{'a' * 59} is"),
    ("private-link", link("http://localhost:8000/a"), "http://localhost:8000/a is not publicly"),
    ("private-link", link("https://nas.local/a"), "not publicly"),
    ("private-link", link("https://wiki.internal/a"), "not publicly"),
    ("private-link", link("https://shop.localhost/a"), "not publicly"),
    ("private-link", link("https://shop.test/a"), "not publicly"),
    ("private-link", link("https://a.lan/a"), "not publicly"),
    ("private-link", link("https://a.invalid/a"), "not publicly"),
    ("private-link", link("https://a.home.arpa/a"), "not publicly"),
    ("private-link", link("http://127.0.0.1/a"), "not publicly"),
    ("private-link", link("http://10.1.2.3/a"), "not publicly"),
    ("private-link", link("http://172.16.0.9/a"), "not publicly"),
    ("private-link", link("http://192.168.0.9/a"), "not publicly"),
    ("private-link", link("http://169.254.1.1/a"), "not publicly"),
    ("private-link", link("http://100.64.0.1/a"), "not publicly"),
    ("private-link", link("http://[::1]/a"), "not publicly"),
    ("private-link", link("http://[fd00::1]/a"), "not publicly"),
    ("private-link", link("HTTP://LOCALHOST/a"), "not publicly"),
    ("private-link", link("http://192.168.0.9/a", "192.168.0.1/a"), "not publicly"),
    ("private-link", "Look at http://wiki.internal/a now.", "not publicly"),
    ("private-link", "Open http://localhost:8/a or [it](http://localhost:8/a).", "not publicly"),
    ("private-link", "![A tern](http://192.168.0.9/a.png)", "a.png is not publicly"),
    ("private-address", "Look at http://192.168.0.9/a now.",
     "http://192.168.0.9/a is an address in a private network"),
    ("private-address", link("http://192.168.0.9/", "192.168.0.9"), "in a private network"),
    ("private-address", "Look at http://raspberrypi.local:8080/ now.", "private network"),
    ("private-address", "Look at http://boats.test and see.", "private network"),
    ("private-address", "Look at <http://nas.lan>.", "private network"),
    ("staging-link", link("https://staging.tides.example/a"), "looks like a staging site"),
    ("staging-link", link("https://www.staging.tides.example"), "looks like a staging site"),
    ("staging-link", link("https://stage2.tides.example"), "looks like a staging site"),
    ("staging-link", link("https://stg.tides.example"), "looks like a staging site"),
    ("staging-link", link("https://preprod.tides.co.uk"), "looks like a staging site"),
    ("staging-link", link("https://preview.harbournotes.example"), "looks like a staging site"),
    ("staging-link", link("https://a.uat.tides.example"), "looks like a staging site"),
    ("staging-link", link("https://shop-staging.tides.example"), "looks like a staging site"),
    ("staging-link", link("https://staging-2.tides.example"), "looks like a staging site"),
    ("staging-link", link("https://preview.terns.netlify.app"), "looks like a staging site"),
    ("staging-link", link("https://deploy-preview-7--terns.netlify.app"), "looks like"),
    ("staging-link", link("https://terns-git-winter-bo.vercel.app/a"), "looks like"),
    ("staging-link", link("https://0a1b2c3d.terns.pages.dev"), "looks like"),
    ("staging-link", link("https://abc.ngrok.io/a"), "looks like"),
    ("staging-link", link("https://abc.ngrok-free.app/a"), "looks like"),
    ("staging-link", link("https://dev.harbournotes.example/a"), "looks like"),
    ("staging-link", link("https://test1.harbournotes.example/a"), "looks like"),
    ("staging-link", html_link("HTTPS://STAGING.tides.example/a"), "looks like"),
    ("bad-address", link("mailto:bo.at.home"), "mailto:bo.at.home has no valid address"),
    ("bad-address", link("mailto:bo@home"), "has no valid"),
    ("bad-address", link("mailto:bo@home.x"), "has no valid"),
    ("bad-address", link("mailto:"), "has no valid"),
    ("bad-address", link("mailto:bo@tides.example,bo"), "has no valid"),
    ("bad-address", html_link("mailto:bo@tides.example; jo@tides.example"), "has no valid"),
    ("bad-address", link("mailto:bo?subject=Boats"), "has no valid"),
    ("bad-address", link("tel:call-me"), "has no valid"),
    ("bad-address", link("tel:12"), "has no valid"),
    ("bad-address", link("tel:,,,"), "has no valid"),
    ("bad-address", link("tel:1-800-FLOWERS"), "has no valid"),
    ("bad-address", link("tel:"), "has no valid"),
    ("bad-address", html_link("MAILTO:bo"), "has no valid"),
    ("bad-address", link("https://tides.example/a") + link("tel:12", "call"), "tel:12 has no"),
    ("bad-address", link("mailto:{{ subscriber.email }}") + link("tel:12", "call"), "tel:12 has"),
    ("missing-anchor", link("#the-end"), "the post has no anchor #the-end"),
    ("missing-anchor", link("#topmost"), "no anchor #topmost"),
    ("missing-anchor", link("#old-boats-crab") + "\n\n## Boats 🦀", "no anchor #old-boats-crab"),
    ("missing-anchor", link("#boats-crab") + "\n\n## Boats", "no anchor #boats-crab"),
    ("missing-anchor", link("#boats-gull") + "\n\n## Boats 🦀", "no anchor #boats-gull"),
    ("shortened-link", link("https://bit.ly/3abc"), "https://bit.ly/3abc hides where it leads"),
    ("shortened-link", link("http://www.t.co/3abc"), "hides where it leads"),
    ("shortened-link", html_link("HTTPS://T.CO/3abc"), "hides where it leads"),
    ("mismatched-link", link("https://evil.example/a", "https://mybank.example/a"),
     "'https://mybank.example/a' leads to evil.example"),
    ("mismatched-link", link("https://evil.example/a", "www.mybank.example"), "leads to"),
    ("mismatched-link", link("https://evil.example/a", "www.mybank.zzz"), "leads to"),
    ("mismatched-link", link("https://evil.example/a", "mybank.com"), "'mybank.com' leads to evil"),
    ("mismatched-link", link("https://evil.example/a", "MyBank.com"), "'MyBank.com' leads to"),
    ("mismatched-link", link("https://evil.example/a", "mybank.com."), "leads to"),
    ("mismatched-link", link("https://evil.example/a", "(mybank.no)"), "leads to"),
    ("mismatched-link", link("https://evil.example/a", "mybank.net/login"), "leads to"),
    ("mismatched-link", link("https://evil.example/a", "mybank.sh/login"), "leads to"),
    ("mismatched-link", link("https://evil.example/a", "mybank.com:8080/login"), "leads to"),
    ("mismatched-link", link("https://evil.example/a", "mybank.com#login"), "leads to"),
    ("mismatched-link", link("https://evil.example/a", "online.mybank.bank"), "leads to"),
    ("mismatched-link", link("https://evil.example/a", "bücher.de"), "leads to"),
    ("mismatched-link", link("https://xn--bcher-kva.com/a", "bücher.de"), "leads to xn--bcher-"),
    ("mismatched-link", link("https://xn--bcher-kva.de/a", "bucher.de"), "leads to xn--bcher-"),
    ("mismatched-link", link("https://evil.co.uk/a", "mybank.co.uk"), "leads to evil.co.uk"),
    ("mismatched-link", link("https://jo.github.io/a", "bo.github.io"), "leads to jo.github.io"),
    ("mismatched-link", link("https://evil.example/mybank.com", "mybank.com"), "leads to"),
    ("mismatched-link", link("https://notmybank.com/a", "mybank.com"), "leads to"),
    ("mismatched-link", link("https://github.com/evil/a", "www.mybank.com"), "leads to github.com"),
    ("mismatched-link", link("https://github.com/evil/a", "mybank.com/login"), "leads to github"),
    ("mismatched-link", link("https://web.archive.org/web/2019/http://a.no", "b.no"), "leads to"),
    ("mismatched-link", link("https://evil.example/a", "`https://mybank.example`"), "leads to"),
    ("mismatched-link", link("https://docs.tides.example/a", "file.info"), "'file.info' leads"),
    ("mismatched-link", "https://tides.example\n\n" + link("https://evil.example", "mybank.com"),
     "'mybank.com' leads to evil"),
    ("doubled-parameter", link("https://a.example/?utm_source=a&utm_source=b"),
     "utm_source is in the URL twice"),
    ("doubled-parameter", link("https://a.example/?UTM_source=a&utm_source=b"), "utm_source is in"),
    ("doubled-parameter", link("https://a.example/?utm_term=&utm_term="), "utm_term is in"),
    ("doubled-parameter", link("https://a.example/?utm_id=a&utm_id=b&utm_term=c&utm_term=d"),
     "utm_id is in"),
    ("doubled-parameter", link("https://a.example/?a=b?utm_source=c"), "? is in the URL twice"),
]  # fmt: skip

QUIET: list[tuple[str, str]] = [
    ("empty-link", link("#end") + '\n\n<p id="end">x</p>'),
    ("empty-link", link("https://tides.example/#")),
    ("empty-link", '<a name="end">The end</a>'),
    ("relative-link", link("/tables/")),
    ("relative-link", link("//tides.example/a")),
    ("relative-link", link("https://tides.example/a")),
    ("relative-link", link("HTTPS://tides.example/a")),
    ("relative-link", link("mailto:bo@tides.example")),
    ("relative-link", link("tel:+4712345678")),
    ("relative-link", link("#end")),
    ("relative-link", link("{{ unsubscribe_url }}")),
    ("insecure-link", link("https://tides.example/a")),
    ("insecure-link", link("http://harbournotes.example/a")),
    *[
        ("broken-url", html_link(url))
        for url in ("https://tides.example/a,b", "https://tides.example/https://a.example",
                    "https://tides.example?a,b", "https.html", "httpd/notes", "http/2.html",
                    "wwwhat.html", "tables.html", "/www.a", "#https//a", "mailto:bo@tides.example",
                    "https-notes/", "HTTPS://TIDES.EXAMPLE", "", "https://thelocal/a")
    ],
    ("relative-link", link("www.tides.example/a")),
    ("relative-link", link("https//tides.example/a")),
    ("insecure-link", "Open http://example.com/a in your browser."),
    ("insecure-link", link("http://localhost/a")),
    ("insecure-link", link("http://192.168.0.9/a")),
    ("private-link", link("https://localhost.example/a")),
    ("private-link", link("https://test.example/a")),
    ("private-link", link("https://thelocal/a")),
    ("private-link", link("https://local.example/a")),
    ("private-link", link("http://8.8.8.8/a")),
    ("private-link", link("http://172.32.0.1/a")),
    ("private-link", link("http://[2606:4700::1111]/a")),
    ("private-link", link("mailto:bo@localhost")),
    ("private-link", "Open http://localhost:8080/boats in your browser."),
    ("private-link", link("http://localhost:8000/a", "localhost:8000/a")),
    ("private-link", "Look at http://192.168.0.9/a or http://nas.local now."),
    *[
        ("private-address", body)
        for body in ("Open http://localhost:8080/a now.", "Open <http://127.0.0.1/> now.",
                     "Look at http://wiki.internal/a now.", "See https://tides.example/a now.",
                     link("http://192.168.0.9/a"), "`http://192.168.0.9/a`",
                     "![A tern](http://192.168.0.9/a.png)")
    ],
    ("private-link", "Open http://localhost:8080 in your browser."),
    ("private-link", "Open <http://127.0.0.1:8080/> in your browser."),
    ("private-link", "Open <http://0.0.0.0:3000/a> in your browser."),
    ("private-link", "Open <http://boats.localhost:3000/a> in your browser."),
    ("private-link", "Open `http://192.168.0.9/a` in your browser."),
    ("staging-link", link("https://preview.tides.example/a")),
    ("staging-link", link("https://dev.to/mia/boats")),
    ("staging-link", link("https://terns.netlify.app/a")),
    ("staging-link", link("https://terns.vercel.app/a")),
    ("staging-link", link("https://terns.pages.dev/a")),
    ("staging-link", link("https://terns.github.io/dev/")),
    ("staging-link", link("https://staging.example/a")),
    ("staging-link", link("https://preview.co.uk/a")),
    ("staging-link", link("https://dev.mysql.example/a")),
    ("staging-link", link("https://test.tides.example/a")),
    ("staging-link", link("https://center-stage.tides.example/a")),
    ("staging-link", link("https://backstage.tides.example/a")),
    ("staging-link", link("https://latest.harbournotes.example/a")),
    ("staging-link", link("https://tides.example/staging.html")),
    ("staging-link", link("https://ngrok.io/docs")),
    ("staging-link", link("mailto:bo@staging.tides.example")),
    ("bad-address", link("mailto:bo@tides.example")),
    ("bad-address", link("mailto:bo@tides.example?subject=A%20b")),
    ("bad-address", link("mailto:bo@tides.example,jo@tides.example")),
    ("bad-address", html_link("mailto:bo@tides.example,%20jo@tides.example")),
    ("bad-address", link("mailto:?subject=Boats")),
    ("bad-address", link("tel:+47 12 34 56 78".replace(" ", "%20"))),
    ("bad-address", link("tel:112")),
    ("bad-address", link("tel:555-0100,,123%23")),
    ("bad-address", link("tel:+15550100p123")),
    ("bad-address", link("tel:*100%23")),
    ("bad-address", link("mailto:bo%40tides.example")),
    ("bad-address", link("mailto:{{ subscriber.email }}")),
    ("bad-address", link("tel:(0)12-34.56")),
    ("bad-address", link("tel:+4712345678;ext=9")),
    ("bad-address", link("https://tides.example/mailto:x")),
    ("bad-address", "We use cjs-lexer@1.1.0 and node-gyp@3.0.3 now."),
    ("missing-anchor", link("#end") + '\n\n<p id="end">x</p>'),
    ("missing-anchor", link("#end") + '\n\n<a name="end"></a>x'),
    ("missing-anchor", link("#The-End") + '\n\n<p id="the-end">x</p>'),  # linked as #the-end
    ("missing-anchor", link("#%C3%A9t%C3%A9") + '\n\n<p id="été">x</p>'),
    ("missing-anchor", html_link("#café") + '\n\n<p id="café">x</p>'),
    ("missing-anchor", html_link("#a%20b") + '\n\n<p id="a%20b">x</p>'),
    ("missing-anchor", link("#i-unsound-issues-crab") + "\n\n## I-unsound issues 🦀"),
    ("missing-anchor", link("#crab-boats-rocket") + "\n\n## 🦀 Boats 🚀"),
    ("missing-anchor", link("#aerlig-talt") + "\n\n## Ærlig talt"),
    ("missing-anchor", link("#boats-thumbs-up-sign") + "\n\n## Boats 👍"),
    ("missing-anchor", link("#boats-") + "\n\n## Boats 🦀"),
    ("missing-anchor", link("#top")),
    ("missing-anchor", link("#TOP")),
    ("missing-anchor", link("#")),
    ("missing-anchor", "A note[^1] is here.\n\n[^1]: And here."),
    ("missing-anchor", "A note[^a b] is `#[here]`."),
    ("missing-anchor", link("https://tides.example/a#end")),
    ("missing-anchor", link("/a#end")),
    ("shortened-link", link("https://rabbit.ly/3abc")),
    ("shortened-link", link("https://bit.ly.tides.example/3abc")),
    ("shortened-link", link("https://tides.example/t.co")),
    ("shortened-link", link("mailto:bo@t.co")),
    *[
        ("mismatched-link", link("https://docs.tides.example/a", text))
        for text in (
            "process.env", "Cargo.lock", "config.json", "README.md", "Node.js", "ASP.NET",
            "asp.net", "index.html", "main.rs", "setup.py", "deploy.sh", "a.b.ts", "backup.zip",
            "clip.mov", "URI.escape", "Object.is", "Finder.app", "window.location",
            "crates.io#12315", "v1.2.3", "1.2", "e.g.", "mybank", "my bank.com", "Bo's.boat",
            "`user.name`", "`file.info`", "`config.site` ", "https://", "a..com",
            "-.com", ".com", "tides.example",
            "https://tides.example/b", "www.tides.example", "docs.tides.example/b",
            "x.tides.example",
        )
    ],
    ("mismatched-link", link("https://tides.example/a", "docs.tides.example")),
    ("mismatched-link", link("https://tides.co.uk/a", "shop.tides.co.uk")),
    ("mismatched-link", link("https://x.com/bo", "twitter.com/bo")),
    ("mismatched-link", link("https://youtu.be/abc", "youtube.com/watch?v=abc")),
    ("mismatched-link", link("https://web.archive.org/web/2019/http://a.no/x", "a.no/x")),
    ("mismatched-link", link("https://github.com/socketio/socket.io", "socket.io")),
    ("mismatched-link", link("https://www.npmjs.com/package/draw.io", "draw.io")),
    ("mismatched-link", link("https://en.wikipedia.org/wiki/Booking.com", "Booking.com")),
    ("mismatched-link", link("https://xn--bcher-kva.de/a", "bücher.de")),
    ("mismatched-link", link("https://bücher.de/a", "Bücher.de")),
    ("mismatched-link", html_link("https://www.bücher.de/a", "www.bücher.de")),
    ("mismatched-link", link("https://президент.рф/a", "президент.рф")),
    ("mismatched-link", "See https://bücher.de/straße and https://中文.com/路径 now."),
    ("mismatched-link", link("https://bsky.app/profile/mia.net", "mia.net")),
    ("mismatched-link", link("mailto:bo@mybank.com", "mybank.com")),
    ("mismatched-link", "See https://tides.example/a?b=c&d=%C3%A9 now."),
    ("doubled-parameter", link("https://a.example/?utm_source=a&utm_medium=b")),
    ("doubled-parameter", link("https://a.example/?tag=a&tag=b")),
    ("doubled-parameter", link("https://a.example/?x_utm_source=a&x_utm_source=b")),
    ("doubled-parameter", link("https://a.example/?a=b#?utm_source=c&utm_source=d")),
    ("doubled-parameter", link("https://a.example/?utm_source=a&x_utm_source=b")),
]  # fmt: skip


@pytest.mark.parametrize("edge", [*FIRES, *QUIET])
def test_edges(check_edge: CheckEdge, edge: tuple[str, ...]) -> None:
    check_edge(*edge)


@pytest.mark.parametrize(
    ("rule", "url", "settings"),
    [
        ("insecure-link", "http://tides.example/a", {"site_url": "https://tides.example"}),
        ("private-link", "http://localhost:8000/a", {"public_url": "http://localhost:8000"}),
        ("private-link", "http://localhost:9/a", {"image_url": "http://localhost:9/{slug}/{file}"}),
        ("staging-link", "https://uat.a.example/x", {"site_url": "https://uat.a.example"}),
        (
            "staging-link",
            "https://staging.a.example/x",
            {"issue_url": "https://staging.a.example/{slug}"},
        ),
    ],
)
def test_hosts_of_the_settings_are_checked_elsewhere(
    get_messages: GetMessages, rule: str, url: str, settings: dict[str, Any]
) -> None:
    assert get_messages(rule, link(url))
    assert get_messages(rule, link(url), settings=settings) == []


def test_relative_link_is_sure_if_the_address_of_the_post_is_known(
    get_messages: GetMessages, make_png: Any
) -> None:
    front = {"canonical_url": "https://harbournotes.example/2026/spring/"}
    assert get_messages("relative-link", link("../tables/"), front=front) == []
    files = {"boat.png": make_png(600, 400)}
    body = "[![Boat](boat.png)](boat.png)"
    assert get_messages("relative-link", body, files=files) == []


@pytest.mark.parametrize("rule", ["insecure-link", "shortened-link", "private-link"])
def test_url_that_is_linked_twice_is_found_once(get_messages: GetMessages, rule: str) -> None:
    url = {"insecure-link": "http://a.example/x", "shortened-link": "https://bit.ly/x"}.get(
        rule, "https://nas.local/x"
    )
    assert len(get_messages(rule, f"{link(url)}\n\n{link(url, 'again')}")) == 1


@pytest.mark.parametrize(
    ("rule", "url"),
    [
        ("insecure-link", "http://tides.example/"),
        ("private-link", "https://nas.local/"),
        ("staging-link", "https://staging.tides.example/"),
        ("bad-address", "mailto:"),
        ("shortened-link", "https://bit.ly/"),
        ("sample-link", "https://example.com/"),
    ],
)
def test_long_url_is_cut_in_the_message(get_messages: GetMessages, rule: str, url: str) -> None:
    (message,) = get_messages(rule, link(url + "a" * 90))
    assert message.partition(" ")[0] == (url + "a" * 90)[:80]


@pytest.mark.parametrize("rule", ["sample-link", "insecure-link", "private-link"])
def test_button_is_checked_too(get_messages: GetMessages, rule: str) -> None:
    url = {"sample-link": "https://example.com/a", "insecure-link": "http://a.example/x"}.get(
        rule, "https://nas.local/x"
    )
    front = {"button": {"text": "Read it", "url": url}}
    assert len(get_messages(rule, front=front)) == 1


@pytest.mark.parametrize(("url", "count"), [("#", 1), (" #", 1), ("javascript:a()", 1), ("#a", 0)])
def test_empty_link_of_a_template(make_context: Any, url: str, count: int) -> None:
    context = make_context()
    html = context.email.html.replace("</body>", f'<a href="{url}">Go</a></body>')
    found = empty_link.find(replace(context, email=replace(context.email, html=html)))
    assert [finding.message for finding in found] == ["the link 'Go' leads nowhere"] * count


def test_url_of_a_template_that_cannot_be_read_is_not_called_private(make_context: Any) -> None:
    context = make_context()
    html = context.email.html.replace("</body>", '<a href="http://[tides/a">Go</a></body>')
    assert private_link.find(replace(context, email=replace(context.email, html=html))) == []


@pytest.mark.parametrize("key", ["digest", "further"])
def test_a_link_of_a_card_has_the_line_of_the_card(make_context: Any, key: str) -> None:
    cards = [
        {"title": "Knots", "url": "https://a.example/knots"},
        {"title": "Nets", "url": "http://kartverket.example/nets?a=1&b=2"},
    ]
    context = make_context(front={key: cards})
    (found,) = {finding.where for finding in insecure_link.find(context)}
    assert found
    assert context.issue.source.splitlines()[(found.line or 0) - 1] == "- title: Nets"
