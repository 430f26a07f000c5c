"""Email + readers -> the body of one ``POST /v3/mail/send``. Pure: values in, bytes out.

Whatever is the same for every reader is encoded once, in ``prepare``. The limits are those of
Twilio SendGrid's documentation ("Mail Send", "Substitution Tags", "Personalizations").
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import orjson

from newsletter.config.models import Config
from newsletter.config.urls import preferences_url, unsubscribe_url
from newsletter.errors import Problem, SendRefused
from newsletter.posts.merge import PREFERENCES, UNSUBSCRIBE, MergeTag, Target
from newsletter.render.email import Address, Email
from newsletter.render.personalise import personalise
from newsletter.subscribers import Reader

SUBSTITUTION_BYTES = 10_000
CATEGORIES = 10
# A reader can't add more than this to a request: substitutions, name, address, links and ids.
READER_BYTES = SUBSTITUTION_BYTES + 4_000
NAME_LENGTH = 255
FORBIDDEN_HEADERS = frozenset(
    {
        "x-sg-id", "x-sg-eid", "received", "dkim-signature", "content-type",
        "content-transfer-encoding", "to", "from", "subject", "reply-to", "cc", "bcc",
    }
)  # fmt: skip


class Stamp(NamedTuple):
    """Which request this is; comes back with every event of the vendor, so it tells nothing else.

    Attributes:
        send: the send's id.
        batch: the batch's id.
        attempt: 1 for the batch's first request.
    """

    send: str
    batch: str
    attempt: str


class Slot(NamedTuple):
    """A token that stands in the email, and what fills it."""

    token: str
    tag: MergeTag
    target: Target


@dataclass(frozen=True, slots=True)
class Letter:
    """An email made ready for its readers.

    Attributes:
        email: as rendered, tokens still in it.
        config: the newsletter's settings.
        head: the request's JSON up to the value of ``personalizations``, which is its last key.
        slots: the tokens that occur in subject, HTML or text, in order; none where each reader
            gets a request of their own.
    """

    email: Email
    config: Config
    head: bytes
    slots: tuple[Slot, ...]

    @property
    def per_request(self) -> bool:
        """Whether each reader gets a request of their own, with nothing left to substitute."""
        return self.config.sendgrid.personalize == "per_request"

    @property
    def batch_size(self) -> int:
        """The most readers that a request may have."""
        return 1 if self.per_request else self.config.limits.batch_size


class Request(NamedTuple):
    """One request, ready to go.

    Attributes:
        body: JSON; empty if nobody is left.
        readers: who it is for, in the order of its personalizations.
        unfit: who can't be in any request, and why.
    """

    body: bytes
    readers: tuple[Reader, ...]
    unfit: tuple[tuple[Reader, str], ...]


def prepare(email: Email, config: Config) -> Letter:
    """Encode what is the same for every reader.

    Raises:
        SendRefused: SendGrid would refuse the email, whoever it is for; all reasons at once.
    """
    head = _head(email, config)
    problems = [*_problems(email, config)]
    if len(head) + READER_BYTES > config.limits.request_bytes:
        problems.append(
            Problem(
                f"the email takes {len(head):,} bytes of a request's "
                f"{config.limits.request_bytes:,}",
                remedy="Shorten the issue, or raise limits.request_bytes in newsletter.yml.",
            )
        )
    if problems:
        raise SendRefused.of(problems)
    alone = config.sendgrid.personalize == "per_request"
    return Letter(email, config, head, () if alone else tuple(_slots(email)))


def batches(letter: Letter, readers: Iterable[Reader]) -> Iterator[tuple[Reader, ...]]:
    """Cut ``readers`` into requests, capped by count and by bytes; keeps their order."""
    limit = letter.config.limits.request_bytes
    roomy = len(letter.head) + letter.batch_size * READER_BYTES <= limit
    batch: list[Reader] = []
    size = len(letter.head)
    for reader in readers:
        weight = READER_BYTES if roomy else _weight(letter, reader)
        if batch and (len(batch) == letter.batch_size or size + weight > limit):
            yield tuple(batch)
            batch, size = [], len(letter.head)
        batch.append(reader)
        size += weight
    if batch:
        yield tuple(batch)


def request(letter: Letter, readers: Sequence[Reader], stamp: Stamp) -> Request:
    """Build the request for one batch; sets aside whom SendGrid would refuse it for."""
    fit: list[Reader] = []
    unfit: list[tuple[Reader, str]] = []
    personalizations: list[dict[str, Any]] = []
    for reader in readers:
        values = _substitutions(letter, reader)
        if _over(values, SUBSTITUTION_BYTES):
            unfit.append((reader, f"merge tags take more than {SUBSTITUTION_BYTES:,} bytes"))
            continue
        fit.append(reader)
        personalizations.append(_personalization(letter, reader, stamp, values))
    if not fit:
        return Request(b"", (), tuple(unfit))
    head = letter.head
    if letter.per_request:
        head = _head(for_reader(letter.email, letter.config, fit[0]), letter.config)
    body = b"".join((head, orjson.dumps(personalizations), b"}"))
    return Request(body, tuple(fit), tuple(unfit))


def for_reader(email: Email, config: Config, reader: Reader) -> Email:
    """The email as one reader sees it: no token left, their own links in it."""
    return personalise(
        email,
        reader.attributes,
        unsubscribe=unsubscribe_url(config, reader.token),
        preferences=preferences_url(config, reader.token),
    )


def one_click(config: Config, reader: Reader) -> dict[str, str]:
    """The headers of a reader's own way out (RFC 2369, RFC 8058).

    Empty where SendGrid's own unsubscribe group serves instead.
    """
    if config.sendgrid.asm_group and not config.public_url:
        return {}
    return {
        "List-Unsubscribe": f"<{unsubscribe_url(config, reader.token)}>",
        "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
    }


def _head(email: Email, config: Config) -> bytes:
    options = config.sendgrid
    root: dict[str, Any] = {"from": _mailbox(email.sender)}
    if email.reply_to:
        root["reply_to"] = _mailbox(email.reply_to)
    root["subject"] = email.subject
    # Plain first: the API refuses the other order (RFC 2046 5.1.4: the best version is last).
    root["content"] = [
        {"type": "text/plain", "value": email.text},
        {"type": "text/html", "value": email.html},
    ]
    if email.headers:
        root["headers"] = dict(email.headers)
    if options.categories:
        root["categories"] = list(options.categories)
    if options.asm_group:
        root["asm"] = {"group_id": options.asm_group}
    root["tracking_settings"] = {
        "click_tracking": {"enable": config.tracking.clicks, "enable_text": False},
        "open_tracking": {"enable": config.tracking.opens},
        "subscription_tracking": {"enable": False},
        "ganalytics": {"enable": False},
    }
    if options.sandbox:
        root["mail_settings"] = {"sandbox_mode": {"enable": True}}
    return orjson.dumps(root)[:-1] + b',"personalizations":'


def _mailbox(mailbox: Address) -> dict[str, str]:
    box = {"email": mailbox.address}
    if mailbox.name:
        box["name"] = mailbox.name
    return box


def _slots(email: Email) -> Iterator[Slot]:
    everything = f"{email.subject}\n{email.text}\n{email.html}"
    targets: tuple[Target, ...] = ("html", "text", "url")
    for tag in (*email.merge_tags, UNSUBSCRIBE, PREFERENCES):
        for target in targets:
            if (token := tag.token(target)) in everything:
                yield Slot(token, tag, target)


def _substitutions(letter: Letter, reader: Reader) -> dict[str, str]:
    config = letter.config
    return {token: _value(config, tag, target, reader) for token, tag, target in letter.slots}


def _value(config: Config, tag: MergeTag, target: Target, reader: Reader) -> str:
    if tag is UNSUBSCRIBE:
        return unsubscribe_url(config, reader.token)
    if tag is PREFERENCES:
        return preferences_url(config, reader.token)
    return tag.value(reader.attributes, target)


def _personalization(
    letter: Letter, reader: Reader, stamp: Stamp, values: dict[str, str]
) -> dict[str, Any]:
    to = {"email": reader.address}
    name = reader.attributes.get("name", "")
    # The API refuses ';' and ',' in a name, and a name is never needed.
    if name and len(name) <= NAME_LENGTH and ";" not in name and "," not in name:
        to["name"] = name
    one: dict[str, Any] = {"to": [to]}
    if values:
        one["substitutions"] = values
    if headers := one_click(letter.config, reader):
        one["headers"] = headers
    one["custom_args"] = {
        "nl_send": stamp.send,
        "nl_batch": stamp.batch,
        "nl_attempt": stamp.attempt,
        "nl_subscriber": str(reader.id),
    }
    return one


def _over(values: dict[str, str], limit: int) -> bool:
    characters = sum(map(len, values.values())) + sum(map(len, values))
    # No character takes more than 6 bytes of JSON; most readers are settled without encoding.
    return characters * 6 + len(values) * 6 > limit and len(orjson.dumps(values)) > limit


def _weight(letter: Letter, reader: Reader) -> int:
    widest = Stamp("9" * 20, "9" * 20, "9" * 20)
    values = _substitutions(letter, reader)
    return len(orjson.dumps(_personalization(letter, reader, widest, values))) + 1


def _problems(email: Email, config: Config) -> Iterator[Problem]:
    if not email.sender.address.isascii():
        yield Problem(
            f"SendGrid takes no sender outside ASCII: {email.sender.address}",
            remedy="Write the domain in its xn-- form under sender: in newsletter.yml.",
        )
    for name, value in email.headers:
        if name.lower() in FORBIDDEN_HEADERS:
            yield Problem(f"SendGrid sets the header {name} itself and refuses ours")
        if "\n" in value or "\r" in value:
            yield Problem(f"the header {name} holds a line break")
    categories = config.sendgrid.categories
    if len(categories) > CATEGORIES or len(set(categories)) < len(categories):
        yield Problem(
            f"SendGrid takes up to {CATEGORIES} different categories",
            remedy="Shorten sendgrid.categories in newsletter.yml.",
        )
    if not email.subject.strip():
        yield Problem("the email has no subject", remedy="Give the issue a subject: or a title:.")
