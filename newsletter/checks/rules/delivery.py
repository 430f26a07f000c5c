"""Rules on whether it arrives, and in which folder."""

import re
from collections import Counter
from collections.abc import Iterator

from newsletter.checks.check_context import Mail
from newsletter.checks.rule import Hit, Topic
from newsletter.checks.source_map import SETTINGS
from newsletter.errors import Location
from newsletter.posts.merge_tags.tags import UNSUBSCRIBE
from newsletter.render.article.links import host

rule = Topic("Deliverability").rule

_ASM = "<%asm_group_unsubscribe_raw_url%>"
FREE = frozenset(
    """
    gmail.com googlemail.com yahoo.com ymail.com outlook.com hotmail.com live.com msn.com aol.com
    icloud.com me.com mac.com gmx.net gmx.de web.de mail.ru yandex.ru proton.me protonmail.com
    """.split()  # noqa: SIM905 - a list of words reads best as words
)
_WORD = re.compile(r"\w{3,}")
_ALIKE = 0.7
_FEW = 40  # words: below that a caption more or less decides
_BLOCKED = re.compile(
    r"act now|100% free|risk[ -]free|double your|earn extra cash|make money fast|cash bonus"
    r"|you(?:'|\u2019| a)re a winner|you have been selected|limited time offer|order now|buy now"
    r"|no obligation|guaranteed income|lowest price|credit card required|this is not spam"
    r"|click below|miracle|\$\$\$|€€€|free money|once in a lifetime|work from home|no catch",
    re.IGNORECASE,
)  # fmt: skip
_IN_TEXT = 3


@rule(
    "no-unsubscribe-link", "error",
    meaning="Readers who want to leave can only report spam, and the law wants a way out.",
    remedy="Put {{ unsubscribe_url }} into the template's footer, in HTML and text.",
)  # fmt: skip
def no_unsubscribe_link(mail: Mail) -> Iterator[Hit]:
    """The HTML or the text part has no link to leave."""
    ways = (*(UNSUBSCRIBE.token(target) for target in ("html", "text", "url")), _ASM)
    for name, part in (("HTML", mail.email.html), ("text part", mail.email.text)):
        if not any(way in part for way in ways):
            yield Hit(f"the {name} has no link to leave")


@rule(
    "insecure-unsubscribe", "warning",
    meaning="Gmail and Yahoo show no button to leave, and trust the sender less.",
    remedy="Serve public_url by https.",
)  # fmt: skip
def insecure_unsubscribe(mail: Mail) -> Iterator[Hit]:
    """One-click unsubscribing goes to an address without https (RFC 8058 3.1)."""
    url = mail.config.public_url or ""
    if url.startswith("http://"):
        yield Hit(f"public_url is {url}", Location(SETTINGS), url)


@rule(
    "no-postal-address", "warning",
    meaning="The law of many countries wants one in every issue; a send is refused without it.",
    remedy="Put postal_address: into newsletter.yml.",
)  # fmt: skip
def no_postal_address(mail: Mail) -> Iterator[Hit]:
    """The settings have no postal address."""
    if not mail.config.postal_address:
        yield Hit("there is no postal_address", Location(SETTINGS))


@rule(
    "postal-address-left-out", "error",
    meaning="The law of many countries wants it in every issue.",
    remedy="Put {{ newsletter.postal_address }} into the template's footer.",
)  # fmt: skip
def postal_address_left_out(mail: Mail) -> Iterator[Hit]:
    """The HTML or the text part does not have the postal address of the settings."""
    wanted = _words(mail.config.postal_address or "")
    seen = " ".join(run.text for run in mail.runs)
    for name, part in (("HTML", seen), ("text part", mail.plain.text)):
        if wanted and wanted not in _words(part):
            yield Hit(f"the {name} has no postal address")


@rule(
    "free-sender", "warning",
    meaning="Such addresses may only be sent from by their own service: most of it is refused.",
    remedy="Send from an address at a domain of your own.",
)  # fmt: skip
def free_sender(mail: Mail) -> Iterator[Hit]:
    """The sender's address is at a free mail service."""
    domain = mail.email.sender.address.rpartition("@")[2].lower()
    if domain in FREE:
        yield Hit(f"the mail is from {mail.email.sender.address}", Location(SETTINGS), domain)


@rule(
    "sender-elsewhere", "hint",
    meaning="Filters and readers trust a sender more whose address is at their site's domain.",
    remedy="Send from an address at your site's domain, if you have one.",
)  # fmt: skip
def sender_elsewhere(mail: Mail) -> Iterator[Hit]:
    """The sender's domain is another than the site's."""
    domain = mail.email.sender.address.rpartition("@")[2].lower()
    site = host(mail.config.site_url)
    related = domain == site or domain.endswith(f".{site}") or site.endswith(f".{domain}")
    if site and not related and domain not in FREE:
        yield Hit(f"the mail is from {domain}, the site is {site}", Location(SETTINGS), domain)


@rule(
    "text-part-differs", "warning",
    meaning="Filters take two parts that say different things for a trick, and some read the text.",
    remedy="Let the text part say what the HTML says.",
)  # fmt: skip
def text_part_differs(mail: Mail) -> Iterator[Hit]:
    """The text part has less than 70 % of the post's words."""
    said = Counter(_WORD.findall(" ".join(block.text for block in mail.blocks).casefold()))
    kept = Counter(_WORD.findall(mail.plain.text.casefold()))
    if said.total() < _FEW:
        return
    alike = (said & kept).total() / said.total()
    if alike < _ALIKE:
        yield Hit(f"the text part has {alike:.0%} of the post's words", mail.places.file)


@rule(
    "blocked-words", "hint",
    meaning="Filters know these words from spam.",
    remedy="Say it in words of your own.",
)  # fmt: skip
def blocked_words(mail: Mail) -> Iterator[Hit]:
    """Words of advertising in the subject, or three of them in the text (English)."""
    if found := _BLOCKED.search(mail.plain.subject):
        yield Hit(f"'{found[0]}' in the subject", mail.places.key("subject", "title"), found[0])
    text = "\n".join(block.text for block in mail.prose)
    words = {match[0].casefold(): match[0] for match in _BLOCKED.finditer(text)}
    if len(words) >= _IN_TEXT:
        told = ", ".join(f"'{word}'" for word in list(words.values())[:5])
        yield Hit(f"the text says {told}", mail.places.words(next(iter(words.values()))))


def _words(text: str) -> str:
    return " ".join(re.findall(r"\w+", text.casefold()))
