"""Links of an issue, and the matching of clicks to them."""

import pytest

from newsletter.posts.merge_tags.tags import MergeTag
from newsletter.reports.links import (
    IssueLink,
    LinkMatcher,
    extract_issue_links,
    fill_defaults,
    strip_utm_parameters,
)

CITY = MergeTag("1", "city", "your town", "{{ subscriber.city }}")
HTML = """<html><body>
<a href="https://a.example/one?utm_source=n&amp;x=1">First
  words</a>
<a href="https://b.example"><img src="i.png" alt="A picture"></a>
<a href="https://a.example/one?x=1&amp;utm_medium=email">Again</a>
<a href="#notes">1</a> <a href="mailto:e@a.example">Write</a>
<a href="https://c.example/?city=-nl1u-">In -nl1h-</a>
<a href="-nlunsubscribeu-">Leave</a> <a href="https://x.example/-nlpreferencesh-">Choose</a>
<a href="<%asm_group_unsubscribe_raw_url%>">Leave</a> <a>nowhere</a>
</body></html>"""


def test_links_are_extracted_once_in_the_order_of_the_issue() -> None:
    assert extract_issue_links(HTML, [CITY]) == (
        IssueLink("https://a.example/one?x=1", "First words"),
        IssueLink("https://b.example/", "A picture"),
        IssueLink("https://c.example/?city=-nl1u-", "In your town"),
    )
    assert extract_issue_links(" ", []) == ()


@pytest.mark.parametrize(
    ("clicked", "link"),
    [
        ("https://a.example/one?x=1&utm_source=n", "https://a.example/one?x=1"),
        ("HTTPS://A.example/one?x=1", "https://a.example/one?x=1"),
        ("https://a.example/one?x=2", ""),
        ("https://a.example/ONE?x=1", ""),
        ("https://b.example", "https://b.example/"),
        ("https://c.example/?city=Troms%C3%B8", "https://c.example/?city=-nl1u-"),
        ("https://c.example/?city=&utm_term=x", "https://c.example/?city=-nl1u-"),
        ("https://c.example/?city=a&b=c", ""),
        ("https://[", ""),
        ("", ""),
    ],
)
def test_clicked_url_matches_its_link(clicked: str, link: str) -> None:
    assert LinkMatcher(extract_issue_links(HTML, [CITY]), ()).match(clicked) == link


@pytest.mark.parametrize(
    ("url", "stripped"),
    [
        ("https://a.example/?UTM_Source=n#utm_x=1", "https://a.example/#utm_x=1"),
        ("https://a.example/?a=%2F&&utm_id=1&b", "https://a.example/?a=%2F&b"),
        ("https://a.example:8000/?xutm_source=n", "https://a.example:8000/?xutm_source=n"),
    ],
)
def test_only_utm_parameters_are_stripped(url: str, stripped: str) -> None:
    assert strip_utm_parameters(url) == stripped


def test_unknown_token_is_replaced_by_nothing() -> None:
    assert fill_defaults("Dear -nl9t-, hello -nl1t-", [CITY]) == "Dear , hello your town"
