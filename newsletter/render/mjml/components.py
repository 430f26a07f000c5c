"""The MJML components of MRML 5: allowed children and attributes.

The names are those of MJML 4's documentation ("Components"). ``IGNORED_ATTRIBUTES`` and
``UNSEEN_ATTRIBUTES`` are attributes that MJML documents but MRML ignores, ``INERT_ATTRIBUTES``
those that MJML ignores as well; a test renders every attribute of the tables to prove that it does,
or does not, change the email.
"""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class MjmlComponent:
    """One MJML component.

    Attributes:
        attributes: the attributes that have an effect, besides ``css-class`` and ``mj-class``.
        children: the components that it may contain.
        allows_content: whether it may contain text and HTML.
    """

    attributes: frozenset[str]
    children: tuple[str, ...] = ()
    allows_content: bool = False


def _expand_sides(name: str) -> str:
    return f"{name} {name}-top {name}-right {name}-bottom {name}-left"


_PADDING = _expand_sides("padding")
_BORDER = _expand_sides("border") + " border-radius"
_FONT = "font-family font-size font-style font-weight"
_BACKGROUND = (
    "background-color background-url background-repeat background-size background-position "
    "background-position-x background-position-y"
)
_BLOCK_ATTRIBUTES = f"container-background-color {_PADDING}"
_LINK = "href rel target"
_ICON = (
    "icon-align icon-height icon-position icon-width icon-unwrapped-alt icon-unwrapped-url "
    "icon-wrapped-alt icon-wrapped-url"
)
_BLOCK_COMPONENTS = (
    "mj-text", "mj-button", "mj-image", "mj-divider", "mj-spacer", "mj-table", "mj-social",
    "mj-navbar", "mj-accordion", "mj-carousel", "mj-raw",
)  # fmt: skip


def _make_component(
    attributes: str = "", *children: str, allows_content: bool = False
) -> MjmlComponent:
    return MjmlComponent(frozenset(attributes.split()), children, allows_content)


COMPONENTS = {
    "mjml": _make_component("lang dir", "mj-head", "mj-body", "mj-raw"),
    "mj-head": _make_component(
        "",
        "mj-attributes", "mj-breakpoint", "mj-font", "mj-html-attributes", "mj-preview", "mj-raw",
        "mj-style", "mj-title",
    ),
    "mj-html-attributes": _make_component("", "mj-selector"),
    "mj-selector": _make_component("", "mj-html-attribute"),
    "mj-html-attribute": _make_component(allows_content=True),
    "mj-attributes": _make_component(),  # the validator handles its children
    "mj-breakpoint": _make_component("width"),
    "mj-font": _make_component("name href"),
    "mj-preview": _make_component(allows_content=True),
    "mj-style": _make_component(allows_content=True),
    "mj-title": _make_component(allows_content=True),
    "mj-body": _make_component(
        "width background-color", "mj-section", "mj-wrapper", "mj-hero", "mj-raw"
    ),
    "mj-wrapper": _make_component(
        f"{_BACKGROUND} {_BORDER} {_PADDING} direction full-width text-align",
        "mj-section", "mj-hero", "mj-raw",
    ),
    "mj-section": _make_component(
        f"{_BACKGROUND} {_BORDER} {_PADDING} direction full-width text-align",
        "mj-column", "mj-group", "mj-raw",
    ),
    "mj-group": _make_component(
        "background-color direction vertical-align width", "mj-column", "mj-raw"
    ),
    "mj-column": _make_component(
        f"background-color {_BORDER} {_PADDING} direction inner-background-color "
        f"{_expand_sides('inner-border')} inner-border-radius vertical-align width",
        *_BLOCK_COMPONENTS,
    ),
    "mj-hero": _make_component(
        f"background-color background-url background-width background-height background-position "
        f"height inner-background-color {_expand_sides('inner-padding')} {_PADDING} vertical-align",
        *_BLOCK_COMPONENTS,
    ),
    "mj-text": _make_component(
        f"align color {_FONT} height letter-spacing line-height text-decoration text-transform "
        f"vertical-align {_BLOCK_ATTRIBUTES}",
        allows_content=True,
    ),
    "mj-button": _make_component(
        f"align background-color {_BORDER} color {_FONT} height inner-padding letter-spacing "
        f"line-height name text-align text-decoration text-transform vertical-align width "
        f"{_LINK} {_BLOCK_ATTRIBUTES}",
        allows_content=True,
    ),
    "mj-image": _make_component(
        f"align alt border border-left border-right border-radius fluid-on-mobile font-size height "
        f"max-height name src srcset title usemap width {_LINK} {_BLOCK_ATTRIBUTES}"
    ),
    "mj-divider": _make_component(
        f"align border-color border-style border-width width {_BLOCK_ATTRIBUTES}"
    ),
    "mj-spacer": _make_component(f"height {_BLOCK_ATTRIBUTES}"),
    "mj-table": _make_component(
        f"align border cellpadding cellspacing color font-family font-size line-height "
        f"table-layout vertical-align width {_BLOCK_ATTRIBUTES}",
        allows_content=True,
    ),
    "mj-raw": _make_component(allows_content=True),
    "mj-social": _make_component(
        f"align border-radius color {_FONT} icon-height icon-padding icon-size inner-padding "
        f"line-height mode text-decoration text-padding vertical-align {_BLOCK_ATTRIBUTES}",
        "mj-social-element",
    ),
    "mj-social-element": _make_component(
        f"align alt background-color border-radius color {_FONT} icon-height icon-padding "
        f"icon-size line-height name src text-decoration text-padding title vertical-align "
        f"{_LINK} {_PADDING}",
        allows_content=True,
    ),
    "mj-navbar": _make_component(
        f"align base-url hamburger ico-align ico-close ico-color ico-font-family ico-font-size "
        f"ico-line-height ico-open {_expand_sides('ico-padding')} ico-text-decoration "
        f"ico-text-transform {_PADDING}",
        "mj-navbar-link",
    ),
    "mj-navbar-link": _make_component(
        f"color {_FONT} letter-spacing line-height name text-decoration text-transform "
        f"{_LINK} {_PADDING}",
        allows_content=True,
    ),
    "mj-accordion": _make_component(
        f"border font-family {_ICON} {_BLOCK_ATTRIBUTES}", "mj-accordion-element"
    ),
    "mj-accordion-element": _make_component(
        f"background-color border font-family {_ICON}", "mj-accordion-title", "mj-accordion-text"
    ),
    "mj-accordion-title": _make_component(
        f"background-color color font-family font-size {_PADDING}", allows_content=True
    ),
    "mj-accordion-text": _make_component(
        f"background-color color font-family font-size font-weight letter-spacing line-height "
        f"{_PADDING}",
        allows_content=True,
    ),
    "mj-carousel": _make_component(
        f"align border-radius icon-width left-icon right-icon tb-border tb-border-radius "
        f"tb-hover-border-color tb-selected-border-color tb-width thumbnails {_BLOCK_ATTRIBUTES}",
        "mj-carousel-image",
    ),
    "mj-carousel-image": _make_component(
        f"alt border-radius src tb-border tb-border-radius thumbnails-src title {_LINK}"
    ),
}  # fmt: skip

IGNORED_ATTRIBUTES = {
    name: frozenset(attributes.split())
    for name, attributes in {
        "mj-accordion-title": "font-weight",
        "mj-hero": "border-radius",
        "mj-image": "border-bottom border-top",
        "mj-social-element": "icon-position",
        "mj-wrapper": "gap",
    }.items()
}
# Those whose absence doesn't change what a reader sees.
UNSEEN_ATTRIBUTES = {
    name: frozenset(attributes.split())
    for name, attributes in {
        "mj-button": "title",
        "mj-image": "sizes",
        "mj-social-element": "sizes srcset",
        "mj-table": "role",
    }.items()
}

# Attributes that MRML ignores and ``head_rules`` implements.
OWN_ATTRIBUTES = {
    "mj-style": frozenset({"inline"}),
    "mj-raw": frozenset({"position"}),
    "mj-selector": frozenset({"path"}),
    "mj-html-attribute": frozenset({"name"}),
}
# Attributes that MJML documents, or had in older versions, and that have no effect there either.
INERT_ATTRIBUTES = {
    name: frozenset(attributes.split())
    for name, attributes in {
        "mjml": "owa version xmlns",
        "mj-body": "color font-family font-size",
        "mj-divider": "horizontal-spacing vertical-spacing",
        "mj-hero": "container-background-color mode",
        "mj-section": "text-padding vertical-align",
        "mj-social": "table-layout",
        "mj-spacer": "border border-bottom border-left border-right border-top",
        "mj-table": "font-weight",
        "mj-text": "background-color",
        "mj-wrapper": "text-padding vertical-align",
    }.items()
}

# The elements that mj-attributes may contain besides every component.
DEFAULTS_ELEMENTS = ("mj-all", "mj-class")

COMMON_ATTRIBUTES = frozenset({"css-class", "mj-class"})
# Components without a CSS class: they render no element, or only one in the head.
CLASSLESS_COMPONENTS = frozenset(
    {
        "mjml", "mj-head", "mj-attributes", "mj-breakpoint", "mj-font", "mj-preview", "mj-style",
        "mj-title", "mj-raw", "mj-html-attributes", "mj-selector", "mj-html-attribute",
    }
)  # fmt: skip

LENGTH_ATTRIBUTES = frozenset(
    f"{_PADDING} {_expand_sides('inner-padding')} {_expand_sides('ico-padding')} "
    "border-radius border-width "
    "background-height background-width font-size height ico-font-size icon-height icon-padding "
    "icon-size icon-width inner-border-radius max-height tb-border-radius tb-width text-padding "
    "width".split()
)
COLOR_ATTRIBUTES = frozenset(
    {
        "background-color",
        "border-color",
        "color",
        "container-background-color",
        "ico-color",
        "inner-background-color",
        "tb-hover-border-color",
        "tb-selected-border-color",
    }
)
CHOICE_ATTRIBUTES = {
    "align": ("left", "center", "right", "justify"),
    "background-repeat": ("repeat", "no-repeat"),
    "dir": ("ltr", "rtl", "auto"),
    "direction": ("ltr", "rtl"),
    "fluid-on-mobile": ("true", "false"),
    "full-width": ("full-width", "false"),
    "ico-align": ("left", "center", "right"),
    "icon-align": ("top", "middle", "bottom"),
    "icon-position": ("left", "right"),
    "mode": ("horizontal", "vertical"),
    "text-align": ("left", "center", "right"),
    "thumbnails": ("visible", "hidden", "supported"),
    "vertical-align": ("top", "middle", "bottom"),
}


def describe_unsupported(name: str, attributes: Mapping[str, str]) -> tuple[str, str] | None:
    """Return what is wrong with an MJML component that can't be used here, and what to do."""
    if name == "mj-include":
        path = attributes.get("path", "partials/….mjml").removeprefix("./")
        remedy = f'Write {{% include "{path}" %}}; the path begins in the templates folder.'
        if attributes.get("type") == "css" or path.endswith(".css"):
            remedy = "Copy its rules into article.css, or into <mj-style>."
        elif attributes.get("type") == "html" or path.endswith((".html", ".htm")):
            remedy = f'Write <mj-raw>{{% include "{path.rsplit(".", 1)[0]}.mjml" %}}</mj-raw>.'
        return "<mj-include> is not supported here", remedy
    if name == "mj-container":
        return "<mj-container> is of MJML 3", "Write its attributes on <mj-body>, and leave it out."
    if name == "mj-chart":
        return "<mj-chart> is not supported here", "Put an image of the chart into the post."
    return None
