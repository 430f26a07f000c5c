"""Validate ``mail/send`` requests against documented limits. Pure."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from pydantic import ValidationError

from newsletter.posts.merge_tags.tags import MERGE_TOKEN_PATTERN
from newsletter.sending.rehearsal.fake_sendgrid.schema import MailSend, Personalization

MAX_REQUEST_BYTES = 30_000_000
MAX_RECIPIENTS = 1000
MAX_VALUES_BYTES = 10_000
MAX_SCHEDULE_SECONDS = 72 * 3600
RESERVED_HEADERS = frozenset(
    {
        "x-sg-id", "x-sg-eid", "received", "dkim-signature", "content-type",
        "content-transfer-encoding", "to", "from", "subject", "reply-to", "cc", "bcc",
    }
)  # fmt: skip
HELP_URL = "https://www.twilio.com/docs/sendgrid/api-reference/mail-send/errors"


class ApiErrorEntry(NamedTuple):
    """One entry of ``errors`` in SendGrid's response.

    Attributes:
        message: what is wrong.
        field: dotted path in the request (``personalizations.3.to``), or ``None``.
    """

    message: str
    field: str | None

    def as_json(self) -> dict[str, str | None]:
        """Return the entry in SendGrid's format."""
        return {"message": self.message, "field": self.field, "help": HELP_URL}


def validate_request(body: bytes, now: float) -> tuple[MailSend | None, list[ApiErrorEntry]]:
    """Check one request against every documented limit.

    Args:
        body: the request body.
        now: seconds since the epoch.

    Returns:
        The request if it matches the schema, and all errors.
    """
    try:
        mail_send = MailSend.model_validate_json(body)
    except ValidationError as error:
        return None, _schema_errors(error)
    return mail_send, list(_limit_errors(mail_send, now))


def find_unfilled_tokens(mail_send: MailSend) -> set[str]:
    """Return the substitution tokens that some recipient would see, for lack of a value."""
    content = "\n".join([mail_send.subject, *(part.value for part in mail_send.content)])
    tokens = {match[0] for match in MERGE_TOKEN_PATTERN.finditer(content)}
    if not tokens:
        return set()
    return set().union(
        *(
            tokens - personalization.substitutions.keys()
            for personalization in mail_send.personalizations
        )
    )


def _schema_errors(error: ValidationError) -> list[ApiErrorEntry]:
    messages = {
        ".".join(map(str, detail["loc"])): "Does not contain a valid address."
        if detail["type"] == "string_pattern_mismatch"
        else detail["msg"]
        for detail in error.errors()
    }
    # An invalid value also makes the objects around it invalid: report the innermost path only.
    return [
        ApiErrorEntry(message, path or None)
        for path, message in messages.items()
        if not any(other.startswith(f"{path}.") for other in messages)
    ]


def _limit_errors(mail_send: MailSend, now: float) -> Iterator[ApiErrorEntry]:
    count = sum(
        len(personalization.all_recipients) for personalization in mail_send.personalizations
    )
    if count > MAX_RECIPIENTS:
        yield ApiErrorEntry(f"Too many recipients: {count}, the limit is {MAX_RECIPIENTS}.", None)
    if not mail_send.sender.email.isascii():
        yield ApiErrorEntry("The from address must not contain Unicode characters.", "from.email")
    if len(set(mail_send.categories)) < len(mail_send.categories):
        yield ApiErrorEntry("Categories must be unique.", "categories")
    yield from _content_errors(mail_send)
    yield from _settings_errors(
        mail_send.headers, mail_send.custom_args, mail_send.send_at, now, ""
    )
    for index, personalization in enumerate(mail_send.personalizations):
        yield from _personalization_errors(personalization, now, f"personalizations.{index}.")
        if not mail_send.subject and not personalization.subject:
            yield ApiErrorEntry("The subject is required.", f"personalizations.{index}.subject")


def _content_errors(mail_send: MailSend) -> Iterator[ApiErrorEntry]:
    types = [part.type for part in mail_send.content]
    if len(set(types)) < len(types):
        yield ApiErrorEntry("Each content type may occur once.", "content")
    # RFC 2046 5.1.4: the best version is the last.
    order = {"text/plain": 0, "text/html": 1}
    ranks = [order.get(type_, 2) for type_ in types]
    if ranks != sorted(ranks):
        yield ApiErrorEntry(
            "text/plain must come first, then text/html, then the others.", "content"
        )


def _personalization_errors(
    personalization: Personalization, now: float, path_prefix: str
) -> Iterator[ApiErrorEntry]:
    addresses = Counter(mailbox.email.lower() for mailbox in personalization.all_recipients)
    if any(times > 1 for times in addresses.values()):
        yield ApiErrorEntry(
            "Each address must be unique within a personalization.", f"{path_prefix}to"
        )
    for index, mailbox in enumerate(personalization.to):
        if mailbox.name and (";" in mailbox.name or "," in mailbox.name):
            yield ApiErrorEntry(
                "The name must not contain ';' or ','.", f"{path_prefix}to.{index}.name"
            )
    if _json_size(personalization.substitutions) > MAX_VALUES_BYTES:
        yield ApiErrorEntry(
            f"Substitutions exceed {MAX_VALUES_BYTES} bytes.", f"{path_prefix}substitutions"
        )
    if any(set(key) & set(" <>&") or not key for key in personalization.substitutions):
        yield ApiErrorEntry(
            "A substitution tag must not contain spaces or <>&.", f"{path_prefix}substitutions"
        )
    yield from _settings_errors(
        personalization.headers,
        personalization.custom_args,
        personalization.send_at,
        now,
        path_prefix,
    )


def _settings_errors(
    headers: Mapping[str, str],
    custom_args: Mapping[str, str],
    send_at: int | None,
    now: float,
    path_prefix: str,
) -> Iterator[ApiErrorEntry]:
    for name, value in headers.items():
        if name.lower() in RESERVED_HEADERS:
            yield ApiErrorEntry(f"The header '{name}' is reserved.", f"{path_prefix}headers")
        if set(value) & {"\r", "\n"}:
            yield ApiErrorEntry(
                f"The header '{name}' contains a line break.", f"{path_prefix}headers"
            )
    if _json_size(custom_args) > MAX_VALUES_BYTES:
        yield ApiErrorEntry(
            f"Custom args exceed {MAX_VALUES_BYTES} bytes.", f"{path_prefix}custom_args"
        )
    if send_at is not None and send_at > now + MAX_SCHEDULE_SECONDS:
        yield ApiErrorEntry(
            "A send can't be scheduled more than 72 hours ahead.", f"{path_prefix}send_at"
        )


def _json_size(values: Mapping[str, str]) -> int:
    return len(json.dumps(values, ensure_ascii=False).encode())
