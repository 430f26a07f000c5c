"""The list of all rules, by topic; register a new module of rules here."""

from collections.abc import Iterator
from types import ModuleType

from newsletter.checks import allowlist
from newsletter.checks.check_context import CheckContext
from newsletter.checks.online import rules
from newsletter.checks.rule import Match, Rule, Topic
from newsletter.checks.rules import (
    accessibility,
    claims,
    clients,
    content,
    contrast,
    delivery,
    foreign_markup,
    images,
    import_leftovers,
    links,
    lost_content,
    markup,
    size,
    spamassassin,
    subject,
    template,
)

RULE_MODULES = (
    subject, lost_content, content, import_leftovers, foreign_markup, claims, links, images, size,
    markup, clients, template, accessibility, contrast, delivery,
)  # fmt: skip


@Topic("Exceptions").rule(
    "bad-allow",
    "error",
    meaning="An exception without a reason, or for a rule that doesn't exist, has no effect.",
    remedy=f"Give each a reason, as in {allowlist.ALLOW_EXAMPLE}",
)
def bad_allow(context: CheckContext) -> Iterator[Match]:
    """An entry of ``allow:`` in the front matter without a reason, or for an unknown rule."""
    return allowlist.find_invalid_exceptions(context, {rule.id for rule in ALL_RULES})


def _iter_rules(module: ModuleType) -> Iterator[Rule]:
    return (value for value in vars(module).values() if isinstance(value, Rule))


RULES: tuple[Rule, ...] = (
    *(rule for topic in RULE_MODULES for rule in _iter_rules(topic)),
    bad_allow,
)
# Including the rules that need SpamAssassin or the network.
ALL_RULES: tuple[Rule, ...] = (*RULES, spamassassin.spam_score, *rules.ONLINE_RULES)
