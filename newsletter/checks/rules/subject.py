"""Rules on the subject and the preheader, as inboxes show them."""

import re
import unicodedata
from collections.abc import Iterator

from newsletter.checks.check_context import CheckContext
from newsletter.checks.rule import Match, Topic
from newsletter.posts.front_matter.keys import PREHEADER_KEYS
from newsletter.render.text.wrap import get_display_width

rule = Topic("Subject and preheader").rule

# The approximate number of Latin characters shown of a subject, of Chinese ones half as many; it
# depends on letters and windows.
SUBJECT_CUTOFFS = {"Gmail": 70, "Outlook": 60, "an iPhone": 42}
_MAX_SUBJECT_LENGTH = max(SUBJECT_CUTOFFS.values())
_MAX_PREHEADER_LENGTH = 140
_MAX_CAPITALS_SHARE = 0.7
_MIN_CAPITALS_LETTERS = 8  # letters: HMS or NATO alone is not shouting
_EXCLAMATION_MARK = re.compile("[!！]")  # noqa: RUF001 - in Chinese and Japanese
# Without a vowel, or with a digit, no word can be meant; of a list, each item is an abbreviation.
_ACRONYM = re.compile(r"\b(?:[B-DF-HJ-NP-TV-XZ]{2,5}|[A-Z]{1,5}\d+|\d+[A-Z]{1,5})\b")
_ACRONYM_LIST = re.compile(
    r"(?<!\w\s)\b[A-Z]{2,5}(?:(?:,|/)\s?[A-Z]{2,5}\b)*(?:,?\s(?:&|\+|and|or)\s|,\s?|/)[A-Z]{2,5}\b(?!\s\w)"
)
_LETTER_OR_DIGIT = re.compile(r"[^\W_]")


@rule(
    "no-subject",
    "error",
    meaning="Readers see “(no subject)”, and most filters take such email for spam.",
    remedy="Put a subject: into the front matter that isn't empty without its merge tags.",
)
def no_subject(context: CheckContext) -> Iterator[Match]:
    """The subject is empty for readers without attributes."""
    if not context.default_email.subject.strip():
        yield Match("the subject is empty", context.source_map.locate_setting("subject", "title"))


@rule(
    "long-subject",
    "warning",
    meaning="Inboxes cut off the end, which may be the important part.",
    remedy="Say it in 60 characters, or put the important part first.",
)
def long_subject(context: CheckContext) -> Iterator[Match]:
    """The subject is longer than any inbox shows."""
    subject = context.default_email.subject
    if get_display_width(subject) > _MAX_SUBJECT_LENGTH:
        cuts = "; ".join(
            f"{client} ends at “…{_cut(subject, cutoff)[-12:]}”"
            for client, cutoff in SUBJECT_CUTOFFS.items()
        )
        where = context.source_map.locate_setting("subject", "title")
        yield Match(f"{_describe_length(subject)}: {cuts}", where, subject)


@rule(
    "long-merge-value",
    "hint",
    meaning="Readers with long names see a subject that is cut off.",
    remedy="Move the merge tag to the end of the subject.",
)
def long_merge_value(context: CheckContext) -> Iterator[Match]:
    """The subject is too long, but only for the reader with the longest values."""
    subject = context.longest_email.subject
    if (
        get_display_width(context.default_email.subject)
        <= _MAX_SUBJECT_LENGTH
        < get_display_width(subject)
    ):
        message = f"with the longest values the subject has {_describe_length(subject)}"
        yield Match(
            message,
            context.source_map.locate_setting("subject", "title"),
            context.default_email.subject,
        )


@rule(
    "shouting-subject",
    "warning",
    meaning="Capitals and exclamation marks read as shouting, to people and to filters.",
    remedy="Write it in normal case, with fewer exclamation marks.",
)
def shouting_subject(context: CheckContext) -> Iterator[Match]:
    """The subject is in capitals, or has three exclamation marks."""
    subject = context.default_email.subject
    words = _ACRONYM_LIST.sub("", subject)
    cased = [char for char in _ACRONYM.sub("", words) if char.upper() != char.lower()]
    capitals = sum(char.isupper() for char in cased)
    if (len(cased) >= _MIN_CAPITALS_LETTERS and capitals > _MAX_CAPITALS_SHARE * len(cased)) or len(
        _EXCLAMATION_MARK.findall(subject)
    ) > 2:  # noqa: PLR2004 - three or more
        yield Match(
            "the subject is shouting",
            context.source_map.locate_setting("subject", "title"),
            subject,
        )


@rule(
    "emoji-subject",
    "warning",
    meaning="A screen reader reads out the names of emoji; some inboxes show a box.",
    remedy="Add a word.",
)
def emoji_subject(context: CheckContext) -> Iterator[Match]:
    """The subject has neither letters nor digits."""
    subject = context.default_email.subject
    if subject.strip() and not _LETTER_OR_DIGIT.search(subject):
        yield Match(
            "the subject has no word in it",
            context.source_map.locate_setting("subject", "title"),
            subject,
        )


@rule(
    "repeated-subject",
    "warning",
    meaning="Mail clients thread emails with the same subject; readers think they have read it.",
    remedy="Give this issue a different subject.",
)
def repeated_subject(context: CheckContext) -> Iterator[Match]:
    """An earlier issue has the same subject."""
    normalized = _normalize_text(context.default_email.subject)
    for name, subject in context.earlier_subjects.items():
        if normalized and _normalize_text(subject) == normalized:
            where = context.source_map.locate_setting("subject", "title")
            yield Match(f"{name} had the same subject", where, context.default_email.subject)
            return


@rule(
    "no-preheader",
    "warning",
    meaning="Inboxes fill the line after the subject with whatever comes first in the email.",
    remedy="Add a line to the front matter: preheader: What this issue is about.",
)
def no_preheader(context: CheckContext) -> Iterator[Match]:
    """There is no preheader."""
    if not context.default_email.preheader.strip():
        yield Match(
            "inboxes will show the first sentence", context.source_map.locate_setting("preheader")
        )


@rule(
    "long-preheader",
    "hint",
    meaning="Inboxes cut off the end.",
    remedy="Say it in 100 characters or less.",
)
def long_preheader(context: CheckContext) -> Iterator[Match]:
    """The preheader is longer than inboxes show."""
    preheader = context.default_email.preheader
    if get_display_width(preheader) > _MAX_PREHEADER_LENGTH:
        where = context.source_map.locate_setting(*PREHEADER_KEYS)
        shown = f"{_describe_length(preheader)}, of which about 100 are shown"
        yield Match(shown, where, preheader)


@rule(
    "preheader-repeats",
    "warning",
    meaning="Readers see the same words twice instead of something new.",
    remedy="Say something in the preheader that the subject doesn't.",
)
def preheader_repeats(context: CheckContext) -> Iterator[Match]:
    """The preheader repeats the subject."""
    preheader = _normalize_text(context.default_email.preheader)
    if preheader and preheader == _normalize_text(context.default_email.subject):
        yield Match(
            "the preheader repeats the subject", context.source_map.locate_setting("preheader")
        )


def _describe_length(text: str) -> str:
    width = get_display_width(text)
    return f"{len(text)} characters{f', as wide as {width}' if width > len(text) else ''}"


def _cut(text: str, width: int) -> str:
    """Return the beginning of a text that fits into a width."""
    end = min(len(text), 4 * width)  # marks and joiners have no width
    while get_display_width(text[:end]) > width:
        end -= 1
    return text[:end]


def _normalize_text(text: str) -> str:
    """Return letters and digits only, so that spelling variants compare equal."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    return "".join(char for char in folded if char.isalnum())
