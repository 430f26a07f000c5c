import datetime
import re
from collections.abc import Sequence

import pytest
from lxml import etree

from newsletter.subscribers.queries.growth_chart import draw_growth_chart
from newsletter.subscribers.queries.stats import GrowthPeriod

NS = {"svg": "http://www.w3.org/2000/svg"}


def weeks(*moves: tuple[int, int]) -> list[GrowthPeriod]:
    made: list[GrowthPeriod] = []
    start, before = datetime.date(2026, 11, 23) - datetime.timedelta(weeks=len(moves) - 1), 100
    for joined, left in moves:
        made.append(GrowthPeriod(start, joined, left, before))
        start, before = start + datetime.timedelta(weeks=1), made[-1].active_at_end
    return made


def drawn(moves: Sequence[tuple[int, int]], name: str = "Harbour Notes") -> etree._Element:
    return etree.fromstring(draw_growth_chart(weeks(*moves), name))


def found(root: etree._Element, path: str) -> list[str]:
    texts = root.xpath(path, namespaces=NS)
    assert isinstance(texts, list)
    return [str(text) for text in texts]


def texts(root: etree._Element, where: str) -> list[str]:
    return found(root, f"//svg:g[contains(@class, '{where}')]//svg:text//text()")


def test_it_needs_nothing_else_and_runs_nothing() -> None:
    image = draw_growth_chart(weeks((3, 1), (5, 2)), "Harbour Notes")
    assert b"<script" not in image
    links = [link for link in re.findall(rb"https?://[^\"' ]+", image) if b"w3.org" not in link]
    assert links == []


def test_it_says_what_it_shows() -> None:
    root = drawn([(30, 4), (50, 10)])
    assert root.findtext("svg:title", namespaces=NS) == "Harbour Notes: 166 active readers"
    assert "Joined" in texts(root, "legends")
    assert "Left" in texts(root, "legends")
    assert {"16 Nov", "23 Nov"} <= set(texts(root, "axis x"))
    everything = [str(text) for text in root.itertext()]
    assert {"Week from Monday", "Readers"} <= set(everything)


def test_there_is_a_bar_for_every_number() -> None:
    root = drawn([(30, 4), (0, 0), (50, 10)])
    values = found(root, "//svg:desc[@class='value']/text()")
    assert sorted(values) == ["0", "0", "10", "30", "4", "50"]


def test_dark_pages_get_dark_colours() -> None:
    (style,) = found(drawn([(1, 1)]), "//svg:style/text()")
    light, _, dark = style.partition("@media (prefers-color-scheme:dark)")
    assert "fill:#ffffff" in light
    assert "fill:#17191c" in dark


def test_a_name_is_text() -> None:
    root = drawn([(1, 0)], "<script>alert(1)</script> & friends")
    assert not root.xpath("//svg:script", namespaces=NS)
    assert "<script>alert(1)</script> & friends: 101 active readers" in root.itertext()


@pytest.mark.parametrize(
    ("moves", "ticks"),
    [
        ([(0, 0)], ["0", "1"]),
        ([(3, 1)], ["1", "0", "1", "2", "3"]),
        ([(77, 22)], ["40", "20", "0", "20", "40", "60", "80"]),
        ([(0, 900)], ["1,000", "800", "600", "400", "200", "0", "200"]),
    ],
)
def test_the_scale_counts_whole_readers(moves: list[tuple[int, int]], ticks: list[str]) -> None:
    assert texts(drawn(moves), "axis y") == ticks


def test_many_weeks_have_few_labels_the_last_one_among_them() -> None:
    labels = texts(drawn([(1, 1)] * 260), "axis x")
    assert len(labels) <= 12
    assert labels[-1] == "Nov 2026"
