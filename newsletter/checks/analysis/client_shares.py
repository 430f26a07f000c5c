"""How many readers use which mail client: published shares, for who has no count of the own."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Shares:
    """The part of the readers who use each client.

    Attributes:
        of: client, by its key in ``client_support`` -> 0 to 1; they need not add up to 1.
        whose: how to name them in a sentence.
    """

    of: Mapping[str, float]
    whose: str = "readers"


# Litmus, https://www.emailclientmarketshare.com, December 2020: the last months before Apple's Mail
# Privacy Protection hid which programs open mails. It does not tell Gmail's app from its site, so
# each has half; Thunderbird, too small to be listed, is of its list of July 2019.
PUBLISHED = Shares(
    {
        "apple_mail": 0.404, "gmail": 0.132, "gmail_app": 0.132, "apple_mail_mac": 0.121,
        "outlook": 0.083, "yahoo": 0.053, "samsung": 0.016, "thunderbird": 0.005,
        "outlook_com": 0.002,
    }
)  # fmt: skip
