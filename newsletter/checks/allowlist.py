"""Exceptions from rules that the editor grants in front matter.

Written as ``allow: {rule-id: reason}``, or as a list of such mappings.
"""

from collections.abc import Collection, Iterator, Mapping
from difflib import get_close_matches
from typing import Any

from newsletter.checks.check_context import CheckContext
from newsletter.checks.rule import Match

ALLOW_EXAMPLE = "allow: {no-preheader: the first sentence says it best}"


def read_exceptions(context: CheckContext) -> dict[str, str]:
    """Return rule id -> the editor's reason; an entry without a reason has no effect."""
    return {
        rule: reason
        for rule, reason in _iter_exceptions(_get_allow_setting(context))
        if rule and reason
    }


def find_invalid_exceptions(context: CheckContext, rule_ids: Collection[str]) -> Iterator[Match]:
    """Yield the entries without a reason, and those that name no existing rule.

    Args:
        context: the email and its issue, whose front matter is checked.
        rule_ids: the ids of all rules.
    """
    where = context.source_map.locate_setting("allow")
    for rule, reason in _iter_exceptions(_get_allow_setting(context)):
        if rule not in rule_ids:
            suggestions = get_close_matches(rule, rule_ids, n=1)
            hint = f"; did you mean '{suggestions[0]}'?" if suggestions else ""
            yield Match(f"there is no rule '{rule}'{hint}", where, rule)
        elif not reason:
            yield Match(f"'{rule}' is allowed without a reason", where, rule)


def _get_allow_setting(context: CheckContext) -> Any:
    return context.front_matter.data.get("allow")


def _iter_exceptions(setting: Any) -> Iterator[tuple[str, str]]:
    if isinstance(setting, Mapping):
        for rule, reason in setting.items():
            yield str(rule), " ".join(str(reason or "").split())
    elif isinstance(setting, list):
        for entry in setting:
            yield from _iter_exceptions(entry)
    elif setting is not None:
        yield str(setting), ""
