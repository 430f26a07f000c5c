"""Recognize columns about consent by their names.

Pure functions. A name is split into words; what remains beside the words for consent decides: only
words such as "email" or "given", and the column states a consent; others, and it is reported.
"""

import re
from collections.abc import Mapping

from anyascii import anyascii

from newsletter.subscribers.importing.rows.export_formats import normalize_name

# Roles of columns that were recognized as being about consent, but whose meaning isn't clear.
UNCLEAR_ROLES = ("unclear:consent", "unclear:opt_out", "unclear:other")

_OPT_OUT = re.compile(
    r"\b(?:do ?not|dont|don t|never|no) ?(?:(?:e ?)?mail(?:s|ing|ings)?|contact|send|market(?:ing)?"
    r"|newsletters?|disturb)\b"
    r"|opt(?:ed|ing)? ?outs?\b|\bis ?unsub\w*|\bun ?sub\w*|\bsuppress\w*|\b(?:e ?mail ?)?"
    r"(?:black|block|deny) ?list\w*|\bblocked\b|\bdn[ce]\b|\babgemeldet\b|\babmeld\w*"
    r"|\babbestell\w*|\bausgetragen\b|\bwiderruf\w*|\bwiderspr\w*|\bgesperrt\b"
    r"|\bkeine? (?:werbung|e ?mails?|mails?|newsletter)\b"
    r"|\bdesabonn\w*|\bdesinscri\w*|\bne pas (?:contacter|envoyer)\b|\bbaja\b|\bdesuscri\w*"
    r"|\bno (?:contactar|enviar)\b|\bdisiscri\w*|\bnon contattare\b|\bavmeld\w*|\butmeld\w*"
    r"|\buitgeschreven\b|\bafgemeld\b|\bniet (?:mailen|contacteren)\b"
)
_CONFIRMATION = re.compile(
    r"\bdouble ?opt ?ins?\b|\bconfirmed\b|\b(?:e ?mail|address) verified\b"
    r"|\bverified (?:e ?mail|address)\b|\bbestatigt\b|\bbestaetigt\b|\bconfirmee?\b"
    r"|\bconfirmad[oa]\b|\bconfermat[oa]\b|\bbekreftet\b|\bbevestigd\b"
)
_CONSENT = re.compile(
    r"\bconsent(?:s|ed|ing)?\b|(?:\b|e ?mail|marketing|newsletter)opt(?:ed)? ?ins?\b|\bsubscribed\b"
    r"|\b(?:e ?mail|contact|marketing) permission\b|\b(?:gdpr|dsgvo|rgpd)\b"
    r"|\baccept(?:s|ed)? (?:e ?mail )?marketing\b"
    r"|\b(?:wants?|receives?|gets?) (?:e ?mails?|newsletters?|news|marketing)\b|\bmailable\b"
    r"|\b(?:may|can|ok to) (?:(?:we|i) )?(?:be )?(?:(?:e ?)?mail(?:ed)?|contact(?:ed)?)\b"
    r"|\beinwilligung\b|\bzustimmung\b|\beinverstanden\b|\bconsentement\b|\babonne\b"
    r"|\bconsentimiento\b|\bsuscrito\b|\bconsenso\b|\biscritto\b|\bsamtykke\b|\btoestemming\b"
)
_INTEREST = re.compile(
    r"\bnewsletters?\b|\bmailings?\b|\bmarketing\b|\bconfirm\w*|\bverified\b|\bprivacy\b"
    r"|\bdatenschutz|\bagree|\bpermissions?\b|\bdoi\b"
)
# Names that are about consent in one list and about something else in another: only as a whole.
_MAYBE_CONSENT = re.compile(
    r"(?:is |still )?(?:active|enabled)(?: (?:member|reader|subscriber))?"
    r"|(?:e ?)?(?:mail|mailing|contact|kontakt)s? (?:ok|okay|allowed|permitted|erlaubt)"
    r"|(?:e ?mail )?subscription(?: status)?"
    r"|angemeldet|eingetragen|inscrite?|pameldt|ingeschreven|(?:e ?mail )?werbung"
)
_MAYBE_OPT_OUT = re.compile(
    r"(?:is )?(?:inactive|deactivated|deleted|removed|cancel(?:ed|led)|left|stop|stopped)"
    r"(?: at| on| date)?"
    r"|(?:hard )?bounce|(?:spam )?complaint|werbesperre|cancellat[oa]"
)
_FILLERS = frozenset({
    "is", "has", "have", "had", "was", "the", "a", "an", "to", "of", "from", "for", "all", "any",
    "our", "my", "you", "your", "we", "i", "me", "us", "e", "email", "emails", "mail", "mails",
    "mailing", "mailings", "newsletter", "newsletters", "news", "marketing", "gdpr", "dsgvo",
    "rgpd", "avg", "list", "subscriber", "subscribed", "subscription", "contact", "customer",
    "person", "user", "member", "status", "flag", "yes", "no", "yn", "ok", "given", "granted",
    "obtained", "received", "explicit", "general", "global", "direct", "communication", "by",
    "communications", "commercial", "promotional", "consent", "opt", "in", "out", "zum", "zur",
    "pour", "la", "le", "el", "per",
})  # fmt: skip
_OTHER_CHANNELS = frozenset({
    "sms", "text", "phone", "call", "calls", "telephone", "telefon", "mobile", "whatsapp", "post",
    "postal", "fax", "push", "cookie", "cookies", "terms", "third", "party", "partner", "partners",
})  # fmt: skip
_DATE_WORDS = frozenset({
    "at", "on", "since", "date", "time", "timestamp", "when", "datum", "zeit", "am", "fecha",
    "data", "dato", "tijd", "le",
})  # fmt: skip
_REASON_WORDS = frozenset({
    "reason", "reasons", "grund", "raison", "motivo", "motif", "arsak", "reden", "other",
})  # fmt: skip
_DESCRIPTION_WORDS = frozenset({
    "url", "uri", "link", "links", "token", "hash", "key", "id", "ip", "code", "source", "text",
    "wording", "note", "notes", "comment", "comments", "method", "form", "page", "campaign",
    "language", "version", "proof", "quelle",
})  # fmt: skip
_WORD_START = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


def find_consent_role(column: str) -> str:
    """Return the role of a column that is about consent, by its name; ``""`` for another column.

    Roles are ``consent``, ``confirmation``, ``opt_out`` (yes means no), ``suppressed:unsubscribed``
    (filled only for those who left), ``left_reason`` (likewise), ``joined_at``, ``confirmed_at``,
    and ``UNCLEAR_ROLES``.
    """
    name = normalize_name(anyascii(_WORD_START.sub(" ", column)))
    for role, pattern in (
        ("opt_out", _OPT_OUT),
        ("confirmation", _CONFIRMATION),
        ("consent", _CONSENT),
    ):
        if pattern.search(name):
            return _refine_role(role, set(pattern.sub(" ", name).split()))
    if _MAYBE_CONSENT.fullmatch(name):
        return "unclear:consent"
    if _MAYBE_OPT_OUT.fullmatch(name):
        return "unclear:opt_out"
    if _INTEREST.search(name):
        is_plain = set(name.split()) <= _FILLERS
        return "unclear:consent" if is_plain else "unclear:other"
    return ""


def _refine_role(role: str, other_words: set[str]) -> str:
    """Return the role by the words of a name beside those for consent."""
    if other_words & _OTHER_CHANNELS:
        return "unclear:other"
    unknown = other_words - _FILLERS
    if not unknown:
        return role
    if unknown <= _DATE_WORDS:
        return {"opt_out": "suppressed:unsubscribed", "confirmation": "confirmed_at"}.get(
            role, "joined_at"
        )
    if unknown <= _REASON_WORDS and role == "opt_out":
        return "left_reason"
    is_description = unknown & (_DATE_WORDS | _REASON_WORDS | _DESCRIPTION_WORDS)
    if is_description or role == "confirmation":
        return "unclear:other"
    return f"unclear:{role}"


def describe_unclear(columns: Mapping[str, str]) -> list[str]:
    """Return a notice for each column whose meaning isn't clear.

    Args:
        columns: name -> one of ``UNCLEAR_ROLES``.
    """
    return [
        f"the column '{column}' looks like consent; it is imported as an attribute. If it says "
        f"who may be mailed: --map '{column}={target}'"
        for column, role in columns.items()
        for target in ["opt_out" if role == "unclear:opt_out" else "consent"]
    ]
