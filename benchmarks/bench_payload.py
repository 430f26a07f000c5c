"""The body of one request for 1000 readers, against SendGrid's own helper classes."""

import gc
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path

from sendgrid.helpers.mail import (
    Content,
    CustomArg,
    From,
    Header,
    Mail,
    Personalization,
    Substitution,
    To,
)

from newsletter.config.load import load_config
from newsletter.posts.merge import UNSUBSCRIBE, MergeTag, Target
from newsletter.render.email import Address, Email
from newsletter.sending.payload import Letter, Stamp, one_click, prepare, request
from newsletter.subscribers import Reader

READERS = 1000
ROUNDS = 31
GOAL = 15.0
STAMP = Stamp("1", "1", "1")
NAME = MergeTag("0", "name", "friend", "{{ subscriber.name }}")
CITY = MergeTag("1", "city", "your town", "{{ subscriber.city }}")
FILLED: tuple[tuple[MergeTag, Target], ...] = ((NAME, "html"), (NAME, "text"), (CITY, "html"))


def email() -> Email:
    leave, name = UNSUBSCRIBE.token, NAME.token
    return Email(
        issue="2026-12-01-ice",
        subject=f"The ice let go, {name('text')}",
        preheader="",
        html=f"{name('html')} {CITY.token('html')} {leave('html')}" + "<p>word</p>" * 3_000,
        text=f"{name('text')} {leave('text')}" + "word\n" * 1_000,
        sender=Address("Harbour Notes", "editor@harbour-notes.org"),
        reply_to=None,
        headers=(("List-Id", "Harbour Notes <notes.harbour-notes.org>"),),
        merge_tags=(NAME, CITY),
        language="en",
        view_online_url="",
    )


def readers() -> list[Reader]:
    return [
        Reader(
            number,
            f"reader{number}@example.com",
            f"reader{number}@example.com",
            f"{number:022d}",
            {"email": f"reader{number}@example.com", "name": f"Ada {number} O'Neill",
             "city": ("Bergen", "Oslo", "Tromsø")[number % 3]},
        )
        for number in range(READERS)
    ]  # fmt: skip


def helpers(letter: Letter, people: list[Reader]) -> bytes:
    """The same request as the vendor's documentation builds it."""
    source = letter.email
    mail = Mail(from_email=From(source.sender.address, source.sender.name), subject=source.subject)
    mail.content = [Content("text/plain", source.text), Content("text/html", source.html)]
    for name, value in source.headers:
        mail.header = Header(name, value)
    for reader in people:
        one = Personalization()
        one.add_to(To(reader.address, reader.attributes["name"]))
        for tag, target in FILLED:
            one.add_substitution(
                Substitution(tag.token(target), tag.value(reader.attributes, target))
            )
        for token in letter.links:
            one.add_substitution(
                Substitution(token, f"https://news.harbour-notes.org/u/{reader.token}")
            )
        for name, value in one_click(letter.config, reader).items():
            one.add_header(Header(name, value))
        for key in ("nl_send", "nl_batch", "nl_attempt"):
            one.add_custom_arg(CustomArg(key, "1"))
        one.add_custom_arg(CustomArg("nl_subscriber", str(reader.id)))
        mail.add_personalization(one)
    return json.dumps(mail.get()).encode()


def medians(*works: Callable[[], object]) -> list[float]:
    """Median of ``ROUNDS`` runs of each, in milliseconds; taken in turns, since load changes."""
    times: list[list[float]] = [[] for _ in works]
    for _ in range(ROUNDS):
        for work, mine in zip(works, times, strict=True):
            gc.collect()
            start = time.perf_counter()
            work()
            mine.append(time.perf_counter() - start)
    return [statistics.median(mine) * 1000 for mine in times]


def main() -> None:
    settings = {"SENDGRID_HOST": ""}
    config = load_config(Path(__file__).parent.parent / "newsletter.yml", settings)
    config = config.model_copy(update={"public_url": "https://news.harbour-notes.org"})
    letter, people = prepare(email(), config), readers()
    body = request(letter, people, STAMP).body
    ours, theirs = medians(
        lambda: request(letter, people, STAMP).body, lambda: helpers(letter, people)
    )
    print(f"readers {READERS}, body {len(body):,} bytes, median of {ROUNDS}")
    print(f"newsletter                     {ours:8.2f} ms   1.0 x")
    ratio = f"{theirs / ours:4.1f} x  (goal {GOAL:.0f} x)"
    print(f"sendgrid helper classes + json {theirs:8.2f} ms  {ratio}")


if __name__ == "__main__":
    main()
