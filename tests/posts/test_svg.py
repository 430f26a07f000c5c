"""SVG images: a drawing is published, a document with a script or a request is not."""

import pytest

from newsletter.posts.svg import find_svg_problem

HEAD = '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"'
LAUGHS = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))


def nest(first: str, other: str, levels: int = 12) -> str:
    """Return elements ``a1``, ``a2``, …, each of which holds ten references to the one before."""
    parts = [first.format(n=1, inside="<rect/>")]
    parts += [first.format(n=n, inside=other.format(n=n - 1) * 10) for n in range(2, levels + 1)]
    return "".join(parts) + other.format(n=levels)


def draw(inside: str, attributes: str = "") -> bytes:
    return f"{HEAD} width='9' height='9' {attributes}>{inside}</svg>".encode()


ATTACKS = {
    "script": draw("<script>alert(1)</script>"),
    "empty script": draw("<script/>"),
    "script elsewhere": draw('<script href="//evil.example/a.js"/>'),
    "prefixed script": draw('<s:script xmlns:s="http://www.w3.org/2000/svg">1</s:script>'),
    "html script": draw('<h:script xmlns:h="http://www.w3.org/1999/xhtml">1</h:script>'),
    "script in metadata": draw("<metadata><script>1</script></metadata>"),
    "onload": draw("", "onload='alert(1)'"),
    "onclick": draw("<rect onclick='alert(1)'/>"),
    "ONLOAD": draw("", "ONLOAD='alert(1)'"),
    "event in an editor's element": draw('<i:a xmlns:i="http://www.inkscape.org/" onclick="1"/>'),
    "foreignObject": draw("<foreignObject><p/></foreignObject>"),
    "iframe": draw('<iframe xmlns="http://www.w3.org/1999/xhtml" src="javascript:1"/>'),
    "MathML": draw('<math xmlns="http://www.w3.org/1998/Math/MathML"/>'),
    "XML events": draw('<e:listener xmlns:e="http://www.w3.org/2001/xml-events"/>'),
    "XSLT": draw('<x:template xmlns:x="http://www.w3.org/1999/XSL/Transform"/>'),
    "javascript link": draw('<a href="javascript:alert(1)"><text>x</text></a>'),
    "javascript xlink": draw('<a xlink:href=" JaVaScRiPt:alert(1)"><text>x</text></a>'),
    "javascript with a tab": draw('<a href="java&#9;script:alert(1)"><text>x</text></a>'),
    "data link": draw('<a href="data:text/html,&lt;script>1&lt;/script>"><text>x</text></a>'),
    "set href": draw('<a id="a"><set attributeName="href" to="javascript:alert(1)"/></a>'),
    "animate href": draw('<a><animate attributeName="href" values="javascript:alert(1)"/></a>'),
    "handler": draw("<handler>alert(1)</handler>"),
    "image elsewhere": draw('<image href="https://evil.example/a.png"/>'),
    "image without scheme": draw('<image href="//evil.example/a.png"/>'),
    "image beside": draw('<image xlink:href="../secret.png"/>'),
    "SVG in an image": draw('<image href="data:image/svg+xml,&lt;svg/>"/>'),
    "use elsewhere": draw('<use href="https://evil.example/a.svg#a"/>'),
    "use data": draw('<use href="data:image/svg+xml;base64,PHN2Zy8+#a"/>'),
    "feImage": draw('<filter><feImage href="https://evil.example/a.png"/></filter>'),
    "fill": draw('<rect fill="url(https://evil.example/a.svg#a)"/>'),
    "style attribute": draw("<rect style=\"fill:URL( 'https://evil.example/a')\"/>"),
    "style import": draw('<style>@import "https://evil.example/a.css";</style>'),
    "style import in pieces": draw("<style>@im<![CDATA[port]]> 'a.css';</style>"),
    "style around an element": draw("<style><g/>@import 'https://evil.example/a.css';</style>"),
    "style url": draw("<style>rect{cursor:url(//evil.example/a)}</style>"),
    "style escape": draw("<style>rect{cursor:u\\72l(//evil.example/a)}</style>"),
    "style image-set": draw("<style>rect{mask:image-set('https://evil.example/a' 1x)}</style>"),
    "font elsewhere": draw("<style>@font-face{src:url(https://evil.example/a)}</style>"),
    "xml:base": draw('<use href="#a"/>', 'xml:base="https://evil.example/"'),
    "style sheet": b'<?xml-stylesheet href="https://evil.example/a.css"?>' + draw(""),
    "billion laughs": (
        f'<!DOCTYPE svg [<!ENTITY l0 "lol">{LAUGHS}]>'.encode() + draw("<text>&l9;</text>")
    ),
    "quadratic blow-up": (
        f'<!DOCTYPE svg [<!ENTITY a "{"a" * 50_000}">]>'.encode()
        + draw(f"<text>{'&a;' * 50_000}</text>")
    ),
    "external entity": (
        b'<!DOCTYPE svg [<!ENTITY x SYSTEM "file:///etc/passwd">]>' + draw("<text>&x;</text>")
    ),
    "parameter entity": (
        b'<!DOCTYPE svg [<!ENTITY % x SYSTEM "https://evil.example/a.dtd"> %x;]>' + draw("")
    ),
    "default attribute": (b'<!DOCTYPE svg [<!ATTLIST svg onload CDATA "alert(1)">]>' + draw("")),
    "entity of a DTD": (
        b'<!DOCTYPE svg SYSTEM "https://evil.example/a.dtd">' + draw("<text>&x;</text>")
    ),
    "cut off": draw("<rect/>")[:-3],
    "script after the end": draw("") + b"<script/>",
    "HTML": b"<html><body><script>1</script></body></html>",
    "XHTML": b'<html xmlns="http://www.w3.org/1999/xhtml"><script>1</script></html>',
    "no namespace": b"<svg width='9' height='9'/>",
    "UTF-16": draw("").decode().encode("utf-16"),
    "UTF-16 without a mark": draw("").decode().encode("utf-16-le"),
    "UTF-7": b'<?xml version="1.0" encoding="utf-7"?>' + draw("+ADw-script+AD4-"),
    "unknown encoding": b'<?xml version="1.0" encoding="zlib"?>' + draw(""),
    "EBCDIC": '<?xml version="1.0" encoding="cp037"?>'.encode("cp037"),
    "compressed": b"\x1f\x8b\x08\x00",
    "empty": b"",
    "undeclared prefix": draw("<q:rect/>"),
    "deep": draw("<g>" * 50_000),
    "use bomb": draw(nest('<g id="a{n}">{inside}</g>', '<use href="#a{n}"/>')),
    "use bomb, xlink": draw(nest('<g id="a{n}">{inside}</g>', '<use xlink:href=" #a{n}"/>')),
    "symbol bomb": draw(nest('<symbol id="a{n}">{inside}</symbol>', '<use href="#a{n}"/>')),
    "use bomb, backwards": draw(
        '<use href="#a9"/>'
        + "".join(
            f'<g id="a{n}">{f"""<use href="#a{n - 1}"/>""" * 10}</g>' for n in range(9, 0, -1)
        )
        + '<g id="a0"><rect/></g>'
    ),
    "use bomb, ids inside": draw(
        nest('<g id="a{n}"><g><g id="b{n}">{inside}</g></g></g>', '<use href="#b{n}"/>')
    ),
    "use bomb, long": draw(
        "".join(f'<g id="a{n}">{f"""<use href="#a{n - 1}"/>""" * 2}</g>' for n in range(5_000))
    ),
    "pattern bomb": draw(
        nest('<pattern id="a{n}">{inside}</pattern>', '<rect fill="url(#a{n})"/>')
    ),
    "mask bomb": draw(
        nest('<mask id="a{n}">{inside}</mask>', "<g style=\"mask: URL( '#a{n}' )\"/>")
    ),
    "marker bomb": draw(
        nest('<marker id="a{n}">{inside}</marker>', '<path marker-end="url(#a{n})"/>')
    ),
    "filter bomb": draw(
        nest(
            '<filter id="a{n}"><feImage href="#b{n}"/></filter><g id="b{n}">{inside}</g>',
            '<g filter="url(#a{n})"/>',
        )
    ),
    "bomb in a style sheet": draw(
        "<style>"
        + "".join(f"g > .c{n}, i{{fill:url(#a{n})}}" for n in range(1, 13))
        + "</style>"
        + nest('<pattern id="a{n}">{inside}</pattern>', '<rect class="x c{n}"/>')
    ),
    "many uses of much": draw(f'<g id="a">{"<rect/>" * 1_000}</g>' + '<use href="#a"/>' * 101),
}


@pytest.mark.parametrize("name", ATTACKS)
def test_svg_that_is_more_than_a_drawing_is_refused(name: str) -> None:
    why = find_svg_problem(ATTACKS[name])
    assert why.startswith(("it ", "its ")), name
    assert len(why) < 100


DRAWINGS = {
    "shapes": draw('<g id="a"><path d="M0 0h9v9z" fill="#fc0"/><circle r="4"/></g>'),
    "gradient": draw(
        '<defs><linearGradient id="a"><stop offset="0"/></linearGradient></defs>'
        '<rect fill="url(#a)" style="mask: url( \'#b\' ); stroke: red"/><use xlink:href="#a"/>'
    ),
    "style": draw("<style><![CDATA[.a{fill:url(#a)} @media print{.a{fill:red}}]]></style>"),
    "picture inside": draw('<image xlink:href="data:image/png;base64,iVBORw0KGgo="/>'),
    "font inside": draw("<style>@font-face{src:url(data:font/woff2;base64,d09GMg)}</style>"),
    "link": draw('<a href="https://harbour.example/"><text>Low tide</text></a>'),
    "words": draw("<title>On switches</title><text>javascript: url(x) @import</text>"),
    "old doctype": (
        b'<?xml version="1.0" encoding="UTF-8" standalone="no"?>\n<!DOCTYPE svg PUBLIC '
        b'"-//W3C//DTD SVG 1.1//EN" "http://www.w3.org/Graphics/SVG/1.1/DTD/svg11.dtd">\n'
        + draw("<!-- drawn by hand --><rect/>")
    ),
    "Inkscape": draw(
        '<n:namedview xmlns:n="http://sodipodi.sourceforge.net/DTD/sodipodi-0.dtd" '
        'xmlns:i="http://www.inkscape.org/namespaces/inkscape" i:zoom="1"/><metadata>'
        '<r:RDF xmlns:r="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><c:Work '
        'xmlns:c="http://creativecommons.org/ns#" r:about=""/></r:RDF></metadata>'
    ),
    "uses": draw(f'<g id="a">{"<rect/>" * 1_000}</g>' + '<use href="#a"/>' * 99),
    "many elements": draw('<g id="a"><rect class="a" fill="url(#b)"/></g>' * 20_000),
    "use of itself": draw('<g id="a"><use href="#b"/></g><g id="b"><use href="#a"/></g>'),
    "use of nothing": draw('<use href="#a"/><use href="#"/><use href=""/>' * 9),
    "byte-order mark": b"\xef\xbb\xbf" + draw("<text>\xc3\xa6</text>"),
}


@pytest.mark.parametrize("name", DRAWINGS)
def test_drawing_is_published(name: str) -> None:
    assert find_svg_problem(DRAWINGS[name]) == ""


def nest_by_style(rule: str, shape: str = "<rect class='c{n}' data-n='{n}'/>") -> bytes:
    """Return patterns of ten shapes each, which a style sheet fills with the pattern before."""
    style = "".join(rule.replace("N", str(n)) for n in range(1, 12))
    patterns = nest('<pattern id="a{n}">{inside}</pattern>', shape)
    return draw(f'<style>{style}</style>{patterns}<rect fill="url(#a12)"/>')


@pytest.mark.parametrize(
    "rule",
    [
        "[data-n='N']{fill:url(#aN)}",
        "rect[data-n='N']{fill:url(#aN)}",
        "[data-n='N'],b{fill:url(#aN)}",
        "#aN1 > :nth-child(n){fill:url(#aN)}",
        "b :not(:is(b)){fill:url(#aN)}",
        "rect{&amp;{fill:url(#aN)}}",
        ".cN/*}*/{fill:url(#aN)}",
        ".cN{fill:url(#aN);b{}}",
        ".cN{content:'}';fill:url(#aN)}",
        ".cN{fill:url( ' #aN')}",
        ".cN{fill:url(#%61N)}",
        "@media all{.cN{fill:url(#aN)}}",
    ],
)
def test_repetition_by_style_sheet_is_counted(rule: str) -> None:
    assert "by repeating" in find_svg_problem(nest_by_style(rule))


@pytest.mark.parametrize("name", ["\U0001f600", "a\U0001f600", "é"])
def test_class_of_any_letters_is_counted(name: str) -> None:
    svg = nest_by_style(f".{name}N{{fill:url(#aN)}}", f"<rect class='{name}{{n}}'/>")
    assert "by repeating" in find_svg_problem(svg)


def test_percent_encoded_reference_is_counted() -> None:
    svg = draw(nest('<g id="a{n}">{inside}</g>', '<use href="#%61{n}"/>'))
    assert "by repeating" in find_svg_problem(svg)


def test_style_of_a_drawing_repeats_nothing() -> None:
    style = ".cls-1:hover, g.b > path:not(.c){fill:url(#a)} /* [x]{ */ path[d]{fill:url(#a)}"
    inside = '<linearGradient id="a"><stop/><stop/></linearGradient>' + "<path d=''/>" * 5_000
    assert find_svg_problem(draw(f"<style>{style}</style>{inside}")) == ""


@pytest.mark.parametrize(
    "style",
    ["a" * 300_000, "a{" * 150_000, "a{}" * 100_000, "url(" + " " * 300_000, "/*" * 150_000,
     "[" * 300_000 + "{fill:url(#a)}", ":a(" * 100_000 + "{fill:url(#a)}"],
)  # fmt: skip
def test_hostile_style_sheet_is_read_in_linear_time(style: str) -> None:
    find_svg_problem(draw(f"<style>{style}</style>"))
