"""Links with a token that nobody has get a page, on SQLite and on PostgreSQL."""

from typing import Any

import pytest

from newsletter.sending.sample import SAMPLE_TOKEN


@pytest.fixture
def site_database(database_url: str) -> str:
    return database_url


@pytest.mark.parametrize(
    "token",
    [
        "%00", "a%00b", "%ff", "%ed%a0%80", "%F0%9F%98%80", "a" * 5_000,
        "not-a-token~0000000001",  # of a dry run
        SAMPLE_TOKEN,  # of previews and test emails
    ],
)  # fmt: skip
def test_unknown_token_is_answered_with_404(server: Any, token: str) -> None:
    assert server.get(f"/u/{token}").status == 404
    assert server.get(f"/p/{token}").status == 404
    one_click = {"List-Unsubscribe": "One-Click"}
    assert server.post(f"/u/{token}", fields=one_click).status == 404
    assert server.post(f"/p/{token}", fields={"do": "erase"}).status == 404
    assert server.get(f"/confirm/{token}").status == 404
    assert server.post(f"/confirm/{token}", fields={"confirm": "yes"}).status == 404
    assert server.get(f"/move/{token}").status == 410
    assert server.post(f"/move/{token}", fields={"confirm": "yes"}).status == 410
    for kind in ("download", "erase"):
        assert server.get(f"/{kind}/{token}").status == 410
        assert server.post(f"/{kind}/{token}", fields={"confirm": "yes"}).status == 410
