"""What the editor allows in front matter: ``allow: {rule-id: reason}``, or a list of such."""

from collections.abc import Collection, Iterator, Mapping
from difflib import get_close_matches
from typing import Any

from newsletter.checks.check_context import Mail
from newsletter.checks.rule import Hit

EXAMPLE = "allow: {no-preheader: the first sentence says it best}"


def allowed(mail: Mail) -> dict[str, str]:
    """Rule id -> the editor's reason; what is given without one allows nothing."""
    return {rule: reason for rule, reason in _entries(_given(mail)) if rule and reason}


def misused(mail: Mail, known: Collection[str]) -> Iterator[Hit]:
    """Entries without a reason, and those that name no rule.

    Args:
        mail: whose front matter is looked at.
        known: the ids of all rules.
    """
    where = mail.places.key("allow")
    for rule, reason in _entries(_given(mail)):
        if rule not in known:
            near = get_close_matches(rule, known, n=1)
            hint = f"; did you mean '{near[0]}'?" if near else ""
            yield Hit(f"'{rule}' is no rule{hint}", where, rule)
        elif not reason:
            yield Hit(f"'{rule}' is allowed without a reason", where, rule)


def _given(mail: Mail) -> Any:
    return next((value for key, value in mail.front.data.items() if key.lower() == "allow"), None)


def _entries(given: Any) -> Iterator[tuple[str, str]]:
    if isinstance(given, Mapping):
        for rule, reason in given.items():
            yield str(rule), " ".join(str(reason or "").split())
    elif isinstance(given, list):
        for entry in given:
            yield from _entries(entry)
    elif given is not None:
        yield str(given), ""
