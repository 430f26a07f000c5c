import html
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.posts.front_matter.parse import FrontMatter
from newsletter.posts.html.markdown import render_markdown
from newsletter.posts.html.sanitize import sanitize_html
from newsletter.posts.importing.sources.draft import ParsedSource
from newsletter.posts.importing.sources.plain_text import (
    escape_markdown_line,
    find_title_line,
    format_as_markdown,
    parse_plain_text_source,
    split_passages,
)

SENTENCE = (
    "The boats had been tied up since Tuesday, and nobody on the quay could say when the wind "
    "would be done with us."
)


def parse(text: str) -> ParsedSource:
    return parse_plain_text_source(FrontMatter(body=text), ())


def render_as_text(markdown: str) -> str:
    """Return the visible text of Markdown on one line."""
    tags = re.sub(r"<[^>]+>", "", sanitize_html(render_markdown(markdown)))
    return " ".join(html.unescape(tags).split())


def keep_letters_and_digits(text: str) -> str:
    """Return only letters and digits, without typographic quotes and list bullets."""
    return "".join(char for char in text if char.isalnum())


def test_first_line_is_the_title_and_the_rest_is_paragraphs() -> None:
    parsed = parse(f"Low tide\n\n{SENTENCE}\n\n{SENTENCE}\n")
    assert parsed.title == "Low tide"
    assert parsed.body == f"{SENTENCE}\n\n{SENTENCE}\n"
    assert parsed.opening == SENTENCE


@pytest.mark.parametrize("underline", ["=====", "-----"])
def test_underlined_first_line_is_the_title(underline: str) -> None:
    parsed = parse(f"Low tide\n{underline}\n\n{SENTENCE}\n")
    assert (parsed.title, parsed.body) == ("Low tide", f"{SENTENCE}\n")


@pytest.mark.parametrize(
    "text",
    [
        f"{SENTENCE}\n\n{SENTENCE}",
        "We went out early that day, and the\nsea was as flat as a plate.\n\nThen it rained.",
        "-----\n\nLow tide",
    ],
    ids=["a sentence", "a wrapped paragraph", "a rule"],
)
def test_running_text_is_not_a_title(text: str) -> None:
    assert find_title_line(split_passages(text)) is None


def test_wrapped_lines_form_a_paragraph_and_long_lines_are_paragraphs() -> None:
    line = "one two three four five six seven eight nine ten"
    wrapped = split_passages(f"{line}\n{line}\n\nfive")
    assert format_as_markdown(wrapped) == f"{line}\n{line}\n\nfive\n"
    long = split_passages(f"{SENTENCE}\n{SENTENCE}\nfive")
    assert format_as_markdown(long) == f"{SENTENCE}\n\n{SENTENCE}\n\nfive\n"


def test_lists_have_at_least_two_items() -> None:
    text = "Bring\n• rope\n• tea\n\n1) wait\n2) watch\n\n• alone\n\nIn 1999.\n\n7. seven\n9. nine"
    assert format_as_markdown(split_passages(text)) == (
        "Bring\n\n- rope\n- tea\n\n1. wait\n2. watch\n\n• alone\n\nIn 1999.\n\n7\\. seven\n\n"
        "9\\. nine\n"
    )


def test_list_item_may_be_wrapped() -> None:
    assert (
        format_as_markdown(split_passages("- rope and\n  twine\n- tea"))
        == "- rope and\n  twine\n- tea\n"
    )


@pytest.mark.parametrize("heading", ["What the tide leaves", "Why wait?", "1. Be early"])
def test_short_line_above_running_text_is_a_heading(heading: str) -> None:
    markdown = format_as_markdown(split_passages(f"{SENTENCE}\n\n{heading}\n\n{SENTENCE}"))
    assert f"<h2>{heading}</h2>" in render_markdown(markdown)


@pytest.mark.parametrize(
    "line", ["and then nothing", "It rained.", "“Wait,” she said,", "— Ada Berg", "Dear Ada,"]
)
def test_other_short_lines_are_paragraphs(line: str) -> None:
    assert "<h" not in render_markdown(
        format_as_markdown(split_passages(f"{SENTENCE}\n\n{line}\n\n{SENTENCE}"))
    )


def test_underlines_make_headings_and_rules_stay_rules() -> None:
    text = f"{SENTENCE}\n\nOne\n===\n\nTwo\n---\n\n{SENTENCE}\n\n* * *\n\nEnd"
    assert format_as_markdown(split_passages(text)) == (
        f"{SENTENCE}\n\n## One\n\n### Two\n\n{SENTENCE}\n\n* * *\n\nEnd\n"
    )


@pytest.mark.parametrize(
    "line",
    [
        "# no heading",
        "> no quote",
        "+ no item",
        "*no* _emphasis_ **here** and `no code`",
        "[no](link) ![no](image) [^no] note",
        "<b>no</b> <!-- comment --> &amp; &#65;",
        "~~no~~ {.no} {#attributes}",
        "::: no callout",
        ": no definition",
        "12. no item",
        "| no | table |",
        r"C:\no\escapes \* here",
        "=== no underline",
        "snake_case_name stays",
    ],
)
def test_markdown_syntax_is_escaped(line: str) -> None:
    assert render_as_text(f"Before\n\n{escape_markdown_line(line)}\n") == f"Before {line}"


def test_text_that_looks_like_a_markdown_table_stays_text() -> None:
    text = "name | age\n---- | ---\nAda | 36"
    assert "<table" not in render_markdown(format_as_markdown(split_passages(text)))


def test_braces_in_plain_text_are_not_merge_tags() -> None:
    parsed = parse(f"Using {{{{ braces }}}}\n\n{SENTENCE} Write {{{{ subscriber.name }}}}.\n")
    assert "{{" not in parsed.body + parsed.opening
    assert parsed.title == 'Using {{ "{{" }} braces }}'
    assert "{{ subscriber.name }}" in render_as_text(parsed.body)


def test_bare_urls_become_links() -> None:
    url = "https://quay.example/a_b_c?x=1&y=*2*"
    assert f'href="{html.escape(url)}"' in render_markdown(escape_markdown_line(f"See {url}."))


@pytest.mark.parametrize(
    ("line", "author", "date"),
    [
        ("By Ada Berg", "Ada Berg", None),
        ("Posted on March 3rd, 2024 by Ada van der Berg", "Ada van der Berg", "2024-03-03"),
        ("3 March 2024 · 5 min read", "", "2024-03-03"),
        ("by ÅSE NORDMANN — 12 Jan. 2021 at 10:30 am", "ÅSE NORDMANN", "2021-01-12"),
        ("Published 2024-03-03T10:00:00Z", "", "2024-03-03"),
    ],
)
def test_byline_is_moved_to_the_front_matter(line: str, author: str, date: str | None) -> None:
    parsed = parse(f"Low tide\n\n{line}\n\n{SENTENCE}\n")
    assert (parsed.author, parsed.date and parsed.date.isoformat()) == (author, date)
    assert parsed.body == f"{SENTENCE}\n"
    assert [(entry.line, entry.text) for entry in parsed.removed] == [(3, line)]


@pytest.mark.parametrize("line", ["By the sea", "May 5, 2020 was a good day", "Feb 31, 2020"])
def test_line_that_only_looks_like_a_byline_is_kept(line: str) -> None:
    assert line in render_as_text(parse(f"Low tide\n\n{line}\n\n{SENTENCE}\n").body)


@given(
    st.lists(
        st.one_of(
            st.text(max_size=60),
            st.sampled_from(
                ["", "Blog", "- a", "1. b", "---", "===", "* * *", "Leave a Reply", "سكس", SENTENCE]
            ),
        ),
        max_size=12,
    ).map("\n".join)
)
def test_every_line_is_in_the_body_or_listed_as_removed(text: str) -> None:
    parsed = parse(text)
    listed = [
        *(entry.text for entry in parsed.removed),
        *(entry.text for entry in parsed.set_aside),
    ]
    output = keep_letters_and_digits(" ".join((parsed.title, parsed.body, *listed)))
    for line in re.split(r"\r\n|\n|\r", text):
        assert keep_letters_and_digits(re.sub(r"^\s*\d{1,3}[.)] ", "", line)) in output


@given(st.text(st.characters(codec="utf-8", categories=["L", "N", "P", "S", "Zs"]), max_size=80))
def test_escaped_text_renders_unchanged(text: str) -> None:
    line = " ".join(text.split())
    without_quotes = str.maketrans("", "", "\"'’‘“”")
    assert render_as_text(f"x\n\n{escape_markdown_line(line)}\n").translate(
        without_quotes
    ) == " ".join(f"x {line}".split()).translate(without_quotes)


@pytest.mark.parametrize(
    ("text", "breaks"),
    [
        ("Low water comes\nand goes again,\nthe gulls know when.", 2),
        ("Ada Berg\n1 Quay Street\nBergen", 2),
        (
            ("The boats had been tied up since Tuesday, and nobody on the quay could say\n"
            "when the wind would be done with us. It was a long day for everybody who\n"
            "waited."),
            0,
        ),
        ("潮が引く\n海が光る", 1),
        ("これは日本語の文章であり、とても長い行がここにあります\nそして続きます", 0),
        (("Dear Ada,\nThe boats had been tied up since Tuesday, and nobody on the quay could\n"
         "say when the wind would be done with us, and so we waited there for it.\nYours"), 0),
        ("One line", 0),
    ],
)  # fmt: skip
def test_lines_that_the_author_ended_stay_lines(text: str, breaks: int) -> None:
    html = render_markdown(format_as_markdown(split_passages(text)))
    assert html.count("<br>") == breaks
