"""The analysis behind the rules: colors, text runs, locations in the source."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from newsletter.checks.analysis.color import RGB, contrast_ratio, parse_color
from newsletter.checks.analysis.computed_text import iter_text_runs, parse_length
from newsletter.checks.analysis.domain_names import is_same_site
from newsletter.checks.check_context import CheckContext
from newsletter.checks.runner import run_rules

MakeContext = Callable[..., CheckContext]
PART = st.integers(0, 255)


@pytest.mark.parametrize(
    ("value", "rgb"),
    [
        ("#fff", (255, 255, 255)),
        ("#1F5f8b", (31, 95, 139)),
        ("rgb(1, 2, 3)", (1, 2, 3)),
        ("rgba(1,2,3,.5)", None),
        ("rgb(10%,20%,30%)", (26, 51, 76)),
        ("RGB( 100% 0% 50.5% )", (255, 0, 129)),
        ("rgb(1 2 3 / 99%)", (1, 2, 3)),
        ("rgb(10% 20% 30% / 50%)", None),
        ("rgb(1.4, 2.6, 300)", (1, 3, 255)),
        ("rgb(1, 2)", None),
        ("rgb(var(--c))", None),
        ("url(a.png) no-repeat #000", (0, 0, 0)),
        ("navy", (0, 0, 128)),
        ("DarkGreen", (0, 100, 0)),
        ("hsl(120, 100%, 25%)", (0, 128, 0)),
        ("hwb(0 0% 0%)", (255, 0, 0)),
        ("#0000", None),
        ("#000000f5", (0, 0, 0)),
        ("linear-gradient(90deg, #fff, #000)", (255, 255, 255)),
        ("color(display-p3 1 0 0)", None),
        ("transparent", None),
        ("currentColor", None),
        ("url(red.png)", None),
        ("inherit", None),
        ("", None),
    ],
)
def test_css_color_is_parsed(value: str, rgb: RGB | None) -> None:
    assert parse_color(value) == rgb


def test_contrast_ratio_matches_wcag() -> None:
    assert contrast_ratio((0, 0, 0), (255, 255, 255)) == pytest.approx(21)
    assert contrast_ratio((118, 118, 118), (255, 255, 255)) == pytest.approx(4.54, abs=0.01)


@given(st.tuples(PART, PART, PART), st.tuples(PART, PART, PART))
def test_contrast_ratio_is_symmetric(first: RGB, second: RGB) -> None:
    assert 1 <= contrast_ratio(first, second) == contrast_ratio(second, first) <= 21


@pytest.mark.parametrize(
    ("value", "size"), [("12pt", 16), ("1.5em", 30), ("90%", 18), ("0", 0), ("large", None)]
)
def test_css_length_is_converted_to_pixels(value: str, size: float | None) -> None:
    assert parse_length(value, 20) == size


def test_text_runs_inherit_style_and_omit_hidden_text() -> None:
    html = """<html><head><title>No</title></head><body style="color:#222;font-size:18px">
        <div style="display:none">hidden</div><p style="DISPLAY: None">x</p>
        <!-- comment --><p>one <b>two</b> three</p>
        <table bgcolor="#000000"><tr><td style="color:#fff">four<sup>5</sup></td></tr></table>
        </body></html>"""
    runs = list(iter_text_runs(etree.fromstring(html, etree.HTMLParser())))
    assert [run.text.strip() for run in runs] == ["one", "two", "three", "four", "5"]
    one, two, three, four, five = (run.style for run in runs)
    assert (one.color, one.font_size, one.bold, two.bold) == ((34, 34, 34), 18, False, True)
    assert three == one
    assert (four.color, four.background) == ((255, 255, 255), (0, 0, 0))
    assert five.raised


def test_source_map_finds_text_across_markup_and_urls_with_utm(
    make_context: MakeContext,
) -> None:
    body = "Start.\n\nThe *tide* goes\n[out](https://a.example/x?b=1&c=2) again.\n\n- [b](/way)\n"
    context = make_context(body)
    assert context.source_map.locate_text("tide goes out again").line == 8
    assert context.source_map.locate_url("https://a.example/x?b=1&c=2&utm_source=me").line == 9
    assert (
        context.source_map.locate_url("https://harbournotes.example/way?utm_source=me").line == 11
    )
    assert context.source_map.locate_text("nowhere to be found").line is None
    assert context.source_map.locate_setting("preheader").line == 4


@pytest.mark.parametrize(
    "body",
    [
        "He said “one.\n\n“Two,” he said.\n",  # a quotation that continues
        'It is 5\'10" and 12" long.\n',
        "[kartverket.no/table](https://www.kartverket.no/table?a=1)\n",
        "[Node.js](https://nodejs.org/) and [ASP.net](https://dotnet.microsoft.com/)\n",
        "Use `{{ subscriber.name }}` and `*|FNAME|*` in code.\n",
        "[Write](mailto:a@b.example?subject=Hello) or [call](tel:+4755123456).\n",
        "A study found that 40% of gulls sleep.[^1]\n\n[^1]: [Gulls](https://gulls.example/1).\n",
        "The battery was at 40%, and I studied the map.\n",
        "Harbour Notes\u2019s readers, and the harbour notes every bell.\n",
        "> [!NOTE]\n> One.\n",
        "Yours,\\\nIngrid\n\nP.S. Read the archive →\n",
    ],
)
def test_correct_posts_have_no_findings(make_context: MakeContext, body: str) -> None:
    context = make_context("The tide goes out and comes back in, whatever the day is.\n\n" + body)
    findings = run_rules(context)
    serious = [finding for finding in findings if finding.severity != "hint"]
    hinted_rules = {"unsourced-claim", "unbalanced-quotes", "misspelt-name"}
    hints = [finding for finding in findings if finding.rule in hinted_rules]
    assert serious == []
    assert hints == []


SCRAPED = """\
Blog

## Mending nets in winter

{prose}

A landmark survey by the Institute of Nets found that mended nets catch 30% more fish, which nobody
on our quay had doubted for a moment, least of all those who mend them.

{prose}

Watch more here قناة

Leave a Reply

Your email address will not be published. Required fields are marked \\*
"""


def test_scraped_post_has_findings_with_lines(make_context: MakeContext) -> None:
    context = make_context(SCRAPED.format(prose="The twine is tarred and the needle is full. " * 8))
    findings = run_rules(context)
    assert [(finding.rule, finding.where and finding.where.line) for finding in findings] == [
        ("blog-furniture", 6),
        ("blog-furniture", 19),
        ("blog-furniture", 21),
        ("foreign-script", 17),
        ("unsourced-claim", 12),
    ]


@pytest.mark.parametrize(
    ("shown", "url", "same"),
    [
        ("bücher.de", "https://xn--bcher-kva.de/a", True),
        ("xn--bcher-kva.de", "https://bücher.de/a", True),
        ("bücher.de", "https://b%C3%BCcher.de/a", True),
        ("bücher.de", "https://xn--999999999.de/a", False),  # no valid Punycode
        ("bücher.de", "https://xn--bcher-kva.com/a", False),
    ],
)
def test_international_host_is_one_site_in_every_form(shown: str, url: str, same: bool) -> None:
    assert is_same_site(shown, shown, url) is same
