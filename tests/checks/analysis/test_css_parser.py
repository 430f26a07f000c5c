"""CSS is read as browsers read it, and hostile CSS neither raises nor takes long."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.checks.analysis.color import parse_color
from newsletter.checks.analysis.css_parser import (
    parse_declarations,
    parse_dimension,
    parse_rules,
    parse_style,
)

HOSTILE = [
    "{" * 8_000,
    "}" * 8_000,
    "a{b:" + "(" * 8_000,
    "a{b:" + "calc(" * 8_000 + "1rem",
    "@media x{" * 10_000,
    "'\n" * 20_000,
    'a{b:"' + "x" * 8_000,
    "/*" * 20_000,
    "a{/*" + "x" * 8_000,
    "\\" * 8_000,
    "a{" + "\\61 " * 10_000 + ":b}",
    "url(" * 10_000,
    "a{" + "x:y{" * 10_000,
    "a{b:" + "!" * 8_000,
    "@a;" * 12_000,
    "a{b:" + "1" * 5_000 + "px}",
    "a{b:1e999px;c:color();d:rgb(1e999,0,0);e:hsl(1e999deg 1% 1%);\\d800 :\\d800}",
    "a\0{b\0:c\0}",
]


@pytest.mark.parametrize("css", HOSTILE, ids=lambda css: css[:12])
def test_hostile_css_is_read(css: str) -> None:
    rules = [str(rule) for rule in parse_rules(css)]
    declarations = parse_declarations(css.removeprefix("a{"))
    "".join([*rules, *map(str, declarations)]).encode()
    for value in (css, *(declaration.value for declaration in declarations)):
        parse_color(value)
        parse_dimension(value)


@given(st.text(alphabet=st.sampled_from("ab:;{}()[]\"'@/*, \n\r\f\\#-!1."), max_size=200))
def test_any_css_is_read(css: str) -> None:
    for rule in parse_rules(css):
        parse_declarations(rule.body or "")
        parse_color(rule.body or "")


@pytest.mark.parametrize(
    ("css", "rules"),
    [
        ("a { b: c } d { e: f }", [("a", " b: c "), ("d", " e: f ")]),
        ("a{b:c}/* x{ */d{e:f}", [("a", "b:c"), ("d", "e:f")]),
        ("<!-- a{b:c} -->", [("a", "b:c")]),
        ('@import "a.css"', [('@import "a.css"', None)]),  # ends with the sheet
        ("@MEDIA (x){a{b:c}}", [("@media (x)", "a{b:c}")]),
        ("a{b:c", [("a", "b:c")]),
        ('a[b="{"]{c:d}', [('a[b="{"]', "c:d")]),
        ("a\r\n{b:c}\fd{e:f}", [("a", "b:c"), ("d", "e:f")]),
        ("<![CDATA[ a{b:c} ]]>", []),  # one bad selector up to the end, as in browsers
        ("a", []),
    ],
)
def test_rules(css: str, rules: list[tuple[str, str | None]]) -> None:
    assert [(rule.prelude, rule.body) for rule in parse_rules(css)] == rules


@pytest.mark.parametrize(
    ("css", "declarations"),
    [
        ("a:b;c:d", ["a: b;", "c: d;"]),
        ("COLOR : Red!IMPORTANT", ["color: Red !important;"]),
        ("a:/* x; */b /* y */c", ["a: b c;"]),
        ("a:url(data:image/png;base64,AA==);b:c", ["a: url(data:image/png;base64,AA==);", "b: c;"]),
        ("""a:"};" 'x';b:c""", ["""a: "};" 'x';""", "b: c;"]),
        ("*zoom:1;b:c", ["b: c;"]),
        ("a b:c;d:e", ["d: e;"]),
        ("a:b;&:hover{c:d}e:f", ["a: b;", "e: f;"]),
        ("a:b;c:'\n;d:e", ["a: b;", "d: e;"]),
        ("a:b;c:'d;e:f", ["a: b;"]),
        ("a:b;c:d)", ["a: b;"]),
        ("\\{x:y;--größe:1px", ["--größe: 1px;"]),
    ],
)
def test_declarations(css: str, declarations: list[str]) -> None:
    assert list(map(str, parse_declarations(css))) == declarations


def test_semicolons_and_braces_in_strings_and_urls_are_not_delimiters() -> None:
    css = 'a { background: url(data:image/png;base64,AA==); content: "};" } b { color: red }'
    first, second = parse_rules(css)
    assert [item.name for item in parse_declarations(first.body or "")] == ["background", "content"]
    assert second.prelude == "b"


def test_the_last_important_value_counts() -> None:
    style = parse_style("a:1;A:2;b:1!important;b:2;c:1;c:2!important")
    assert style == {"a": "2", "b": "1", "c": "2"}


def test_functions_and_units_are_those_of_the_value_not_of_strings_and_urls() -> None:
    (nested,) = parse_declarations("width:CALC(1REM + max(2vw, var(--x)))")
    assert sorted(nested.functions | nested.units) == ["calc", "max", "rem", "var", "vw"]
    (quoted,) = parse_declarations("background:url(a-1vw.png) 'calc(1rem)'")
    assert sorted(quoted.functions | quoted.units) == ["url"]


@pytest.mark.parametrize(
    ("value", "dimension"),
    [
        ("17px", (17, "px")), (" 1.5EM/* x */", (1.5, "em")), (".5rem", (0.5, "rem")),
        ("50%", (50, "%")), ("600", (600, "")), ("0", (0, "")), ("1e2px", (100, "px")),
        ("-5px", None), ("1e999px", None), ("5.", None), ("1px 2px", None), ("auto", None),
        ("calc(1px)", None), ("", None),
    ],
)  # fmt: skip
def test_dimension_is_a_number_and_its_unit(
    value: str, dimension: tuple[float, str] | None
) -> None:
    assert parse_dimension(value) == dimension
