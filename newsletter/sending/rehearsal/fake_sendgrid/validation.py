"""What SendGrid refuses, as documented: the bytes of a request -> what is wrong with it. Pure."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from pydantic import ValidationError

from newsletter.posts.merge_tags.tags import TOKEN
from newsletter.sending.rehearsal.fake_sendgrid.schema import MailSend, Personalization

REQUEST_BYTES = 30_000_000
RECIPIENTS = 1000
VALUES_BYTES = 10_000
SCHEDULE_SECONDS = 72 * 3600
OWN_HEADERS = frozenset(
    {
        "x-sg-id", "x-sg-eid", "received", "dkim-signature", "content-type",
        "content-transfer-encoding", "to", "from", "subject", "reply-to", "cc", "bcc",
    }
)  # fmt: skip
HELP = "https://www.twilio.com/docs/sendgrid/api-reference/mail-send/errors"


class Complaint(NamedTuple):
    """One entry of the vendor's ``errors``.

    Attributes:
        message: what is wrong.
        field: path in the request with dots (``personalizations.3.to``), or ``None``.
    """

    message: str
    field: str | None

    def as_json(self) -> dict[str, str | None]:
        """As the vendor writes it."""
        return {"message": self.message, "field": self.field, "help": HELP}


def examine(body: bytes, now: float) -> tuple[MailSend | None, list[Complaint]]:
    """Check one request against every documented limit.

    Args:
        body: as it came over the wire.
        now: seconds since the epoch.

    Returns:
        The request if it has the right shape, and everything that is wrong.
    """
    try:
        mail = MailSend.model_validate_json(body)
    except ValidationError as error:
        return None, _misshapen(error)
    return mail, list(_complaints(mail, now))


def leftovers(mail: MailSend) -> set[str]:
    """Our own tokens that some reader would see, since nothing is substituted for them."""
    shown = "\n".join([mail.subject, *(part.value for part in mail.content)])
    tokens = {found[0] for found in TOKEN.finditer(shown)}
    if not tokens:
        return set()
    return set().union(*(tokens - one.substitutions.keys() for one in mail.personalizations))


def _misshapen(error: ValidationError) -> list[Complaint]:
    found = {
        ".".join(map(str, detail["loc"])): "Does not contain a valid address."
        if detail["type"] == "string_pattern_mismatch"
        else detail["msg"]
        for detail in error.errors()
    }
    # Whatever holds a wrong thing counts as missing it too: the innermost says it all.
    return [
        Complaint(message, where or None)
        for where, message in found.items()
        if not any(other.startswith(f"{where}.") for other in found)
    ]


def _complaints(mail: MailSend, now: float) -> Iterator[Complaint]:
    people = sum(len(one.everyone) for one in mail.personalizations)
    if people > RECIPIENTS:
        yield Complaint(f"Too many recipients: {people}, the limit is {RECIPIENTS}.", None)
    if not mail.sender.email.isascii():
        yield Complaint("The from address must not contain Unicode characters.", "from.email")
    if len(set(mail.categories)) < len(mail.categories):
        yield Complaint("Categories must be unique.", "categories")
    yield from _content(mail)
    yield from _settings(mail.headers, mail.custom_args, mail.send_at, now, "")
    for index, one in enumerate(mail.personalizations):
        yield from _personalization(one, now, f"personalizations.{index}.")
        if not mail.subject and not one.subject:
            yield Complaint("The subject is required.", f"personalizations.{index}.subject")


def _content(mail: MailSend) -> Iterator[Complaint]:
    types = [part.type for part in mail.content]
    if len(set(types)) < len(types):
        yield Complaint("Each content type may occur once.", "content")
    # RFC 2046 5.1.4: the best version is the last.
    order = {"text/plain": 0, "text/html": 1}
    ranks = [order.get(kind, 2) for kind in types]
    if ranks != sorted(ranks):
        yield Complaint("text/plain must come first, then text/html, then the others.", "content")


def _personalization(one: Personalization, now: float, at: str) -> Iterator[Complaint]:
    addresses = Counter(person.email.lower() for person in one.everyone)
    if any(times > 1 for times in addresses.values()):
        yield Complaint("Each address must be unique within a personalization.", f"{at}to")
    for index, person in enumerate(one.to):
        if person.name and (";" in person.name or "," in person.name):
            yield Complaint("The name must not contain ';' or ','.", f"{at}to.{index}.name")
    if _size(one.substitutions) > VALUES_BYTES:
        yield Complaint(f"Substitutions exceed {VALUES_BYTES} bytes.", f"{at}substitutions")
    if any(set(key) & set(" <>&") or not key for key in one.substitutions):
        yield Complaint("A substitution tag must not hold spaces or <>&.", f"{at}substitutions")
    yield from _settings(one.headers, one.custom_args, one.send_at, now, at)


def _settings(
    headers: Mapping[str, str],
    custom_args: Mapping[str, str],
    send_at: int | None,
    now: float,
    at: str,
) -> Iterator[Complaint]:
    for name, value in headers.items():
        if name.lower() in OWN_HEADERS:
            yield Complaint(f"The header '{name}' is reserved.", f"{at}headers")
        if set(value) & {"\r", "\n"}:
            yield Complaint(f"The header '{name}' holds a line break.", f"{at}headers")
    if _size(custom_args) > VALUES_BYTES:
        yield Complaint(f"Custom args exceed {VALUES_BYTES} bytes.", f"{at}custom_args")
    if send_at is not None and send_at > now + SCHEDULE_SECONDS:
        yield Complaint("A send can't be scheduled more than 72 hours ahead.", f"{at}send_at")


def _size(values: Mapping[str, str]) -> int:
    return len(json.dumps(values, ensure_ascii=False).encode())
