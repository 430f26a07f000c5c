"""Rules on HTML and CSS that some mail clients leave out, weighed by how many readers use them."""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from lxml import etree

from newsletter.checks.analysis.client_support import CLIENTS, FACTS
from newsletter.checks.analysis.css_parser import HIDDEN_FROM_OUTLOOK
from newsletter.checks.analysis.feature_usage import Use, used
from newsletter.checks.check_context import Mail
from newsletter.checks.rule import Hit, Topic
from newsletter.render.article.dom import visible_text

rule = Topic("Mail clients").rule

MANY = 0.05  # of the readers: where something essential fails for as many, it wants mending
FEW = 0.01  # nobody is told of less
_UNNAMED = 3  # clients in a message

_FORM = "there is no field to fill in"
_BOXES = "boxes stand under one another, not side by side"
_NOTHING = "nothing is shown in its place"
_ELSEWHERE = "it stands in the flow of the text, not where it was put"
_SIZE = "the declaration is dropped, and with it a size"
# What readers see where a feature that the mail is not understood without is left out.
ESSENTIAL: Mapping[str, str] = {
    "html-video": _NOTHING, "html-audio": _NOTHING, "html-svg": _NOTHING, "html-object": _NOTHING,
    "html-meter": _NOTHING, "html-progress": _NOTHING,
    "html-dialog": "its words stand in the text at once",
    "html-popover": "its words stand in the text at once",
    "html-form": _FORM, "html-select": _FORM, "html-textarea": _FORM, "html-input-text": _FORM,
    "html-input-checkbox": _FORM, "html-input-radio": _FORM, "html-input-submit": _FORM,
    "html-input-reset": _FORM, "html-button-submit": _FORM, "html-button-reset": _FORM,
    "html-image-maps": "a click on the image leads nowhere",
    "html-hidden": "what is hidden is shown",
    "html-marquee": "it stands still",
    "css-display-flex": _BOXES, "css-display-grid": _BOXES, "css-column-count": _BOXES,
    "css-float": "it stands above the text, not beside it",
    "css-position": _ELSEWHERE, "css-transform": _ELSEWHERE,
    "css-visibility": "what is hidden is shown",
    "css-variables": "the declaration is dropped, and with it a colour or a size",
    "css-function-light-dark": "the declaration is dropped, and with it a colour",
    "css-modern-color": "the declaration is dropped, and with it a colour",
    "css-rgba": "the declaration is dropped, and with it a colour",
    "css-unit-calc": _SIZE, "css-function-clamp": _SIZE, "css-function-min": _SIZE,
    "css-function-max": _SIZE, "css-unit-rem": _SIZE, "css-unit-vw": _SIZE, "css-unit-vh": _SIZE,
    "css-background-image": "words stand on the plain ground, without the picture",
    "css-linear-gradient": "words stand on the plain ground, without the gradient",
    "css-radial-gradient": "words stand on the plain ground, without the gradient",
    "css-conic-gradient": "words stand on the plain ground, without the gradient",
    "css-writing-mode": "the words run across",
    "css-clip-path": "all of it is shown", "css-mask-image": "all of it is shown",
    "css-object-fit": "the picture is squeezed",
    "css-pseudo-element-before": "what it brings is missing",
    "css-pseudo-element-after": "what it brings is missing",
    "css-at-import": "none of those styles is there",
}  # fmt: skip
# Whoever misses these misses nothing: square corners, no shadow, a system font, the plain sheet.
GRACEFUL = frozenset(
    """
    css-accent-color css-animation css-at-font-face css-at-keyframes css-at-media css-at-supports
    css-border-radius css-border-spacing css-box-shadow css-box-sizing css-color-scheme css-cursor
    css-font-kerning css-font-stretch css-hyphens css-hyphenate-character css-max-height
    css-hyphenate-limit-chars css-letter-spacing css-orphans css-outline css-outline-offset
    css-overflow css-overflow-wrap css-pseudo-class-active css-pseudo-class-focus
    css-pseudo-class-hover css-pseudo-class-link css-pseudo-class-visited css-resize
    css-scroll-snap css-sytem-ui css-height css-tab-size css-table-layout css-text-decoration-color
    css-text-decoration-line css-text-decoration-skip-ink css-text-decoration-style
    css-text-decoration-thickness css-text-overflow css-text-shadow css-text-underline-offset
    css-text-underline-position css-text-wrap css-transition css-user-select
    css-white-space-collapse css-widows css-word-break css-word-spacing css-word-wrap
    css-min-width css-opacity
    css-min-height html-abbr html-acronym html-bdi html-link html-loading-attribute html-picture
    html-required html-rp html-rt html-ruby html-srcset html-style html-target html-wbr
    """.split()  # noqa: SIM905 - a list of words reads best as words
)


class Failure(NamedTuple):
    """A feature that some readers' clients leave out.

    Attributes:
        feature: its name on caniemail.com.
        use: where the mail uses it.
        clients: those that leave it out and that readers use, the most used first.
        share: of the readers, 0 to 1.
    """

    feature: str
    use: Use
    clients: tuple[str, ...]
    share: float


@rule(
    "client-breaks", "warning",
    meaning="Readers with these programs miss something that the mail isn't understood without.",
    remedy="Do without it, or give those programs something in its place.",
)  # fmt: skip
def client_breaks(mail: Mail) -> Iterator[Hit]:
    """Something essential that the mail clients of 5 % of the readers or more leave out."""
    for one in failures(mail):
        if one.feature in ESSENTIAL and one.share >= MANY:
            yield _hit(mail, one)


@rule(
    "client-differs", "hint",
    meaning="Readers with these programs see the mail a little otherwise.",
    remedy="Look at it as that client: newsletter preview.",
)  # fmt: skip
def client_differs(mail: Mail) -> Iterator[Hit]:
    """The same for fewer readers, or a matter of looks; what falls back by itself is left out."""
    for one in failures(mail):
        if one.feature not in ESSENTIAL or one.share < MANY:
            yield _hit(mail, one)


def failures(mail: Mail) -> Iterator[Failure]:
    """The features of the mail that clients of 1 % of the readers or more leave out."""
    seen = used(mail.tree)
    for_outlook = _in_outlook(mail, seen)
    for feature, use in seen.items():
        fails = FACTS[feature].fails if feature in FACTS and feature not in GRACEFUL else ()
        clients = [
            key for key in fails
            if mail.clients.of.get(key) and (key != "outlook" or feature in for_outlook)
        ]  # fmt: skip
        share = reach(mail, clients)
        if share >= FEW:
            yield Failure(feature, use, by_use(mail, clients), share)


def _in_outlook(mail: Mail, seen: Mapping[str, Use]) -> Mapping[str, Use]:
    """What Outlook for Windows gets to see: some of it is hidden from it by a comment."""
    html = HIDDEN_FROM_OUTLOOK.sub("", mail.plain.html)
    if html == mail.plain.html:
        return seen
    return used(etree.fromstring(html, etree.HTMLParser()))


def reach(mail: Mail, clients: list[str] | tuple[str, ...]) -> float:
    """The part of the readers who use one of these clients."""
    return sum(mail.clients.of.get(key, 0.0) for key in clients)


def by_use(mail: Mail, clients: list[str] | tuple[str, ...]) -> tuple[str, ...]:
    """The clients, the most used first."""
    return tuple(sorted(clients, key=lambda key: -mail.clients.of.get(key, 0.0)))


def told(mail: Mail, clients: tuple[str, ...]) -> str:
    """The clients by name, with their part of the readers."""
    names = [CLIENTS[key].name for key in clients[:_UNNAMED]]
    more = len(clients) - _UNNAMED
    last = f"{more} more" if more > 0 else names.pop()
    listed = f"{', '.join(names)} and {last}" if names else last
    return f"{listed} ({reach(mail, clients):.0%} of {mail.clients.whose})"


def _hit(mail: Mail, one: Failure) -> Hit:
    title = FACTS[one.feature].title.removesuffix(" element").removesuffix(" attribute")
    title = title.removesuffix(" property")
    effect = ESSENTIAL.get(one.feature, "it is left out")
    words = "" if one.use.element is None else visible_text(one.use.element)[:80]
    where = mail.places.words(words) if words else mail.places.file
    return Hit(
        f"{title} isn't known to {told(mail, one.clients)}: {effect}", where, one.use.excerpt
    )
