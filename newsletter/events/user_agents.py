"""Estimate the share of each mail client from recorded opens."""

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from functools import lru_cache

import sqlalchemy as sa

from newsletter.checks.analysis.client_support import PUBLISHED_SHARES, ClientShares
from newsletter.db import read_transaction
from newsletter.db.schema import event, send

MIN_RECIPIENTS = 50  # recipients whose client is known: fewer would not represent the others
_RECENT_SENDS = 8  # the newest sends: clients change over the years
# An open has the mail client's User-Agent; a click has the browser's. Gmail's proxy doesn't
# distinguish the app from the site, nor Apple's Mail Privacy Protection a phone from a Mac.
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
    """Return the share of each mail client, or published shares if too few are known."""
    newest = (
        sa.select(send.c.id)
        .order_by(send.c.frozen_at.desc(), send.c.id.desc())
        .limit(_RECENT_SENDS)
    )
    query = (
        sa.select(event.c.address_key, sa.cast(event.c.raw["useragent"], sa.Text))
        .where(event.c.type == "open", event.c.send_id.in_(newest))
        .distinct()
    )
    with read_transaction(engine) as connection:
        return compute_client_shares(
            (key, _decode_json_text(user_agent)) for key, user_agent in connection.execute(query)
        )


def compute_client_shares(opens: Iterable[tuple[str, str]]) -> ClientShares:
    """Return the shares from pairs of address key and ``User-Agent``.

    A recipient who uses two clients counts for both.
    """
    users: defaultdict[tuple[str, ...], set[str]] = defaultdict(set)
    for address_key, user_agent in opens:
        if clients := identify_clients(user_agent):
            users[clients].add(address_key)
    known = len(set().union(*users.values()))
    if known < MIN_RECIPIENTS:
        return PUBLISHED_SHARES
    return ClientShares(_share_by_client(users, known), "your readers")


def _share_by_client(users: Mapping[tuple[str, ...], set[str]], known: int) -> dict[str, float]:
    shares: defaultdict[str, float] = defaultdict(float)
    for clients, address_keys in users.items():
        for client in clients:
            shares[client] += len(address_keys) / len(clients) / known
    return shares


@lru_cache(maxsize=10_000)  # many recipients, few mail clients
def identify_clients(user_agent: str) -> tuple[str, ...]:
    """Return the mail clients that a ``User-Agent`` may belong to.

    They are keys of ``newsletter.checks.analysis.client_support``.
    """
    return next(
        (keys for pattern, keys in _COMPILED_PATTERNS if pattern.search(user_agent[:1_000])), ()
    )


def _decode_json_text(value: str | None) -> str:
    try:
        decoded = json.loads(value or '""')
    except ValueError:
        return value or ""  # SQLite returns a JSON string without its quotes
    return decoded if isinstance(decoded, str) else ""
