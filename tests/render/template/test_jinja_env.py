from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from newsletter.errors import TemplateError
from newsletter.posts.merge_tags.tags import MergeTagRegistry
from newsletter.render.template.context import SubscriberView
from newsletter.render.template.jinja_env import (
    get_template_variable,
    make_locator,
    render_template,
)
from newsletter.render.template.loader import Templates


def folder(**files: str) -> Templates:
    return Templates("templates", {f"{name}.mjml": text for name, text in files.items()})


def context() -> dict[str, Any]:
    theme = {"width": 620, "fonts": {"body": "Georgia"}}
    return {"theme": theme, "issue": {"title": "A & B", "date": None}, "subscriber": reader()}


def reader() -> SubscriberView:
    return SubscriberView(MergeTagRegistry({"name": "friend"}))


def complaint(templates: Templates) -> str:
    with pytest.raises(TemplateError) as caught:
        render_template(templates, "a.mjml", context())
    return str(caught.value)


def test_values_are_escaped_and_named_entities_become_characters_of_xml() -> None:
    text = render_template(folder(a="{{ issue.title }}&nbsp;&copy;&amp;&lt;"), "a.mjml", context())
    assert text == "A &amp; B&#160;&#169;&amp;&lt;"


def test_css_is_not_escaped_as_html() -> None:
    templates = Templates("templates", {"a.css": "p { font-family: {{ fonts }} }"})
    assert (
        render_template(templates, "a.css", {"fonts": "'Segoe UI'"})
        == "p { font-family: 'Segoe UI' }"
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a\n{{ izzue }}", "a.mjml:2: there is no 'izzue' for templates. Did you mean 'issue'?"),
        ("\n\n{{ theme.widthh }}px", "a.mjml:3: there is no '.widthh' here. Did you mean 'width'?"),
        ("{{ issue.date.year }}", "a.mjml:1: nothing is there to have a 'year'"),
        ("\n{% if issue %}", "a.mjml:2: Unexpected end of template"),
        ("\n\n{% for %}", "a.mjml:3: Expected"),
        ("\n{% include 'partial/b.mjml' %}", "a.mjml:2: there is no template 'partial/b.mjml'"),
        ("{% include 'a.mjml' %}", "a.mjml:1: templates include one another without end"),
        ("\n{{ 1 // 0 }}", "a.mjml:2: "),
        ("\n{{ ''.__class__ }}", "a.mjml:2: access to attribute '__class__'"),
        ("\n{{ range(10 ** 9) }}", "a.mjml:2: Range too big"),
    ],
)  # fmt: skip
def test_a_mistake_is_told_at_its_line_with_the_nearest_right_name(text: str, message: str) -> None:
    assert message in complaint(folder(a=text))


def test_a_mistake_in_an_included_file_is_told_there() -> None:
    templates = folder(a="x\n\n{% include 'b.mjml' %}", b="\n{{ issue.titlle }}")
    assert "templates/b.mjml:2: " in complaint(templates)


def test_a_mistake_in_a_macro_of_an_imported_file_is_told_there() -> None:
    text = "{% macro m() %}\n{{ nobody }}{% endmacro %}"
    templates = folder(a="\n{% from 'b.mjml' import m %}{{ m() }}", b=text)
    assert "templates/b.mjml:2: there is no 'nobody'" in complaint(templates)


def test_what_differs_by_reader_becomes_a_token_and_default_gives_its_words() -> None:
    table = MergeTagRegistry({"name": "friend"})
    text = '{{ subscriber.name }} {{ subscriber.city | default("A & B") }} {{ subscriber.name }}'
    filled = render_template(folder(a=text), "a.mjml", {"subscriber": SubscriberView(table)})
    assert filled == "-nl0h- -nl1h- -nl0h-"
    assert [(tag.attribute, tag.default) for tag in table.merge_tags] == [
        ("name", "friend"),
        ("city", "A & B"),
    ]
    assert table.merge_tags[1].source == '{{ subscriber.city | default("A & B") }}'


def test_an_attribute_without_a_default_anywhere_is_an_error_at_its_line() -> None:
    message = complaint(folder(a="\n\n{{ subscriber.city }}"))
    assert message.startswith("templates/a.mjml:3: {{ subscriber.city }} has no default")


@pytest.mark.parametrize(
    "use",
    [
        "{% if subscriber.name %}x{% endif %}",
        "{% if subscriber.name == 'Ada' %}x{% endif %}",
        "{{ subscriber.name | upper }}",
        "{{ subscriber.name | truncate(3) }}",
        "{% for letter in subscriber.name %}x{% endfor %}",
        "{{ subscriber.name or 'x' }}",
    ],
)
def test_a_template_cannot_decide_by_what_differs_from_reader_to_reader(use: str) -> None:
    assert "templates/a.mjml:2: subscriber.name differs" in complaint(folder(a=f"\n{use}"))


def test_the_default_filter_works_as_ever_on_everything_else() -> None:
    text = "{{ nothing | default('x') }}{{ '' | d('y', true) }}{{ issue.title | default('z') }}"
    assert render_template(folder(a=text), "a.mjml", context()) == "xyA &amp; B"


def test_every_byte_is_traced_to_its_file_and_line() -> None:
    page = """\
{# a comment
   of two lines #}{% from "b.mjml" import mark with context %}
<å>
{% for n in [1, 2] -%}
  <b>{{ "two\\nlines" }}</b>
  <c>
{% endfor %}
{{ mark() }}<d>{% include "c.mjml" %}
<e>"""
    templates = folder(a=page, b="\n{% macro mark() %}\n<m>{% endmacro %}", c="<i>\n<j>")

    data = render_template(templates, "a.mjml", {}).encode()
    locate = make_locator(templates, "a.mjml", {})

    def place(tag: bytes, nth: int = 1) -> tuple[str, int | None]:
        at = -1
        for _ in range(nth):
            at = data.index(tag, at + 1)
        return locate(at).path, locate(at).line

    assert place("<å>".encode()) == ("templates/a.mjml", 3)
    assert place(b"<b>") == place(b"<b>", 2) == ("templates/a.mjml", 5)
    assert place(b"<c>", 2) == ("templates/a.mjml", 6)
    assert place(b"<m>") == ("templates/b.mjml", 3)
    assert place(b"<d>") == ("templates/a.mjml", 8)
    assert place(b"<i>") == ("templates/c.mjml", 1)
    assert place(b"<j>") == ("templates/c.mjml", 2)
    assert place(b"<e>") == ("templates/a.mjml", 9)


@settings(deadline=None)  # other processes share the machine
@given(st.lists(st.sampled_from(["x\n", "\n", "{{ 1 }}", "{# c\n #}", "{% if 1 -%}\n{% endif %}"])))
def test_the_line_of_a_tag_is_its_line_in_the_file_whatever_stands_before(parts: list[str]) -> None:
    before = "".join(parts)
    templates = folder(a=f"{before}<tag>")
    offset = render_template(templates, "a.mjml", {}).encode().index(b"<tag>")
    assert make_locator(templates, "a.mjml", {})(offset).line == before.count("\n") + 1


def test_what_a_template_sets_can_be_read_from_outside() -> None:
    templates = folder(w="{% set words = {'by': lang} %}")
    assert get_template_variable(templates, "w.mjml", "words", {"lang": "nb"}) == {"by": "nb"}
    assert get_template_variable(templates, "w.mjml", "others", {"lang": "nb"}) is None
    assert get_template_variable(templates, "gone.mjml", "words", {}) is None
    with pytest.raises(TemplateError, match=r"w\.mjml:2: there is no 'lang'"):
        get_template_variable(folder(w="{% set words = 1 %}\n{{ lang }}"), "w.mjml", "words", {})
