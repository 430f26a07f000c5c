"""Rules on deliverability: draft, unsubscribe link, sender, spam words."""

import re
from collections import Counter
from collections.abc import Iterator

from newsletter.checks.check_context import CheckContext
from newsletter.checks.rule import Match, Topic
from newsletter.checks.source_map import CONFIG_FILE_NAME
from newsletter.config.public_site import UNKNOWN_TOPIC_REMEDY
from newsletter.errors import Location
from newsletter.posts.merge_tags.tags import UNSUBSCRIBE_TAG
from newsletter.render.article.links import get_host
from newsletter.render.issue import SENDGRID_TAGS

rule = Topic("Deliverability").rule

FREE_MAIL_DOMAINS = frozenset(
    """
    gmail.com googlemail.com yahoo.com ymail.com outlook.com hotmail.com live.com msn.com aol.com
    icloud.com me.com mac.com gmx.net gmx.de web.de mail.ru yandex.ru proton.me protonmail.com
    """.split()
)
_WORD = re.compile(r"\w{3,}")
_MIN_SHARED_WORDS = 0.7
_MIN_COMPARED_WORDS = 40  # of the post: below that, a single caption decides
_SPAM_PHRASE = re.compile(
    r"act now|100% free|risk[ -]free|double your|earn extra cash|make money fast|cash bonus"
    r"|you(?:'|\u2019| a)re a winner|you have been selected|limited time offer|order now|buy now"
    r"|no obligation|guaranteed income|lowest price|credit card required|this is not spam"
    r"|click below|miracle|\$\$\$|€€€|free money|once in a lifetime|work from home|no catch",
    re.IGNORECASE,
)
_MIN_SPAM_PHRASES = 3


@rule(
    "draft",
    "warning",
    meaning="Nobody gets it until it is ready: 'plan' and 'send' refuse it.",
    remedy="Remove 'draft: true' when it is ready.",
)
def draft(context: CheckContext) -> Iterator[Match]:
    """The front matter says that the issue is a draft."""
    if context.issue.draft:
        line = context.issue.front_matter_lines.get("draft")
        yield Match(
            "this issue is a draft: it can't be sent", context.source_map.file._replace(line=line)
        )


@rule(
    "unknown-topic",
    "error",
    meaning="Readers opt out of topics by name: without it, those who have opted out would get it.",
    remedy=UNKNOWN_TOPIC_REMEDY,
)
def unknown_topic(context: CheckContext) -> Iterator[Match]:
    """The topic in the front matter is not one of `preferences.topics`."""
    if problem := context.config.preferences.find_topic_problem(context.issue.topic):
        line = context.issue.front_matter_lines.get("topic")
        where = context.source_map.file._replace(line=line)
        yield Match(problem.message, where)


@rule(
    "no-unsubscribe-link",
    "error",
    meaning="Readers who want to unsubscribe can only report spam, and the law requires a link.",
    remedy="Put {{ unsubscribe_url }} into the template's footer, in HTML and text.",
)
def no_unsubscribe_link(context: CheckContext) -> Iterator[Match]:
    """The HTML or the text part has no unsubscribe link."""
    links = (
        *(UNSUBSCRIBE_TAG.token(target) for target in ("html", "text", "url")),
        SENDGRID_TAGS[UNSUBSCRIBE_TAG],
    )
    for name, part in (("HTML", context.email.html), ("text part", context.email.text)):
        if not any(link in part for link in links):
            yield Match(f"the {name} has no unsubscribe link")


@rule(
    "insecure-unsubscribe",
    "warning",
    meaning="Gmail and Yahoo show no unsubscribe button, and trust the sender less.",
    remedy="Serve public_url over https.",
)
def insecure_unsubscribe(context: CheckContext) -> Iterator[Match]:
    """One-click unsubscribe uses a URL without https (RFC 8058 3.1)."""
    url = context.config.public_url or ""
    if url.startswith("http://"):
        yield Match(f"public_url is {url}", Location(CONFIG_FILE_NAME), url)


@rule(
    "no-postal-address",
    "warning",
    meaning="It is required by law in many countries; a send is refused without it.",
    remedy="Put postal_address: into newsletter.yml.",
)
def no_postal_address(context: CheckContext) -> Iterator[Match]:
    """The settings have no postal address."""
    if not context.config.postal_address:
        yield Match("there is no postal_address", Location(CONFIG_FILE_NAME))


@rule(
    "postal-address-left-out",
    "error",
    meaning="It is required by law in many countries.",
    remedy="Put {{ newsletter.postal_address }} into the template's footer.",
)
def postal_address_left_out(context: CheckContext) -> Iterator[Match]:
    """The HTML or the text part does not contain the postal address of the settings."""
    postal_address = _normalize_words(context.config.postal_address or "")
    visible_text = " ".join(run.text for run in context.text_runs)
    for name, part in (("HTML", visible_text), ("text part", context.default_email.text)):
        if postal_address and postal_address not in _normalize_words(part):
            yield Match(f"the {name} has no postal address")


@rule(
    "free-sender",
    "warning",
    meaning="Only the service itself may send from its addresses; other email is mostly rejected.",
    remedy="Send from an address at your own domain.",
)
def free_sender(context: CheckContext) -> Iterator[Match]:
    """The sender's address is at a free email service."""
    domain = context.email.sender.address.rpartition("@")[2].lower()
    if domain in FREE_MAIL_DOMAINS:
        yield Match(
            f"the email is from {context.email.sender.address}", Location(CONFIG_FILE_NAME), domain
        )


@rule(
    "sender-elsewhere",
    "hint",
    meaning="Filters and readers trust a sender more if the address is at the site's domain.",
    remedy="Send from an address at your site's domain, if you have one.",
)
def sender_elsewhere(context: CheckContext) -> Iterator[Match]:
    """The sender's domain is not the site's."""
    domain = context.email.sender.address.rpartition("@")[2].lower()
    site = get_host(context.config.site_url)
    related = domain == site or domain.endswith(f".{site}") or site.endswith(f".{domain}")
    if site and not related and domain not in FREE_MAIL_DOMAINS:
        yield Match(
            f"the email is from {domain}, the site is {site}", Location(CONFIG_FILE_NAME), domain
        )


@rule(
    "text-part-differs",
    "warning",
    meaning="Filters distrust an email whose parts differ; some readers see only the text part.",
    remedy="Say the same in the text part as in the HTML.",
)
def text_part_differs(context: CheckContext) -> Iterator[Match]:
    """The text part has less than 70 % of the post's words."""
    post_words = Counter(_WORD.findall(" ".join(block.text for block in context.blocks).casefold()))
    text_words = Counter(_WORD.findall(context.default_email.text.casefold()))
    if post_words.total() < _MIN_COMPARED_WORDS:
        return
    shared = (post_words & text_words).total() / post_words.total()
    if shared < _MIN_SHARED_WORDS:
        yield Match(f"the text part has {shared:.0%} of the post's words", context.source_map.file)


@rule(
    "blocked-words",
    "hint",
    meaning="Filters know these words from spam.",
    remedy="Say it in your own words.",
)
def blocked_words(context: CheckContext) -> Iterator[Match]:
    """Words of advertising in the subject, or three of them in the text (English)."""
    if found := _SPAM_PHRASE.search(context.default_email.subject):
        yield Match(
            f"the subject contains '{found[0]}'",
            context.source_map.locate_setting("subject", "title"),
            found[0],
        )
    text = "\n".join(block.text for block in context.prose_blocks)
    words = {match[0].casefold(): match[0] for match in _SPAM_PHRASE.finditer(text)}
    if len(words) >= _MIN_SPAM_PHRASES:
        listed = ", ".join(f"'{word}'" for word in list(words.values())[:5])
        yield Match(
            f"the text contains {listed}",
            context.source_map.locate_text(next(iter(words.values()))),
        )


def _normalize_words(text: str) -> str:
    return " ".join(re.findall(r"\w+", text.casefold()))
