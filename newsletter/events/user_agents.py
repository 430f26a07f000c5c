"""Which mail programs the readers use, as far as the events of opened mails tell."""

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from functools import lru_cache

import sqlalchemy as sa

from newsletter.checks.analysis.client_support import PUBLISHED_SHARES, ClientShares
from newsletter.db import read_transaction
from newsletter.db.schema import event, send

MIN_RECIPIENTS = 50  # readers whose program is known: fewer say little of the rest
_RECENT_SENDS = 8  # the newest: what readers used long ago is no guide
# Where a mail is opened the program says itself who it is; a click comes from the browser. Gmail's
# proxy does not tell the app from the site, nor Apple's privacy protection a phone from a Mac.
_CLIENT_PATTERNS: tuple[tuple[str, tuple[str, ...]], ...] = (
    (r"GoogleImageProxy", ("gmail", "gmail_app")),
    (r"YahooMailProxy", ("yahoo",)),
    (r"Microsoft Outlook|MSOffice|ms-office", ("outlook",)),
    (r"OutlookMobile|Outlook-(?:iOS|Android)", ()),
    (r"Thunderbird/", ("thunderbird",)),
    (r"SamsungEmail|Samsung Email", ("samsung",)),
    (r"^Mozilla/5\.0$", ("apple_mail", "apple_mail_mac")),
    (r"\((?:iPhone|iPad|iPod).*AppleWebKit(?!.*(?:Safari|CriOS|FxiOS))", ("apple_mail",)),
    (r"\(Macintosh.*AppleWebKit(?!.*(?:Safari|Chrome))", ("apple_mail_mac",)),
)
_COMPILED_PATTERNS = tuple((re.compile(pattern), keys) for pattern, keys in _CLIENT_PATTERNS)


def load_client_shares(engine: sa.Engine) -> ClientShares:
    """The part of the readers who use each mail client; published shares if too few are known."""
    newest = sa.select(send.c.id).order_by(send.c.frozen_at.desc()).limit(_RECENT_SENDS)
    query = (
        sa.select(event.c.address_key, sa.cast(event.c.raw["useragent"], sa.Text))
        .where(event.c.type == "open", event.c.send_id.in_(newest))
        .distinct()
    )
    with read_transaction(engine) as connection:
        return compute_client_shares(
            (key, _decode_json_text(agent)) for key, agent in connection.execute(query)
        )


def compute_client_shares(opens: Iterable[tuple[str, str]]) -> ClientShares:
    """The same from pairs of a reader and a ``User-Agent``; who uses two counts for both."""
    users: defaultdict[tuple[str, ...], set[str]] = defaultdict(set)
    for reader, agent in opens:
        if clients := identify_clients(agent):
            users[clients].add(reader)
    known = len(set().union(*users.values()))
    if known < MIN_RECIPIENTS:
        return PUBLISHED_SHARES
    return ClientShares(_share_by_client(users, known), "your readers")


def _share_by_client(users: Mapping[tuple[str, ...], set[str]], known: int) -> dict[str, float]:
    parts: defaultdict[str, float] = defaultdict(float)
    for clients, readers in users.items():
        for one in clients:
            parts[one] += len(readers) / len(clients) / known
    return parts


@lru_cache(maxsize=10_000)  # many readers, few mail programs
def identify_clients(user_agent: str) -> tuple[str, ...]:
    """The clients that a ``User-Agent`` may be, by their keys in ``checks.client_support``."""
    return next(
        (keys for pattern, keys in _COMPILED_PATTERNS if pattern.search(user_agent[:1_000])), ()
    )


def _decode_json_text(value: str | None) -> str:
    try:
        found = json.loads(value or '""')
    except ValueError:
        return value or ""  # SQLite hands a text out without its quotes
    return found if isinstance(found, str) else ""
