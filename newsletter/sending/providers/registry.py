"""Choose the provider that a newsletter is sent through.

The one place that names a provider. There is one so far. A setting that chooses would be read here.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from newsletter.config import Config
from newsletter.sending.providers.facts import ProviderFacts
from newsletter.sending.providers.sendgrid.facts import FACTS as SENDGRID_FACTS
from newsletter.sending.providers.sendgrid.facts import get_sendgrid_timeout

if TYPE_CHECKING:
    from newsletter.sending.providers.provider import Provider


class ProviderEntry(NamedTuple):
    """A provider that can be chosen.

    Attributes:
        facts: what is true of it whatever the settings are.
        get_timeout: returns how many seconds a request can take at most, until it is given up.
        make: returns it, used as the settings say.
    """

    facts: ProviderFacts
    get_timeout: Callable[[Config], float]
    make: "Callable[[Config], Provider]"


def _make_sendgrid(config: Config) -> "Provider":
    # Encodes and sends: commands that only read the ledger don't need it.
    from newsletter.sending.providers.sendgrid.provider import SendGridProvider

    return SendGridProvider(config)


chosen = ProviderEntry(SENDGRID_FACTS, get_sendgrid_timeout, _make_sendgrid)


def get_facts() -> ProviderFacts:
    """Return the facts of the provider that sends go through."""
    return chosen.facts


def get_request_timeout(config: Config) -> float:
    """Return how many seconds a request can take at most, until it is given up."""
    return chosen.get_timeout(config)


def get_provider(config: Config) -> "Provider":
    """Return the provider, used as the settings say."""
    return chosen.make(config)
