from collections.abc import Sequence

import pytest

from newsletter.posts.importing.cleanup.classify import PassageClassification, classify_passages
from newsletter.posts.importing.cleanup.paragraph import Passage

SENTENCE = (
    "The boats had been tied up since Tuesday, and nobody on the quay could say when the wind "
    "would be done with us."
)
ARTICLE = ("Low tide", SENTENCE, SENTENCE)


def cleared(lines: Sequence[str], keep: Sequence[int] = ()) -> PassageClassification:
    return classify_passages([Passage(number, line) for number, line in enumerate(lines, 1)], keep)


def removed(*lines: str) -> list[tuple[str, str]]:
    return [(entry.text, entry.why) for entry in cleared(lines).removed]


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
def test_furniture_above_the_title_is_recognised(line: str, why: str) -> None:
    assert removed(line, *ARTICLE) == [(line, why)]


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("5 min read", "reading time"),
        ("Posted in Boats by ada", "post details"),
        ("3 Comments", "post details"),
        ("Share this: Facebook Twitter LinkedIn", "share bar"),
    ],
)
def test_furniture_under_the_title_is_recognised(line: str, why: str) -> None:
    assert removed("Low tide", line, *ARTICLE[1:]) == [(line, why)]


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
def test_furniture_below_the_article_is_recognised(line: str, why: str) -> None:
    assert removed(*ARTICLE, line) == [(line, why)]


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
def test_the_same_words_inside_the_article_are_its_own(line: str) -> None:
    assert removed("On comment forms", SENTENCE, line, SENTENCE) == []


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
def test_an_article_may_end_with_a_short_line_of_its_own(line: str) -> None:
    assert removed(*ARTICLE, line) == []


def test_fields_of_a_form_are_furniture_under_the_form() -> None:
    form = ("Leave a Reply", "Comment *", "Name *", "Email *", "Website", "Post Comment")
    assert removed(*ARTICLE, *form) == [(line, "comment form") for line in form]


def test_titles_under_related_posts_go_with_their_heading() -> None:
    lines = ("Related posts", "Ten knots for winter", "High tide", "Leave a Reply")
    assert removed(*ARTICLE, *lines) == [
        ("Related posts", "related posts"),
        ("Ten knots for winter", "related posts"),
        ("High tide", "related posts"),
        ("Leave a Reply", "comment form"),
    ]


def test_a_post_may_be_called_blog() -> None:
    assert removed("Blog", SENTENCE) == []
    assert removed("News", "It is out.") == []


def test_a_section_label_below_the_title_stays() -> None:
    assert removed("Low tide", "News", SENTENCE) == []


def test_kept_lines_stay() -> None:
    clearing = cleared(["Blog", *ARTICLE, "Leave a Reply"], keep=[5])
    assert [entry.line for entry in clearing.removed] == [1]
    assert clearing.kept == (1, 2, 3, 4)


def test_readers_comments_are_put_aside_and_their_form_is_removed() -> None:
    thread = ("2 thoughts on “Low tide”", "Jo says:", SENTENCE, "Reply", "Leave a Reply")
    clearing = cleared([*ARTICLE, "Share this: Email Print", *thread])
    assert clearing.kept == (0, 1, 2)
    assert [(entry.line, entry.why) for entry in clearing.set_aside] == [
        (5, "looks like a reader's comment"),
        (6, "looks like a reader's comment"),
        (7, "looks like a reader's comment"),
        (8, "looks like a reader's comment"),
    ]
    assert [entry.line for entry in clearing.removed] == [4, 9]


def test_a_heading_about_comments_puts_nothing_aside() -> None:
    assert cleared([*ARTICLE, "Comments", SENTENCE]).set_aside == ()
