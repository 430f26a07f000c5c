"""Check that an SVG image is only a drawing: no script, no request. Pure.

An SVG that a browser opens on its own is a document of its site, with its cookies. Nothing is
cleaned: what isn't known to be harmless is refused, so that no parser has to be outwitted.
"""

import re
from xml.parsers import expat

from newsletter.posts.svg_expansion import SvgExpansion

SVG_REMEDY = (
    "Export it again as a plain SVG without scripts, links to other files and entities; or save it "
    "as PNG, which mail clients show, too."
)
# Drawings repeat some thousands; a browser takes seconds for a million.
MAX_REPEATED_ELEMENTS = 100_000
_SVG = "http://www.w3.org/2000/svg"
_XLINK_HREF = "http://www.w3.org/1999/xlink href"
_XML_BASE = "http://www.w3.org/XML/1998/namespace base"
_ELEMENTS = frozenset(
    """svg g defs symbol use title desc metadata switch view style a image
    path rect circle ellipse line polyline polygon text tspan textPath
    linearGradient radialGradient meshgradient meshpatch meshrow stop pattern hatch hatchpath
    clipPath mask marker filter color-profile font font-face font-face-name font-face-src
    glyph missing-glyph hkern vkern
    feBlend feColorMatrix feComponentTransfer feComposite feConvolveMatrix feDiffuseLighting
    feDisplacementMap feDistantLight feDropShadow feFlood feFuncA feFuncB feFuncG feFuncR
    feGaussianBlur feImage feMerge feMergeNode feMorphology feOffset fePointLight
    feSpecularLighting feSpotLight feTile feTurbulence""".split()
)
# What drawing programs add; no browser does anything with it.
_EDITOR_NAMESPACES = (
    "http://www.inkscape.org/",
    "http://sodipodi.sourceforge.net/",
    "http://inkscape.sourceforge.net/",
    "http://www.w3.org/1999/02/22-rdf-syntax-ns#",
    "http://creativecommons.org/ns#",
    "http://web.resource.org/cc/",
    "http://purl.org/dc/",
    "http://ns.adobe.com/",
    "http://www.bohemiancoding.com/sketch",
    "http://www.serif.com/",
    "adobe:ns:meta/",
)
_ENCODINGS = frozenset({"", "utf-8", "us-ascii", "iso-8859-1"})
_FRAGMENT = re.compile(r"\s*#")
_RASTER = re.compile(r"\s*data:image/(?:png|jpe?g|gif|webp)[;,]", re.IGNORECASE)
_LINK = re.compile(r"\s*(?:#|https?://|mailto:)", re.IGNORECASE)
# In CSS, a backslash can write any letter of another word.
_CSS_REQUEST = re.compile(
    r"""\\|@import|expression\(|-moz-binding|behavior\s*:|(?:image-set|src|image|cross-fade)\s*\(
    |url\s*\((?!(?>\s*)(?:"(?>\s*)|'(?>\s*))?(?:\#|data:(?:image/(?:png|jpe?g|gif|webp)|font/|application/(?:x-)?font)))
    """,
    re.IGNORECASE | re.VERBOSE,
)


class _UnsafeSvgError(Exception):
    """Something in the image isn't harmless; the argument says what."""


def find_svg_problem(data: bytes) -> str:
    """Return why an SVG is not published, such as ``it holds a script``; empty if it is harmless.

    Refused are scripts, event attributes, HTML inside, animations (which can change a link),
    references to other files, entities, elements that are repeated without end, and every element
    that isn't known; also what is not well-formed, since browsers run what comes before the error.

    Args:
        data: the whole file.
    """
    if b"\0" in data or data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "it is not in UTF-8"
    checker = _SvgChecker()
    try:
        checker.parse(data)
    except _UnsafeSvgError as error:
        return str(error)
    except (expat.ExpatError, ValueError, LookupError) as error:
        return f"it is not well-formed: {error}"
    return ""


class _SvgChecker:
    """Handlers of one XML parser."""

    def __init__(self) -> None:
        self._is_root = True
        self._is_in_style = False
        self._css: list[str] = []
        self._expansion = SvgExpansion()

    def parse(self, data: bytes) -> None:
        """Parse a document; nothing that it refers to is read."""
        parser = expat.ParserCreate(namespace_separator=" ")
        parser.XmlDeclHandler = _check_declaration
        parser.StartDoctypeDeclHandler = _check_doctype
        parser.ProcessingInstructionHandler = _check_instruction
        parser.SkippedEntityHandler = _refuse_entity
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._text
        parser.Parse(data, True)  # noqa: FBT003 - it takes no keywords
        if self._expansion.count_repeated() > MAX_REPEATED_ELEMENTS:
            raise _UnsafeSvgError(
                f"it shows more than {MAX_REPEATED_ELEMENTS:,} elements by repeating others"
            )

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        namespace, _, local = name.rpartition(" ")
        if self._is_root and name != f"{_SVG} svg":
            raise _UnsafeSvgError("it is not an SVG")
        if self._is_in_style:  # browsers read the text around it as one
            raise _UnsafeSvgError(f"it holds <{local}> in its style")
        self._is_root = False
        self._is_in_style = name == f"{_SVG} style"
        if namespace != _SVG and not namespace.startswith(_EDITOR_NAMESPACES):
            raise _UnsafeSvgError(f"it holds <{local}>, which is not SVG")
        if namespace == _SVG and local not in _ELEMENTS:
            kind = "a script" if local == "script" else f"<{local}>"
            raise _UnsafeSvgError(f"it holds {kind}")
        href = "" if local == "a" else attributes.get("href") or attributes.get(_XLINK_HREF, "")
        self._expansion.start(local, attributes, href)
        for attribute, value in attributes.items():
            _check_attribute(local if namespace == _SVG else "", attribute, value)

    def _end(self, _: str) -> None:
        self._expansion.end()
        if self._is_in_style:
            self._is_in_style = False
            text = "".join(self._css)
            _check_css(text)
            self._expansion.add_style_sheet(text)
            self._css.clear()

    def _text(self, text: str) -> None:
        if self._is_in_style:
            self._css.append(text)


def _check_attribute(element: str, attribute: str, value: str) -> None:
    if attribute.lower().startswith("on"):
        raise _UnsafeSvgError(f"it holds a script, in the attribute {attribute}")
    if attribute == _XML_BASE:
        raise _UnsafeSvgError("it refers to other files, with xml:base")
    if attribute in {"href", _XLINK_HREF}:
        if element == "a":
            allowed = bool(_LINK.match(value))
        else:
            is_image = element in {"image", "feImage"}
            allowed = bool(_FRAGMENT.match(value) or (is_image and _RASTER.match(value)))
        if not allowed and value.strip():
            raise _UnsafeSvgError(f"it refers to '{value.strip()[:40]}'")
    elif " " not in attribute:
        _check_css(value)


def _check_css(text: str) -> None:
    if found := _CSS_REQUEST.search(text):
        raise _UnsafeSvgError(f"its style holds '{text[found.start() :][:40].strip()}'")


def _check_declaration(_version: str, encoding: str | None, _standalone: int) -> None:
    if (encoding or "").lower() not in _ENCODINGS:
        raise _UnsafeSvgError("it is not in UTF-8")


def _check_doctype(
    _name: str, _system_id: str | None, _public_id: str | None, has_internal_subset: int
) -> None:
    if has_internal_subset:
        raise _UnsafeSvgError("it declares entities")


def _check_instruction(target: str, _data: str) -> None:
    if target.lower() == "xml-stylesheet":
        raise _UnsafeSvgError("it refers to a style sheet")


def _refuse_entity(name: str, _is_parameter: object) -> None:
    raise _UnsafeSvgError(f"it holds the entity '{name[:40]}'")
