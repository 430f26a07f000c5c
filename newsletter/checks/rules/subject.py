"""Rules on what an inbox shows: subject and preheader."""

import re
import unicodedata
from collections.abc import Iterator

from newsletter.checks.check_context import Mail
from newsletter.checks.rule import Hit, Topic

rule = Topic("Subject and preheader").rule

# Characters of a subject that are shown, about: they depend on letters and windows.
CUTS = {"Gmail": 70, "Outlook": 60, "an iPhone": 42}
_LONGEST = max(CUTS.values())
_PREHEADER = 140
_LOUD = 0.7
_FEWEST = 8  # letters: HMS or NATO alone shout at nobody
_VISIBLE = re.compile(r"[^\W_]")


@rule(
    "no-subject", "error",
    meaning="Readers see “(no subject)”, and most filters take such mail for spam.",
    remedy="Put a subject: into the front matter that holds a word without any reader's name.",
)  # fmt: skip
def no_subject(mail: Mail) -> Iterator[Hit]:
    """The subject is empty for readers of whom nothing is known."""
    if not mail.plain.subject.strip():
        yield Hit("the subject is empty", mail.places.key("subject", "title"))


@rule(
    "long-subject", "warning",
    meaning="Inboxes cut the end off; what counts may be in it.",
    remedy="Say it in 60 characters, or put first what counts.",
)  # fmt: skip
def long_subject(mail: Mail) -> Iterator[Hit]:
    """The subject is longer than any inbox shows."""
    subject = mail.plain.subject
    if len(subject) > _LONGEST:
        cuts = "; ".join(f"{who} ends at “…{subject[:cut][-12:]}”" for who, cut in CUTS.items())
        where = mail.places.key("subject", "title")
        yield Hit(f"{len(subject)} characters: {cuts}", where, subject)


@rule(
    "long-merge-value", "hint",
    meaning="Readers with long names see a subject that is cut off.",
    remedy="Move the merge tag to the end of the subject.",
)  # fmt: skip
def long_merge_value(mail: Mail) -> Iterator[Hit]:
    """The subject is too long for the reader with the longest values alone."""
    subject = mail.full.subject
    if len(mail.plain.subject) <= _LONGEST < len(subject):
        message = f"for one reader the subject has {len(subject)} characters"
        yield Hit(message, mail.places.key("subject", "title"), mail.plain.subject)


@rule(
    "shouting-subject", "warning",
    meaning="Capitals and exclamation marks read as shouting, to people and to filters.",
    remedy="Write it as you would say it.",
)  # fmt: skip
def shouting_subject(mail: Mail) -> Iterator[Hit]:
    """The subject is in capitals, or has three exclamation marks."""
    subject = mail.plain.subject
    cased = [char for char in subject if char.upper() != char.lower()]
    loud = sum(char.isupper() for char in cased)
    if (len(cased) >= _FEWEST and loud > _LOUD * len(cased)) or subject.count("!") > 2:  # noqa: PLR2004 - three
        yield Hit("the subject shouts", mail.places.key("subject", "title"), subject)


@rule(
    "emoji-subject", "warning",
    meaning="A screen reader says the name of a picture; some inboxes show a box.",
    remedy="Add a word.",
)  # fmt: skip
def emoji_subject(mail: Mail) -> Iterator[Hit]:
    """The subject has no letter and no digit."""
    subject = mail.plain.subject
    if subject.strip() and not _VISIBLE.search(subject):
        yield Hit("the subject has no word in it", mail.places.key("subject", "title"), subject)


@rule(
    "repeated-subject", "warning",
    meaning="Mail clients join mails of one subject into a thread; readers think they know it.",
    remedy="Give this issue a subject of its own.",
)  # fmt: skip
def repeated_subject(mail: Mail) -> Iterator[Hit]:
    """An earlier issue has the same subject."""
    mine = _plain(mail.plain.subject)
    for name, subject in mail.earlier.items():
        if mine and _plain(subject) == mine:
            where = mail.places.key("subject", "title")
            yield Hit(f"{name} had the same subject", where, mail.plain.subject)
            return


@rule(
    "no-preheader", "warning",
    meaning="Inboxes fill the line after the subject with whatever comes first in the mail.",
    remedy="Put a line like this into the front matter: preheader: What awaits the reader.",
)  # fmt: skip
def no_preheader(mail: Mail) -> Iterator[Hit]:
    """There is no preheader."""
    if not mail.plain.preheader.strip():
        yield Hit("inboxes will show the first sentence", mail.places.key("preheader"))


@rule(
    "long-preheader", "hint",
    meaning="Inboxes cut the end off.",
    remedy="Say it in 100 characters or less.",
)  # fmt: skip
def long_preheader(mail: Mail) -> Iterator[Hit]:
    """The preheader is longer than inboxes show."""
    preheader = mail.plain.preheader
    if len(preheader) > _PREHEADER:
        where = mail.places.key("preheader", "description", "summary", "excerpt")
        yield Hit(f"{len(preheader)} characters, of which about 100 are shown", where, preheader)


@rule(
    "preheader-repeats", "warning",
    meaning="Readers see the same words twice, where a second thought could have been.",
    remedy="Say in the preheader what the subject doesn't.",
)  # fmt: skip
def preheader_repeats(mail: Mail) -> Iterator[Hit]:
    """The preheader says what the subject says."""
    preheader = _plain(mail.plain.preheader)
    if preheader and preheader == _plain(mail.plain.subject):
        yield Hit("the preheader repeats the subject", mail.places.key("preheader"))


def _plain(text: str) -> str:
    """Letters and digits alone, so that two ways of writing the same are the same."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    return "".join(char for char in folded if char.isalnum())
