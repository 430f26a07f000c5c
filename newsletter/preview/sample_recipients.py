"""Recipients to preview an email for: a sample, edge cases, subscribers."""

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import NamedTuple

import sqlalchemy as sa

from newsletter.config import Config
from newsletter.db import read_transaction
from newsletter.sending.sample import SAMPLE_ADDRESS, SAMPLE_TOKEN, make_sample_recipient
from newsletter.subscribers import Recipient, iter_audience

MAX_LISTED_RECIPIENTS = 5
_LONG_NAME = "Wolfeschlegelsteinhausenbergerdorff " * 6

# key -> its label, and the recipient's name
EDGE_CASES: Mapping[str, tuple[str, str]] = {
    "nameless": ("No name", ""),
    "long": ("200-character name", _LONG_NAME[:200].strip().ljust(200, "f")),
    "emoji": ("Emoji in the name", "Zoë 🐙👩‍👩‍👧‍👦 🏳️‍🌈"),
    "rtl": ("Right-to-left name", "شهرزاد بنت الوزير"),
    "html": ("HTML in the name", '<b onmouseover="alert(1)">Bobby</b> & </td>"\'<script>'),
}


class RecipientChoice(NamedTuple):
    """One entry of the list of recipients to choose from."""

    key: str
    label: str


def iter_recipient_choices(engine: sa.Engine | None, *, real: bool) -> Iterator[RecipientChoice]:
    """Yield the recipients that the email can be shown for.

    Args:
        engine: the subscriber database, or ``None`` if there is none yet.
        real: whether to show subscribers' true names and values instead of masked ones.
    """
    yield RecipientChoice("sample", "Sample reader")
    for key, (label, _) in EDGE_CASES.items():
        yield RecipientChoice(key, label)
    for recipient in _load_first_recipients(engine):
        shown = recipient if real else anonymize_recipient(recipient)
        name = shown.attributes.get("name") or shown.address
        yield RecipientChoice(
            f"list-{recipient.id}", name if real else f"Reader {recipient.id} ({name})"
        )


def get_chosen_recipient(
    key: str, config: Config, engine: sa.Engine | None, *, real: bool
) -> Recipient:
    """Return the recipient with that key, or the sample if there is none.

    Each has the sample's token, so that no link in the preview can change a real subscriber.
    """
    if key in EDGE_CASES:
        name = EDGE_CASES[key][1]
        sample = make_sample_recipient(SAMPLE_ADDRESS, config)
        return sample._replace(attributes={"name": name, "email": SAMPLE_ADDRESS})
    for recipient in _load_first_recipients(engine):
        if key == f"list-{recipient.id}":
            return (recipient if real else anonymize_recipient(recipient))._replace(
                token=SAMPLE_TOKEN
            )
    return make_sample_recipient(SAMPLE_ADDRESS, config)


def anonymize_recipient(recipient: Recipient) -> Recipient:
    """Return the recipient with all values masked: their shape stays, their content does not."""
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
