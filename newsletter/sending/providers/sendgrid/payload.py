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
from newsletter.config.urls import preferences_url, unsubscribe_url
from newsletter.errors import Problem, SendRefusedError
from newsletter.posts.merge_tags.tags import PREFERENCES, UNSUBSCRIBE, MergeTag, Target
from newsletter.render.email import Email
from newsletter.render.headers import one_click
from newsletter.render.personalization import email_for
from newsletter.sending.providers.provider import Stamp
from newsletter.sending.providers.sendgrid.message_body import Held, head, problems
from newsletter.subscribers import Reader

SUBSTITUTION_BYTES = 10_000
# A reader can't add more than this to a request: substitutions, name, address, links and ids.
READER_BYTES = SUBSTITUTION_BYTES + 4_000
NAME_LENGTH = 255
REMEMBERED = 10_000
# Noncharacters (Unicode 23.7) can't be typed, so nothing that an editor writes is a mark.
TO_MARK, VALUE_MARK, TOKEN_MARK, ID_MARK = "\ufdd2", "\ufdd3", "\ufdd4", "\ufdd5"
PLACES = re.compile(f'("{TO_MARK}"|[{VALUE_MARK}{TOKEN_MARK}{ID_MARK}])')
# A letter takes up to four bytes of UTF-8.
HARMLESS = SUBSTITUTION_BYTES // 4
# Between the values of many readers while all of them are escaped at once.
BETWEEN = "|"


# The JSON of anybody's personalization, to be filled with what differs: the recipient, the
# reader's token and id, the values of the merge tags.
Form = Callable[..., str]


class Values(dict[str, tuple[str, ...]]):
    """A reader's attribute -> what stands between the quotes of JSON for each token of a merge tag.

    Remembers some: lists are full of the same towns.
    """

    def __init__(self, tag: MergeTag, targets: tuple[Target, ...]) -> None:
        super().__init__()
        self.tokens = tuple(tag.token(target) for target in targets)
        self._tag = tag
        self._targets = targets
        self._default = tag.value({}, "text")

    def columns(self, people: Sequence[Reader]) -> Iterable[Sequence[str]]:
        """The values of many readers, token by token."""
        word, default = self._tag.attribute, self._default
        raw = [one.attributes.get(word) or default for one in people]
        # Nearly all values of a list are words with single spaces between. Of those, escaping
        # all at once and cutting after it gives the same as escaping each.
        joined = BETWEEN.join(("", *raw, ""))
        if "url" in self._targets or "-nl" in joined or not _are_words(joined, len(raw)):
            return zip(*map(self.__getitem__, raw), strict=True)
        written = {"text": joined, "html": html.escape(joined)}
        return [quoted(written[target]).split(BETWEEN)[1:-1] for target in self._targets]

    def __missing__(self, raw: str) -> tuple[str, ...]:
        attributes = {self._tag.attribute: raw}
        values = tuple(
            quoted(self._tag.value(attributes, target))[1:-1] for target in self._targets
        )
        if len(self) < REMEMBERED:
            self[raw] = values
        return values


@dataclass(frozen=True, slots=True)
class Letter:
    """An email made ready for its readers.

    Attributes:
        email: as rendered, tokens still in it.
        config: the newsletter's settings.
        head: the request's JSON up to the value of ``personalizations``, which is its last key.
        values: of the merge tags that occur; none where each reader gets a request of their own.
        links: token -> the reader's own URL, with ``TOKEN_MARK`` for the reader's token.
        held: if SendGrid is to hold it for a while.
    """

    email: Email
    config: Config
    head: bytes
    values: tuple[Values, ...]
    links: Mapping[str, str]
    held: Held | None = None

    @property
    def per_request(self) -> bool:
        """Whether each reader gets a request of their own, with nothing left to substitute."""
        return self.config.sendgrid.personalize == "per_request"

    @property
    def batch_size(self) -> int:
        """The most readers that a request may have."""
        return 1 if self.per_request else self.config.limits.batch_size

    @property
    def roomy(self) -> bool:
        """Whether the most readers fit into a request, whoever they are."""
        longest = len(self.head) + self.batch_size * READER_BYTES
        return longest <= self.config.limits.request_bytes


class Request(NamedTuple):
    """One request, ready to go.

    Attributes:
        body: JSON; empty if nobody is left.
        readers: ids of those it is for, in the order of its personalizations.
        unfit: id -> why that reader can't be in any request.
    """

    body: bytes
    readers: tuple[int, ...]
    unfit: Mapping[int, str]


def prepare(email: Email, config: Config, held: Held | None = None) -> Letter:
    """Encode what is the same for every reader.

    Raises:
        SendRefused: SendGrid would refuse the email, whoever it is for; all reasons at once.
    """
    start = head(email, config, held)
    wrong = [*problems(email, config)]
    if len(start) + READER_BYTES > config.limits.request_bytes:
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
        return Letter(email, config, start, (), {}, held)
    urls = {UNSUBSCRIBE: unsubscribe_url, PREFERENCES: preferences_url}
    values = tuple(
        Values(tag, targets)
        for tag in email.merge_tags
        if tag not in urls and (targets := _targets(email, tag))
    )
    links = {
        tag.token(target): url(config, TOKEN_MARK)
        for tag, url in urls.items()
        for target in _targets(email, tag)
    }
    return Letter(email, config, start, values, links, held)


def batches(letter: Letter, readers: Iterable[Reader]) -> Iterator[tuple[Reader, ...]]:
    """Cut ``readers`` into requests, capped by count and by bytes; keeps their order."""
    limit, roomy = letter.config.limits.request_bytes, letter.roomy
    widest = _form(letter, Stamp("9" * 20, "9" * 20, "9" * 20))
    batch: list[Reader] = []
    size = len(letter.head)
    for reader in readers:
        weight = READER_BYTES if roomy else _weight(letter, widest, reader)
        if batch and (len(batch) == letter.batch_size or size + weight > limit):
            yield tuple(batch)
            batch, size = [], len(letter.head)
        batch.append(reader)
        size += weight
    if batch:
        yield tuple(batch)


def request(letter: Letter, readers: Iterable[Reader], stamp: Stamp) -> Request:
    """Build the request for one batch; sets aside whom SendGrid would refuse it for."""
    people = [*readers]
    ones = _filled(_form(letter, stamp), letter.values, people)
    unfit: dict[int, str] = {}
    if ones and len(max(ones, key=len)) > HARMLESS:
        wide = [_substitution_bytes(one) > SUBSTITUTION_BYTES for one in ones]
        why = f"merge tags take more than {SUBSTITUTION_BYTES:,} bytes"
        unfit = {one.id: why for one in itertools.compress(people, wide)}
        ones = [one for one, is_wide in zip(ones, wide, strict=True) if not is_wide]
        people = [one for one in people if one.id not in unfit]
    if not people:
        return Request(b"", (), unfit)
    start = letter.head
    if letter.per_request:
        start = head(
            email_for(letter.email, letter.config, people[0].attributes, people[0].token),
            letter.config,
        )
    # Encoded one by one: a letter beyond ASCII slows its own reader's down and no other's.
    bodies = [*map(str.encode, ones)]
    # Joined once: half a megabyte more to copy is a tenth of the time of all this.
    bodies[0] = start + b"[" + bodies[0]
    bodies[-1] += b"]}"
    return Request(b",".join(bodies), tuple(one.id for one in people), unfit)


def display_name(reader: Reader) -> str:
    """The name beside the reader's address; empty where it has what the API refuses there."""
    name = reader.attributes.get("name", "")
    return name if len(name) <= NAME_LENGTH and _is_display_name(name) else ""


def _targets(email: Email, tag: MergeTag) -> tuple[Target, ...]:
    everything = f"{email.subject}\n{email.text}\n{email.html}"
    targets: tuple[Target, ...] = ("html", "text", "url")
    return tuple(target for target in targets if tag.token(target) in everything)


def _form(letter: Letter, stamp: Stamp) -> Form:
    """What every personalization of a request looks like; faster than a dict a reader."""
    tokens = [token for values in letter.values for token in values.tokens]
    one: dict[str, Any] = {"to": [{"email": TO_MARK}]}
    if substitutions := {**dict.fromkeys(tokens, VALUE_MARK), **letter.links}:
        one["substitutions"] = substitutions
    if headers := one_click(letter.config, TOKEN_MARK):
        one["headers"] = dict(headers)
    one["custom_args"] = {
        "nl_send": stamp.send,
        "nl_batch": stamp.batch,
        "nl_attempt": stamp.attempt,
        "nl_subscriber": ID_MARK,
    }
    return _compiled(orjson.dumps(one).decode())


def _compiled(text: str) -> Form:
    """A function that fills the places in ``text``."""
    pieces = PLACES.split(text)
    form: Form = _around(tuple(pieces[1::2]))(*pieces[::2])
    return form


@lru_cache(maxsize=8)
def _around(marks: tuple[str, ...]) -> Callable[..., Form]:
    """What makes a form of the words around such places; the same for all requests of a send.

    Made of source code, as a named tuple is: Python fills a format in code in a third of the
    time of one in data. No word of anybody's gets into the code.
    """
    value = itertools.count()
    names = {f'"{TO_MARK}"': "to", TOKEN_MARK: "token", ID_MARK: "number"}
    places = [names.get(mark) or f"value{next(value)}" for mark in marks]
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
    bound: Callable[..., Form] = scope["bound"]
    return bound


def _filled(form: Form, tags: Iterable[Values], people: Sequence[Reader]) -> list[str]:
    """Everybody's personalization; column by column, which takes half the time of row by row."""
    if not people:
        return []
    numbers, _, _, tokens, _ = zip(*people, strict=True)
    values = [column for tag in tags for column in tag.columns(people)]
    return [*map(form, _recipients(people), tokens, numbers, *values)]


def _recipients(people: Sequence[Reader]) -> list[str]:
    """Of each, the address in JSON and the name after it, if there is one."""
    names = [one.attributes.get("name", "") for one in people]
    if len(max(names, key=len)) > NAME_LENGTH or not _is_display_name("".join(names)):
        names = [*map(display_name, people)]
    return [
        f'{quoted(one.address)},"name":{quoted(name)}' if name else quoted(one.address)
        for one, name in zip(people, names, strict=True)
    ]


def _is_display_name(name: str) -> bool:
    return name.isprintable() and ";" not in name and "," not in name


def _are_words(joined: str, count: int) -> bool:
    """Whether so many values, ``BETWEEN`` around each, have single spaces inside and no other."""
    odd = ("  ", f"{BETWEEN} ", f" {BETWEEN}")
    # Of all white space, Unicode calls the space alone printable.
    return (
        joined.count(BETWEEN) == count + 1
        and joined.isprintable()
        and not any(space in joined for space in odd)
    )


def _substitution_bytes(personalization: str) -> int:
    one = orjson.loads(personalization)
    return len(orjson.dumps(one.get("substitutions", {})))


def _weight(letter: Letter, widest: Form, reader: Reader) -> int:
    (one,) = _filled(widest, letter.values, [reader])
    return len(one.encode()) + 1  # a comma
