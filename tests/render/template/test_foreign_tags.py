import pytest

from newsletter.render.template.foreign_tags import find_foreign_tags, suggest_expression


@pytest.mark.parametrize(
    ("tag", "expression"),
    [
        ("*|FNAME|*", "{{ subscriber.name }}"),
        ("*|UNSUB|*", "{{ unsubscribe_url }}"),
        ("*|UPDATE_PROFILE|*", "{{ preferences_url }}"),
        ("*|LIST:COMPANY|*", "{{ newsletter.name }}"),
        ("*|MC:SUBJECT|*", "{{ issue.subject }}"),
        ("*|IF:VIP|*", ""),
        ("[[name]]", "{{ subscriber.name }}"),
        ('[[data:firstname:"reader"]]', "{{ subscriber.name }}"),
        ("[[UNSUB_LINK_EN]]", "{{ unsubscribe_url }}"),
        ("[[SHIPPING_CODE]]", ""),
        ("%FIRSTNAME%", "{{ subscriber.name }}"),
        ("%UNSUBSCRIBELINK%", "{{ unsubscribe_url }}"),
        ("%%first_name%%", "{{ subscriber.name }}"),
        ("{{{name}}}", "{{ subscriber.name }}"),
        ("{{{ contact.first_name }}}", "{{ subscriber.name }}"),
        ("{{& body }}", "{{ article }}"),
        ("{{.Email}}", "{{ subscriber.email }}"),
        ("{{#if vip}}", ""),
        ("{{/if}}", ""),
        ("{{> header}}", ""),
        ("{$unsubscribe}", "{{ unsubscribe_url }}"),
    ],
)
def test_tags_of_other_services_are_found(tag: str, expression: str) -> None:
    (found,) = find_foreign_tags(f"<p>Hi {tag}, 100% yours</p>")
    assert (found.text, found.start, found.expression) == (tag, 6, expression)
    assert (expression or "Write") in found.remedy or "Remove it" in found.remedy


@pytest.mark.parametrize(
    "text",
    [
        "{{ issue.title }}",
        "{% if issue.hero %}",
        "width:100%;HEIGHT:50%",
        "[see [1]]",
        "[[1]]",
        "a || b",
        "50% OFF% 20%",
        "/%C3%A9%20BAR%20",
        "%ZEBRA%",
        "{$x}",
        "<!--[if mso]>",
        "*|x",
        "{{ '{{{' }}",
    ],
)
def test_other_text_is_left_alone(text: str) -> None:
    assert list(find_foreign_tags(text)) == []


@pytest.mark.parametrize(
    ("name", "expression"),
    [
        ("FirstName", "{{ subscriber.name }}"),
        ("first_name", "{{ subscriber.name }}"),
        ("subscriber.first_name", "{{ subscriber.name }}"),
        ("Contact_Email", "{{ subscriber.email }}"),
        ("unsubscribe", "{{ unsubscribe_url }}"),
        ("ArchiveLink", ""),
        ("webversion", "{{ view_online_url }}"),
        ("content", "{{ article }}"),
        ("zebra", ""),
        ("", ""),
    ],
)
def test_names_are_known_in_any_spelling(name: str, expression: str) -> None:
    assert suggest_expression(name) == expression
