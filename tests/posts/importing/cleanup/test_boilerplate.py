from collections.abc import Sequence

import pytest

from newsletter.posts.importing.cleanup.classify import PassageClassification, classify_passages
from newsletter.posts.importing.cleanup.paragraph import Passage

SENTENCE = (
    "The boats had been tied up since Tuesday, and nobody on the quay could say when the wind "
    "would be done with us."
)
ARTICLE = ("Low tide", SENTENCE, SENTENCE)


def classify(lines: Sequence[str], keep: Sequence[int] = ()) -> PassageClassification:
    return classify_passages([Passage(number, line) for number, line in enumerate(lines, 1)], keep)


def get_removed(*lines: str) -> list[tuple[str, str]]:
    return [(entry.text, entry.why) for entry in classify(lines).removed]


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("Blog", "section label"),
        ("Latest news", "section label"),
        ("Aktuelles", "section label"),
        ("Home » Blog » Boats", "breadcrumb"),
        ("Skip to content", "skip link"),
        ("Toggle navigation", "menu"),
    ],
)
def test_boilerplate_above_the_title_is_removed(line: str, why: str) -> None:
    assert get_removed(line, *ARTICLE) == [(line, why)]


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("5 min read", "reading time"),
        ("Posted in Boats by ada", "post details"),
        ("3 Comments", "post details"),
        ("Share this: Facebook Twitter LinkedIn", "share bar"),
    ],
)
def test_boilerplate_under_the_title_is_removed(line: str, why: str) -> None:
    assert get_removed("Low tide", line, *ARTICLE[1:]) == [(line, why)]


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("Leave a Reply", "comment form"),
        ("Leave a comment", "comment form"),
        (
            "Your email address will not be published. Required fields are marked *",
            "comment form",
        ),
        (
            "Save my name, email, and website in this browser for the next time I comment.",
            "comment form",
        ),
        ("This site uses Akismet to reduce spam. Learn how your data is used.", "comment form"),
        ("Schreibe einen Kommentar", "comment form"),
        ("Deja una respuesta", "comment form"),
        ("Share on Facebook", "share bar"),
        ("Facebook | Twitter | Email", "share bar"),
        ("Related posts", "related posts"),
        ("You might also like", "related posts"),
        ("Read more: Ten knots for winter", "related posts"),
        ("Read more »", "related posts"),
        ("← Previous post", "post navigation"),
        ("Next Post: High tide", "post navigation"),
        ("Subscribe to our weekly newsletter", "newsletter sign-up"),
        ("This website uses cookies to improve your experience.", "cookie notice"),
        ("We use cookies. By continuing you agree to that and to much else.", "cookie notice"),
        ("Tags: boats, wind", "post details"),
        ("© 2026 Quay Blog. All rights reserved.", "site footer"),
        ("Proudly powered by WordPress", "site footer"),
        ("Back to top", "menu"),
    ],
)
def test_boilerplate_below_the_article_is_removed(line: str, why: str) -> None:
    assert get_removed(*ARTICLE, line) == [(line, why)]


@pytest.mark.parametrize(
    "line",
    [
        "Blog",
        "Leave a Reply",
        "Your email address will not be published. Required fields are marked *",
        "Share this: Facebook Twitter",
        "Related posts",
        "Subscribe",
        "Skip to content",
        "Name *",
    ],
)
def test_same_text_inside_the_article_is_kept(line: str) -> None:
    assert get_removed("On comment forms", SENTENCE, line, SENTENCE) == []


@pytest.mark.parametrize(
    "line",
    [
        "Comment",
        "Name",
        "Email",
        "Facebook",
        "« Il pleut »",
        "Next steps",
        "Read my book on trust and ropes",
        "What do you think?",
        "Further reading",
        "Yours, Ada",
    ],
)
def test_other_short_line_at_the_end_is_kept(line: str) -> None:
    assert get_removed(*ARTICLE, line) == []


def test_form_fields_below_a_comment_form_are_removed() -> None:
    form = ("Leave a Reply", "Comment *", "Name *", "Email *", "Website", "Post Comment")
    assert get_removed(*ARTICLE, *form) == [(line, "comment form") for line in form]


def test_titles_under_a_related_posts_heading_are_removed() -> None:
    lines = ("Related posts", "Ten knots for winter", "High tide", "Leave a Reply")
    assert get_removed(*ARTICLE, *lines) == [
        ("Related posts", "related posts"),
        ("Ten knots for winter", "related posts"),
        ("High tide", "related posts"),
        ("Leave a Reply", "comment form"),
    ]


def test_title_like_a_section_label_is_kept() -> None:
    assert get_removed("Blog", SENTENCE) == []
    assert get_removed("News", "It is out.") == []


def test_section_label_below_the_title_is_kept() -> None:
    assert get_removed("Low tide", "News", SENTENCE) == []


def test_lines_in_keep_are_kept() -> None:
    classification = classify(["Blog", *ARTICLE, "Leave a Reply"], keep=[5])
    assert [entry.line for entry in classification.removed] == [1]
    assert classification.kept == (1, 2, 3, 4)


def test_readers_comments_are_set_aside_and_their_form_is_removed() -> None:
    thread = ("2 thoughts on “Low tide”", "Jo says:", SENTENCE, "Reply", "Leave a Reply")
    classification = classify([*ARTICLE, "Share this: Email Print", *thread])
    assert classification.kept == (0, 1, 2)
    assert [(entry.line, entry.why) for entry in classification.set_aside] == [
        (5, "looks like a reader's comment"),
        (6, "looks like a reader's comment"),
        (7, "looks like a reader's comment"),
        (8, "looks like a reader's comment"),
    ]
    assert [entry.line for entry in classification.removed] == [4, 9]


def test_comments_heading_without_comments_sets_nothing_aside() -> None:
    assert classify([*ARTICLE, "Comments", SENTENCE]).set_aside == ()


@pytest.mark.parametrize(
    ("items", "removed"),
    [
        (["Share", "Archive", "Tables"], []),  # answers of a survey
        (["Search", "Share", "Archive", "Tables"], []),
        (["Share", "Facebook", "Twitter"], ["Share", "Facebook", "Twitter"]),
        (["Share", "Facebook", "Boats"], ["Share", "Facebook"]),
        (["Share"], ["Share"]),
    ],
)
def test_item_of_a_list_is_removed_only_with_most_of_the_list(
    items: list[str], removed: list[str]
) -> None:
    article = [Passage(number, text) for number, text in enumerate(ARTICLE, 1)]
    listed = [Passage(9 + number, text, group=1) for number, text in enumerate(items)]
    classification = classify_passages([*article, *listed])
    assert [entry.text for entry in classification.removed] == removed


def test_comments_as_an_item_of_a_list_is_no_heading_of_comments() -> None:
    article = [Passage(number, text) for number, text in enumerate(ARTICLE, 1)]
    answers = [Passage(9, "Comments", group=1), Passage(10, "Reply", group=1)]
    assert classify_passages([*article, *answers]).set_aside == ()
