"""Rules on HTML and CSS that some mail clients do not support.

The severity depends on how many readers use these clients.
"""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from newsletter.checks.analysis.client_support import CLIENTS, FEATURES
from newsletter.checks.analysis.feature_usage import FeatureUse
from newsletter.checks.check_context import CheckContext
from newsletter.checks.rule import Match, Topic
from newsletter.render.article.dom import get_visible_text

rule = Topic("Mail clients").rule

# Shares of the readers whose clients don't support a feature: from the first share on, an essential
# feature is a warning; below the second, nothing is reported.
MIN_WARNING_SHARE = 0.05
MIN_HINT_SHARE = 0.01
_MAX_NAMED_CLIENTS = 3  # in a message

_NO_FORM_FIELD = "there is no field to fill in"
_STACKED_BOXES = "boxes are stacked, not side by side"
_NOT_SHOWN = "nothing is shown in its place"
_NOT_POSITIONED = "it is in the flow of the text, not where it was positioned"
_SIZE_DROPPED = "the declaration is dropped, and with it a size"
# Features without which the email can't be understood -> what readers see where they are not
# supported.
ESSENTIAL_FEATURES: Mapping[str, str] = {
    "html-video": _NOT_SHOWN,
    "html-audio": _NOT_SHOWN,
    "html-svg": _NOT_SHOWN,
    "html-object": _NOT_SHOWN,
    "html-meter": _NOT_SHOWN,
    "html-progress": _NOT_SHOWN,
    "html-dialog": "its text is visible from the start",
    "html-popover": "its text is visible from the start",
    "html-form": _NO_FORM_FIELD,
    "html-select": _NO_FORM_FIELD,
    "html-textarea": _NO_FORM_FIELD,
    "html-input-text": _NO_FORM_FIELD,
    "html-input-checkbox": _NO_FORM_FIELD,
    "html-input-radio": _NO_FORM_FIELD,
    "html-input-submit": _NO_FORM_FIELD,
    "html-input-reset": _NO_FORM_FIELD,
    "html-button-submit": _NO_FORM_FIELD,
    "html-button-reset": _NO_FORM_FIELD,
    "html-image-maps": "a click on the image leads nowhere",
    "html-hidden": "what is hidden is shown",
    "html-marquee": "it doesn't move",
    "css-display-flex": _STACKED_BOXES,
    "css-display-grid": _STACKED_BOXES,
    "css-column-count": _STACKED_BOXES,
    "css-float": "it is above the text, not beside it",
    "css-position": _NOT_POSITIONED,
    "css-transform": _NOT_POSITIONED,
    "css-visibility": "what is hidden is shown",
    "css-variables": "the declaration is dropped, and with it a colour or a size",
    "css-function-light-dark": "the declaration is dropped, and with it a colour",
    "css-modern-color": "the declaration is dropped, and with it a colour",
    "css-rgba": "the declaration is dropped, and with it a colour",
    "css-unit-calc": _SIZE_DROPPED,
    "css-function-clamp": _SIZE_DROPPED,
    "css-function-min": _SIZE_DROPPED,
    "css-function-max": _SIZE_DROPPED,
    "css-unit-rem": _SIZE_DROPPED,
    "css-unit-vw": _SIZE_DROPPED,
    "css-unit-vh": _SIZE_DROPPED,
    "css-background-image": "text is on the plain background, without the image",
    "css-linear-gradient": "text is on the plain background, without the gradient",
    "css-radial-gradient": "text is on the plain background, without the gradient",
    "css-conic-gradient": "text is on the plain background, without the gradient",
    "css-writing-mode": "the text is horizontal",
    "css-clip-path": "all of it is shown",
    "css-mask-image": "all of it is shown",
    "css-object-fit": "the image is distorted",
    "css-pseudo-element-before": "its content is missing",
    "css-pseudo-element-after": "its content is missing",
    "css-at-import": "those styles are missing",
}
# Without these nothing is lost: square corners, no shadow, a system font, the base styles. Sides of
# a positioned element are told as css-position.
OPTIONAL_FEATURES = frozenset(
    """
    css-accent-color css-animation css-at-font-face css-at-keyframes css-at-media css-at-supports
    css-at-media-device-pixel-ratio css-at-media-hover css-at-media-orientation
    css-at-media-prefers-color-scheme css-at-media-prefers-reduced-motion css-left-right-top-bottom
    css-selector-attribute
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
    """.split()
)


class UnsupportedFeature(NamedTuple):
    """A feature that some readers' mail clients do not support.

    Attributes:
        feature: its name on caniemail.com.
        use: the first use in the email.
        clients: the keys of the clients that readers use and that do not support it, the most used
            first.
        share: the share of the readers who use these clients, 0 to 1.
    """

    feature: str
    use: FeatureUse
    clients: tuple[str, ...]
    share: float


@rule(
    "client-breaks",
    "warning",
    meaning="Readers with these programs miss something essential to the email.",
    remedy="Do without it, or add a fallback for those programs.",
)
def client_breaks(context: CheckContext) -> Iterator[Match]:
    """Something essential that the mail clients of 5 % of the readers or more do not support."""
    for unsupported in find_unsupported_features(context):
        if unsupported.feature in ESSENTIAL_FEATURES and unsupported.share >= MIN_WARNING_SHARE:
            yield _make_match(context, unsupported)


@rule(
    "client-differs",
    "hint",
    meaning="Readers with these programs see the email slightly differently.",
    remedy="Check how it looks in these programs with: newsletter preview.",
)
def client_differs(context: CheckContext) -> Iterator[Match]:
    """Something essential that clients of 1 to 5 % of the readers lack, or a matter of looks.

    Features with a fallback are left out.
    """
    for unsupported in find_unsupported_features(context):
        if unsupported.feature not in ESSENTIAL_FEATURES or unsupported.share < MIN_WARNING_SHARE:
            yield _make_match(context, unsupported)


def find_unsupported_features(context: CheckContext) -> Iterator[UnsupportedFeature]:
    """Yield the features of the email that clients of 1 % of the readers or more do not support."""
    for feature, use in context.features.items():
        unsupporting = (
            FEATURES[feature].unsupported_by
            if feature in FEATURES and feature not in OPTIONAL_FEATURES
            else ()
        )
        clients = [
            key
            for key in unsupporting
            if context.client_shares.by_client.get(key)
            and (key != "outlook" or feature in context.outlook_features)
        ]
        share = get_client_share(context, clients)
        if share >= MIN_HINT_SHARE:
            yield UnsupportedFeature(feature, use, sort_by_share(context, clients), share)


def get_client_share(context: CheckContext, clients: list[str] | tuple[str, ...]) -> float:
    """Return the share of the readers who use one of these clients, 0 to 1."""
    return sum(context.client_shares.by_client.get(key, 0.0) for key in clients)


def sort_by_share(context: CheckContext, clients: list[str] | tuple[str, ...]) -> tuple[str, ...]:
    """Return the clients, the most used first."""
    return tuple(sorted(clients, key=lambda key: -context.client_shares.by_client.get(key, 0.0)))


def describe_clients(context: CheckContext, clients: tuple[str, ...]) -> str:
    """Return the clients' names and their share of the readers, for a message."""
    names = [CLIENTS[key].name for key in clients[:_MAX_NAMED_CLIENTS]]
    more = len(clients) - _MAX_NAMED_CLIENTS
    last = f"{more} more" if more > 0 else names.pop()
    listed = f"{', '.join(names)} and {last}" if names else last
    share = get_client_share(context, clients)
    return f"{listed} ({share:.0%} of {context.client_shares.population})"


def _make_match(context: CheckContext, unsupported: UnsupportedFeature) -> Match:
    title = FEATURES[unsupported.feature].title.removesuffix(" element").removesuffix(" attribute")
    title = title.removesuffix(" property")
    effect = ESSENTIAL_FEATURES.get(unsupported.feature, "it is ignored")
    text = "" if unsupported.use.element is None else get_visible_text(unsupported.use.element)[:80]
    where = context.source_map.locate_text(text) if text else context.source_map.file
    return Match(
        f"{title} isn't supported by {describe_clients(context, unsupported.clients)}: {effect}",
        where,
        unsupported.use.excerpt,
    )
