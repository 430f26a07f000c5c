"""The link scanner of a rehearsal: finds links, opens them, and detects changes."""

import datetime
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import sqlalchemy as sa

from newsletter.db.schema import subscriber
from newsletter.sending.rehearsal.fake_sendgrid.schema import MailSend
from newsletter.sending.rehearsal.link_scanner import (
    USER_AGENTS,
    find_site_links,
    iter_recipient_texts,
    scan_links,
)
from newsletter.subscribers.address import parse_address
from newsletter.subscribers.consent import changes
from newsletter.subscribers.consent.journal import ChangeOrigin

SITE = "https://news.harbour-notes.org"
NOW = datetime.datetime(2026, 11, 22, 9, 0, tzinfo=datetime.UTC)


@contextmanager
def serve_site(engine: sa.Engine, *, acts: bool = False, status: int = 200) -> Iterator[str]:
    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            token = self.path.rpartition("/")[2]
            with engine.begin() as connection:
                query = sa.select(subscriber.c.address_key).where(subscriber.c.token == token)
                key = connection.scalar(query)
                if acts and key and self.command == "GET":
                    changes.unsubscribe(connection, key, ChangeOrigin(NOW, "form"))
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        do_HEAD = do_GET  # noqa: N815 - http.server's name

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Page)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def texts(engine: sa.Engine) -> dict[int, str]:
    """Return two subscribers' emails, each with an unsubscribe link and a link to the issue."""
    with engine.begin() as connection:
        for name in ("ada", "bo"):
            address = parse_address(f"{name}@example.com")
            changes.subscribe(connection, address, "active", ChangeOrigin(NOW, "form"))
        rows = connection.execute(sa.select(subscriber.c.id, subscriber.c.token)).all()
    return {row.id: f'<a href="{SITE}/u/{row.token}">x</a> {SITE}/issues/ice.' for row in rows}


def test_pages_that_only_display_change_no_subscriber(
    engine: sa.Engine, texts: dict[int, str]
) -> None:
    with serve_site(engine) as url:
        result = scan_links(engine, texts, SITE, url)
    assert (result.readers, result.links, result.changed, result.broken) == (2, 3, 0, 0)
    assert result.requests == 3 * 2 * len(USER_AGENTS)


def test_link_that_acts_when_opened_is_counted(engine: sa.Engine, texts: dict[int, str]) -> None:
    with serve_site(engine, acts=True) as url:
        assert scan_links(engine, texts, SITE, url).changed == 2


def test_broken_unsubscribe_link_is_counted(engine: sa.Engine, texts: dict[int, str]) -> None:
    with serve_site(engine, status=404) as url:
        result = scan_links(engine, texts, SITE, url)
    assert (result.changed, result.broken) == (0, 2)


def test_links_are_found_in_html_text_and_headers() -> None:
    mail_send = MailSend.model_validate_json(
        b'{"from": {"email": "editor@harbour-notes.org"}, "subject": "Ice",'
        b'"custom_args": {"nl_send": "1"}, "content": ['
        b'{"type": "text/plain", "value": "Read: https://news.harbour-notes.org/issues/ice.\\n"},'
        b'{"type": "text/html", "value": "<a href=\\"https://news.harbour-notes.org/p/-t-?a=1&amp;b=2\\">'
        b'x</a> https://news.harbour-notes.org.evil.example/ https://other.example/"}],'
        b'"personalizations": [{"to": [{"email": "ada@example.com"}],'
        b'"substitutions": {"-t-": "secret"}, "custom_args": {"nl_subscriber": "7"},'
        b'"headers": {"List-Unsubscribe": "<https://news.harbour-notes.org/u/secret>"}}]}'
    )
    [(subscriber_id, text)] = iter_recipient_texts(mail_send)
    assert subscriber_id == 7
    assert find_site_links(text, SITE) == {
        f"{SITE}/issues/ice",
        f"{SITE}/p/secret?a=1&b=2",
        f"{SITE}/u/secret",
    }
