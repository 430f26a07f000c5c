"""The design ``magazine``: its cover, and its cards for further reading."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from newsletter.config.models import Config
from newsletter.posts.issue import FrontMatterImage, FurtherReadingCard, Issue
from newsletter.posts.merge_tags.tags import MergeTag
from newsletter.render.issue import render_issue
from newsletter.render.template.loader import load_templates

TEMPLATES = Path(__file__).parents[2] / "templates"
NAME = MergeTag("0", "name", "friend", "{{ subscriber.name }}")

Render = Callable[..., str]


@pytest.fixture
def render(make_issue: Callable[..., Issue], make_config: Callable[..., Config]) -> Render:
    """Return a function that returns the HTML of an issue in this design."""

    def run(body: str = "<p>Low water.</p>", *, width: int = 620, **changes: object) -> str:
        config = make_config(theme={"template": "magazine", "width": width})
        return render_issue(make_issue(body, **changes), load_templates(TEMPLATES), config).html

    return run


@pytest.mark.parametrize(
    ("preheader", "body", "shown"),
    [
        ("Four numbers a day.", "<p>Low water.</p>", True),
        ("", "<p>Low water.</p>", False),
        ("Low water at noon…", "<p>Morning,</p><p>Low <b>water</b> at noon, and then</p>", False),
        ("Low water!", "<p>low water?</p>", False),
        ("Low & high", "<p>Low &amp; high water</p>", False),
        ("For -nl0t-: the tide", "<p>Dear -nl0h-,</p>", True),
        ("For -nl0t-: the tide", "<p>For -nl0h-: the tide.</p>", False),
        ("一日に四つの数字。", "<p>一日に四つの数字。</p>", False),
    ],
)
def test_preheader_is_the_standfirst_unless_the_article_says_it(
    render: Render, preheader: str, body: str, *, shown: bool
) -> None:
    html = render(body, preheader=preheader, merge_tags=(NAME,))
    found = re.search(r'class="muted standfirst"[^>]*><div[^>]*>([^<]*)<', html)
    words = preheader.replace("-nl0t-", "-nl0h-").replace("&", "&amp;")
    assert (found and found[1]) == (words if shown else None)


@pytest.mark.parametrize(("tags", "kicker"), [((), None), (("tides", "sea"), "tides")])
def test_first_tag_is_the_kicker(render: Render, tags: tuple[str, ...], kicker: str | None) -> None:
    found = re.search(r'class="kicker"[^>]*><div[^>]*>([^<]*)<', render(post={"tags": tags}))
    assert (found and found[1]) == kicker


@pytest.mark.parametrize(
    ("count", "rows"),
    [(0, []), (1, [1]), (2, [2]), (3, [1, 2]), (4, [2, 2]), (5, [1, 2, 2])],
)
@pytest.mark.parametrize("width", [480, 800])
def test_cards_stand_in_twos_with_an_odd_one_before(
    render: Render, count: int, rows: list[int], width: int
) -> None:
    picture = FrontMatterImage("https://cdn.example/boat.jpg", "A boat")
    cards = tuple(
        FurtherReadingCard(f"Card {i}", f"https://b.example/{i}", "Text", picture)
        for i in range(count)
    )
    html = render(further=cards, width=width)
    sections = html.split('class="cards"')[1:]
    assert [len(re.findall(r">Card \d<", section)) for section in sections] == rows
    assert re.findall(r">Card (\d)<", html) == [str(i) for i in range(count)]
    # In Outlook two columns, of which each picture fills one.
    assert all(section.count("mj-column-per-50") == 2 for section in sections)
    assert set(re.findall(r'<img src="[^"]*boat.jpg"[^>]* width="(\d+)"', html)) <= {
        str((width - 40) // 2 - 24)
    }


def test_a_single_card_without_a_picture_has_the_whole_width(render: Render) -> None:
    html = render(further=(FurtherReadingCard("Knots", "https://b.example/", ""),))
    assert "mj-column-per-50" not in html
    assert ">Knots</a>" in html


def test_letters_are_not_spaced_in_right_to_left_scripts(render: Render) -> None:
    spaced = re.compile(r'class="kicker"[^>]*><div style="[^"]*letter-spacing:([^;]*);')
    found = [
        spaced.findall(render(post={"tags": ("tides",), "language": language}))
        for language in ("en", "ja", "ar", "he")
    ]
    assert found == [["1.5px"], ["1.5px"], ["0"], ["0"]]
    assert "letter-spacing:-" not in render(post={"language": "ar"}).partition('class="title"')[2]
