"""Facts about a provider that the ledger, planning and delivery rely on."""

import datetime
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderFacts:
    """What is true of a provider whatever the settings are.

    Attributes:
        key: its name in options and in ``newsletter.yml``.
        name: its name in messages.
        unit_size: how many recipients one request can have.
        outcome: whether a request is accepted for ``all`` of its recipients or none, or for
            ``each`` on its own.
        fills: whether it fills in the merge values of each reader (``substitutions``), or each
            copy must be ``rendered`` before it is handed over.
        headers_per_reader: whether a request can have other headers for each recipient. Each reader
            has a ``List-Unsubscribe`` of their own.
        max_hold: how far ahead an email can be handed over for later delivery, less the time that
            handing over a send may take; ``None`` if the provider holds nothing.
        max_hold_text: the same in words, as the provider gives it.
        unsubscribe_page_setting: the setting with which links to unsubscribe lead to a page of the
            provider; empty if it has none.
    """

    key: str
    name: str
    unit_size: int
    outcome: Literal["all", "each"]
    fills: Literal["substitutions", "rendered"]
    headers_per_reader: bool
    max_hold: datetime.timedelta | None = None
    max_hold_text: str = ""
    unsubscribe_page_setting: str = ""

    @property
    def max_batch_size(self) -> int:
        """How many recipients a batch may have.

        The ledger records one outcome for a batch, so it must be true of all its recipients; and no
        reader may get another one's copy.
        """
        is_shareable = (
            self.outcome == "all" and self.fills == "substitutions" and self.headers_per_reader
        )
        return self.unit_size if is_shareable else 1
