"""Generate a send with realistic, random events, reproducible by its seed."""

import datetime
import itertools
import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from newsletter.db.schema import (
    attempt,
    batch,
    event,
    journal,
    send,
    send_content,
    send_recipient,
    subscriber,
)

AT = datetime.datetime(2026, 11, 24, 8, 0, tzinfo=datetime.UTC)
ISSUE = "2026-11-24-reading-the-tide"
CHUNK = 5_000
DOMAINS = {
    "gmail.com": 46, "outlook.com": 12, "yahoo.com": 8, "icloud.com": 8, "hotmail.com": 6,
    "gmx.net": 5, "proton.me": 4, "online.no": 3, "fastmail.com": 2, "uib.no": 1,
}  # fmt: skip
LINKS = (
    ("https://harbournotes.example/letters/tide-tables", "How to read a tide table"),
    ("https://kartverket.example/se-havniva", "The water level, live"),
    ("https://harbournotes.example/letters/knots", "Five knots worth knowing"),
    ("https://sponsor.example/oilskins", "Oilskins for grown-ups (our sponsor)"),
    ("https://harbournotes.example/about", "About"),
)
HTML = "<html><body>{links}<p><a href='-nlunsubscribeu-'>Leave</a></p></body></html>".format(
    links="".join(
        f'<p><a href="{url}?utm_source=harbour-notes&amp;utm_medium=email">{text}</a></p>'
        for url, text in LINKS
    )
)
BOUNCES = (
    ("bounce", "Invalid Address", "5.1.1", "550 5.1.1 no such user"),
    ("bounce", "Invalid Address", "5.1.1", "550 5.1.1 no such user"),
    ("bounce", "Mailbox Unavailable", "5.2.2", ""),
    ("blocked", "Reputation", "5.7.1", "550 5.7.1 on our block list (S3150)"),
    ("blocked", "Technical", "4.4.1", ""),
)


@dataclass(frozen=True)
class SampleSend:
    """The parameters of a generated send.

    Attributes:
        readers: the number of recipients; the first ones are the same in every send.
        tracked: whether opens and clicks are recorded.
        warmth: the factor of engagement; 1.0 is normal.
    """

    issue: str = ISSUE
    at: datetime.datetime = AT
    readers: int = 10_000
    tracked: bool = True
    warmth: float = 1.0
    seed: int = 1
    subject: str = "Reading the tide, -nl0t-"
    html: str = HTML


def make_send(engine: sa.Engine, sample: SampleSend) -> int:
    """Insert a send, its recipients and their events; return its id."""
    with engine.begin() as connection:
        send_id = _insert_send(connection, sample)
        last_id = connection.scalar(sa.select(sa.func.max(subscriber.c.id))) or 0
        if last_id < sample.readers:
            _insert(connection, subscriber, _make_subscribers(last_id + 1, sample.readers))
        batch_id = connection.scalar(sa.select(batch.c.id).where(batch.c.send_id == send_id))
        rows = (
            {"send_id": send_id, "subscriber_id": number, "address_key": address(number),
             "batch_id": batch_id, "state": "accepted", "root_id": send_id}
            for number in range(1, sample.readers + 1)
        )  # fmt: skip
        _insert(connection, send_recipient, rows)
        _insert(connection, event, events(sample, send_id))
        _insert(connection, journal, _make_unsubscribes(connection, sample))
    return send_id


def address(number: int) -> str:
    """Return the address of the recipient with a number, always the same."""
    rng = random.Random(number)
    chosen = rng.choices([*DOMAINS, f"harbour{number % 400}.example"], [*DOMAINS.values(), 5])
    return f"reader.{number}@{chosen[0]}"


def events(sample: SampleSend, send_id: int) -> Iterator[dict[str, Any]]:
    """Yield the events of all recipients as rows of the table; all have the same keys."""
    for number in range(1, sample.readers + 1):
        rng = random.Random(sample.seed * 10_000_019 + number)
        recipient_events = sorted(_make_recipient_events(rng, sample), key=lambda item: item[0])
        for count, (seconds, kind, is_bot, raw) in enumerate(recipient_events):
            yield {
                "sg_event_id": f"{send_id}-{number}-{count}",
                "type": kind,
                "at": sample.at + datetime.timedelta(seconds=int(seconds)),
                "address_key": address(number),
                "send_id": send_id,
                "is_bot": is_bot,
                "raw": {"event": kind, **raw},
            }


def _make_recipient_events(
    rng: random.Random, sample: SampleSend
) -> Iterator[tuple[float, str, bool, dict[str, str]]]:
    number = rng.random()
    start = rng.uniform(0, 900)
    yield start, "processed", False, {}
    if number < 0.001:
        yield start, "dropped", False, {"reason": "Bounced Address"}
        return
    if number < 0.003:
        yield start + 60, "deferred", False, {"response": "451 try again later"}
        return
    if number < 0.012:
        kind, classification, status, answer = rng.choice(BOUNCES)
        yield (
            start + 4,
            "bounce",
            False,
            {
                "type": kind,
                "bounce_classification": classification,
                "status": status,
                "reason": answer,
            },
        )
        return
    arrived = start + rng.expovariate(1 / 20)
    if number < 0.04:
        yield start + 2, "deferred", False, {"response": "421 too many connections"}
        arrived += rng.uniform(600, 9_000)
    yield arrived, "delivered", False, {"response": "250 OK"}
    if number > 0.9997:
        yield arrived + 600, "bounce", False, {"type": "bounce", "status": "5.2.2"}
    if number > 0.9992:
        yield arrived + 3_000, "spamreport", False, {}
    elif number > 0.9980:
        yield arrived + 4_000, "unsubscribe", False, {}
    if sample.tracked:
        yield from _make_engagement(rng, arrived, sample.warmth)


def _make_engagement(
    rng: random.Random, arrived: float, warmth: float
) -> Iterator[tuple[float, str, bool, dict[str, str]]]:
    if rng.random() < 0.3:
        yield arrived + rng.uniform(1, 3_000), "open", True, {"sg_machine_open": "true"}
    if rng.random() < 0.03:  # a link scanner
        for url, _ in LINKS:
            yield arrived + 6, "click", False, {"url": url}
    opened = arrived + 60 + rng.expovariate(1 / 26_000) + 3_600 * rng.choice((0, 0, 1, 9, 24))
    if rng.random() > 0.42 * warmth:
        return
    for again in range(rng.choice((1, 1, 1, 2, 3))):
        yield opened + again * 5_000, "open", False, {}
    for chance, (url, _) in zip((0.14, 0.09, 0.05, 0.06, 0.01), LINKS, strict=True):
        if rng.random() < chance * warmth:
            tracked = f"{url}?utm_source=harbour-notes&utm_medium=email"
            yield opened + rng.uniform(20, 400), "click", False, {"url": tracked}


def _insert_send(connection: sa.Connection, sample: SampleSend) -> int:
    values: dict[str, Any] = {
        "issue": sample.issue, "state": "done", "content_sha": "", "subject": sample.subject,
        "frozen_at": sample.at, "finished_at": sample.at, "total": sample.readers, "excluded": {},
    }  # fmt: skip
    row = connection.execute(sa.insert(send).values(values).returning(send.c.id))
    send_id: int = row.scalar_one()
    row = connection.execute(
        sa.insert(batch)
        .values(send_id=send_id, number=1, size=sample.readers, state="accepted")
        .returning(batch.c.id)
    )
    times = {"started_at": sample.at, "ended_at": sample.at}
    connection.execute(
        sa.insert(attempt).values(
            batch_id=row.scalar_one(),
            number=1,
            body_sha="",
            http_status=202,
            outcome="accepted",
            **times,
        )
    )
    connection.execute(
        sa.insert(send_content).values(
            send_id=send_id, subject=sample.subject, preheader="", html=sample.html, text="",
            sender=["Harbour Notes", "editor@harbournotes.example"], reply_to=[], headers=[],
            merge_tags=[["0", "name", "friend", "{{ subscriber.name }}"]], language="en",
            view_online_url="",
        )
    )  # fmt: skip
    return send_id


def _make_subscribers(first: int, last: int) -> Iterator[dict[str, Any]]:
    for number in range(first, last + 1):
        yield {
            "id": number, "address": address(number), "address_key": address(number),
            "status": "active", "attributes": {}, "token": f"token-{number}",
            "joined_at": AT, "updated_at": AT,
        }  # fmt: skip


def _make_unsubscribes(connection: sa.Connection, sample: SampleSend) -> Iterator[dict[str, Any]]:
    """Yield journal lines: one recipient in 500 unsubscribes by one click five hours later."""
    query = sa.select(sa.func.coalesce(sa.func.max(journal.c.seq), 0) + 1)
    seq = connection.scalar(query)
    for reader in range(7 + sample.seed, sample.readers + 1, 500):
        yield {
            "subscriber_id": reader,
            "seq": seq,
            "at": sample.at + datetime.timedelta(hours=5),
            "change": "unsubscribed",
            "status": "unsubscribed",
            "method": "one_click",
        }


def _insert(connection: sa.Connection, table: sa.Table, rows: Iterator[dict[str, Any]]) -> None:
    while chunk := list(itertools.islice(rows, CHUNK)):
        connection.execute(sa.insert(table), chunk)
