import datetime
from typing import Any

import pytest

from newsletter.errors import PostError
from newsletter.posts.front_matter.parse import split_front_matter
from newsletter.posts.front_matter.schema import FrontMatterFields, validate_front_matter


def validate(block: str) -> FrontMatterFields:
    return validate_front_matter(split_front_matter(f"---\n{block}\n---\n", "post.md"), "post.md")


@pytest.mark.parametrize(
    ("block", "value"),
    [
        ("title: 7", "7"),
        ("title: 1.5", "1.5"),
        ("title: 2026-11-22", "2026-11-22"),
        ("title: ' A '", "A"),
        ("title:", ""),
        ("description: |\n  one\n  two", "one two"),
        ("canonical_url: HTTPS://x.example/p", "HTTPS://x.example/p"),
        ("canonical_url: ''", ""),
        ("date: ' 2026-11-22 '", datetime.date(2026, 11, 22)),
        ("date: '2026-11-22T09:00:00Z'", datetime.date(2026, 11, 22)),
        ("date: 2026-11-22 23:30:00 -0800", datetime.date(2026, 11, 22)),
        ("date:", None),
        ("tags: a, , b ,", ("a", "b")),
        ("tags: [a, 7]", ("a", "7")),
        ("number: 0", 0),
        ("number: '12'", 12),
        ("draft: 'yes'", True),
        ("draft: 0", False),
        ("draft:", False),
        ("language: pt-BR", "pt-BR"),
        ("template: plain-2_x", "plain-2_x"),
        ("sender_name: A {b}", "A {b}"),
        ("reply_to: a@b.example", "a@b.example"),
        ("reply_to: ''", ""),
    ],
)
def test_value_is_read(block: str, value: object) -> None:
    assert getattr(validate(block), block.partition(":")[0]) == value


@pytest.mark.parametrize(
    ("block", "message"),
    [
        ('title: "a\\nb"', "title must be one line"),
        ('title: "a\\u2028b"', "title must be one line"),
        ('title: "a\\u2029b"', "title must be one line"),
        ("title: true", "title must be text"),
        ("sender_name: '{{subscriber.name}}'", "sender_name is the same for every reader"),
        ("canonical_url: ftp://x.example", "canonical_url must be a URL"),
        ("canonical_url: https:/p", "canonical_url must be a URL"),
        ("canonical_url: https://x.example/a b", "canonical_url must be a URL"),
        ("canonical_url: 'https://x.example/{a'", "canonical_url must be a URL"),
        ("canonical_url: 'https://[x'", "canonical_url must be a URL"),
        ("reply_to: a@b.example, c@d.example", "reply_to must be one email address"),
        ("reply_to: A <a@b.example>", "reply_to must be one email address"),
        ("date: 7", "date must be a date"),
        ("number: -1", "number must be greater than or equal to 0"),
        ("number: 1.5", "number must be a whole number"),
        ("language: Norwegian!", "language is not in the expected format"),
        ("template: ../x", "template is not in the expected format"),
        ("template: Plain", "template "),
        ("hero: ''", "hero.src is empty"),
        ("author: ' '", "author.name is empty"),
        ("hero: data:image/png", "hero.src must be a file beside the post"),
        ("hero: //x.example/a.png", "hero.src must be a file beside the post"),
        ("hero: {src: a.png, altt: b}", "unknown key 'hero.altt'"),
        ("button: {text: A}", "'button.url' is missing"),
        ("button: {text: '', url: https://b.example}", "button.text is empty"),
        ("button: {text: A, url: ''}", "button.url "),
        ("button: {text: A, url: ftp://b.example}", "button.url must be a URL"),
        ("button: A", "button must be a section"),
        ("further: A", "further must be a list"),
        ("further: [{title: A, url: https://b.example}, {title: A}]", "'further[2].url' is"),
        ("digest: [{title: A, url: /knots}]", "digest[1].url must be a URL"),
        ("digest: [{title: A, url: https://b.example, minutes: -1}]", "digest[1].minutes must be"),
        ("digest: [{title: A, url: https://b.example, text: B}]", "unknown key 'digest[1].text'"),
        ("titel: A", "unknown key 'titel'"),
        ("Titel: A", "unknown key 'Titel'"),
        ("canonical-urls: A", "unknown key 'canonical-urls'"),
        ("draf: true", "unknown key 'draf'"),
    ],
)
def test_invalid_value_is_reported(block: str, message: str) -> None:
    with pytest.raises(PostError) as caught:
        validate(block)
    (problem,) = caught.value.problems
    assert problem.message.startswith(message)
    assert problem.where == ("post.md", 2)


@pytest.mark.parametrize(
    "url",
    [
        "https://x.example",
        "MAILTO:a@b.example",
        "'{{ subscriber.url }}'",
        "'https://x.example/{{ subscriber.name }}'",
    ],
)
def test_button_may_link_to_a_page_or_an_address(url: str) -> None:
    assert validate(f"button: {{text: A, url: {url}}}").button


@pytest.mark.parametrize(
    "image",
    ["a", "a.png", "a/b c.png", "https://x.example/a.png", "'{{ subscriber.name }}.png'", "/a.png"],
)
def test_image_may_be_a_file_or_a_url(image: str) -> None:
    assert validate(f"hero: {image}").hero


@pytest.mark.parametrize("key", ["authors", "tag", "dates", "headers", "titles", "layout", "tit"])
def test_key_of_another_tool_is_ignored(key: str) -> None:
    assert validate(f"{key}: A") == FrontMatterFields()


@pytest.mark.parametrize(
    ("block", "remedy"),
    [
        ("number: x", "Example: number: 12"),
        ("button: {text: A}", "Example: button: {text: Read on, url: https://example.com}"),
        ("excerpt: true", ""),  # free text, which needs no example
    ],
)
def test_remedy_is_an_example_of_the_setting(block: str, remedy: str) -> None:
    with pytest.raises(PostError) as caught:
        validate(block)
    assert [problem.remedy for problem in caught.value.problems] == [remedy]


def test_problems_are_in_the_order_of_the_lines() -> None:
    with pytest.raises(PostError) as caught:
        validate("number: x\ndate: y\ntitel: z")
    assert [problem.where and problem.where.line for problem in caught.value.problems] == [2, 3, 4]


@pytest.mark.parametrize("key", ["digest", "further"])
def test_a_problem_in_a_list_has_the_line_of_its_item(key: str) -> None:
    with pytest.raises(PostError) as caught:
        validate(f"{key}:\n- title: A\n  url: https://a.example\n\n- title: B\n- url: c")
    assert [problem.where and problem.where.line for problem in caught.value.problems] == [6, 7, 7]


def test_every_rejected_value_has_an_example() -> None:
    examples: dict[str, Any] = {
        name: field.examples
        for name, field in FrontMatterFields.model_fields.items()
        if name not in {"description", "summary", "excerpt", "allow", "extra"}
    }
    assert all(examples.values())
    for name, (example, *_) in examples.items():
        validate(f"{name}: {example}")
