import pytest

from newsletter.posts.importing.source_inventory import take_source_inventory


@pytest.mark.parametrize(
    "front_matter",
    [
        "---\ntitle: A\ntitle: B\n---\n",
        "---\ntitle: Nets: a story\n---\n",
        "\n---\ntitle: A\n---\n",
        "Title: A\nDate: 2026-10-02\n\n",
        "",
    ],
)
def test_settings_of_any_tool_are_no_content(front_matter: str) -> None:
    inventory = take_source_inventory(f"{front_matter}Low tide\n", "a.md")
    assert inventory.words == ("low", "tide")
    assert inventory.get_line(inventory.spans[0][0]) == front_matter.count("\n") + 1
