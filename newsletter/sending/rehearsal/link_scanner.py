"""Open the links of rehearsed emails, as security software does.

Mail gateways open every link before the recipient does. A link that acts when it is merely opened
would unsubscribe people who never clicked it. So every link to the newsletter's own pages in some
recipients' emails is opened here, on a local site over the scratch database; links to other sites
are not opened.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from html import unescape

import sqlalchemy as sa
import urllib3

from newsletter.db import read_transaction
from newsletter.db.schema import journal, subscriber
from newsletter.sending.rehearsal.fake_sendgrid.schema import MailSend, Personalization
from newsletter.sending.rehearsal.result import LinkScanResult

# Enough for every kind of link; more would only repeat them.
MAX_SCANNED_RECIPIENTS = 50
# A browser, a mail gateway, and a chat program's link preview.
USER_AGENTS = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64)",
    "BarracudaCentral",
    "Slackbot-LinkExpanding 1.0",
)
METHODS = ("HEAD", "GET")
HTTP_OK = 200
_LINK_END = re.compile(r"""[\s"'<>]""")


def iter_recipient_texts(mail_send: MailSend) -> Iterator[tuple[int, str]]:
    """Yield each recipient's id and everything sent to them: body and headers, as one text."""
    for personalization in mail_send.personalizations:
        args = {**mail_send.custom_args, **personalization.custom_args}
        yield int(args["nl_subscriber"]), _fill_tokens(mail_send, personalization)


def find_site_links(text: str, site: str) -> set[str]:
    """Return the links to ``site`` in the text of an email."""
    links = set()
    for rest in text.split(site)[1:]:
        rest = _LINK_END.split(rest, maxsplit=1)[0]  # noqa: PLW2901 - up to the end of the link
        if not rest or rest[0] in "/?#":
            links.add(unescape(site + rest).rstrip(").,"))
    return links


def scan_links(
    scratch: sa.Engine, texts: Mapping[int, str], site: str, local_url: str
) -> LinkScanResult:
    """Open every link of some emails by GET and by HEAD, once for each of ``USER_AGENTS``.

    Args:
        scratch: the database of the local site.
        texts: subscriber id -> the text of their email.
        site: the URL in the links, without a trailing slash.
        local_url: the URL of the local site that is opened instead.
    """
    with read_transaction(scratch) as connection:
        query = sa.select(subscriber.c.id, subscriber.c.token)
        tokens: dict[int, str] = dict(
            connection.execute(query.where(subscriber.c.id.in_(texts))).all()
        )
    before = _load_subscriber_rows(scratch, texts)
    owners = {link: id_ for id_, text in texts.items() for link in find_site_links(text, site)}
    broken = requests = 0
    with urllib3.PoolManager(retries=2, timeout=10) as pool:
        for link, id_ in owners.items():
            url = local_url + link.removeprefix(site)
            statuses = [
                _fetch_status(pool, method, url, agent)
                for agent in USER_AGENTS
                for method in METHODS
            ]
            requests += len(statuses)
            broken += tokens[id_] in link and set(statuses) != {HTTP_OK}
    after = _load_subscriber_rows(scratch, texts)
    changed = sum(after.get(id_) != row for id_, row in before.items())
    return LinkScanResult(len(texts), len(owners), requests, changed, broken)


def _fetch_status(pool: urllib3.PoolManager, method: str, url: str, agent: str) -> int:
    """Return the status of the response, or 0 if there was none."""
    try:
        return pool.request(method, url, redirect=False, headers={"User-Agent": agent}).status
    except urllib3.exceptions.HTTPError:
        return 0


def _fill_tokens(mail_send: MailSend, personalization: Personalization) -> str:
    parts = [part.value for part in mail_send.content]
    parts += [f"<{value}>" for value in {**mail_send.headers, **personalization.headers}.values()]
    text = "\n".join(parts)
    for token, value in personalization.substitutions.items():
        text = text.replace(token, value)
    return text


def _load_subscriber_rows(scratch: sa.Engine, ids: Iterable[int]) -> dict[int, tuple[object, ...]]:
    """Return all that is stored about some subscribers, with the length of their journal."""
    journal_length = (
        sa.select(sa.func.count())
        .where(journal.c.subscriber_id == subscriber.c.id)
        .correlate(subscriber)
        .scalar_subquery()
    )
    query = sa.select(subscriber, journal_length).where(subscriber.c.id.in_(list(ids)))
    with read_transaction(scratch) as connection:
        return {row.id: tuple(row) for row in connection.execute(query)}
