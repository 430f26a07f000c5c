"""Build the bodies of ``mail/send``. Pure.

What is the same for every recipient is encoded once, in ``prepare_email``. The limits are those of
Twilio SendGrid's documentation ("Mail Send", "Substitution Tags", "Personalizations").
"""

import itertools
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import orjson

from newsletter.config.models import Config
from newsletter.config.tracking import TrackedAction
from newsletter.config.urls import build_preferences_url, build_unsubscribe_url
from newsletter.errors import Problem, SendRefusedError
from newsletter.posts.merge_tags.tags import PREFERENCES_TAG, UNSUBSCRIBE_TAG, MergeTag, TokenTarget
from newsletter.render.email import Email
from newsletter.render.headers import build_unsubscribe_headers
from newsletter.render.personalization import personalize_for_recipient
from newsletter.sending.providers.prepared_email import (
    InlineImage,
    PreparedEmail,
    PreparedRequest,
    ScheduledDelivery,
    display_name,
)
from newsletter.sending.providers.provider import RequestId
from newsletter.sending.providers.sendgrid.facts import get_max_batch_size
from newsletter.sending.providers.sendgrid.message_body import (
    encode_request_head,
    iter_email_problems,
)
from newsletter.subscribers import Recipient

MAX_SUBSTITUTION_BYTES = 10_000
# One recipient can't add more than this to a request: substitutions, name, address, links, ids.
MAX_RECIPIENT_BYTES = MAX_SUBSTITUTION_BYTES + 4_000
# Noncharacters (Unicode 23.7) can't be typed, so an editor's text never contains a placeholder: one
# for a whole JSON value, one for the recipient's token inside a URL.
VALUE_PLACEHOLDER, TOKEN_PLACEHOLDER = "\ufdd2", "\ufdd3"
PLACEHOLDER_PATTERN = re.compile(f'"{VALUE_PLACEHOLDER}"|{TOKEN_PLACEHOLDER}'.encode())


@dataclass(frozen=True, slots=True, kw_only=True)
class SendGridEmail(PreparedEmail):
    """An email that is encoded as far as all recipients share it.

    Attributes:
        request_head: the request's JSON up to the value of ``personalizations``, which is its last
            key.
        merge_tokens: the merge tags that occur, and for what; empty if each recipient gets a
            separate request.
        personal_links: token -> the recipient's own URL, with ``TOKEN_PLACEHOLDER`` for the
            recipient's token.
    """

    request_head: bytes
    merge_tokens: tuple[tuple[MergeTag, TokenTarget], ...] = ()
    personal_links: Mapping[str, str] = field(default_factory=dict)

    @property
    def per_request(self) -> bool:
        """Whether each recipient gets a separate request, with nothing left to substitute."""
        return self.config.sendgrid.personalize == "per_request"

    @property
    def shared_bytes(self) -> int:
        """How many bytes a request has without recipients."""
        return len(self.request_head)

    @property
    def max_recipient_bytes(self) -> int:
        """How many bytes one recipient can add to a request at most."""
        return MAX_RECIPIENT_BYTES

    def measure_recipients(self, recipients: Sequence[Recipient]) -> list[int]:
        """Return how many bytes each recipient adds to a request."""
        longest_id = RequestId("9" * 20, "9" * 20, "9" * 20)
        texts = _encode_personalizations(self, recipients, longest_id)
        return [len(text) + 1 for text in texts]  # one for the comma

    def with_tracking(self, tracked: frozenset[TrackedAction]) -> "SendGridEmail":
        """Return the email, prepared so that SendGrid is asked to record just this."""
        head = encode_request_head(
            self.email, self.config, self.scheduled, self.inline_images, tracked=tracked
        )
        return replace(self, request_head=head, tracked=tracked)


def prepare_email(
    email: Email,
    config: Config,
    scheduled: ScheduledDelivery | None = None,
    inline_images: Sequence[InlineImage] = (),
) -> SendGridEmail:
    """Encode what is the same for every recipient.

    Args:
        email: as rendered.
        config: the newsletter's settings.
        scheduled: set if SendGrid is to hold the email until a time.
        inline_images: the images inside the email itself.

    Raises:
        SendRefusedError: SendGrid would reject the email, whoever the recipient is; all reasons
            at once.
    """
    head = encode_request_head(email, config, scheduled, inline_images)
    problems = [*iter_email_problems(email, config)]
    if len(head) + MAX_RECIPIENT_BYTES > config.limits.request_bytes:
        problems.append(
            Problem(
                f"the email is too large: with {len(head):,} bytes it leaves no room for a "
                f"recipient in a request of {config.limits.request_bytes:,} bytes",
                remedy="Shorten the issue, or raise limits.request_bytes in newsletter.yml.",
            )
        )
    if problems:
        raise SendRefusedError.from_problems(problems)
    prepared = SendGridEmail(
        email=email,
        config=config,
        max_batch_size=get_max_batch_size(config),
        scheduled=scheduled,
        inline_images=inline_images,
        request_head=head,
    )
    if prepared.per_request:
        return prepared
    urls = {UNSUBSCRIBE_TAG: build_unsubscribe_url, PREFERENCES_TAG: build_preferences_url}
    merge_tokens = tuple(
        (tag, target)
        for tag in email.merge_tags
        if tag not in urls
        for target in _used_targets(email, tag)
    )
    links = {
        tag.token(target): build_url(config, TOKEN_PLACEHOLDER)
        for tag, build_url in urls.items()
        for target in _used_targets(email, tag)
    }
    return replace(prepared, merge_tokens=merge_tokens, personal_links=links)


def build_request(
    prepared_email: SendGridEmail, recipients: Iterable[Recipient], request_id: RequestId
) -> PreparedRequest:
    """Build the request for one batch, without recipients whom SendGrid would reject.

    Raises:
        SendRefusedError: one email per request is configured, and there are several recipients.
    """
    accepted = [*recipients]
    if prepared_email.per_request and len(accepted) > 1:
        # All of them would get the first one's copy, with that reader's unsubscribe link.
        raise SendRefusedError.from_problems([oversized_batch_problem()])
    personalizations = _encode_personalizations(prepared_email, accepted, request_id)
    reason = f"merge tags take more than {MAX_SUBSTITUTION_BYTES:,} bytes"
    rejected = {
        recipient.id: reason
        for recipient, text in zip(accepted, personalizations, strict=True)
        if len(text) > MAX_SUBSTITUTION_BYTES and _substitution_bytes(text) > MAX_SUBSTITUTION_BYTES
    }
    if rejected:
        accepted = [recipient for recipient in accepted if recipient.id not in rejected]
        personalizations = _encode_personalizations(prepared_email, accepted, request_id)
    if not accepted:
        return PreparedRequest(b"", (), rejected)
    head = prepared_email.request_head
    if prepared_email.per_request:
        head = encode_request_head(
            personalize_for_recipient(
                prepared_email.email,
                prepared_email.config,
                accepted[0].attributes,
                accepted[0].token,
            ),
            prepared_email.config,
            prepared_email.scheduled,
            prepared_email.inline_images,
            tracked=prepared_email.tracked,
        )
    body = b"".join((head, b"[", b",".join(personalizations), b"]}"))
    return PreparedRequest(body, tuple(recipient.id for recipient in accepted), rejected)


def oversized_batch_problem() -> Problem:
    """Return the problem of a batch that was planned before each reader got a request."""
    return Problem(
        "this send was planned with several readers per request, but sendgrid.personalize in "
        "newsletter.yml is per_request now",
        remedy="Set it back to substitutions until this send has finished; then change it for the "
        "next one.",
    )


def _used_targets(email: Email, tag: MergeTag) -> tuple[TokenTarget, ...]:
    content = f"{email.subject}\n{email.text}\n{email.html}"
    targets: tuple[TokenTarget, ...] = ("html", "text", "url")
    return tuple(target for target in targets if tag.token(target) in content)


def _encode_personalizations(
    prepared_email: SendGridEmail, recipients: Sequence[Recipient], request_id: RequestId
) -> list[bytes]:
    """Return each recipient's personalization as JSON.

    It is encoded once, with placeholders, and split there; the values are put in between. To encode
    a dict of each recipient would make a whole send take 1.4 times as long.
    """
    personalization: dict[str, Any] = {"to": [VALUE_PLACEHOLDER]}
    columns = [[_encode_to(recipient) for recipient in recipients]]
    tokens = [recipient.token.encode() for recipient in recipients]
    substitutions = {
        tag.token(target): VALUE_PLACEHOLDER for tag, target in prepared_email.merge_tokens
    }
    columns += [
        [orjson.dumps(tag.value(recipient.attributes, target)) for recipient in recipients]
        for tag, target in prepared_email.merge_tokens
    ]
    substitutions |= prepared_email.personal_links
    columns += [tokens] * len(prepared_email.personal_links)
    if substitutions:
        personalization["substitutions"] = substitutions
    if headers := build_unsubscribe_headers(prepared_email.config, TOKEN_PLACEHOLDER):
        personalization["headers"] = dict(headers)
        columns.append(tokens)
    personalization["custom_args"] = {
        "nl_send": request_id.send_id,
        "nl_batch": request_id.batch_id,
        "nl_attempt": request_id.attempt_number,
        "nl_subscriber": VALUE_PLACEHOLDER,
    }
    columns.append([b'"%d"' % recipient.id for recipient in recipients])
    start, *parts = PLACEHOLDER_PATTERN.split(orjson.dumps(personalization))
    pieces: list[Iterable[bytes]] = [itertools.repeat(start)]
    for column, part in zip(columns, parts, strict=True):
        pieces += [column, itertools.repeat(part)]
    return [b"".join(row) for row in zip(*pieces, strict=False)]


def _encode_to(recipient: Recipient) -> bytes:
    to = {"email": recipient.address}
    if name := display_name(recipient):
        to["name"] = name
    return orjson.dumps(to)


def _substitution_bytes(personalization: bytes) -> int:
    data = orjson.loads(personalization)
    return len(orjson.dumps(data.get("substitutions", {})))
