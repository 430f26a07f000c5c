"""Email + readers -> the body of one ``POST /v3/mail/send``. Pure: values in, bytes out.

Whatever is the same for every reader is encoded once, in ``prepare``. The limits are those of
Twilio SendGrid's documentation ("Mail Send", "Substitution Tags", "Personalizations").
"""

import html
import itertools
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from json.encoder import encode_basestring as quoted  # in C; dicts take twice the time
from typing import Any, NamedTuple

import orjson

from newsletter.config.models import Config
from newsletter.config.urls import build_preferences_url, build_unsubscribe_url
from newsletter.errors import Problem, SendRefusedError
from newsletter.posts.merge_tags.tags import PREFERENCES_TAG, UNSUBSCRIBE_TAG, MergeTag, TokenTarget
from newsletter.render.email import Email
from newsletter.render.headers import build_unsubscribe_headers
from newsletter.render.personalization import personalize_for_recipient
from newsletter.sending.providers.provider import RequestId
from newsletter.sending.providers.sendgrid.message_body import (
    ScheduledDelivery,
    encode_request_head,
    iter_email_problems,
)
from newsletter.subscribers import Recipient

MAX_SUBSTITUTION_BYTES = 10_000
# A reader can't add more than this to a request: substitutions, name, address, links and ids.
MAX_RECIPIENT_BYTES = MAX_SUBSTITUTION_BYTES + 4_000
MAX_NAME_LENGTH = 255
MAX_CACHED_VALUES = 10_000
# Noncharacters (Unicode 23.7) can't be typed, so nothing that an editor writes is a mark.
ADDRESS_PLACEHOLDER, VALUE_PLACEHOLDER, TOKEN_PLACEHOLDER, ID_PLACEHOLDER = (
    "\ufdd2",
    "\ufdd3",
    "\ufdd4",
    "\ufdd5",
)
PLACEHOLDER_PATTERN = re.compile(
    f'("{ADDRESS_PLACEHOLDER}"|[{VALUE_PLACEHOLDER}{TOKEN_PLACEHOLDER}{ID_PLACEHOLDER}])'
)
# A letter takes up to four bytes of UTF-8.
SAFE_LENGTH = MAX_SUBSTITUTION_BYTES // 4
# Between the values of many readers while all of them are escaped at once.
SEPARATOR = "|"


# The JSON of anybody's personalization, to be filled with what differs: the recipient, the
# reader's token and id, the values of the merge tags.
PersonalizationTemplate = Callable[..., str]


class MergeTagValues(dict[str, tuple[str, ...]]):
    """A reader's attribute -> what stands between the quotes of JSON for each token of a merge tag.

    Remembers some: lists are full of the same towns.
    """

    def __init__(self, tag: MergeTag, targets: tuple[TokenTarget, ...]) -> None:
        super().__init__()
        self.tokens = tuple(tag.token(target) for target in targets)
        self._tag = tag
        self._targets = targets
        self._default = tag.value({}, "text")

    def encode_columns(self, recipients: Sequence[Recipient]) -> Iterable[Sequence[str]]:
        """The values of many readers, token by token."""
        word, default = self._tag.attribute, self._default
        raw = [one.attributes.get(word) or default for one in recipients]
        # Nearly all values of a list are words with single spaces between. Of those, escaping
        # all at once and cutting after it gives the same as escaping each.
        joined = SEPARATOR.join(("", *raw, ""))
        if "url" in self._targets or "-nl" in joined or not _is_single_spaced(joined, len(raw)):
            return zip(*map(self.__getitem__, raw), strict=True)
        written = {"text": joined, "html": html.escape(joined)}
        return [quoted(written[target]).split(SEPARATOR)[1:-1] for target in self._targets]

    def __missing__(self, raw: str) -> tuple[str, ...]:
        attributes = {self._tag.attribute: raw}
        values = tuple(
            quoted(self._tag.value(attributes, target))[1:-1] for target in self._targets
        )
        if len(self) < MAX_CACHED_VALUES:
            self[raw] = values
        return values


@dataclass(frozen=True, slots=True)
class PreparedEmail:
    """An email made ready for its readers.

    Attributes:
        email: as rendered, tokens still in it.
        config: the newsletter's settings.
        request_head: the request's JSON up to the value of ``personalizations``, which is its last
            key.
        merge_tag_values: of the merge tags that occur; none where each reader gets a request of
            their own.
        personal_links: token -> the reader's own URL, with ``TOKEN_MARK`` for the reader's token.
        scheduled: if SendGrid is to hold it for a while.
    """

    email: Email
    config: Config
    request_head: bytes
    merge_tag_values: tuple[MergeTagValues, ...]
    personal_links: Mapping[str, str]
    scheduled: ScheduledDelivery | None = None

    @property
    def per_request(self) -> bool:
        """Whether each reader gets a request of their own, with nothing left to substitute."""
        return self.config.sendgrid.personalize == "per_request"

    @property
    def batch_size(self) -> int:
        """The most readers that a request may have."""
        return 1 if self.per_request else self.config.limits.batch_size

    @property
    def always_fits(self) -> bool:
        """Whether the most readers fit into a request, whoever they are."""
        longest = len(self.request_head) + self.batch_size * MAX_RECIPIENT_BYTES
        return longest <= self.config.limits.request_bytes


class PreparedRequest(NamedTuple):
    """One request, ready to go.

    Attributes:
        body: JSON; empty if nobody is left.
        recipient_ids: ids of those it is for, in the order of its personalizations.
        rejected_recipients: id -> why that reader can't be in any request.
    """

    body: bytes
    recipient_ids: tuple[int, ...]
    rejected_recipients: Mapping[int, str]


def prepare_email(
    email: Email, config: Config, scheduled: ScheduledDelivery | None = None
) -> PreparedEmail:
    """Encode what is the same for every reader.

    Raises:
        SendRefused: SendGrid would refuse the email, whoever it is for; all reasons at once.
    """
    start = encode_request_head(email, config, scheduled)
    wrong = [*iter_email_problems(email, config)]
    if len(start) + MAX_RECIPIENT_BYTES > config.limits.request_bytes:
        wrong.append(
            Problem(
                f"the email takes {len(start):,} bytes of a request's "
                f"{config.limits.request_bytes:,}",
                remedy="Shorten the issue, or raise limits.request_bytes in newsletter.yml.",
            )
        )
    if wrong:
        raise SendRefusedError.from_problems(wrong)
    if config.sendgrid.personalize == "per_request":
        return PreparedEmail(email, config, start, (), {}, scheduled)
    urls = {UNSUBSCRIBE_TAG: build_unsubscribe_url, PREFERENCES_TAG: build_preferences_url}
    values = tuple(
        MergeTagValues(tag, targets)
        for tag in email.merge_tags
        if tag not in urls and (targets := _used_targets(email, tag))
    )
    links = {
        tag.token(target): url(config, TOKEN_PLACEHOLDER)
        for tag, url in urls.items()
        for target in _used_targets(email, tag)
    }
    return PreparedEmail(email, config, start, values, links, scheduled)


def split_into_batches(
    prepared_email: PreparedEmail, recipients: Iterable[Recipient]
) -> Iterator[tuple[Recipient, ...]]:
    """Cut ``readers`` into requests, capped by count and by bytes; keeps their order."""
    limit, roomy = prepared_email.config.limits.request_bytes, prepared_email.always_fits
    widest = _build_template(prepared_email, RequestId("9" * 20, "9" * 20, "9" * 20))
    batch: list[Recipient] = []
    size = len(prepared_email.request_head)
    for reader in recipients:
        weight = MAX_RECIPIENT_BYTES if roomy else _encoded_size(prepared_email, widest, reader)
        if batch and (len(batch) == prepared_email.batch_size or size + weight > limit):
            yield tuple(batch)
            batch, size = [], len(prepared_email.request_head)
        batch.append(reader)
        size += weight
    if batch:
        yield tuple(batch)


def build_request(
    prepared_email: PreparedEmail, recipients: Iterable[Recipient], request_id: RequestId
) -> PreparedRequest:
    """Build the request for one batch; sets aside whom SendGrid would refuse it for."""
    people = [*recipients]
    ones = _fill_template(
        _build_template(prepared_email, request_id), prepared_email.merge_tag_values, people
    )
    unfit: dict[int, str] = {}
    if ones and len(max(ones, key=len)) > SAFE_LENGTH:
        wide = [_substitution_bytes(one) > MAX_SUBSTITUTION_BYTES for one in ones]
        why = f"merge tags take more than {MAX_SUBSTITUTION_BYTES:,} bytes"
        unfit = {one.id: why for one in itertools.compress(people, wide)}
        ones = [one for one, is_wide in zip(ones, wide, strict=True) if not is_wide]
        people = [one for one in people if one.id not in unfit]
    if not people:
        return PreparedRequest(b"", (), unfit)
    start = prepared_email.request_head
    if prepared_email.per_request:
        start = encode_request_head(
            personalize_for_recipient(
                prepared_email.email, prepared_email.config, people[0].attributes, people[0].token
            ),
            prepared_email.config,
        )
    # Encoded one by one: a letter beyond ASCII slows its own reader's down and no other's.
    bodies = [*map(str.encode, ones)]
    # Joined once: half a megabyte more to copy is a tenth of the time of all this.
    bodies[0] = start + b"[" + bodies[0]
    bodies[-1] += b"]}"
    return PreparedRequest(b",".join(bodies), tuple(one.id for one in people), unfit)


def display_name(recipient: Recipient) -> str:
    """The name beside the reader's address; empty where it has what the API refuses there."""
    name = recipient.attributes.get("name", "")
    return name if len(name) <= MAX_NAME_LENGTH and _is_allowed_name(name) else ""


def _used_targets(email: Email, tag: MergeTag) -> tuple[TokenTarget, ...]:
    everything = f"{email.subject}\n{email.text}\n{email.html}"
    targets: tuple[TokenTarget, ...] = ("html", "text", "url")
    return tuple(target for target in targets if tag.token(target) in everything)


def _build_template(
    prepared_email: PreparedEmail, request_id: RequestId
) -> PersonalizationTemplate:
    """What every personalization of a request looks like; faster than a dict a reader."""
    tokens = [token for values in prepared_email.merge_tag_values for token in values.tokens]
    one: dict[str, Any] = {"to": [{"email": ADDRESS_PLACEHOLDER}]}
    if substitutions := {
        **dict.fromkeys(tokens, VALUE_PLACEHOLDER),
        **prepared_email.personal_links,
    }:
        one["substitutions"] = substitutions
    if headers := build_unsubscribe_headers(prepared_email.config, TOKEN_PLACEHOLDER):
        one["headers"] = dict(headers)
    one["custom_args"] = {
        "nl_send": request_id.send_id,
        "nl_batch": request_id.batch_id,
        "nl_attempt": request_id.attempt_number,
        "nl_subscriber": ID_PLACEHOLDER,
    }
    return _compile_personalization(orjson.dumps(one).decode())


def _compile_personalization(text: str) -> PersonalizationTemplate:
    """A function that fills the places in ``text``."""
    pieces = PLACEHOLDER_PATTERN.split(text)
    form: PersonalizationTemplate = _make_template_factory(tuple(pieces[1::2]))(*pieces[::2])
    return form


@lru_cache(maxsize=8)
def _make_template_factory(placeholders: tuple[str, ...]) -> Callable[..., PersonalizationTemplate]:
    """What makes a form of the words around such places; the same for all requests of a send.

    Made of source code, as a named tuple is: Python fills a format in code in a third of the
    time of one in data. No word of anybody's gets into the code.
    """
    value = itertools.count()
    names = {f'"{ADDRESS_PLACEHOLDER}"': "to", TOKEN_PLACEHOLDER: "token", ID_PLACEHOLDER: "number"}
    places = [names.get(mark) or f"value{next(value)}" for mark in placeholders]
    constants = [f"_{n}" for n in range(len(places) + 1)]
    between = (
        f"{{{constant}}}{{{place}}}" for constant, place in zip(constants, places, strict=False)
    )
    values = "".join(f", value{n}" for n in range(next(value)))
    code = (
        f"def bound({','.join(constants)}):\n"
        f" return lambda to, token, number{values}: f'{''.join(between)}{{{constants[-1]}}}'"
    )
    scope: dict[str, Any] = {}
    exec(code, scope)  # noqa: S102 - of nothing but the names above
    bound: Callable[..., PersonalizationTemplate] = scope["bound"]
    return bound


def _fill_template(
    template: PersonalizationTemplate,
    tags: Iterable[MergeTagValues],
    recipients: Sequence[Recipient],
) -> list[str]:
    """Everybody's personalization; column by column, which takes half the time of row by row."""
    if not recipients:
        return []
    numbers, _, _, tokens, _ = zip(*recipients, strict=True)
    values = [column for tag in tags for column in tag.encode_columns(recipients)]
    return [*map(template, _encode_recipients(recipients), tokens, numbers, *values)]


def _encode_recipients(recipients: Sequence[Recipient]) -> list[str]:
    """Of each, the address in JSON and the name after it, if there is one."""
    names = [one.attributes.get("name", "") for one in recipients]
    if len(max(names, key=len)) > MAX_NAME_LENGTH or not _is_allowed_name("".join(names)):
        names = [*map(display_name, recipients)]
    return [
        f'{quoted(one.address)},"name":{quoted(name)}' if name else quoted(one.address)
        for one, name in zip(recipients, names, strict=True)
    ]


def _is_allowed_name(name: str) -> bool:
    return name.isprintable() and ";" not in name and "," not in name


def _is_single_spaced(joined: str, count: int) -> bool:
    """Whether so many values, ``BETWEEN`` around each, have single spaces inside and no other."""
    odd = ("  ", f"{SEPARATOR} ", f" {SEPARATOR}")
    # Of all white space, Unicode calls the space alone printable.
    return (
        joined.count(SEPARATOR) == count + 1
        and joined.isprintable()
        and not any(space in joined for space in odd)
    )


def _substitution_bytes(personalization: str) -> int:
    one = orjson.loads(personalization)
    return len(orjson.dumps(one.get("substitutions", {})))


def _encoded_size(
    prepared_email: PreparedEmail, template: PersonalizationTemplate, recipient: Recipient
) -> int:
    (one,) = _fill_template(template, prepared_email.merge_tag_values, [recipient])
    return len(one.encode()) + 1  # a comma
