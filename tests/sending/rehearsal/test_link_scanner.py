"""A rehearsal opens links as scanners do, and would tell if one of them acted."""

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
def stand_in(engine: sa.Engine, *, acts: bool = False, status: int = 200) -> Iterator[str]:
    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            token = self.path.rpartition("/")[2]
            with engine.begin() as connection:
                mine = sa.select(subscriber.c.address_key).where(subscriber.c.token == token)
                key = connection.scalar(mine)
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
def letters_of(engine: sa.Engine) -> dict[int, str]:
    """Two readers' letters, each with a link to leave and one to the issue."""
    with engine.begin() as connection:
        for name in ("ada", "bo"):
            address = parse_address(f"{name}@example.com")
            changes.subscribe(connection, address, "active", ChangeOrigin(NOW, "form"))
        rows = connection.execute(sa.select(subscriber.c.id, subscriber.c.token)).all()
    return {row.id: f'<a href="{SITE}/u/{row.token}">x</a> {SITE}/issues/ice.' for row in rows}


def test_pages_that_only_show_change_nobody(engine: sa.Engine, letters_of: dict[int, str]) -> None:
    with stand_in(engine) as url:
        found = scan_links(engine, letters_of, SITE, url)
    assert (found.readers, found.links, found.changed, found.broken) == (2, 3, 0, 0)
    assert found.requests == 3 * 2 * len(USER_AGENTS)


def test_a_link_that_acts_when_opened_is_told(
    engine: sa.Engine, letters_of: dict[int, str]
) -> None:
    with stand_in(engine, acts=True) as url:
        assert scan_links(engine, letters_of, SITE, url).changed == 2


def test_a_way_out_that_leads_nowhere_is_told(
    engine: sa.Engine, letters_of: dict[int, str]
) -> None:
    with stand_in(engine, status=404) as url:
        found = scan_links(engine, letters_of, SITE, url)
    assert (found.changed, found.broken) == (0, 2)


def test_links_are_found_in_html_text_and_headers() -> None:
    mail = MailSend.model_validate_json(
        b'{"from": {"email": "editor@harbour-notes.org"}, "subject": "Ice",'
        b'"custom_args": {"nl_send": "1"}, "content": ['
        b'{"type": "text/plain", "value": "Read: https://news.harbour-notes.org/issues/ice.\\n"},'
        b'{"type": "text/html", "value": "<a href=\\"https://news.harbour-notes.org/p/-t-?a=1&amp;b=2\\">'
        b'x</a> https://news.harbour-notes.org.evil.example/ https://other.example/"}],'
        b'"personalizations": [{"to": [{"email": "ada@example.com"}],'
        b'"substitutions": {"-t-": "secret"}, "custom_args": {"nl_subscriber": "7"},'
        b'"headers": {"List-Unsubscribe": "<https://news.harbour-notes.org/u/secret>"}}]}'
    )
    [(reader, letter)] = iter_recipient_texts(mail)
    assert reader == 7
    assert find_site_links(letter, SITE) == {
        f"{SITE}/issues/ice", f"{SITE}/p/secret?a=1&b=2", f"{SITE}/u/secret",
    }  # fmt: skip
