"""The body of one request for 1000 readers, against SendGrid's own helper classes."""

import gc
import json
import random
import statistics
import time
from collections.abc import Callable
from pathlib import Path

from sendgrid.helpers.mail import (
    CustomArg,
    From,
    Header,
    Mail,
    Substitution,
    To,
)

from newsletter.config.load import load_config
from newsletter.posts.merge_tags.tags import UNSUBSCRIBE_TAG, MergeTag, TokenTarget
from newsletter.render.email import Email, NamedAddress
from newsletter.render.headers import build_unsubscribe_headers
from newsletter.sending.providers.provider import RequestId
from newsletter.sending.providers.sendgrid.payload import (
    PreparedEmail,
    build_request,
    prepare_email,
)
from newsletter.subscribers import Recipient

READERS = 1000
ROUNDS = 8
BATCHES = 6
GOAL = 15.0
FIRST = [f"{start}{end}" for start in "ABDEGHIJKLMNOPRSTUV" for end in ("da", "nna", "var", "ørn")]
LAST = [f"{start}{end}" for start in ("Ber", "Dah", "Hau", "Lin") for end in map(str, range(900))]
STAMP = RequestId("1", "1", "1")
NAME = MergeTag("0", "name", "friend", "{{ subscriber.name }}")
CITY = MergeTag("1", "city", "your town", "{{ subscriber.city }}")
FILLED: tuple[tuple[MergeTag, TokenTarget], ...] = ((NAME, "html"), (NAME, "text"), (CITY, "html"))


def email() -> Email:
    leave, name = UNSUBSCRIBE_TAG.token, NAME.token
    return Email(
        issue="2026-12-01-ice",
        subject=f"The ice let go, {name('text')}",
        preheader="",
        html=f"{name('html')} {CITY.token('html')} {leave('html')}" + "<p>word</p>" * 3_000,
        text=f"{name('text')} {leave('text')}" + "word\n" * 1_000,
        sender=NamedAddress("Harbour Notes", "editor@harbour-notes.org"),
        reply_to=None,
        headers=(("List-Id", "Harbour Notes <notes.harbour-notes.org>"),),
        merge_tags=(NAME, CITY),
        language="en",
        view_online_url="",
    )


def readers(chance: random.Random) -> list[Recipient]:
    """A batch of a send: few have a name that another batch has had, many share a town."""
    return [
        Recipient(
            number,
            f"reader{number}@example.com",
            f"reader{number}@example.com",
            f"{number:022d}",
            {
                "email": f"reader{number}@example.com",
                "name": f"{chance.choice(FIRST)} {chance.choice(LAST)}",
                "city": chance.choice(("Bergen", "Oslo", "St. John's", "Tromsø")),
            },
        )
        for number in range(READERS)
    ]


def helpers(letter: PreparedEmail, people: list[Recipient]) -> bytes:
    """The same request by the vendor's classes, used as its own guide shows."""
    source = letter.email
    mail = Mail(
        from_email=From(source.sender.address, source.sender.name),
        to_emails=[
            To(
                reader.address,
                reader.attributes["name"],
                substitutions=[
                    *(
                        Substitution(tag.token(target), tag.value(reader.attributes, target))
                        for tag, target in FILLED
                    ),
                    *(
                        Substitution(token, f"https://news.harbour-notes.org/u/{reader.token}")
                        for token in letter.personal_links
                    ),
                ],
            )
            for reader in people
        ],
        subject=source.subject,
        plain_text_content=source.text,
        html_content=source.html,
        is_multiple=True,
    )
    for name, value in source.headers:
        mail.header = Header(name, value)
    # It puts each new personalization before the others.
    for index, reader in enumerate(reversed(people)):
        for name, value in build_unsubscribe_headers(letter.config, reader.token):
            mail.header = Header(name, value, p=index)
        for key in ("nl_send", "nl_batch", "nl_attempt"):
            mail.custom_arg = CustomArg(key, "1", p=index)
        mail.custom_arg = CustomArg("nl_subscriber", str(reader.id), p=index)
    return json.dumps(mail.get()).encode()


def milliseconds(
    work: Callable[[list[Recipient]], object], batches: list[list[Recipient]]
) -> list[float]:
    """Of each batch, one after the other, as in a send; the first warms the caches."""
    gc.collect()  # nobody pays for what the other has left behind
    times = []
    for people in batches:
        started = time.perf_counter()
        work(people)
        times.append((time.perf_counter() - started) * 1000)
    return times[1:]


def main() -> None:
    config = load_config(Path(__file__).parent.parent / "newsletter.yml", {})
    config = config.model_copy(update={"public_url": "https://news.harbour-notes.org"})
    letter, chance = prepare_email(email(), config), random.Random(1)  # noqa: S311 - no secret
    ours: list[float] = []
    theirs: list[float] = []
    for _ in range(ROUNDS):  # by turns, since the load of a machine changes
        batches = [readers(chance) for _ in range(BATCHES)]
        ours += milliseconds(lambda people: build_request(letter, people, STAMP), batches)
        theirs += milliseconds(lambda people: helpers(letter, people), batches)
    body = build_request(letter, batches[0], STAMP).body
    fast, slow = statistics.median(ours), statistics.median(theirs)
    print(f"readers {READERS}, body {len(body):,} bytes, median of {len(ours)}")
    print(f"newsletter                     {fast:8.2f} ms   1.0 x")
    print(f"sendgrid helper classes + json {slow:8.2f} ms  {slow / fast:4.1f} x  goal {GOAL:.0f} x")


if __name__ == "__main__":
    main()
