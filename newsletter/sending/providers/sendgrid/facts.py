"""What is true of SendGrid whatever the settings are."""

import datetime

from newsletter.config.models import Config
from newsletter.sending.providers.facts import ProviderFacts

FACTS = ProviderFacts(
    key="sendgrid",
    name="SendGrid",
    unit_size=1_000,
    outcome="all",
    fills="substitutions",
    headers_per_reader=True,
    # Less the time that submitting them may take.
    max_hold=datetime.timedelta(hours=72) - datetime.timedelta(minutes=10),
    max_hold_text="72 hours",
    unsubscribe_page_setting="sendgrid.asm_group",
)


def get_sendgrid_timeout(config: Config) -> float:
    """Return how many seconds a request can take at most, until it is given up."""
    return config.sendgrid.connect_timeout + config.sendgrid.read_timeout


def get_max_batch_size(config: Config) -> int:
    """Return how many recipients a batch may have with these settings."""
    return 1 if config.sendgrid.personalize == "per_request" else FACTS.max_batch_size
