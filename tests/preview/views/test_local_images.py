"""Images in the preview: blocked ones."""

import pytest

from newsletter.preview.views.local_images import block_images


@pytest.mark.parametrize(
    ("tag", "blocked"),
    [
        ('<img alt="a" src="https://a.example/b.png">', '<img alt="a" src="data:,">'),
        ('<source media="(x)" srcset="b.dark.png">', '<source media="(x)" src="data:,">'),
        ('<td background="b.png">', "<td>"),
        ("<p style=\"background:url('b.png')\">", '<p style="background:none">'),
    ],
)
def test_no_image_is_requested(tag: str, blocked: str) -> None:
    assert block_images(tag) == blocked
