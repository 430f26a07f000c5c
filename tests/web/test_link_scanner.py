"""Link scanners open every link of an email first: that changes nothing."""

import re
from collections.abc import Callable
from html import unescape
from pathlib import Path

import sqlalchemy as sa
import urllib3

from newsletter.db import database_engine, read_transaction
from newsletter.db.schema import (
    journal,
    subscriber,
    subscriber_tag,
    suppression,
    transactional_email,
)
from newsletter.project import open_project
from newsletter.sending.rehearsal import FakeSendGrid
from newsletter.sending.rehearsal.fake_sendgrid.schema import MailSend
from newsletter.web.rehearsal_site import serve_rehearsal_site

Cli = Callable[..., tuple[int, str, str]]
SITE = "https://news.harbour-notes.org"
TIMES = 20
AGENTS = (
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7)",
    "Mozilla/4.0 (compatible; ms-office; MSOffice 16)",
    "Barracuda Sentinel (EE)",
    "Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)",
)
TABLES = (subscriber, subscriber_tag, journal, suppression, transactional_email)


def extract_links(mail: MailSend) -> set[str]:
    """Every link of the first recipient's email: HTML, text and headers."""
    personalization = mail.personalizations[0]
    parts = [part.value for part in mail.content]
    parts += [*mail.headers.values(), *personalization.headers.values()]
    text = "\n".join(parts)
    for tag, value in personalization.substitutions.items():
        text = text.replace(tag, value)
    found = re.findall(r"""https?://[^\s"'<>]+""", text)
    return {unescape(link).rstrip(".,)") for link in found}


def test_opening_every_link_of_an_email_changes_nothing(
    newsletter: Cli, fake_sendgrid: FakeSendGrid, project_folder: Path
) -> None:
    code, _, err = newsletter("send", "--yes")
    assert code == 0, err
    mail = MailSend.model_validate_json(fake_sendgrid.requests[0].body)
    personalization = mail.personalizations[0]
    header = personalization.headers["List-Unsubscribe"]
    assert personalization.headers["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    links = {link for link in extract_links(mail) if link.startswith(f"{SITE}/")}
    assert {re.sub(r"(/[up]/).*", r"\1", link) for link in links} >= {f"{SITE}/u/", f"{SITE}/p/"}

    project = open_project(project_folder)
    with (
        database_engine(project.config.database, project.root) as engine,
        serve_rehearsal_site(project, engine) as url,
        urllib3.PoolManager(retries=2, timeout=60) as pool,
    ):
        before = load_rows(engine)
        for link in sorted(links):
            for number in range(TIMES):
                agent = AGENTS[number % len(AGENTS)]
                for method in ("GET", "HEAD"):
                    local_url = url + link.removeprefix(SITE)
                    response = pool.request(method, local_url, headers={"User-Agent": agent})
                    assert response.status < 300, link
        assert load_rows(engine) == before

        # The one-click POST of the recipient's own mail client does unsubscribe.
        path = header.partition(f"<{SITE}")[2].partition(">")[0]
        one_click = pool.request(
            "POST",
            url + path,
            body="List-Unsubscribe=One-Click",
            headers={"Content-Type": "application/x-www-form-urlencoded"},
        )
        assert one_click.status == 200
        assert load_rows(engine) != before


def load_rows(engine: sa.Engine) -> bytes:
    """All rows about subscribers."""
    with read_transaction(engine) as connection:
        return b"\n".join(
            repr(row).encode()
            for table in TABLES
            for row in connection.execute(sa.select(table).order_by(*table.primary_key))
        )
