from newsletter.posts.merge_tags.tags import PREFERENCES_TAG, UNSUBSCRIBE_TAG, MergeTag
from newsletter.render.email import Email, NamedAddress
from newsletter.render.personalization import (
    convert_tokens,
    filter_used_tags,
    personalize,
    unify_link_tokens,
)

NAME = MergeTag("0", "name", "friend", "{{ subscriber.name }}")


def make_email(subject: str, html: str, text: str) -> Email:
    return Email(
        issue="2026-11-22-x",
        subject=subject,
        preheader=subject,
        html=html,
        text=text,
        sender=NamedAddress("", "editor@harbournotes.example"),
        reply_to=None,
        headers=(),
        merge_tags=(NAME, UNSUBSCRIBE_TAG, PREFERENCES_TAG),
        language="en",
        view_online_url="",
    )


def test_value_is_escaped_by_context() -> None:
    html = (
        '<b>-nl0h-</b> <a href="https://a.example/?n=-nl0u-">x</a> <a href="-nlunsubscribeu-">y</a>'
    )
    personalized = personalize(
        make_email("Hello -nl0t-", html, "-nl0t-: -nlunsubscribet- -nlpreferencest-"),
        {"name": "<Ada & Bo>"},
        unsubscribe_link="https://p.example/u/t?a=1",
        preferences_link="https://p.example/p/t",
    )
    assert personalized.subject == personalized.preheader == "Hello <Ada & Bo>"
    assert personalized.html == (
        '<b>&lt;Ada &amp; Bo&gt;</b> <a href="https://a.example/?n=%3CAda%20%26%20Bo%3E">x</a> '
        '<a href="https://p.example/u/t?a=1">y</a>'
    )
    assert personalized.text == "<Ada & Bo>: https://p.example/u/t?a=1 https://p.example/p/t"
    assert personalized.merge_tags == ()


def test_value_that_looks_like_a_token_is_not_replaced() -> None:
    personalized = personalize(
        make_email("-nl0t-", "-nl0h-", "-nl0t-"),
        {"name": "-nlunsubscribeh-"},
        unsubscribe_link="https://p.example/u/secret",
        preferences_link="",
    )
    assert "secret" not in personalized.subject + personalized.html + personalized.text


def test_unknown_token_is_kept() -> None:
    personalized = personalize(
        make_email("", "-nl7h-", ""), {}, unsubscribe_link="", preferences_link=""
    )
    assert personalized.html == "-nl7h-"


def test_tokens_of_one_kind_are_converted() -> None:
    assert convert_tokens("-nl0t- -nl1u- -nlunsubscribet-", "text", "html") == (
        "-nl0h- -nl1u- -nlunsubscribeh-"
    )
    assert convert_tokens("no token - at all", "text", "html") == "no token - at all"


def test_link_tokens_are_unified() -> None:
    assert unify_link_tokens("-nlunsubscribet- -nlunsubscribeh- -nlpreferencesu- -nl0t-") == (
        "-nlunsubscribeu- -nlunsubscribeu- -nlpreferencesu- -nl0t-"
    )


def test_only_tags_that_occur_are_used() -> None:
    assert filter_used_tags(
        (NAME, UNSUBSCRIBE_TAG, PREFERENCES_TAG), "a -nl0t-", "b -nlpreferencesh-"
    ) == (
        NAME,
        PREFERENCES_TAG,
    )
