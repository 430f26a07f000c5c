import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from newsletter.errors import Problem
from newsletter.posts.importing.choose_posts import PostChooser, PostSelection, find_latest
from newsletter.posts.importing.source_post import SourcePost, UnreadablePost

OSLO = ZoneInfo("Europe/Oslo")
DAY = datetime.datetime(2026, 11, 20, 23, 30, tzinfo=datetime.UTC)
POSTS = (
    SourcePost("Low tide", slug="low-tide", post_id="1", date=DAY, tags=("Sea",)),
    SourcePost("Two boats", slug="boats", post_id="2", date=DAY - datetime.timedelta(days=9)),
    SourcePost("Unfinished", post_id="3", status="draft"),
    SourcePost("About", post_id="4", kind="page", date=DAY + datetime.timedelta(days=1)),
    SourcePost("Undated", post_id="5", url="https://a.example/undated"),
    UnreadablePost("Broken", Problem("it can't be read")),
)


@pytest.mark.parametrize(
    ("conditions", "chosen", "not_chosen"),
    [
        ({}, "125!", {"draft": 1, "page": 1}),
        ({"statuses": ("draft",)}, "3!", {"published post": 3, "page": 1}),
        ({"kinds": ("page",)}, "4!", {"post": 4}),
        (
            {"since": datetime.date(2026, 11, 21)},  # a quarter past midnight in Oslo
            "1!",
            {"draft": 1, "page": 1, "earlier post": 1, "undated post": 1},
        ),
        ({"tags": ("sea",)}, "1!", {"draft": 1, "page": 1, "untagged post": 2}),
        ({"names": ("unfinished", "4")}, "34", {"other post": 3}),
        ({"names": ("https://a.example/undated", "broken")}, "5!", {"other post": 4}),
        ({"names": ("two-boats",)}, "2", {"other post": 4}),
    ],
)
def test_posts_are_chosen(
    conditions: dict[str, Any], chosen: str, not_chosen: dict[str, int]
) -> None:
    chooser = PostChooser(PostSelection(**conditions), OSLO)
    posts = chooser.iter_chosen(POSTS)
    assert "".join("!" if isinstance(p, UnreadablePost) else p.post_id for p in posts) == chosen
    assert chooser.not_chosen == not_chosen
    assert chooser.found_names == set(conditions.get("names", ()))


def test_latest_post_is_the_newest() -> None:
    latest = find_latest(POSTS)
    assert latest is not None
    assert latest.post_id == "4"
    undated = [SourcePost("First"), SourcePost("Second")]
    assert find_latest(undated) is undated[0]
    assert find_latest([POSTS[-1]]) is None
