"""What the answers of ``newsletter setup`` change in newsletter.yml, and which are refused."""

import re

import pytest

from newsletter.config.load import check_config
from newsletter.errors import ConfigError, UsageError
from newsletter.project.setup import (
    PresentSettings,
    keep_answers,
    plan_changes,
    read_present_settings,
)
from newsletter.project.setup_questions import QUESTIONS, Answer, format_answer, parse_answer
from newsletter.project.yaml_edit import edit_yaml

BASE = """\
name: Quay
sender:
  name: Quay
  address: ed@quay.org
postal_address: 1 Quay Street
site_url: https://quay.org
"""
SERVER = f"{BASE}public_url: https://news.quay.org\n"
STATIC = f"{BASE}issue_url: https://quay.org/letters/{{slug}}\n"
STATIC += "image_url: https://cdn.quay.org/{slug}/{file}\n"
GROUP = f"{BASE}sendgrid: {{asm_group: 3}}\n"
PATTERNS = {
    "issue_url": "https://pages.quay.org/issues/{slug}/",
    "image_url": "https://pages.quay.org/issues/{slug}/{file}",
}
QUESTIONS_BY_NAME = {question.name: question for question in QUESTIONS}


def read(text: str) -> PresentSettings:
    return read_present_settings(check_config(text, "newsletter.yml", {}))


def change(text: str, **typed: str) -> dict[str, Answer]:
    """Answer the questions named; keep the present answers of the others."""
    given = {
        name.replace("_", "-"): parse_answer(QUESTIONS_BY_NAME[name.replace("_", "-")], answer)
        for name, answer in typed.items()
    }
    present = read(text)
    answers, missing = keep_answers(given, present)
    assert missing == []
    return {".".join(path): value for path, value in plan_changes(answers, present).items()}


@pytest.mark.parametrize(
    ("question", "typed", "value"),
    [
        ("name", "  Quay Notes ", "Quay Notes"),
        ("name", "News.example", "News.example"),
        ("name", "رسالة الميناء", "رسالة الميناء"),
        ("name", "No: 1 #2", "No: 1 #2"),
        ("name", "a://[b", "a://[b"),
        ("sender", "ed@quay.org", "ed@quay.org"),
        ("reply-to", "-", None),
        ("reply-to", "", None),
        ("postal-address", r"Quay\n1 Quay Street", "Quay\n1 Quay Street"),
        ("postal-address", "Quay\n1 Quay Street", "Quay\n1 Quay Street"),
        ("site", "https://quay.org/", "https://quay.org"),
        ("pages", "Static", "static"),
        ("pages-url", "https://quay.org/news/", "https://quay.org/news"),
        ("unsubscribe-group", "0123", 123),
        ("unsubscribe-group", "-", None),
        ("time-zone", "Europe/Oslo", "Europe/Oslo"),
        ("language", "en-GB", "en-GB"),
    ],
)
def test_right_answer(question: str, typed: str, value: Answer) -> None:
    assert parse_answer(QUESTIONS_BY_NAME[question], typed) == value


@pytest.mark.parametrize(
    ("question", "typed", "message"),
    [
        ("name", "", "this can't be empty"),
        ("name", "-", "this can't be left out"),
        ("name", "a\tb", "this contains a line break or another control character"),
        ("name", "a\x00b", "this contains a character that is not valid text"),
        ("name", "a\udcffb", "this contains a character that is not valid text"),
        ("sender", "nobody", "'nobody' is not a valid sender address"),
        ("sender", "ed@quay.example", "'ed@quay.example' is an example: give your own"),
        ("reply-to", "ed@example.com", "'ed@example.com' is an example"),
        ("postal-address", "-", "this can't be left out"),
        ("postal-address", r"a\n\nb", "this can't be empty"),
        ("site", "quay.org", "'quay.org' is not an absolute URL"),
        ("site", "https://quay.example", "'https://quay.example' is an example"),
        ("site", "https://quay.org/?a=1", "must not contain '?' or '#'"),
        ("pages", "yes", "'yes' is not one of these: server, static, none"),
        ("pages-url", "http://quay.org", "must begin with https://"),
        ("pages-url", "https://quay.org/{x}", "must not contain a placeholder"),
        ("unsubscribe-group", "twelve", "'twelve' is not a number"),
        ("unsubscribe-group", "1234567890", "'1234567890' is not a number"),
        ("unsubscribe-group", "٣", "'٣' is not a number"),
        ("unsubscribe-group", "0", "this must be greater than or equal to 1"),
        ("time-zone", "Oslo", "unknown time zone 'Oslo'. Did you mean 'Europe/Oslo'?"),
        ("language", "norwegian", "'norwegian' is not a valid language tag (BCP 47)"),
        ("sender-name", "SG.abcdefghijk.lmnop", "this is a SendGrid API key"),
    ],
)
def test_wrong_answer(question: str, typed: str, message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)) as caught:
        parse_answer(QUESTIONS_BY_NAME[question], typed)
    assert "SG." not in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        BASE,
        SERVER,
        STATIC,
        BASE.replace("Quay\n", "a://[b\n"),
        BASE.replace("quay.org", "quay.org/"),
    ],
)
def test_present_answers_change_nothing(text: str) -> None:
    text = text.replace("ed@quay.org/", "ed@quay.org")
    assert change(text) == {}
    assert change(text, time_zone="UTC", language="en", site="https://quay.org") == {}


@pytest.mark.parametrize(
    ("text", "typed", "changes"),
    [
        (BASE, {"name": "New"}, {"name": "New", "sender.name": "New"}),
        (BASE, {"name": "New", "sender_name": "Quay"}, {"name": "New"}),
        (BASE.replace("  name: Quay", "  name: Ed"), {"name": "New"}, {"name": "New"}),
        (BASE, {"reply_to": "-"}, {}),
        (GROUP, {"unsubscribe_group": ""}, {"sendgrid.asm_group": None}),
        (GROUP, {"unsubscribe_group": "3"}, {}),
        (BASE, {"time_zone": "Europe/Oslo"}, {"timezone": "Europe/Oslo"}),
        (f"{BASE}timezone: Europe/Oslo\n", {"time_zone": "UTC"}, {"timezone": "UTC"}),
    ],
)
def test_changed_settings(text: str, typed: dict[str, str], changes: dict[str, Answer]) -> None:
    assert change(text, **typed) == changes


@pytest.mark.parametrize(
    ("text", "pages", "url", "changes"),
    [
        (BASE, "server", "https://news.quay.org", {"public_url": "https://news.quay.org"}),
        (BASE, "static", "https://pages.quay.org/", PATTERNS),
        (BASE, "none", None, {}),
        (SERVER, "server", "https://news.quay.org/", {}),
        (SERVER, "server", "https://n.quay.org", {"public_url": "https://n.quay.org"}),
        (SERVER, "static", "https://pages.quay.org", {"public_url": None, **PATTERNS}),
        (SERVER, "none", None, {"public_url": None}),
        (STATIC, "static", "https://quay.org/letters", {}),
        (STATIC, "static", "https://pages.quay.org", PATTERNS),
        (STATIC, "none", None, {"issue_url": None, "image_url": None}),
        (
            STATIC,
            "server",
            "https://n.quay.org",
            {"public_url": "https://n.quay.org", "issue_url": None, "image_url": None},
        ),
        # A server with its images elsewhere keeps them there.
        (
            f"{SERVER}image_url: https://cdn.quay.org/{{slug}}/{{file}}\n",
            "server",
            "https://n.quay.org",
            {"public_url": "https://n.quay.org"},
        ),
        (f"{BASE}issue_url: 'https://{{slug}}.quay.org/'\n", "static", "https://quay.org", {}),
    ],
)
def test_pages(text: str, pages: str, url: str | None, changes: dict[str, Answer]) -> None:
    typed = {"pages": pages, **({"pages_url": url} if url else {})}
    assert change(text, **typed) == changes


def test_url_of_static_pages_is_found_in_the_patterns_that_setup_writes() -> None:
    text = edit_yaml(BASE, {(key,): value for key, value in PATTERNS.items()})
    assert read(text).answers["pages-url"] == "https://pages.quay.org"


@pytest.mark.parametrize(
    ("text", "missing"),
    [
        (BASE.replace("ed@quay.org", "ed@quay.example"), ["sender"]),
        (BASE.replace("postal_address: 1 Quay Street\n", ""), ["postal-address"]),
        (BASE.replace("https://quay.org", "https://quay.example"), ["site"]),
        (BASE.replace("https://quay.org", "quay"), ["site"]),
        (BASE.replace("name: Quay\n", "", 1), ["name"]),
        ("name: Quay\nsite_url: https://quay.org\n", ["sender-name", "sender", "postal-address"]),
        (f"{BASE}timezone: Olso\n", ["time-zone"]),
        (f"{BASE}sendgrid:\n  asm_group: none\n", ["unsubscribe-group"]),
        (f"{SERVER}sendgrid:\n  asm_group: none\n", ["unsubscribe-group"]),
        (f"{SERVER}issue_url: x\n", ["pages-url"]),
        (SERVER.replace("news.quay.org", "news.quay.example"), ["pages-url"]),
        (BASE.replace("  address", "  reply_to: a@quay.example\n  address"), ["reply-to"]),
    ],
)
def test_mistakes_and_examples_are_to_be_answered(text: str, missing: list[str]) -> None:
    assert keep_answers({}, read(text))[1] == missing


@pytest.mark.parametrize(
    ("text", "typed"),
    [
        (f"{SERVER}issue_url: x\n", {"pages_url": "https://news.quay.org"}),
        (f"{STATIC}public_url: x\n", {"pages_url": "https://quay.org/letters"}),
        (f"{BASE}issue_url: x\n", {"pages_url": "https://quay.org/letters"}),
        (f"{BASE}sendgrid: {{asm_group: x}}\n", {"unsubscribe_group": "-"}),
        (
            "name: Quay\nsite_url: https://quay.org\n",
            {"sender_name": "Ed", "sender": "ed@quay.org", "postal_address": "Quay"},
        ),
    ],
)
def test_answers_correct_the_mistakes(text: str, typed: dict[str, str]) -> None:
    changes = change(text, **typed)
    new = edit_yaml(text, {tuple(path.split(".")): value for path, value in changes.items()})
    assert check_config(new, "newsletter.yml", {}).problems == ()


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (f"{BASE}name_: x\n", "newsletter.yml:7: unknown key 'name_'. Did you mean 'name'?"),
        (BASE.replace("  address", "  address_"), "newsletter.yml:4: unknown key 'address_'"),
        ("sender: nobody\n", "newsletter.yml:1: sender: this must be a section"),
        (f"{BASE}name: x\n", "newsletter.yml:7: 'name' is already set on line 1"),
        ("", "newsletter.yml:1: the file is empty"),
        ("a: [\n", "newsletter.yml:2: this is not valid YAML"),
    ],
)
def test_other_mistakes_are_refused(text: str, problem: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read(text)
    assert str(caught.value).startswith(problem)


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        ({"pages_url": "https://quay.org"}, "--pages-url is not used with --pages none"),
        (
            {"pages": "server", "pages_url": "https://quay.org", "unsubscribe_group": "1"},
            "--unsubscribe-group is not used with --pages server",
        ),
    ],
)
def test_answers_without_a_question_are_refused(typed: dict[str, str], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        change(BASE, **typed)


def test_a_changed_kind_of_pages_needs_their_url() -> None:
    assert keep_answers({"pages": "static"}, read(SERVER))[1] == ["pages-url"]


def test_several_lines_are_shown_as_they_are_typed() -> None:
    assert format_answer("Quay\n1 Quay Street") == r"Quay\n1 Quay Street"
