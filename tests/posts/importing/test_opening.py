"""The text that the preheader of an imported post is made from."""

import pytest

from newsletter.posts.importing.imported_post import parse_imported_post
from newsletter.posts.importing.opening import (
    choose_summary,
    clip_to_sentence,
    find_html_opening,
)

SENTENCE = (
    "The boats had been tied up since Tuesday, and nobody on the quay could say when the wind "
    "would stop."
)
NEXT = "The ice let go on Tuesday, and the boats lay at the quay again."


@pytest.mark.parametrize(
    ("texts", "chosen"),
    [
        ([NEXT], NEXT),
        (["", NEXT], NEXT),
        (["The Ice!", NEXT], NEXT),
        ([f"The ice. {NEXT}"], NEXT),
        ([f"The ice: {NEXT}"], NEXT),
        (["The ice let go."], "The ice let go."),
        (["The iceberg."], "The iceberg."),
        (["The ice", "the ice."], ""),
        ([], ""),
    ],
)
def test_summary_says_more_than_the_title(texts: list[str], chosen: str) -> None:
    assert choose_summary("The ice", *texts) == chosen


def test_opening_in_html_skips_headings_code_and_what_repeats_the_title() -> None:
    html = f"<h2>Part</h2><pre>a = 1</pre><p>The ice.</p><p>{NEXT}</p>"
    assert find_html_opening(html, "The ice") == NEXT


@pytest.mark.parametrize(
    "body", [f"<p>{NEXT}</p>", f"<div>{NEXT}</div>", f"The ice\n\n{NEXT}", f"The ice.\n\n{NEXT}"]
)
@pytest.mark.parametrize("settings", ["", "description: The ice\n"])
def test_imported_preheader_never_repeats_the_title(body: str, settings: str) -> None:
    source = f"---\ntitle: The ice\n{settings}---\n{body}\n"
    post = parse_imported_post(source, "ice.md", language="en")
    assert post.front_matter["preheader"] == NEXT


@pytest.mark.parametrize(
    ("text", "clipped"),
    [
        ("Hello.", "Hello."),
        (SENTENCE + " More.", SENTENCE),
        ("Dr. Berg rowed out. It was early. It was so early that nobody else was up.", None),
        ("word " * 40, "word " * 21 + "word…"),
        ("x" * 200, "x" * 109 + "…"),
        ("“Wait for the wind, and wait well,” she said! Then she left.", None),
    ],
)
def test_clip_to_sentence_cuts_between_sentences_or_words(text: str, clipped: str | None) -> None:
    result = clip_to_sentence(text)
    assert len(result) <= 110
    if clipped is not None:
        assert result == clipped
    else:
        assert text.startswith(result)
        assert result.endswith((".", "!"))
