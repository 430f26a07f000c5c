"""What security software does to a mail: opens every link of it, before its reader has a chance.

A link that acts when it is merely opened takes readers off the list whom nobody has asked. So
every link of some readers' mails that leads to the newsletter's own pages is opened here, on a
stand-in for the site over the scratch database; others' pages are left alone.
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

# Enough to meet every kind of link; more would only be the same again.
MAX_SCANNED_RECIPIENTS = 50
# What opens links: mail gateways, a mail client's preview, and a person.
USER_AGENTS = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64)",
    "BarracudaCentral",
    "Slackbot-LinkExpanding 1.0",
)
METHODS = ("HEAD", "GET")
HTTP_OK = 200
_LINK_END = re.compile(r"""[\s"'<>]""")


def iter_recipient_texts(mail_send: MailSend) -> Iterator[tuple[int, str]]:
    """Each reader's id, and all that they get: body and headers, as one text."""
    for one in mail_send.personalizations:
        args = {**mail_send.custom_args, **one.custom_args}
        yield int(args["nl_subscriber"]), _fill_tokens(mail_send, one)


def find_site_links(text: str, site: str) -> set[str]:
    """The links of a letter that lead to a site."""
    found = set()
    for rest in text.split(site)[1:]:
        rest = _LINK_END.split(rest, maxsplit=1)[0]  # noqa: PLW2901 - up to the end of the link
        if not rest or rest[0] in "/?#":
            found.add(unescape(site + rest).rstrip(").,"))
    return found


def scan_links(
    scratch: sa.Engine, texts: Mapping[int, str], site: str, local_url: str
) -> LinkScanResult:
    """Open every link of some letters, as often as there are ``AGENTS``, by GET and by HEAD.

    Args:
        scratch: the list that the stand-in works on.
        texts: subscriber id -> their letter.
        site: where the links lead, without a trailing slash.
        local_url: where the site runs instead.
    """
    with read_transaction(scratch) as connection:
        tokens = sa.select(subscriber.c.id, subscriber.c.token)
        token: dict[int, str] = dict(
            connection.execute(tokens.where(subscriber.c.id.in_(texts))).all()
        )
    before = _load_subscriber_rows(scratch, texts)
    found = {link: id_ for id_, letter in texts.items() for link in find_site_links(letter, site)}
    broken = requests = 0
    with urllib3.PoolManager(retries=2, timeout=10) as pool:
        for link, id_ in found.items():
            url = local_url + link.removeprefix(site)
            answers = [
                _fetch_status(pool, method, url, agent)
                for agent in USER_AGENTS
                for method in METHODS
            ]
            requests += len(answers)
            broken += token[id_] in link and set(answers) != {HTTP_OK}
    after = _load_subscriber_rows(scratch, texts)
    changed = sum(after.get(id_) != was for id_, was in before.items())
    return LinkScanResult(len(texts), len(found), requests, changed, broken)


def _fetch_status(pool: urllib3.PoolManager, method: str, url: str, agent: str) -> int:
    """The status of the answer; 0 if there was none."""
    try:
        return pool.request(method, url, redirect=False, headers={"User-Agent": agent}).status
    except urllib3.exceptions.HTTPError:
        return 0


def _fill_tokens(mail_send: MailSend, personalization: Personalization) -> str:
    parts = [part.value for part in mail_send.content]
    parts += [f"<{value}>" for value in {**mail_send.headers, **personalization.headers}.values()]
    text = "\n".join(parts)
    for tag, value in personalization.substitutions.items():
        text = text.replace(tag, value)
    return text


def _load_subscriber_rows(scratch: sa.Engine, ids: Iterable[int]) -> dict[int, tuple[object, ...]]:
    """All that is stored of some readers, with the length of their journal."""
    lines = (
        sa.select(sa.func.count())
        .where(journal.c.subscriber_id == subscriber.c.id)
        .correlate(subscriber)
        .scalar_subquery()
    )
    mine = sa.select(subscriber, lines).where(subscriber.c.id.in_(list(ids)))
    with read_transaction(scratch) as connection:
        return {row.id: tuple(row) for row in connection.execute(mine)}
