"""One reader, as the audience hands them to sending."""

from collections.abc import Mapping
from typing import NamedTuple


class Reader(NamedTuple):
    """A subscriber who may be mailed; a tuple, since a send makes a million of them.

    Attributes:
        id: the subscriber's id, never given twice.
        address: where to send, with the domain in ASCII (RFC 5891).
        address_key: the address as a key: one subscriber each.
        token: the secret in this reader's unsubscribe and preferences links.
        attributes: what merge tags may use: ``email`` and ``name`` (as typed, perhaps ``""``)
            and the editor's own, all text.
    """

    id: int
    address: str
    address_key: str
    token: str
    attributes: Mapping[str, str]
