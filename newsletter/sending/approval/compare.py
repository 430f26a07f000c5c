"""Compare an approved plan with what would be sent now.

Pure. Who is chosen when the issue is sent may differ; what they get, and roughly how many they
are, may not.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath

from pydantic import JsonValue

from newsletter.errors import Location, Problem
from newsletter.sending.approval.approval_plan import ApprovalPlan
from newsletter.wording import format_count

MAX_COUNT_PERCENT = 5
COUNT_RULE = (
    f"the number of readers may change by {MAX_COUNT_PERCENT} % after the approval, and always by "
    "one reader"
)
SETTINGS_PATH = "newsletter.yml"

_MAX_VALUE_LENGTH = 60
_SHORT_HASH_LENGTH = 12


def is_count_approved(approved: int, current: int) -> bool:
    """Whether a number of readers is close enough to the approved one: see ``COUNT_RULE``."""
    moved = abs(current - approved)
    return moved <= 1 or moved * 100 <= approved * MAX_COUNT_PERCENT


def find_differences(
    approved: ApprovalPlan, current: ApprovalPlan, plan_path: str, accepted_count: int | None = None
) -> list[Problem]:
    """Return each difference for which an approval doesn't count any more.

    Args:
        approved: the plan as it was approved.
        current: the plan as it would be written now.
        plan_path: the file of ``approved``, as the user would type it.
        accepted_count: a number of readers that was approved later than the plan.
    """
    slug = approved.issue[11:] or approved.issue
    remedy = (
        "Nothing was sent. If this is right, write the plan again and have it approved: "
        f"newsletter plan {slug} --out {plan_path}"
    )
    where = Location(plan_path)
    if approved.newsletter != current.newsletter:
        ids = f"'{approved.newsletter}', and this is '{current.newsletter}'"
        message = f"the plan is of another newsletter: its id is {ids}"
        return [Problem(message, where, remedy)]
    if approved.issue != current.issue:
        message = f"the plan is of the issue {approved.issue}, which is not here"
        return [Problem(message, where, remedy)]
    problems = [
        *_compare_content(approved, current),
        *_compare_audience(approved, current),
        *_compare_counts(approved, current, where, accepted_count),
    ]
    if problems and not problems[-1].remedy:
        problems[-1] = problems[-1]._replace(remedy=remedy)
    return problems


def _compare_content(approved: ApprovalPlan, current: ApprovalPlan) -> Iterator[Problem]:
    post_path = next((path for path in current.files if PurePosixPath(path).stem == "post"), "")
    for label, before, after in (
        ("subject", approved.subject, current.subject),
        ("preheader", approved.preheader, current.preheader),
        ("sender", approved.sender, current.sender),
        ("reply-to address", approved.reply_to, current.reply_to),
    ):
        if before != after:
            message = f"the {label} was {_quote(before)} and is {_quote(after)} now"
            yield Problem(message, Location(post_path))
    causes = [
        *_compare_checksums(approved.files, current.files),
        *_compare_checksums(approved.templates, current.templates),
        *_compare_settings(approved.settings, current.settings),
    ]
    yield from causes
    if not causes and approved.email != current.email:
        yield _explain_other_email(approved, current)


def _explain_other_email(approved: ApprovalPlan, current: ApprovalPlan) -> Problem:
    """Return the problem that the same files are rendered differently."""
    parts = [
        part
        for part in ("html", "text", "headers")
        if getattr(approved.email, part) != getattr(current.email, part)
    ]
    reason = (
        f"newsletter {approved.version} wrote the plan, and this is {current.version}"
        if approved.version != current.version
        else "newsletter's libraries may have other versions here"
    )
    hashes = _format_hashes(approved.email.content, current.email.content)
    return Problem(
        f"the same files give another email here ({', '.join(parts) or 'its merge tags'}; "
        f"{hashes}): {reason}"
    )


def _compare_checksums(before: Mapping[str, str], after: Mapping[str, str]) -> Iterator[Problem]:
    for path in sorted(before.keys() | after.keys()):
        if before.get(path) == after.get(path):
            continue
        if path not in after:
            message = f"is not used any more ({before[path][:_SHORT_HASH_LENGTH]} was approved)"
        elif path not in before:
            message = f"is new ({after[path][:_SHORT_HASH_LENGTH]}) and was not approved"
        else:
            message = f"changed since it was approved ({_format_hashes(before[path], after[path])})"
        yield Problem(message, Location(path))


def _compare_settings(
    before: Mapping[str, JsonValue], after: Mapping[str, JsonValue]
) -> Iterator[Problem]:
    for key in sorted(before.keys() | after.keys()):
        if before.get(key) != after.get(key) or (key in before) != (key in after):
            values = [_format_value(key, settings) for settings in (before, after)]
            message = f"{key} was {values[0]} and is {values[1]} now"
            yield Problem(message, Location(SETTINGS_PATH))


def _compare_audience(approved: ApprovalPlan, current: ApprovalPlan) -> Iterator[Problem]:
    if approved.topic != current.topic:
        yield Problem(f"the topic was {_quote(approved.topic)} and is {_quote(current.topic)} now")
    before, after = approved.segment, current.segment
    if (before and before.query) != (after and after.query):
        name = f" {before.name}" if before and before.name else ""
        queries = [_quote(part.query) if part else "the whole list" for part in (before, after)]
        yield Problem(
            f"the segment{name} was {queries[0]} and is {queries[1]} now",
            Location(SETTINGS_PATH) if name else None,
        )


def _compare_counts(
    approved: ApprovalPlan, current: ApprovalPlan, where: Location, accepted_count: int | None
) -> Iterator[Problem]:
    expected = accepted_count or approved.readers.count
    count = current.readers.count
    if not count or is_count_approved(expected, count):  # of nobody, every send says so
        return
    percent = abs(count - expected) / max(expected, 1)
    agreed = "accepted" if accepted_count else f"approved on {approved.made}"
    change = f"{percent:.1%} {'more' if count > expected else 'fewer'}"
    yield Problem(
        f"{format_count(count, 'reader')} now, and {expected:,} were {agreed} ({change}); "
        f"{COUNT_RULE}",
        where,
        f"Nothing was sent. If {count:,} is right, add --accept-count {count}, or write the plan "
        f"again and have it approved: newsletter plan {approved.issue[11:]} --out {where.path}",
    )


def _format_hashes(before: str, after: str) -> str:
    return f"{before[:_SHORT_HASH_LENGTH]} → {after[:_SHORT_HASH_LENGTH]}"


def _format_value(key: str, settings: Mapping[str, JsonValue]) -> str:
    if key not in settings:
        return "the default"
    text = json.dumps(settings[key], ensure_ascii=False)
    return text if len(text) <= _MAX_VALUE_LENGTH else f"{text[:_MAX_VALUE_LENGTH]}…"


def _quote(text: str) -> str:
    if not text:
        return "empty"
    shown = text if len(text) <= _MAX_VALUE_LENGTH * 2 else f"{text[: _MAX_VALUE_LENGTH * 2]}…"
    return f"'{shown}'"
