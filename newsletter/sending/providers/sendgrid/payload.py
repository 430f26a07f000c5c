"""Build ``mail/send`` bodies and cut recipients into batches. Pure.

What is the same for every recipient is encoded once, in ``prepare_email``. The limits are those of
Twilio SendGrid's documentation ("Mail Send", "Substitution Tags", "Personalizations").
"""

import html
import itertools
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from json.encoder import encode_basestring as quoted  # in C; dicts take twice the time
from typing import Any, NamedTuple

import orjson

from newsletter.config.models import Config
from newsletter.config.tracking import TrackedAction
from newsletter.config.urls import build_preferences_url, build_unsubscribe_url
from newsletter.errors import Problem, SendRefusedError
from newsletter.posts.merge_tags.tags import PREFERENCES_TAG, UNSUBSCRIBE_TAG, MergeTag, TokenTarget
from newsletter.render.email import Email
from newsletter.render.headers import build_unsubscribe_headers
from newsletter.render.personalization import personalize_for_recipient
from newsletter.sending.providers.provider import RequestId
from newsletter.sending.providers.sendgrid.message_body import (
    InlineImage,
    ScheduledDelivery,
    encode_request_head,
    iter_email_problems,
)
from newsletter.subscribers import Recipient

MAX_SUBSTITUTION_BYTES = 10_000
# One recipient can't add more than this to a request: substitutions, name, address, links, ids.
MAX_RECIPIENT_BYTES = MAX_SUBSTITUTION_BYTES + 4_000
MAX_NAME_LENGTH = 255
MAX_CACHED_VALUES = 10_000
# Noncharacters (Unicode 23.7) can't be typed, so an editor's text never contains a placeholder.
ADDRESS_PLACEHOLDER, VALUE_PLACEHOLDER, TOKEN_PLACEHOLDER, ID_PLACEHOLDER = (
    "\ufdd2",
    "\ufdd3",
    "\ufdd4",
    "\ufdd5",
)
PLACEHOLDER_PATTERN = re.compile(
    f'("{ADDRESS_PLACEHOLDER}"|[{VALUE_PLACEHOLDER}{TOKEN_PLACEHOLDER}{ID_PLACEHOLDER}])'
)
# A character takes up to four bytes of UTF-8.
SAFE_LENGTH = MAX_SUBSTITUTION_BYTES // 4
# Separates the values of many recipients while all of them are escaped at once.
SEPARATOR = "|"

# Returns the JSON of one personalization, given what differs between recipients: address and
# name, token, id, and the values of the merge tags.
PersonalizationTemplate = Callable[..., str]


class MergeTagValues(dict[str, tuple[str, ...]]):
    """The JSON-escaped values of one merge tag, by the recipient's attribute.

    A key is the value of the attribute; its value has one string for each token of the merge tag,
    without the quotes. Some are cached, since the same values (towns, say) occur again and again.
    """

    def __init__(self, tag: MergeTag, targets: tuple[TokenTarget, ...]) -> None:
        super().__init__()
        self.tokens = tuple(tag.token(target) for target in targets)
        self._tag = tag
        self._targets = targets
        self._default = tag.value({}, "text")

    def encode_columns(self, recipients: Sequence[Recipient]) -> Iterable[Sequence[str]]:
        """Return the values of many recipients, a column for each token."""
        attribute, default = self._tag.attribute, self._default
        raw = [recipient.attributes.get(attribute) or default for recipient in recipients]
        # Nearly all values are words with single spaces between them. For those, escaping all at
        # once and splitting afterwards gives the same as escaping each.
        joined = SEPARATOR.join(("", *raw, ""))
        if "url" in self._targets or "-nl" in joined or not _is_single_spaced(joined, len(raw)):
            return zip(*map(self.__getitem__, raw), strict=True)
        escaped = {"text": joined, "html": html.escape(joined)}
        return [quoted(escaped[target]).split(SEPARATOR)[1:-1] for target in self._targets]

    def __missing__(self, raw: str) -> tuple[str, ...]:
        attributes = {self._tag.attribute: raw}
        values = tuple(
            quoted(self._tag.value(attributes, target))[1:-1] for target in self._targets
        )
        if len(self) < MAX_CACHED_VALUES:
            self[raw] = values
        return values


PLANNED_FOR_SUBSTITUTIONS = (
    "this send was planned with several readers per request, but sendgrid.personalize in "
    "newsletter.yml is per_request now"
)
PLANNED_FOR_SUBSTITUTIONS_REMEDY = (
    "Set it back to substitutions until this send has finished; then change it for the next one."
)


@dataclass(frozen=True, slots=True)
class PreparedEmail:
    """An email that is encoded as far as all recipients share it.

    Attributes:
        email: as rendered, with its substitution tokens.
        config: the newsletter's settings.
        request_head: the request's JSON up to the value of ``personalizations``, which is its last
            key.
        merge_tag_values: the values of each merge tag that occurs; empty if each recipient gets a
            separate request.
        personal_links: token -> the recipient's own URL, with ``TOKEN_PLACEHOLDER`` for the
            recipient's token.
        scheduled: set if SendGrid is to hold the email until a time.
        inline_images: the images inside the email itself.
        tracked: what SendGrid is asked to record; ``None`` for what the settings want to be
            recorded of every reader.
    """

    email: Email
    config: Config
    request_head: bytes
    merge_tag_values: tuple[MergeTagValues, ...]
    personal_links: Mapping[str, str]
    scheduled: ScheduledDelivery | None = None
    inline_images: Sequence[InlineImage] = ()
    tracked: frozenset[TrackedAction] | None = None

    def with_tracking(self, tracked: frozenset[TrackedAction]) -> "PreparedEmail":
        """Return the email, prepared so that SendGrid is asked to record just this."""
        head = encode_request_head(
            self.email, self.config, self.scheduled, self.inline_images, tracked=tracked
        )
        return replace(self, request_head=head, tracked=tracked)

    @property
    def per_request(self) -> bool:
        """Whether each recipient gets a separate request, with nothing left to substitute."""
        return self.config.sendgrid.personalize == "per_request"

    @property
    def batch_size(self) -> int:
        """The maximum number of recipients in a request."""
        return 1 if self.per_request else self.config.limits.batch_size

    @property
    def always_fits(self) -> bool:
        """Whether a full batch always fits into a request, whatever its recipients' data."""
        max_bytes = len(self.request_head) + self.batch_size * MAX_RECIPIENT_BYTES
        return max_bytes <= self.config.limits.request_bytes


class PreparedRequest(NamedTuple):
    """The body of one request and its recipients.

    Attributes:
        body: JSON; empty if no recipient is left.
        recipient_ids: the recipients' ids, in the order of the personalizations.
        rejected_recipients: id -> why SendGrid would reject any request with this recipient.
    """

    body: bytes
    recipient_ids: tuple[int, ...]
    rejected_recipients: Mapping[int, str]


def prepare_email(
    email: Email,
    config: Config,
    scheduled: ScheduledDelivery | None = None,
    inline_images: Sequence[InlineImage] = (),
) -> PreparedEmail:
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
    if config.sendgrid.personalize == "per_request":
        return PreparedEmail(email, config, head, (), {}, scheduled, inline_images)
    urls = {UNSUBSCRIBE_TAG: build_unsubscribe_url, PREFERENCES_TAG: build_preferences_url}
    values = tuple(
        MergeTagValues(tag, targets)
        for tag in email.merge_tags
        if tag not in urls and (targets := _used_targets(email, tag))
    )
    links = {
        tag.token(target): build_url(config, TOKEN_PLACEHOLDER)
        for tag, build_url in urls.items()
        for target in _used_targets(email, tag)
    }
    return PreparedEmail(email, config, head, values, links, scheduled, inline_images)


def split_into_batches(
    prepared_email: PreparedEmail, recipients: Iterable[Recipient]
) -> Iterator[tuple[Recipient, ...]]:
    """Yield the recipients in batches, limited by count and by bytes, in their order."""
    limit, always_fits = prepared_email.config.limits.request_bytes, prepared_email.always_fits
    template = _build_template(prepared_email, RequestId("9" * 20, "9" * 20, "9" * 20))
    batch: list[Recipient] = []
    size = len(prepared_email.request_head)
    for recipient in recipients:
        added = (
            MAX_RECIPIENT_BYTES
            if always_fits
            else _encoded_size(prepared_email, template, recipient)
        )
        if batch and (len(batch) == prepared_email.batch_size or size + added > limit):
            yield tuple(batch)
            batch, size = [], len(prepared_email.request_head)
        batch.append(recipient)
        size += added
    if batch:
        yield tuple(batch)


def build_request(
    prepared_email: PreparedEmail, recipients: Iterable[Recipient], request_id: RequestId
) -> PreparedRequest:
    """Build the request for one batch, without recipients whom SendGrid would reject.

    Raises:
        SendRefusedError: one email per request is configured, and there are several recipients.
    """
    accepted = [*recipients]
    if prepared_email.per_request and len(accepted) > 1:
        # All of them would get the first one's copy, with that reader's unsubscribe link.
        raise SendRefusedError(PLANNED_FOR_SUBSTITUTIONS, remedy=PLANNED_FOR_SUBSTITUTIONS_REMEDY)
    personalizations = _fill_template(
        _build_template(prepared_email, request_id), prepared_email.merge_tag_values, accepted
    )
    rejected: dict[int, str] = {}
    if personalizations and len(max(personalizations, key=len)) > SAFE_LENGTH:
        too_large = [
            _substitution_bytes(text) > MAX_SUBSTITUTION_BYTES for text in personalizations
        ]
        reason = f"merge tags take more than {MAX_SUBSTITUTION_BYTES:,} bytes"
        rejected = {recipient.id: reason for recipient in itertools.compress(accepted, too_large)}
        personalizations = [
            text
            for text, is_too_large in zip(personalizations, too_large, strict=True)
            if not is_too_large
        ]
        accepted = [recipient for recipient in accepted if recipient.id not in rejected]
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
    # Encoded one by one: a non-ASCII character slows down its own recipient's and no other's.
    bodies = [*map(str.encode, personalizations)]
    # Joined once: copying half a megabyte once more would take a tenth of this function's time.
    bodies[0] = head + b"[" + bodies[0]
    bodies[-1] += b"]}"
    return PreparedRequest(
        b",".join(bodies), tuple(recipient.id for recipient in accepted), rejected
    )


def display_name(recipient: Recipient) -> str:
    """Return the name for the recipient's address, or ``""`` if the API would reject it there."""
    name = recipient.attributes.get("name", "")
    return name if len(name) <= MAX_NAME_LENGTH and _is_allowed_name(name) else ""


def _used_targets(email: Email, tag: MergeTag) -> tuple[TokenTarget, ...]:
    content = f"{email.subject}\n{email.text}\n{email.html}"
    targets: tuple[TokenTarget, ...] = ("html", "text", "url")
    return tuple(target for target in targets if tag.token(target) in content)


def _build_template(
    prepared_email: PreparedEmail, request_id: RequestId
) -> PersonalizationTemplate:
    """Return the template for a request's personalizations; faster than a dict per recipient."""
    tokens = [token for values in prepared_email.merge_tag_values for token in values.tokens]
    personalization: dict[str, Any] = {"to": [{"email": ADDRESS_PLACEHOLDER}]}
    if substitutions := {
        **dict.fromkeys(tokens, VALUE_PLACEHOLDER),
        **prepared_email.personal_links,
    }:
        personalization["substitutions"] = substitutions
    if headers := build_unsubscribe_headers(prepared_email.config, TOKEN_PLACEHOLDER):
        personalization["headers"] = dict(headers)
    personalization["custom_args"] = {
        "nl_send": request_id.send_id,
        "nl_batch": request_id.batch_id,
        "nl_attempt": request_id.attempt_number,
        "nl_subscriber": ID_PLACEHOLDER,
    }
    return _compile_personalization(orjson.dumps(personalization).decode())


def _compile_personalization(text: str) -> PersonalizationTemplate:
    """Return a function that fills the placeholders in ``text``."""
    parts = PLACEHOLDER_PATTERN.split(text)
    template: PersonalizationTemplate = _make_template_factory(tuple(parts[1::2]))(*parts[::2])
    return template


@lru_cache(maxsize=8)
def _make_template_factory(placeholders: tuple[str, ...]) -> Callable[..., PersonalizationTemplate]:
    """Return a function from the text around these placeholders to a template.

    It is the same for all requests of a send. It is compiled from generated source code, as a
    named tuple is: Python fills an f-string in code in a third of the time of a format in data.
    The generated code contains no text from the email or from a recipient.
    """
    value_number = itertools.count()
    names = {f'"{ADDRESS_PLACEHOLDER}"': "to", TOKEN_PLACEHOLDER: "token", ID_PLACEHOLDER: "id_"}
    arguments = [names.get(mark) or f"value{next(value_number)}" for mark in placeholders]
    constants = [f"_{n}" for n in range(len(arguments) + 1)]
    fields = (
        f"{{{constant}}}{{{argument}}}"
        for constant, argument in zip(constants, arguments, strict=False)
    )
    values = "".join(f", value{n}" for n in range(next(value_number)))
    code = (
        f"def make({','.join(constants)}):\n"
        f" return lambda to, token, id_{values}: f'{''.join(fields)}{{{constants[-1]}}}'"
    )
    scope: dict[str, Any] = {}
    exec(code, scope)  # noqa: S102 - nothing but the names above is in it
    make: Callable[..., PersonalizationTemplate] = scope["make"]
    return make


def _fill_template(
    template: PersonalizationTemplate,
    tags: Iterable[MergeTagValues],
    recipients: Sequence[Recipient],
) -> list[str]:
    """Return each recipient's personalization.

    Works column by column, which takes half the time of row by row.
    """
    if not recipients:
        return []
    ids, _, _, tokens, _ = zip(*recipients, strict=True)
    values = [column for tag in tags for column in tag.encode_columns(recipients)]
    return [*map(template, _encode_recipients(recipients), tokens, ids, *values)]


def _encode_recipients(recipients: Sequence[Recipient]) -> list[str]:
    """Return each recipient's address as JSON, followed by the name if there is one."""
    names = [recipient.attributes.get("name", "") for recipient in recipients]
    if len(max(names, key=len)) > MAX_NAME_LENGTH or not _is_allowed_name("".join(names)):
        names = [*map(display_name, recipients)]
    return [
        f'{quoted(recipient.address)},"name":{quoted(name)}' if name else quoted(recipient.address)
        for recipient, name in zip(recipients, names, strict=True)
    ]


def _is_allowed_name(name: str) -> bool:
    return name.isprintable() and ";" not in name and "," not in name


def _is_single_spaced(joined: str, count: int) -> bool:
    """Return whether all whitespace in the joined values is single spaces between words.

    Args:
        joined: the values, with ``SEPARATOR`` around each.
        count: how many values there are; more separators mean that a value contains one.
    """
    other_spaces = ("  ", f"{SEPARATOR} ", f" {SEPARATOR}")
    # The space is the only whitespace character that Unicode calls printable.
    return (
        joined.count(SEPARATOR) == count + 1
        and joined.isprintable()
        and not any(spaces in joined for spaces in other_spaces)
    )


def _substitution_bytes(personalization: str) -> int:
    data = orjson.loads(personalization)
    return len(orjson.dumps(data.get("substitutions", {})))


def _encoded_size(
    prepared_email: PreparedEmail, template: PersonalizationTemplate, recipient: Recipient
) -> int:
    (text,) = _fill_template(template, prepared_email.merge_tag_values, [recipient])
    return len(text.encode()) + 1  # for the comma
