"""Fixtures: the messages of one rule on a post, and the check of a table of edges."""

from collections.abc import Callable
from typing import Any

import pytest

from newsletter.checks.check_context import CheckContext
from newsletter.checks.registry import RULES

GetMessages = Callable[..., list[str]]
CheckEdge = Callable[..., None]
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


@pytest.fixture
def check_edge(get_messages: GetMessages) -> CheckEdge:
    """Return a function that asserts that a rule finds this message once, or nothing if empty."""

    def check(rule_id: str, body: str, message: str = "") -> None:
        found = get_messages(rule_id, body)
        assert len(found) == bool(message), found
        assert not message or message in found[0]

    return check
