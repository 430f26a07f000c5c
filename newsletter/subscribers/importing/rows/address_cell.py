"""Parse an address as spreadsheets and address books write it.

Pure functions. Only what has a single meaning is cleaned up: a cell with two addresses, or with
spaces inside an address, is rejected.
"""

import re
from typing import NamedTuple
from urllib.parse import unquote

from newsletter.errors import SubscriberListError
from newsletter.subscribers.address import ParsedAddress, parse_address

# Characters without a width or a meaning in an address: zero-width space, word joiner, byte-order
# mark, soft hyphen. Zero-width joiners are not among them: domains in some scripts contain them.
_INVISIBLE = re.compile("[\u200b\u2060\ufeff\u00ad]")
# At the ends, joiners and the marks of text direction that a copy from a contact list adds, too.
_BLANKS = (
    " \t\r\n\xa0\u2007\u202f\u3000\u200c\u200d\u200e\u200f"
    "\u202a\u202b\u202c\u2066\u2067\u2068\u2069"
)
# A space that doesn't break a line isn't typed by intention, so that it can be removed at the @.
_NO_BREAK_SPACE_AT = re.compile("[\xa0\u2007\u202f]*@[\xa0\u2007\u202f]*")
_QUOTES = {
    '"': '"', "'": "'", "`": "`", "\u201c": "\u201d", "\u201e": "\u201c", "\u2018": "\u2019",
    "\u201a": "\u2018", "\xab": "\xbb",
}  # fmt: skip
_NAME_AND_ADDRESS = re.compile(r"([^<>@]*)<([^<>]*)>")
_MAILTO = re.compile(r"mailto:([^?]*)(?:\?.*)?", re.IGNORECASE | re.DOTALL)
_MAX_CLEANED = 1_000  # characters; far longer than any valid address with a name


class AddressCell(NamedTuple):
    """A parsed cell.

    Attributes:
        parsed: the address.
        name: the name in ``Name <address>``; ``""`` if there is none.
    """

    parsed: ParsedAddress
    name: str = ""


def parse_address_cell(text: str) -> AddressCell:
    """Parse an address with what programs put around it.

    Removed are invisible characters and spaces, ``mailto:``, angle brackets with or without a name
    before them, surrounding quotation marks, an apostrophe at the beginning, and a dot, commas or
    semicolons at the end. The result of a parsed address is that address again.

    Raises:
        SubscriberListError: the address is not valid, even without these.
    """
    if len(text) > _MAX_CLEANED:
        return AddressCell(parse_address(text))
    error: SubscriberListError | None = None
    if text[:1].isalnum():  # nearly all cells; an apostrophe would be valid in an address
        try:
            return AddressCell(parse_address(text))
        except SubscriberListError as found:
            error = found
    address, name = _clean_cell(text)
    try:
        return AddressCell(parse_address(address), name)
    except SubscriberListError as cleaned_error:
        # The message quotes the cell as it is in the file.
        raise error or cleaned_error from None


def _clean_cell(text: str) -> tuple[str, str]:
    """Return the address and the name in a cell; each step may uncover another one's work."""
    name = ""
    text = _NO_BREAK_SPACE_AT.sub("@", _INVISIBLE.sub("", text))
    while True:
        before = text
        text = _strip_end(text.strip(_BLANKS))
        found = _NAME_AND_ADDRESS.fullmatch(text)
        if found:
            name = name or _unquote_name(found[1])
            text = found[2]
        found = _MAILTO.fullmatch(text)
        if found:
            text = unquote(found[1])
        if len(text) > 1 and _QUOTES.get(text[0]) == text[-1]:
            text = text[1:-1]
        elif text[:1] in {"'", "\u2019"}:
            text = text[1:]
        if text == before:
            return text, name


def _strip_end(text: str) -> str:
    """Return a text without the punctuation of a sentence or a list at its end.

    Several dots stay: they mean that the address was cut off.
    """
    text = text.rstrip(",;" + _BLANKS)
    return text[:-1] if text.endswith(".") and not text.endswith("..") else text


def _unquote_name(text: str) -> str:
    text = text.strip(_BLANKS)
    if len(text) > 1 and _QUOTES.get(text[0]) == text[-1]:
        return text[1:-1].strip(_BLANKS)
    return text
