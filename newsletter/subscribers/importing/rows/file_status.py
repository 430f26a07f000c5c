"""Tell from a file's name whether its subscribers have left or bounced.

Pure functions. Services export a file for each status: ``unsubscribed_…csv``, ``cleaned_…csv``,
``suppression_bounces.csv``; people name theirs likewise, in their own language.
"""

import re

from anyascii import anyascii

from newsletter.errors import Location, SubscriberListError

# Parts of names -> status, from the most to the least specific. The languages are those of the
# public pages: English, German, Spanish, French, Italian, Norwegian, Dutch.
_PATTERNS = (
    (
        "complained",
        re.compile(
            r"complain|spam report|\bbeschwerden?\b|\bplaintes?\b|\bquejas?\b|\bklachten?\b"
        ),
    ),
    (
        "unsubscribed",
        re.compile(
            r"unsub|non ?subscribed|not subscribed|opt(ed)? ?outs?\b|do ?not ?(e ?)?(mail|contact)"
            r"|abgemeldet|abmeldung|abbestell|ausgetragen|austragung|widerruf"
            r"|desabonn|desinscri|non abonne|desuscri|\bbajas\b|\bde baja\b|disiscri|cancellati"
            r"|avmeld|utmeld|uitgeschreven|uitschrijv|afgemeld|afmeld"
        ),
    ),
    ("bounced", re.compile(r"\bbounce[ds]\b|\b(hard|soft) ?bounce|undeliver|\binvalid e?mails?")),
    ("unsubscribed", re.compile(r"suppress|block ?list|black ?list|sperrliste|\bblocked\b")),
)
_CLEANED = re.compile(r"\bcleaned\b")  # Mailchimp's word for bounced
_EXPORT = re.compile(r"\bexport|\baudience\b")
_EXCEPTION = re.compile(
    r"\b(no|not|without|minus|excluding|excl|except|ohne|sans|sin|senza|uten|zonder)\b.* ?"
    r"(unsub|opt(ed)? ?out|bounce|complain|suppress|abgemeldet|desabonn|desinscri|baja|disiscri"
    r"|avmeld|uitgeschreven|afgemeld)"
)


def status_from_filename(name: str, *, from_service: bool = False) -> str:
    """Return the status that a file's name implies; ``"active"`` if it implies none.

    Args:
        name: the name, perhaps with folders.
        from_service: whether the file is a service's export, in which "cleaned" means bounced.

    Raises:
        SubscriberListError: the name can mean that these readers are in the file, or that they
            are left out of it: ``readers-without-unsubscribed.csv``.
    """
    words = re.sub(r"[^a-z]+", " ", anyascii(_split_words(name)).lower()).strip()
    if _EXCEPTION.search(words):
        raise SubscriberListError(
            "the file's name can mean that its readers have left, or that they are not in it",
            where=Location(name),
            remedy="Rename the file: 'unsubscribed' if they have left, 'readers' if not.",
        )
    status = next((status for status, pattern in _PATTERNS if pattern.search(words)), "active")
    if status == "active" and _CLEANED.search(words) and (from_service or _EXPORT.search(words)):
        return "bounced"
    return status


def _split_words(name: str) -> str:
    """Return a name with spaces where a capital letter begins a word."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name)
