"""Request body for 1000 recipients, against SendGrid's helper classes."""

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
    SendGridEmail,
    build_request,
    prepare_email,
)
from newsletter.subscribers import Recipient

RECIPIENTS = 1000
ROUNDS = 8
BATCHES = 6
GOAL = 8.0
FIRST = [f"{start}{end}" for start in "ABDEGHIJKLMNOPRSTUV" for end in ("da", "nna", "var", "ørn")]
LAST = [f"{start}{end}" for start in ("Ber", "Dah", "Hau", "Lin") for end in map(str, range(900))]
REQUEST_ID = RequestId("1", "1", "1")
NAME = MergeTag("0", "name", "friend", "{{ subscriber.name }}")
CITY = MergeTag("1", "city", "your town", "{{ subscriber.city }}")
TOKENS: tuple[tuple[MergeTag, TokenTarget], ...] = ((NAME, "html"), (NAME, "text"), (CITY, "html"))


def make_email() -> Email:
    unsubscribe, name = UNSUBSCRIBE_TAG.token, NAME.token
    return Email(
        issue="2026-12-01-ice",
        subject=f"The ice let go, {name('text')}",
        preheader="",
        html=f"{name('html')} {CITY.token('html')} {unsubscribe('html')}" + "<p>word</p>" * 3_000,
        text=f"{name('text')} {unsubscribe('text')}" + "word\n" * 1_000,
        sender=NamedAddress("Harbour Notes", "editor@harbour-notes.org"),
        reply_to=None,
        headers=(("List-Id", "Harbour Notes <notes.harbour-notes.org>"),),
        merge_tags=(NAME, CITY),
        language="en",
        view_online_url="",
    )


def make_recipients(chance: random.Random) -> list[Recipient]:
    """Return a batch: names rarely occur in an earlier batch, many recipients share a town."""
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
        for number in range(RECIPIENTS)
    ]


def build_with_helpers(prepared_email: SendGridEmail, recipients: list[Recipient]) -> bytes:
    """Build the same request with the provider's classes, used as in its own guide."""
    source = prepared_email.email
    message = Mail(
        from_email=From(source.sender.address, source.sender.name),
        to_emails=[
            To(
                recipient.address,
                recipient.attributes["name"],
                substitutions=[
                    *(
                        Substitution(tag.token(target), tag.value(recipient.attributes, target))
                        for tag, target in TOKENS
                    ),
                    *(
                        Substitution(token, f"https://news.harbour-notes.org/u/{recipient.token}")
                        for token in prepared_email.personal_links
                    ),
                ],
            )
            for recipient in recipients
        ],
        subject=source.subject,
        plain_text_content=source.text,
        html_content=source.html,
        is_multiple=True,
    )
    for name, value in source.headers:
        message.header = Header(name, value)
    # The helper classes insert each new personalization before the others.
    for index, recipient in enumerate(reversed(recipients)):
        for name, value in build_unsubscribe_headers(prepared_email.config, recipient.token):
            message.header = Header(name, value, p=index)
        for key in ("nl_send", "nl_batch", "nl_attempt"):
            message.custom_arg = CustomArg(key, "1", p=index)
        message.custom_arg = CustomArg("nl_subscriber", str(recipient.id), p=index)
    return json.dumps(message.get()).encode()


def measure_milliseconds(
    work: Callable[[list[Recipient]], object], batches: list[list[Recipient]]
) -> list[float]:
    """Return the time of each batch, in sequence as in a send; the first only warms the caches."""
    gc.collect()  # so that garbage of the other is not measured
    times = []
    for recipients in batches:
        started = time.perf_counter()
        work(recipients)
        times.append((time.perf_counter() - started) * 1000)
    return times[1:]


def main() -> None:
    config = load_config(Path(__file__).parent.parent / "newsletter.yml", {})
    config = config.model_copy(update={"public_url": "https://news.harbour-notes.org"})
    prepared_email, chance = prepare_email(make_email(), config), random.Random(1)  # noqa: S311 - not a secret
    newsletter_times: list[float] = []
    helper_times: list[float] = []
    for _ in range(ROUNDS):  # interleaved, since the load of the machine changes
        batches = [make_recipients(chance) for _ in range(BATCHES)]
        newsletter_times += measure_milliseconds(
            lambda recipients: build_request(prepared_email, recipients, REQUEST_ID), batches
        )
        helper_times += measure_milliseconds(
            lambda recipients: build_with_helpers(prepared_email, recipients), batches
        )
    body = build_request(prepared_email, batches[0], REQUEST_ID).body
    fast, slow = statistics.median(newsletter_times), statistics.median(helper_times)
    print(f"readers {RECIPIENTS}, body {len(body):,} bytes, median of {len(newsletter_times)}")
    print(f"newsletter                     {fast:8.2f} ms   1.0 x")
    print(f"sendgrid helper classes + json {slow:8.2f} ms  {slow / fast:4.1f} x  goal {GOAL:.0f} x")


if __name__ == "__main__":
    main()
