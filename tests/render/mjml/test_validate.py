import re

import pytest
from mjml import mjml2html

from newsletter.render.mjml.components import (
    CLASSLESS_COMPONENTS,
    COMPONENTS,
    IGNORED_ATTRIBUTES,
    INERT_ATTRIBUTES,
    OWN_ATTRIBUTES,
    UNSEEN_ATTRIBUTES,
)
from newsletter.render.mjml.validate import MjmlProblem, validate_mjml
from newsletter.render.personalization import ARTICLE_MARKER

ARTICLE = f"<mj-section><mj-column><mj-text>{ARTICLE_MARKER}</mj-text></mj-column></mj-section>"
VALUES = (
    "7px", "37%", "#123456", "probe", "left", "right", "middle", "bottom", "rtl", "repeat",
    "no-repeat", "cover", "full-width", "true", "hamburger", "hidden", "vertical", "github",
    "3px solid #123456", "dashed", "fixed-height", "inline", "file-start", "auto", "fixed",
    "presentation",
)  # fmt: skip
# Other attributes that an attribute needs before it has an effect.
REQUIRED_ATTRIBUTES = {
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
CONTENT = {
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
ANCESTORS = {
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
# MRML rejects these: head_rules takes them out before it.
IMPLEMENTED_HERE = {"mj-html-attributes", "mj-selector", "mj-html-attribute"}
IN_HEAD = ("mj-breakpoint", "mj-font", "mj-preview", "mj-style", "mj-title")


def make_page(content: str, head: str = "") -> str:
    body = f"\n{content}\n{ARTICLE}\n"
    return f"<mjml>\n<mj-head>{head}</mj-head>\n<mj-body>{body}</mj-body>\n</mjml>"


def make_column(content: str) -> str:
    return make_page(f"<mj-section>\n<mj-column>\n{content}\n</mj-column>\n</mj-section>")


def find_problems(text: str) -> list[str]:
    return [problem.message for problem in validate_mjml(text)]


def render(name: str, attributes: dict[str, str]) -> str:
    """Return the HTML that MRML renders for one component."""
    attributes_text = "".join(f' {key}="{value}"' for key, value in attributes.items())
    sibling = f"<mj-column>{TEXT}</mj-column>" if name == "mj-column" else ""
    content = CONTENT.get(name, "x" if COMPONENTS[name].allows_content else "")
    text = f"<{name}{attributes_text}>{content}</{name}>{sibling}"
    if name in IN_HEAD:
        font = '<mj-text font-family="probe">x</mj-text>'
        text = (
            f"<mjml><mj-head>{text}</mj-head><mj-body><mj-section><mj-column>{font}"
            "</mj-column></mj-section></mj-body></mjml>"
        )
    else:
        for parent in reversed(ANCESTORS.get(name, ("mjml", "mj-body", "mj-section", "mj-column"))):
            text = f"<{parent}>{text}</{parent}>"
    return mjml2html(text, fonts={})


def has_effect(name: str, attribute: str) -> bool:
    other_attributes = {
        k: v for k, v in REQUIRED_ATTRIBUTES.get(name, {}).items() if k != attribute
    }
    if (name, attribute) == ("mj-social-element", "alt"):
        other_attributes["name"] = "github"
    without = render(name, other_attributes)
    return any(render(name, {**other_attributes, attribute: value}) != without for value in VALUES)


ATTRIBUTES = [
    (name, attribute, True)
    for name, component in COMPONENTS.items()
    for attribute in sorted(component.attributes)
] + [
    (name, attribute, False)
    for table in (IGNORED_ATTRIBUTES, INERT_ATTRIBUTES, OWN_ATTRIBUTES, UNSEEN_ATTRIBUTES)
    for name, ignored in table.items()
    if name not in IMPLEMENTED_HERE
    for attribute in sorted(ignored)
]


@pytest.mark.parametrize("name", list(COMPONENTS))
def test_component_table_matches_mrml(name: str) -> None:
    expected = {attribute: effective for other, attribute, effective in ATTRIBUTES if other == name}
    assert {attribute: has_effect(name, attribute) for attribute in expected} == expected


@pytest.mark.parametrize("name", sorted(set(COMPONENTS) - CLASSLESS_COMPONENTS))
def test_css_class_has_an_effect_on_every_component_that_allows_it(name: str) -> None:
    assert has_effect(name, "css-class")


def test_valid_template_has_no_problems() -> None:
    text = make_page(
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
    assert find_problems(text) == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            make_column("<mj-buton>x</mj-buton>"),
            "<mj-buton> is not an MJML component. Did you mean <mj-button>?",
        ),
        (make_column("<mj-zzz/>"), "<mj-zzz> is not an MJML component"),
        (
            make_column('<mj-text colour="#123456">x</mj-text>'),
            "<mj-text> has no attribute colour. Did you mean color?",
        ),
        (
            make_page('<mj-wrapper gap="9px"></mj-wrapper>'),
            "gap has no effect on <mj-wrapper> here",
        ),
        (make_column("<mj-section />"), "<mj-section> can't be inside <mj-column>"),
        (
            make_column("<mj-text><p><mj-image /></p></mj-text>"),
            "<mj-image> can't be inside <mj-text>",
        ),
        (make_page("<mj-text>x</mj-text>"), "<mj-text> can't be inside <mj-body>"),
        (make_column("<div>x</div>"), "<div> can't be inside <mj-column>"),
        (make_column("words"), "there is text in <mj-column>"),
        (
            make_column('<mj-text padding="wide">x</mj-text>'),
            'padding="wide" is not a valid length',
        ),
        (
            make_column('<mj-text padding="1px 2px 3px 4px 5px">x</mj-text>'),
            'padding="1px 2px 3px 4px 5px" is not a valid length',
        ),
        (make_column('<mj-text color="#12">x</mj-text>'), 'color="#12" is not a valid colour'),
        (make_column('<mj-text align="middle">x</mj-text>'), 'align="middle" is not a valid value'),
        (make_column('<mj-include path="a" />'), "<mj-include> is not supported here"),
        (
            make_page("", '<mj-style inline="inline">@import "a";</mj-style>'),
            "@import is not supported",
        ),
        (
            make_page(
                "",
                '<mj-html-attributes><mj-selector path="a >"></mj-selector></mj-html-attributes>',
            ),
            'path="a >" is not a CSS selector',
        ),
        (make_page("", '<mj-raw position="top"></mj-raw>'), 'position="top" is not a valid value'),
        (
            make_page('<mj-hero mode="fluid-height"><mj-text>x</mj-text></mj-hero>'),
            'mode="fluid-height" is not supported here',
        ),
        (
            make_page(
                "",
                '<mj-html-attributes><mj-selector path="a"><mj-html-attribute name="">x'
                "</mj-html-attribute></mj-selector></mj-html-attributes>",
            ),
            'name="" is not the name of an attribute',
        ),
        (
            make_page(
                "",
                '<mj-html-attributes><mj-selector path="a"><mj-html-attribute name="x:y z">x'
                "</mj-html-attribute></mj-selector></mj-html-attributes>",
            ),
            'name="x:y z" is not the name of an attribute',
        ),
        (
            make_page("").replace("</mjml>", "<mj-body></mj-body></mjml>"),
            "there is a second <mj-body>",
        ),
        (
            make_page("").replace("</mjml>", "<mj-head></mj-head></mjml>"),
            "there is a second <mj-head>",
        ),
        (make_page("") + "<p>more</p>", "there is something after </mjml>"),
        ("Dear reader", "invalid XML (syntax error)"),
        (make_column("<mj-text>\ud83d</mj-text>"), "half of a surrogate pair is no character"),
        (make_page("<mj-container />"), "<mj-container> is of MJML 3"),
        (
            make_page("", "<mj-attributes><mj-txt /></mj-attributes>"),
            "<mj-txt> is not an MJML component. Did you mean <mj-text>?",
        ),
        (
            make_page("", '<mj-attributes><mj-text colr="#123456" /></mj-attributes>'),
            "<mj-text> has no attribute colr. Did you mean color?",
        ),
        (
            make_page("", '<mj-attributes><mj-all hreff="a" /></mj-attributes>'),
            "<mj-all> has no attribute hreff. Did you mean href?",
        ),
        (make_column("<mj-text><pre>x</pre></mj-text>"), "<pre> loses line breaks in a template"),
        (make_column("<mj-text><![CDATA[x]]></mj-text>"), "<![CDATA[ is not supported here"),
        (make_column("<mj-text><?php ?></mj-text>"), "<? … ?> is not supported here"),
        ('<?xml version="1.0"?>' + make_page(""), "<? … ?> is not supported here"),
        (f"<html>{make_page('')}</html>", "a template must begin with <mjml>, not with <html>"),
        (make_column("<mj-text><p>a</mj-text>"), "</mj-text> doesn't match the open <p>"),
        ("<mjml><mj-body>", "<mj-body> is never closed"),
        (" ", "this template is empty"),
        (
            make_column("<mj-text>a & b</mj-text>"),
            "invalid XML (not well-formed (invalid token))",
        ),
        (make_column("<mj-text>&smth; b</mj-text>"), "&smth; is not a known character"),
        (
            make_column('<mj-text align="left" align="left">b</mj-text>'),
            "invalid XML (duplicate attribute)",
        ),
        (
            make_column("<mj-text><![if !mso]>a<![endif]></mj-text>"),
            "this form of conditional comment is not supported",
        ),
        (
            make_column(f"<mj-text>{ARTICLE_MARKER}</mj-text>"),
            "{{ article }} occurs more than once",
        ),
        (make_page("").replace(ARTICLE_MARKER, ""), "{{ article }} is missing"),
        (
            make_page("").replace(ARTICLE_MARKER, f"x {ARTICLE_MARKER}"),
            "{{ article }} must be alone in its element",
        ),
        (
            make_page("").replace(ARTICLE_MARKER, f"<p>{ARTICLE_MARKER}</p>"),
            "{{ article }} must be alone in its element",
        ),
        (
            make_column(f'<mj-text css-class="{ARTICLE_MARKER}">x</mj-text>'),
            "{{ article }} can't be an attribute",
        ),
        (
            make_column(f"<mj-text><!-- {ARTICLE_MARKER} --></mj-text>"),
            "{{ article }} is in a comment",
        ),
    ],
)
def test_problem_is_reported(text: str, message: str) -> None:
    assert find_problems(text) == [message]


def test_all_problems_are_reported_at_their_tags() -> None:
    text = make_column('é<mj-buton\n a="b">x</mj-buton>\n<mj-image hreff="x" width="wide" />')
    found = validate_mjml(text)
    assert [(problem.message[:24], get_tag(text, problem)) for problem in found] == [
        ("there is text in <mj-col", "é"),
        ("<mj-buton> is not an MJM", "<mj-buton"),
        ("<mj-image> has no attrib", "<mj-image"),
        ('width="wide" is not a va', "<mj-image"),
    ]


def get_tag(text: str, problem: MjmlProblem) -> str:
    found = re.match(r"<[\w-]+|.", text.encode()[problem.offset :].decode())
    assert found
    return found[0]


def test_nesting_that_would_crash_mrml_is_rejected() -> None:
    assert find_problems(make_column("<mj-text>" + "<div>" * 20_000)) == [
        "elements are nested more than 100 deep"
    ]


@pytest.mark.parametrize(
    ("element", "remedy"),
    [
        ('<mj-include path="./header.mjml" />', 'Write {% include "header.mjml" %}'),
        ('<mj-include path="parts/a.css" type="css" />', "Copy its rules into article.css"),
        ('<mj-include path="a.html" type="html" />', '<mj-raw>{% include "a.mjml" %}</mj-raw>'),
        ("<mj-include />", 'Write {% include "partials/….mjml" %}'),
        ("<mj-chart />", "Put an image of the chart into the post."),
    ],
)
def test_what_is_not_supported_says_what_to_do(element: str, remedy: str) -> None:
    (problem,) = validate_mjml(make_column(element))
    assert remedy in problem.remedy


def test_what_has_no_effect_in_mjml_either_is_accepted() -> None:
    hero = (
        '<mj-hero mode="fixed-height" height="9px"><mj-text background-color="red">x</mj-text>'
        "</mj-hero>"
        '<mj-section vertical-align="top"><mj-column><mj-divider vertical-spacing="9px"/>'
        '<mj-button title="Row" href="/row">x</mj-button><mj-image src="a" sizes="50vw"/>'
        "</mj-column></mj-section>"
    )
    text = make_page(hero).replace("<mjml>", '<mjml version="4.1" owa="desktop">')
    assert find_problems(text) == []
