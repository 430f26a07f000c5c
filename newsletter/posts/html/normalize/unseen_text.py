"""Recognize text that readers of a page don't see."""

import re
from collections.abc import Mapping

HIDDEN = "hidden text"
ARIA_HIDDEN = "hidden from screen readers"
SCREEN_READER_ONLY = "for screen readers only"
ICON_NAME = "name of an icon"
FORM = "form"
FORM_FIELD = "form field"
FORMULA_COPY = "second copy of a formula"
FORMULA_PREVIEW = "preview of a formula"
PLATFORM_BUTTON = "button of the blog's platform"
SHARE_BAR = "share bar"
RELATED_POSTS = "related posts"
SCRIPT = "script"
STYLE = "style"
SCRIPT_NOTICE = "notice about JavaScript"
SECOND_PICTURE = "second copy of a picture"
PLACEHOLDER = "placeholder of a picture"
FRAME_FALLBACK = "text for browsers without frames"
PLAYER_FALLBACK = "text for browsers without players"
TITLE_LINK = "link or picture in the title"

NEVER_KEPT = frozenset({
    SCRIPT, STYLE, SCRIPT_NOTICE, SECOND_PICTURE, PLACEHOLDER, FRAME_FALLBACK, PLAYER_FALLBACK,
    TITLE_LINK,
})  # fmt: skip
"""Reasons for which something is left out even of a line that an import is to keep."""

_HIDING_STYLE = re.compile(
    r"(?:^|;)\s*(?:display\s*:\s*none|visibility\s*:\s*hidden)\b", re.IGNORECASE
)
_SCREEN_READER_CLASSES = """
    screen-reader-text screen-reader screen-reader-only sr-only sr_only is-sr-only visually-hidden
    visuallyhidden visually-hidden-focusable u-visually-hidden u-hidden-visually show-for-sr
    element-invisible a11y-hidden cdk-visually-hidden lyt-visually-hidden vh-text
    """.split()
# Fonts that draw a picture in place of its name.
_ICON_CLASSES = """
    material-icons material-icons-outlined material-icons-round material-symbols-outlined
    material-symbols-rounded
    """.split()
# Beside each of them is the same formula as MathML.
_FORMULA_COPY_CLASSES = """
    katex-html mwe-math-fallback-image-inline mwe-math-fallback-image-display
    """.split()
# After each of them is the same formula as TeX, in a script.
_FORMULA_PREVIEW_CLASSES = """
    MathJax MathJax_Preview MathJax_Display MathJax_SVG MathJax_SVG_Display MathJax_CHTML
    MJXc-display
    """.split()
_PLATFORM_CLASSES = """
    subscription-widget-wrap subscription-widget-wrap-editor subscription-widget subscribe-widget
    post-ufi post-ufi-button captioned-button-wrap button-wrapper
    """.split()
# Of widespread plugins, in whatever language: a class of this name is not an author's own.
_SHARE_CLASSES = """
    sharedaddy sd-sharing jetpack-likes-widget-wrapper shariff addtoany_content
    addtoany_share_save_container a2a_kit heateor_sss_sharing_container heateorSssClear
    shareaholic-canvas ssba sociable
    """.split()
_RELATED_CLASSES = """
    jp-relatedposts wp-block-jetpack-related-posts yarpp yarpp-related rp4wp-related-posts
    crp_related
    """.split()
_FORMULAS: dict[str, str] = {
    **dict.fromkeys(_FORMULA_COPY_CLASSES, FORMULA_COPY),
    **dict.fromkeys(_FORMULA_PREVIEW_CLASSES, FORMULA_PREVIEW),
}
_OTHER_CLASSES: dict[str, str] = {
    **dict.fromkeys(_PLATFORM_CLASSES, PLATFORM_BUTTON),
    **dict.fromkeys(_SHARE_CLASSES, SHARE_BAR),
    **dict.fromkeys(_RELATED_CLASSES, RELATED_POSTS),
    **dict.fromkeys(_SCREEN_READER_CLASSES, SCREEN_READER_ONLY),
    **dict.fromkeys(_ICON_CLASSES, ICON_NAME),
}
_MATHML_CLASSES = re.compile(r"mathml|assistive-mml|MJX_Assistive", re.IGNORECASE)
_PLATFORM_URL = re.compile(
    r"/subscribe\b|[?&](?:amp;)?action=share\b|/comments(?:[?#&\"]|$)|%%(?:share|checkout|comment)\w*%%"
    r"|[?&](?:amp;)?(?:utm_content=share|giftSubscription)|javascript:void",
    re.IGNORECASE,
)
PLATFORM_CAPTION = re.compile(
    r"(?:like|share|subscribe(?: now)?|comments?|leave a comment|restack|give a gift subscription"
    r"|refer a friend|get the app|start writing|upgrade to paid|pledge your support"
    r"|share [^.!?]{1,60}|(?:like|comments?|restack)?\s*\(?\d+\)?)",
    re.IGNORECASE,
)
_ELEMENTS = {
    "form": FORM,
    "select": FORM_FIELD,
    "datalist": FORM_FIELD,
    "template": HIDDEN,
    "dialog": HIDDEN,
    "mjx-math": FORMULA_COPY,
}
# The second is the content of a component, as browsers show it.
_SHOWING_ATTRIBUTES = {"dialog": "open", "template": "shadowrootmode"}


def find_removal_reason(name: str, attributes: Mapping[str, str]) -> str:
    """Return why an element may be left out of an email; empty if it stays.

    Whether it is left out depends on its content too:
    ``newsletter.posts.html.normalize.marked_elements``.
    """
    classes = attributes.get("class", "").split()
    formula = next((_FORMULAS[key] for key in classes if key in _FORMULAS), "")
    is_shown = _SHOWING_ATTRIBUTES.get(name, "") in attributes
    if (reason := _ELEMENTS.get(name, "") or formula) and not is_shown:
        return reason
    if any(map(_MATHML_CLASSES.search, classes)):
        return ""
    if "hidden" in attributes or _HIDING_STYLE.search(attributes.get("style", "")):
        return HIDDEN
    if "not-sr-only" not in classes:
        for key in classes:
            if key in _OTHER_CLASSES:
                return _OTHER_CLASSES[key]
    is_decoration = attributes.get("aria-hidden", "").strip().lower() == "true"
    return ARIA_HIDDEN if is_decoration and name not in {"img", "svg"} else ""


def is_platform_button(inside: str, text: str) -> bool:
    """Return whether an element with the class of a platform's buttons is one.

    Args:
        inside: its HTML.
        text: its text, on one line.
    """
    return bool(_PLATFORM_URL.search(inside) or PLATFORM_CAPTION.fullmatch(text))
