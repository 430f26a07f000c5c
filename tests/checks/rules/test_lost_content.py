"""Content of the post that is not in the email: what is told, and how gravely."""

from collections.abc import Callable

import pytest

from newsletter.checks.check_context import CheckContext
from newsletter.checks.rules.links import broken_url
from newsletter.checks.rules.lost_content import lost_content, lost_words
from newsletter.posts.content_loss.compare import ContentLoss

MakeContext = Callable[..., CheckContext]

LONG = " ".join(["The boats lie at the quay and wait for the wind to turn."] * 20)


def make_context_with(make_context: MakeContext, body: str, *losses: ContentLoss) -> CheckContext:
    context = make_context(body)
    context.__dict__["losses"] = losses  # as if these had been found
    return context


@pytest.mark.parametrize(
    ("loss", "errors", "warnings"),
    [
        (ContentLoss("words", 3, "turn", 1), 0, 1),
        (ContentLoss("words", 3, "for the", 2), 0, 1),
        (ContentLoss("words", 3, "wait for the", 3), 1, 0),  # over 1 % of 260 words
        (ContentLoss("paragraph", 3, "turn", 1), 1, 0),
        (ContentLoss("list item", 3, "turn", 1), 1, 0),
        (ContentLoss("code line", 3, "});"), 1, 0),
        (ContentLoss("link", 3, "/pier"), 1, 0),
        (ContentLoss("image", 3, "gull.jpg"), 1, 0),
    ],
)
def test_whole_blocks_links_images_and_many_words_are_errors(
    make_context: MakeContext, loss: ContentLoss, errors: int, warnings: int
) -> None:
    context = make_context_with(make_context, LONG, loss)
    assert len(lost_content.find(context)) == errors
    assert len(lost_words.find(context)) == warnings


@pytest.mark.parametrize(
    ("url", "errors", "broken"),
    [
        ("https//tides.example", 0, 1),
        ("http:///tides.example", 0, 1),
        ("https://[tides.example/", 1, 0),
        ("%20www.tides.example", 0, 1),
        ("%20https://tides.example/", 0, 1),
        ("https://tides.example/", 0, 0),
        ("tides/%20www.table", 0, 0),
    ],
)
def test_a_broken_url_is_told_once(
    make_context: MakeContext, url: str, errors: int, broken: int
) -> None:
    context = make_context(f"{LONG}\n\nSee [the table]({url}) of tides.\n")
    assert len(lost_content.find(context)) == errors
    assert len(broken_url.find(context)) == broken


def test_a_broken_url_whose_link_vanished_is_lost(make_context: MakeContext) -> None:
    loss = ContentLoss("link", 3, "https//tides.example")
    assert len(lost_content.find(make_context_with(make_context, LONG, loss))) == 1


def test_words_beside_a_lost_block_stay_a_warning(make_context: MakeContext) -> None:
    block, words = ContentLoss("link", 3, "/pier"), ContentLoss("words", 3, "turn", 1)
    context = make_context_with(make_context, LONG, block, words)
    assert [finding.message for finding in lost_content.find(context)] == [
        "a link is not in the email: '/pier'"
    ]
    assert [finding.message for finding in lost_words.find(context)] == [
        "a word is not in the email: 'turn'"
    ]


def test_a_paragraph_in_an_unclosed_comment_is_found_on_its_line(
    make_context: MakeContext,
) -> None:
    context = make_context("Here it begins.\n\n<!-- Never closed.\n\nAnd so it vanishes.\n")
    findings = lost_content.find(context)
    offset = context.front_matter.body_line - 1
    assert [finding.where and finding.where.line for finding in findings] == [
        offset + 3,
        offset + 5,
    ]
    assert lost_content.find(make_context()) == lost_words.find(make_context()) == []
