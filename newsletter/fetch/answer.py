"""What a web server says of a link."""

from dataclasses import dataclass
from typing import Literal

Kind = Literal[
    "fine", "moved", "dead", "failing", "closed", "certificate", "private", "not asked"
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server said of an address.

    Attributes:
        kind: what that means; ``not asked`` if the site wants no programs (RFC 9309).
        detail: in words: ``404 Not Found``, ``the host is not known``.
        leads_to: where a permanent redirect leads.
    """

    kind: Kind
    detail: str = ""
    leads_to: str = ""
