import datetime
import re
from collections.abc import Sequence

import pytest
from lxml import etree

from newsletter.reports.output.growth_chart import draw_growth_chart
from newsletter.subscribers.queries.stats import GrowthPeriod

NS = {"svg": "http://www.w3.org/2000/svg"}


def make_weeks(*counts: tuple[int, int]) -> list[GrowthPeriod]:
    periods: list[GrowthPeriod] = []
    start, before = (
        datetime.date(2026, 11, 23) - datetime.timedelta(weeks=len(counts) - 1),
        100,
    )
    for joined, lost in counts:
        periods.append(GrowthPeriod(start, joined, lost, before))
        start, before = start + datetime.timedelta(weeks=1), periods[-1].active_at_end
    return periods


def draw(counts: Sequence[tuple[int, int]], name: str = "Harbour Notes") -> etree._Element:
    return etree.fromstring(draw_growth_chart(make_weeks(*counts), name))


def find_texts(root: etree._Element, path: str) -> list[str]:
    texts = root.xpath(path, namespaces=NS)
    assert isinstance(texts, list)
    return [str(text) for text in texts]


def texts(root: etree._Element, css_class: str) -> list[str]:
    return find_texts(root, f"//svg:g[contains(@class, '{css_class}')]//svg:text//text()")


def test_svg_has_no_scripts_or_external_resources() -> None:
    image = draw_growth_chart(make_weeks((3, 1), (5, 2)), "Harbour Notes")
    assert b"<script" not in image
    links = [link for link in re.findall(rb"https?://[^\"' ]+", image) if b"w3.org" not in link]
    assert links == []


def test_title_legend_and_axes() -> None:
    root = draw([(30, 4), (50, 10)])
    assert root.findtext("svg:title", namespaces=NS) == "Harbour Notes: 166 active readers"
    assert "Joined" in texts(root, "legends")
    assert "Left" in texts(root, "legends")
    assert {"16 Nov", "23 Nov"} <= set(texts(root, "axis x"))
    all_texts = [str(text) for text in root.itertext()]
    assert {"Week from Monday", "Readers"} <= set(all_texts)


def test_there_is_a_bar_for_each_number() -> None:
    root = draw([(30, 4), (0, 0), (50, 10)])
    values = find_texts(root, "//svg:desc[@class='value']/text()")
    assert sorted(values) == ["0", "0", "10", "30", "4", "50"]


def test_dark_mode_has_dark_colors() -> None:
    (style,) = find_texts(draw([(1, 1)]), "//svg:style/text()")
    light, _, dark = style.partition("@media (prefers-color-scheme:dark)")
    assert "fill:#ffffff" in light
    assert "fill:#17191c" in dark


def test_newsletter_name_is_escaped() -> None:
    root = draw([(1, 0)], "<script>alert(1)</script> & friends")
    assert not root.xpath("//svg:script", namespaces=NS)
    assert "<script>alert(1)</script> & friends: 101 active readers" in root.itertext()


@pytest.mark.parametrize(
    ("counts", "ticks"),
    [
        ([(0, 0)], ["0", "1"]),
        ([(3, 1)], ["1", "0", "1", "2", "3"]),
        ([(77, 22)], ["40", "20", "0", "20", "40", "60", "80"]),
        ([(0, 900)], ["1,000", "800", "600", "400", "200", "0", "200"]),
    ],
)
def test_axis_ticks_are_whole_numbers(counts: list[tuple[int, int]], ticks: list[str]) -> None:
    assert texts(draw(counts), "axis y") == ticks


def test_labels_of_many_weeks_are_limited_and_include_the_last() -> None:
    labels = texts(draw([(1, 1)] * 260), "axis x")
    assert len(labels) <= 12
    assert labels[-1] == "Nov 2026"
