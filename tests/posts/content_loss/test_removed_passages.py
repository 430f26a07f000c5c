"""Which words of a source are listed as removed."""

import pytest

from newsletter.posts.content_loss.inventory import take_inventory
from newsletter.posts.content_loss.removed_passages import find_removed_words
from newsletter.posts.removed_line import RemovedLine

MENU = "<p>Home About us <script>x</script>Search for ?php echo? Start here and now</p><p>Tide</p>"


@pytest.mark.parametrize(
    ("listed", "found"),
    [
        ("Home About us Search for Start here now", "home about us search for"),
        ("Home About us Search for Start here and", "home about us search for start here and"),
        ("Home About Logo us Search for", "home about us search for"),
        ("HomeAbout usSearch for", "home about us search for"),
        ("omeAbout usSearch for", ""),
        # Fewer than three words in a row may be a coincidence.
        ("Home About us Search for Tide", "home about us search for"),
        ("Elsewhere", ""),
    ],
)  # fmt: skip
def test_part_of_a_page_is_found_though_the_source_has_more(listed: str, found: str) -> None:
    source = take_inventory(MENU, "html")
    indices = find_removed_words(source, [RemovedLine(0, listed, "")])
    assert " ".join(source.words[index] for index in sorted(indices)) == found


def test_a_passage_that_stands_twice_is_the_one_next_to_its_line() -> None:
    # The lines of the imported post are a little below those of the source.
    source = take_inventory("Low tide\n\nLow tide\n\nHigh tide\n", "markdown")
    assert find_removed_words(source, [RemovedLine(5, "Low tide", "hidden text")]) == {2, 3}
