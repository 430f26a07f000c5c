"""Fixture: the messages of one rule on a post."""

from collections.abc import Callable
from typing import Any

import pytest

from newsletter.checks.check_context import CheckContext
from newsletter.checks.registry import RULES

GetMessages = Callable[..., list[str]]
PROSE = (
    "The tide goes out and comes back in, and nobody on the quay has ever asked it why it does.\n\n"
)


@pytest.fixture
def get_messages(make_context: Callable[..., CheckContext]) -> GetMessages:
    """Return a function that returns a rule's messages on a post with this body."""
    rules = {rule.id: rule for rule in RULES}

    def get(rule_id: str, body: str = "", **options: Any) -> list[str]:
        context = make_context(PROSE + body, **options)
        return [finding.message for finding in rules[rule_id].find(context)]

    return get
