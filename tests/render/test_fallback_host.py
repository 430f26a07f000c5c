"""No email may contain the host that stands in for a missing public_url."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from newsletter.config import Config
from newsletter.config.urls import FALLBACK_PUBLIC_URL
from newsletter.posts.issue import Issue
from newsletter.posts.post import LocalImage
from newsletter.render.email import Email
from newsletter.render.fallback_host import find_fallback_problems, find_fallback_urls
from newsletter.render.issue import render_issue
from newsletter.render.template.loader import Templates

MakeTemplates = Callable[..., Templates]
MakeIssue = Callable[..., Issue]
MakeConfig = Callable[..., Config]

IMAGE = f"{FALLBACK_PUBLIC_URL}/issues/the-tide/a%20boat.png"
PLACES: dict[str, dict[str, object]] = {
    "html": {"html": f'<a href="{FALLBACK_PUBLIC_URL}/u/token">Leave</a>'},
    "upper case": {"html": f'<a href="{FALLBACK_PUBLIC_URL.upper()}">Leave</a>'},
    "text": {"text": f"Leave: {FALLBACK_PUBLIC_URL}/u/token\n"},
    "subject": {"subject": FALLBACK_PUBLIC_URL},
    "preheader": {"preheader": FALLBACK_PUBLIC_URL},
    "header": {"headers": (("List-Archive", f"<{FALLBACK_PUBLIC_URL}/>"),)},
    "view online": {"view_online_url": f"{FALLBACK_PUBLIC_URL}/issues/ice"},
}


@pytest.mark.parametrize("place", PLACES)
def test_link_is_found_wherever_it_is(email: Email, place: str) -> None:
    (problem,) = find_fallback_problems(replace(email, **PLACES[place]))  # type: ignore[arg-type]
    assert "stands in for your own address" in problem.message
    assert "public_url" in problem.remedy


def test_link_in_the_recipients_headers_is_found(email: Email) -> None:
    headers = {"List-Unsubscribe": f"<{FALLBACK_PUBLIC_URL}/u/token>"}
    assert find_fallback_problems(email, headers)
    assert not find_fallback_problems(email)


@pytest.mark.parametrize(
    "prose",
    ["https://harbour.example/a", "public-url-not-set.example", "write to me@a.example"],
)
def test_example_hosts_in_prose_are_allowed(email: Email, prose: str) -> None:
    assert not find_fallback_problems(
        replace(email, html=f'<p><a href="{prose}">{prose}</a></p>', text=prose)
    )


@pytest.mark.parametrize(
    ("count", "shown"),
    [
        (1, "readers could not see a boat.png: "),
        (3, "readers could not see a boat.png, b1.png, b2.png: "),
        (5, "readers could not see a boat.png, b1.png, b2.png and 2 more: "),
    ],
)
def test_images_are_named_with_three_remedies(email: Email, count: int, shown: str) -> None:
    urls = [IMAGE, *(IMAGE.replace("a%20boat", f"b{number}") for number in range(1, count))]
    document = "".join(f'<img src="{url}"><a href="{url}">' for url in urls)
    (problem,) = find_fallback_problems(replace(email, html=document))
    assert problem.message.startswith(shown)
    for remedy in ("public_url", "archive --issue ice --publish", "https address in the post"):
        assert remedy in problem.remedy


def test_email_without_an_address_has_no_link_to_itself(
    make_issue: MakeIssue, make_templates: MakeTemplates, make_config: MakeConfig
) -> None:
    email = render_issue(make_issue(), make_templates(), make_config())
    assert email.view_online_url == ""
    assert not find_fallback_problems(email)
    assert "View online" not in email.text


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("public_url", "https://news.harbournotes.example"),
        ("image_url", "https://harbournotes.example/{slug}/{file}"),
    ],
)
def test_images_with_an_address_pass(
    make_issue: MakeIssue,
    make_templates: MakeTemplates,
    make_config: MakeConfig,
    setting: str,
    value: str,
) -> None:
    images = {"boat.png": LocalImage("boat.png", 600, 400, 900)}
    issue = make_issue('<p><img src="boat.png" alt="A boat"></p>', post={"images": images})
    email = render_issue(issue, make_templates(), make_config())
    assert find_fallback_urls(email).images == ("boat.png",)
    config = make_config(**{setting: value})
    assert not find_fallback_problems(render_issue(issue, make_templates(), config))
