"""Mail clients' support for HTML and CSS features, and their market share.

Features go by their names on caniemail.com. The data is in client_support.json beside this file,
which scripts/client_support.py generates from that site's data (MIT license). Where a client comes
in several versions, its newest one counts.
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
        name: its usual name, as in 'Apple Mail'.
        unsupported: the features that it does not support: ``css-box-shadow``, ``html-svg``, ….
    """

    name: str
    unsupported: frozenset[str]


@dataclass(frozen=True, slots=True)
class FeatureSupport:
    """One feature, and the clients that do not support it.

    Attributes:
        title: its name in CSS or HTML.
        tested_on: the date of the latest test.
        unsupported_by: the keys of the clients that do not support it.
    """

    title: str
    tested_on: str
    unsupported_by: tuple[str, ...]


def _list_unsupporting_clients(results: str) -> tuple[str, ...]:
    return tuple(
        key for key, result in zip(_DATA["clients"], results, strict=True) if result == "n"
    )


FEATURES: Mapping[str, FeatureSupport] = {
    name: FeatureSupport(title, tested_on, _list_unsupporting_clients(results))
    for name, (title, tested_on, results) in _DATA["features"].items()
}
CLIENTS: Mapping[str, MailClient] = {
    key: MailClient(
        name,
        frozenset(
            feature for feature, support in FEATURES.items() if key in support.unsupported_by
        ),
    )
    for key, name in _DATA["clients"].items()
}


@dataclass(frozen=True, slots=True)
class ClientShares:
    """The share of the subscribers who use each client.

    Attributes:
        by_client: key of the client in ``CLIENTS`` -> share, 0 to 1; the shares need not add up
            to 1.
        population: the name of this group in messages, as in "40% of readers".
    """

    by_client: Mapping[str, float]
    population: str = "readers"


# Litmus, https://www.emailclientmarketshare.com, December 2020: the last months before Apple's Mail
# Privacy Protection hid which programs open mail. It does not distinguish Gmail's app from its
# site, so each gets half; Thunderbird, too small to be listed there, is from the list of July 2019.
PUBLISHED_SHARES = ClientShares(
    {
        "apple_mail": 0.404, "gmail": 0.132, "gmail_app": 0.132, "apple_mail_mac": 0.121,
        "outlook": 0.083, "yahoo": 0.053, "samsung": 0.016, "thunderbird": 0.005,
        "outlook_com": 0.002,
    }
)  # fmt: skip
