from collections.abc import Callable

from newsletter.config import Config, urls

Load = Callable[..., Config]

URLS = """\
public_url: https://news.harbour.example/letters/
issue_url: https://harbour.example/{slug}.html
image_url: https://img.harbour.example/{slug}/{file}
"""


def test_without_public_url_links_use_the_fallback_host(load: Load) -> None:
    config = load()
    assert urls.get_public_url(config) == "https://public-url-not-set.example"
    assert (
        urls.build_issue_url(config, "first-boat")
        == f"{urls.FALLBACK_PUBLIC_URL}/issues/first-boat"
    )
    assert (
        urls.build_image_url(config, "ice", "a/b.jpg")
        == f"{urls.FALLBACK_PUBLIC_URL}/issues/ice/a/b.jpg"
    )


def test_url_patterns_are_filled_with_percent_encoded_values(load: Load) -> None:
    config = load(URLS)
    assert urls.build_issue_url(config, "æ ?") == "https://harbour.example/%C3%A6%20%3F.html"
    assert urls.build_image_url(config, "ice", "a #1.jpg") == (
        "https://img.harbour.example/ice/a%20%231.jpg"
    )
    assert (
        urls.build_unsubscribe_url(config, "T0k-en")
        == "https://news.harbour.example/letters/u/T0k-en"
    )
    assert (
        urls.build_preferences_url(config, "T0k-en")
        == "https://news.harbour.example/letters/p/T0k-en"
    )
