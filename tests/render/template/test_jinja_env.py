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


def make_templates(**files: str) -> Templates:
    return Templates("templates", {f"{name}.mjml": text for name, text in files.items()})


def make_context() -> dict[str, Any]:
    theme = {"width": 620, "fonts": {"body": "Georgia"}}
    return {
        "theme": theme,
        "issue": {"title": "A & B", "date": None},
        "subscriber": make_subscriber(),
    }


def make_subscriber() -> SubscriberView:
    return SubscriberView(MergeTagRegistry({"name": "friend"}))


def get_error(templates: Templates) -> str:
    with pytest.raises(TemplateError) as caught:
        render_template(templates, "a.mjml", make_context())
    return str(caught.value)


def test_values_are_escaped_and_named_entities_become_numeric() -> None:
    text = render_template(
        make_templates(a="{{ issue.title }}&nbsp;&copy;&amp;&lt;"), "a.mjml", make_context()
    )
    assert text == "A &amp; B&#160;&#169;&amp;&lt;"


def test_css_is_not_html_escaped() -> None:
    templates = Templates("templates", {"a.css": "p { font-family: {{ fonts }} }"})
    assert (
        render_template(templates, "a.css", {"fonts": "'Segoe UI'"})
        == "p { font-family: 'Segoe UI' }"
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a\n{{ izzue }}", "a.mjml:2: 'izzue' is not defined. Did you mean 'issue'?"),
        ("\n\n{{ theme.widthh }}px", "a.mjml:3: there is no '.widthh' here. Did you mean 'width'?"),
        ("{{ issue.date.year }}", "a.mjml:1: '.year' of an empty value"),
        ("\n{% if issue %}", "a.mjml:2: Unexpected end of template"),
        ("\n\n{% for %}", "a.mjml:3: Expected"),
        ("\n{% include 'partial/b.mjml' %}", "a.mjml:2: there is no template 'partial/b.mjml'"),
        ("{% include 'a.mjml' %}", "a.mjml:1: templates include one another in a loop"),
        ("\n{{ 1 // 0 }}", "a.mjml:2: "),
        ("\n{{ ''.__class__ }}", "a.mjml:2: access to attribute '__class__'"),
        # A name that is harmless on one type isn't on another.
        (
            "{% set ns = namespace(pop=1) %}{{ ns.pop }}\n{{ [1].pop() }}",
            "a.mjml:2: access to attribute 'pop'",
        ),
        ("\n{{ range(10 ** 9) }}", "a.mjml:2: Range too big"),
    ],
)
def test_mistake_is_reported_with_line_and_suggestion(text: str, message: str) -> None:
    assert message in get_error(make_templates(a=text))


def test_mistake_in_an_included_file_is_reported_there() -> None:
    templates = make_templates(a="x\n\n{% include 'b.mjml' %}", b="\n{{ issue.titlle }}")
    assert "templates/b.mjml:2: " in get_error(templates)


def test_mistake_in_an_imported_macro_is_reported_there() -> None:
    text = "{% macro m() %}\n{{ nobody }}{% endmacro %}"
    templates = make_templates(a="\n{% from 'b.mjml' import m %}{{ m() }}", b=text)
    assert "templates/b.mjml:2: 'nobody' is not defined" in get_error(templates)


def test_subscriber_attributes_become_merge_tokens_with_defaults() -> None:
    registry = MergeTagRegistry({"name": "friend"})
    text = '{{ subscriber.name }} {{ subscriber.city | default("A & B") }} {{ subscriber.name }}'
    rendered = render_template(
        make_templates(a=text), "a.mjml", {"subscriber": SubscriberView(registry)}
    )
    assert rendered == "-nl0h- -nl1h- -nl0h-"
    assert [(tag.attribute, tag.default) for tag in registry.merge_tags] == [
        ("name", "friend"),
        ("city", "A & B"),
    ]
    assert registry.merge_tags[1].source == '{{ subscriber.city | default("A & B") }}'


def test_attribute_without_a_default_is_an_error_at_its_line() -> None:
    message = get_error(make_templates(a="\n\n{{ subscriber.city }}"))
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
def test_template_cannot_compute_with_merge_tags(use: str) -> None:
    assert "templates/a.mjml:2: subscriber.name differs" in get_error(make_templates(a=f"\n{use}"))


def test_default_filter_works_as_usual_on_other_values() -> None:
    text = "{{ nothing | default('x') }}{{ '' | d('y', true) }}{{ issue.title | default('z') }}"
    assert render_template(make_templates(a=text), "a.mjml", make_context()) == "xyA &amp; B"


def test_locator_maps_offsets_to_file_and_line() -> None:
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
    templates = make_templates(a=page, b="\n{% macro mark() %}\n<m>{% endmacro %}", c="<i>\n<j>")

    data = render_template(templates, "a.mjml", {}).encode()
    locate = make_locator(templates, "a.mjml", {})

    def place(tag: bytes, nth: int = 1) -> tuple[str, int | None]:
        offset = -1
        for _ in range(nth):
            offset = data.index(tag, offset + 1)
        return locate(offset).path, locate(offset).line

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
def test_locator_finds_the_line_after_any_prefix(parts: list[str]) -> None:
    prefix = "".join(parts)
    templates = make_templates(a=f"{prefix}<tag>")
    offset = render_template(templates, "a.mjml", {}).encode().index(b"<tag>")
    assert make_locator(templates, "a.mjml", {})(offset).line == prefix.count("\n") + 1


def test_template_variable_can_be_read() -> None:
    templates = make_templates(w="{% set words = {'by': lang} %}")
    assert get_template_variable(templates, "w.mjml", "words", {"lang": "nb"}) == {"by": "nb"}
    assert get_template_variable(templates, "w.mjml", "others", {"lang": "nb"}) is None
    assert get_template_variable(templates, "gone.mjml", "words", {}) is None
    with pytest.raises(TemplateError, match=r"w\.mjml:2: 'lang' is not defined"):
        get_template_variable(
            make_templates(w="{% set words = 1 %}\n{{ lang }}"), "w.mjml", "words", {}
        )


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("{{FirstName}}", "'FirstName' is not defined. Did you mean {{ subscriber.name }}?"),
        ("{{ contact.email }}", "'contact' is not defined. Did you mean {{ subscriber.email }}?"),
        (
            "{{{name}}}",
            "{{{name}}} is a merge tag of another service. Did you mean {{ subscriber.name }}?",
        ),
        ("{{#if x}}", "{{#if x}} is a merge tag of another service. Write {% if … %}"),
        ("{{ post.title }}", "'post' is not defined. Did you mean {{ issue.title }}?"),
        ("{{ issues.zzz }}", "'issues' is not defined. Did you mean 'issue'?"),
        ("{{ zebra }}", "'zebra' is not defined. If it is an attribute of your readers, write"),
    ],
)
def test_a_name_of_another_service_says_what_ours_is(expression: str, message: str) -> None:
    error = get_error(make_templates(a=f"one\n{expression}"))
    assert error.startswith(f"templates/a.mjml:2: {message}")


def test_only_variables_that_the_template_has_are_suggested() -> None:
    error = get_error(make_templates(a="{{ unsubscribe }}"))
    assert "unsubscribe_url" not in error
