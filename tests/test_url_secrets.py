"""What of a URL is a secret, and is never shown or stored."""

import pytest

from newsletter.url_secrets import mask_url_secrets

FEED = "https://harbour.example/feed"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        (f"{FEED}?api_key=s3cret", f"{FEED}?api_key=***"),
        (f"{FEED}?page=2&access_token=s3cret&a=b#top", f"{FEED}?page=2&access_token=***&a=b#top"),
        (f"{FEED}?Feed%5FToken=s3cret;a=b", f"{FEED}?Feed%5FToken=***;a=b"),
        (f"{FEED}?auth=s3cret&author=Ann&keyword=tide", f"{FEED}?auth=***&author=Ann&keyword=tide"),
        (f"{FEED}?key=s3cret&password=s3=cret", f"{FEED}?key=***&password=***"),
        (f"{FEED}?rssKey=s3cret&X-Amz-Signature=s3cret", f"{FEED}?rssKey=***&X-Amz-Signature=***"),
        ("https://ann:s3cret@harbour.example/a@b", "https://***@harbour.example/a@b"),
        ("https://s3cret@harbour.example", "https://***@harbour.example"),
        (f"{FEED}?token=&token", f"{FEED}?token=&token"),
        (f"{FEED}?tag=sea&format=xml", f"{FEED}?tag=sea&format=xml"),
        (f"'{FEED}?token=s3cret' is wrong", f"'{FEED}?token=***' is wrong"),
        ("https://[?token=s3cret", "https://[?token=***"),
    ],
)
def test_secrets_are_masked(url: str, shown: str) -> None:
    assert mask_url_secrets(url) == shown
    assert mask_url_secrets(shown) == shown
