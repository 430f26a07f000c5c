"""What mail clients are known to support and not to, by the features' names on caniemail.com.

The facts are in client_support.json beside this file, which scripts/client_support.py writes anew
from that site's data (MIT license). Where a client comes in several versions, its newest one
counts.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

_DATA = json.loads(Path(__file__).with_name("client_support.json").read_text(encoding="utf-8"))
SOURCE: str = _DATA["source"]
AS_OF: str = _DATA["as_of"]


@dataclass(frozen=True, slots=True)
class MailClient:
    """One mail client.

    Attributes:
        name: as people know it.
        unsupported: features that it leaves out: ``css-box-shadow``, ``html-svg``, ….
    """

    name: str
    unsupported: frozenset[str]


@dataclass(frozen=True, slots=True)
class FeatureSupport:
    """What was found of one feature.

    Attributes:
        title: its name in CSS or HTML.
        tested_on: the day of the newest test.
        unsupported_by: the clients that leave it out.
    """

    title: str
    tested_on: str
    unsupported_by: tuple[str, ...]


def _list_unsupporting_clients(results: str) -> tuple[str, ...]:
    return tuple(key for key, one in zip(_DATA["clients"], results, strict=True) if one == "n")


FEATURES: Mapping[str, FeatureSupport] = {
    name: FeatureSupport(title, tested, _list_unsupporting_clients(letters))
    for name, (title, tested, letters) in _DATA["features"].items()
}
CLIENTS: Mapping[str, MailClient] = {
    key: MailClient(
        name, frozenset(one for one, fact in FEATURES.items() if key in fact.unsupported_by)
    )
    for key, name in _DATA["clients"].items()
}


@dataclass(frozen=True, slots=True)
class ClientShares:
    """The part of the readers who use each client.

    Attributes:
        by_client: client, by its key in ``client_support`` -> 0 to 1; they need not add up to 1.
        population: how to name them in a sentence.
    """

    by_client: Mapping[str, float]
    population: str = "readers"


# Litmus, https://www.emailclientmarketshare.com, December 2020: the last months before Apple's Mail
# Privacy Protection hid which programs open mails. It does not tell Gmail's app from its site, so
# each has half; Thunderbird, too small to be listed, is of its list of July 2019.
PUBLISHED_SHARES = ClientShares(
    {
        "apple_mail": 0.404, "gmail": 0.132, "gmail_app": 0.132, "apple_mail_mac": 0.121,
        "outlook": 0.083, "yahoo": 0.053, "samsung": 0.016, "thunderbird": 0.005,
        "outlook_com": 0.002,
    }
)  # fmt: skip
