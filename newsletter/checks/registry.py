"""Every rule there is, in the order of its topics: a new module of rules is added here."""

from collections.abc import Iterator
from types import ModuleType

from newsletter.checks import allowlist
from newsletter.checks.check_context import Mail
from newsletter.checks.online import rules
from newsletter.checks.rule import Hit, Rule, Topic
from newsletter.checks.rules import (
    accessibility,
    claims,
    clients,
    content,
    contrast,
    delivery,
    images,
    import_leftovers,
    links,
    markup,
    size,
    spamassassin,
    subject,
)

TOPICS = (
    subject, content, import_leftovers, claims, links, images, size, markup, clients,
    accessibility, contrast, delivery,
)  # fmt: skip


@Topic("Exceptions").rule(
    "bad-allow", "error",
    meaning="An exception that nobody can look up, or that fits no rule, excepts nothing.",
    remedy=f"Give each a reason, as in {allowlist.EXAMPLE}",
)  # fmt: skip
def bad_allow(mail: Mail) -> Iterator[Hit]:
    """An entry of ``allow:`` in the front matter without a reason, or that names no rule."""
    return allowlist.misused(mail, {rule.id for rule in DOCUMENTED})


def _rules_of(module: ModuleType) -> Iterator[Rule]:
    return (value for value in vars(module).values() if isinstance(value, Rule))


RULES: tuple[Rule, ...] = (*(rule for topic in TOPICS for rule in _rules_of(topic)), bad_allow)
# With those that a program or the network decides, not a look at the mail.
DOCUMENTED: tuple[Rule, ...] = (*RULES, spamassassin.spam_score, *rules.RULES)
