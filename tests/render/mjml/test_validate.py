import re

import pytest
from mjml import mjml2html

from newsletter.render.mjml.components import CLASSLESS_COMPONENTS, COMPONENTS, IGNORED_ATTRIBUTES
from newsletter.render.mjml.validate import MjmlFault, validate_mjml
from newsletter.render.personalization import ARTICLE_MARKER

HOME = f"<mj-section><mj-column><mj-text>{ARTICLE_MARKER}</mj-text></mj-column></mj-section>"
VALUES = (
    "7px", "37%", "#123456", "probe", "left", "right", "middle", "bottom", "rtl", "repeat",
    "no-repeat", "cover", "full-width", "true", "hamburger", "hidden", "vertical", "github",
    "3px solid #123456", "dashed", "fixed-height", "inline", "file-start", "auto", "fixed",
    "presentation",
)  # fmt: skip
# What an attribute needs beside it before it can show.
COMPANY = {
    "mj-section": {"background-url": "u"},
    "mj-wrapper": {"background-url": "u"},
    "mj-hero": {"background-url": "u"},
    "mj-column": {"padding": "3px"},
    "mj-navbar": {"hamburger": "hamburger"},
    "mj-image": {"src": "a", "href": "a"},
    "mj-button": {"href": "a"},
    "mj-social-element": {"src": "a", "href": "a"},
    "mj-carousel-image": {"src": "a", "href": "a"},
    "mj-font": {"name": "probe", "href": "a"},
}
TEXT = "<mj-text>x</mj-text>"
SECTION = f"<mj-section><mj-column>{TEXT}</mj-column></mj-section>"
INSIDE = {
    "mjml": f"<mj-body>{SECTION}</mj-body>",
    "mj-body": SECTION,
    "mj-wrapper": SECTION * 2,
    "mj-section": f"<mj-column>{TEXT}</mj-column>",
    "mj-group": f"<mj-column>{TEXT}</mj-column>" * 2,
    "mj-column": TEXT,
    "mj-hero": TEXT,
    "mj-social": '<mj-social-element name="github" href="a">x</mj-social-element>',
    "mj-navbar": '<mj-navbar-link href="/a">x</mj-navbar-link>',
    "mj-accordion": (
        "<mj-accordion-element><mj-accordion-title>x</mj-accordion-title>"
        "<mj-accordion-text>x</mj-accordion-text></mj-accordion-element>"
    ),
    "mj-accordion-element": (
        "<mj-accordion-title>x</mj-accordion-title><mj-accordion-text>x</mj-accordion-text>"
    ),
    "mj-carousel": '<mj-carousel-image src="a"/><mj-carousel-image src="b"/>',
    "mj-table": "<tr><td>x</td></tr>",
    "mj-style": ".x { color: red }",
}
CHAIN = {
    "mjml": (),
    "mj-body": ("mjml",),
    "mj-wrapper": ("mjml", "mj-body"),
    "mj-section": ("mjml", "mj-body"),
    "mj-hero": ("mjml", "mj-body"),
    "mj-column": ("mjml", "mj-body", "mj-section"),
    "mj-group": ("mjml", "mj-body", "mj-section"),
    "mj-social-element": ("mjml", "mj-body", "mj-section", "mj-column", "mj-social"),
    "mj-navbar-link": ("mjml", "mj-body", "mj-section", "mj-column", "mj-navbar"),
    "mj-accordion-element": ("mjml", "mj-body", "mj-section", "mj-column", "mj-accordion"),
    "mj-accordion-title": (
        "mjml", "mj-body", "mj-section", "mj-column", "mj-accordion", "mj-accordion-element",
    ),
    "mj-accordion-text": (
        "mjml", "mj-body", "mj-section", "mj-column", "mj-accordion", "mj-accordion-element",
    ),
    "mj-carousel-image": ("mjml", "mj-body", "mj-section", "mj-column", "mj-carousel"),
}  # fmt: skip
IN_HEAD = ("mj-breakpoint", "mj-font", "mj-preview", "mj-style", "mj-title")


def page(inside: str, head: str = "") -> str:
    return f"<mjml>\n<mj-head>{head}</mj-head>\n<mj-body>\n{inside}\n{HOME}\n</mj-body>\n</mjml>"


def column(inside: str) -> str:
    return page(f"<mj-section>\n<mj-column>\n{inside}\n</mj-column>\n</mj-section>")


def faults(text: str) -> list[str]:
    return [fault.message for fault in validate_mjml(text)]


def rendered(name: str, attributes: dict[str, str]) -> str:
    """What MRML makes of one component; ids, which it numbers by itself, made equal."""
    words = "".join(f' {key}="{value}"' for key, value in attributes.items())
    sibling = f"<mj-column>{TEXT}</mj-column>" if name == "mj-column" else ""
    inside = INSIDE.get(name, "x" if COMPONENTS[name].allows_content else "")
    text = f"<{name}{words}>{inside}</{name}>{sibling}"
    if name in IN_HEAD:
        font = '<mj-text font-family="probe">x</mj-text>'
        text = (
            f"<mjml><mj-head>{text}</mj-head><mj-body><mj-section><mj-column>{font}"
            "</mj-column></mj-section></mj-body></mjml>"
        )
    else:
        for parent in reversed(CHAIN.get(name, ("mjml", "mj-body", "mj-section", "mj-column"))):
            text = f"<{parent}>{text}</{parent}>"
    return mjml2html(text, fonts={})


def shows(name: str, attribute: str) -> bool:
    company = {k: v for k, v in COMPANY.get(name, {}).items() if k != attribute}
    if (name, attribute) == ("mj-social-element", "alt"):
        company["name"] = "github"
    without = rendered(name, company)
    return any(rendered(name, {**company, attribute: value}) != without for value in VALUES)


ATTRIBUTES = [
    (name, attribute, True)
    for name, component in COMPONENTS.items()
    for attribute in sorted(component.attributes)
] + [
    (name, attribute, False)
    for name, ignored in IGNORED_ATTRIBUTES.items()
    for attribute in sorted(ignored)
]


@pytest.mark.parametrize("name", list(COMPONENTS))
def test_the_table_says_what_mrml_does(name: str) -> None:
    told = {attribute: does for other, attribute, does in ATTRIBUTES if other == name}
    assert {attribute: shows(name, attribute) for attribute in told} == told


@pytest.mark.parametrize("name", sorted(set(COMPONENTS) - CLASSLESS_COMPONENTS))
def test_a_css_class_shows_on_every_component_that_may_have_one(name: str) -> None:
    assert shows(name, "css-class")


def test_a_good_template_has_no_fault() -> None:
    text = page(
        """
        <mj-raw><!--[if mso]><i></i><![endif]--><p>raw &#160;</p></mj-raw>
        <mj-wrapper full-width="full-width" padding="0 5% 10px">
          <mj-section background-color="rgba(0, 0, 0, .5)" css-class="a b">
            <mj-group><mj-column width="50%">
              <mj-text mj-class="big">a <b>b</b></mj-text>
            </mj-column></mj-group>
            <mj-column><mj-image src="a" alt="" /><mj-spacer height="1.5px" /></mj-column>
          </mj-section>
        </mj-wrapper>""",
        head="""
        <mj-title>t</mj-title><mj-style>a &gt; b { color: red }</mj-style>
        <mj-raw><meta name="x" content="y" /></mj-raw>
        <mj-attributes><mj-all padding="0" /><mj-class name="big" font-size="20px" />
          <mj-text color="#123" /></mj-attributes>""",
    )
    assert faults(text) == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            column("<mj-buton>x</mj-buton>"),
            "<mj-buton> is no MJML component. Did you mean <mj-button>?",
        ),
        (column("<mj-zzz/>"), "<mj-zzz> is no MJML component"),
        (
            column('<mj-text colour="#123456">x</mj-text>'),
            "<mj-text> has no attribute colour. Did you mean color?",
        ),
        (column('<mj-button title="x">x</mj-button>'), "title does nothing on <mj-button> here"),
        (column("<mj-section />"), "<mj-section> can't be inside <mj-column>"),
        (column("<mj-text><p><mj-image /></p></mj-text>"), "<mj-image> can't be inside <mj-text>"),
        (page("<mj-text>x</mj-text>"), "<mj-text> can't be inside <mj-body>"),
        (column("<div>x</div>"), "<div> can't be inside <mj-column>"),
        (column("words"), "there is text in <mj-column>"),
        (column('<mj-text padding="wide">x</mj-text>'), 'padding="wide" is no length'),
        (
            column('<mj-text padding="1px 2px 3px 4px 5px">x</mj-text>'),
            'padding="1px 2px 3px 4px 5px" is no length',
        ),
        (column('<mj-text color="#12">x</mj-text>'), 'color="#12" is no colour'),
        (column('<mj-text align="middle">x</mj-text>'), 'align="middle" means nothing'),
        (column('<mj-include path="a" />'), "<mj-include> is not supported here"),
        (page("", "<mj-html-attributes />"), "<mj-html-attributes> is not supported here"),
        (
            page("", '<mj-style inline="inline">a {}</mj-style>'),
            "inline does nothing on <mj-style> here",
        ),
        (
            page("", "<mj-attributes><mj-txt /></mj-attributes>"),
            "<mj-txt> is no MJML component. Did you mean <mj-text>?",
        ),
        (
            page("", '<mj-attributes><mj-text colr="#123456" /></mj-attributes>'),
            "<mj-text> has no attribute colr. Did you mean color?",
        ),
        (
            page("", '<mj-attributes><mj-all hreff="a" /></mj-attributes>'),
            "<mj-all> has no attribute hreff. Did you mean href?",
        ),
        (column("<mj-text><P>x</P></mj-text>"), "<P> has capital letters in it"),
        (column("<mj-text><pre>x</pre></mj-text>"), "<pre> loses line breaks in a template"),
        (column("<mj-text><![CDATA[x]]></mj-text>"), "<![CDATA[ is not supported here"),
        (column("<mj-text><?php ?></mj-text>"), "<? … ?> is not supported here"),
        ("<!DOCTYPE mjml>" + page(""), "a template has no <!DOCTYPE"),
        ('<?xml version="1.0"?>' + page(""), "<? … ?> is not supported here"),
        (f"<html>{page('')}</html>", "a template begins with <mjml>, not with <html>"),
        (column("<mj-text>a<br>b</mj-text>"), "<br> is never closed"),
        (column("<mj-text><p>a</mj-text>"), "</mj-text> closes nothing: <p> is open"),
        ("<mjml><mj-body>", "<mj-body> is never closed"),
        (" ", "there is nothing in this template"),
        (
            column("<mj-text>a & b</mj-text>"),
            "this can't be read (not well-formed (invalid token))",
        ),
        (column("<mj-text>&smth; b</mj-text>"), "&smth; is no character"),
        (
            column('<mj-text align="left" align="left">b</mj-text>'),
            "this can't be read (duplicate attribute)",
        ),
        (
            column("<mj-text><![if !mso]>a<![endif]></mj-text>"),
            "this kind of conditional comment breaks",
        ),
        (column(f"<mj-text>{ARTICLE_MARKER}</mj-text>"), "{{ article }} is placed more than once"),
        (page("").replace(ARTICLE_MARKER, ""), "{{ article }} is never placed"),
        (
            page("").replace(ARTICLE_MARKER, f"x {ARTICLE_MARKER}"),
            "{{ article }} must stand alone in its element",
        ),
        (
            page("").replace(ARTICLE_MARKER, f"<p>{ARTICLE_MARKER}</p>"),
            "{{ article }} must stand alone in its element",
        ),
        (
            column(f'<mj-text css-class="{ARTICLE_MARKER}">x</mj-text>'),
            "{{ article }} can't be an attribute",
        ),
        (column(f"<mj-text><!-- {ARTICLE_MARKER} --></mj-text>"), "{{ article }} is in a comment"),
    ],
)
def test_a_fault_is_named(text: str, message: str) -> None:
    assert faults(text) == [message]


def test_all_faults_are_told_at_once_each_at_its_own_tag() -> None:
    text = column('é<mj-buton\n a="b">x</mj-buton>\n<mj-image hreff="x" width="wide" />')
    found = validate_mjml(text)
    assert [(fault.message[:24], at(text, fault)) for fault in found] == [
        ("there is text in <mj-col", "é"),
        ("<mj-buton> is no MJML co", "<mj-buton"),
        ("<mj-image> has no attrib", "<mj-image"),
        ('width="wide" is no lengt', "<mj-image"),
    ]


def at(text: str, fault: MjmlFault) -> str:
    found = re.match(r"<[\w-]+|.", text.encode()[fault.offset :].decode())
    assert found
    return found[0]


def test_depth_that_would_crash_mrml_is_refused() -> None:
    assert faults(column("<mj-text>" + "<div>" * 20_000)) == [
        "this nests more than 100 elements deep"
    ]
