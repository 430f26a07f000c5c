"""Which posts a digest takes, in which order, and what it says of the others."""

import datetime
from typing import NoReturn

import pytest

from newsletter.errors import PostError
from newsletter.posts.digest.select_posts import (
    DigestCard,
    DigestCriteria,
    DigestOffer,
    identify_card,
    select_posts,
)

BASE = "https://quay.example"


def offer(
    name: str, day: int | None, *tags: str, url: str | None = None, post_id: str = ""
) -> DigestOffer:
    date = datetime.date(2026, 11, day) if day else None
    address = f"{BASE}/{name}/" if url is None else url
    card = DigestCard(name, address, f"An excerpt of {name}.", date=date, post_id=post_id)
    return DigestOffer(name, address, date, tags, lambda: card)


def broken(name: str, day: int) -> DigestOffer:
    def fail() -> NoReturn:
        raise PostError(f"{name} is broken")

    return DigestOffer(name, f"{BASE}/{name}", datetime.date(2026, 11, day), (), fail)


POSTS = [offer("knots", 20, "Boats"), offer("tides", 22, "Harbour"), offer("nets", 21, "boats")]


@pytest.mark.parametrize(
    ("criteria", "expected", "left_out"),
    [
        (DigestCriteria(), ["tides", "nets", "knots"], {}),
        (
            DigestCriteria(since=datetime.date(2026, 11, 21)),
            ["tides", "nets"],
            {"earlier post": 1},
        ),
        (DigestCriteria(tags=("BOATS",)), ["nets", "knots"], {"untagged post": 1}),
        (DigestCriteria(tags=("Boats", "Harbour")), ["nets", "knots", "tides"], {}),
        (DigestCriteria(limit=1), ["tides"], {}),
    ],
)
def test_the_newest_come_first_in_the_order_of_the_sections(
    criteria: DigestCriteria, expected: list[str], left_out: dict[str, int]
) -> None:
    selection = select_posts(POSTS, criteria)
    assert [card.title for card in selection.cards] == expected
    assert selection.left_out == left_out
    assert set(selection.over_limit) == {"tides", "nets", "knots"} - {*expected} - (
        {"knots"} if criteria.since else {"tides"} if criteria.tags else set()
    )


def test_each_of_several_tags_is_a_section_and_one_is_none() -> None:
    several = select_posts(POSTS, DigestCriteria(tags=("Boats", "Harbour"))).cards
    assert [card.section for card in several] == ["Boats", "Boats", "Harbour"]
    assert {
        card.section for card in select_posts(POSTS, DigestCriteria(tags=("Boats",))).cards
    } == {""}


@pytest.mark.parametrize(
    ("listed", "is_new"),
    [
        (("7", f"{BASE}/other", "other", "Another text, which is longer."), True),
        (("7", "", "other", ""), False),  # the same id, and nothing against it
        (("", "http://www.quay.example/knots?utm_source=x", "other", "Another text."), False),
        (("", f"{BASE}/moved", "knots", "An excerpt of knots."), False),
        (("8", f"{BASE}/other", "other", "Another text."), True),
    ],
)
def test_a_post_of_an_earlier_digest_is_recognized(
    listed: tuple[str, str, str, str], *, is_new: bool
) -> None:
    criteria = DigestCriteria(listed=(identify_card(*listed),))
    selection = select_posts([offer("knots", 20, post_id="7")], criteria)
    assert bool(selection.cards) == is_new
    assert selection.left_out == ({} if is_new else {"repeated post": 1})


def test_posts_without_a_date_are_new_and_come_last() -> None:
    criteria = DigestCriteria(since=datetime.date(2026, 11, 22))
    selection = select_posts([offer("undated", None), *POSTS], criteria)
    assert [card.title for card in selection.cards] == ["tides", "undated"]


def test_one_bad_post_stops_no_other_and_none_is_there_twice() -> None:
    posts = [
        broken("fog", 23),
        *POSTS,
        offer("tides", 19, url=f"{BASE}/tides?utm_source=feed"),
        offer("another post of the same page", 18, url=f"{BASE}/tides"),
        offer("nowhere", 24, url=""),
    ]
    selection = select_posts(posts, DigestCriteria())
    titles = [card.title for card in selection.cards]
    assert titles == ["tides", "nets", "knots", "another post of the same page"]
    assert [problem.message for problem in selection.unreadable] == ["fog is broken"]
    assert selection.left_out == {"unpublished post": 1, "duplicate": 1}
