"""What mail clients are known not to support, by the features' names on caniemail.com.

Copied from its data (MIT licence). Where a client comes in several programs, the one named here is
meant; of its versions the newest that was tested.
"""

from collections.abc import Mapping
from dataclasses import dataclass

SOURCE = "https://www.caniemail.com"
AS_OF = "2025-09-09"


@dataclass(frozen=True, slots=True)
class Client:
    """One mail client.

    Attributes:
        name: as people know it.
        unsupported: features that it leaves out: ``css-box-shadow``, ``html-svg``, ….
    """

    name: str
    unsupported: frozenset[str]


def _features(names: str) -> frozenset[str]:
    return frozenset(names.split())


# Gmail in the browser, Outlook 2019 on Windows, Apple Mail on iOS, Yahoo in the browser.
CLIENTS: Mapping[str, Client] = {
    "gmail": Client(
        "Gmail",
        _features("""
            css-accent-color css-align-items css-animation css-aspect-ratio css-at-font-face
            css-at-import css-at-keyframes css-at-media-device-pixel-ratio css-at-media-hover
            css-at-media-prefers-color-scheme css-at-media-prefers-reduced-motion css-at-supports
            css-backdrop-filter css-block-inline-size css-border-image css-box-shadow
            css-clip-path css-color-scheme css-cursor css-display-grid css-filter
            css-flex-direction css-flex-wrap css-hyphenate-character css-hyphenate-limit-chars
            css-hyphens css-inline-size css-justify-content css-left-right-top-bottom
            css-list-style-image css-mask-image css-max-block-size css-max-inline-size
            css-min-block-size css-min-inline-size css-orphans css-outline-offset
            css-overflow-wrap css-position css-pseudo-element-after css-pseudo-element-before
            css-pseudo-element-first-letter css-pseudo-element-first-line
            css-pseudo-element-marker css-pseudo-element-placeholder css-resize css-scroll-snap
            css-shape-margin css-shape-outside css-tab-size css-text-decoration-skip-ink
            css-text-decoration-thickness css-text-shadow css-text-underline-offset css-text-wrap
            css-transform css-transition css-user-select css-variables css-visibility
            css-white-space-collapse css-widows css-z-index html-audio html-dialog html-meter
            html-object html-popover html-progress html-svg html-video
        """),
    ),
    "outlook": Client(
        "Outlook for Windows",
        _features("""
            css-accent-color css-align-items css-animation css-aspect-ratio css-at-keyframes
            css-at-media css-at-media-device-pixel-ratio css-at-media-hover
            css-at-media-orientation css-at-media-prefers-color-scheme
            css-at-media-prefers-reduced-motion css-at-supports css-backdrop-filter
            css-background-blend-mode css-background-clip css-background-image
            css-background-origin css-background-position css-background-repeat
            css-background-size css-block-inline-size css-border-image css-border-radius
            css-border-spacing css-box-shadow css-box-sizing css-caption-side css-clear
            css-clip-path css-color-scheme css-column-count css-display-flex css-display-grid
            css-empty-cells css-filter css-flex-direction css-flex-wrap css-float css-font-kerning
            css-font-stretch css-gap css-hyphenate-character css-hyphenate-limit-chars css-hyphens
            css-inline-size css-justify-content css-left-right-top-bottom css-linear-gradient
            css-list-style-image css-list-style-position css-mask-image css-max-block-size
            css-max-height css-max-inline-size css-min-block-size css-min-height
            css-min-inline-size css-min-width css-mix-blend-mode css-object-fit
            css-object-position css-opacity css-orphans css-outline css-outline-offset
            css-overflow css-overflow-wrap css-position css-pseudo-class-hover
            css-pseudo-element-after css-pseudo-element-before css-pseudo-element-first-letter
            css-pseudo-element-first-line css-pseudo-element-marker css-pseudo-element-placeholder
            css-resize css-rgba css-scroll-snap css-selector-attribute css-shape-margin
            css-shape-outside css-tab-size css-table-layout css-text-align-last
            css-text-decoration-color css-text-decoration-line css-text-decoration-skip-ink
            css-text-decoration-style css-text-decoration-thickness css-text-emphasis
            css-text-orientation css-text-overflow css-text-shadow css-text-underline-offset
            css-text-underline-position css-text-wrap css-transform css-transition css-unit-calc
            css-user-select css-variables css-visibility css-white-space css-white-space-collapse
            css-widows css-word-spacing css-word-wrap css-writing-mode css-z-index html-audio
            html-button-reset html-button-submit html-dialog html-form html-input-checkbox
            html-input-hidden html-input-radio html-input-reset html-input-submit html-input-text
            html-meter html-object html-popover html-progress html-select html-svg html-textarea
            html-video
        """),
    ),
    "outlook_com": Client(
        "Outlook.com",
        _features("""
            css-accent-color css-animation css-aspect-ratio css-at-font-face css-at-import
            css-at-keyframes css-at-supports css-backdrop-filter css-block-inline-size
            css-border-image css-clip-path css-color-scheme css-cursor css-filter
            css-hyphenate-character css-hyphenate-limit-chars css-hyphens css-inline-size
            css-linear-gradient css-list-style-image css-mask-image css-max-block-size
            css-max-inline-size css-min-block-size css-min-inline-size css-outline-offset
            css-overflow-wrap css-pseudo-element-marker css-resize css-scroll-snap
            css-shape-margin css-shape-outside css-text-align-last css-text-decoration-skip-ink
            css-text-decoration-thickness css-text-shadow css-text-underline-offset css-text-wrap
            css-transform css-transition css-unit-calc css-user-select css-variables
            css-white-space-collapse html-audio html-button-submit html-dialog html-input-submit
            html-object html-popover html-progress html-svg html-video
        """),
    ),
    "apple_mail": Client(
        "Apple Mail",
        _features("""
            css-cursor css-hyphenate-limit-chars css-inline-size css-resize css-text-justify
        """),
    ),
    "yahoo": Client(
        "Yahoo Mail",
        _features("""
            css-accent-color css-align-items css-animation css-aspect-ratio css-at-font-face
            css-at-import css-at-media-device-pixel-ratio css-at-media-hover
            css-at-media-orientation css-at-media-prefers-color-scheme
            css-at-media-prefers-reduced-motion css-backdrop-filter css-background-blend-mode
            css-background-clip css-background-origin css-block-inline-size css-border-image
            css-box-shadow css-box-sizing css-clip-path css-color-scheme css-column-count
            css-display-grid css-filter css-flex-direction css-flex-wrap css-font-kerning
            css-font-stretch css-gap css-height css-hyphenate-character css-hyphenate-limit-chars
            css-hyphens css-inline-size css-justify-content css-left-right-top-bottom
            css-linear-gradient css-list-style-image css-mask-image css-max-block-size
            css-max-inline-size css-min-block-size css-min-inline-size css-mix-blend-mode
            css-object-fit css-object-position css-orphans css-outline-offset css-overflow-wrap
            css-pseudo-element-after css-pseudo-element-before css-resize css-scroll-snap
            css-shape-margin css-shape-outside css-tab-size css-text-align-last
            css-text-decoration-skip-ink css-text-decoration-thickness css-text-emphasis
            css-text-orientation css-text-overflow css-text-underline-offset
            css-text-underline-position css-text-wrap css-transform css-unit-calc css-user-select
            css-variables css-white-space-collapse css-widows css-word-break css-writing-mode
            html-audio html-button-reset html-dialog html-meter html-object html-popover
            html-progress html-svg html-video
        """),
    ),
    "samsung": Client(
        "Samsung Email",
        _features("""
            css-aspect-ratio css-at-import css-font-stretch css-hyphenate-limit-chars
            css-text-emphasis css-text-justify css-text-overflow css-white-space html-input-text
            html-textarea
        """),
    ),
    "thunderbird": Client(
        "Thunderbird",
        _features("""
            css-aspect-ratio css-at-import css-at-media css-at-media-device-pixel-ratio
            css-at-media-orientation css-at-media-prefers-color-scheme
            css-at-media-prefers-reduced-motion css-at-supports css-hyphenate-limit-chars
            html-popover
        """),
    ),
}
