"""Whom the mail is shown for: a sample, the worst cases, or readers of the list."""

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import NamedTuple

import sqlalchemy as sa

from newsletter.config import Config
from newsletter.db import read_transaction
from newsletter.sending.sample import SAMPLE_TOKEN, make_sample_recipient
from newsletter.subscribers import Recipient, iter_audience

SAMPLE_ADDRESS = "reader@example.com"  # RFC 2606: nobody's
MAX_LISTED_RECIPIENTS = 5
_LONG_NAME = "Wolfeschlegelsteinhausenbergerdorff " * 6

# key -> what it is called, and the name that such a reader has
EDGE_CASES: Mapping[str, tuple[str, str]] = {
    "nameless": ("No name", ""),
    "long": ("200-character name", _LONG_NAME[:200].strip().ljust(200, "f")),
    "emoji": ("Emoji in the name", "Zoë 🐙👩‍👩‍👧‍👦 🏳️‍🌈"),
    "rtl": ("Right-to-left name", "شهرزاد بنت الوزير"),
    "html": ("HTML in the name", '<b onmouseover="alert(1)">Bobby</b> & </td>"\'<script>'),
}


class RecipientChoice(NamedTuple):
    """One reader to choose."""

    key: str
    label: str


def iter_recipient_choices(engine: sa.Engine | None, *, real: bool) -> Iterator[RecipientChoice]:
    """Everybody for whom the mail can be shown."""
    yield RecipientChoice("sample", "Sample reader")
    for key, (label, _) in EDGE_CASES.items():
        yield RecipientChoice(key, label)
    for reader in _load_first_recipients(engine):
        shown = reader if real else anonymize_recipient(reader)
        name = shown.attributes.get("name") or shown.address
        yield RecipientChoice(f"list-{reader.id}", name if real else f"Reader {reader.id} ({name})")


def get_chosen_recipient(
    key: str, config: Config, engine: sa.Engine | None, *, real: bool
) -> Recipient:
    """The reader of that key; the sample if there is none.

    Whoever it is has the sample's token: no link that the preview shows changes a real reader.
    """
    if key in EDGE_CASES:
        name = EDGE_CASES[key][1]
        nobody = make_sample_recipient(SAMPLE_ADDRESS, config)
        return nobody._replace(attributes={"name": name, "email": SAMPLE_ADDRESS})
    for reader in _load_first_recipients(engine):
        if key == f"list-{reader.id}":
            return (reader if real else anonymize_recipient(reader))._replace(token=SAMPLE_TOKEN)
    return make_sample_recipient(SAMPLE_ADDRESS, config)


def anonymize_recipient(recipient: Recipient) -> Recipient:
    """The same reader with every value's shape, and nothing of what it says."""
    address = f"reader-{recipient.id}@example.com"
    attributes = {key: _mask_letters(value) for key, value in recipient.attributes.items()}
    return recipient._replace(
        address=address,
        address_key=address,
        token=SAMPLE_TOKEN,
        attributes={**attributes, "email": address},
    )


def _mask_letters(value: str) -> str:
    def mask(char: str) -> str:
        if char.isdigit():
            return "0"
        if not char.isalpha():
            return char
        return "X" if char.isupper() else "x"

    return "".join(map(mask, value))


def _load_first_recipients(engine: sa.Engine | None) -> list[Recipient]:
    if engine is None:
        return []
    with read_transaction(engine) as connection:
        return list(islice(iter_audience(connection), MAX_LISTED_RECIPIENTS))
